//! Where packets go, and the answers of the routing table that are remembered: the same for both versions of IP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::outgoing::SendError;
use crate::neighbor::NeighborId;
use crate::route::Iface;
use septet_wire::Trouble;

const LINES_MIN: usize = 8;
const LINES_MAX: usize = 4096;

/// An address of one version.
pub(super) trait Address: Copy + Eq + Into<IpAddr> {
    /// All bits zero.
    const UNSPECIFIED: Self;

    /// An address, where it is of this version.
    fn of(addr: IpAddr) -> Option<Self>;

    /// A word that differs between addresses that are used side by side.
    fn mixed(self) -> u32;
}

impl Address for Ipv4Addr {
    const UNSPECIFIED: Self = Self::UNSPECIFIED;

    fn of(addr: IpAddr) -> Option<Self> {
        if let IpAddr::V4(addr) = addr { Some(addr) } else { None }
    }

    #[inline]
    fn mixed(self) -> u32 {
        self.to_bits()
    }
}

impl Address for Ipv6Addr {
    const UNSPECIFIED: Self = Self::UNSPECIFIED;

    fn of(addr: IpAddr) -> Option<Self> {
        if let IpAddr::V6(addr) = addr { Some(addr) } else { None }
    }

    #[inline]
    fn mixed(self) -> u32 {
        let bits = self.to_bits();
        let folded = (bits >> 64) as u64 ^ (bits as u64).rotate_left(17);
        (folded >> 32) as u32 ^ folded as u32
    }
}

/// Where packets for one destination go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<A> {
    pub(super) kind: Kind,
    pub(super) iface: Iface,
    pub(super) next_hop: A,
    /// Who stands there, once that is known; `None` where flows differ in it.
    pub(super) neighbor: Option<NeighborId>,
    /// Whether there are other next hops for other flows.
    pub(super) spread: bool,
}

impl<A: Address> Way<A> {
    /// To this host itself.
    pub(super) const LOCAL: Self = Self::new(Kind::Local, 0, A::UNSPECIFIED);

    /// By `iface` to `next_hop`, whose link address is still to be asked for.
    pub(super) const fn new(kind: Kind, iface: Iface, next_hop: A) -> Self {
        Self { kind, iface, next_hop, neighbor: None, spread: false }
    }

    /// Whether nobody else can have sent from where this way leads: it is an address of this host, or the broadcast address
    /// of one of its networks, of which RFC 1122 §3.2.1.3 says that it "MUST NOT be used as a source address". To answer
    /// such a datagram, be it by an ICMP error (§3.2.2), would be to answer oneself, or everybody.
    #[inline]
    pub(super) const fn is_no_ones_source(&self) -> bool {
        matches!(self.kind, Kind::Local | Kind::Broadcast)
    }

    /// The interface that it leaves by; `None` where it stays in the host.
    pub(super) fn out_of(&self) -> Option<Iface> {
        (self.kind != Kind::Local).then_some(self.iface)
    }
}

/// What kind of way it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Local,
    Unicast,
    Broadcast,
    Multicast,
    Refused(Refused),
    NoRoute,
}

/// What a route says instead of where to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    Unreachable,
    Blackhole,
    Prohibited,
}

impl Refused {
    /// What a router tells the sender: as Linux's `ip_error`.
    pub(super) const fn trouble(self) -> Option<Trouble> {
        match self {
            Self::Unreachable => Some(Trouble::HostUnreachable),
            Self::Blackhole => None,
            // RFC 1812 §5.2.7.1: "Communication Administratively Prohibited", code 13.
            Self::Prohibited => Some(Trouble::Prohibited),
        }
    }

    /// The same of IPv6, where Linux says of an unreachable route that there is none (RFC 4443 §3.1, code 0).
    pub(super) const fn trouble_v6(self) -> Option<Trouble> {
        match self {
            Self::Unreachable => Some(Trouble::NoRoute),
            Self::Blackhole | Self::Prohibited => self.trouble(),
        }
    }
}

impl From<Refused> for SendError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unreachable => Self::HostUnreachable,
            Refused::Blackhole => Self::Blackhole,
            Refused::Prohibited => Self::Forbidden,
        }
    }
}

/// One remembered answer of the routing table.
#[derive(Clone, Copy, Debug)]
struct Line<A> {
    dst: A,
    /// Zero where there is none.
    epoch: u32,
    way: Way<A>,
}

/// The remembered answers. Each is good for one epoch, which ends when routes, links or neighbours change.
#[derive(Debug)]
pub(super) struct Ways<A> {
    lines: Vec<Line<A>>,
    misses: u32,
}

impl<A> Default for Ways<A> {
    fn default() -> Self {
        Self { lines: Vec::new(), misses: 0 }
    }
}

impl<A: Address> Ways<A> {
    const EMPTY: Line<A> = Line { dst: A::UNSPECIFIED, epoch: 0, way: Way::new(Kind::NoRoute, 0, A::UNSPECIFIED) };

    /// The way to `dst`, where it is remembered.
    #[inline]
    pub(super) fn get(&self, dst: A, epoch: u32) -> Option<Way<A>> {
        if self.lines.is_empty() {
            return None;
        }
        let line = &self.lines[slot(dst, self.lines.len())];
        (line.dst == dst && line.epoch == epoch).then_some(line.way)
    }

    /// Remembers the way to `dst`.
    pub(super) fn remember(&mut self, dst: A, epoch: u32, way: Way<A>) {
        if self.lines.is_empty() {
            self.lines.resize(LINES_MIN, Self::EMPTY);
        }
        self.misses += 1;
        if self.misses as usize > 4 * self.lines.len() && self.lines.len() < LINES_MAX {
            let old = core::mem::take(&mut self.lines);
            self.lines.resize(old.len() * 2, Self::EMPTY);
            for line in old.into_iter().filter(|l| l.epoch != 0) {
                let at = slot(line.dst, self.lines.len());
                self.lines[at] = line;
            }
            self.misses = 0;
        }
        let at = slot(dst, self.lines.len());
        self.lines[at] = Line { dst, epoch, way };
    }

    /// Remembers the neighbour that the way to `dst` leads to.
    #[inline]
    pub(super) fn set_neighbor(&mut self, dst: A, epoch: u32, id: NeighborId) {
        let at = slot(dst, self.lines.len().max(1));
        if let Some(line) = self.lines.get_mut(at)
            && line.dst == dst
            && !line.way.spread
        {
            (line.epoch, line.way.neighbor) = (epoch, Some(id));
        }
    }
}

#[inline]
fn slot<A: Address>(dst: A, lines: usize) -> usize {
    (dst.mixed().wrapping_mul(0x9e37_79b1) >> 16) as usize & (lines - 1)
}
