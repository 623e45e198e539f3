//! Hosts, routers and cables of a real world: ARP, ICMP, UDP, fragments, power and cables.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use septet_core::{Carrier, Event, EventId, Instant, Interest, Monitor, Port, Power, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_engine::{Action, LinkId, World};
use septet_host::{Forwarding, Host, HostConfig, InterfaceConfig, StaticRoute};
use septet_network::Prefix;
use septet_physical::Medium;
use septet_socket::{Coalescing, EchoReply, MtuDiscovery, NetExt, NetRef};

/// Lines that programs write and tests read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Keeps the kinds of all events.
struct Kinds(Log);

impl Monitor for Kinds {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        let why = event.field("why").map(ToString::to_string).unwrap_or_default();
        self.0.say(format!("{} {} {why}", event.at.as_millis(), event.kind));
    }
}

fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

fn host(number: u64, addresses: &[&str], gateway: Option<&str>) -> Host {
    node(number, addresses, gateway.map(|g| ("0.0.0.0/0", g)).as_slice(), Forwarding::Off)
}

/// An address may have the MTU of its interface behind an `@`.
fn node(number: u64, addresses: &[&str], routes: &[(&str, &str)], forwarding: Forwarding) -> Host {
    let interfaces = addresses.iter().enumerate().map(|(i, a)| {
        let (address, mtu) = a.split_once('@').unwrap_or((a, "1500"));
        InterfaceConfig {
            mac: MacAddr::local(number * 16 + i as u64),
            addresses: vec![address.parse().unwrap()],
            mtu: mtu.parse().unwrap(),
        }
    });
    Host::new(HostConfig {
        interfaces: interfaces.collect(),
        routes: routes.iter().map(|(p, g)| StaticRoute::new(p.parse::<Prefix>().unwrap(), ip(g))).collect(),
        forwarding,
        ..HostConfig::new(format!("h{number}"))
    })
    .unwrap()
}

/// Runs `program` at each boot.
fn boots<F>(host: &mut Host, program: impl Fn(NetRef) -> F + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    host.on_boot(move |net| {
        net.spawn(Box::pin(program(net.clone())));
    });
}

fn cable() -> Medium {
    Medium { delay: Duration::from_millis(1), ..Medium::default() }
}

fn join(world: &mut World, a: (StationId, u16), b: (StationId, u16)) -> LinkId {
    world.connect((a.0, Port(a.1)), (b.0, Port(b.1)), cable(), cable(), "cable")
}

/// A world of two hosts on one cable, the first of which runs `program`.
fn pair<F>(program: impl Fn(NetRef) -> F + 'static) -> (World, StationId, StationId, LinkId)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut world = World::new(Seed::new(1));
    let mut a = host(1, &["10.0.0.1/24"], None);
    boots(&mut a, program);
    let a = world.add_station("a", Box::new(a));
    let b = world.add_station("b", Box::new(host(2, &["10.0.0.2/24"], None)));
    let link = join(&mut world, (a, 0), (b, 0));
    (world, a, b, link)
}

fn counter(world: &World, id: StationId, name: &str) -> u64 {
    world.station::<Host>(id).unwrap().counters().find(|(n, _)| *n == name).unwrap().1
}

async fn ping(net: &NetRef, log: &Log, to: &str, count: u16, ttl: u8) {
    let socket = net.open_icmp(std::net::Ipv4Addr::LOCALHOST.into()).unwrap();
    socket.set_ttl(ttl).unwrap();
    for seq in 1..=count {
        let sent = net.now();
        if let Err(e) = socket.send(ip(to), seq, b"0123456789").await {
            return log.say(format!("{:?}", e.kind()));
        }
        let mut buf = [0; 64];
        match net.timeout(Duration::from_secs(10), socket.receive(&mut buf)).await {
            Ok(Ok(EchoReply::Reply { from, seq, ttl, len, .. })) => {
                log.say(format!("{len} from {from} seq {seq} ttl {ttl} time {}", (net.now() - sent).as_millis()));
            }
            Ok(Ok(EchoReply::Error { seq, error })) => {
                let after = (net.now() - sent).as_millis();
                log.say(format!("seq {seq}: {:?} by {} after {after}", error.trouble, error.reporter));
            }
            Ok(Err(e)) => log.say(format!("{:?}", e.kind())),
            Err(_) => log.say("timeout"),
        }
    }
}

