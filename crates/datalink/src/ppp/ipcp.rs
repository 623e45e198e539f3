//! The IP control protocol, RFC 1332: each end's address.

use std::net::Ipv4Addr;

use super::negotiation::{Options, Verdict};
use super::packet::push;

const IP_ADDRESS: u8 = 3;

/// The IP control protocol's side of a negotiation.
#[derive(Debug)]
pub(super) struct Ipcp {
    /// This end's address; `0.0.0.0` asks the other end for one.
    pub(super) local: Ipv4Addr,
    /// The address that the other end is given, or must have.
    assign: Option<Ipv4Addr>,
    /// The address that the other end has.
    pub(super) remote: Option<Ipv4Addr>,
    ask: Ask,
}

/// Whether the option is still in the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    Yes,
    Refused,
}

impl Ipcp {
    pub(super) fn new(local: Ipv4Addr, assign: Option<Ipv4Addr>) -> Self {
        Self { local, assign, remote: None, ask: Ask::Yes }
    }
}

impl Options for Ipcp {
    fn request(&self) -> Vec<u8> {
        let mut data = Vec::new();
        if self.ask == Ask::Yes {
            push(&mut data, IP_ADDRESS, &self.local.octets());
        }
        data
    }

    fn judge(&mut self, kind: u8, value: &[u8]) -> Verdict {
        let (IP_ADDRESS, &[a, b, c, d]) = (kind, value) else { return Verdict::Unacceptable };
        let theirs = Ipv4Addr::new(a, b, c, d);
        match self.assign {
            Some(address) if address != theirs => Verdict::Rather(address.octets().to_vec()),
            // RFC 1332 §3.3: zero "is a request that the peer provide the IP address information"; there is none to give.
            None if theirs.is_unspecified() => Verdict::Unacceptable,
            _ => Verdict::Acceptable,
        }
    }

    fn granted(&mut self, asked: &[(u8, &[u8])]) {
        self.remote = asked.iter().find_map(|&(kind, value)| match (kind, value) {
            (IP_ADDRESS, &[a, b, c, d]) => Some(Ipv4Addr::new(a, b, c, d)),
            _ => None,
        });
    }

    fn suggested(&mut self, kind: u8, value: &[u8]) {
        if let (IP_ADDRESS, &[a, b, c, d]) = (kind, value) {
            // An end that has an address keeps it; the other may accept it or not.
            if self.local.is_unspecified() {
                self.local = Ipv4Addr::new(a, b, c, d);
            }
        }
    }

    fn refused(&mut self, kind: u8) {
        if kind == IP_ADDRESS {
            self.ask = Ask::Refused;
        }
    }
}
