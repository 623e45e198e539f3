//! What is changed about a host while it runs: addresses that come, are fought for and go; interfaces that are switched off;
//! neighbours by hand; sockets of one interface and of one link.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use septet_core::{Carrier, Event, Instant, Interest, Monitor, Port, Seed};
use septet_datalink::ethernet::{EtherType, MacAddr};
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_network::arp::{Operation, Packet};
use septet_network::neighbor::State;
use septet_physical::Medium;
use septet_socket::admin::{AdminState, Change, Check, Defence, Lifetime, NewAddress, News};
use septet_socket::{Broadcast, NetExt, NetRef, TcpOptions};
use tokio::io::AsyncWriteExt;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, word: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(word)).count()
    }
}

/// Keeps the kinds of ARP's events.
struct Arp(Log);

impl Monitor for Arp {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        if event.kind.starts_with("arp.") {
            self.0.say(format!("{} {}", event.station.0, event.kind));
        }
    }
}

fn host(number: u64, addresses: &[&str]) -> Host {
    let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
    let interface = InterfaceConfig { mac: MacAddr::local(number), addresses, mtu: 1500 };
    Host::new(HostConfig { interfaces: vec![interface], ..HostConfig::new(format!("h{number}")) }).unwrap()
}

fn boots<F>(host: &mut Host, program: impl Fn(NetRef) -> F + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    host.on_boot(move |net| {
        net.spawn(Box::pin(program(net.clone())));
    });
}

/// Two hosts on one cable, and what ARP does.
fn world(a: Host, b: Host) -> (World, Log) {
    let (mut world, log) = (World::new(Seed::new(7)), Log::default());
    let stations = [a, b].map(|host| world.add_station("h", Box::new(host)));
    let cable = Medium { delay: Duration::from_micros(50), ..Medium::default() };
    world.connect((stations[0], Port(0)), (stations[1], Port(0)), cable.clone(), cable, "cable");
    world.add_monitor(Arp(log.clone()));
    (world, log)
}

fn probed(address: &str) -> NewAddress {
    let (check, defence) = (Check::Probe, Defence::Once);
    NewAddress { check, defence, ..NewAddress::new(address.parse().unwrap()) }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_address_is_asked_for_told_used_and_goes_with_its_routes() {
    let said = Log::default();
    let mut a = host(1, &[]);
    let log = said.clone();
    boots(&mut a, move |net| {
        let log = log.clone();
        async move {
            let admin = net.admin().unwrap();
            let mut changes = admin.watch().unwrap();
            admin.add_address(0, probed("10.0.0.1/24")).unwrap();
            assert!(net.addresses().is_empty(), "not before it is known to be free");
            assert_eq!(admin.addresses().unwrap().len(), 1, "but it is shown");
            let Change::Address { news, .. } = changes.next().await.unwrap() else { panic!() };
            assert_eq!((news, net.addresses()), (News::Ready, vec![ip("10.0.0.1")]));
            let ready = net.now();
            assert!((4.0..=8.0).contains(&ready.as_secs_f64()), "{ready:?}");
            let mut stream = net.connect("10.0.0.2:7".parse().unwrap(), TcpOptions::default()).await.unwrap();
            stream.write_all(b"before").await.unwrap();
            net.sleep(Duration::from_secs(3)).await;
            admin.remove_address(0, ip("10.0.0.1")).unwrap();
            assert!(admin.routes().unwrap().is_empty() && net.addresses().is_empty());
            assert_eq!(
                changes.next().await.unwrap(),
                Change::Address { iface: 0, address: ip("10.0.0.1"), news: News::Gone }
            );
            let refused = net.bind_udp("10.0.0.1:9".parse().unwrap()).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::AddrNotAvailable);
            // The connection is not told; what it sends goes nowhere until its address is back.
            stream.write_all(b" and after").await.unwrap();
            net.sleep(Duration::from_secs(2)).await;
            log.say("back");
            admin.add_address(0, NewAddress::new("10.0.0.1/24".parse().unwrap())).unwrap();
            stream.shutdown().await.unwrap();
            let again = admin.add_address(0, NewAddress::new("10.0.0.1/24".parse().unwrap())).unwrap_err();
            assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
        }
    });
    let mut b = host(2, &["10.0.0.2/24"]);
    let log = said.clone();
    boots(&mut b, move |net| {
        let log = log.clone();
        async move {
            let listener = net.listen("0.0.0.0:7".parse().unwrap(), septet_socket::ListenOptions::default()).unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buf = [0; 64];
            loop {
                let n = tokio::io::AsyncReadExt::read(&mut stream, &mut buf).await.unwrap();
                if n == 0 {
                    return log.say("end");
                }
                log.say(String::from_utf8_lossy(&buf[..n]));
            }
        }
    });
    let (mut world, arp) = world(a, b);
    let _ = world.run_until(Instant::from_secs(30));
    assert_eq!(said.lines(), ["before", "back", " and after", "end"]);
    assert_eq!((arp.count("arp.probe"), arp.count("arp.announce")), (3, 4));
}

#[test]
fn an_address_of_another_is_not_taken() {
    let said = Log::default();
    let mut a = host(1, &[]);
    let log = said.clone();
    boots(&mut a, move |net| {
        let log = log.clone();
        async move {
            let admin = net.admin().unwrap();
            let mut changes = admin.watch().unwrap();
            admin.add_address(0, probed("10.0.0.2/24")).unwrap();
            loop {
                if let Change::Address { news, .. } = changes.next().await.unwrap() {
                    return log.say(format!("{news:?} {}", net.addresses().len()));
                }
            }
        }
    });
    let (mut world, arp) = world(a, host(2, &["10.0.0.2/24"]));
    let _ = world.run_until(Instant::from_secs(20));
    assert_eq!(said.lines(), [format!("Conflict {{ with: {} }} 0", MacAddr::local(2))]);
    assert_eq!(arp.count("arp.announce"), 0);
}

