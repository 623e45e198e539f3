//! A host and a router take any frames at any ports, while time passes and carriers come and go.

use core::time::Duration;
use std::net::Ipv4Addr;
use std::sync::Arc;

use septet::{NetExt, NetRef};
use septet_core::{Carrier, Frame, Instant, Out, Port, Power, Station, Trace, Wire, checksum};
use septet_datalink::ethernet::{self, EtherType, MacAddr};
use septet_host::{Forwarding, Host, HostConfig, InterfaceConfig};
use septet_network::conntrack::State;
use septet_network::filter::{Condition, End, Hook, Kind, Reject, Sense};
use septet_network::firewall::rule::{Action, Chain, Limit, Measure, Policy, Rule, Ruleset, Step, Test};
use septet_network::ip::{Advertise, Ipv6Config};
use septet_network::ipv4::protocol;
use septet_network::{Multicast, MulticastRoute, MulticastTarget, ToMembers};
use septet_network::{firewall, ipv4, ipv6, nat};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pieces::pieces;

/// How many ports the station has.
const PORTS: u16 = 3;
/// The port of its echo services, TCP and UDP.
const ECHO: u16 = 7;
/// Where something else listens that reads nothing.
const DEAF: u16 = 8;

/// Frames against a host with services.
pub fn host(bytes: &[u8]) {
    play(bytes, Forwarding::Off, None);
}

/// Frames against a router with the same services.
pub fn router(bytes: &[u8]) {
    play(bytes, Forwarding::On, None);
}

/// Frames against a router that filters them by rules of all kinds, tracks a few connections and translates addresses.
pub fn firewall(bytes: &[u8]) {
    play(bytes, Forwarding::On, Some(Arc::new(filters())));
}

/// Rules that look at all there is; port 2 is outside.
fn filters() -> firewall::Config {
    let rule = |steps: Vec<Step>| Rule { text: "a rule".to_owned(), listed: String::new(), steps };
    let test = |condition| Step::Match(Test::is(condition));
    let chain = |name: &str, policy, rules| Chain { name: name.to_owned(), policy, rules };
    let states = vec![State::Established, State::Related];
    let limit = Limit { sense: Sense::Is, amount: 2, per: Duration::from_secs(1), burst: 5, of: Measure::Packets };
    let forward = vec![
        rule(vec![Step::Match(Test::State(states, Sense::Is)), Step::Count, Step::Do(Action::Accept)]),
        rule(vec![test(Condition::Ttl(vec![0..=3])), Step::Log("old".to_owned()), Step::Do(Action::Drop)]),
        rule(vec![test(Condition::Port(End::Either, vec![ECHO..=ECHO])), Step::Limit(limit), Step::Do(Action::Accept)]),
        rule(vec![test(Condition::Kind(vec![Kind::TCP])), Step::Do(Action::Reject(Reject::TcpReset))]),
        rule(vec![test(Condition::Len(0..=100)), Step::Do(Action::Reject(Reject::AdminProhibited))]),
    ];
    let input =
        vec![rule(vec![test(Condition::Dscp(vec![8..=20])), Step::Do(Action::Reject(Reject::PortUnreachable))])];
    let rules = Ruleset {
        chains: vec![chain("forward", Policy::Accept, forward), chain("input", Policy::Accept, input)],
        base: vec![(Hook::Forward, 0), (Hook::Input, 1)],
        ..Ruleset::default()
    };
    let to = "10.0.0.9".parse().expect("an address");
    let forwards = vec![nat::Forward { protocol: protocol::TCP, ports: 80..=90, to, port: DEAF }];
    let nat = nat::Config { outside: vec![2], forwards, ports: Some(1000..=1010), ..nat::Config::default() };
    firewall::Config { rules, nat: Some(nat), connections: 20, ..firewall::Config::default() }
}

