//! `iperf3` on the kernel's loopback: our ends and the original's, in every pairing.

mod common;

use common::{free_address, judge, net, ours};
use septet_presentation::ca::TrustStore;
use septet_socket::{NetExt, NetRef};

const TESTS: &[&str] =
    &["-t 1", "-t 1 -R", "-n 5M -P 3", "-n 5M -P 2 -R", "-u -b 4M -l 1000 -t 1", "-u -b 4M -l 1000 -t 1 -R"];

/// One pairing at a time: each keeps both cores busy, and a starved end gives up on the other.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Bits a second that the receiver saw, out of the JSON report.
fn received(json: &str) -> f64 {
    let report: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert!(report["error"].is_null(), "{json}");
    let end = &report["end"];
    let sum = if end["sum_received"].is_null() { &end["sum"] } else { &end["sum_received"] };
    sum["bits_per_second"].as_f64().unwrap_or_else(|| panic!("{json}"))
}

fn plausible(test: &str, rate: f64) {
    if test.contains("-b 4M") {
        assert!((3e6..5e6).contains(&rate), "{test}: {rate}");
    } else {
        assert!(rate > 1e7, "{test}: {rate}");
    }
}

async fn serve(net: &NetRef, port: u16) {
    let server = net.clone();
    let _ = net.spawn(Box::pin(async move {
        ours(&server, &TrustStore::empty(), &format!("iperf3 -s -p {port}")).await;
    }));
    net.sleep(core::time::Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_with_our_server() {
    let _turn = TURN.lock().await;
    let net = net(&[]);
    let port = free_address().port();
    serve(&net, port).await;
    for test in TESTS {
        let ran = ours(&net, &TrustStore::empty(), &format!("iperf3 -c 127.0.0.1 -p {port} {test} -J")).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{test}");
        plausible(test, received(&ran.out));
    }
    let ran = ours(&net, &TrustStore::empty(), &format!("iperf3 -c 127.0.0.1 -p {port} -n 1M -i 0")).await;
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0], format!("Connecting to host 127.0.0.1, port {port}"));
    assert!(lines[1].starts_with("[  5] local 127.0.0.1 port "), "{}", ran.out);
    assert_eq!(lines[2], "[ ID] Interval           Transfer     Bitrate");
    assert!(ran.out.contains(" sec  1.00 MBytes  ") && ran.out.ends_with("  receiver\n\niperf Done.\n"), "{}", ran.out);
    assert!(net.recorder().series("iperf3.bitrate").unwrap().count() > TESTS.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_client_with_our_server() {
    let _turn = TURN.lock().await;
    let net = net(&[]);
    let port = free_address().port();
    serve(&net, port).await;
    for test in TESTS {
        let Some(output) = judge(&format!("iperf3 -c 127.0.0.1 -p {port} {test} -J")).await else { return };
        plausible(test, received(&String::from_utf8_lossy(&output.stdout)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_with_the_real_server() {
    let _turn = TURN.lock().await;
    let net = net(&[]);
    for test in TESTS {
        let port = free_address().port();
        let server = tokio::spawn(async move { judge(&format!("iperf3 -s -1 -p {port}")).await });
        net.sleep(core::time::Duration::from_millis(300)).await;
        if server.is_finished() {
            assert!(server.await.unwrap().is_none(), "the real server ended early");
            return;
        }
        let ran = ours(&net, &TrustStore::empty(), &format!("iperf3 -c 127.0.0.1 -p {port} {test} -J")).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{test}: {}", ran.out);
        plausible(test, received(&ran.out));
        assert!(server.await.unwrap().unwrap().status.success());
    }
}

#[tokio::test]
async fn nobody_there() {
    let net = net(&[]);
    let port = free_address().port();
    let ran = ours(&net, &TrustStore::empty(), &format!("iperf3 -c 127.0.0.1 -p {port}")).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("iperf3: error - unable to connect to server: "), "{}", ran.err);
    assert_eq!(ours(&net, &TrustStore::empty(), "iperf3 -t 1").await.code, 1);
}
