//! TCP through `AsyncRead` and `AsyncWrite`, between hosts of a real world.

use core::time::Duration;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use septet_core::{Carrier, EventId, Instant, Port, Power, Rate, Seed, StationId};
use septet_datalink::ethernet::MacAddr;
use septet_engine::{Action, LinkId, World};
use septet_host::{Host, HostConfig, InterfaceConfig};
use septet_physical::{Medium, Ratio};
use septet_socket::{ListenOptions, NetExt, NetRef, Nodelay, TcpOptions, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

fn host(number: u64) -> Host {
    let address = format!("10.0.0.{number}/24").parse().unwrap();
    let interface = InterfaceConfig { mac: MacAddr::local(number), addresses: vec![address], mtu: 1500 };
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

/// A client and a server on one link.
fn pair<C, S>(
    medium: Medium,
    client: impl Fn(NetRef) -> C + 'static,
    server: impl Fn(NetRef) -> S + 'static,
) -> (World, StationId, StationId, LinkId)
where
    C: Future<Output = ()> + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let mut world = World::new(Seed::new(7));
    let (mut a, mut b) = (host(1), host(2));
    boots(&mut a, client);
    boots(&mut b, server);
    let (a, b) = (world.add_station("client", Box::new(a)), world.add_station("server", Box::new(b)));
    let link = world.connect((a, Port(0)), (b, Port(0)), medium.clone(), medium, "link");
    (world, a, b, link)
}

fn cable() -> Medium {
    Medium { delay: Duration::from_millis(1), ..Medium::default() }
}

fn server_addr() -> SocketAddr {
    "10.0.0.2:7".parse().unwrap()
}

async fn connect(net: &NetRef) -> TcpStream {
    net.connect(server_addr(), TcpOptions::default()).await.unwrap()
}

/// Sends back what comes, on every connection, until its end.
async fn echo(net: NetRef) {
    let listener = net.listen("0.0.0.0:7".parse().unwrap(), ListenOptions::default()).unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        net.spawn(Box::pin(async move {
            let mut buf = vec![0; 4096];
            loop {
                match stream.read(&mut buf).await {
                    Ok(0) | Err(_) => return,
                    Ok(n) => stream.write_all(&buf[..n]).await.unwrap(),
                }
            }
        }));
    }
}

fn counter(world: &World, id: StationId, name: &str) -> u64 {
    world.station::<Host>(id).unwrap().counters().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("{name}")).1
}

fn carrier(link: LinkId, carrier: Carrier) -> Action {
    Action::Carrier { link, carrier, cause: EventId::NONE }
}

fn power(station: StationId, power: Power) -> Action {
    Action::Power { station, power, cause: EventId::NONE }
}

#[test]
fn echo_and_half_close() {
    let log = Log::default();
    let out = log.clone();
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            let mut stream = connect(&net).await;
            log.say(format!("{} at {}", stream.peer_addr().unwrap(), net.now().as_millis()));
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            log.say(format!("{} at {}", String::from_utf8(all).unwrap(), net.now().as_millis()));
            assert_eq!(stream.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        }
    };
    let (mut world, a, b, _) = pair(cable(), client, echo);
    world.run_until(Instant::from_secs(1)).unwrap();
    // ARP takes one round trip, the handshake another, the echo the third.
    assert_eq!(log.lines(), ["10.0.0.2:7 at 4", "hello at 6"].map(String::from));
    assert_eq!(counter(&world, a, "TcpActiveOpens"), 1);
    assert_eq!(counter(&world, b, "TcpPassiveOpens"), 1);
}

/// Writes and reads at once, so that neither side's buffers fill for ever.
async fn round_trip(stream: TcpStream, len: usize) -> bool {
    let data: Vec<u8> = (0..len).map(|i| (i * 31 / 7) as u8).collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        writer.write_all(&data).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let read = async { reader.read_to_end(&mut back).await.unwrap() };
    let (mut write, mut read) = (Box::pin(write), Box::pin(read));
    let (mut written, mut done) = (false, false);
    poll_fn(|cx| {
        written = written || write.as_mut().poll(cx).is_ready();
        done = done || Pin::new(&mut read).poll(cx).is_ready();
        if written && done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    drop(read);
    back == data
}

#[test]
fn a_megabyte_there_and_back_through_loss() {
    let log = Log::default();
    let out = log.clone();
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            let ok = round_trip(connect(&net).await, 1_000_000).await;
            log.say(format!("{ok}"));
        }
    };
    let medium = Medium { rate: Rate::from_bits_per_sec(50_000_000), loss: Ratio::new(0.02).unwrap(), ..cable() };
    let (mut world, a, ..) = pair(medium, client, echo);
    world.run_until(Instant::from_secs(120)).unwrap();
    assert_eq!(log.lines(), ["true"].map(String::from));
    assert!(counter(&world, a, "TcpRetransSegs") > 5);
}

