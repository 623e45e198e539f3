//! Who talked to whom: packets and bytes by flow, as the ends themselves sent and received them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_core::{Fate, Instant, Interest, Monitor, Observation, Port, StationId, Way};
use serde::Serialize;

use crate::{LinkType, Names};

/// Counts what the two ends of every conversation sent and received. What routers forward is not counted again.
#[derive(Debug, Default)]
pub struct Flows {
    owners: BTreeMap<IpAddr, StationId>,
    link_types: BTreeMap<(StationId, Port), LinkType>,
    names: Names,
    index: BTreeMap<Ends, usize>,
    flows: Vec<Counted>,
    uncounted: u64,
}

/// One conversation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Flow {
    /// `tcp`, `udp`, `icmp` or the protocol's number.
    pub protocol: String,
    /// The node that sent the first packet, or its address where nobody in the lab has it.
    pub client: String,
    /// The other.
    pub server: String,
    /// The client's address, with the port where there is one.
    pub client_address: String,
    /// The server's.
    pub server_address: String,
    /// When the first packet was sent, in seconds.
    pub first_s: f64,
    /// When the last packet was sent or received, in seconds.
    pub last_s: f64,
    /// From the first SYN to the first SYN-ACK as the client saw them, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_s: Option<f64>,
    /// From client to server.
    pub there: Counts,
    /// From server to client.
    pub back: Counts,
}

/// One direction of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Packets sent.
    pub packets: u64,
    /// Bytes of those packets, IP header and all.
    pub bytes: u64,
    /// Packets that arrived.
    pub delivered_packets: u64,
    /// Bytes that arrived.
    pub delivered_bytes: u64,
    /// TCP segments with data that had been sent before.
    pub retransmitted: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ends {
    protocol: u8,
    client: (IpAddr, u16),
    server: (IpAddr, u16),
}

#[derive(Debug)]
struct Counted {
    ends: Ends,
    first: Instant,
    last: Instant,
    syn: Option<Instant>,
    syn_ack: Option<Instant>,
    counts: [Counts; 2],
    /// The end of the data sent so far, by direction.
    high: [Option<u32>; 2],
}

impl Flows {
    /// Flows kept apart; later ones are only counted together.
    const MAX: usize = 100_000;

    /// An empty table over the addresses in `names`.
    pub fn new(names: Names) -> Self {
        let mut owners = BTreeMap::new();
        let mut link_types = BTreeMap::new();
        for (station, port, known) in names.ports() {
            link_types.insert((station, port), known.link_type);
            owners.extend(known.addresses.iter().map(|a| (*a, station)));
        }
        Self { owners, link_types, names, ..Self::default() }
    }

    /// The flows in the order of their first packets.
    pub fn flows(&self) -> Vec<Flow> {
        self.flows.iter().map(|f| f.report(&self.names)).collect()
    }

    /// Packets of flows beyond the number that is kept apart.
    pub fn uncounted(&self) -> u64 {
        self.uncounted
    }

    fn entry(&mut self, packet: &Packet, at: Instant) -> Option<(&mut Counted, usize)> {
        let ends = Ends { protocol: packet.protocol, client: packet.from, server: packet.to };
        let turned = Ends { client: packet.to, server: packet.from, ..ends };
        let (index, way) = match (self.index.get(&ends), self.index.get(&turned)) {
            (Some(i), _) => (*i, 0),
            (None, Some(i)) => (*i, 1),
            (None, None) if self.flows.len() >= Self::MAX => {
                self.uncounted += 1;
                return None;
            }
            (None, None) => {
                self.index.insert(ends, self.flows.len());
                self.flows.push(Counted {
                    ends,
                    first: at,
                    last: at,
                    syn: None,
                    syn_ack: None,
                    counts: [Counts::default(); 2],
                    high: [None; 2],
                });
                (self.flows.len() - 1, 0)
            }
        };
        self.flows.get_mut(index).map(|f| (f, way))
    }
}

impl Monitor for Flows {
    fn interest(&self) -> Interest {
        Interest::Frames
    }

    fn frame(&mut self, seen: &Observation<'_>) {
        let link_type = self.link_types.get(&(seen.station, seen.port)).copied().unwrap_or_default();
        let Some(packet) = Packet::parse(link_type, seen.frame.bytes()) else { return };
        // A frame that errors touched does not reach storey 3.
        if seen.way == Way::Received && (seen.frame.fcs.is_some() || seen.fate != Fate::Passed) {
            return;
        }
        let end = match seen.way {
            Way::Sent => packet.from.0,
            Way::Received => packet.to.0,
        };
        // Broadcast and multicast belong to whoever sends them; nobody owns their destination.
        if self.owners.get(&end) != Some(&seen.station) {
            return;
        }
        let Some((flow, way)) = self.entry(&packet, seen.at) else { return };
        flow.last = flow.last.max(seen.at);
        match seen.way {
            Way::Sent => {
                flow.counts[way].packets += 1;
                flow.counts[way].bytes += u64::from(packet.len);
            }
            Way::Received => {
                flow.counts[way].delivered_packets += 1;
                flow.counts[way].delivered_bytes += u64::from(packet.len);
            }
        }
        if let Some(segment) = packet.tcp {
            flow.segment(way, seen.way, seen.at, segment);
        }
    }
}

