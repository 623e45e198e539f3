//! The corner cases of sockets: each row is one small program, which runs on a simulated host and on the kernel's sockets. What
//! it says must be the same there and here, and is the table of docs/io-models.md (`SEPTET_BLESS=1` writes it).

mod stage;

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

use septet_core::Instant as At;
use septet_face::net::{ListenOptions, ReuseAddress, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use septet_face::poll::{Interest, Poll, Trigger};
use septet_face::time::Instant;
use septet_face::{start, thread};
use stage::{Log, host, pair};

/// What a row is run with: the address of the system's own that it binds to.
type Own = IpAddr;

struct Row {
    name: &'static str,
    program: fn(Own) -> io::Result<String>,
}

/// What a call comes to: a length, or the kind of an error; its number where the standard library has no kind for it.
fn shown<T: ToString>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => match error.raw_os_error() {
            Some(89) => "EDESTADDRREQ".to_owned(),
            Some(90) => "EMSGSIZE".to_owned(),
            Some(106) => "EISCONN".to_owned(),
            _ => format!("{:?}", error.kind()),
        },
    }
}

fn all(results: &[String]) -> io::Result<String> {
    Ok(results.join(", "))
}

/// Lets what was sent arrive: nothing on a simulated host but virtual time; the kernel's loopback is given the time in earnest.
fn settle() {
    thread::sleep(Duration::from_millis(20));
}