fn carrier(link: LinkId, carrier: Carrier) -> Action {
    Action::Carrier { link, carrier, cause: EventId::NONE }
}

fn power(station: StationId, power: Power) -> Action {
    Action::Power { station, power, cause: EventId::NONE }
}

#[test]
fn ping_over_one_cable() {
    let log = Log::default();
    let out = log.clone();
    let (mut world, a, b, _) = pair(move |net| {
        let log = out.clone();
        async move { ping(&net, &log, "10.0.0.2", 2, 64).await }
    });
    let kinds = Log::default();
    world.add_monitor(Kinds(kinds.clone()));
    world.run_until(Instant::from_secs(1)).unwrap();
    // The first waits for ARP: two more crossings.
    assert_eq!(
        log.lines(),
        ["10 from 10.0.0.2 seq 1 ttl 64 time 4", "10 from 10.0.0.2 seq 2 ttl 64 time 2"].map(String::from)
    );
    assert_eq!(counter(&world, a, "ArpOutRequests"), 1);
    assert_eq!(counter(&world, b, "IcmpInEchos"), 2);
    let network: Vec<String> =
        kinds.lines().into_iter().filter(|l| l.contains("arp.") || l.contains("icmp.")).collect();
    let kinds: Vec<&str> = network.iter().map(|l| l.split(' ').nth(1).unwrap()).collect();
    assert_eq!(kinds[..5], ["icmp.echo-request", "arp.request", "arp.reply", "arp.resolved", "icmp.echo-reply"]);
}

#[test]
fn nobody_home_is_host_unreachable_after_three_seconds() {
    let log = Log::default();
    let out = log.clone();
    let (mut world, a, _, _) = pair(move |net| {
        let log = out.clone();
        async move {
            ping(&net, &log, "10.0.0.9", 1, 64).await;
            let udp = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
            udp.connect("10.0.0.9:9".parse().unwrap()).unwrap();
            udp.send(b"x").await.unwrap();
            let error = udp.error().await.unwrap();
            log.say(format!("udp {:?} at {}", error.trouble, net.now().as_millis()));
            log.say(format!("then {:?}", udp.receive(&mut [0; 9]).await.unwrap_err().kind()));
            ping(&net, &log, "192.0.2.1", 1, 64).await;
        }
    });
    world.run_until(Instant::from_secs(20)).unwrap();
    assert_eq!(
        log.lines(),
        [
            "seq 1: HostUnreachable by 10.0.0.1 after 3000",
            "udp HostUnreachable at 6000",
            "then HostUnreachable",
            "NetworkUnreachable"
        ]
        .map(String::from)
    );
    assert_eq!(counter(&world, a, "ArpOutRequests"), 6);
    assert_eq!(counter(&world, a, "ArpResFailed"), 2);
}