#[test]
fn a_leased_address_ends_and_one_that_is_attacked_is_defended_then_given_up() {
    let said = Log::default();
    let mut a = host(1, &[]);
    let log = said.clone();
    boots(&mut a, move |net| {
        let log = log.clone();
        async move {
            let admin = net.admin().unwrap();
            let mut changes = admin.watch().unwrap();
            net.sleep(Duration::from_secs(1)).await;
            let lifetime = Lifetime::lasting(net.now(), Duration::from_secs(60));
            admin.add_address(0, NewAddress { lifetime, ..probed("10.0.0.1/24") }).unwrap();
            admin.add_address(0, NewAddress { lifetime, ..NewAddress::new("10.9.0.1/24".parse().unwrap()) }).unwrap();
            loop {
                if let Change::Address { news, address, .. } = changes.next().await.unwrap() {
                    log.say(format!("{} {address} {news:?}", net.now().as_millis() / 1000));
                }
            }
        }
    });
    let mut b = host(2, &["10.0.0.2/24"]);
    boots(&mut b, |net| async move {
        let socket = net.open_packet("eth0", EtherType::ARP).unwrap();
        let own = net.admin().unwrap().link("eth0").unwrap().mac;
        for at in [20, 21] {
            net.sleep_until(Instant::from_secs(at)).await;
            let claim = Packet {
                operation: Operation::Reply,
                sender_mac: own,
                sender_ip: Ipv4Addr::new(10, 0, 0, 1),
                target_mac: MacAddr::BROADCAST,
                target_ip: Ipv4Addr::new(10, 0, 0, 1),
            };
            socket.send(claim.to_frame().bytes(), MacAddr::BROADCAST).unwrap();
        }
    });
    let (mut world, arp) = world(a, b);
    let _ = world.run_until(Instant::from_secs(90));
    let lines = said.lines();
    assert!(lines[0].ends_with("10.9.0.1 Ready") && lines[1].ends_with("10.0.0.1 Ready"), "{lines:?}");
    assert!(lines[2].starts_with("21 10.0.0.1 Conflict"), "{lines:?}");
    assert_eq!(lines[3..], ["61 10.9.0.1 Gone"]);
    assert_eq!(arp.count("arp.conflict"), 2);
}

#[test]
fn sockets_of_an_interface_speak_before_it_has_an_address_and_not_when_it_is_off() {
    let said = Log::default();
    let mut a = host(1, &[]);
    let log = said.clone();
    boots(&mut a, move |net| {
        let log = log.clone();
        async move {
            net.sleep(Duration::from_millis(10)).await;
            assert_eq!(net.bind_udp_on("eth7", any(68)).unwrap_err().kind(), std::io::ErrorKind::NotFound);
            let socket = net.bind_udp_on("eth0", any(68)).unwrap();
            socket.set_broadcast(Broadcast::Allowed).unwrap();
            socket.send_to(b"who am I", SocketAddr::new(Ipv4Addr::BROADCAST.into(), 67)).await.unwrap();
            let mut buf = [0; 64];
            let datagram = socket.receive(&mut buf).await.unwrap();
            log.say(format!("a: {} from {}", String::from_utf8_lossy(&buf[..datagram.len]), datagram.from));
            let admin = net.admin().unwrap();
            let mut changes = admin.watch().unwrap();
            admin.set_link(0, AdminState::Down).unwrap();
            let off = socket.send_to(b"deaf", SocketAddr::new(Ipv4Addr::BROADCAST.into(), 67)).await.unwrap_err();
            log.say(format!("a: {:?}", off.kind()));
            net.sleep(Duration::from_secs(1)).await;
            admin.set_link(0, AdminState::Up).unwrap();
            assert!(matches!(changes.next().await.unwrap(), Change::Link { state: Carrier::Down, .. }));
            assert!(matches!(changes.next().await.unwrap(), Change::Link { state: Carrier::Up, .. }));
            socket.send_to(b"again", SocketAddr::new(Ipv4Addr::BROADCAST.into(), 67)).await.unwrap();
        }
    });
    let mut b = host(2, &["10.0.0.2/24"]);
    let log = said.clone();
    boots(&mut b, move |net| {
        let log = log.clone();
        async move {
            let socket = net.bind_udp_on("eth0", any(67)).unwrap();
            socket.set_broadcast(Broadcast::Allowed).unwrap();
            let mut buf = [0; 64];
            loop {
                let datagram = socket.receive(&mut buf).await.unwrap();
                log.say(format!("b: {} from {}", String::from_utf8_lossy(&buf[..datagram.len]), datagram.from));
                // Nobody answers ARP for an address that is not there yet: the entry is made by hand.
                let admin = net.admin().unwrap();
                admin.set_neighbor(0, ip("10.0.0.1"), MacAddr::local(1), State::Reachable).unwrap();
                let broadcast = SocketAddr::new(Ipv4Addr::BROADCAST.into(), 68);
                socket.send_to(b"you", broadcast).await.unwrap();
            }
        }
    });
    let (mut world, arp) = world(a, b);
    let _ = world.run_until(Instant::from_secs(5));
    let wanted =
        ["b: who am I from 0.0.0.0:68", "a: you from 10.0.0.2:67", "a: NetworkUnreachable", "b: again from 0.0.0.0:68"];
    assert_eq!(said.lines(), wanted);
    assert!(arp.lines().is_empty(), "{:?}", arp.lines());
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)
}