fn play(bytes: &[u8], forwarding: Forwarding, firewall: Option<Arc<firewall::Config>>) {
    let mut station = station(forwarding, firewall);
    let (mut wire, mut trace) = (Sink::default(), Trace::on());
    let mut now = Instant::from_millis(1);
    let mut out = Out::new(&mut wire, &mut trace);
    station.on_power(now, Power::On, &mut out);
    for port in 0..PORTS {
        station.on_carrier(now, Port(port), Carrier::Up, &mut out);
    }
    for piece in pieces(bytes) {
        let until = now + Duration::from_millis(u64::from(piece.wait).pow(2));
        while let Some(at) = station.deadline().filter(|at| *at <= until) {
            now = at.max(now);
            station.on_deadline(now, &mut Out::new(&mut wire, &mut trace));
        }
        now = until;
        let before = wire.sent;
        let (mut out, port) = (Out::new(&mut wire, &mut trace), Port(u16::from(piece.what) % PORTS));
        match u16::from(piece.what) / PORTS % 24 {
            0 => station.on_carrier(now, port, Carrier::Down, &mut out),
            1 => station.on_carrier(now, port, Carrier::Up, &mut out),
            2 => station.on_room(now, port, &mut out),
            3 => station.receive(now, port, Frame::new(Frame::HEADROOM, piece.content), &mut out),
            4 => station.receive(now, port, framed(port, EtherType::ARP, piece.content), &mut out),
            5 => station.receive(now, port, framed(port, EtherType::IPV4, piece.content), &mut out),
            6..10 => {
                station.receive(now, port, framed(port, EtherType::IPV4, &sealed(port, piece.content, 0)), &mut out)
            }
            16 => station.receive(now, port, framed(port, EtherType::IPV6, piece.content), &mut out),
            more @ 17.. => {
                let next_header = [17, 6, 58, 58, 58, 0, 44][usize::from(more) - 17];
                let packet = sealed_v6(port, piece.content, next_header);
                let mut frame = framed(port, EtherType::IPV6, &packet);
                if packet[24] == 0xff {
                    // To a group, as the link knows it.
                    frame.bytes_mut()[..6]
                        .copy_from_slice(&[0x33, 0x33, packet[36], packet[37], packet[38], packet[39]]);
                }
                station.receive(now, port, frame, &mut out);
            }
            more => {
                let protocol = [6, 17, 1, 2, 6, 6][usize::from(more) - 10];
                let packet = sealed(port, piece.content, protocol);
                station.receive(now, port, framed(port, EtherType::IPV4, &packet), &mut out);
            }
        }
        // One frame wakes no storm: fragments of one large datagram, and what waited for a neighbour.
        assert!(wire.sent - before < 300, "one event made {} frames", wire.sent - before);
        let _ = trace.drain().count();
    }
    // Everything that was begun comes to an end by itself: no timer goes on for ever without a cause from outside.
    let end = now + Duration::from_secs(3 * 3600);
    let mut steps = 0;
    while let Some(at) = station.deadline().filter(|at| *at <= end) {
        now = at.max(now);
        station.on_deadline(now, &mut Out::new(&mut wire, &mut trace));
        steps += 1;
        assert!(steps < 200_000, "timers do not come to rest");
        let _ = trace.drain().count();
    }
}

fn station(forwarding: Forwarding, firewall: Option<Arc<firewall::Config>>) -> Host {
    let interfaces = (0..PORTS).map(|port| InterfaceConfig {
        mac: mac(port),
        addresses: [format!("10.0.{port}.1/24"), format!("2001:db8:0:{port}::1/64")]
            .map(|address| address.parse().expect("an address"))
            .to_vec(),
        mtu: mtu(port),
    });
    // One link of each kind: a host that configures itself, or a router that advertises; one that only takes part; a quiet
    // one.
    let first = match forwarding {
        Forwarding::Off => Ipv6Config::with_autoconf(),
        Forwarding::On => Ipv6Config { advertise: Some(Advertise::default()), ..Ipv6Config::with_discovery() },
    };
    let config = HostConfig {
        interfaces: interfaces.collect(),
        ipv6: vec![(0, first), (1, Ipv6Config { dad_transmits: 0, ..Ipv6Config::with_discovery() })],
        forwarding,
        firewall,
        multicast: multicast(forwarding),
        ..HostConfig::new("target".to_owned())
    };
    let mut host = Host::new(config).expect("a host");
    host.on_boot(|net| {
        let _ = net.spawn(Box::pin(echo_streams(net.clone())));
        let _ = net.spawn(Box::pin(echo_datagrams(net.clone())));
        let _ = net.spawn(Box::pin(deaf(net.clone())));
    });
    host
}

/// A router asks for members, and passes on what they want.
fn multicast(forwarding: Forwarding) -> Multicast {
    let route = |groups: &str| MulticastRoute {
        groups: groups.parse().expect("a prefix"),
        sources: Vec::new(),
        from: None,
        to: vec![MulticastTarget { iface: 1, threshold: 2 }],
        members: ToMembers::Yes { threshold: 1 },
    };
    match forwarding {
        Forwarding::Off => Multicast::default(),
        Forwarding::On => {
            Multicast { routes: ["224.0.0.0/4", "ff00::/8"].map(route).to_vec(), querier: Some(Box::default()) }
        }
    }
}