/// client -- r1 -- r2 -- r3 -- server; the cable r2--r3 has this MTU at both its ends.
fn chain(mtu: u32, client: Host, server: Host) -> (World, Vec<StationId>) {
    let mut world = World::new(Seed::new(2));
    let (left, right) = (format!("10.0.2.1/24@{mtu}"), format!("10.0.2.2/24@{mtu}"));
    let router = |n, addresses: &[&str], routes: &[(&str, &str)]| node(n, addresses, routes, Forwarding::On);
    let r1 = router(11, &["10.0.0.254/24", "10.0.1.1/24"], &[("0.0.0.0/0", "10.0.1.2")]);
    let r2 = router(12, &["10.0.1.2/24", &left], &[("10.0.0.0/24", "10.0.1.1"), ("10.0.3.0/24", "10.0.2.2")]);
    let r3 = router(13, &[&right, "10.0.3.254/24"], &[("0.0.0.0/0", "10.0.2.1")]);
    let ids = vec![
        world.add_station("client", Box::new(client)),
        world.add_station("r1", Box::new(r1)),
        world.add_station("r2", Box::new(r2)),
        world.add_station("r3", Box::new(r3)),
        world.add_station("server", Box::new(server)),
    ];
    join(&mut world, (ids[0], 0), (ids[1], 0));
    for i in 1..3 {
        join(&mut world, (ids[i], 1), (ids[i + 1], 0));
    }
    join(&mut world, (ids[3], 1), (ids[4], 0));
    (world, ids)
}

#[test]
fn traceroute_names_every_router_and_ends_at_a_closed_port() {
    let log = Log::default();
    let out = log.clone();
    let mut client = host(1, &["10.0.0.1/24"], Some("10.0.0.254"));
    boots(&mut client, move |net| {
        let log = out.clone();
        async move {
            for ttl in 1..=5 {
                let udp = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
                udp.set_ttl(ttl).unwrap();
                let to = SocketAddr::new(ip("10.0.3.1"), 33434);
                let _ = net.timeout(Duration::ZERO, udp.error()).await;
                udp.send_to(b"probe", to).await.unwrap();
                let error = net.timeout(Duration::from_secs(5), udp.error()).await.unwrap().unwrap();
                assert_eq!(error.destination, to);
                log.say(format!("{ttl} {} {:?}", error.reporter, error.trouble));
            }
            ping(&net, &log, "10.0.3.1", 1, 2).await;
            ping(&net, &log, "10.0.9.9", 1, 64).await;
        }
    });
    let (mut world, ids) = chain(1500, client, host(2, &["10.0.3.1/24"], Some("10.0.3.254")));
    world.run_until(Instant::from_secs(30)).unwrap();
    assert_eq!(
        log.lines(),
        [
            "1 10.0.0.254 HopLimit",
            "2 10.0.1.2 HopLimit",
            "3 10.0.2.2 HopLimit",
            "4 10.0.3.1 PortUnreachable",
            "5 10.0.3.1 PortUnreachable",
            "seq 1: HopLimit by 10.0.1.2 after 4",
            "seq 1: NoRoute by 10.0.1.2 after 4",
        ]
        .map(String::from)
    );
    assert_eq!(counter(&world, ids[1], "IcmpOutTimeExcds"), 1);
    assert_eq!(counter(&world, ids[4], "UdpNoPorts"), 2);
    assert!(counter(&world, ids[1], "IpForwDatagrams") >= 6);
}

/// Sends one datagram of each size and says what came back from an echo server.
fn echo_sizes(log: Log, sizes: &'static [usize]) -> (Host, Host) {
    let mut client = host(1, &["10.0.0.1/24"], Some("10.0.0.254"));
    boots(&mut client, move |net| {
        let log = log.clone();
        async move {
            let udp = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
            let mut buf = vec![0; 70_000];
            for &size in sizes {
                let payload: Vec<u8> = (0..size).map(|i| (i * 7 / 3) as u8).collect();
                udp.send_to(&payload, "10.0.3.1:7".parse().unwrap()).await.unwrap();
                match net.timeout(Duration::from_secs(2), udp.receive(&mut buf)).await {
                    Ok(got) => log.say(format!("{size} {}", buf[..got.unwrap().len] == payload)),
                    Err(_) => log.say(format!("{size} lost")),
                }
            }
        }
    });
    let mut server = host(2, &["10.0.3.1/24"], Some("10.0.3.254"));
    boots(&mut server, |net| async move {
        let udp = net.bind_udp("0.0.0.0:7".parse().unwrap()).unwrap();
        let mut buf = vec![0; 70_000];
        loop {
            let got = udp.receive(&mut buf).await.unwrap();
            udp.send_to(&buf[..got.len], got.from).await.unwrap();
        }
    });
    (client, server)
}

