//! The IPv6 control protocol, RFC 5072: each end's interface identifier.

use super::negotiation::{Options, Verdict};
use super::packet::push;

pub(super) const INTERFACE_IDENTIFIER: u8 = 1;

/// The IPv6 control protocol's side of a negotiation.
#[derive(Debug)]
pub(super) struct Ipv6cp {
    /// This end's identifier.
    pub(super) local: u64,
    /// The one that the other end has.
    pub(super) remote: Option<u64>,
    ask: Ask,
}

/// Whether the option is still in the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ask {
    Yes,
    Refused,
}

impl Ipv6cp {
    pub(super) fn new(local: u64) -> Self {
        Self { local, remote: None, ask: Ask::Yes }
    }
}

impl Options for Ipv6cp {
    fn request(&self) -> Vec<u8> {
        let mut data = Vec::new();
        if self.ask == Ask::Yes {
            push(&mut data, INTERFACE_IDENTIFIER, &self.local.to_be_bytes());
        }
        data
    }

    /// RFC 5072 §4.1: "If the two interface identifiers are equal and are not zero, Configure-Nak MUST be sent specifying a
    /// different non-zero interface identifier value", and where the other end's is zero one is suggested, too.
    fn judge(&mut self, kind: u8, value: &[u8]) -> Verdict {
        let (INTERFACE_IDENTIFIER, Some(octets)) = (kind, value.first_chunk::<8>().filter(|_| value.len() == 8)) else {
            return Verdict::Unacceptable;
        };
        match u64::from_be_bytes(*octets) {
            theirs if theirs == 0 || theirs == self.local => {
                Verdict::Rather((self.local ^ 1).max(2).to_be_bytes().to_vec())
            }
            _ => Verdict::Acceptable,
        }
    }

    fn granted(&mut self, asked: &[(u8, &[u8])]) {
        self.remote = asked.iter().find_map(|(kind, value)| match (*kind, value.first_chunk()) {
            (INTERFACE_IDENTIFIER, Some(octets)) => Some(u64::from_be_bytes(*octets)),
            _ => None,
        });
    }

    fn suggested(&mut self, kind: u8, value: &[u8]) {
        if let (INTERFACE_IDENTIFIER, Some(octets)) = (kind, value.first_chunk()) {
            self.local = u64::from_be_bytes(*octets);
        }
    }

    fn refused(&mut self, kind: u8) {
        if kind == INTERFACE_IDENTIFIER {
            self.ask = Ask::Refused;
        }
    }
}
