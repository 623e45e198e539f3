//! What a router says of names: whom to ask, and where names without a dot are looked for (RFC 8106 §5).

use std::net::Ipv6Addr;

use septet_core::Frame;

pub(super) const RECURSIVE_SERVERS: u8 = 25;
pub(super) const SEARCH_LIST: u8 = 31;

/// RFC 1035 §2.3.4: "labels 63 octets or less, names 255 octets or less".
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 255;

/// Recursive DNS servers that a router names: RFC 8106 §5.1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolvers {
    /// For how many seconds they may be asked; all ones: for ever; zero: no longer.
    pub lifetime: u32,
    /// Their addresses.
    pub servers: Vec<Ipv6Addr>,
}

/// Domains in which names are looked for: RFC 8106 §5.2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SearchList {
    /// For how many seconds; all ones: for ever; zero: no longer.
    pub lifetime: u32,
    /// The domains, without a dot at their end.
    pub domains: Vec<String>,
}

impl Resolvers {
    /// Reads an option. RFC 8106 §5.3.1: "the length has a value greater than or equal to the minimum value (3)", and holds
    /// whole addresses.
    pub(super) fn read(option: &[u8]) -> Option<Self> {
        let (lifetime, addresses) = behind(option)?;
        let (addresses, rest) = addresses.as_chunks::<16>();
        (rest.is_empty() && !addresses.is_empty())
            .then(|| Self { lifetime, servers: addresses.iter().copied().map(Ipv6Addr::from).collect() })
    }

    pub(super) fn write(&self, frame: &mut Frame) {
        // What one option can hold.
        for servers in self.servers.chunks(127) {
            frame.extend(&[RECURSIVE_SERVERS, 1 + 2 * servers.len() as u8, 0, 0]);
            frame.extend(&self.lifetime.to_be_bytes());
            servers.iter().for_each(|server| frame.extend(&server.octets()));
        }
    }
}

impl SearchList {
    /// Reads an option: names as RFC 1035 §3.1 writes them, uncompressed, with zeros behind the last.
    pub(super) fn read(option: &[u8]) -> Option<Self> {
        let (lifetime, mut rest) = behind(option)?;
        let mut domains = Vec::new();
        while rest.first().is_some_and(|len| *len != 0) {
            let (domain, tail) = name(rest)?;
            domains.push(domain);
            rest = tail;
        }
        (!domains.is_empty()).then_some(Self { lifetime, domains })
    }

    pub(super) fn write(&self, frame: &mut Frame) {
        let mut names = Vec::new();
        for domain in &self.domains {
            let labels = || domain.split('.').filter(|label| !label.is_empty());
            let len = labels().map(|label| label.len() + 1).sum::<usize>() + 1;
            // What no name can be, or the option cannot hold, is left out.
            let too_long = len > NAME_MAX || labels().any(|label| label.len() > LABEL_MAX);
            if len == 1 || too_long || names.len() + len > 254 * 8 {
                continue;
            }
            for label in labels() {
                names.push(label.len() as u8);
                names.extend_from_slice(label.as_bytes());
            }
            names.push(0);
        }
        if names.is_empty() {
            return;
        }
        names.resize(names.len().next_multiple_of(8), 0);
        frame.extend(&[SEARCH_LIST, 1 + (names.len() / 8) as u8, 0, 0]);
        frame.extend(&self.lifetime.to_be_bytes());
        frame.extend(&names);
    }
}

/// The lifetime that both options begin with, behind type, length and two octets of nothing, and what follows it.
fn behind(option: &[u8]) -> Option<(u32, &[u8])> {
    let (lifetime, rest) = option.get(4..)?.split_first_chunk()?;
    Some((u32::from_be_bytes(*lifetime), rest))
}

/// The name at the beginning of `bytes`, and what follows it. Only names of hosts will do, which a resolver can ask for.
fn name(mut bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut domain = String::new();
    loop {
        let (&len, rest) = bytes.split_first()?;
        let len = usize::from(len);
        if len == 0 {
            return (!domain.is_empty()).then_some((domain, rest));
        }
        let label = rest.get(..len).filter(|_| len <= LABEL_MAX)?;
        if !label.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')) {
            return None;
        }
        if !domain.is_empty() {
            domain.push('.');
        }
        domain.push_str(core::str::from_utf8(label).ok()?);
        if domain.len() + 2 > NAME_MAX {
            return None;
        }
        bytes = &rest[len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(list: &SearchList) -> Vec<u8> {
        let mut frame = Frame::empty(Frame::HEADROOM);
        list.write(&mut frame);
        frame.bytes().to_vec()
    }

    #[test]
    fn names_are_written_without_compression_and_padded() {
        let list = SearchList { lifetime: 30, domains: vec!["lab".into(), "shop.test".into()] };
        let bytes = written(&list);
        assert_eq!(bytes[..8], [31, 3, 0, 0, 0, 0, 0, 30]);
        assert_eq!(&bytes[8..], b"\x03lab\0\x04shop\x04test\0");
        assert_eq!(SearchList::read(&bytes), Some(list));
    }

    #[test]
    fn what_no_resolver_could_ask_for_is_no_domain() {
        let option = |names: &[u8]| {
            let mut bytes = vec![31, 2, 0, 0, 0, 0, 0, 30];
            bytes.extend(names);
            SearchList::read(&bytes)
        };
        assert_eq!(option(b"\x03lab\0\0\0\0").map(|list| list.domains), Some(vec!["lab".to_owned()]));
        // Cut short, a pointer of compression, an octet that is no letter, nothing at all.
        for wrong in [b"\x09lab\0\0\0\0", b"\xc0\x0clab\0\0\0", b"\x03l b\0\0\0\0", b"\0\0\0\0\0\0\0\0"] {
            assert_eq!(option(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn half_an_address_voids_the_option() {
        let mut bytes = vec![25, 3, 0, 0, 0, 0, 0, 30];
        bytes.extend(Ipv6Addr::LOCALHOST.octets());
        let servers = vec![Ipv6Addr::LOCALHOST];
        assert_eq!(Resolvers::read(&bytes), Some(Resolvers { lifetime: 30, servers }));
        bytes.extend([0; 8]);
        assert_eq!(Resolvers::read(&bytes), None);
        assert_eq!(Resolvers::read(&bytes[..8]), None);
    }
}
