//! The programs of the session storey on the kernel's loopback.

mod common;

use common::{free_address, net, ours, ours_with};
use septet_application::programs::Captured;
use septet_presentation::ca::TrustStore;
use septet_session::transfer::Files as _;

#[tokio::test]
async fn a_file_is_sent_and_received() {
    let net = net(&[]);
    let port = free_address().port();
    let there = Captured::default();
    let receiving = {
        let (net, there) = (net.clone(), there.clone());
        tokio::spawn(async move {
            ours_with(&net, &TrustStore::empty(), &format!("receive inbox --once --port {port}"), &there).await
        })
    };
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.wrapping_mul(n) as u8).collect();
    let here = Captured::default();
    here.put_file("a/report.bin", content.clone());
    let line = format!("send --wait a/report.bin 127.0.0.1:{port} --checkpoint 256k");
    let sent = ours_with(&net, &TrustStore::empty(), &line, &here).await;
    assert_eq!(sent.code, 0, "{sent:?}");
    assert!(sent.out.starts_with("report.bin: 3000000 bytes in ") && sent.out.contains("BLAKE3 "), "{sent:?}");
    let received = receiving.await.unwrap();
    assert_eq!(received.code, 0, "{received:?}");
    assert!(received.out.contains("report.bin is whole: 3000000 bytes, BLAKE3 "), "{received:?}");
    let inbox = there.arrived("inbox");
    assert_eq!(inbox.get("report.bin"), Some(content));
    assert_eq!(inbox.list().unwrap().len(), 2);
    let count = |name: &str| net.recorder().series(name).map_or(0, |s| s.count());
    assert_eq!((count("transfer.ok"), count("inbox.whole"), count("inbox.points")), (1, 1, 45));
}

#[tokio::test]
async fn who_is_not_there_is_told_at_once() {
    let net = net(&[]);
    let at = free_address();
    let ran = ours(&net, &TrustStore::empty(), &format!("send --bytes 10 x {at}")).await;
    assert_eq!((ran.code, ran.err.as_str()), (1, "send: Connection refused (os error 111)\n"));
    let none = ours(&net, &TrustStore::empty(), &format!("send no-such-file {at}")).await;
    assert_eq!((none.code, none.err.as_str()), (1, "send: no-such-file: no-such-file: no such file\n"));
    for wrong in ["send x", "send x y z", "receive", "receive a b", "chat", "chat a -l", "send x y --name ../z"] {
        assert_eq!(ours(&net, &TrustStore::empty(), wrong).await.code, 2, "{wrong}");
    }
}

#[tokio::test]
async fn two_talk_in_turns() {
    let net = net(&[]);
    let port = free_address().port();
    let console = Captured::default();
    let listening = {
        let (net, console) = (net.clone(), console.clone());
        tokio::spawn(async move {
            let line = format!("chat -l --port {port} --pause 10ms --line pong --line pung");
            ours_with(&net, &TrustStore::empty(), &line, &console).await
        })
    };
    let line = format!("chat 127.0.0.1:{port} --half-duplex --pause 10ms --quiet 300ms --line ping --line ding");
    let mut ran = ours(&net, &TrustStore::empty(), &line).await;
    for _ in 0..200 {
        if ran.code == 0 {
            break;
        }
        tokio::task::yield_now().await;
        ran = ours(&net, &TrustStore::empty(), &line).await;
    }
    assert_eq!(ran.code, 0, "{ran:?}");
    listening.abort();
    let other = console.output();
    let heard = |out: &str| out.lines().filter(|l| l.starts_with('<')).collect::<Vec<_>>().join(" ");
    assert_eq!(heard(&ran.out), "< pong < pung");
    assert_eq!(heard(&other), "< ping < ding");
    assert!(ran.out.starts_with("  (in turns; the token is here)\n"), "{}", ran.out);
    assert!(other.contains("  (asks for the token)\n"), "{other}");
    assert!(other.contains("  (has the token)\n> pong\n"), "{other}");
}