#[test]
fn large_datagrams_are_cut_and_put_together() {
    let log = Log::default();
    let (client, server) = echo_sizes(log.clone(), &[100, 1472, 1473, 9000, 65_507]);
    let (mut world, ids) = chain(1500, client, server);
    world.run_until(Instant::from_secs(20)).unwrap();
    assert_eq!(log.lines(), ["100 true", "1472 true", "1473 true", "9000 true", "65507 true"].map(String::from));
    assert_eq!(counter(&world, ids[0], "IpFragOKs"), 3);
    assert_eq!(counter(&world, ids[4], "IpReasmOKs"), 3);
}

/// The datagrams of 3,700 bytes in pieces of 1,000 that arrive, and how often the receiver had to ask for them.
fn segments(medium: &Medium, sends: Coalescing, receives: Coalescing) -> (Vec<Vec<u8>>, usize) {
    let payload: Vec<u8> = (0..3_700).map(|i| (i * 7 / 3) as u8).collect();
    let mut client = host(1, &["10.0.0.1/24"], None);
    boots(&mut client, move |net| {
        let payload = payload.clone();
        async move {
            let udp = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
            let to = "10.0.0.2:7".parse().unwrap();
            if sends == Coalescing::On {
                assert_eq!(udp.send_segmented(&payload, size(1_000), Some(to)).await.unwrap(), 3_700);
            } else {
                for piece in payload.chunks(1_000) {
                    udp.send_to(piece, to).await.unwrap();
                }
            }
        }
    });
    let got = std::sync::Arc::new(std::sync::Mutex::new((Vec::new(), 0)));
    let heard = got.clone();
    let mut server = host(2, &["10.0.0.2/24"], None);
    boots(&mut server, move |net| {
        let heard = heard.clone();
        async move {
            let udp = net.bind_udp("0.0.0.0:7".parse().unwrap()).unwrap();
            udp.set_coalescing(receives).unwrap();
            let mut buf = vec![0; 70_000];
            loop {
                let got = udp.receive(&mut buf).await.unwrap();
                let each = got.segment_size.map_or(got.len, |s| s.get().into());
                let mut heard = heard.lock().unwrap();
                heard.0.extend(buf[..got.len].chunks(each).map(<[u8]>::to_vec));
                heard.1 += 1;
            }
        }
    });
    let mut world = World::new(Seed::new(1));
    let a = world.add_station("a", Box::new(client));
    let b = world.add_station("b", Box::new(server));
    world.connect((a, Port(0)), (b, Port(0)), medium.clone(), medium.clone(), "cable");
    world.run_until(Instant::from_secs(1)).unwrap();
    assert_eq!(counter(&world, a, "UdpOutDatagrams"), 4);
    let got = got.lock().unwrap();
    got.clone()
}

fn size(bytes: u16) -> core::num::NonZeroU16 {
    core::num::NonZeroU16::new(bytes).unwrap()
}

#[test]
fn datagrams_are_the_same_sent_and_received_one_by_one_or_together() {
    use Coalescing::{Off, On};
    // One that carries super-datagrams whole, and one that sends packets.
    let rated = Medium { rate: septet_core::Rate::from_bits_per_sec(1_000_000_000), ..cable() };
    for (medium, whole) in [(cable(), true), (rated, false)] {
        let (plain, asked) = segments(&medium, Off, Off);
        assert_eq!(plain.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 1_000, 700]);
        assert_eq!(asked, 4);
        for (sends, receives) in [(On, Off), (Off, On), (On, On)] {
            let (got, asked) = segments(&medium, sends, receives);
            assert_eq!(got, plain, "{sends:?} {receives:?}");
            let together = whole && (sends, receives) == (On, On);
            assert_eq!(asked, if together { 1 } else { 4 }, "{sends:?} {receives:?} {whole}");
        }
    }
}

