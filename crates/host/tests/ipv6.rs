//! IPv6 between hosts whose neighbours' link addresses were set by hand.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use septet_core::{Instant, Port, Seed};
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_host::{Host, HostConfig, InterfaceConfig, Neighbor};
use septet_physical::Medium;
use septet_socket::{ListenOptions, NetExt, NetRef, TcpOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Octets that are sent one way: many super-segments.
const LEN: usize = 300_000;

fn at(number: u64, port: u16) -> SocketAddr {
    format!("[2001:db8::{number}]:{port}").parse().unwrap()
}

/// One of two hosts on a cable, which knows the other's link address.
fn host(number: u64, other: u64) -> Host {
    let interface = InterfaceConfig {
        mac: MacAddr::local(number),
        addresses: vec![format!("2001:db8::{number}/64").parse().unwrap()],
        mtu: 1500,
    };
    let neighbor = Neighbor { iface: 0, address: at(other, 0).ip(), mac: MacAddr::local(other) };
    let config =
        HostConfig { interfaces: vec![interface], neighbors: vec![neighbor], ..HostConfig::new(format!("h{number}")) };
    Host::new(config).unwrap()
}

/// What `client` found out beside a server that takes all it is sent, tells how much that was, and listens to no UDP.
fn play<F>(client: impl Fn(NetRef, Arc<Mutex<Vec<String>>>) -> F + 'static) -> Vec<String>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let log = Arc::<Mutex<Vec<String>>>::default();
    let mut world = World::new(Seed::new(1));
    let mut a = host(1, 2);
    let told = log.clone();
    a.on_boot(move |net| {
        let (task, log) = (client(net.clone(), told.clone()), told.clone());
        net.spawn(Box::pin(async move {
            if let Err(e) = task.await {
                log.lock().unwrap().push(format!("{:?}", e.kind()));
            }
        }));
    });
    let mut b = host(2, 1);
    b.on_boot(|net| {
        let listener = net.listen(at(2, 80), ListenOptions::default()).unwrap();
        net.spawn(Box::pin(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                stream.write_all(all.len().to_string().as_bytes()).await.unwrap();
            }
        }));
    });
    let a = world.add_station("a", Box::new(a));
    let b = world.add_station("b", Box::new(b));
    let cable = || Medium { delay: Duration::from_millis(1), ..Medium::default() };
    world.connect((a, Port(0)), (b, Port(0)), cable(), cable(), "cable");
    world.run_until(Instant::from_secs(30)).unwrap();
    log.lock().unwrap().clone()
}

#[test]
fn a_stream_arrives_whole() {
    let log = play(|net, log| async move {
        let mut stream = net.connect(at(2, 80), TcpOptions::default()).await?;
        stream.write_all(&vec![7; LEN]).await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        log.lock().unwrap().push(answer);
        Ok(())
    });
    assert_eq!(log, [LEN.to_string()]);
}

#[test]
fn a_port_that_nobody_listens_at_says_so() {
    let log = play(|net, log| async move {
        let socket = net.bind_udp("[::]:0".parse().unwrap())?;
        socket.connect(at(2, 9))?;
        socket.send(b"anyone?").await?;
        let mut buf = [0; 9];
        let answer = net.timeout(Duration::from_secs(5), socket.receive(&mut buf)).await?;
        log.lock().unwrap().push(format!("{answer:?}"));
        Ok(())
    });
    assert!(log.len() == 1 && log[0].contains("ConnectionRefused"), "{log:?}");
}

#[test]
fn whose_link_address_is_not_known_is_out_of_reach() {
    let log = play(|net, _| async move { net.connect(at(3, 80), TcpOptions::default()).await.map(drop) });
    assert_eq!(log, ["NetworkUnreachable"]);
}