#[test]
fn many_connections_at_once() {
    let log = Log::default();
    let out = log.clone();
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            for i in 0..500usize {
                let (net2, log) = (net.clone(), log.clone());
                net.spawn(Box::pin(async move {
                    if round_trip(connect(&net2).await, 100 + i * 10).await {
                        log.say("ok");
                    }
                }));
            }
        }
    };
    let (mut world, _, b, _) = pair(cable(), client, echo);
    world.run_until(Instant::from_secs(30)).unwrap();
    assert_eq!(log.lines().len(), 500);
    assert_eq!(counter(&world, b, "TcpPassiveOpens"), 500);
}

#[test]
fn refusal_silence_and_dead_neighbours_are_told_apart() {
    let log = Log::default();
    let out = log.clone();
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            for to in ["10.0.0.2:9", "10.0.0.9:7", "192.0.2.1:7"] {
                let error = net.connect(to.parse().unwrap(), TcpOptions::default()).await.unwrap_err();
                log.say(format!("{to} {:?} at {}", error.kind(), net.now().as_secs_f64()));
            }
            let tcp = TcpOptions { congestion: Some("no-such".into()), ..TcpOptions::default() };
            log.say(format!("{:?}", net.connect(server_addr(), tcp).await.unwrap_err().kind()));
        }
    };
    let (mut world, _, b, _) = pair(cable(), client, |_| async {});
    world.run_until(Instant::from_secs(60)).unwrap();
    assert_eq!(
        log.lines(),
        [
            "10.0.0.2:9 ConnectionRefused at 0.004",
            "10.0.0.9:7 HostUnreachable at 3.004",
            "192.0.2.1:7 NetworkUnreachable at 3.004",
            "NotFound"
        ]
        .map(String::from)
    );
    assert_eq!(counter(&world, b, "TcpOutRsts"), 1);
}

#[test]
fn zero_linger_resets_and_dropping_a_listener_closes_the_port() {
    let log = Log::default();
    let (out, other) = (log.clone(), log.clone());
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            let stream = connect(&net).await;
            net.sleep(Duration::from_millis(10)).await;
            stream.set_zero_linger().unwrap();
            drop(stream);
            net.sleep(Duration::from_secs(1)).await;
            let error = net.connect(server_addr(), TcpOptions::default()).await.unwrap_err();
            log.say(format!("client {:?}", error.kind()));
        }
    };
    let server = move |net: NetRef| {
        let log = other.clone();
        async move {
            let listener = net.listen(server_addr(), ListenOptions::default()).unwrap();
            let taken = net.listen("0.0.0.0:7".parse().unwrap(), ListenOptions::default()).unwrap_err();
            log.say(format!("server {:?}", taken.kind()));
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(listener);
            log.say(format!("server {:?}", stream.read(&mut [0; 9]).await.unwrap_err().kind()));
        }
    };
    let (mut world, ..) = pair(cable(), client, server);
    world.run_until(Instant::from_secs(5)).unwrap();
    assert_eq!(
        log.lines(),
        ["server AddrInUse", "server ConnectionReset", "client ConnectionRefused"].map(String::from)
    );
}

#[test]
fn a_crashed_server_resets_what_it_has_forgotten() {
    let log = Log::default();
    let out = log.clone();
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            let mut stream = connect(&net).await;
            net.sleep(Duration::from_secs(5)).await;
            let _ = stream.write_all(b"are you there?").await;
            let error = stream.read(&mut [0; 9]).await.unwrap_err();
            log.say(format!("{:?} at {}", error.kind(), net.now().as_millis()));
            log.say(format!("{}", round_trip(connect(&net).await, 10_000).await));
        }
    };
    let (mut world, _, b, _) = pair(cable(), client, echo);
    world.at(Instant::from_secs(2), power(b, Power::Off));
    world.at(Instant::from_secs(3), power(b, Power::On));
    world.run_until(Instant::from_secs(30)).unwrap();
    // The carrier was gone for a while and the neighbour with it: ARP comes first.
    assert_eq!(log.lines(), ["ConnectionReset at 5008", "true"].map(String::from));
}

