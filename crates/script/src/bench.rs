//! A host on the bench: the very stack that labs and live networks run, alone at the end of two cables, with raw packets in
//! and out and a clock that only moves when it is told to.
//!
//! The interpreter and the shared object that packetdrill loads both stand on it; their system calls are
//! [`septet_posix`]'s.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use septet_core::{Carrier, Frame, Instant, Out, Port, Power, Randomness, Seed, Station as _, Trace, Wire};
use septet_datalink::ethernet::{EtherType, HEADER_LEN, Header, MIN_FRAME, MacAddr};
use septet_host::{Host, HostConfig, InterfaceConfig, Neighbor, StaticRoute};
use septet_network::{Cidr, Iface, Prefix};
use septet_posix::{Errno, Fd, Operation, Process, Reply, Request};
use septet_transport::tcp::Config;

/// A packet that left the host.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// The IP packet.
    pub packet: Vec<u8>,
}

/// What a bench starts with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The source of initial sequence numbers and ports.
    pub seed: Seed,
    /// The time at which it starts.
    pub begin: Instant,
    /// The host's IPv4 address.
    pub local4: Ipv4Addr,
    /// The host's IPv6 address.
    pub local6: Ipv6Addr,
    /// The MTU of its link for IPv4 and of its link for IPv6.
    pub mtu: [u32; 2],
    /// The personality.
    pub config: Config,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: Seed::new(1),
            begin: Instant::ZERO,
            local4: Ipv4Addr::new(192, 168, 0, 1),
            local6: Ipv6Addr::new(0xfd3d, 0xa0b, 0x17d6, 0, 0, 0, 0, 1),
            mtu: [1500, 1520],
            // The kernel builds super-segments for every device, and cuts them in software where it must.
            config: Config { gso_max_size: 65_536, ..Config::linux() },
        }
    }
}

/// The interfaces: one for each version of IP, so that each has an MTU of its own.
const FOUR: Iface = 0;
const SIX: Iface = 1;

/// Who is at the other end of both cables and takes everything on.
const GATEWAY: MacAddr = MacAddr::local(2);

/// The host on the bench.
pub struct Bench {
    now: Instant,
    host: Host,
    process: Process,
    cables: Cables,
    trace: Trace,
}

/// What the host has sent.
#[derive(Default)]
struct Cables {
    now: Instant,
    sent: VecDeque<Sent>,
}

impl Wire for Cables {
    fn send(&mut self, _: Port, frame: Frame, _: &mut Trace) {
        // Without neighbours to ask for, all there is behind the link's header is IP, and what pads it to the shortest frame.
        let mut packet = frame.bytes()[HEADER_LEN..].to_vec();
        packet.truncate(packet_len(&packet));
        self.sent.push_back(Sent { at: self.now, packet });
    }

    fn backlog(&self, _: Port) -> usize {
        0
    }

    fn wake_below(&mut self, _: Port, _: usize) {}
}

/// How long an IP packet says that it is.
fn packet_len(packet: &[u8]) -> usize {
    let word = |at: usize| packet.get(at..at + 2).map_or(0, |w| usize::from(u16::from_be_bytes([w[0], w[1]])));
    match packet.first().map(|first| first >> 4) {
        Some(4) => word(2),
        Some(6) => septet_network::ipv6::HEADER_LEN + word(4),
        _ => packet.len(),
    }
}

impl Bench {
    /// A host that has nothing open.
    pub fn new(setup: Setup) -> Self {
        let Setup { seed, begin, local4, local6, mtu, config } = setup;
        let interface = |number: u64, address: IpAddr, mtu| InterfaceConfig {
            mac: MacAddr::local(1 << 8 | number),
            addresses: vec![Cidr::new(address, link_len(address)).expect("the length fits the address")],
            mtu,
        };
        let way = |prefix, iface, local: IpAddr| {
            let gateway = gateway(local);
            (StaticRoute::new(prefix, gateway), Neighbor { iface, address: gateway, mac: GATEWAY })
        };
        let ways = [way(Prefix::DEFAULT_V4, FOUR, local4.into()), way(Prefix::DEFAULT_V6, SIX, local6.into())];
        let host = Host::new(HostConfig {
            interfaces: vec![interface(1, local4.into(), mtu[0]), interface(2, local6.into(), mtu[1])],
            routes: ways.iter().map(|(route, _)| *route).collect(),
            neighbors: ways.iter().map(|(_, neighbor)| *neighbor).collect(),
            tcp: config.into(),
            randomness: Randomness::Seeded(seed),
            ..HostConfig::new("bench")
        });
        let mut host = host.expect("the gateways are on the links");
        let process = Process::new(host.sockets());
        let (mut cables, mut trace) = (Cables { now: begin, sent: VecDeque::new() }, Trace::off());
        let out = &mut Out::new(&mut cables, &mut trace);
        host.on_power(begin, Power::On, out);
        for iface in [FOUR, SIX] {
            host.on_carrier(begin, Port(iface), Carrier::Up, out);
        }
        Self { now: begin, host, process, cables, trace }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When the host next has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.host.deadline()
    }

