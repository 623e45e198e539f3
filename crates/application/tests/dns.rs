//! DNS on the kernel's sockets: our server before the real dig, and our dig beside it.

mod common;

use std::net::SocketAddr;

use common::{free_address, judge, net, ours, start};
use septet_application::dns::{Data, Family, LookupError, RecordType, Resolver, Server, Zone};
use septet_presentation::ca::TrustStore;
use septet_socket::NetRef;

fn zones() -> Vec<Zone> {
    let mut z = Zone::new("shop.test").unwrap();
    for (name, data) in [
        ("lb", Data::A([10, 0, 3, 2].into())),
        ("lb", Data::Aaaa("fd00::2".parse().unwrap())),
        ("www", Data::Cname("lb".into())),
        ("*.dev", Data::A([10, 0, 3, 9].into())),
        ("@", Data::Mx { preference: 10, exchange: "mail".into() }),
        ("mail", Data::A([10, 0, 3, 25].into())),
        ("_http._tcp", Data::Srv { priority: 1, weight: 2, port: 80, target: "lb".into() }),
        ("a-long-name-that-leaves-the-columns", Data::Txt(vec!["two \"strings\"".into(), "\u{e4}".into()])),
    ] {
        z.add(name, data).unwrap();
    }
    for i in 0..100 {
        z.add("many", Data::A([10, 1, 0, i].into())).unwrap();
    }
    let mut reverse = Zone::new("0.10.in-addr.arpa").unwrap();
    reverse.add("2.3", Data::Ptr("lb.shop.test.".into())).unwrap();
    vec![z, reverse]
}

async fn serve(net: &NetRef) -> SocketAddr {
    let at = free_address();
    start(net, at, Box::pin(Server::new(zones()).listen(vec![at]).serve(net.clone()))).await;
    at
}