async fn echo_streams(net: NetRef) {
    let listener = net.listen(everywhere(ECHO), Default::default()).expect("the port is free");
    while let Ok((mut stream, _)) = listener.accept().await {
        let _ = net.spawn(Box::pin(async move {
            let mut buffer = [0; 2048];
            while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..len]).await.is_err() {
                    return;
                }
            }
        }));
    }
}

async fn echo_datagrams(net: NetRef) {
    let socket = net.bind_udp(everywhere(ECHO)).expect("the port is free");
    let mut buffer = vec![0; 65_535];
    // Once its ports have carriers it is in two groups.
    net.sleep(Duration::from_millis(2)).await;
    for group in ["239.1.1.1", "ff1e::1"] {
        let _ = socket.join_multicast(group.parse().expect("an address"));
    }
    loop {
        // An error that a router reported is told to the socket once; the next datagram comes all the same.
        if let Ok(datagram) = socket.receive(&mut buffer).await {
            let _ = socket.send_to(&buffer[..datagram.len], datagram.from).await;
        }
    }
}

async fn deaf(net: NetRef) {
    let listener = net.listen(everywhere(DEAF), Default::default()).expect("the port is free");
    let mut kept = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        kept.push(stream);
        kept.truncate(50);
    }
}

/// A port of all addresses of both versions.
fn everywhere(port: u16) -> std::net::SocketAddr {
    (std::net::Ipv6Addr::UNSPECIFIED, port).into()
}

const fn mtu(port: u16) -> u32 {
    if port == 2 { 600 } else { 1500 }
}

fn mac(port: u16) -> MacAddr {
    MacAddr::local(u64::from(port) + 1)
}

/// A frame to the station, from the first neighbour on that port.
fn framed(port: Port, ether_type: EtherType, content: &[u8]) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, content);
    ethernet::Header { destination: mac(port.0), source: MacAddr::local(1000), ether_type }.push(&mut frame);
    frame.pad_to(ethernet::MIN_FRAME);
    frame
}

