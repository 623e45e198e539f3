//! IEEE 802.1Q: the tag of four octets behind the addresses, with priority and VLAN.

use septet_core::{DropReason, Frame};

use crate::ethernet::{EtherType, HEADER_LEN, TAG_LEN};

/// A VLAN, `1..=4094`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VlanId(u16);

impl VlanId {
    /// The VLAN of ports for which nothing is said (§9.6, table 9-2).
    pub const DEFAULT: Self = Self(1);

    /// The VLAN with this number; 0 and 4095 are none.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= 1 && number <= 4094 { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl core::fmt::Display for VlanId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a tag says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Priority code point, 0 to 7.
    pub priority: u8,
    /// Drop eligible.
    pub drop_eligible: u8,
    /// The VLAN; `None` for a tag that only has a priority.
    pub vlan: Option<VlanId>,
}

impl Tag {
    /// The lowest priority, in `vlan`.
    pub const fn new(vlan: VlanId) -> Self {
        Self { priority: 0, drop_eligible: 0, vlan: Some(vlan) }
    }

    const fn from_control(control: u16) -> Result<Self, DropReason> {
        let number = control & 0xfff;
        if number == 0xfff {
            return Err(DropReason::Malformed);
        }
        let (priority, drop_eligible) = ((control >> 13) as u8, (control >> 12 & 1) as u8);
        Ok(Self { priority, drop_eligible, vlan: VlanId::new(number) })
    }

    const fn control(self) -> u16 {
        let vlan = match self.vlan {
            Some(vlan) => vlan.0,
            None => 0,
        };
        (self.priority as u16 & 7) << 13 | (self.drop_eligible as u16 & 1) << 12 | vlan
    }
}

/// The tag of the Ethernet frame `bytes`, or `None` where it has none.
///
/// # Errors
/// [`DropReason::Malformed`] where the tag is cut short or names VLAN 4095.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<Option<Tag>, DropReason> {
    match bytes {
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x81, 0x00, rest @ ..] => {
            let [high, low, _, _, ..] = rest else { return Err(DropReason::Malformed) };
            Tag::from_control(u16::from_be_bytes([*high, *low])).map(Some)
        }
        _ => Ok(None),
    }
}

/// Puts `tag` into the Ethernet frame `frame`; one that is shorter than its header stays as it is.
#[inline]
pub fn push(frame: &mut Frame, tag: Tag) {
    if frame.len() < HEADER_LEN {
        return;
    }
    frame.push(TAG_LEN);
    let header = frame.header_mut(HEADER_LEN + TAG_LEN);
    header.copy_within(TAG_LEN..TAG_LEN + 12, 0);
    header[12..14].copy_from_slice(&EtherType::VLAN.0.to_be_bytes());
    header[14..16].copy_from_slice(&tag.control().to_be_bytes());
    frame.fcs = None;
}

/// Takes the tag out of the Ethernet frame `frame`, which has one, and pads what is too short without it.
#[inline]
pub fn pop(frame: &mut Frame) {
    if frame.len() < HEADER_LEN + TAG_LEN {
        return;
    }
    frame.header_mut(HEADER_LEN + TAG_LEN).copy_within(0..12, TAG_LEN);
    frame.pull(TAG_LEN);
    frame.pad_to(crate::ethernet::MIN_FRAME);
    frame.fcs = None;
}

/// Takes the tag off `frame`, whose Ethernet header, with [`EtherType::VLAN`] as its type, is off already; gives the tag
/// and the type of what follows.
///
/// # Errors
/// [`DropReason::Malformed`] where the tag is cut short or names VLAN 4095.
#[inline]
pub fn pull(frame: &mut Frame) -> Result<(Tag, EtherType), DropReason> {
    let Some(&[a, b, high, low]) = frame.bytes().first_chunk() else { return Err(DropReason::Malformed) };
    let tag = Tag::from_control(u16::from_be_bytes([a, b]))?;
    frame.pull(TAG_LEN);
    Ok((tag, EtherType(u16::from_be_bytes([high, low]))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ethernet::{Header, MacAddr};
    use proptest::prelude::*;

    #[test]
    fn a_tag_goes_in_and_out() {
        let mut frame = Frame::new(Frame::HEADROOM, &[7; 100]);
        Header { destination: MacAddr::local(2), source: MacAddr::local(1), ether_type: EtherType::IPV4 }
            .push(&mut frame);
        let before = frame.bytes().to_vec();
        let tag = Tag { priority: 5, drop_eligible: 1, vlan: VlanId::new(100) };
        push(&mut frame, tag);
        assert_eq!(frame.bytes()[12..18], [0x81, 0x00, 0xb0, 0x64, 0x08, 0x00]);
        assert_eq!(parse(frame.bytes()), Ok(Some(tag)));
        let mut received = frame.clone();
        Header::pull(&mut received).unwrap();
        assert_eq!(pull(&mut received), Ok((tag, EtherType::IPV4)));
        assert_eq!(received.bytes(), &before[14..]);
        pop(&mut frame);
        assert_eq!(frame.bytes(), before);
        assert_eq!(parse(frame.bytes()), Ok(None));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_say_why(bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = parse(&bytes);
            let mut frame = Frame::new(8, &bytes);
            push(&mut frame, Tag::new(VlanId::DEFAULT));
            pop(&mut frame);
        }
    }
}