    /// Lets time pass until `to`; timers expire at their own times, in order.
    pub fn advance(&mut self, to: Instant) {
        while let Some(next) = self.next_deadline().filter(|next| *next <= to) {
            self.run(self.now.max(next));
        }
        self.run(self.now.max(to));
    }

    /// Sets `net.ipv4.NAME`, for sockets made from now on.
    ///
    /// # Errors
    /// A name that is not known, or a value that it does not take.
    pub fn configure(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.process.sysctl(name, value)
    }

    /// A packet arrives. What does not parse, or is not for anything here, is dropped as a host drops it.
    pub fn inject(&mut self, packet: &[u8]) {
        let (iface, ether_type) = match packet.first().map(|first| first >> 4) {
            Some(4) => (FOUR, EtherType::IPV4),
            Some(6) => (SIX, EtherType::IPV6),
            _ => return,
        };
        let Some((destination, mtu)) = self.host.with_ip(|ip| ip.mac(iface).zip(ip.mtu(iface))) else { return };
        let mut frame = Frame::new(Frame::HEADROOM, packet);
        Header { destination, source: GATEWAY, ether_type }.push(&mut frame);
        frame.pad_to(MIN_FRAME);
        if frame.len() > HEADER_LEN + mtu as usize {
            // The kernel's tun takes in what is longer than its MTU, and so does a card that has put segments together.
            frame.segment_size = packet.len().min(usize::from(u16::MAX)) as u16;
        }
        let out = &mut Out::new(&mut self.cables, &mut self.trace);
        self.host.receive(self.now, Port(iface), frame, out);
        self.run(self.now);
    }

    /// The next packet that left, if any.
    pub fn take_sent(&mut self) -> Option<Sent> {
        self.cables.sent.pop_front()
    }

    /// The same without taking it.
    pub fn peek_sent(&self) -> Option<&Sent> {
        self.cables.sent.front()
    }

    /// Makes system calls; what they lead to has left the host when this returns.
    pub fn with<T>(&mut self, calls: impl FnOnce(&mut Process) -> T) -> T {
        let result = calls(&mut self.process);
        self.run(self.now);
        result
    }

    /// Begins a call that may wait.
    pub fn start(&mut self, request: Request) -> Operation {
        self.with(|process| Operation::start(process, request))
    }

    /// Lets a call go on; `None` while it has to wait.
    pub fn poll(&mut self, operation: &mut Operation) -> Option<Result<Reply, Errno>> {
        self.with(|process| operation.poll(process))
    }

    /// The process, to be asked what changes nothing.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// `bind(2)`. The address becomes one of the host's: whatever the world of a script takes it to be.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub fn bind(&mut self, fd: Fd, address: SocketAddr) -> Result<(), Errno> {
        let ip = address.ip().to_canonical();
        if !ip.is_unspecified() && !self.host.with_ip(|own| own.is_local(ip)) {
            let iface = if ip.is_ipv4() { FOUR } else { SIX };
            let own = Cidr::new(ip, link_len(ip)).expect("the length fits the address");
            self.host.with_ip_mut(|host| host.add_address(iface, own)).expect("the interface is there");
        }
        self.with(|process| process.bind(fd, address))
    }

    /// Lets the host do what it has to do now.
    fn run(&mut self, now: Instant) {
        (self.now, self.cables.now) = (now, now);
        let out = &mut Out::new(&mut self.cables, &mut self.trace);
        self.host.on_deadline(now, out);
    }
}

/// The length of the prefix of a link with this address.
fn link_len(address: IpAddr) -> u8 {
    if address.is_ipv4() { 16 } else { 64 }
}

/// The last but one address of `local`'s link.
fn gateway(local: IpAddr) -> IpAddr {
    match local {
        IpAddr::V4(four) => Ipv4Addr::from_bits(four.to_bits() | 0xfffe).into(),
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() | 0xfffe).into(),
    }
}