/// `content` as an IPv4 datagram whose lengths and checksums are right, so that it gets past the door; where `protocol` is
/// not 0, to the station, of that protocol, from a neighbour, with a right checksum of storey 4, and to a port where
/// something listens as often as not.
fn sealed(port: Port, content: &[u8], protocol: u8) -> Vec<u8> {
    let mut packet = content.to_vec();
    packet.resize(packet.len().clamp(40, 1500), 0);
    let header_len = if protocol == 0 { 20 + usize::from(packet[0] % 6) * 4 } else { 20 };
    packet[0] = 0x40 | (header_len / 4) as u8;
    let total = packet.len() as u16;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    if protocol != 0 {
        packet[6] &= 0x40;
        packet[7] = 0;
        packet[8] = packet[8].max(2);
        packet[9] = protocol;
        packet[12..15].copy_from_slice(&[10, 0, port.0 as u8]);
        packet[16..20].copy_from_slice(&[10, 0, port.0 as u8, 1]);
        let sum_at = match protocol {
            6 => Some(36),
            17 => Some(26),
            1 | 2 => Some(22),
            _ => None,
        };
        if matches!(protocol, 6 | 17) && packet[22] < 192 {
            let port = [ECHO, ECHO, DEAF][usize::from(packet[23]) % 3];
            packet[22..24].copy_from_slice(&port.to_be_bytes());
        }
        if protocol == 17 {
            packet[24..26].copy_from_slice(&(total - 20).to_be_bytes());
        }
        if let Some(at) = sum_at {
            packet[at..at + 2].fill(0);
            let mut sum = checksum::Sum::new();
            if matches!(protocol, 6 | 17) {
                sum = sum.bytes(&packet[12..20]).bytes(&[0, protocol]).bytes(&(total - 20).to_be_bytes());
            }
            let sum = sum.bytes(&packet[20..]).finish();
            packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
    }
    packet[10..12].fill(0);
    let sum = checksum::of(&packet[..header_len]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// `content` as a packet of IPv6 that gets past the door: to the station or to a group that it is in, from a neighbour or
/// from nobody, with right lengths and, behind a header of its own alone, a right checksum.
fn sealed_v6(port: Port, content: &[u8], next_header: u8) -> Vec<u8> {
    let mut packet = content.to_vec();
    packet.resize(packet.len().clamp(64, 1500), 0);
    let (pick, from) = (packet[1], packet[2]);
    packet[0] = 0x60;
    let len = (packet.len() - ipv6::HEADER_LEN) as u16;
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    packet[6] = next_header;
    packet[7] = if next_header == 58 && pick & 1 == 0 { 255 } else { packet[7].max(1) };
    let own = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, port.0 as u8, 0, 0, 0, 0, 0, 0, 0, 1];
    let neighbour = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, port.0 as u8, 0, 0, 0, 0, 0, 0, 0, from & 3];
    let link_local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, from & 3];
    let source: [u8; 16] = [neighbour, link_local, link_local, [0; 16]][usize::from(from >> 2) & 3];
    let solicited = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1];
    let all_nodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let destination: [u8; 16] = [own, own, all_nodes, solicited, own][usize::from(pick >> 1) % 5];
    packet[8..24].copy_from_slice(&source);
    // Now and then to somebody else, through the station.
    if pick < 240 {
        packet[24..40].copy_from_slice(&destination);
    }
    let sum_at = match next_header {
        58 => {
            // Mostly neighbour discovery, of whose targets many are the station's.
            if pick & 6 != 0 {
                packet[40] = 133 + (packet[40] & 3);
                packet[41] = 0;
            }
            if pick & 8 != 0 {
                packet[48..64].copy_from_slice(&own);
            }
            42
        }
        17 => {
            packet[44..46].copy_from_slice(&len.to_be_bytes());
            46
        }
        6 => 56,
        _ => return packet,
    };
    if matches!(next_header, 6 | 17) && packet[42] < 192 {
        let port = [ECHO, ECHO, DEAF][usize::from(packet[43]) % 3];
        packet[42..44].copy_from_slice(&port.to_be_bytes());
    }
    packet[sum_at..sum_at + 2].fill(0);
    let sum = checksum::Sum::new().bytes(&packet[8..40]).bytes(&[0, next_header]).bytes(&len.to_be_bytes());
    let sum = sum.bytes(&packet[40..]).finish();
    packet[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Counts what comes out, and looks at it.
#[derive(Default)]
struct Sink {
    sent: usize,
}

impl Wire for Sink {
    fn send(&mut self, port: Port, frame: Frame, _: &mut Trace) {
        self.sent += 1;
        assert!(port.0 < PORTS, "sent at {port:?}");
        let bytes = frame.bytes();
        let header = ethernet::Header::parse(bytes).expect("a whole Ethernet header");
        assert_eq!(header.source, mac(port.0), "another's link address");
        assert!(bytes.len() >= ethernet::MIN_FRAME, "a runt of {} bytes", bytes.len());
        let mtu = mtu(port.0) as usize;
        assert!(bytes.len() <= mtu + ethernet::HEADER_LEN, "{} bytes where {mtu} are allowed", bytes.len());
        if header.ether_type == EtherType::IPV4 {
            let packet = &bytes[ethernet::HEADER_LEN..];
            let ip = ipv4::Header::parse(packet).expect("a right IPv4 header");
            assert!(ipv4::checksum_ok(packet, ip.header_len), "a wrong checksum of the header");
            assert!(ip.ttl > 0, "a datagram without time to live");
            assert!(!ip.src.is_multicast() && ip.src != Ipv4Addr::BROADCAST, "a datagram from {}", ip.src);
        }
        if header.ether_type == EtherType::IPV6 {
            let packet = &bytes[ethernet::HEADER_LEN..];
            let ip = ipv6::Header::parse(packet).expect("a right IPv6 header");
            assert!(ip.hop_limit > 0, "a packet without hops");
            assert!(!ip.src.is_multicast() && !ip.dst.is_unspecified(), "a packet from {} to {}", ip.src, ip.dst);
            let payload = &packet[ipv6::HEADER_LEN..ipv6::HEADER_LEN + usize::from(ip.payload_len)];
            // What it only passes on may be as wrong as it came.
            let own = ip.src.is_unicast_link_local() || ip.src.segments() == [0x2001, 0xdb8, 0, port.0, 0, 0, 0, 1];
            if ip.next_header == 58 && own {
                let sum = ipv6::pseudo_header(ip.src, ip.dst, 58, payload.len()).bytes(payload).finish();
                assert_eq!(sum, 0, "a wrong checksum of ICMPv6");
            }
        }
    }

    fn backlog(&self, _: Port) -> usize {
        0
    }

    fn wake_below(&mut self, _: Port, _: usize) {}
}
