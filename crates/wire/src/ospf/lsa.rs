//! Link state advertisements (RFC 2328 appendix A.4).

use core::cmp::Ordering;
use std::net::Ipv4Addr;
use std::sync::Arc;

use septet_core::DropReason;

use super::octets::{address, half, word};

/// Octets of an advertisement's header.
pub const LSA_HEADER_LEN: usize = 20;
/// Octets of a link in a router's advertisement.
pub const LINK_LEN: usize = 12;
/// RFC 2328 appendix B: the age, in seconds, at which an advertisement is no longer used.
pub const MAX_AGE: u16 = 3600;
/// RFC 2328 appendix B: how far the ages of one instance may differ.
pub const MAX_AGE_DIFF: u16 = 900;
/// RFC 2328 §12.1.6: the number of an advertisement's first instance.
pub const MIN_SEQUENCE: i32 = -0x7fff_ffff;
/// The number of its last.
pub const MAX_SEQUENCE: i32 = 0x7fff_ffff;

/// What an advertisement is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum LsaType {
    /// A router and its links.
    Router = 1,
    /// A link of several routers, by its designated router.
    Network = 2,
    /// A network in another area.
    Summary = 3,
    /// A router in another area that knows ways out.
    SummaryAsbr = 4,
    /// A destination outside.
    External = 5,
}

impl LsaType {
    /// The type of this number.
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Router,
            2 => Self::Network,
            3 => Self::Summary,
            4 => Self::SummaryAsbr,
            5 => Self::External,
            _ => return None,
        })
    }
}

/// What names an advertisement, whatever its instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LsaKey {
    /// What it is about.
    pub kind: LsaType,
    /// What of it.
    pub id: Ipv4Addr,
    /// Who says so.
    pub router: Ipv4Addr,
}

/// The header of an advertisement: which instance it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LsaHeader {
    /// Seconds since it was originated.
    pub age: u16,
    /// What its originator can do.
    pub options: u8,
    /// Its name.
    pub key: LsaKey,
    /// Its instance.
    pub sequence: i32,
    /// Over all but the age.
    pub checksum: u16,
    /// Octets of the whole.
    pub len: u16,
}

impl LsaHeader {
    fn parse(b: &[u8]) -> Result<Self, DropReason> {
        let kind = LsaType::of(b[3]).ok_or(DropReason::UnknownProtocol)?;
        Ok(Self {
            age: half(b, 0),
            options: b[2],
            key: LsaKey { kind, id: address(b, 4), router: address(b, 8) },
            sequence: word(b, 12).cast_signed(),
            checksum: half(b, 16),
            len: half(b, 18),
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.age.to_be_bytes());
        out.extend([self.options, self.key.kind as u8]);
        out.extend(self.key.id.octets());
        out.extend(self.key.router.octets());
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.checksum.to_be_bytes());
        out.extend(self.len.to_be_bytes());
    }

    /// RFC 2328 §13.1: which of two instances is the more recent; `Greater` where this one is.
    pub fn newer_than(&self, other: &Self) -> Ordering {
        let of_age = || {
            let (ours, theirs) = (self.age >= MAX_AGE, other.age >= MAX_AGE);
            match (ours, theirs) {
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ if self.age.abs_diff(other.age) > MAX_AGE_DIFF => other.age.cmp(&self.age),
                _ => Ordering::Equal,
            }
        };
        self.sequence.cmp(&other.sequence).then(self.checksum.cmp(&other.checksum)).then_with(of_age)
    }
}

/// An advertisement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lsa {
    /// Its header.
    pub header: LsaHeader,
    /// What follows the header.
    body: Arc<[u8]>,
}

impl Lsa {
    /// An instance of age zero.
    pub fn new(key: LsaKey, options: u8, sequence: i32, body: &Body) -> Self {
        let mut octets = Vec::new();
        body.write(&mut octets);
        let len = (LSA_HEADER_LEN + octets.len()) as u16;
        let mut header = LsaHeader { age: 0, options, key, sequence, checksum: 0, len };
        let mut whole = Vec::with_capacity(usize::from(len));
        header.write(&mut whole);
        whole.extend(&octets);
        header.checksum = fletcher(&whole);
        Self { header, body: octets.into() }
    }

