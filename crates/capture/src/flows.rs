//! Who talked to whom: packets and bytes by flow, as the ends themselves sent and received them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_core::{Fate, Instant, Interest, Monitor, Observation, Port, StationId, Way};
use serde::Serialize;

use crate::packet::{Packet, Segment};
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
        let Segment { seq, data, syn, ack, .. } = segment;
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

#[cfg(test)]
#[path = "flows_tests.rs"]
mod tests;
