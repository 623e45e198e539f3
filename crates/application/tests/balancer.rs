//! The balancer on the kernel's sockets: who gets what, and what becomes of failures, closes and resets.

mod common;

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use common::{authority, free_address, judge, net, ours, start, traced_net};
use septet_application::balancer::{Balancer, Health, Target, policy};
use septet_application::http::{Content, Page, Server, Site};
use septet_presentation::ca::TrustStore;
use septet_socket::{BoxFuture, ListenOptions, NetExt, NetRef, Spawned, TcpOptions, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn target(name: &str, at: SocketAddr) -> Target {
    Target::new(name, at)
}

/// A web server that says its name.
async fn web(net: &NetRef, name: &'static str) -> (Target, Spawned) {
    let at = free_address();
    let page = Page::new(Content::Bytes(format!("{name}\n").into()), "text/plain");
    let server = Server::new(Site::new(page)).listen(at).serve(net.clone());
    let task = net.spawn(Box::pin(async move { drop(server.await) }));
    while net.connect(at, TcpOptions::default()).await.is_err() {
        net.sleep(Duration::from_millis(5)).await;
    }
    (target(name, at), task)
}

async fn balance(net: &NetRef, balancer: impl FnOnce(SocketAddr) -> Balancer) -> SocketAddr {
    let at = free_address();
    start(net, at, Box::pin(balancer(at).serve(net.clone()))).await;
    at
}

async fn answers(net: &NetRef, at: SocketAddr, times: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..times {
        let ran = ours(net, &TrustStore::empty(), &format!("curl -sS -m 5 http://{at}/")).await;
        *counts.entry(if ran.code == 0 { ran.out.trim().to_owned() } else { ran.err }).or_default() += 1;
    }
    counts
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[tokio::test]
async fn policies_spread_connections() {
    let net = net(&[]);
    let backends = [web(&net, "web1").await.0, web(&net, "web2").await.0, web(&net, "web3").await.0];
    for (name, want) in [("round-robin", 3), ("least-connections", 3), ("source-hash", 1)] {
        let at = balance(&net, |at| Balancer::new(at, backends.to_vec()).policy(policy::find(name).unwrap())).await;
        let counts = answers(&net, at, 9).await;
        assert_eq!(counts.len(), want, "{name}: {counts:?}");
        assert!(counts.values().all(|n| *n == 9 / want), "{name}: {counts:?}");
    }
}

#[tokio::test]
async fn a_backend_that_fails_is_passed_over_and_comes_back() {
    let (net, notes) = traced_net(&[]);
    let (web1, task1) = web(&net, "web1").await;
    let (web2, _task2) = web(&net, "web2").await;
    let every = Duration::from_millis(20);
    let health = Health { every, timeout: every, fall: 2, rise: 2, ..Health::default() };
    let again = web1.at;
    let at = balance(&net, |at| Balancer::new(at, vec![web1, web2]).health(health)).await;
    assert_eq!(answers(&net, at, 4).await, counts(&[("web1", 2), ("web2", 2)]));

    task1.abort();
    net.sleep(Duration::from_millis(5)).await;
    // Checks may not have seen it yet: the connection that fails is tried on the other backend.
    assert_eq!(answers(&net, at, 6).await, counts(&[("web2", 6)]));
    net.sleep(Duration::from_millis(200)).await;
    let kinds = |kind: &str| notes.lock().unwrap().iter().filter(|n| n.kind == kind).count();
    assert_eq!((kinds("balancer.down"), kinds("balancer.up")), (1, 0));

    let page = Page::new(Content::Bytes("web1\n".into()), "text/plain");
    let server = Server::new(Site::new(page)).listen(again).serve(net.clone());
    let _ = net.spawn(Box::pin(async move { drop(server.await) }));
    net.sleep(Duration::from_millis(300)).await;
    assert_eq!(kinds("balancer.up"), 1);
    assert_eq!(answers(&net, at, 4).await, counts(&[("web1", 2), ("web2", 2)]));
    let pick = notes.lock().unwrap().iter().rfind(|n| n.kind == "balancer.pick").cloned().unwrap();
    assert_eq!(pick.fields.get("why").unwrap().to_string(), "its turn");
}

#[tokio::test]
async fn without_a_backend_the_client_is_reset() {
    let net = net(&[]);
    let at = balance(&net, |at| Balancer::new(at, vec![target("nobody", free_address())])).await;
    let mut stream = net.connect(at, TcpOptions::default()).await.unwrap();
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let empty = Balancer::new(free_address(), vec![]).serve(net.clone()).await.unwrap_err();
    assert_eq!(empty.kind(), io::ErrorKind::InvalidInput);
}

/// A balancer before one hand-made backend, and both ends of a connection through it.
async fn through(net: &NetRef) -> (TcpStream, TcpStream) {
    let listener = net.listen("127.0.0.1:0".parse().unwrap(), ListenOptions::default()).unwrap();
    let backend = target("hand", listener.local_addr().unwrap());
    let at = free_address();
    let service: BoxFuture<'static, _> = Box::pin(Balancer::new(at, vec![backend]).serve(net.clone()));
    let _ = net.spawn(Box::pin(async move { drop(service.await) }));
    loop {
        if let Ok(client) = net.connect(at, TcpOptions::default()).await {
            return (client, listener.accept().await.unwrap().0);
        }
        net.sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn half_close_is_carried_across() {
    let net = net(&[]);
    let (mut client, mut server) = through(&net).await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).await.unwrap();
    // The other direction is still open.
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
}

#[tokio::test]
async fn resets_are_carried_across() {
    let net = net(&[]);
    for from_client in [true, false] {
        let (client, server) = through(&net).await;
        let (breaks, mut hears) = if from_client { (client, server) } else { (server, client) };
        breaks.set_zero_linger().unwrap();
        drop(breaks);
        let heard = net.timeout(Duration::from_secs(5), hears.read(&mut [0; 1])).await.expect("nothing was heard");
        assert_eq!(heard.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "from_client: {from_client}");
    }
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_writer() {
    let net = net(&[]);
    let (mut client, mut server) = through(&net).await;
    let mut written = 0usize;
    let chunk = vec![7; 64 * 1024];
    // Until what the kernel and the balancer may hold is full.
    while let Ok(n) = net.timeout(Duration::from_millis(300), client.write(&chunk)).await {
        written += n.unwrap();
        assert!(written < 64 * 1024 * 1024, "nothing held the writer back");
    }
    drop(client);
    let mut buf = Vec::new();
    server.read_to_end(&mut buf).await.unwrap();
    assert_eq!(buf.len(), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_ends_at_the_balancer() {
    let net = net(&[]);
    let backends = vec![web(&net, "web1").await.0, web(&net, "web2").await.0];
    let authority = authority(&net);
    let identity = authority.issue(&["127.0.0.1"]).unwrap();
    let at = balance(&net, |at| Balancer::new(at, backends).tls(identity)).await;
    for want in ["web1\n", "web2\n"] {
        let ran = ours(&net, &authority.trust_store(), &format!("curl -sS https://{at}/")).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, want), "{ran:?}");
    }
    let ca = common::TempFile::new("lb.pem", authority.root_pem().as_bytes());
    let Some(output) = judge(&format!("curl -sS --cacert {} https://{at}/", ca.0.display())).await else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "web1\n", "{output:?}");
}
