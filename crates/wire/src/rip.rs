//! The messages of RIP version 2 (RFC 2453).

use std::net::Ipv4Addr;

use septet_core::DropReason;

/// UDP's port for it, at both ends.
pub const PORT: u16 = 520;
/// RFC 2453 §4.4: the group of all routers that speak version 2.
pub const ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 9);
/// RFC 2453 §3.6: what says that there is no way.
pub const INFINITY: u32 = 16;
/// RFC 2453 §3.6: how many entries one message has at most.
pub const MAX_ENTRIES: usize = 25;

const HEADER_LEN: usize = 4;
const ENTRY_LEN: usize = 20;
const VERSION: u8 = 2;
/// IPv4's address family.
const AF_INET: u16 = 2;
/// RFC 2453 §4.1: an entry that is no route but an authentication.
const AF_AUTHENTICATION: u16 = 0xffff;

/// What a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// It asks for all or some routes.
    Request,
    /// It tells routes, asked or not.
    Response,
}

/// A route in a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The address family; zero in a request for the whole table.
    pub family: u16,
    /// What routes of other origin are marked with.
    pub tag: u16,
    /// The destination.
    pub address: Ipv4Addr,
    /// Its mask.
    pub mask: Ipv4Addr,
    /// A better next hop than the sender on this link; unspecified where there is none.
    pub next_hop: Ipv4Addr,
    /// How far it is.
    pub metric: u32,
}

impl Entry {
    /// A route to `address`/`mask`.
    pub const fn new(address: Ipv4Addr, mask: Ipv4Addr, metric: u32) -> Self {
        Self { family: AF_INET, tag: 0, address, mask, next_hop: Ipv4Addr::UNSPECIFIED, metric }
    }

    /// RFC 2453 §3.9.1: the one entry of a request for the whole table.
    pub const WHOLE_TABLE: Self = Self {
        family: 0,
        tag: 0,
        address: Ipv4Addr::UNSPECIFIED,
        mask: Ipv4Addr::UNSPECIFIED,
        next_hop: Ipv4Addr::UNSPECIFIED,
        metric: INFINITY,
    };

    /// How many bits of the address count, where the mask is one.
    pub fn prefix_len(&self) -> Option<u8> {
        let bits = self.mask.to_bits();
        (bits.leading_ones() + bits.trailing_zeros() >= 32).then_some(bits.leading_ones() as u8)
    }

    /// Whether it is a route of IPv4.
    pub const fn is_ipv4(&self) -> bool {
        self.family == AF_INET
    }
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is for.
    pub command: Command,
    /// Its entries.
    pub entries: Vec<Entry>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// `Malformed` for lengths that do not fit, `UnknownProtocol` for version 1 or another command, or where it is authenticated:
    /// RFC 2453 §4.1 says for those without a key that "authenticated RIP-2 messages shall be discarded".
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some((&[command, version, _, _], rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(DropReason::Malformed);
        };
        // RFC 1058 §3.1, as RFC 2453 §4.6 keeps it: later versions are read as this one.
        if version < VERSION {
            return Err(DropReason::UnknownProtocol);
        }
        let command = match command {
            1 => Command::Request,
            2 => Command::Response,
            _ => return Err(DropReason::UnknownProtocol),
        };
        let (entries, []) = rest.as_chunks::<ENTRY_LEN>() else { return Err(DropReason::Malformed) };
        if entries.len() > MAX_ENTRIES {
            return Err(DropReason::Malformed);
        }
        let entries: Vec<Entry> = entries.iter().map(entry).collect();
        if entries.iter().any(|entry| entry.family == AF_AUTHENTICATION) {
            return Err(DropReason::UnknownProtocol);
        }
        Ok(Self { command, entries })
    }

    /// The message's octets.
    pub fn to_bytes(&self) -> Vec<u8> {
        let command = match self.command {
            Command::Request => 1,
            Command::Response => 2,
        };
        let mut bytes = vec![command, VERSION, 0, 0];
        for Entry { family, tag, address, mask, next_hop, metric } in &self.entries {
            bytes.extend(family.to_be_bytes());
            bytes.extend(tag.to_be_bytes());
            [address, mask, next_hop].into_iter().for_each(|a| bytes.extend(a.octets()));
            bytes.extend(metric.to_be_bytes());
        }
        bytes
    }
}

fn entry(e: &[u8; ENTRY_LEN]) -> Entry {
    let address = |at: usize| Ipv4Addr::new(e[at], e[at + 1], e[at + 2], e[at + 3]);
    Entry {
        family: u16::from_be_bytes([e[0], e[1]]),
        tag: u16::from_be_bytes([e[2], e[3]]),
        address: address(4),
        mask: address(8),
        next_hop: address(12),
        metric: u32::from_be_bytes([e[16], e[17], e[18], e[19]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_gives_back_what_was_written() {
        let route = Entry::new(Ipv4Addr::new(10, 1, 0, 0), Ipv4Addr::new(255, 255, 0, 0), 3);
        let message = Message { command: Command::Response, entries: vec![route; 25] };
        let bytes = message.to_bytes();
        assert_eq!(bytes.len(), 504, "RFC 2453 §3.6: 512 with UDP's header");
        assert_eq!(Message::parse(&bytes), Ok(message));
        assert_eq!(route.prefix_len(), Some(16));
        let ask = Message { command: Command::Request, entries: vec![Entry::WHOLE_TABLE] };
        assert_eq!(Message::parse(&ask.to_bytes()), Ok(ask));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let good = Message { command: Command::Request, entries: vec![Entry::WHOLE_TABLE] }.to_bytes();
        assert_eq!(Message::parse(&good[..23]), Err(DropReason::Malformed));
        for (at, value, why) in [(1, 1, DropReason::UnknownProtocol), (0, 9, DropReason::UnknownProtocol)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Message::parse(&bad), Err(why));
        }
        let mut secret = good;
        secret[4..6].fill(0xff);
        assert_eq!(Message::parse(&secret), Err(DropReason::UnknownProtocol));
        let mask = |m: [u8; 4]| Entry::new(Ipv4Addr::UNSPECIFIED, m.into(), 1).prefix_len();
        assert_eq!((mask([0; 4]), mask([255; 4]), mask([255, 0, 255, 0])), (Some(0), Some(32), None));
    }
}
