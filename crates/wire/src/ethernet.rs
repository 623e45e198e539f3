//! Ethernet II (IEEE 802.3): addresses, the header, the smallest and largest frame, the frame check sequence.

use core::fmt;
use core::str::FromStr;
use std::net::IpAddr;

use septet_core::{DropReason, Frame};

/// A MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// To all stations.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The locally administered unicast address (IEEE 802 §8.2: bit 1 of the first octet) with this number, of which
    /// the lower 40 bits count.
    pub const fn local(number: u64) -> Self {
        let [_, _, _, a, b, c, d, e] = number.to_be_bytes();
        Self([0x02, a, b, c, d, e])
    }

    /// The address of those who take part in a multicast group. RFC 1112 §6.4: "placing the low-order 23-bits of the IP address
    /// into the low-order 23 bits of the Ethernet multicast address 01-00-5E-00-00-00"; RFC 2464 §7: "the first two octets of
    /// which are the value 3333 hexadecimal and whose last four octets are the last four octets of" the group.
    pub const fn of_group(group: IpAddr) -> Self {
        match group {
            IpAddr::V4(group) => {
                let [_, b, c, d] = group.octets();
                Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
            }
            IpAddr::V6(group) => {
                let [.., a, b, c, d] = group.octets();
                Self([0x33, 0x33, a, b, c, d])
            }
        }
    }

    /// Whether it names a group: bit 0 of the first octet.
    #[inline]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether it names all stations.
    #[inline]
    pub const fn is_broadcast(self) -> bool {
        matches!(self.0, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
    }

    /// Its 48 bits as a number.
    #[inline]
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not six pairs of hexadecimal digits between colons or dashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidMac;

impl fmt::Display for InvalidMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a MAC address is six pairs of hexadecimal digits such as `02:00:00:00:00:01`")
    }
}

impl std::error::Error for InvalidMac {}

impl FromStr for MacAddr {
    type Err = InvalidMac;

    fn from_str(s: &str) -> Result<Self, InvalidMac> {
        let separator = if s.contains('-') { '-' } else { ':' };
        let mut octets = [0; 6];
        let mut parts = s.split(separator);
        for octet in &mut octets {
            let part = parts.next().ok_or(InvalidMac)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(InvalidMac);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| InvalidMac)?;
        }
        if parts.next().is_some() { Err(InvalidMac) } else { Ok(Self(octets)) }
    }
}

impl From<MacAddr> for septet_core::Value {
    fn from(mac: MacAddr) -> Self {
        Self::Mac(mac.0)
    }
}

/// What the frame carries (IANA's "IEEE 802 Numbers"). Below 0x0600 it is the length of an 802.3 frame instead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// Internet Protocol version 4.
    pub const IPV4: Self = Self(0x0800);
    /// Address Resolution Protocol.
    pub const ARP: Self = Self(0x0806);
    /// Internet Protocol version 6.
    pub const IPV6: Self = Self(0x86dd);
    /// IEEE 802.1Q customer VLAN tag.
    pub const VLAN: Self = Self(0x8100);
    /// IEEE 802.1Q service VLAN tag (802.1ad).
    pub const SERVICE_VLAN: Self = Self(0x88a8);
    /// IEEE 802.3 MAC control: pause frames.
    pub const MAC_CONTROL: Self = Self(0x8808);

    /// IEEE 802.3 §3.2.6: a value of 1536 and more is a type, one of 1500 and less a length.
    #[inline]
    pub const fn is_length(self) -> bool {
        self.0 < 0x0600
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IPV4 => f.write_str("IPv4"),
            Self::ARP => f.write_str("ARP"),
            Self::IPV6 => f.write_str("IPv6"),
            Self::VLAN => f.write_str("802.1Q"),
            Self::MAC_CONTROL => f.write_str("MAC control"),
            Self(other) => write!(f, "0x{other:04x}"),
        }
    }
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Octets of the header.
pub const HEADER_LEN: usize = 14;
/// The shortest frame, FCS not counted (IEEE 802.3 §4.4.2: minFrameSize of 64).
pub const MIN_FRAME: usize = 60;
/// The most that a frame carries, unless jumbo frames are agreed on.
pub const MTU: usize = 1500;
/// Octets of an 802.1Q tag, by which a tagged frame may be longer.
pub const TAG_LEN: usize = 4;

/// The header of an Ethernet II frame.
///
/// ```
/// use septet_core::Frame;
/// use septet_wire::ethernet::{EtherType, Header, MacAddr};
/// let header = Header {
///     destination: MacAddr::BROADCAST,
///     source: MacAddr::local(1),
///     ether_type: EtherType::IPV4,
/// };
/// let mut frame = Frame::new(Frame::HEADROOM, b"hi");
/// header.push(&mut frame);
/// assert_eq!(frame.len(), 60);
/// assert_eq!(Header::pull(&mut frame).unwrap(), header);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// To whom.
    pub destination: MacAddr,
    /// From whom.
    pub source: MacAddr,
    /// What is inside.
    pub ether_type: EtherType,
}

