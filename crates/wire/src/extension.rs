//! IPv6's extension headers (RFC 8200 §4): what stands between the IPv6 header and what the packet carries.

use septet_core::Frame;

/// Numbers of a next header that are no protocol of their own (IANA's `ipv6-parameters`).
pub mod next {
    /// Options for every router on the way.
    pub const HOP_BY_HOP: u8 = 0;
    /// Routers to be visited.
    pub const ROUTING: u8 = 43;
    /// A piece of a packet.
    pub const FRAGMENT: u8 = 44;
    /// RFC 8200 §4.7: "there is nothing following that header".
    pub const NONE: u8 = 59;
    /// Options for the destination.
    pub const DESTINATION: u8 = 60;
}

/// RFC 8200 §4.2: "Options … are aligned" to the header's unit.
pub const UNIT: usize = 8;

/// An extension header that tells its own length: options or routing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extension<'p> {
    /// What follows it.
    pub next: u8,
    /// The whole header.
    pub bytes: &'p [u8],
}

impl<'p> Extension<'p> {
    /// Reads the header at the start of `bytes`; `None` where it is cut off.
    pub fn parse(bytes: &'p [u8]) -> Option<Self> {
        let &[next, length] = bytes.first_chunk()?;
        // RFC 8200 §4.3: "in 8-octet units, not including the first 8 octets".
        let bytes = bytes.get(..(usize::from(length) + 1) * UNIT)?;
        Some(Self { next, bytes })
    }

    /// The options in it, where it is one that has options.
    pub fn options(&self) -> Options<'p> {
        Options { bytes: self.bytes, at: 2 }
    }

    /// Where it is a routing header: its type, and the routers that are still to be visited.
    pub fn routing(&self) -> (u8, u8) {
        (self.bytes[2], self.bytes[3])
    }
}

/// An option of a hop-by-hop or a destination options header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtensionOption<'p> {
    /// Its type.
    pub kind: u8,
    /// Where in the header it begins.
    pub at: usize,
    /// Its data.
    pub data: &'p [u8],
}

/// RFC 2711: a router is to look into the packet.
pub const ROUTER_ALERT: u8 = 5;
/// RFC 2675: the packet is longer than the IPv6 header can say.
pub const JUMBO: u8 = 0xc2;

/// RFC 4942 §2.1.9.5: padding aligns options to eight octets, and "should not" be more; nor should it carry anything. Linux
/// takes no packet whose padding does.
const PADDING_MAX: usize = 7;

/// What is to be done with a packet that has an option which is not known: RFC 8200 §4.2's "highest-order 2 bits".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// "skip over this option and continue processing the header."
    Skip,
    /// "discard the packet."
    Discard,
    /// "discard the packet and, regardless of whether or not the packet's Destination Address was a multicast address,
    /// send an ICMP Parameter Problem, Code 2".
    Report,
    /// The same, "only if the packet's Destination Address was not a multicast address".
    ReportUnicast,
}

impl ExtensionOption<'_> {
    /// What to do where its type is not known.
    pub const fn if_unknown(&self) -> Unknown {
        match self.kind >> 6 {
            0 => Unknown::Skip,
            1 => Unknown::Discard,
            2 => Unknown::Report,
            _ => Unknown::ReportUnicast,
        }
    }
}

/// The options of a header, padding left out; an error where one does not fit in.
#[derive(Clone, Debug)]
pub struct Options<'p> {
    bytes: &'p [u8],
    at: usize,
}

/// An option reaches beyond its header, or what should be padding is more than that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Misfit;

impl<'p> Iterator for Options<'p> {
    type Item = Result<ExtensionOption<'p>, Misfit>;

    fn next(&mut self) -> Option<Self::Item> {
        const PAD1: u8 = 0;
        const PADN: u8 = 1;
        let mut padding = 0;
        loop {
            if padding > PADDING_MAX {
                self.at = self.bytes.len();
                return Some(Err(Misfit));
            }
            let at = self.at;
            let kind = *self.bytes.get(at)?;
            if kind == PAD1 {
                self.at += 1;
                padding += 1;
                continue;
            }
            let data = self.bytes.get(at + 1).and_then(|&len| self.bytes.get(at + 2..at + 2 + usize::from(len)));
            let Some(data) = data else {
                self.at = self.bytes.len();
                return Some(Err(Misfit));
            };
            self.at = at + 2 + data.len();
            if kind != PADN {
                return Some(Ok(ExtensionOption { kind, at, data }));
            }
            let carries = data.iter().any(|octet| *octet != 0);
            padding += if carries { PADDING_MAX + 1 } else { 2 + data.len() };
        }
    }
}

