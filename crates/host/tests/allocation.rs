//! In a steady state nothing is allocated for a packet, through programs, sockets, hosts and a router.

use core::time::Duration;
use std::net::SocketAddr;

use septet_core::{Instant, Port, Rate, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_host::{Forwarding, Host, HostConfig, InterfaceConfig, StaticRoute};
use septet_physical::Medium;
use septet_physical::queue::{Limit, QueueSpec};
use septet_socket::{ListenOptions, NetRef, TcpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn host(name: &str, addresses: &[&str], gateway: Option<&str>) -> Host {
    let mac = |n: usize| MacAddr::local(name.bytes().map(u64::from).sum::<u64>() * 16 + n as u64);
    let interface = |(n, address): (usize, &&str)| InterfaceConfig {
        mac: mac(n),
        addresses: vec![address.parse().unwrap()],
        mtu: 1500,
    };
    Host::new(HostConfig {
        interfaces: addresses.iter().enumerate().map(interface).collect(),
        routes: gateway
            .map(|g| StaticRoute::new("0.0.0.0/0".parse().unwrap(), g.parse().unwrap()))
            .into_iter()
            .collect(),
        forwarding: if gateway.is_none() { Forwarding::On } else { Forwarding::Off },
        ..HostConfig::new(name)
    })
    .unwrap()
}

/// Plays a client and a server for two seconds; counts what the server received and what was allocated in the second.
fn play<C, S>(client: fn(NetRef) -> C, server: fn(NetRef) -> S) -> (u64, u64)
where
    C: Future<Output = ()> + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let (mut world, b) = world(client, server);
    world.run_until(Instant::from_secs(1)).unwrap();
    let before = received(&world, b);
    let cost = allocation_counter::measure(|| world.run_until(Instant::from_secs(2)).unwrap());
    (received(&world, b) - before, cost.count_total)
}

/// A client and a server with a router between them.
fn world<C, S>(client: fn(NetRef) -> C, server: fn(NetRef) -> S) -> (World, StationId)
where
    C: Future<Output = ()> + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let mut a = host("client", &["10.0.1.2/24"], Some("10.0.1.1"));
    let router = host("router", &["10.0.1.1/24", "10.0.2.1/24"], None);
    let mut b = host("server", &["10.0.2.2/24"], Some("10.0.2.1"));
    a.on_boot(move |net| drop(net.spawn(Box::pin(client(net.clone())))));
    b.on_boot(move |net| drop(net.spawn(Box::pin(server(net.clone())))));
    let mut world = World::new(Seed::new(1));
    let a = world.add_station("client", Box::new(a));
    let router = world.add_station("router", Box::new(router));
    let b = world.add_station("server", Box::new(b));
    for (from, to) in [((a, Port(0)), (router, Port(0))), ((router, Port(1)), (b, Port(0)))] {
        world.connect(from, to, line(), line(), &format!("{from:?}"));
    }
    (world, b)
}

fn line() -> Medium {
    Medium {
        rate: Rate::from_bits_per_sec(100_000_000),
        delay: Duration::from_micros(500),
        queue: QueueSpec::drop_tail(Limit::Packets(100)),
        ..Medium::default()
    }
}

fn received(world: &World, server: StationId) -> u64 {
    world.port_counters(server, Port(0)).unwrap().rx_packets
}

fn to() -> SocketAddr {
    "10.0.2.2:7".parse().unwrap()
}

#[test]
fn datagrams() {
    let client = |net: NetRef| async move {
        let socket = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
        let mut at = Instant::ZERO;
        loop {
            for _ in 0..20 {
                socket.send_to(&[7; 1000], to()).await.unwrap();
            }
            at += Duration::from_millis(4);
            net.sleep_until(at).await;
        }
    };
    let server = |net: NetRef| async move {
        let socket = net.bind_udp(to()).unwrap();
        let mut buf = [0; 2048];
        while socket.receive(&mut buf).await.is_ok() {}
    };
    // A program's timer is an object of its own: 250 of them.
    assert_eq!(play(client, server), (5_000, 250));
}

/// Sends without an end; without losses, the receiver's window is what bounds it.
async fn send(net: NetRef, options: TcpOptions) {
    let mut stream = net.connect(to(), options).await.unwrap();
    let bytes = vec![7; 16 * 1024];
    while stream.write_all(&bytes).await.is_ok() {}
}

async fn receive(net: NetRef, options: TcpOptions) {
    let listener = net.listen(to(), ListenOptions { tcp: options, ..ListenOptions::default() }).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buf = vec![0; 64 * 1024];
    while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {}
}

async fn synthetic(net: NetRef, options: TcpOptions) {
    let mut stream = net.connect(to(), options).await.unwrap();
    stream.write_synthetic(0, 1 << 40).await.unwrap();
}

fn bounded() -> TcpOptions {
    TcpOptions { receive_buffer: Some(48 * 1024), ..TcpOptions::default() }
}

#[test]
fn a_bulk_flow() {
    let (packets, allocations) = play(|net| synthetic(net, bounded()), |net| receive(net, bounded()));
    // Beside the segments there is a question for a link address now and then.
    assert!(packets > 7_500 && allocations <= 4, "{allocations} allocations for {packets} packets");
}

#[test]
fn a_bulk_flow_of_stored_bytes_allocates_for_writes_only() {
    let (packets, allocations) = play(|net| send(net, bounded()), |net| receive(net, bounded()));
    // A write of 16 KiB is twelve segments.
    assert!(packets > 7_500 && allocations <= packets / 10, "{allocations} allocations for {packets} packets");
}

#[test]
fn losses_allocate_little() {
    let (packets, allocations) =
        play(|net| synthetic(net, TcpOptions::default()), |net| receive(net, TcpOptions::default()));
    assert!(packets > 7_500 && allocations <= packets / 100, "{allocations} allocations for {packets} packets");
}

#[test]
fn closed_connections_leave_nothing() {
    const CONNECTIONS: usize = 300;
    let client = |net: NetRef| async move {
        for round in 0..2 {
            let mut streams = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut stream = net.connect(to(), TcpOptions::default()).await.unwrap();
                stream.write_all(b"hello").await.unwrap();
                streams.push(stream);
            }
            net.sleep_until(Instant::from_secs(50 + 200 * round)).await;
            drop(streams);
            net.sleep_until(Instant::from_secs(200)).await;
        }
    };
    let server = |net: NetRef| async move {
        let listener = net.listen(to(), ListenOptions::default()).unwrap();
        while let Ok((mut stream, _)) = listener.accept().await {
            net.spawn(Box::pin(async move {
                let mut buf = [0; 64];
                while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {}
            }));
        }
    };
    let (mut world, _) = world(client, server);
    // The second round, from the first connection until TIME-WAIT is over.
    world.run_until(Instant::from_secs(199)).unwrap();
    let cost = allocation_counter::measure(|| world.run_until(Instant::from_secs(400)).unwrap());
    assert!(cost.bytes_max > CONNECTIONS as u64 * 1000, "{cost:?}");
    assert!(cost.bytes_current < 4096, "{cost:?}");
}