#[test]
fn segments_that_no_card_could_send_are_refused() {
    let log = Log::default();
    let out = log.clone();
    let (mut world, ..) = pair(move |net| {
        let log = out.clone();
        async move {
            let udp = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
            let to = Some("10.0.0.2:7".parse().unwrap());
            // The MTU is 1,500, and no more than 64 go together.
            for (len, each) in [(4_000, 1_472), (4_000, 1_473), (640, 10), (650, 10), (1_473, 2_000), (1_472, 2_000)] {
                let sent = udp.send_segmented(&vec![1; len], size(each), to).await;
                log.say(format!("{len}/{each} {:?}", sent.map_err(|e| e.kind())));
            }
        }
    });
    world.run_until(Instant::from_secs(1)).unwrap();
    let refused = |what| format!("{what} Err(InvalidInput)");
    let wanted = [
        "4000/1472 Ok(4000)".to_owned(),
        refused("4000/1473"),
        "640/10 Ok(640)".to_owned(),
        refused("650/10"),
        refused("1473/2000"),
        "1472/2000 Ok(1472)".to_owned(),
    ];
    assert_eq!(log.lines(), wanted);
}

#[test]
fn path_mtu_is_learnt_from_fragmentation_needed() {
    let log = Log::default();
    let (client, server) = echo_sizes(log.clone(), &[1400, 1400, 9000]);
    let (mut world, ids) = chain(600, client, server);
    world.run_until(Instant::from_secs(20)).unwrap();
    // The first is refused by r2 because DF is set; then the client cuts by itself. On the way back r3 refuses the
    // second the same way.
    assert_eq!(log.lines(), ["1400 lost", "1400 lost", "9000 true"].map(String::from));
    assert_eq!(counter(&world, ids[2], "IpFragFails"), 1);
    assert!(counter(&world, ids[0], "IpFragOKs") >= 2);
}

#[test]
fn an_echo_that_must_not_be_cut_hears_the_mtu_and_is_then_refused() {
    let log = Log::default();
    let out = log.clone();
    let mut client = host(1, &["10.0.0.1/24"], Some("10.0.0.254"));
    boots(&mut client, move |net| {
        let log = out.clone();
        async move {
            let socket = net.open_icmp(std::net::Ipv4Addr::LOCALHOST.into()).unwrap();
            for discovery in [MtuDiscovery::Dont, MtuDiscovery::Do, MtuDiscovery::Do, MtuDiscovery::Want] {
                socket.set_mtu_discovery(discovery).unwrap();
                if let Err(e) = socket.send(ip("10.0.3.1"), 1, &[7; 1400]).await {
                    log.say(format!("{discovery:?}: {e}"));
                    continue;
                }
                match net.timeout(Duration::from_secs(2), socket.receive(&mut [0; 1400])).await {
                    Ok(Ok(EchoReply::Reply { len, .. })) => log.say(format!("{discovery:?}: {len} bytes")),
                    Ok(Ok(EchoReply::Error { error, .. })) => log.say(format!("{discovery:?}: {:?}", error.trouble)),
                    other => log.say(format!("{discovery:?}: {other:?}")),
                }
            }
        }
    });
    let (mut world, ids) = chain(600, client, host(2, &["10.0.3.1/24"], Some("10.0.3.254")));
    world.run_until(Instant::from_secs(20)).unwrap();
    let wanted =
        ["Dont: 1400 bytes", "Do: TooBig { mtu: 600 }", "Do: message too long for an MTU of 600", "Want: 1400 bytes"];
    assert_eq!(log.lines(), wanted.map(String::from));
    assert_eq!(counter(&world, ids[2], "IpFragOKs"), 1, "the router has cut only what it may");
}

