//! The relay between two connections of the kernel: closes, resets and a reader that does not read.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use septet_live::kernel::KernelNet;
use septet_socket::{Bounds, End, ListenOptions, NetRef, Stream as _, TcpOptions, TcpStream, relay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

/// client -- (x relay y) -- server
async fn chain() -> (TcpStream, TcpStream, JoinHandle<(End, [u64; 2])>) {
    async fn pair(net: &NetRef) -> (TcpStream, TcpStream) {
        let listener = net.listen((Ipv4Addr::LOCALHOST, 0).into(), ListenOptions::default()).unwrap();
        let connect = net.connect(listener.local_addr().unwrap(), TcpOptions::default());
        let (a, b) = tokio::join!(connect, listener.accept());
        (a.unwrap(), b.unwrap().0)
    }
    let net = KernelNet::new().unwrap().into_net();
    let (client, mut x) = pair(&net).await;
    let (mut y, server) = pair(&net).await;
    let task = tokio::spawn(async move {
        let count = [AtomicU64::new(0), AtomicU64::new(0)];
        let carried = |way, n| {
            count[way as usize].fetch_add(n, Ordering::Relaxed);
        };
        let end = relay(&net, &mut x, &mut y, Bounds { buffer: 64 * 1024, idle: None }, carried).await;
        (end, count.map(AtomicU64::into_inner))
    });
    (client, server, task)
}

#[tokio::test]
async fn half_close_is_carried_across() {
    let (mut client, mut server, task) = chain().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"question");
    server.write_all(b"a late answer").await.unwrap();
    server.shutdown().await.unwrap();
    got.clear();
    client.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"a late answer");
    assert!(matches!(task.await.unwrap(), (End::Closed, [8, 13])));
}

#[tokio::test]
async fn reset_is_carried_across() {
    let (client, mut server, task) = chain().await;
    client.reset_on_drop();
    drop(client);
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(matches!(task.await.unwrap().0, End::Reset(_)));
}

#[tokio::test]
async fn a_slow_reader_slows_the_writer() {
    let (mut client, mut server, task) = chain().await;
    let total = 64 * 1024 * 1024;
    let writer = tokio::spawn(async move {
        let chunk = vec![7; 1 << 20];
        for _ in 0..64 {
            client.write_all(&chunk).await.unwrap();
        }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!writer.is_finished(), "64 MiB fit in no buffer on the way");
    let mut left = total;
    let mut buf = vec![0; 1 << 20];
    while left > 0 {
        left -= server.read(&mut buf).await.unwrap();
    }
    writer.await.unwrap();
    drop(server);
    assert_eq!(task.await.unwrap().1[0], total as u64);
}