/// Two ends of a connection: who connected, and who accepted.
fn ends(own: Own) -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((own, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

fn sockets(own: Own) -> io::Result<(UdpSocket, UdpSocket)> {
    Ok((UdpSocket::bind((own, 0))?, UdpSocket::bind((own, 0))?))
}

/// A port at which nobody listens.
fn deserted(own: Own) -> io::Result<SocketAddr> {
    TcpListener::bind((own, 0))?.local_addr()
}

fn read(mut stream: &TcpStream, most: usize) -> String {
    let mut buf = vec![0; most];
    shown(stream.read(&mut buf))
}

fn write(mut stream: &TcpStream, data: &[u8]) -> String {
    shown(stream.write(data))
}

const PATIENCE: Option<Duration> = Some(Duration::from_millis(50));

const ROWS: &[Row] = &[
    Row {
        name: "half-close: the one end is read, the other still writes",
        program: |own| {
            let (client, server) = ends(own)?;
            client.shutdown(Shutdown::Write)?;
            let end = read(&server, 8);
            all(&[end, write(&server, b"abc"), read(&client, 8)])
        },
    },
    Row {
        name: "write after the own direction was shut: EPIPE",
        program: |own| {
            let (client, _server) = ends(own)?;
            client.shutdown(Shutdown::Write)?;
            all(&[write(&client, b"abc"), shown(client.shutdown(Shutdown::Write).map(|()| 0))])
        },
    },
    Row {
        name: "the peer has closed: end of stream; the first write leaves, the next is EPIPE",
        program: |own| {
            let (client, server) = ends(own)?;
            drop(server);
            let end = read(&client, 8);
            let first = write(&client, b"a");
            settle();
            all(&[end, first, write(&client, b"b")])
        },
    },
    Row {
        name: "the peer closes with unread data: reset",
        program: |own| {
            let (client, server) = ends(own)?;
            write(&client, b"unread");
            settle();
            drop(server);
            settle();
            all(&[read(&client, 8), read(&client, 8)])
        },
    },
    Row {
        name: "a reset while a read waits",
        program: |own| {
            let (client, server) = ends(own)?;
            let waiting = thread::spawn(move || read(&client, 8));
            settle();
            server.set_linger(Some(Duration::ZERO))?;
            drop(server);
            all(&[waiting.join().map_err(io::Error::other)?])
        },
    },
    Row {
        name: "SO_LINGER of zero: closing resets, and what was written is lost",
        program: |own| {
            let (client, server) = ends(own)?;
            write(&server, b"lost");
            server.set_linger(Some(Duration::ZERO))?;
            settle();
            drop(server);
            settle();
            all(&[read(&client, 8)])
        },
    },
    Row {
        name: "SO_LINGER of five seconds: closing waits until all has arrived, and no longer",
        program: |own| {
            let (client, server) = ends(own)?;
            server.set_linger(Some(Duration::from_secs(5)))?;
            write(&server, b"kept");
            let begun = Instant::now();
            drop(server);
            let took = if begun.elapsed() < Duration::from_secs(1) { "soon" } else { "late" };
            all(&[took.to_owned(), read(&client, 8), read(&client, 8)])
        },
    },
    Row {
        name: "SHUT_RD: the end of the stream at once",
        program: |own| {
            let (client, _server) = ends(own)?;
            client.shutdown(Shutdown::Read)?;
            all(&[read(&client, 8)])
        },
    },
    Row {
        name: "what comes after SHUT_RD is still read, then the end",
        program: |own| {
            let (client, server) = ends(own)?;
            client.shutdown(Shutdown::Read)?;
            let sent = write(&server, b"abc");
            settle();
            all(&[sent, read(&client, 8), read(&client, 8)])
        },
    },
    Row {
        name: "shutdown of what is not connected any more",
        program: |own| {
            let (client, server) = ends(own)?;
            server.set_linger(Some(Duration::ZERO))?;
            drop(server);
            settle();
            all(&[read(&client, 8), shown(client.shutdown(Shutdown::Write).map(|()| 0))])
        },
    },
    Row {
        name: "short read: as much as is there",
        program: |own| {
            let (client, server) = ends(own)?;
            write(&server, b"hello");
            settle();
            all(&[read(&client, 3), read(&client, 100)])
        },
    },
    Row {
        name: "a read into nothing",
        program: |own| {
            let (client, server) = ends(own)?;
            write(&server, b"hello");
            settle();
            all(&[read(&client, 0), read(&client, 8)])
        },
    },
    Row {
        name: "short write: as much as there is room, then EAGAIN",
        program: |own| {
            let (client, _server) = ends(own)?;
            client.set_nonblocking(true)?;
            let much = vec![0; 64 << 20];
            let first = (&client).write(&much)?;
            let some = if first > 0 && first < much.len() { "some" } else { "all" };
            let mut last = write(&client, &much);
            while last.parse::<usize>().is_ok() {
                last = write(&client, &much);
            }
            all(&[some.to_owned(), last])
        },
    },
    Row {
        name: "SO_SNDTIMEO: a write that finds no room gives up",
        program: |own| {
            let (client, _server) = ends(own)?;
            client.set_write_timeout(PATIENCE)?;
            let written = (&client).write_all(&vec![0; 64 << 20]);
            all(&[shown(written.map(|()| 0))])
        },
    },
    Row {
        name: "SO_RCVTIMEO of a stream, of a datagram socket, and of zero",
        program: |own| {
            let (client, _server) = ends(own)?;
            client.set_read_timeout(PATIENCE)?;
            let (socket, _) = sockets(own)?;
            socket.set_read_timeout(PATIENCE)?;
            let zero = client.set_read_timeout(Some(Duration::ZERO)).map(|()| 0);
            all(&[read(&client, 8), shown(socket.recv(&mut [0; 8])), shown(zero)])
        },
    },
    Row {
        name: "EAGAIN at once: accept, read, receive",
        program: |own| {
            let listener = TcpListener::bind((own, 0))?;
            listener.set_nonblocking(true)?;
            let (client, _server) = ends(own)?;
            client.set_nonblocking(true)?;
            let (socket, _) = sockets(own)?;
            socket.set_nonblocking(true)?;
            let accepted = shown(listener.accept().map(|_| "a connection"));
            all(&[accepted, read(&client, 8), shown(socket.recv(&mut [0; 8]))])
        },
    },
    Row {
        name: "a handle of the same socket is non-blocking too",
        program: |own| {
            let (client, _server) = ends(own)?;
            client.try_clone()?.set_nonblocking(true)?;
            all(&[read(&client, 8)])
        },
    },
    Row {
        name: "what is accepted waits, though its listener does not",
        program: |own| {
            let listener = TcpListener::bind((own, 0))?;
            listener.set_nonblocking(true)?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            settle();
            let (server, _) = listener.accept()?;
            let waiting = thread::spawn(move || read(&server, 8));
            settle();
            write(&client, b"late");
            all(&[waiting.join().map_err(io::Error::other)?])
        },
    },
    Row {
        name: "MSG_PEEK of a stream: it stays",
        program: |own| {
            let (client, server) = ends(own)?;
            write(&server, b"hello");
            settle();
            all(&[shown(client.peek(&mut [0; 3])), read(&client, 8)])
        },
    },
    Row {
        name: "MSG_PEEK of a datagram: it stays whole",
        program: |own| {
            let (one, other) = sockets(own)?;
            one.send_to(b"hello", other.local_addr()?)?;
            let peeked = shown(other.peek_from(&mut [0; 2]).map(|(n, _)| n));
            all(&[peeked, shown(other.recv_from(&mut [0; 8]).map(|(n, _)| n))])
        },
    },
    Row {
        name: "a datagram that does not fit: the rest is lost",
        program: |own| {
            let (one, other) = sockets(own)?;
            one.send_to(b"hello", other.local_addr()?)?;
            let first = shown(other.recv_from(&mut [0; 2]).map(|(n, _)| n));
            other.set_nonblocking(true)?;
            all(&[first, shown(other.recv_from(&mut [0; 8]).map(|(n, _)| n))])
        },
    },
    Row {
        name: "a datagram of no length is one, and no end",
        program: |own| {
            let (one, other) = sockets(own)?;
            let sent = shown(one.send_to(b"", other.local_addr()?));
            one.send_to(b"x", other.local_addr()?)?;
            let mut buf = [0; 8];
            all(&[sent, shown(other.recv(&mut buf)), shown(other.recv(&mut buf))])
        },
    },
    Row {
        name: "a datagram that is too large",
        program: |own| {
            let (one, other) = sockets(own)?;
            let to = other.local_addr()?;
            all(&[shown(one.send_to(&[0; 65_508], to)), shown(one.send_to(&[0; 65_507], to))])
        },
    },
    Row {
        name: "a datagram without a destination; the peer of none",
        program: |own| {
            let (one, _) = sockets(own)?;
            all(&[shown(one.send(b"x")), shown(one.peer_addr())])
        },
    },
    Row {
        name: "a connected datagram socket hears its peer alone",
        program: |own| {
            let (one, other) = sockets(own)?;
            let stranger = UdpSocket::bind((own, 0))?;
            other.connect(one.local_addr()?)?;
            stranger.send_to(b"strange", other.local_addr()?)?;
            one.send_to(b"hello", other.local_addr()?)?;
            settle();
            other.set_nonblocking(true)?;
            let mut buf = [0; 16];
            all(&[shown(other.recv(&mut buf)), shown(other.recv(&mut buf))])
        },
    },
    Row {
        name: "nobody hears a datagram: the next call is refused, once",
        program: |own| {
            let (one, other) = sockets(own)?;
            one.connect(other.local_addr()?)?;
            drop(other);
            let first = shown(one.send(b"x"));
            settle();
            one.set_nonblocking(true)?;
            let mut buf = [0; 8];
            all(&[first, shown(one.recv(&mut buf)), shown(one.recv(&mut buf)), shown(one.send(b"y"))])
        },
    },
    Row {
        name: "connection refused",
        program: |own| all(&[shown(TcpStream::connect(deserted(own)?).map(|_| "connected"))]),
    },
    Row {
        name: "a full accept queue: a connection more than the backlog, then silence",
        program: |own| {
            let options = ListenOptions { backlog: 0, ..ListenOptions::default() };
            let listener = TcpListener::bind_with((own, 0), options)?;
            let at = listener.local_addr()?;
            let first = TcpStream::connect_timeout(&at, Duration::from_secs(1));
            settle();
            let second = TcpStream::connect_timeout(&at, Duration::from_millis(200));
            all(&[
                shown(first.as_ref().map(|_| "connected").map_err(|e| e.kind().into())),
                shown(second.map(|_| "connected")),
            ])
        },
    },
    Row {
        name: "a port that is taken, of either kind",
        program: |own| {
            let listener = TcpListener::bind((own, 0))?;
            let (one, _) = sockets(own)?;
            let again = TcpListener::bind(listener.local_addr()?).map(|_| "bound");
            all(&[shown(again), shown(UdpSocket::bind(one.local_addr()?).map(|_| "bound"))])
        },
    },
    Row {
        name: "an address of somebody else",
        program: |_| {
            let theirs = ([192, 0, 2, 1], 0);
            let stream = TcpListener::bind(theirs).map(|_| "bound");
            all(&[shown(stream), shown(UdpSocket::bind(theirs).map(|_| "bound"))])
        },
    },
    Row {
        name: "SO_REUSEADDR: a port in TIME-WAIT is free with it alone",
        program: |own| {
            let listener = TcpListener::bind((own, 0))?;
            let at = listener.local_addr()?;
            let client = TcpStream::connect(at)?;
            let (server, _) = listener.accept()?;
            drop((server, listener));
            read(&client, 8);
            drop(client);
            settle();
            let strict = ListenOptions { reuse_address: ReuseAddress::Off, ..ListenOptions::default() };
            let without = TcpListener::bind_with(at, strict).map(|_| "bound");
            all(&[shown(without), shown(TcpListener::bind(at).map(|_| "bound"))])
        },
    },
    Row {
        name: "shutdown of a listener: of writing nothing, of both whoever waits in accept hears EINVAL, and who calls it later",
        program: |own| {
            let listener = TcpListener::bind((own, 0))?;
            let (at, twin) = (listener.local_addr()?, listener.try_clone()?);
            let waiting = thread::spawn(move || shown(twin.accept().map(|_| "accepted")));
            settle();
            let writing = shown(listener.shutdown(Shutdown::Write).map(|()| "shut"));
            let open = shown(TcpStream::connect(at).map(|_| "connected"));
            let accepted = waiting.join().map_err(io::Error::other)?;
            let queued = TcpStream::connect(at)?;
            let late = TcpListener::bind((own, 0))?;
            let twin = late.try_clone()?;
            let waiting = thread::spawn(move || shown(twin.accept().map(|_| "accepted")));
            settle();
            late.shutdown(Shutdown::Read)?;
            let both = shown(listener.shutdown(Shutdown::Both).map(|()| "shut"));
            let again = shown(listener.shutdown(Shutdown::Both).map(|()| "shut"));
            let woken = waiting.join().map_err(io::Error::other)?;
            let later = shown(listener.accept().map(|_| "accepted"));
            let refused = shown(TcpStream::connect(at).map(|_| "connected"));
            all(&[writing, open, accepted, both, again, woken, later, refused, read(&queued, 8)])
        },
    },
    Row {
        name: "epoll, level: as long as something is there",
        program: |own| {
            let (client, server) = ends(own)?;
            let poll = Poll::new()?;
            poll.add(&client, 7, Interest::Read, Trigger::Level)?;
            let before = poll.wait(8, PATIENCE)?.len();
            write(&server, b"hello");
            let (first, again) = (poll.wait(8, PATIENCE)?.len(), poll.wait(8, PATIENCE)?.len());
            read(&client, 8);
            let after = poll.wait(8, PATIENCE)?.len();
            all(&[before, first, again, after].map(|n| n.to_string()))
        },
    },
    Row {
        name: "epoll, edge: once for what has come, and again for more",
        program: |own| {
            let (client, server) = ends(own)?;
            let poll = Poll::new()?;
            poll.add(&client, 7, Interest::Read, Trigger::Edge)?;
            write(&server, b"hello");
            let (first, again) = (poll.wait(8, PATIENCE)?.len(), poll.wait(8, PATIENCE)?.len());
            write(&server, b"more");
            let more = poll.wait(8, PATIENCE)?.len();
            all(&[first, again, more].map(|n| n.to_string()))
        },
    },
    Row {
        name: "epoll, edge, of datagrams",
        program: |own| {
            let (one, other) = sockets(own)?;
            let poll = Poll::new()?;
            poll.add(&other, 7, Interest::Read, Trigger::Edge)?;
            one.send_to(b"a", other.local_addr()?)?;
            let (first, again) = (poll.wait(8, PATIENCE)?.len(), poll.wait(8, PATIENCE)?.len());
            one.send_to(b"b", other.local_addr()?)?;
            let more = poll.wait(8, PATIENCE)?.len();
            all(&[first, again, more].map(|n| n.to_string()))
        },
    },
    Row {
        name: "epoll, edge, waited for by several threads: one of them hears of a datagram",
        program: |own| {
            let (one, other) = sockets(own)?;
            let poll = Arc::new(Poll::new()?);
            poll.add(&other, 7, Interest::Read, Trigger::Edge)?;
            let wait = |_| {
                let poll = poll.clone();
                thread::spawn(move || poll.wait(8, PATIENCE).map(|events| events.len()))
            };
            let threads: Vec<_> = (0..4).map(wait).collect();
            settle();
            one.send_to(b"a", other.local_addr()?)?;
            let heard = threads.into_iter().map(|thread| thread.join().map_err(io::Error::other)?);
            all(&[heard.sum::<io::Result<usize>>()?.to_string()])
        },
    },
    Row {
        name: "epoll: more is ready than there is room for, and each has its turn",
        program: |own| {
            let (one, other) = sockets(own)?;
            let third = UdpSocket::bind((own, 0))?;
            let poll = Poll::new()?;
            for (key, socket) in [(1, &one), (2, &other), (3, &third)] {
                poll.add(socket, key, Interest::Read, Trigger::Level)?;
                socket.send_to(b"a", socket.local_addr()?)?;
                settle();
            }
            let turn = || poll.wait(1, PATIENCE).map(|events| events.iter().map(|event| event.key).sum::<u64>());
            let turns: Vec<u64> = (0..6).map(|_| turn()).collect::<io::Result<_>>()?;
            all(&[format!("{turns:?}")])
        },
    },
    Row {
        name: "epoll: the peer has closed",
        program: |own| {
            let (client, server) = ends(own)?;
            let poll = Poll::new()?;
            poll.add(&client, 7, Interest::Both, Trigger::Level)?;
            let open = poll.wait(8, PATIENCE)?;
            drop(server);
            settle();
            let closed = poll.wait(8, PATIENCE)?;
            let told = |events: &[septet_face::poll::Event]| {
                let told = |e: &septet_face::poll::Event| (e.is_readable(), e.is_writable(), e.is_read_closed());
                format!("{:?}", events.iter().map(told).collect::<Vec<_>>())
            };
            all(&[told(&open), told(&closed)])
        },
    },
    Row {
        name: "epoll: no room for what is ready",
        program: |own| {
            let (client, server) = ends(own)?;
            let poll = Poll::new()?;
            poll.add(&client, 7, Interest::Read, Trigger::Level)?;
            write(&server, b"hello");
            settle();
            all(&[shown(poll.wait(0, PATIENCE).map(|events| events.len()))])
        },
    },
    Row {
        name: "epoll: what is watched is watched once, and forgotten once",
        program: |own| {
            let (client, _server) = ends(own)?;
            let poll = Poll::new()?;
            let add = || poll.add(&client, 7, Interest::Read, Trigger::Level).map(|()| "added");
            let (first, again) = (shown(add()), shown(add()));
            let remove = || poll.remove(&client).map(|()| "removed");
            all(&[first, again, shown(remove()), shown(remove())])
        },
    },
];

fn run(row: &Row, own: Own) -> String {
    (row.program)(own).unwrap_or_else(|error| format!("failed: {error:?}"))
}

/// What the rows say on a simulated host.
fn simulated() -> Vec<String> {
    let log = Log::default();
    let (mut a, b) = (host(1), host(2));
    let out = log.clone();
    a.on_boot(move |net| {
        let out = out.clone();
        let program = start(&net, "rows", move || {
            for row in ROWS {
                out.say(run(row, IpAddr::from([10, 0, 0, 1])));
            }
        });
        drop(program.unwrap());
    });
    let (mut world, ..) = pair(a, b);
    let _ = world.run_until(At::from_secs(600));
    log.lines()
}

const BEGIN: &str = "<!-- corners -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn corner_cases_are_as_the_kernel_has_them() {
    let ours = simulated();
    let lines: Vec<String> = ROWS.iter().zip(&ours).map(|(row, said)| format!("| {} | {said} |\n", row.name)).collect();
    assert_eq!(ours.len(), ROWS.len(), "the program stopped after {:#?}", ours);
    if cfg!(target_os = "linux") {
        let theirs: Vec<String> = ROWS.iter().map(|row| run(row, IpAddr::from([127, 0, 0, 1]))).collect();
        let apart: Vec<_> = ROWS.iter().zip(ours.iter().zip(&theirs)).filter(|(_, (a, b))| a != b).collect();
        let apart: Vec<_> = apart.iter().map(|(row, (a, b))| format!("{}: ours {a}, Linux {b}", row.name)).collect();
        assert!(apart.is_empty(), "{} of {} rows differ: {apart:#?}", apart.len(), ROWS.len());
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/io-models.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a table of corner cases");
    let (_, after) = rest.split_once(END).expect("the table ends");
    let table = format!("\n| program | what its calls come to, there and here |\n|---|---|\n{}\n", lines.concat());
    let wanted = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("SEPTET_BLESS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page == wanted, "docs/io-models.md is not up to date: SEPTET_BLESS=1 writes it");
}

#[test]
fn an_error_is_shown_by_its_kind() {
    assert_eq!(shown(Err::<usize, _>(ErrorKind::WouldBlock.into())), "WouldBlock");
    assert_eq!(shown(Ok(5)), "5");
}
