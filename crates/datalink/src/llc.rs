//! IEEE 802.3 frames with a length, and what stands behind it: LLC (IEEE 802.2) and SNAP (RFC 1042).

use septet_core::{DropReason, Frame};

use crate::ethernet::{EtherType, Header, MacAddr};

/// The LLC header of an unnumbered frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Llc {
    /// Destination service access point.
    pub dsap: u8,
    /// Source service access point.
    pub ssap: u8,
    /// The control field; 3 for unnumbered information.
    pub control: u8,
}

impl Llc {
    /// Unnumbered information between the spanning tree protocols of two bridges.
    pub const SPANNING_TREE: Self = Self { dsap: 0x42, ssap: 0x42, control: 0x03 };
    /// SNAP follows.
    pub const SNAP: Self = Self { dsap: 0xaa, ssap: 0xaa, control: 0x03 };
}

/// What an 802.3 frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload<'a> {
    /// The LLC header.
    pub llc: Llc,
    /// Organisation code and type, where the LLC header says SNAP.
    pub snap: Option<([u8; 3], EtherType)>,
    /// The rest, without padding.
    pub info: &'a [u8],
}

/// Reads what stands behind an Ethernet header whose type field is the length `length`.
///
/// # Errors
/// [`DropReason::Malformed`] where the length does not fit or the headers are cut short.
pub fn parse(length: EtherType, payload: &[u8]) -> Result<Payload<'_>, DropReason> {
    if !length.is_length() {
        return Err(DropReason::UnknownProtocol);
    }
    // §3.2.6: the octets beyond the length are padding.
    let bytes = payload.get(..usize::from(length.0)).ok_or(DropReason::Malformed)?;
    let [dsap, ssap, control, rest @ ..] = bytes else { return Err(DropReason::Malformed) };
    let llc = Llc { dsap: *dsap, ssap: *ssap, control: *control };
    if llc != Llc::SNAP {
        return Ok(Payload { llc, snap: None, info: rest });
    }
    let [a, b, c, high, low, info @ ..] = rest else { return Err(DropReason::Malformed) };
    let ether_type = EtherType(u16::from_be_bytes([*high, *low]));
    Ok(Payload { llc, snap: Some(([*a, *b, *c], ether_type)), info })
}

/// An 802.3 frame with an LLC header.
///
/// ```
/// use septet_datalink::{ethernet::{Header, MacAddr, HEADER_LEN}, llc::{self, Llc}};
/// let frame = llc::build(MacAddr::BROADCAST, MacAddr::local(1), Llc::SPANNING_TREE, b"bpdu");
/// let header = Header::parse(frame.bytes()).unwrap();
/// assert_eq!(llc::parse(header.ether_type, &frame.bytes()[HEADER_LEN..]).unwrap().info, b"bpdu");
/// ```
pub fn build(destination: MacAddr, source: MacAddr, llc: Llc, info: &[u8]) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, info);
    frame.push(3).copy_from_slice(&[llc.dsap, llc.ssap, llc.control]);
    let ether_type = EtherType(frame.len() as u16);
    Header { destination, source, ether_type }.push(&mut frame);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snap_names_an_ether_type() {
        let bytes = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 0x45, 0xff];
        let payload = parse(EtherType(9), &bytes).unwrap();
        assert_eq!((payload.snap, payload.info), (Some(([0; 3], EtherType::IPV4)), &[0x45][..]));
        assert_eq!(parse(EtherType(11), &bytes), Err(DropReason::Malformed));
        assert_eq!(parse(EtherType::IPV4, &bytes), Err(DropReason::UnknownProtocol));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_say_why(length in any::<u16>(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(EtherType(length), &bytes);
        }
    }
}
