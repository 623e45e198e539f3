//! What hosts and routers say of multicast groups, whichever version of IP says it: [`igmp`](crate::igmp) and
//! [`mld`](crate::mld) put it on the wire.

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// In which version something is said. MLDv1 says what IGMPv2 says, and MLDv2 what IGMPv3 does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// IGMPv1 (RFC 1112).
    V1,
    /// IGMPv2 (RFC 2236), MLDv1 (RFC 2710).
    V2,
    /// IGMPv3 (RFC 3376), MLDv2 (RFC 3810): sources too.
    V3,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// A router asks who is a member.
    Query(Query),
    /// A host tells that it is a member of one group, as older versions have it.
    Member(Version, IpAddr),
    /// The last member on a host leaves, as IGMPv2 and MLDv1 have it.
    Leave(IpAddr),
    /// A host tells of groups and sources.
    Report(Vec<Record>),
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// In which version it is asked.
    pub version: Version,
    /// Within what time members answer.
    pub max_response: Duration,
    /// The group; all where there is none.
    pub group: Option<IpAddr>,
    /// The sources that are asked for; all where there are none.
    pub sources: Vec<IpAddr>,
    /// RFC 3376 §4.1.5: routers that hear it leave their timers as they are.
    pub suppress: bool,
    /// RFC 3376 §4.1.6: how often the querier repeats what may get lost; zero where it does not say.
    pub robustness: u8,
    /// RFC 3376 §4.1.7: the querier's interval.
    pub interval: Duration,
}

impl Query {
    /// A question without sources, in `version`.
    pub const fn new(version: Version, group: Option<IpAddr>, max_response: Duration) -> Self {
        Self {
            version,
            max_response,
            group,
            sources: Vec::new(),
            suppress: false,
            robustness: 0,
            interval: Duration::ZERO,
        }
    }
}

/// From whom datagrams of a group are wanted (RFC 3376 §2, RFC 3810 §2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    /// From these alone. From nobody, where there are none: that is no membership.
    Include(BTreeSet<IpAddr>),
    /// From all but these.
    Exclude(BTreeSet<IpAddr>),
}

impl Filter {
    /// From everybody, as who joins without a word about sources wants it.
    pub const ALL: Self = Self::Exclude(BTreeSet::new());
    /// From nobody.
    pub const NONE: Self = Self::Include(BTreeSet::new());

    /// Whether datagrams from `source` are wanted.
    pub fn wants(&self, source: IpAddr) -> bool {
        match self {
            Self::Include(these) => these.contains(&source),
            Self::Exclude(those) => !those.contains(&source),
        }
    }

    /// Whether it wants nothing.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Include(these) if these.is_empty())
    }

    /// The sources that it names.
    pub const fn sources(&self) -> &BTreeSet<IpAddr> {
        match self {
            Self::Include(sources) | Self::Exclude(sources) => sources,
        }
    }
}

/// What a record says of its sources (RFC 3376 §4.2.12, RFC 3810 §5.2.12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// `MODE_IS_INCLUDE`: they alone are wanted, as an answer.
    IsInclude,
    /// `MODE_IS_EXCLUDE`: all but they are wanted, as an answer.
    IsExclude,
    /// `CHANGE_TO_INCLUDE_MODE`
    ToInclude,
    /// `CHANGE_TO_EXCLUDE_MODE`
    ToExclude,
    /// `ALLOW_NEW_SOURCES`
    Allow,
    /// `BLOCK_OLD_SOURCES`
    Block,
}

impl Said {
    pub(crate) const ALL: [Self; 6] =
        [Self::IsInclude, Self::IsExclude, Self::ToInclude, Self::ToExclude, Self::Allow, Self::Block];

    fn of(octet: u8) -> Option<Self> {
        Self::ALL.get(usize::from(octet).checked_sub(1)?).copied()
    }

    const fn octet(self) -> u8 {
        self as u8 + 1
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IsInclude => "is-include",
            Self::IsExclude => "is-exclude",
            Self::ToInclude => "to-include",
            Self::ToExclude => "to-exclude",
            Self::Allow => "allow",
            Self::Block => "block",
        }
    }
}

/// What is told of one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What is said of the sources.
    pub said: Said,
    /// The group.
    pub group: IpAddr,
    /// The sources.
    pub sources: Vec<IpAddr>,
}