/// What differs from one run, or one implementation, to the next.
fn comparable(output: &str) -> String {
    output
        .lines()
        .filter(|l| !l.starts_with("; <<>>") && !l.starts_with(";; Query time") && !l.starts_with(";; WHEN"))
        .map(|l| l.split(", id: ").next().unwrap_or(l).to_owned() + "\n")
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_dig_prints_what_the_real_one_prints() {
    let net = net(&[]);
    let at = serve(&net).await;
    for question in [
        "www.shop.test",
        "WWW.Shop.Test",
        "www.shop.test AAAA",
        "shop.test MX",
        "shop.test NS",
        "shop.test SOA",
        "nope.shop.test",
        "x.y.dev.shop.test",
        "lb.shop.test ANY",
        "a-long-name-that-leaves-the-columns.shop.test TXT",
        "_http._tcp.shop.test SRV",
        "-x 10.0.3.2",
        "example.com",
        "many.shop.test",
        "many.shop.test +ignore",
        "+tcp www.shop.test",
        "+noedns +norec www.shop.test",
        "+short www.shop.test",
        "+noall +answer www.shop.test shop.test MX",
        "+nocmd +nocomments +nostats www.shop.test",
        "shop.test AXFR",
        "nope.test AXFR",
    ] {
        // The real one asks ANY over TCP and sends a cookie unless told otherwise.
        let any = if question.contains("ANY") { "+notcp" } else { "" };
        let Some(real) = judge(&format!("dig @127.0.0.1 -p {} +nocookie {any} {question}", at.port())).await else {
            return;
        };
        let ours = ours(&net, &TrustStore::empty(), &format!("dig @127.0.0.1 -p {} {question}", at.port())).await;
        let real_text = String::from_utf8_lossy(&real.stdout);
        let (got, want) = (comparable(&ours.out), comparable(&real_text));
        let differs = got.lines().zip(want.lines()).find(|(got, want)| got != want);
        assert!(got == want, "{question}: {differs:?}\nreal:\n{real_text}\nours:\n{}", ours.out);
        assert_eq!(Some(i32::from(ours.code)), real.status.code(), "{question}");
    }
}

#[tokio::test]
async fn codes_for_what_no_client_should_send() {
    let net = net(&[]);
    let at = serve(&net).await;
    let ask = async |bytes: Vec<u8>| {
        let socket = net.bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
        socket.send_to(&bytes, at).await.unwrap();
        let mut buf = [0; 512];
        use septet_socket::NetExt;
        net.timeout(core::time::Duration::from_millis(300), socket.receive(&mut buf)).await.ok()?.unwrap();
        Some(buf[3] & 15)
    };
    let head = |flags: u8, questions: u8| vec![1, 2, flags, 0, 0, questions, 0, 0, 0, 0, 0, 0];
    let with = |mut head: Vec<u8>, rest: &[u8]| {
        head.extend_from_slice(rest);
        head
    };
    let question = b"\x04shop\x04test\0\0\x01\0\x01";
    assert_eq!(ask(with(head(0, 1), question)).await, Some(0));
    assert_eq!(ask(with(head(0x20, 1), question)).await, Some(4), "NOTIFY is not implemented");
    assert_eq!(ask(with(head(0, 1), b"\x04shop\x04test\0\0\x01\0\x03")).await, Some(5), "CHAOS is refused");
    assert_eq!(ask(with(head(0, 2), &[&question[..], question].concat())).await, Some(1), "two questions");
    assert_eq!(ask(head(0, 1)).await, Some(1), "the question is missing");
    assert_eq!(ask(with(head(0x80, 1), question)).await, None, "an answer is not answered");
    assert_eq!(ask(vec![1, 2, 0]).await, None, "too short for a header");
}

#[tokio::test]
async fn the_stub_resolver() {
    let at = serve(&net(&[])).await;
    let resolver = Resolver::new(net(&[at]));
    let text = |r: Result<Vec<std::net::IpAddr>, LookupError>| match r {
        Ok(ips) => ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Err(e) => e.to_string(),
    };
    assert!(text(resolver.addresses("www.shop.test", Family::Any).await).contains("10.0.3.2"));
    assert_eq!(text(resolver.addresses("127.0.0.9", Family::Any).await), "127.0.0.9");
    assert_eq!(text(resolver.addresses("[fd00::7]", Family::Any).await), "fd00::7");
    assert_eq!(text(resolver.addresses("localhost.", Family::V4).await), "127.0.0.1");
    assert!(matches!(resolver.addresses("nope.shop.test", Family::Any).await, Err(LookupError::NoName(_))));
    assert!(matches!(resolver.addresses("_http._tcp.shop.test", Family::Any).await, Err(LookupError::NoData(_))));
    assert!(matches!(resolver.addresses("a..b", Family::Any).await, Err(LookupError::BadName(_))));
    assert!(matches!(resolver.addresses("www.example.com", Family::Any).await, Err(LookupError::Failed(..))));
    let many = resolver.lookup("many.shop.test", RecordType::A).await.unwrap();
    assert_eq!((many.matching(RecordType::A).count(), many.over), (100, "TCP"), "truncated, so asked for over TCP");
    let nobody = Resolver::new(net(&[free_address()]));
    assert!(matches!(nobody.addresses("www.shop.test", Family::Any).await, Err(LookupError::TimedOut(_))));
    assert_eq!(Resolver::new(net(&[])).addresses("www.shop.test", Family::Any).await, Err(LookupError::NoServers));
}

#[tokio::test]
async fn a_dig_without_an_answer() {
    let net = net(&[]);
    let nobody = free_address();
    let ran = ours(&net, &TrustStore::empty(), &format!("dig @127.0.0.1 -p {} +tries=2 x.test", nobody.port())).await;
    assert_eq!(ran.code, 9);
    let line = format!(";; communications error to 127.0.0.1#{}: connection refused\n", nobody.port());
    assert!(
        ran.out.starts_with(&line.repeat(2)) && ran.out.ends_with("\n;; no servers could be reached\n"),
        "{}",
        ran.out
    );
}