#[test]
fn a_cut_is_bridged_by_retransmission() {
    let log = Log::default();
    let out = log.clone();
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            let stream = connect(&net).await;
            net.sleep(Duration::from_millis(500)).await;
            log.say(format!("{}", round_trip(stream, 200_000).await));
        }
    };
    let medium = Medium { rate: Rate::from_bits_per_sec(1_000_000), ..cable() };
    let (mut world, _, _, link) = pair(medium, client, echo);
    world.at(Instant::from_secs(1), carrier(link, Carrier::Down));
    world.at(Instant::from_secs(3), carrier(link, Carrier::Up));
    world.run_until(Instant::from_secs(60)).unwrap();
    assert_eq!(log.lines(), ["true"].map(String::from));
}

#[test]
fn loopback_carries_tcp() {
    let log = Log::default();
    let out = log.clone();
    let client = move |net: NetRef| {
        let log = out.clone();
        async move {
            net.spawn(Box::pin(echo(net.clone())));
            net.sleep(Duration::from_millis(1)).await;
            let stream = net.connect("127.0.0.1:7".parse().unwrap(), TcpOptions::default()).await.unwrap();
            log.say(format!("{}", round_trip(stream, 500_000).await));
        }
    };
    let (mut world, ..) = pair(cable(), client, |_| async {});
    world.run_until(Instant::from_secs(5)).unwrap();
    assert_eq!(log.lines(), ["true"].map(String::from));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let digest = || {
        let medium = Medium { loss: Ratio::new(0.05).unwrap(), rate: Rate::from_bits_per_sec(10_000_000), ..cable() };
        let client = |net: NetRef| async move {
            assert!(round_trip(connect(&net).await, 50_000).await);
        };
        let (mut world, ..) = pair(medium, client, echo);
        world.run_until(Instant::from_secs(60)).unwrap();
        world.digest()
    };
    assert_eq!(digest(), digest());
}

#[test]
fn synthetic_bytes_arrive_as_they_were_defined() {
    const LEN: u64 = 3_000_000;
    let log = Log::default();
    let out = log.clone();
    let client = |net: NetRef| async move {
        let mut stream = connect(&net).await;
        stream.write_all(b"real").await.unwrap();
        stream.write_synthetic(7, LEN).await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(stream.read_frame().await.unwrap().is_none());
    };
    let server = move |net: NetRef| {
        let log = out.clone();
        async move {
            let listener = net.listen("0.0.0.0:7".parse().unwrap(), ListenOptions::default()).unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 4];
            stream.read_exact(&mut head).await.unwrap();
            assert_eq!(&head, b"real");
            let mut at = 7;
            while let Some(frame) = stream.read_frame().await.unwrap() {
                assert!(septet_core::synthetic::matches(at, frame.bytes()), "from {at} on");
                at += frame.len() as u64;
            }
            log.say(format!("{}", at - 7));
        }
    };
    let slow = Medium { rate: septet_core::Rate::from_bits_per_sec(100_000_000), ..cable() };
    for medium in [cable(), slow] {
        let (mut world, ..) = pair(medium, client, server.clone());
        world.run_until(Instant::from_secs(5)).unwrap();
    }
    assert_eq!(log.lines(), [LEN.to_string(), LEN.to_string()]);
}

#[test]
fn with_nodelay_each_write_is_a_segment_and_a_vectored_write_is_one() {
    let client = |net: NetRef| async move {
        let options = TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() };
        let mut stream = net.connect(server_addr(), options).await.unwrap();
        stream.write_all(b"one").await.unwrap();
        stream.write_all(b"two").await.unwrap();
        let pieces = [IoSlice::new(b"th"), IoSlice::new(b"r"), IoSlice::new(b"ee")];
        assert_eq!(stream.write_vectored(&pieces).await.unwrap(), 5);
        let mut all = [0; 11];
        stream.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"onetwothree");
    };
    let (mut world, client, _, _) = pair(cable(), client, echo);
    world.run_until(Instant::from_secs(1)).unwrap();
    assert_eq!(counter(&world, client, "TcpExtTCPOrigDataSent"), 3 + 1, "three of data, and the FIN");
}
