//! Handshakes in memory, on a network whose clock and randomness the test sets.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use septet_core::{Instant, Recorder, Rng, Seed};
use septet_presentation::ca::{Authority, Flaw, KeySource, Order, TrustStore, Usage};
use septet_presentation::tls::{self, Client, Clients, Failure, Server, Trust, Versions};
use septet_socket::{
    BoxFuture, Entropy, IcmpSocket, ListenOptions, Net, NetRef, Note, Sleep, Spawned, TcpListener, TcpOptions,
    TcpStream, UdpSocket,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

const EPOCH: Duration = Duration::from_secs(1_767_225_600);
const DAY: Duration = Duration::from_secs(86_400);
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 443);

/// A network that has a clock, randomness and a trace, and carries nothing.
struct Desk {
    rng: Mutex<Rng>,
    entropy: Entropy,
    now: Duration,
    traced: bool,
    notes: Mutex<Vec<Note>>,
    secrets: Mutex<Vec<String>>,
    recorder: Recorder,
}

fn desk(seed: u64, now: Duration, entropy: Entropy) -> Arc<Desk> {
    let rng = Mutex::new(Seed::new(seed).stream("desk"));
    Arc::new(Desk {
        traced: true,
        rng,
        entropy,
        now,
        notes: Mutex::default(),
        secrets: Mutex::default(),
        recorder: Recorder::new(),
    })
}

impl Net for Desk {
    fn hostname(&self) -> String {
        "desk".into()
    }
    fn addresses(&self) -> Vec<IpAddr> {
        vec![]
    }
    fn name_servers(&self) -> Vec<SocketAddr> {
        vec![]
    }
    fn now(&self) -> Instant {
        Instant::ZERO
    }
    fn unix_time(&self) -> Duration {
        self.now
    }
    fn sleep_until(&self, _: Instant) -> Sleep {
        Sleep::new(core::future::pending())
    }
    fn spawn(&self, _: BoxFuture<'static, ()>) -> Spawned {
        Spawned::new(|| {})
    }
    fn fill_random(&self, buf: &mut [u8]) {
        self.rng.lock().unwrap().fill(buf);
    }
    fn entropy(&self) -> Entropy {
        self.entropy
    }
    fn connect(&self, _: SocketAddr, _: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
    fn listen(&self, _: SocketAddr, _: ListenOptions) -> io::Result<TcpListener> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn bind_udp(&self, _: SocketAddr) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn open_icmp(&self, _: std::net::IpAddr) -> io::Result<IcmpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }
    fn is_traced(&self) -> bool {
        self.traced
    }
    fn note(&self, note: Note) {
        self.notes.lock().unwrap().push(note);
    }
    fn secret(&self, line: String) {
        self.secrets.lock().unwrap().push(line);
    }
}

/// Keeps what is written.
struct Tap(DuplexStream, Writes);

/// Each write by itself.
type Writes = Arc<Mutex<Vec<Vec<u8>>>>;

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.0).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = poll {
            self.1.lock().unwrap().push(buf[..n].to_vec());
        }
        poll
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct Scene {
    client: Arc<Desk>,
    server: Arc<Desk>,
    authority: Authority,
    writes: Writes,
}

impl Scene {
    fn new(seed: u64, client_time: Duration) -> Self {
        Self {
            client: desk(seed, client_time, Entropy::Seeded),
            server: desk(seed + 1000, EPOCH, Entropy::Seeded),
            authority: Authority::new(KeySource::Seeded(Seed::new(seed)), EPOCH).unwrap(),
            writes: Arc::default(),
        }
    }

    fn client(&self, trust: Trust, versions: Versions) -> Client {
        let net: NetRef = self.client.clone();
        Client::new(&net, &trust, versions, &[tls::H2, tls::HTTP_1_1]).unwrap()
    }

    fn server(&self) -> Server {
        let net: NetRef = self.server.clone();
        Server::new(&net, &self.authority.issue(&["www.shop.test", "10.0.0.1"]).unwrap(), &[tls::HTTP_1_1]).unwrap()
    }

    fn roots(&self) -> Trust {
        Trust::Roots(self.authority.trust_store())
    }

