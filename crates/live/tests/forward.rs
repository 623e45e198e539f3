//! Port forwards into a small lab: both protocols, both versions of IP, closes, resets, and a reader that does not read.

#![cfg(target_os = "linux")]

use core::time::Duration;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use septet_core::{EventId, Instant, Power, StationId};
use septet_host::Host;
use septet_lab::{BuildOptions, Lab};
use septet_live::{Forwarder, Protocol, Pump};
use septet_socket::{ListenOptions, NetRef, TcpStream as LabStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

const LAB: &str = r#"
[lab]
name = "forward"

[topology]
links = ["client -- server : delay 1ms"]

[host.client]
[host.server]
run = ["at 0s: tcp-echo 7"]
"#;

/// Anything that takes longer hangs.
const LONG: Duration = Duration::from_secs(20);

struct Inside {
    pump: Pump,
    hosts: [(StationId, NetRef); 2],
    server: IpAddr,
}

impl Inside {
    /// Opens a forward to a port of the server, and says where it listens.
    async fn forward(&self, protocol: Protocol, listen: IpAddr, port: u16) -> SocketAddr {
        let (station, net) = self.hosts[0].clone();
        let (listen, to) = (SocketAddr::new(listen, 0), SocketAddr::new(self.server, port));
        let forwarder = Forwarder::open(protocol, listen, to, station, net, self.pump.clone()).await.unwrap();
        let at = forwarder.local_addr().unwrap();
        spawn_local(async move { forwarder.run().await.unwrap() });
        at
    }

    /// One connection through a forward: the machine's end, and the end on the lab's server.
    async fn connection(&self, port: u16) -> (TcpStream, LabStream) {
        let at = self.forward(Protocol::Tcp, LOCAL, port).await;
        let (_, net) = &self.hosts[1];
        let anywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        let listener = self.pump.with(|_| net.listen(anywhere, ListenOptions::default())).unwrap();
        let accepted = self.on_server(async move { listener.accept().await.unwrap().0 });
        let (outside, inside) = tokio::join!(TcpStream::connect(at), accepted);
        (outside.unwrap(), inside)
    }

    /// Runs a task that uses sockets of the server.
    async fn on_server<T>(&self, task: impl Future<Output = T>) -> T {
        self.pump.drive(self.hosts[1].0, task).await
    }

    fn switch(&self, host: usize, power: Power) {
        self.pump.with(|world| world.set_power(self.hosts[host].0, power, EventId::NONE));
    }
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Plays the lab while `test` runs.
async fn with_lab(test: impl AsyncFnOnce(Rc<Inside>)) {
    let lab = Lab::parse("forward.toml", LAB).unwrap();
    let run = lab.build(&BuildOptions::default()).unwrap();
    let host = |name: &str| {
        let station = run.station(lab.node(name).unwrap()).unwrap();
        (station, run.world.station::<Host>(station).unwrap().net())
    };
    let hosts = [host("client"), host("server")];
    let server = lab.address(lab.node("server").unwrap()).unwrap();
    let inside = Rc::new(Inside { pump: Pump::new(run), hosts, server });
    let play = async {
        tokio::select! {
            ended = inside.pump.run(Instant::FAR_FUTURE) => panic!("{ended:?}"),
            () = test(inside.clone()) => {}
        }
    };
    timeout(LONG, LocalSet::new().run_until(play)).await.expect("it hangs");
}

#[tokio::test]
async fn tcp_over_both_versions_of_ip_with_half_closes() {
    with_lab(async |lab| {
        for listen in [LOCAL, Ipv6Addr::LOCALHOST.into()] {
            let at = lab.forward(Protocol::Tcp, listen, 7).await;
            let (mut reader, mut writer) = TcpStream::connect(at).await.unwrap().into_split();
            let sent: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
            let copy = sent.clone();
            // The echo closes only once our half is closed, and its last bytes come after that.
            let write = async move {
                writer.write_all(&copy).await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let mut got = Vec::new();
            let ((), read) = tokio::join!(write, reader.read_to_end(&mut got));
            assert_eq!((read.unwrap(), got == sent), (sent.len(), true), "{at}");
        }
    })
    .await;
}

#[tokio::test]
async fn resets_cross_both_ways_and_so_does_a_refusal() {
    with_lab(async |lab| {
        let (outside, mut inside) = lab.connection(9).await;
        outside.set_zero_linger().unwrap();
        drop(outside);
        let heard = lab.on_server(async { inside.read(&mut [0; 8]).await }).await;
        assert_eq!(heard.unwrap_err().kind(), ErrorKind::ConnectionReset);

        let (mut outside, inside) = lab.connection(10).await;
        lab.on_server(async {
            inside.set_zero_linger().unwrap();
            drop(inside);
        })
        .await;
        assert_eq!(outside.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);

        let at = lab.forward(Protocol::Tcp, LOCAL, 11).await;
        let mut refused = TcpStream::connect(at).await.unwrap();
        assert_eq!(refused.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    })
    .await;
}

#[tokio::test]
async fn a_host_that_is_switched_off_ends_its_connections() {
    with_lab(async |lab| {
        let (mut outside, _inside) = lab.connection(9).await;
        lab.switch(0, Power::Off);
        assert_eq!(outside.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        lab.switch(0, Power::On);
        let at = lab.forward(Protocol::Tcp, LOCAL, 7).await;
        let mut again = TcpStream::connect(at).await.unwrap();
        again.write_all(b"again").await.unwrap();
        let mut buf = [0; 5];
        again.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"again");
    })
    .await;
}

/// More than all buffers on the way hold: the kernel's two, the relay's, and the two in the lab.
const TOO_MUCH: usize = 64 << 20;

#[tokio::test]
async fn a_reader_inside_that_does_not_read_stops_the_writer_outside() {
    with_lab(async |lab| {
        let (mut outside, mut inside) = lab.connection(9).await;
        let chunk = vec![7u8; 1 << 16];
        let mut written = 0;
        while let Ok(n) = timeout(Duration::from_millis(500), outside.write(&chunk)).await {
            written += n.unwrap();
            assert!(written < TOO_MUCH, "nobody reads, and still it goes on");
        }
        drop(outside);
        let read = lab.on_server(async move { drain(&mut inside).await }).await;
        assert_eq!(read, written);
    })
    .await;
}

#[tokio::test]
async fn a_reader_outside_that_does_not_read_stops_the_writer_inside() {
    with_lab(async |lab| {
        let (mut outside, mut inside) = lab.connection(9).await;
        let written = lab
            .on_server(async move {
                let chunk = vec![7u8; 1 << 16];
                let mut written = 0;
                while let Ok(n) = timeout(Duration::from_millis(500), inside.write(&chunk)).await {
                    written += n.unwrap();
                    assert!(written < TOO_MUCH, "nobody reads, and still it goes on");
                }
                written
            })
            .await;
        assert_eq!(drain(&mut outside).await, written);
    })
    .await;
}

async fn drain(stream: &mut (impl AsyncReadExt + Unpin)) -> usize {
    let (mut buf, mut read) = (vec![0; 1 << 16], 0);
    loop {
        match stream.read(&mut buf).await.unwrap() {
            0 => return read,
            n => read += n,
        }
    }
}

#[tokio::test]
async fn udp_over_both_versions_of_ip_and_each_peer_gets_its_own_answers() {
    with_lab(async |lab| {
        let anywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 53);
        let socket = lab.pump.with(|_| lab.hosts[1].1.bind_udp(anywhere)).unwrap();
        let echo = async move {
            let mut buf = [0; 2048];
            loop {
                let asked = socket.receive(&mut buf).await.unwrap();
                socket.send_to(&buf[..asked.len], asked.from).await.unwrap();
            }
        };
        spawn_local(lab.pump.drive(lab.hosts[1].0, echo));
        for listen in [LOCAL, Ipv6Addr::LOCALHOST.into()] {
            let at = lab.forward(Protocol::Udp, listen, 53).await;
            let peers = [UdpSocket::bind((listen, 0)).await.unwrap(), UdpSocket::bind((listen, 0)).await.unwrap()];
            for (peer, size) in peers.iter().zip([1, 1400]) {
                peer.send_to(&vec![size as u8; size], at).await.unwrap();
            }
            for (peer, size) in peers.iter().zip([1, 1400]) {
                let mut buf = [0; 2048];
                let (len, from) = peer.recv_from(&mut buf).await.unwrap();
                assert_eq!((len, from, buf[0]), (size, at, size as u8));
            }
        }
    })
    .await;
}