    /// The same at another age.
    pub fn aged(&self, age: u16) -> Self {
        Self { header: LsaHeader { age: age.min(MAX_AGE), ..self.header }, body: self.body.clone() }
    }

    /// Whether both say the same, whatever their instances.
    pub fn says_as(&self, other: &Self) -> bool {
        self.header.key == other.header.key && self.header.options == other.header.options && self.body == other.body
    }

    /// What it says; `None` where that cannot be understood.
    pub fn read(&self) -> Option<Body> {
        Body::parse(self.header.key.kind, &self.body)
    }

    /// Octets of the whole.
    pub const fn len(&self) -> usize {
        self.header.len as usize
    }

    /// Whether it is nothing but its header.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.header.write(out);
        out.extend(&self.body[..]);
    }
}

/// The advertisements of an update. Those of a type that nobody knows, or whose checksum is wrong, are left out: RFC 2328 §13
/// says to "discard the LSA and get the next one from the Link State Update packet".
pub(super) fn update(b: &[u8]) -> Result<Vec<Lsa>, DropReason> {
    let (count, mut rest) = b.split_first_chunk::<4>().ok_or(DropReason::Malformed)?;
    let mut lsas = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let len = usize::from(half(rest.get(..LSA_HEADER_LEN).ok_or(DropReason::Malformed)?, 18));
        if len < LSA_HEADER_LEN || len > rest.len() {
            return Err(DropReason::Malformed);
        }
        let (whole, behind) = rest.split_at(len);
        rest = behind;
        let Ok(header) = LsaHeader::parse(whole) else { continue };
        if fletcher(whole) == header.checksum && header.age <= MAX_AGE {
            lsas.push(Lsa { header, body: whole[LSA_HEADER_LEN..].into() });
        }
    }
    Ok(lsas)
}

/// A list of headers.
pub(super) fn headers(b: &[u8]) -> Result<Vec<LsaHeader>, DropReason> {
    let (headers, []) = b.as_chunks::<LSA_HEADER_LEN>() else { return Err(DropReason::Malformed) };
    headers.iter().map(|header| LsaHeader::parse(header)).collect()
}

/// RFC 2328 §12.1.7: "the Fletcher checksum … of the complete contents of the LSA, excepting the LS age field", as RFC 905
/// annex B computes it, with the checksum's own octets taken as zero.
fn fletcher(whole: &[u8]) -> u16 {
    const AT: usize = 16;
    let (mut c0, mut c1) = (0i64, 0i64);
    for (i, octet) in whole.iter().enumerate().skip(2) {
        c0 += if i == AT || i == AT + 1 { 0 } else { i64::from(*octet) };
        c1 += c0;
        if i % 2048 == 0 {
            (c0, c1) = (c0 % 255, c1 % 255);
        }
    }
    let (c0, c1) = (c0 % 255, c1 % 255);
    let left = (whole.len() - AT - 1) as i64;
    let x = (left * c0 - c1).rem_euclid(255);
    let y = (c1 - (left + 1) * c0).rem_euclid(255);
    let octet = |v: i64| if v == 0 { 255 } else { v } as u8;
    u16::from_be_bytes([octet(x), octet(y)])
}

/// What an advertisement says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Of a router.
    Router(RouterLsa),
    /// Of a network: its mask, and the routers on it.
    Network(Ipv4Addr, Vec<Ipv4Addr>),
    /// Of another area: the mask and how far it is.
    Summary(Ipv4Addr, u32),
    /// Of what lies outside.
    External(External),
}

/// A router and its links.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RouterLsa {
    /// Bit E: it tells of destinations outside.
    pub external: bool,
    /// Bit B: it is in several areas.
    pub border: bool,
    /// Its links.
    pub links: Vec<RouterLink>,
}

