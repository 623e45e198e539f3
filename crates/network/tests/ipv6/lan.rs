//! Storeys 3 of several nodes on links where every frame takes ten microseconds.

use core::time::Duration;
use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use septet_core::{Carrier, Event, Frame, Instant, Out, Port, Record, Seed, Trace, Wire};
use septet_network::ip::{Aftermath, Cast, Datagram, DontFragment, Ipv6Config, Outgoing, SendError, Up};
use septet_network::{Forwarding, InterfaceConfig, Ip};
use septet_wire::ethernet::{EtherType, Header, MacAddr};
use septet_wire::ipv6;

/// A protocol that the nodes serve.
pub(crate) const SERVED: u8 = 17;

const DELAY: Duration = Duration::from_micros(10);

#[derive(Default)]
struct Sent(Vec<(Port, Frame)>);

impl Wire for Sent {
    fn send(&mut self, port: Port, frame: Frame, _: &mut Trace) {
        self.0.push((port, frame));
    }

    fn backlog(&self, _: Port) -> usize {
        0
    }

    fn wake_below(&mut self, _: Port, _: usize) {}
}

pub(crate) struct Node {
    pub(crate) ip: Ip,
    pub(crate) up: Vec<Up>,
}

/// All nodes and links.
pub(crate) struct Lans {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    /// Which ports share a link.
    links: Vec<Vec<(usize, u16)>>,
    flight: BTreeMap<(Instant, u64), (usize, u16, Frame)>,
    count: u64,
    /// Every packet of IPv6 that was sent: by whom, when, and from its header on.
    pub(crate) sent: Vec<(usize, Instant, Vec<u8>)>,
    /// To whom each frame was sent.
    pub(crate) addressed: Vec<MacAddr>,
    pub(crate) events: Vec<(usize, Event)>,
    /// Nodes that hear nothing.
    pub(crate) deaf: HashSet<usize>,
}

/// What one interface is made of.
pub(crate) struct Face<'a> {
    pub(crate) addresses: &'a [&'a str],
    pub(crate) mtu: u32,
    pub(crate) v6: Ipv6Config,
}

pub(crate) fn face<'a>(addresses: &'a [&'a str], v6: Ipv6Config) -> Face<'a> {
    Face { addresses, mtu: 1500, v6 }
}

pub(crate) fn mac(node: usize, iface: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, node as u8, iface as u8])
}

/// The link-local address of an interface: EUI-64.
pub(crate) fn link_local(node: usize, iface: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x00ff, 0xfe00, (node << 8 | iface) as u16)
}

