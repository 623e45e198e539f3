//! What becomes of a handle that cannot reach its host, and of the socket behind it.

use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread;

use septet_core::{EventId, Instant, Port, Power, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_physical::Medium;
use septet_socket::{ListenOptions, NetRef, TcpOptions, TcpStream, UdpSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn host(number: u64) -> Host {
    let address = format!("10.0.0.{number}/24").parse().unwrap();
    let interface = InterfaceConfig { mac: MacAddr::local(number), addresses: vec![address], mtu: 1500 };
    Host::new(HostConfig { interfaces: vec![interface], ..HostConfig::new(format!("h{number}")) }).unwrap()
}

fn at(number: u64, port: u16) -> SocketAddr {
    format!("10.0.0.{number}:{port}").parse().unwrap()
}

/// Two hosts on one cable.
fn world(a: Host, b: Host) -> (World, StationId, StationId) {
    let mut world = World::new(Seed::new(1));
    let a = world.add_station("a", Box::new(a));
    let b = world.add_station("b", Box::new(b));
    let cable = || Medium { delay: Duration::from_millis(1), ..Medium::default() };
    world.connect((a, Port(0)), (b, Port(0)), cable(), cable(), "cable");
    (world, a, b)
}

/// A host that is alone, has run for a second, and whose socket is bound to port 5.
fn alone() -> (World, StationId, NetRef, UdpSocket) {
    let (mut world, a, _) = world(host(1), host(2));
    world.run_until(Instant::from_secs(1)).unwrap();
    let net = world.station::<Host>(a).unwrap().net();
    let socket = net.bind_udp(at(1, 5)).unwrap();
    (world, a, net, socket)
}

fn error<T>(result: io::Result<T>) -> (ErrorKind, String) {
    let error = result.err().expect("the host is out of reach");
    (error.kind(), error.to_string())
}

/// Lets the host have its turn.
fn look_at(world: &mut World, id: StationId) {
    let _ = world.station_mut::<Host>(id);
    let now = world.now();
    world.run_until(now + Duration::from_millis(1)).unwrap();
}

#[test]
fn where_the_host_is_switched_off_the_handle_says_so() {
    let (mut world, a, net, socket) = alone();
    world.set_power(a, Power::Off, EventId::NONE);
    let off = (ErrorKind::NetworkDown, "the host of this socket was switched off".to_owned());
    assert_eq!(error(socket.local_addr()), off);
    assert_eq!(error(net.bind_udp(at(1, 6))).0, ErrorKind::NetworkDown);
    world.set_power(a, Power::On, EventId::NONE);
    // It is on again, and the socket is of its former life.
    assert_eq!(error(socket.local_addr()), off);
    assert!(net.bind_udp(at(1, 5)).is_ok());
}

/// Whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_for_what_ports_counted_hears_that_the_host_was_switched_off() {
    let (mut world, a, net, _socket) = alone();
    let admin = net.admin().unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut asks = pin!(admin.counters());
    assert!(asks.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    world.set_power(a, Power::Off, EventId::NONE);
    assert!(woken.0.load(Ordering::Relaxed));
    let Poll::Ready(answer) = asks.as_mut().poll(&mut Context::from_waker(&waker)) else { panic!("it still waits") };
    assert_eq!(error(answer).0, ErrorKind::NetworkDown);
}

#[test]
fn where_the_world_is_no_more_the_handle_says_so() {
    let (world, _, net, socket) = alone();
    drop(world);
    let gone = (ErrorKind::NotFound, "the world of this host is no more".to_owned());
    assert_eq!(error(socket.local_addr()), gone);
    assert_eq!(error(net.bind_udp(at(1, 6))), gone);
    net.spawn(Box::pin(async { panic!("nobody runs this") }));
    thread::spawn(move || assert_eq!(error(socket.set_ttl(3)), gone)).join().unwrap();
}

#[test]
fn on_another_thread_the_handle_says_so_and_its_drop_closes_the_socket() {
    let (mut world, a, net, socket) = alone();
    let taken = net.clone();
    thread::spawn(move || {
        let (kind, why) = error(socket.set_ttl(3));
        assert_eq!(kind, ErrorKind::Unsupported);
        assert!(why.contains("another thread"), "{why}");
        assert_eq!(error(taken.open_icmp(std::net::Ipv4Addr::LOCALHOST.into())).0, ErrorKind::Unsupported);
        drop(socket);
    })
    .join()
    .unwrap();
    assert_eq!(error(net.bind_udp(at(1, 5))).0, ErrorKind::AddrInUse);
    look_at(&mut world, a);
    assert!(net.bind_udp(at(1, 5)).is_ok());
}

#[test]
fn a_connection_dropped_on_another_thread_is_closed() {
    let (mut a, mut b) = (host(1), host(2));
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let log = heard.clone();
    b.on_boot(move |net| {
        let (listener, log) = (net.listen(at(2, 80), ListenOptions::default()).unwrap(), log.clone());
        net.spawn(Box::pin(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            log.lock().unwrap().push(text);
        }));
    });
    let kept = Arc::<Mutex<Option<TcpStream>>>::default();
    let keep = kept.clone();
    a.on_boot(move |net| {
        let keep = keep.clone();
        net.clone().spawn(Box::pin(async move {
            let mut stream = net.connect(at(2, 80), TcpOptions::default()).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            *keep.lock().unwrap() = Some(stream);
        }));
    });
    let (mut world, a, _) = world(a, b);
    world.run_until(Instant::from_secs(1)).unwrap();
    let stream = kept.lock().unwrap().take().unwrap();
    thread::spawn(move || drop(stream)).join().unwrap();
    assert!(heard.lock().unwrap().is_empty());
    look_at(&mut world, a);
    world.run_until(Instant::from_secs(2)).unwrap();
    assert_eq!(*heard.lock().unwrap(), ["hello"]);
}

#[test]
fn what_tcp_counted_outlives_lives_in_which_there_was_none() {
    let (mut world, a, net, _socket) = alone();
    {
        let mut connects = pin!(net.connect(at(2, 80), TcpOptions::default()));
        assert!(connects.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let opens = |world: &World| {
        let host = world.station::<Host>(a).unwrap();
        host.counters().find(|(name, _)| *name == "TcpActiveOpens").unwrap().1
    };
    assert_eq!(opens(&world), 1);
    for life in 1..4 {
        world.set_power(a, Power::Off, EventId::NONE);
        world.set_power(a, Power::On, EventId::NONE);
        assert_eq!(opens(&world), 1, "after {life} times");
    }
}

/// Uses a host's network from inside of the host's own call, and lets go of a socket there.
struct Intruder {
    net: NetRef,
    socket: Mutex<Option<UdpSocket>>,
    found: Mutex<Option<ErrorKind>>,
}

impl Wake for Intruder {
    fn wake(self: Arc<Self>) {
        *self.found.lock().unwrap() = Some(error(self.net.bind_udp(at(1, 7))).0);
        drop(self.socket.lock().unwrap().take());
    }
}

#[test]
fn in_the_midst_of_another_call_the_host_is_busy_and_a_drop_closes_the_socket_afterwards() {
    let mut b = host(2);
    b.on_boot(|net| {
        net.clone().spawn(Box::pin(async move {
            net.sleep_until(Instant::from_secs(2)).await;
            net.bind_udp(at(2, 9)).unwrap().send_to(b"wake up", at(1, 5)).await.unwrap();
        }));
    });
    let (mut world, a, _) = world(host(1), b);
    world.run_until(Instant::from_secs(1)).unwrap();
    let net = world.station::<Host>(a).unwrap().net();
    let (asleep, dropped) = (net.bind_udp(at(1, 5)).unwrap(), net.bind_udp(at(1, 6)).unwrap());
    let intruder = Arc::new(Intruder { net: net.clone(), socket: Mutex::new(Some(dropped)), found: Mutex::default() });
    let waker = Waker::from(intruder.clone());
    let mut buf = [0; 9];
    let mut received = pin!(asleep.receive(&mut buf));
    assert!(received.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    world.run_until(Instant::from_secs(3)).unwrap();
    assert_eq!(*intruder.found.lock().unwrap(), Some(ErrorKind::ResourceBusy));
    assert!(net.bind_udp(at(1, 6)).is_ok());
}

#[test]
fn a_program_that_is_not_send_runs_beside_the_others() {
    let mut a = host(1);
    let sum = Rc::new(Cell::new(0));
    let (tasks, shared) = (a.tasks(), sum.clone());
    a.on_boot(move |net| {
        let sum = shared.clone();
        tasks.spawn_local(Box::pin(async move {
            for step in 1..=3 {
                net.sleep_until(Instant::from_secs(step)).await;
                sum.set(sum.get() + step);
            }
            // It holds sockets as any other.
            assert!(net.bind_udp(at(1, 5)).is_ok());
        }));
    });
    let (mut world, a, _) = world(a, host(2));
    world.run_until(Instant::from_millis(2500)).unwrap();
    assert_eq!(sum.get(), 3);
    // Switched off, the host ends it; switched on, it begins anew, and the two first times are over.
    world.set_power(a, Power::Off, EventId::NONE);
    assert_eq!(Rc::strong_count(&sum), 2);
    world.set_power(a, Power::On, EventId::NONE);
    world.run_until(Instant::from_secs(4)).unwrap();
    assert_eq!(sum.get(), 9);
}