    /// One connection with a question and an answer; what the client saw of it.
    async fn talk(&self, client: &Client, server: &Server, name: &str) -> Result<String, Failure> {
        let (near, far) = tokio::io::duplex(4096);
        let (near, far) = (Tap(near, self.writes.clone()), Tap(far, self.writes.clone()));
        let serve = async {
            let Ok(mut stream) = server.accept(PEER, far).await else { return };
            let mut question = [0; 8];
            if stream.read_exact(&mut question).await.is_ok() {
                stream.write_all(b"answer").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        };
        let ask = async {
            let refused = |e: io::Error| tls::failure(&e).unwrap_or_else(|| panic!("{e}"));
            let mut stream = client.connect(name, PEER, near).await.map_err(refused)?;
            // A server of TLS 1.3 may have refused the client by now, who hears of it when he reads.
            let _ = stream.write_all(b"question").await;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map_err(refused)?;
            // The server may be gone by now.
            let _ = stream.shutdown().await;
            Ok(format!("{answer} over {} {:?} {}", stream.version(), stream.alpn(), stream.suite()))
        };
        tokio::join!(ask, serve).0
    }
}

#[tokio::test]
async fn the_same_bytes_for_the_same_seed() {
    for (versions, suite) in
        [(Versions::Tls13, "TLS 1.3 Some(\"http/1.1\") TLS_AES_256_GCM_SHA384"), (Versions::Tls12, "TLS 1.2 ")]
    {
        let run = async |seed| {
            let scene = Scene::new(seed, EPOCH);
            let said =
                scene.talk(&scene.client(scene.roots(), versions), &scene.server(), "www.shop.test").await.unwrap();
            assert!(said.starts_with(&format!("answer over {suite}")), "{said}");
            let bytes = scene.writes.lock().unwrap().clone();
            (bytes, scene.client.secrets.lock().unwrap().clone())
        };
        let (a, b, c) = (run(1).await, run(1).await, run(2).await);
        assert!(a.0.concat().len() > 1000 && a == b, "{versions:?}");
        assert_ne!(a.0, c.0, "{versions:?}");
        assert!(a.1.iter().all(|line| line.split(' ').count() == 3) && !a.1.is_empty());
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    let run = async |traced| {
        let mut scene = Scene::new(1, EPOCH);
        for desk in [&mut scene.client, &mut scene.server] {
            Arc::get_mut(desk).unwrap().traced = traced;
        }
        scene.talk(&scene.client(scene.roots(), Versions::Any), &scene.server(), "www.shop.test").await.unwrap();
        assert_eq!(scene.client.notes.lock().unwrap().is_empty(), !traced);
        scene.writes.lock().unwrap().clone()
    };
    assert_eq!(run(true).await, run(false).await, "the same bytes in the same writes");
}

#[tokio::test]
async fn real_entropy_is_never_the_seeds() {
    let run = async || {
        let mut scene = Scene::new(1, EPOCH);
        scene.client = desk(1, EPOCH, Entropy::System);
        scene.server = desk(2, EPOCH, Entropy::System);
        scene.talk(&scene.client(scene.roots(), Versions::Any), &scene.server(), "www.shop.test").await.unwrap();
        // Nothing was drawn from the seeded stream.
        let mut fresh = Seed::new(1).stream("desk");
        assert_eq!(scene.client.rng.lock().unwrap().next_u64(), fresh.next_u64());
        scene.writes.lock().unwrap().clone()
    };
    assert_ne!(run().await, run().await);
}

#[tokio::test]
async fn whom_a_client_believes() {
    let connect = async |time, trust: Option<Trust>, name: &str| {
        let scene = Scene::new(3, time);
        let client = scene.client(trust.unwrap_or_else(|| scene.roots()), Versions::Any);
        let outcome = scene.talk(&client, &scene.server(), name).await;
        let alerts = |desk: &Desk| {
            let notes = desk.notes.lock().unwrap();
            let of = |n: &Note| n.fields.get("description").map(ToString::to_string);
            notes.iter().filter(|n| n.kind == "tls.alert").filter_map(of).collect::<Vec<_>>().join(" ")
        };
        (outcome.map(|_| ()), alerts(&scene.client), alerts(&scene.server))
    };
    let stranger =
        || Some(Trust::Roots(Authority::new(KeySource::Seeded(Seed::new(99)), EPOCH).unwrap().trust_store()));
    for (time, trust, name, alert) in [
        (EPOCH, None, "www.shop.test", None),
        (EPOCH, None, "10.0.0.1", None),
        (EPOCH + DAY * 396, None, "www.shop.test", None),
        (EPOCH + DAY * 398, None, "www.shop.test", Some("certificate_expired")),
        (EPOCH - DAY * 2, None, "www.shop.test", Some("certificate_expired")),
        (EPOCH, None, "other.test", Some("bad_certificate")),
        (EPOCH, None, "10.0.0.2", Some("bad_certificate")),
        (EPOCH, stranger(), "www.shop.test", Some("unknown_ca")),
        (EPOCH, Some(Trust::Roots(TrustStore::empty())), "www.shop.test", Some("unknown_ca")),
        (EPOCH, Some(Trust::Anyone), "other.test", None),
    ] {
        let (outcome, sent, received) = connect(time, trust, name).await;
        match alert {
            None => {
                outcome.unwrap();
                assert_eq!((sent.as_str(), received.as_str()), ("close_notify close_notify", "close_notify"), "{name}");
            }
            Some(alert) => {
                assert!(matches!(outcome, Err(Failure::Certificate(_))), "{name}: {outcome:?}");
                // What our side says that it sends is what the other side gets.
                assert_eq!((sent.as_str(), received.as_str()), (alert, alert), "{name} {time:?}");
            }
        }
    }
}

#[tokio::test]
async fn who_gets_the_list_refuses_what_was_taken_back() {
    let scene = Scene::new(5, EPOCH);
    let net: NetRef = scene.server.clone();
    let names = vec!["www.shop.test".to_owned()];
    let revoked = scene.authority.fill(&Order { flaw: Some(Flaw::Revoked), ..Order::new(names) }).unwrap();
    let of_revoked = Server::new(&net, &revoked, &[tls::HTTP_1_1]).unwrap();
    let informed = scene.authority.trust_store().with_revocations(scene.authority.revocations().unwrap());
    let client = scene.client(Trust::Roots(informed), Versions::Any);
    let refused = scene.talk(&client, &of_revoked, "www.shop.test").await;
    assert_eq!(refused, Err(Failure::Certificate("certificate revoked".to_owned())));
    let received = |desk: &Desk| {
        let notes = desk.notes.lock().unwrap();
        notes
            .iter()
            .filter(|n| n.kind == "tls.alert")
            .filter_map(|n| n.fields.get("description"))
            .map(ToString::to_string)
            .next()
    };
    assert_eq!(received(&scene.server).as_deref(), Some("certificate_revoked"));
    // What nothing is wrong with is believed as before, and who has no list notices nothing.
    scene.talk(&client, &scene.server(), "www.shop.test").await.unwrap();
    scene.talk(&scene.client(scene.roots(), Versions::Any), &of_revoked, "www.shop.test").await.unwrap();
}

#[tokio::test]
async fn the_certificate_shown_is_the_one_asked_for() {
    let scene = Scene::new(6, EPOCH);
    let net: NetRef = scene.server.clone();
    let identities = [&["www.one.test"][..], &["*.two.test"]].map(|names| scene.authority.issue(names).unwrap());
    let server = Server::of_several(&net, &identities, Versions::Any, &Clients::Unasked, &[tls::HTTP_1_1]).unwrap();
    for (name, fits) in [("www.one.test", true), ("api.two.test", true), ("www.three.test", false)] {
        let client = scene.client(scene.roots(), Versions::Any);
        assert_eq!(scene.talk(&client, &server, name).await.is_ok(), fits, "{name}");
    }
    assert!(Server::of_several(&net, &[], Versions::Any, &Clients::Unasked, &[]).is_err());
}

#[tokio::test]
async fn a_server_speaks_the_versions_that_it_is_told_to() {
    let scene = Scene::new(7, EPOCH);
    let net: NetRef = scene.server.clone();
    let identity = [scene.authority.issue(&["www.shop.test"]).unwrap()];
    for (of_server, of_client, agreed) in [
        (Versions::Tls12, Versions::Any, Some("TLS 1.2")),
        (Versions::Tls13, Versions::Any, Some("TLS 1.3")),
        (Versions::Tls12, Versions::Tls13, None),
        (Versions::Tls13, Versions::Tls12, None),
    ] {
        let server = Server::of_several(&net, &identity, of_server, &Clients::Unasked, &[tls::HTTP_1_1]).unwrap();
        let outcome = scene.talk(&scene.client(scene.roots(), of_client), &server, "www.shop.test").await;
        match agreed {
            Some(version) => assert!(outcome.unwrap().contains(version)),
            None => assert!(outcome.is_err(), "{of_server:?} and {of_client:?}"),
        }
    }
}

#[tokio::test]
async fn a_second_connection_resumes_the_first() {
    let scene = Scene::new(4, EPOCH);
    let (client, server) = (scene.client(scene.roots(), Versions::Any), scene.server());
    for turn in 0..2 {
        scene.client.notes.lock().unwrap().clear();
        scene.talk(&client, &server, "www.shop.test").await.unwrap();
        let notes = scene.client.notes.lock().unwrap();
        let shown = notes.iter().filter(|n| n.kind == "tls.certificate").count();
        assert_eq!(shown, 1 - turn, "{notes:?}");
        let finished = notes.iter().find(|n| n.kind == "tls.finished").unwrap();
        assert_eq!(finished.fields.get("why").is_some(), turn == 1);
    }
}

#[tokio::test]
async fn a_peer_that_speaks_something_else() {
    let scene = Scene::new(5, EPOCH);
    let (near, mut far) = tokio::io::duplex(4096);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let client = scene.client(scene.roots(), Versions::Any);
    let error = client.connect("www.shop.test", PEER, near).await.unwrap_err();
    assert!(matches!(tls::failure(&error), Some(Failure::Protocol(_))), "{error:?}");
    let (near, far) = tokio::io::duplex(4096);
    drop(far);
    let error = client.connect("www.shop.test", PEER, near).await.unwrap_err();
    assert_eq!(tls::failure(&error), None, "{error:?}");
    let (near, _far) = tokio::io::duplex(64);
    assert_eq!(client.connect("no name", PEER, near).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

/// Whom a server believes, and what both ends hear where it does not.
#[tokio::test]
async fn a_client_is_asked_who_it_is() {
    let required = "certificate_required";
    let order = |flaw, usage| Order { flaw, usage, ..Order::new(vec!["anna.test".to_owned()]) };
    for versions in [Versions::Tls13, Versions::Tls12] {
        for (needed, shown, alert) in [
            (true, Some(order(None, Usage::Client)), None),
            (true, Some(order(None, Usage::Both)), None),
            (true, None, Some(required)),
            (false, None, None),
            (false, Some(order(None, Usage::Client)), None),
            (false, Some(order(Some(Flaw::UntrustedRoot), Usage::Client)), Some("unknown_ca")),
            (true, Some(order(Some(Flaw::UntrustedRoot), Usage::Client)), Some("unknown_ca")),
            (true, Some(order(Some(Flaw::SelfSigned), Usage::Client)), Some("unknown_ca")),
            (true, Some(order(Some(Flaw::MissingIntermediate), Usage::Client)), Some("unknown_ca")),
            (true, Some(order(Some(Flaw::Expired), Usage::Client)), Some("certificate_expired")),
            (true, Some(order(Some(Flaw::NotYetValid), Usage::Client)), Some("certificate_expired")),
            (true, Some(order(Some(Flaw::Revoked), Usage::Client)), Some("certificate_revoked")),
            // One that only a server may show.
            (true, Some(order(None, Usage::Server)), Some("unsupported_certificate")),
        ] {
            let said = format!("{versions:?}, {needed}, {shown:?}");
            let scene = Scene::new(8, EPOCH);
            let net: NetRef = scene.server.clone();
            let identity = shown.map(|order| scene.authority.fill(&order).unwrap());
            let store = scene.authority.trust_store().with_revocations(scene.authority.revocations().unwrap());
            let clients = if needed { Clients::Known(store) } else { Clients::Asked(store) };
            let own = [scene.authority.issue(&["www.shop.test"]).unwrap()];
            let server = Server::of_several(&net, &own, versions, &clients, &[tls::HTTP_1_1]).unwrap();
            let mut client = scene.client(scene.roots(), versions);
            if let Some(identity) = &identity {
                client = client.showing(identity);
            }
            let outcome = scene.talk(&client, &server, "www.shop.test").await;
            let notes = scene.server.notes.lock().unwrap();
            let of = |kind: &str, field: &str| -> Vec<String> {
                let found = notes.iter().filter(|n| n.kind == kind).filter_map(|n| n.fields.get(field));
                found.map(ToString::to_string).collect()
            };
            match alert {
                None => assert!(outcome.is_ok(), "{said}: {outcome:?}"),
                Some(alert) => {
                    assert_eq!(outcome, Err(Failure::Alert(alert.to_owned())), "{said}");
                    assert_eq!(of("tls.alert", "description"), [alert], "{said}");
                }
            }
            let taken = identity.is_some().then_some("the client");
            assert_eq!(of("tls.certificate", "of").first().map(String::as_str), taken, "{said}");
        }
    }
    // Nobody can show a certificate of nobody.
    let scene = Scene::new(8, EPOCH);
    let net: NetRef = scene.server.clone();
    let own = [scene.authority.issue(&["www.shop.test"]).unwrap()];
    assert!(Server::of_several(&net, &own, Versions::Any, &Clients::Known(TrustStore::empty()), &[]).is_err());
}

#[test]
fn a_certificate_and_its_key_come_in_one_pem_too() {
    let authority = Authority::new(KeySource::Seeded(Seed::new(8)), EPOCH).unwrap();
    let order = Order::new(vec!["anna.test".to_owned()]);
    let pem = authority.fill_pem(&order).unwrap();
    let read = septet_presentation::ca::ServerIdentity::from_pem(pem.as_bytes(), pem.as_bytes()).unwrap();
    assert_eq!(read.chain(), authority.fill(&order).unwrap().chain());
}