#[test]
fn a_cut_cable_and_a_crash_are_survived() {
    let log = Log::default();
    let out = log.clone();
    let (mut world, a, b, link) = pair(move |net| {
        let log = out.clone();
        async move {
            log.say(format!("boot at {}", net.now().as_millis()));
            let socket = net.open_icmp(std::net::Ipv4Addr::LOCALHOST.into()).unwrap();
            for seq in 0..100 {
                match socket.send(ip("10.0.0.2"), seq, b"x").await {
                    Ok(()) => {}
                    Err(e) => log.say(format!("{} {:?}", net.now().as_millis(), e.kind())),
                }
                net.sleep(Duration::from_secs(1)).await;
            }
        }
    });
    world.at(Instant::from_millis(1500), carrier(link, Carrier::Down));
    world.at(Instant::from_millis(3500), carrier(link, Carrier::Up));
    world.at(Instant::from_millis(5500), power(a, Power::Off));
    world.at(Instant::from_millis(7500), power(a, Power::On));
    world.run_until(Instant::from_secs(9)).unwrap();
    assert_eq!(
        log.lines(),
        ["boot at 0", "2000 NetworkUnreachable", "3000 NetworkUnreachable", "boot at 7500"].map(String::from)
    );
    // 0, 1, 4, 5, 7.5 and 8.5 s.
    assert_eq!(counter(&world, b, "IcmpInEchos"), 6);
}

#[test]
fn loopback_and_own_addresses_need_no_wire() {
    let log = Log::default();
    let mut world = World::new(Seed::new(1));
    let mut a = host(1, &["10.0.0.1/24"], None);
    let out = log.clone();
    boots(&mut a, move |net| {
        let log = out.clone();
        async move {
            ping(&net, &log, "127.0.0.1", 1, 64).await;
            ping(&net, &log, "10.0.0.1", 1, 64).await;
            let udp = net.bind_udp("127.0.0.1:53".parse().unwrap()).unwrap();
            udp.send_to(&[7; 30_000], "127.0.0.1:53".parse().unwrap()).await.unwrap();
            let mut buf = vec![0; 65_536];
            let got = udp.receive(&mut buf).await.unwrap();
            log.say(format!("{} from {}", got.len, got.from));
            let taken = net.bind_udp("0.0.0.0:53".parse().unwrap()).unwrap_err();
            let foreign = net.bind_udp("10.0.0.7:53".parse().unwrap()).unwrap_err();
            log.say(format!("{:?} {:?}", taken.kind(), foreign.kind()));
        }
    });
    world.add_station("a", Box::new(a));
    world.run_until(Instant::from_secs(1)).unwrap();
    assert_eq!(
        log.lines(),
        [
            "10 from 127.0.0.1 seq 1 ttl 64 time 0",
            "10 from 10.0.0.1 seq 1 ttl 64 time 0",
            "30000 from 127.0.0.1:53",
            "AddrInUse AddrNotAvailable"
        ]
        .map(String::from)
    );
}

#[test]
fn a_flood_waits_for_the_port_and_loses_nothing() {
    let log = Log::default();
    let out = log.clone();
    let mut world = World::new(Seed::new(1));
    let mut a = host(1, &["10.0.0.1/24"], None);
    boots(&mut a, |net| async move {
        let udp = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
        // Resolve first: what waits for ARP is bounded, and more of it would be dropped.
        udp.send_to(&[0; 1], "10.0.0.2:9".parse().unwrap()).await.unwrap();
        net.sleep(Duration::from_millis(100)).await;
        for _ in 0..2000 {
            udp.send_to(&[0; 1000], "10.0.0.2:9".parse().unwrap()).await.unwrap();
        }
    });
    let mut b = host(2, &["10.0.0.2/24"], None);
    boots(&mut b, move |net| {
        let log = out.clone();
        async move {
            let udp = net.bind_udp("0.0.0.0:9".parse().unwrap()).unwrap();
            for _ in 0..2001 {
                udp.receive(&mut [0; 1500]).await.unwrap();
            }
            log.say(format!("all at {}", net.now().as_millis()));
        }
    });
    let (a, b) = (world.add_station("a", Box::new(a)), world.add_station("b", Box::new(b)));
    let rate = septet_core::Rate::from_bits_per_sec(100_000_000);
    let medium = Medium { rate, ..cable() };
    world.connect((a, Port(0)), (b, Port(0)), medium.clone(), medium, "slow");
    world.run_until(Instant::from_secs(2)).unwrap();
    // 2,000 frames of 1,066 octets with preamble and gap at 100 Mbit/s.
    assert_eq!(log.lines(), ["all at 271".to_string()]);
}