/// A link of a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouterLink {
    /// What is at its other end.
    pub kind: RouterLinkKind,
    /// Which: a router, a designated router's address, or a network.
    pub id: Ipv4Addr,
    /// The router's own address on it, or the network's mask.
    pub data: Ipv4Addr,
    /// What it costs.
    pub metric: u16,
}

/// What is at the other end of a router's link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RouterLinkKind {
    /// A router.
    Router = 1,
    /// A network of several routers.
    Transit = 2,
    /// A network without other routers.
    Stub = 3,
    /// A router, through another area.
    Virtual = 4,
}

/// A destination outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct External {
    /// Its mask.
    pub mask: Ipv4Addr,
    /// What its metric means.
    pub kind: ExternalKind,
    /// How far it is.
    pub metric: u32,
    /// To whom packets go instead of the advertising router; unspecified for that one itself.
    pub forward: Ipv4Addr,
    /// A mark.
    pub tag: u32,
}

/// What the metric of a destination outside means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ExternalKind {
    /// It is of the kind of a link's.
    One,
    /// It is more than any way within.
    Two,
}

impl Body {
    fn parse(kind: LsaType, b: &[u8]) -> Option<Self> {
        Some(match kind {
            LsaType::Router => {
                let (fixed, mut rest) = b.split_first_chunk::<4>()?;
                let mut links = Vec::new();
                for _ in 0..half(fixed, 2) {
                    let (link, behind) = rest.split_at_checked(LINK_LEN)?;
                    // Metrics of single types of service stand behind, and are not used (RFC 2328 §G.1).
                    rest = behind.get(usize::from(link[9]) * 4..)?;
                    let kind = match link[8] {
                        1 => RouterLinkKind::Router,
                        2 => RouterLinkKind::Transit,
                        3 => RouterLinkKind::Stub,
                        4 => RouterLinkKind::Virtual,
                        _ => continue,
                    };
                    links.push(RouterLink {
                        kind,
                        id: address(link, 0),
                        data: address(link, 4),
                        metric: half(link, 10),
                    });
                }
                Self::Router(RouterLsa { external: fixed[0] & 2 != 0, border: fixed[0] & 1 != 0, links })
            }
            LsaType::Network => {
                let (mask, rest) = b.split_first_chunk::<4>()?;
                let (routers, []) = rest.as_chunks::<4>() else { return None };
                Self::Network((*mask).into(), routers.iter().map(|octets| (*octets).into()).collect())
            }
            LsaType::Summary | LsaType::SummaryAsbr => {
                let fixed = b.first_chunk::<8>()?;
                Self::Summary(address(fixed, 0), word(fixed, 4) & 0x00ff_ffff)
            }
            LsaType::External => {
                let fixed = b.first_chunk::<16>()?;
                let metric = word(fixed, 4);
                Self::External(External {
                    mask: address(fixed, 0),
                    kind: if metric >> 31 == 1 { ExternalKind::Two } else { ExternalKind::One },
                    metric: metric & 0x00ff_ffff,
                    forward: address(fixed, 8),
                    tag: word(fixed, 12),
                })
            }
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Router(router) => {
                out.extend([u8::from(router.external) << 1 | u8::from(router.border), 0]);
                out.extend((router.links.len() as u16).to_be_bytes());
                for RouterLink { kind, id, data, metric } in &router.links {
                    out.extend(id.octets());
                    out.extend(data.octets());
                    out.extend([*kind as u8, 0]);
                    out.extend(metric.to_be_bytes());
                }
            }
            Self::Network(mask, routers) => {
                out.extend(mask.octets());
                routers.iter().for_each(|router| out.extend(router.octets()));
            }
            Self::Summary(mask, metric) => {
                out.extend(mask.octets());
                out.extend((metric & 0x00ff_ffff).to_be_bytes());
            }
            Self::External(external) => {
                out.extend(external.mask.octets());
                let kind = u32::from(external.kind == ExternalKind::Two) << 31;
                out.extend((external.metric & 0x00ff_ffff | kind).to_be_bytes());
                out.extend(external.forward.octets());
                out.extend(external.tag.to_be_bytes());
            }
        }
    }
}
