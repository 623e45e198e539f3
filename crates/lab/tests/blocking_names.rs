//! Blocking programs of a lab that has name servers: a name is asked for over the network, while the thread waits.

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};

use septet_face::net::{TcpStream, lookup_host};
use septet_face::time::Instant;
use septet_face::{start, thread};
use septet_host::Host;
use septet_lab::{BuildOptions, Lab};

const LAB: &str = r#"
[lab]
name = "names"
stop = "60s"

[media]
lan = { delay = "10ms" }

[topology]
links = ["client, web, ns -- s1 : lan"]

[switch.s1]

[host.client]

[host.web.http]
body = "12b"

[host.ns.dns]
zones = { "shop.test" = { www = "web", front = "CNAME www" } }

[faults]
script = ["20s: crash ns"]
"#;

/// What a blocking program of the client says of its names.
fn say(program: impl FnOnce(&dyn Fn(String)) + Send + 'static) -> (Vec<String>, f64) {
    let lab = Lab::parse("lab.toml", LAB).unwrap();
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    let client = run.station(run.lab().node("client").unwrap()).unwrap();
    let net = run.world.station::<Host>(client).unwrap().net();
    let said = Arc::new(Mutex::new(Vec::new()));
    let out = said.clone();
    let started = start(&net, "program", move || program(&|line| out.lock().unwrap().push(line)));
    drop(started.unwrap());
    run.play().unwrap();
    let asked = run.recorders().find(|(name, _)| *name == "ns").and_then(|(_, of)| of.series("dns.queries"));
    let lines = said.lock().unwrap().clone();
    (lines, asked.map_or(0.0, |asked| asked.sum()))
}

#[test]
fn a_name_is_asked_for_while_the_thread_waits() {
    let (said, asked) = say(|say| {
        let begun = Instant::now();
        let found: Vec<_> = lookup_host("www.shop.test:80").unwrap().collect();
        say(format!("{found:?}"));
        assert!(begun.elapsed() >= Duration::from_millis(40), "there and back over two cables of 10 ms");
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("front.shop.test", 80)).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(80), "the answer, and the handshake");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: front.shop.test\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        say(answer.lines().next().unwrap().to_owned());
        say(format!("{:?}", TcpStream::connect("none.shop.test:80").unwrap_err().kind()));
        say(format!("{:?}", lookup_host("www.shop.test").map(|_| ()).unwrap_err().kind()));
        let begun = Instant::now();
        say(format!("{:?}", lookup_host(("10.9.9.9", 7)).unwrap().collect::<Vec<_>>()));
        assert_eq!(begun.elapsed(), Duration::ZERO, "what is an address is not asked for");
    });
    let answers = ["HTTP/1.1 200 OK", "NotFound", "InvalidInput", "[10.9.9.9:7]"];
    assert_eq!(said[1..], answers, "{said:?}");
    assert!(said[0].starts_with("[10.0.") && said[0].ends_with(":80]"), "{said:?}");
    assert!(asked >= 3.0, "{asked}");
}

#[test]
fn where_nobody_answers_the_time_is_over() {
    let (said, _) = say(|say| {
        thread::sleep(Duration::from_secs(30));
        let begun = Instant::now();
        say(format!("{:?}", TcpStream::connect("www.shop.test:80").unwrap_err().kind()));
        assert!(begun.elapsed() >= Duration::from_secs(10), "two questions of five seconds: {:?}", begun.elapsed());
    });
    assert_eq!(said, [format!("{:?}", ErrorKind::TimedOut)]);
}