/// Octets of a fragment header.
pub const FRAGMENT_LEN: usize = 8;

/// A fragment header (RFC 8200 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// What the first fragment begins with.
    pub next: u8,
    /// Where this piece begins, in octets.
    pub offset: u16,
    /// Whether it is not the last one.
    pub more: bool,
    /// What all pieces of one packet share.
    pub ident: u32,
}

impl Fragment {
    /// Reads the header at the start of `bytes`; `None` where it is cut off.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[next, _, high, low, a, b, c, d] = bytes.first_chunk()?;
        let word = u16::from_be_bytes([high, low]);
        Some(Self { next, offset: word & 0xfff8, more: word & 1 == 1, ident: u32::from_be_bytes([a, b, c, d]) })
    }

    /// RFC 6946 §2: a packet that has a fragment header though it was never cut.
    pub const fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// Writes the header in front of what `frame` holds.
    pub fn push(&self, frame: &mut Frame) {
        let header = frame.push(FRAGMENT_LEN);
        header[..2].copy_from_slice(&[self.next, 0]);
        header[2..4].copy_from_slice(&(self.offset | u16::from(self.more)).to_be_bytes());
        header[4..].copy_from_slice(&self.ident.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn options_are_read_past_their_padding() {
        let header = [58, 1, 5, 2, 0, 0, 0xc2, 4, 0, 1, 0, 0, 1, 2, 0, 0];
        let extension = Extension::parse(&header).unwrap();
        assert_eq!((extension.next, extension.bytes.len()), (58, 16));
        let options: Vec<_> = extension.options().map(Result::unwrap).collect();
        assert_eq!(options.iter().map(|o| (o.kind, o.at, o.data.len())).collect::<Vec<_>>(), [(5, 2, 2), (0xc2, 6, 4)]);
        assert_eq!(options[0].if_unknown(), Unknown::Skip);
        assert_eq!(options[1].if_unknown(), Unknown::ReportUnicast);
        let broken = [58, 0, 0x1e, 9, 0, 0, 0, 0];
        assert_eq!(Extension::parse(&broken).unwrap().options().next(), Some(Err(Misfit)));
        assert_eq!(Extension::parse(&[58, 1, 0, 0, 0, 0, 0, 0]), None, "cut off");
    }

    #[test]
    fn padding_is_no_more_than_that() {
        let read = |options: &[u8]| {
            let mut header = vec![58, 1];
            header.extend(options);
            header.resize(16, 0);
            Extension::parse(&header).unwrap().options().collect::<Result<Vec<_>, _>>().map(|all| all.len())
        };
        assert_eq!(read(&[1, 5, 0, 0, 0, 0, 0, 0x1e, 5]), Ok(1), "seven octets");
        assert_eq!(read(&[1, 6, 0, 0, 0, 0, 0, 0, 0x1e, 4]), Err(Misfit), "eight");
        assert_eq!(read(&[0, 0, 0, 0, 1, 2, 0, 0, 0x1e, 4]), Err(Misfit), "eight in pieces");
        assert_eq!(read(&[1, 4, 0, 0, 7, 0, 0x1e, 6]), Err(Misfit), "a message");
        // Where an option stands between, each side counts for itself.
        assert_eq!(read(&[1, 3, 0, 0, 0, 0x1e, 0, 1, 5, 0, 0, 0, 0, 0]), Ok(1));
    }

    proptest! {
        #[test]
        fn a_fragment_header_reads_back(next in any::<u8>(), offset in 0u16..8192, more in any::<bool>(), ident in any::<u32>()) {
            let fragment = Fragment { next, offset: offset << 3, more, ident };
            let mut frame = Frame::new(Frame::HEADROOM, b"data");
            fragment.push(&mut frame);
            prop_assert_eq!(Fragment::parse(frame.bytes()), Some(fragment));
        }

        #[test]
        fn any_options_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(extension) = Extension::parse(&bytes) {
                prop_assert!(extension.options().count() <= bytes.len());
            }
        }
    }
}
