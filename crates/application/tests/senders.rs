//! The small senders and sinks on the kernel's loopback.

mod common;

use core::time::Duration;

use common::{free_address, net, ours};
use septet_presentation::ca::TrustStore;
use septet_socket::NetExt;

#[tokio::test]
async fn tcp_send_to_tcp_sink() {
    let net = net(&[]);
    let port = free_address().port();
    let sink = {
        let net = net.clone();
        tokio::spawn(async move { ours(&net, &TrustStore::empty(), &format!("tcp-sink {port} --check --once")).await })
    };
    net.sleep(Duration::from_millis(50)).await;
    let sender = ours(&net, &TrustStore::empty(), &format!("tcp-send 127.0.0.1 {port} 3m --chunk 1000")).await;
    assert_eq!(sender.code, 0, "{sender:?}");
    assert!(sender.out.starts_with("3145728 bytes sent in "), "{}", sender.out);
    let sink = sink.await.unwrap();
    assert_eq!(sink.code, 0, "{sink:?}");
    assert!(
        sink.out.contains(": 3145728 bytes received in ") && sink.out.ends_with("the other end has closed\n"),
        "{sink:?}"
    );
    let series = |name: &str| net.recorder().series(name).unwrap();
    assert_eq!((series("send.bytes").sum(), series("sink.bytes").sum()), (3_145_728.0, 3_145_728.0));
    assert_eq!((series("send.ok").count(), series("sink.ok").count()), (1, 1));
}

#[tokio::test]
async fn a_reset_and_wrong_bytes_are_told_apart() {
    let net = net(&[]);
    for (line, why) in [("--reset 127.0.0.1 {port} 10", "reset"), ("", "differ")] {
        let port = free_address().port();
        let sink = {
            let net = net.clone();
            tokio::spawn(async move {
                ours(&net, &TrustStore::empty(), &format!("tcp-sink {port} --check --once --pause 50ms")).await
            })
        };
        net.sleep(Duration::from_millis(50)).await;
        if line.is_empty() {
            use tokio::io::AsyncWriteExt;
            let mut stream = net.connect(([127, 0, 0, 1], port).into(), Default::default()).await.unwrap();
            stream.write_all(b"something else").await.unwrap();
            stream.shutdown().await.unwrap();
        } else {
            let line = format!("tcp-send {}", line.replace("{port}", &port.to_string()));
            assert_eq!(ours(&net, &TrustStore::empty(), &line).await.code, 0);
        }
        let sink = sink.await.unwrap();
        assert!(sink.code == 1 && sink.out.contains(why), "{sink:?}");
    }
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back() {
    let net = net(&[]);
    let port = free_address().port();
    let sink = {
        let net = net.clone();
        let line = format!("tcp-sink {port} --once --read-rate 80m --chunk 4k --buffer 32k");
        tokio::spawn(async move { ours(&net, &TrustStore::empty(), &line).await })
    };
    net.sleep(Duration::from_millis(50)).await;
    let begun = net.now();
    // 10 MB at 80 Mbit/s take a second; what the buffers hold is sent at once.
    assert_eq!(ours(&net, &TrustStore::empty(), &format!("tcp-send 127.0.0.1 {port} 10000000")).await.code, 0);
    assert!(net.now() - begun > Duration::from_millis(500));
    assert_eq!(sink.await.unwrap().code, 0);
}

#[tokio::test]
async fn echo_and_datagrams() {
    let net = net(&[]);
    let echo = free_address().port();
    let server = net.clone();
    let _ = net.spawn(Box::pin(async move {
        ours(&server, &TrustStore::empty(), &format!("tcp-echo {echo}")).await;
    }));
    let port = free_address().port();
    let sink = {
        let net = net.clone();
        tokio::spawn(async move { ours(&net, &TrustStore::empty(), &format!("udp-sink {port} --time 500ms")).await })
    };
    net.sleep(Duration::from_millis(50)).await;
    let ran = ours(&net, &TrustStore::empty(), &format!("tcp-send --receive localhost {echo} 100k")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(net.recorder().series("send.received").unwrap().sum(), 102_400.0);
    let ran =
        ours(&net, &TrustStore::empty(), &format!("udp-send 127.0.0.1 {port} --count 20 --size 500 --interval 1ms"))
            .await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "20 datagrams of 500 bytes sent, 0 failed\n"));
    let sink = sink.await.unwrap();
    assert_eq!(sink.out, "20 datagrams, 10000 bytes, 0 missing, 0 late, 0 twice\n");
    assert_eq!(net.recorder().series("sink.lost").unwrap().sum(), 0.0);
    for wrong in ["tcp-send a", "tcp-sink", "tcp-echo x", "udp-send a", "udp-sink 1 2"] {
        assert_eq!(ours(&net, &TrustStore::empty(), wrong).await.code, 2, "{wrong}");
    }
}