impl Counted {
    fn segment(&mut self, way: usize, passing: Way, at: Instant, segment: Segment) {
        let Segment { seq, data, syn, ack } = segment;
        match (passing, way) {
            (Way::Sent, 0) if syn && !ack && self.syn.is_none() => self.syn = Some(at),
            (Way::Received, 1) if syn && ack && self.syn_ack.is_none() => self.syn_ack = Some(at),
            _ => {}
        }
        if passing == Way::Sent && data > 0 {
            let end = seq.wrapping_add(data);
            let before = |a: u32, b: u32| a.wrapping_sub(b) > u32::MAX / 2;
            match &mut self.high[way] {
                // The new connection of the same ends starts afresh with its SYN, handled below.
                Some(high) if before(seq, *high) => {
                    self.counts[way].retransmitted += 1;
                    if before(*high, end) {
                        *high = end;
                    }
                }
                high => *high = Some(end),
            }
        } else if passing == Way::Sent && syn {
            self.high[way] = None;
        }
    }

    fn report(&self, names: &Names) -> Flow {
        let Ends { protocol, client, server } = self.ends;
        let name = |a: IpAddr| names.of_address(a).map_or_else(|| a.to_string(), str::to_owned);
        let address = |(ip, port): (IpAddr, u16)| match port {
            0 => ip.to_string(),
            _ => std::net::SocketAddr::new(ip, port).to_string(),
        };
        Flow {
            protocol: match protocol {
                1 => "icmp".to_owned(),
                6 => "tcp".to_owned(),
                17 => "udp".to_owned(),
                58 => "icmpv6".to_owned(),
                n => n.to_string(),
            },
            client: name(client.0),
            server: name(server.0),
            client_address: address(client),
            server_address: address(server),
            first_s: self.first.as_secs_f64(),
            last_s: self.last.as_secs_f64(),
            handshake_s: self.syn.zip(self.syn_ack).map(|(syn, ack)| (ack - syn).as_secs_f64()),
            there: self.counts[0],
            back: self.counts[1],
        }
    }
}

/// What a flow is recognised by.
#[derive(Debug, PartialEq)]
struct Packet {
    protocol: u8,
    from: (IpAddr, u16),
    to: (IpAddr, u16),
    len: u32,
    tcp: Option<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    seq: u32,
    data: u32,
    syn: bool,
    ack: bool,
}

impl Packet {
    fn parse(link_type: LinkType, bytes: &[u8]) -> Option<Self> {
        let ip = match link_type {
            LinkType::ETHERNET => {
                let mut rest = bytes.get(12..)?;
                // 802.1Q and 802.1ad tags.
                while let [0x81, 0x00, ..] | [0x88, 0xa8, ..] = rest {
                    rest = rest.get(4..)?;
                }
                match rest {
                    [0x08, 0x00, ip @ ..] | [0x86, 0xdd, ip @ ..] => ip,
                    _ => return None,
                }
            }
            LinkType::PPP | LinkType::PPP_HDLC => match bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes) {
                [0x00, 0x21, ip @ ..] | [0x00, 0x57, ip @ ..] => ip,
                _ => return None,
            },
            LinkType::RAW => bytes,
            _ => return None,
        };
        Self::parse_ip(ip)
    }

    fn parse_ip(ip: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*ip.get(at)?, *ip.get(at + 1)?]));
        let (protocol, from, to, len, header, first_fragment): (u8, IpAddr, IpAddr, _, _, _) = match ip.first()? >> 4 {
            4 => {
                let addresses: &[u8; 8] = ip.get(12..20)?.try_into().ok()?;
                let [a, b, c, d, e, f, g, h] = *addresses;
                let header = usize::from(ip.first()? & 15) * 4;
                let first = word(6)? & 0x1fff == 0;
                (
                    *ip.get(9)?,
                    Ipv4Addr::new(a, b, c, d).into(),
                    Ipv4Addr::new(e, f, g, h).into(),
                    word(2)?,
                    header,
                    first,
                )
            }
            6 => {
                let from: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
                let to: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
                let len = word(4)?.saturating_add(40);
                (*ip.get(6)?, Ipv6Addr::from(from).into(), Ipv6Addr::from(to).into(), len, 40, true)
            }
            _ => return None,
        };
        let whole = ip.get(..usize::from(len)).unwrap_or(ip);
        let inner = whole.get(header..).filter(|_| first_fragment).unwrap_or(&[]);
        let ports = match (protocol, inner) {
            (6 | 17, [a, b, c, d, ..]) => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])),
            _ => (0, 0),
        };
        let tcp = match (protocol, inner) {
            (6, [_, _, _, _, a, b, c, d, _, _, _, _, offset, flags, ..]) => Some(Segment {
                seq: u32::from_be_bytes([*a, *b, *c, *d]),
                data: (inner.len() as u32).saturating_sub(u32::from(offset >> 4) * 4),
                syn: flags & 0x02 != 0,
                ack: flags & 0x10 != 0,
            }),
            _ => None,
        };
        Some(Self { protocol, from: (from, ports.0), to: (to, ports.1), len: u32::from(len), tcp })
    }
}

#[cfg(test)]
#[path = "flows_tests.rs"]
mod tests;
