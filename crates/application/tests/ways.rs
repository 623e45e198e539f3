//! `ping` and `traceroute` on the kernel's loopback.

mod common;

use common::{net, ours};
use septet_presentation::ca::TrustStore;

#[tokio::test]
async fn ping_loopback() {
    let net = net(&[]);
    if let Err(e) = net.open_icmp(std::net::Ipv4Addr::LOCALHOST.into()) {
        return eprintln!("SKIPPED: no ICMP socket here: {e}");
    }
    let ran = ours(&net, &TrustStore::empty(), "ping -c 3 -i 0.05 127.0.0.1").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0], "PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.");
    assert!(lines[1].starts_with("64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time="), "{}", lines[1]);
    assert_eq!(lines[4..6], ["", "--- 127.0.0.1 ping statistics ---"]);
    assert!(lines[6].starts_with("3 packets transmitted, 3 received, 0% packet loss, time "), "{}", lines[6]);
    assert!(lines[7].starts_with("rtt min/avg/max/mdev = "), "{}", lines[7]);
    assert_eq!(net.recorder().series("ping.ok").unwrap().count(), 3);
    let ran = ours(&net, &TrustStore::empty(), "ping -c 1 nowhere.invalid").await;
    assert_eq!((ran.code, ran.err.as_str()), (2, "ping: nowhere.invalid: Temporary failure in name resolution\n"));
    assert_eq!(ours(&net, &TrustStore::empty(), "ping").await.code, 2);
}

#[tokio::test]
async fn traceroute_loopback() {
    let net = net(&[]);
    let ran = ours(&net, &TrustStore::empty(), "traceroute -n 127.0.0.1").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0], "traceroute to 127.0.0.1 (127.0.0.1), 30 hops max, 60 byte packets");
    assert_eq!(lines.len(), 2, "{}", ran.out);
    assert!(lines[1].starts_with(" 1  127.0.0.1  ") && lines[1].matches(" ms").count() == 3, "{}", lines[1]);
}
