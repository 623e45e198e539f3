//! The kernel's `Net` on loopback.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use septet_live::kernel::KernelNet;
use septet_socket::{Broadcast, EchoReply, IpOptions, ListenOptions, NetExt, NetRef, Nodelay, TcpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn net() -> NetRef {
    KernelNet::new().unwrap().into_net()
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[tokio::test]
async fn tcp_half_close_and_reset() {
    let net = net();
    let tcp = TcpOptions { nodelay: Some(Nodelay::On), receive_buffer: Some(32_768), ..TcpOptions::default() };
    let listener = net.listen(local(), ListenOptions { backlog: 8, tcp: tcp.clone() }).unwrap();
    let at = listener.local_addr().unwrap();
    let mut client = net.connect(at, tcp).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();

    client.write_all(b"ask").await.unwrap();
    client.shutdown().await.unwrap();
    let mut asked = String::new();
    server.read_to_string(&mut asked).await.unwrap();
    server.write_all(b"answer").await.unwrap();
    server.set_zero_linger().unwrap();
    let mut buf = [0; 6];
    client.read_exact(&mut buf).await.unwrap();
    assert_eq!((asked.as_str(), &buf), ("ask", b"answer"));
    drop(server);
    let e = client.read(&mut buf).await.unwrap_err();
    assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset);

    drop(listener);
    let e = net.connect(at, TcpOptions::default()).await.unwrap_err();
    assert_eq!(e.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn udp_and_its_error_queue() {
    let net = net();
    let a = net.bind_udp(local()).unwrap();
    let b = net.bind_udp(local()).unwrap();
    a.send_to(b"hello", b.local_addr().unwrap()).await.unwrap();
    let mut buf = [0; 16];
    let got = b.receive(&mut buf).await.unwrap();
    assert_eq!((&buf[..got.len], got.from), (&b"hello"[..], a.local_addr().unwrap()));

    let closed = b.local_addr().unwrap();
    drop(b);
    let error = a.error();
    let ask = net.timeout(Duration::from_millis(10), error).await;
    if cfg!(target_os = "linux") {
        assert!(ask.is_err(), "nothing went wrong yet");
        a.send_to(b"?", closed).await.unwrap();
        let e = net.timeout(Duration::from_secs(5), a.error()).await.unwrap().unwrap();
        assert_eq!((e.trouble, e.destination), (septet_socket::Trouble::PortUnreachable, closed));
        assert_eq!(e.reporter, closed.ip());
        // The same error does not come out of the receiving side.
        assert!(net.timeout(Duration::from_millis(50), a.receive(&mut buf)).await.is_err());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn datagrams_go_and_come_several_at_once() {
    use septet_socket::Coalescing;
    let net = net();
    let payload: Vec<u8> = (0..3_700).map(|i| (i * 7 / 3) as u8).collect();
    let size = core::num::NonZeroU16::new(1_000).unwrap();
    for (coalescing, connected) in [(Coalescing::Off, false), (Coalescing::On, false), (Coalescing::On, true)] {
        let a = net.bind_udp(local()).unwrap();
        let b = net.bind_udp(local()).unwrap();
        b.set_coalescing(coalescing).unwrap();
        let to = b.local_addr().unwrap();
        if connected {
            a.connect(to).unwrap();
        }
        assert_eq!(a.send_segmented(&payload, size, (!connected).then_some(to)).await.unwrap(), 3_700);
        let (mut got, mut asked) = (Vec::new(), 0);
        let mut buf = vec![0; 70_000];
        while got.len() < payload.len() {
            let d = net.timeout(Duration::from_secs(5), b.receive(&mut buf)).await.unwrap().unwrap();
            assert_eq!(d.from, a.local_addr().unwrap());
            got.extend_from_slice(&buf[..d.len]);
            asked += 1;
            assert_eq!(d.segment_size, (coalescing == Coalescing::On).then_some(size));
        }
        assert_eq!(got, payload);
        assert_eq!(asked, if coalescing == Coalescing::On { 1 } else { 4 });
        let refused = a.send_segmented(&[0; 650], core::num::NonZeroU16::MIN, (!connected).then_some(to)).await;
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn a_connected_udp_socket_hears_that_nobody_is_there() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let net = net();
    let nobody = {
        let socket = net.bind_udp(local()).unwrap();
        socket.local_addr().unwrap()
    };
    let socket = net.bind_udp(local()).unwrap();
    socket.connect(nobody).unwrap();
    socket.send(b"?").await.unwrap();
    let heard = net.timeout(Duration::from_secs(5), socket.receive(&mut [0; 16])).await.unwrap();
    assert_eq!(heard.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn echo() {
    let net = net();
    let icmp = match net.open_icmp(std::net::Ipv4Addr::LOCALHOST.into()) {
        Ok(icmp) => icmp,
        Err(e) => return eprintln!("SKIPPED: no ICMP socket here: {e}"),
    };
    let home: IpAddr = [127, 0, 0, 1].into();
    for seq in 1..=3 {
        icmp.send(home, seq, b"payload!").await.unwrap();
        let mut buf = [0; 64];
        let reply = net.timeout(Duration::from_secs(5), icmp.receive(&mut buf)).await.unwrap().unwrap();
        assert!(
            matches!(reply, EchoReply::Reply { from, seq: s, ttl: 64, len: 8, .. } if from == home && s == seq),
            "{reply:?}"
        );
        assert_eq!(&buf[..8], b"payload!");
    }
    // The kernel records the route as our own stack does: where it leaves, where it comes, and both on the way back.
    let room = [&[7, 39, 4][..], &[0; 36]].concat();
    icmp.set_options(&IpOptions::new(&room).unwrap()).unwrap();
    icmp.send(home, 4, b"payload!").await.unwrap();
    let reply = net.timeout(Duration::from_secs(5), icmp.receive(&mut [0; 64])).await.unwrap().unwrap();
    let EchoReply::Reply { options, .. } = reply else { panic!("{reply:?}") };
    assert_eq!(options.octets()[..3], [7, 39, 20]);
    assert_eq!(options.octets()[3..19], [[127, 0, 0, 1]; 4].concat());
    let all = IpAddr::from([255, 255, 255, 255]);
    assert_eq!(icmp.check(all).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    icmp.set_broadcast(Broadcast::Allowed).unwrap();
    assert!(icmp.check(home).is_ok());
}

#[tokio::test]
async fn clocks_and_tasks() {
    let net = net();
    let before = net.now();
    net.sleep(Duration::from_millis(20)).await;
    assert!(net.now() - before >= Duration::from_millis(20));
    let (sender, receiver) = tokio::sync::oneshot::channel();
    net.spawn(Box::pin(async move {
        let _ = sender.send(7);
    }));
    assert_eq!(receiver.await.unwrap(), 7);
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let task = net.spawn(Box::pin(async move {
        core::future::pending::<()>().await;
        drop(sender);
    }));
    task.abort();
    assert!(receiver.await.is_err());
    assert_ne!(net.random_u64(), net.random_u64());
}
