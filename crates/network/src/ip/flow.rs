//! What makes a flow, and which of several next hops RFC 2992's hash-threshold chooses for it.

use std::net::IpAddr;

use septet_core::Rng;

use crate::route::{Iface, NextHop};
use septet_wire::icmp;
use septet_wire::ipv4::{self, protocol};
use septet_wire::ipv6;

/// What makes a flow: Linux's `net.ipv4.fib_multipath_hash_policy`, and that of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Multipath {
    /// Policy 0: the addresses; with IPv6 also the flow label and the protocol. An ICMP error belongs to the flow that it is
    /// about.
    #[default]
    Addresses,
    /// Policy 1: the ports too, where there are any: not in fragments.
    Ports,
}

/// How a host spreads flows.
#[derive(Debug)]
pub(super) struct Spreading {
    policy: Multipath,
    /// Linux's `fib_multipath_hash_seed`; two routers in a row that had the same would use half of their next hops.
    seed: u64,
}

impl Spreading {
    pub(super) fn new(policy: Multipath, rng: &mut Rng) -> Self {
        Self { policy, seed: rng.next_u64() }
    }
}

/// What of a packet is its flow.
pub(super) struct Flow {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    label: u32,
    /// Both, where the protocol has such and they are there.
    ports: Option<[u8; 4]>,
}

impl Flow {
    /// Of what this host sends: `payload` begins behind the IP header.
    pub(super) fn sent(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Self {
        Self { src, dst, protocol, label: 0, ports: ports(protocol, payload) }
    }

    /// Of a packet of IPv4 that is passed on.
    pub(super) fn of_v4(packet: &[u8]) -> Option<Self> {
        let header = ipv4::Header::of_quote(packet).ok()?;
        let payload = packet.get(usize::from(header.header_len)..)?;
        let flow = |src: IpAddr, dst: IpAddr, payload| Self {
            ports: ports(header.protocol, payload),
            ..Self::sent(src, dst, header.protocol, &[])
        };
        if header.is_fragment() {
            return Some(flow(header.src.into(), header.dst.into(), &[]));
        }
        // What went wrong with a packet is told to its sender by the way that its answers take.
        if header.protocol == protocol::ICMP
            && icmp::Message::parse(payload).is_ok_and(|message| message.is_error())
            && let Ok(about) = ipv4::Header::of_quote(payload.get(icmp::HEADER_LEN..)?)
        {
            return Some(flow(about.dst.into(), about.src.into(), &[]));
        }
        Some(flow(header.src.into(), header.dst.into(), payload))
    }

    /// Of a packet of IPv6 that is passed on.
    pub(super) fn of_v6(packet: &[u8]) -> Option<Self> {
        let header = ipv6::Header::of_quote(packet).ok()?;
        let payload = packet.get(ipv6::HEADER_LEN..)?;
        let flow = |src: IpAddr, dst: IpAddr| Self {
            label: header.flow_label,
            ..Self::sent(src, dst, header.next_header, payload)
        };
        // RFC 4443 §2.1: "error messages are identified … by a zero in the high-order bit of their message Type field".
        if header.next_header == protocol::ICMPV6
            && payload.first().is_some_and(|kind| kind & 0x80 == 0)
            && let Ok(about) = ipv6::Header::of_quote(payload.get(icmp::HEADER_LEN..)?)
        {
            return Some(Self {
                label: about.flow_label,
                ..Self::sent(about.dst.into(), about.src.into(), about.next_header, &[])
            });
        }
        Some(flow(header.src.into(), header.dst.into()))
    }

    pub(super) fn hash(&self, spreading: &Spreading) -> u32 {
        let mut state = spreading.seed;
        let mut add = |word: u64| {
            // The finalizer of SplitMix64.
            state = (state ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            state ^= state >> 31;
        };
        for addr in [self.src, self.dst] {
            match addr {
                IpAddr::V4(addr) => add(addr.to_bits().into()),
                IpAddr::V6(addr) => {
                    add((addr.to_bits() >> 64) as u64);
                    add(addr.to_bits() as u64);
                    add(u64::from(self.label) << 8 | u64::from(self.protocol));
                }
            }
        }
        if let (Multipath::Ports, Some(ports)) = (spreading.policy, self.ports) {
            add(u64::from(u32::from_be_bytes(ports)) << 8 | u64::from(self.protocol));
        }
        (state >> 32) as u32
    }
}

/// The ports with which a segment or datagram begins.
fn ports(protocol: u8, payload: &[u8]) -> Option<[u8; 4]> {
    let ports = matches!(protocol, protocol::TCP | protocol::UDP).then(|| payload.first_chunk()).flatten()?;
    Some(*ports)
}

/// The usable one of `hops` for which a flow is meant. RFC 2992 §2: the space of hashes "is divided into … regions",
/// as many as there are hops.
pub(super) fn choose(hops: &[NextHop], up: impl Fn(Iface) -> bool, hash: u32) -> Option<NextHop> {
    let usable = hops.iter().filter(|hop| up(hop.iface));
    let regions = usable.clone().count() as u64;
    usable.copied().nth(((u64::from(hash) * regions) >> 32) as usize)
}