pub(crate) fn addr(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

impl Lans {
    pub(crate) fn new(links: &[&[(usize, u16)]]) -> Self {
        Self {
            now: Instant::from_secs(1),
            nodes: Vec::new(),
            links: links.iter().map(|link| link.to_vec()).collect(),
            flight: BTreeMap::new(),
            count: 0,
            sent: Vec::new(),
            addressed: Vec::new(),
            events: Vec::new(),
            deaf: HashSet::new(),
        }
    }

    /// Adds a node with its links up; gives its number.
    pub(crate) fn add(&mut self, forwarding: Forwarding, faces: &[Face<'_>]) -> usize {
        let number = self.nodes.len();
        let interfaces: Vec<InterfaceConfig> = faces
            .iter()
            .enumerate()
            .map(|(i, face)| InterfaceConfig {
                mac: mac(number, i),
                addresses: face.addresses.iter().map(|a| a.parse().expect("a prefix")).collect(),
                mtu: face.mtu,
            })
            .collect();
        let mut ip = Ip::new(&interfaces, forwarding, Seed::new(7).stream(&format!("node {number}")));
        ip.serve(SERVED);
        for (i, face) in faces.iter().enumerate() {
            ip.configure_v6(i as u16, &face.v6).expect("the interface is there");
        }
        self.nodes.push(Node { ip, up: Vec::new() });
        for i in 0..faces.len() {
            self.with(number, |ip, _, out| ip.set_carrier(Port(i as u16), Carrier::Up, out));
        }
        number
    }

    /// Calls a node and puts what it sends on its links.
    pub(crate) fn with<R>(&mut self, node: usize, call: impl FnOnce(&mut Ip, Instant, &mut Out<'_>) -> R) -> R {
        let (mut wire, mut trace) = (Sent::default(), Trace::on());
        let at = &mut self.nodes[node];
        let result = call(&mut at.ip, self.now, &mut Out::new(&mut wire, &mut trace));
        while let Some(up) = at.ip.poll_up() {
            at.up.push(up);
        }
        self.events.extend(trace.drain().filter_map(|record| match record {
            Record::Event(event) => Some((node, *event)),
            _ => None,
        }));
        for (port, frame) in wire.0 {
            let mut packet = frame.clone();
            let header = Header::pull(&mut packet).expect("a whole frame");
            self.addressed.push(header.destination);
            if header.ether_type == EtherType::IPV6 {
                let len = ipv6::HEADER_LEN + usize::from(ipv6::Header::parse(packet.bytes()).unwrap().payload_len);
                self.sent.push((node, self.now, packet.bytes()[..len].to_vec()));
            }
            for link in self.links.iter().filter(|link| link.contains(&(node, port.0))) {
                for &(to, iface) in link.iter().filter(|&&end| end != (node, port.0)) {
                    self.count += 1;
                    let mut frame = Frame::new(Frame::HEADROOM, frame.bytes());
                    frame.ingress = self.now;
                    self.flight.insert((self.now + DELAY, self.count), (to, iface, frame));
                }
            }
        }
        result
    }

    /// Lets everything happen until `end`.
    pub(crate) fn run_until(&mut self, end: Instant) {
        loop {
            let frame = self.flight.keys().next().map(|&(at, _)| at);
            let timers = self.nodes.iter().enumerate().filter_map(|(i, n)| Some((n.ip.deadline()?.max(self.now), i)));
            let timer = timers.min();
            match (frame, timer) {
                (Some(at), timer) if at <= end && timer.is_none_or(|(t, _)| at <= t) => {
                    self.now = at;
                    let (_, (node, iface, frame)) = self.flight.pop_first().expect("there is one");
                    self.arrive(node, iface, frame);
                }
                (_, Some((at, node))) if at <= end => {
                    self.now = at;
                    self.with(node, |ip, now, out| ip.on_deadline(now, out));
                }
                _ => break,
            }
        }
        self.now = end;
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_until(self.now + Duration::from_secs(seconds));
    }

    fn arrive(&mut self, node: usize, iface: u16, mut frame: Frame) {
        if self.deaf.contains(&node) || self.nodes.len() <= node {
            return;
        }
        let header = Header::pull(&mut frame).expect("a whole frame");
        let cast = match header.destination {
            MacAddr::BROADCAST => Cast::Broadcast,
            to if to.is_multicast() => Cast::Multicast,
            to if to == mac(node, iface.into()) => Cast::Unicast,
            _ => return,
        };
        if header.ether_type == EtherType::IPV6 {
            self.take(node, iface, cast, frame);
        }
    }

    /// Gives a node a packet, and holds it to what it says is left to do.
    fn take(&mut self, node: usize, iface: u16, cast: Cast, frame: Frame) -> Aftermath {
        self.with(node, |ip, now, out| {
            let due = ip.deadline();
            let aftermath = ip.receive_v6(now, iface, cast, frame, out);
            if aftermath == Aftermath::None {
                assert!(!ip.has_up() && ip.deadline() == due, "nothing is left to do");
            }
            aftermath
        })
    }

    /// Gives a node a packet as if a link had brought it.
    pub(crate) fn inject(&mut self, node: usize, iface: u16, cast: Cast, packet: &[u8]) -> Aftermath {
        self.take(node, iface, cast, Frame::new(Frame::HEADROOM, packet))
    }

    pub(crate) fn send(&mut self, node: usize, to: Ipv6Addr, payload: &[u8]) -> Result<Option<u16>, SendError> {
        self.send_as(node, to, payload, DontFragment::IfItFits)
    }

    pub(crate) fn send_as(
        &mut self,
        node: usize,
        to: Ipv6Addr,
        payload: &[u8],
        dont_fragment: DontFragment,
    ) -> Result<Option<u16>, SendError> {
        let outgoing = Outgoing { dont_fragment, ..Outgoing::new(Ipv6Addr::UNSPECIFIED.into(), to.into(), SERVED) };
        self.with(node, |ip, now, out| ip.send(now, &outgoing, Frame::new(Frame::HEADROOM, payload), out))
    }

    /// The datagrams that have come up at a node, which are taken away.
    pub(crate) fn datagrams(&mut self, node: usize) -> Vec<Datagram> {
        let up = core::mem::take(&mut self.nodes[node].up);
        up.into_iter().filter_map(|up| if let Up::Datagram(datagram) = up { Some(datagram) } else { None }).collect()
    }

    /// The addresses of IPv6 of a node.
    pub(crate) fn own(&self, node: usize) -> Vec<Ipv6Addr> {
        let v6 = |a: IpAddr| if let IpAddr::V6(a) = a { Some(a) } else { None };
        self.nodes[node].ip.addresses().filter_map(|(_, cidr)| v6(cidr.addr())).collect()
    }

    /// What a node sent since it was last asked of any.
    pub(crate) fn take_sent(&mut self, node: usize) -> Vec<Vec<u8>> {
        let sent = core::mem::take(&mut self.sent);
        sent.into_iter().filter(|(by, ..)| *by == node).map(|(_, _, packet)| packet).collect()
    }

    /// Whether a node has told of something.
    pub(crate) fn told(&self, node: usize, kind: &str) -> bool {
        self.events.iter().any(|(by, event)| *by == node && event.kind == kind)
    }
}