#[test]
fn groups_and_broadcasts_reach_whoever_listens() {
    let log = Log::default();
    let mut world = World::new(Seed::new(1));
    let mut ids = Vec::new();
    for n in 1..=3u64 {
        let mut h = host(n, &[&format!("10.0.0.{n}/24")], Some("10.0.0.254"));
        let log = log.clone();
        boots(&mut h, move |net| {
            let log = log.clone();
            async move {
                let udp = net.bind_udp("0.0.0.0:5353".parse().unwrap()).unwrap();
                net.sleep(Duration::from_millis(10 * n)).await;
                if n < 3 {
                    udp.join_multicast(ip("224.0.0.251")).unwrap();
                    assert!(udp.join_multicast(ip("10.0.0.1")).is_err());
                }
                if n == 1 {
                    net.sleep(Duration::from_millis(100)).await;
                    udp.send_to(b"group", "224.0.0.251:5353".parse().unwrap()).await.unwrap();
                    let (net, all) = ("10.0.0.255:5353".parse().unwrap(), "255.255.255.255:5353".parse().unwrap());
                    for to in [net, all] {
                        let denied = udp.send_to(b"no", to).await.unwrap_err().kind();
                        assert_eq!(denied, std::io::ErrorKind::PermissionDenied, "not without SO_BROADCAST");
                    }
                    udp.set_broadcast(septet_socket::Broadcast::Allowed).unwrap();
                    udp.send_to(b"net", net).await.unwrap();
                    udp.send_to(b"all", all).await.unwrap();
                }
                let mut buf = [0; 9];
                while let Ok(got) = net.timeout(Duration::from_secs(1), udp.receive(&mut buf)).await {
                    let got = got.unwrap();
                    log.say(format!("{n} {} from {}", String::from_utf8_lossy(&buf[..got.len]), got.from.ip()));
                }
                udp.send_to(b"late", "10.0.0.1:9".parse().unwrap()).await.unwrap();
            }
        });
        ids.push(world.add_station(&format!("h{n}"), Box::new(h)));
    }
    let switch = world
        .add_station("s", Box::new(septet_datalink::switch::Switch::new(septet_datalink::switch::Config::default())));
    for (n, id) in ids.iter().enumerate() {
        join(&mut world, (*id, 0), (switch, n as u16));
    }
    let kinds = Log::default();
    world.add_monitor(Kinds(kinds.clone()));
    world.run_until(Instant::from_secs(15)).unwrap();
    let mut lines = log.lines();
    lines.sort();
    let expect = [
        "1 all from 10.0.0.1",
        "1 group from 10.0.0.1",
        "1 net from 10.0.0.1",
        "2 all from 10.0.0.1",
        "2 group from 10.0.0.1",
        "2 net from 10.0.0.1",
        "3 all from 10.0.0.1",
        "3 net from 10.0.0.1",
    ];
    assert_eq!(lines, expect.map(String::from));
    let said = |kind: &str| kinds.lines().iter().filter(|l| l.contains(kind)).count();
    assert_eq!(said("igmp.report"), 8, "each of two members tells twice that it joins, and twice that it leaves");
}