/// An address in `N` octets.
pub(crate) trait Octets<const N: usize>: Copy {
    fn read(octets: [u8; N]) -> IpAddr;
    /// Nothing where `address` is of the other version.
    fn write(address: IpAddr) -> Option<[u8; N]>;
}

/// Version 4.
#[derive(Clone, Copy)]
pub(crate) struct Four;

impl Octets<4> for Four {
    fn read(octets: [u8; 4]) -> IpAddr {
        octets.into()
    }

    fn write(address: IpAddr) -> Option<[u8; 4]> {
        if let IpAddr::V4(address) = address { Some(address.octets()) } else { None }
    }
}

/// Version 6.
#[derive(Clone, Copy)]
pub(crate) struct Six;

impl Octets<16> for Six {
    fn read(octets: [u8; 16]) -> IpAddr {
        octets.into()
    }

    fn write(address: IpAddr) -> Option<[u8; 16]> {
        if let IpAddr::V6(address) = address { Some(address.octets()) } else { None }
    }
}

/// The `count` addresses at the start of `bytes`; nothing where there are not so many.
pub(crate) fn addresses<F: Octets<N>, const N: usize>(bytes: &[u8], count: u16) -> Option<Vec<IpAddr>> {
    let bytes = bytes.get(..usize::from(count) * N)?;
    Some(bytes.as_chunks::<N>().0.iter().map(|octets| F::read(*octets)).collect())
}

pub(crate) fn put<F: Octets<N>, const N: usize>(addresses: &[IpAddr], bytes: &mut Vec<u8>) {
    addresses.iter().filter_map(|a| F::write(*a)).for_each(|octets| bytes.extend_from_slice(&octets));
}

/// Reads the records behind the fixed part of a report. RFC 3376 §4.2.12: "Unrecognized Record Type values MUST be silently
/// ignored"; nothing where one is cut short.
pub(crate) fn records<F: Octets<N>, const N: usize>(mut bytes: &[u8], count: u16) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    for _ in 0..count {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let (group, rest) = rest.split_first_chunk::<N>()?;
        let number = u16::from_be_bytes([head[2], head[3]]);
        let sources = addresses::<F, N>(rest, number)?;
        // §4.2.6: auxiliary data, in units of 32 bits, which no version defines.
        bytes = rest.get(usize::from(number) * N + usize::from(head[1]) * 4..)?;
        if let Some(said) = Said::of(head[0]) {
            records.push(Record { said, group: F::read(*group), sources });
        }
    }
    Some(records)
}

pub(crate) fn put_records<F: Octets<N>, const N: usize>(records: &[Record], bytes: &mut Vec<u8>) {
    for Record { said, group, sources } in records {
        let [high, low] = (sources.len() as u16).to_be_bytes();
        bytes.extend_from_slice(&[said.octet(), 0, high, low]);
        put::<F, N>(&[*group], bytes);
        put::<F, N>(sources, bytes);
    }
}

/// RFC 3376 §4.1.1 and §4.1.7: a number below 128, or a mantissa of four bits and an exponent of three.
pub(crate) const fn decode8(code: u8) -> u32 {
    if code < 128 { code as u32 } else { (code as u32 & 0x0f | 0x10) << ((code >> 4 & 7) + 3) }
}

/// The largest code that means no more than `value`.
pub(crate) const fn encode8(value: u128) -> u8 {
    if value < 128 {
        return value as u8;
    }
    let mut exponent = 0;
    while exponent < 7 && value >> (exponent + 3) > 0x1f {
        exponent += 1;
    }
    let mantissa = value >> (exponent + 3);
    if mantissa > 0x1f { 0xff } else { 0x80 | exponent << 4 | (mantissa as u8 & 0x0f) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_eight_bits() {
        for value in 0..128 {
            assert_eq!(decode8(encode8(value)), value as u32);
        }
        assert_eq!((decode8(0x80), decode8(0xff)), (128, 31_744));
        for code in 0..=255 {
            assert_eq!(encode8(decode8(code).into()), code);
        }
        assert_eq!(encode8(1_000_000), 0xff);
        assert_eq!(decode8(encode8(150)), 144, "the largest that is no more");
    }
}