impl Header {
    /// Reads the header at the beginning of `bytes`.
    ///
    /// # Errors
    /// [`DropReason::Runt`] where there are not enough of them.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER_LEN>() else { return Err(DropReason::Runt) };
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        Ok(Self {
            destination: MacAddr([d0, d1, d2, d3, d4, d5]),
            source: MacAddr([s0, s1, s2, s3, s4, s5]),
            ether_type: EtherType(u16::from_be_bytes([t0, t1])),
        })
    }

    /// Takes the header off `frame`.
    ///
    /// # Errors
    /// [`DropReason::Runt`] where it is shorter than a header; it is left as it was.
    #[inline(always)]
    pub fn pull(frame: &mut Frame) -> Result<Self, DropReason> {
        let header = Self::parse(frame.bytes())?;
        frame.pull(HEADER_LEN);
        Ok(header)
    }

    /// Puts the header in front of `frame` and pads it with zeros to the shortest length.
    #[inline]
    pub fn push(&self, frame: &mut Frame) {
        self.write(frame.push(HEADER_LEN));
        frame.pad_to(MIN_FRAME);
    }

    #[inline]
    fn write(&self, out: &mut [u8]) {
        out[0..6].copy_from_slice(&self.destination.0);
        out[6..12].copy_from_slice(&self.source.0);
        out[12..14].copy_from_slice(&self.ether_type.0.to_be_bytes());
    }
}

/// Octets that `frame` carries behind its header and its tag, where it has one; of a super-segment, what each of the
/// segments carries at least.
#[inline]
pub fn payload_len(frame: &Frame) -> usize {
    if frame.segment_size != 0 {
        return usize::from(frame.segment_size) + SEGMENT_HEADERS;
    }
    let is_tagged = frame.bytes().get(12..14) == Some(&EtherType::VLAN.0.to_be_bytes());
    frame.len().saturating_sub(HEADER_LEN + if is_tagged { TAG_LEN } else { 0 })
}

/// The least that stands before a segment's data: the headers of IPv4 and UDP.
const SEGMENT_HEADERS: usize = 28;

/// What the frame in `bytes` carries behind its tags, if there are any, and where that begins; `None` where it is cut short.
#[inline]
pub fn payload(bytes: &[u8]) -> Option<(EtherType, usize)> {
    let mut at = 2 * size_of::<MacAddr>();
    loop {
        let &[high, low] = bytes.get(at..)?.first_chunk()?;
        at += 2;
        match EtherType(u16::from_be_bytes([high, low])) {
            EtherType::VLAN | EtherType::SERVICE_VLAN => at += 2,
            kind => return Some((kind, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_read_and_write() {
        let mac: MacAddr = "02:00:5e:00:00:Ff".parse().unwrap();
        assert_eq!(mac.to_string(), "02:00:5e:00:00:ff");
        assert_eq!("02-00-5E-00-00-FF".parse(), Ok(mac));
        for wrong in
            ["", "02:00:5e:00:00", "02:00:5e:00:00:ff:00", "2:0:5e:0:0:ff", "02:00:5e:00:00:+f", "02:00-5e:00:00:ff"]
        {
            assert_eq!(wrong.parse::<MacAddr>(), Err(InvalidMac), "{wrong}");
        }
        assert_eq!(MacAddr::local(0x1_0203).to_string(), "02:00:00:01:02:03");
        assert!(!MacAddr::local(u64::MAX).is_multicast());
        assert!(MacAddr::BROADCAST.is_multicast());
    }

    #[test]
    fn what_is_carried_begins_behind_all_tags() {
        let frame = |tags: &[u8]| [&[2; 12], tags, &[0x86, 0xdd, 0x60]].concat();
        assert_eq!(payload(&frame(&[])), Some((EtherType::IPV6, 14)));
        assert_eq!(payload(&frame(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7])), Some((EtherType::IPV6, 22)));
        assert_eq!(payload(&frame(&[])[..13]), None);
        assert_eq!(payload(&frame(&[0x81, 0, 0, 7])[..17]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_say_why(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            match Header::parse(&bytes) {
                Ok(header) => {
                    let mut frame = Frame::new(16, &bytes[HEADER_LEN..]);
                    header.push(&mut frame);
                    prop_assert_eq!(&frame.bytes()[..bytes.len()], &bytes[..]);
                    prop_assert!(frame.bytes()[bytes.len()..].iter().all(|b| *b == 0));
                }
                Err(reason) => {
                    prop_assert!(bytes.len() < HEADER_LEN);
                    prop_assert_eq!(reason, DropReason::Runt);
                }
            }
        }
    }
}
