//! How often a byte on its way from write to read has its route looked up: once for each segment, at either end.

use core::time::Duration;
use std::net::SocketAddr;

use septet_core::{Instant, Port, Rate, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig, StaticRoute};
use septet_physical::Medium;
use septet_socket::{ListenOptions, NetRef, Nodelay, TcpOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn host(number: u64) -> Host {
    let interface = InterfaceConfig {
        mac: MacAddr::local(number),
        addresses: vec![format!("10.0.0.{number}/24").parse().unwrap()],
        mtu: 1500,
    };
    let elsewhere = StaticRoute::new("0.0.0.0/0".parse().unwrap(), "10.0.0.254".parse().unwrap());
    let config = HostConfig { interfaces: vec![interface], routes: vec![elsewhere], ..HostConfig::new("host") };
    Host::new(config).unwrap()
}

/// What a host has counted.
fn counted(world: &World, id: StationId, names: &[&str]) -> u64 {
    world.station::<Host>(id).unwrap().counters().filter(|(name, _)| names.contains(name)).map(|(_, n)| n).sum()
}

fn look_ups(world: &World, id: StationId) -> u64 {
    world.station::<Host>(id).unwrap().with_ip(septet_network::Ip::look_ups)
}

/// Plays two hosts on a cable until their neighbours and windows are known, then for another second; gives the segments
/// and look-ups of that second at either end.
fn play<C, S>(client: fn(NetRef) -> C, server: fn(NetRef) -> S) -> [(u64, u64); 2]
where
    C: Future<Output = ()> + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let (mut a, mut b) = (host(1), host(2));
    a.on_boot(move |net| drop(net.spawn(Box::pin(client(net.clone())))));
    b.on_boot(move |net| drop(net.spawn(Box::pin(server(net.clone())))));
    let mut world = World::new(Seed::new(1));
    let ends = [world.add_station("a", Box::new(a)), world.add_station("b", Box::new(b))];
    let rate = Rate::from_bits_per_sec(50_000_000);
    let cable = || Medium { rate, delay: Duration::from_millis(1), ..Medium::default() };
    world.connect((ends[0], Port(0)), (ends[1], Port(0)), cable(), cable(), "cable");
    let now =
        |world: &World| ends.map(|id| (counted(world, id, &["IpInReceives", "IpOutRequests"]), look_ups(world, id)));
    world.run_until(Instant::from_secs(1)).unwrap();
    let before = now(&world);
    world.run_until(Instant::from_secs(2)).unwrap();
    let after = now(&world);
    [0, 1].map(|end| (after[end].0 - before[end].0, after[end].1 - before[end].1))
}

fn to() -> SocketAddr {
    "10.0.0.2:7".parse().unwrap()
}

fn options() -> TcpOptions {
    TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() }
}

#[test]
fn each_segment_of_an_exchange_is_looked_up_once() {
    let ends = play(
        |net| async move {
            let mut stream = net.connect(to(), options()).await.unwrap();
            let mut buf = [1; 100];
            while stream.write_all(&buf).await.is_ok() && stream.read_exact(&mut buf).await.is_ok() {}
        },
        |net| async move {
            let listener = net.listen(to(), ListenOptions { tcp: options(), ..ListenOptions::default() }).unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buf = [0; 100];
            while stream.read_exact(&mut buf).await.is_ok() && stream.write_all(&buf).await.is_ok() {}
        },
    );
    for (segments, look_ups) in ends {
        // Two milliseconds for each exchange of two segments.
        assert!(segments > 900, "{segments}");
        assert_eq!(segments, look_ups);
    }
}

#[test]
fn each_packet_of_a_bulk_flow_is_looked_up_once() {
    let ends = play(
        |net| async move {
            let mut stream = net.connect(to(), TcpOptions::default()).await.unwrap();
            stream.write_synthetic(0, 1 << 40).await.unwrap();
        },
        |net| async move {
            let listener = net.listen(to(), ListenOptions::default()).unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buf = vec![0; 64 * 1024];
            while stream.read(&mut buf).await.is_ok_and(|n| n > 0) {}
        },
    );
    for (packets, look_ups) in ends {
        assert!(packets > 1000 && look_ups == packets, "{look_ups} look-ups of {packets} packets");
    }
}

#[test]
fn a_datagram_is_looked_up_when_it_is_written_and_when_it_leaves() {
    let [(sent, of_sender), (received, of_receiver)] = play(
        |net| async move {
            let socket = net.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
            for at in 0.. {
                socket.send_to(&[7; 100], to()).await.unwrap();
                net.sleep_until(Instant::from_millis(at)).await;
            }
        },
        |net| async move {
            let socket = net.bind_udp(to()).unwrap();
            let mut buf = [0; 2048];
            while socket.receive(&mut buf).await.is_ok() {}
        },
    );
    assert!(sent > 900 && received > 900, "{sent} sent, {received} received");
    assert_eq!((of_sender, of_receiver), (2 * sent, received));
}
