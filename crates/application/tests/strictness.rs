//! What the HTTP server says to requests that are not quite requests, as strict as nginx or stricter, and how long it
//! puts up with slow clients: in virtual time.

mod beside;

use core::pin::Pin;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use beside::{PLAIN, SECURE, beside, connect};
use bytes::Bytes;
use futures_util::future::join_all;
use septet_application::balancer::{Balancer, Target, Unit};
use septet_application::http::{Content, Page, Server, Site};
use septet_presentation::ca::{ServerIdentity, TrustStore};
use septet_presentation::tls::{self, Trust, Versions};
use septet_socket::{BoxFuture, NetExt, NetRef};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A balancer before the server, on the same host.
const BALANCED: ([u8; 4], u16) = ([10, 0, 0, 2], 8443);

/// What `client` gives, on a host beside one that serves `page`; the moment at which it had it.
fn beside_a_server<T: Send + 'static>(
    page: Page,
    client: impl Fn(NetRef, TrustStore) -> BoxFuture<'static, T> + 'static,
) -> T {
    let serve = move |net: &NetRef, identity: &ServerIdentity| -> Vec<BoxFuture<'static, io::Result<()>>> {
        let server =
            Server::new(Site::new(page.clone())).listen(PLAIN.into()).listen_tls(SECURE.into(), identity.clone());
        let target = Target::new("server", PLAIN.into());
        let balancer = Balancer::new(BALANCED.into(), vec![target]).balance(Unit::Requests).tls(identity.clone());
        vec![Box::pin(server.serve(net.clone())), Box::pin(balancer.serve(net.clone()))]
    };
    beside(serve, client, 1_999)
}

const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The statuses that come back for `bytes`, and whether the server closes then.
async fn talk(net: &NetRef, bytes: &[u8]) -> (Vec<u16>, bool) {
    let mut stream = connect(net).await;
    // A server that has refused early may have stopped reading.
    let _ = stream.write_all(bytes).await;
    let mut text = Vec::new();
    let closed = net.timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await.is_ok();
    let text = String::from_utf8_lossy(&text).into_owned();
    let statuses = text.split("HTTP/1.1 ").skip(1).filter_map(|t| t.get(..3)?.parse().ok()).collect();
    (statuses, closed)
}

fn head(field: &str) -> Vec<u8> {
    format!("{HEAD}{field}\r\n\r\n").into_bytes()
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("{POST}{fields}\r\n\r\n{body}").into_bytes()
}

fn chunks(body: &str) -> Vec<u8> {
    format!("{CHUNKED}{body}").into_bytes()
}

fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

#[test]
fn requests_that_are_none() {
    let get = format!("{HEAD}\r\n");
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        // Lines and fields (RFC 9112 §2.2, §5).
        ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n".to_vec(), &[200]),
        ("bare CR between lines", b"GET / HTTP/1.1\rHost: a\r\r".to_vec(), &[400]),
        ("bare CR in a value", head("X: a\rY: b"), &[400]),
        ("NUL in a value", head("X: a\0b"), &[400]),
        ("line folding", head("X: a\r\n b"), &[400]),
        ("folded length", post("Content-Length:\r\n 5", "hello"), &[400]),
        ("blank before the colon", post("Content-Length : 5", "hello"), &[400]),
        ("first field begins with a blank", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n".to_vec(), &[400]),
        ("a field without a name", head(": x"), &[400]),
        ("a line without a colon", head("foo"), &[400]),
        ("braces in a name", head("X{}: y"), &[400]),
        ("underscore in a name", head("Content_Length: 5"), &[200]),
        ("8 bits in a value", [HEAD.as_bytes(), b"X: \xff\xfe\r\n\r\n"].concat(), &[200]),
        // Host (§3.2).
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        ("two hosts", head("Host: a"), &[400]),
        ("host with a blank", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_vec(), &[400]),
        ("host with a path", b"GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n".to_vec(), &[400]),
        ("empty host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n".to_vec(), &[400]),
        ("host with a port", b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n".to_vec(), &[200]),
        // The request line (§3).
        ("absolute", line("GET http://b/ HTTP/1.1"), &[200]),
        ("CONNECT", line("CONNECT b:80 HTTP/1.1"), &[405]),
        ("OPTIONS *", line("OPTIONS * HTTP/1.1"), &[405]),
        ("GET *", line("GET * HTTP/1.1"), &[400]),
        ("TRACE", line("TRACE / HTTP/1.1"), &[405]),
        ("lower case", line("get / HTTP/1.1"), &[400]),
        ("HTTP/0.9", b"GET /\r\n".to_vec(), &[400]),
        ("HTTP/9.9", line("GET / HTTP/9.9"), &[505]),
        ("lower version", line("GET / http/1.1"), &[505]),
        ("tabs", line("GET\t/\tHTTP/1.1"), &[400]),
        ("HTTP/2 in the clear", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[505]),
        ("no slash", line("GET foo HTTP/1.1"), &[400]),
        ("above the root", line("GET /../../etc/passwd HTTP/1.1"), &[400]),
        ("NUL in the path", line("GET /%00 HTTP/1.1"), &[400]),
        ("long target", line(&format!("GET /{} HTTP/1.1", "a".repeat(9_000))), &[414]),
        ("longer target", line(&format!("GET /{} HTTP/1.1", "a".repeat(70_000))), &[414]),
        // Sizes.
        ("99 fields", head(&"A: b\r\n".repeat(98)), &[200]),
        ("5,000 fields", head(&"A: b\r\n".repeat(5_000)), &[431]),
        ("a field of 60,000 bytes", head(&format!("X: {}", "a".repeat(60_000))), &[431]),
        ("a field without end", format!("{HEAD}X: {}", "a".repeat(1_000_000)).into_bytes(), &[431]),
        ("a name of 60,000 bytes", head(&format!("{}: x", "a".repeat(60_000))), &[431]),
        // How the body is framed (§6).
        ("length and chunks", post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), &[400]),
        ("chunks and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"), &[400]),
        ("chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), &[400]),
        ("chunked, identity", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), &[501]),
        ("identity", post("Transfer-Encoding: identity", ""), &[501]),
        ("xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), &[501]),
        ("no coding", post("Transfer-Encoding:", "0\r\n\r\n"), &[501]),
        ("a control in the coding", post("Transfer-Encoding: \x0bchunked", "0\r\n\r\n"), &[400]),
        ("chunks in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(), &[400]),
        ("two lengths", post("Content-Length: 5\r\nContent-Length: 5", "hello"), &[400]),
        ("a list of lengths", post("Content-Length: 5, 5", "hello"), &[400]),
        ("+5", post("Content-Length: +5", "hello"), &[400]),
        ("-1", post("Content-Length: -1", ""), &[400]),
        ("0x5", post("Content-Length: 0x5", "hello"), &[400]),
        ("00005", post("Content-Length: 00005", "hello"), &[200]),
        ("no length", post("Content-Length:", ""), &[400]),
        ("2^64", post("Content-Length: 18446744073709551616", ""), &[400]),
        ("2^63 - 1", post("Content-Length: 9223372036854775807", "x"), &[413]),
        ("2 MB", post("Content-Length: 2000000", "x"), &[413]),
        (
            "2 MB of chunks",
            chunks(&format!("{}\r\n", format!("ffff\r\n{}\r\n", "x".repeat(65_535)).repeat(31))),
            &[413],
        ),
        ("a GET with a body", [head("Content-Length: 5"), b"hello".to_vec(), get.clone().into()].concat(), &[200, 200]),
        // Chunks (§7.1).
        ("chunks", chunks("5\r\nhello\r\n0\r\n\r\n"), &[200]),
        ("an extension", chunks("5;a=b\r\nhello\r\n0\r\n\r\n"), &[200]),
        ("an extension ends with LF", chunks("5;a\nhello\r\n0\r\n\r\n"), &[400]),
        ("bare LF after a size", chunks("5\nhello\n0\n\n"), &[400]),
        ("bare CR after a size", chunks("5\rXYZ\nhello\r\n0\r\n\r\n"), &[400]),
        ("bare CR in an extension", chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"), &[400]),
        ("junk after a size", chunks("5 junk\r\nhello\r\n0\r\n\r\n"), &[400]),
        ("CRs after the content", chunks("5\r\nhello\r\r\r\n0\r\n\r\n"), &[400]),
        ("bare LF after the content", chunks("5\r\nhello\n0\r\n\r\n"), &[400]),
        ("0x5 in a chunk", chunks("0x5\r\nhello\r\n0\r\n\r\n"), &[400]),
        ("-5 in a chunk", chunks("-5\r\nhello\r\n0\r\n\r\n"), &[400]),
        // hyper counts in 64 bits without a sign.
        ("2^63 in a chunk", chunks("8000000000000000\r\nhello\r\n0\r\n\r\n"), &[400]),
        ("2^64 - 1 in a chunk", chunks("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), &[400]),
        ("16 digits in a chunk", chunks(&format!("0000000000000005\r\nhello\r\n0\r\n\r\n{get}")), &[200, 200]),
        ("2^64 in a chunk", chunks("10000000000000000\r\nhello\r\n0\r\n\r\n"), &[400]),
        ("an extension of 20,000 bytes", chunks(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000))), &[400]),
        ("a trailer", chunks(&format!("0\r\nX: y\r\n\r\n{get}")), &[200, 200]),
        ("a trailer that is none", chunks("0\r\n\0garbage no colon\r\n\r\n"), &[400]),
        ("trailers without end", chunks(&format!("0\r\n{}", "X: y\r\n".repeat(5_000))), &[400]),
        ("a request behind chunks", chunks(&format!("5\r\nhel\n\n\r\n0\r\n\r\n{get}{get}")), &[200, 200, 200]),
        // Other protocols, and nothing at all.
        ("TLS", vec![0x16, 3, 1, 2, 0, 1], &[400]),
        ("NUL", vec![0], &[400]),
        ("all bytes", (0..=255).collect(), &[400]),
        ("10,000 empty lines", ["\r\n".repeat(10_000), get.clone()].concat().into_bytes(), &[200]),
        ("half a word", b"G".to_vec(), &[]),
        // What is as it should be.
        ("two at once", [get.clone(), get.clone()].concat().into_bytes(), &[200, 200]),
        ("close", format!("{HEAD}Connection: close\r\n\r\n{get}").into_bytes(), &[200]),
        ("continue", post("Expect: 100-continue\r\nContent-Length: 5", "hello"), &[100, 200]),
        (
            "HTTP/1.0 expects nothing",
            b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi".to_vec(),
            &[200],
        ),
        (
            "h2c",
            head("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"),
            &[200],
        ),
        ("many ranges", head(&format!("Range: bytes={}0-", "0-,".repeat(1_000))), &[200]),
    ];
    let page = Page::new(Content::Bytes(Bytes::from_static(b"hello\n")), "text/plain");
    let asked: Vec<Vec<u8>> = cases.iter().map(|(_, bytes, _)| bytes.clone()).collect();
    let answers = beside_a_server(page, move |net, _| {
        let asked = asked.clone();
        Box::pin(async move { join_all(asked.iter().map(|bytes| talk(&net, bytes))).await })
    });
    for ((name, _, want), (statuses, closed)) in cases.iter().zip(answers) {
        assert_eq!(&statuses, want, "{name}");
        let refused = statuses.last().is_some_and(|s| *s >= 400 && *s != 405);
        let last = *name == "close" || name.starts_with("HTTP/1.0");
        assert_eq!(closed, refused || last, "{name}: whether the server closes");
    }
}

type Stream = Pin<Box<dyn Both>>;

trait Both: AsyncRead + AsyncWrite + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Send + Sync> Both for S {}

/// A client that says `first` and then `drip` every 15 s: the first line of the answer, and after how many seconds the
/// server ended the connection.
async fn drip(net: &NetRef, stream: Stream, first: &[u8], drip: &[u8]) -> (String, u64) {
    let begun = net.now();
    let mut stream = stream;
    stream.write_all(first).await.unwrap();
    let mut text = Vec::new();
    while net.now() - begun < Duration::from_secs(600) {
        match net.timeout(Duration::from_secs(15), stream.read_buf(&mut text)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) => {}
            Err(_) => drop(stream.write_all(drip).await),
        }
    }
    let line = String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned();
    (line, (net.now() - begun).as_secs())
}

#[test]
fn slow_clients_of_http_1() {
    /// What it is, what is sent, what is then sent every 15 s, the answer, and after how many seconds it is over.
    type Case = (&'static str, Vec<u8>, &'static [u8], &'static str, u64);
    let late = "HTTP/1.1 408 Request Timeout";
    let cases: [Case; 10] = [
        ("silent", vec![], b"", "", 60),
        ("half a head, then silent", b"GET / HT".to_vec(), b"", late, 60),
        ("a field for ever", format!("{HEAD}X: ").into_bytes(), b"a", late, 60),
        ("fields for ever", HEAD.into(), b"A: b\r\n", late, 60),
        ("empty lines for ever", b"\r\n".to_vec(), b"\r\n", "", 60),
        ("idle after an answer", format!("{HEAD}\r\n").into_bytes(), b"", "HTTP/1.1 200 OK", 75),
        ("a body, then silent", post("Content-Length: 1000", "x"), b"", late, 60),
        ("a body for ever", post("Content-Length: 1000", "x"), b"a", late, 60),
        ("chunks for ever", chunks(""), b"1\r\na\r\n", late, 60),
        ("trailers for ever", chunks("0\r\n"), b"A: b\r\n", late, 60),
    ];
    let played = cases.clone();
    let ends = beside_a_server(Page::pattern(100), move |net, _| {
        let played = played.clone();
        Box::pin(async move {
            join_all(played.iter().map(|(_, first, more, ..)| {
                let net = &net;
                async move { drip(net, Box::pin(connect(net).await), first, more).await }
            }))
            .await
        })
    });
    for ((name, _, _, line, after), (answer, ended)) in cases.iter().zip(ends) {
        assert_eq!(answer, *line, "{name}");
        assert!((*after..after + 3).contains(&ended), "{name}: {ended} s");
    }
}

#[test]
fn a_slow_body_that_moves_is_taken() {
    let answer = beside_a_server(Page::pattern(100), move |net, _| {
        Box::pin(async move {
            let mut stream = connect(&net).await;
            stream.write_all(&post("Content-Length: 200000", "")).await.unwrap();
            // 1,000 bytes a second: 200 s.
            for _ in 0..200 {
                net.sleep(Duration::from_secs(1)).await;
                stream.write_all(&[b'x'; 1000]).await.unwrap();
            }
            let mut line = [0; 15];
            stream.read_exact(&mut line).await.unwrap();
            line
        })
    });
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

/// When the server gives up on a client that asks so often and does not read, in seconds.
fn unread(page: u64, requests: usize, secure: bool) -> u64 {
    beside_a_server(Page::pattern(page), move |net, trust| {
        Box::pin(async move {
            let begun = net.now();
            let mut stream = if secure {
                tls_stream(&net, trust, SECURE, &[tls::HTTP_1_1]).await
            } else {
                Box::pin(connect(&net).await)
            };
            let asking = format!("{HEAD}\r\n").repeat(requests);
            // What is more than both ends keep waits in the sender.
            let _ = net.timeout(Duration::from_secs(1), stream.write_all(asking.as_bytes())).await;
            // The connection is over when a byte more is answered with a reset.
            loop {
                net.sleep(Duration::from_secs(5)).await;
                // One whose window is shut learns of the reset by its probe.
                if matches!(net.timeout(Duration::from_secs(1), stream.write_all(b"G")).await, Ok(Err(_))) {
                    return (net.now() - begun).as_secs();
                }
            }
        })
    })
}

#[test]
fn answers_that_nobody_reads() {
    for (page, requests) in [(50_000_000, 3), (20_000, 2_000), (1_000, 20_000)] {
        for secure in [false, true] {
            let after = unread(page, requests, secure);
            assert!((60..90).contains(&after), "{after} s, {requests} times {page} bytes, TLS: {secure}");
        }
    }
}

#[test]
fn many_small_answers_that_nobody_reads() {
    let got = beside_a_server(Page::pattern(20_000), |net, _| {
        Box::pin(async move {
            let mut stream = connect(&net).await;
            // Some 40 MB of answers, more than both ends keep.
            stream.write_all(format!("{HEAD}\r\n").repeat(2_000).as_bytes()).await.unwrap();
            net.sleep(Duration::from_secs(100)).await;
            let mut text = Vec::new();
            let _ = net.timeout(Duration::from_secs(60), stream.read_to_end(&mut text)).await;
            text.len()
        })
    });
    assert!(got < 30_000_000, "{got} bytes came after 100 s");
}

#[test]
fn an_answer_that_is_read_slowly_arrives() {
    let got = beside_a_server(Page::pattern(10_000_000), |net, _| {
        Box::pin(async move {
            let mut stream = connect(&net).await;
            stream.write_all(format!("{HEAD}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
            let (mut got, mut piece) = (0, vec![0; 20_000]);
            loop {
                match stream.read(&mut piece).await.unwrap() {
                    0 => return got,
                    n => got += n,
                }
                net.sleep(Duration::from_secs(1)).await;
            }
        })
    });
    assert!(got > 10_000_000, "{got}");
}

async fn tls_stream(net: &NetRef, trust: TrustStore, at: ([u8; 4], u16), alpn: &[&str]) -> Stream {
    let client = tls::Client::new(net, &Trust::Roots(trust), Versions::Any, alpn).unwrap();
    let at: SocketAddr = at.into();
    let stream = net.connect(at, Default::default()).await.unwrap();
    Box::pin(client.connect("10.0.0.2", at, stream).await.unwrap())
}

#[test]
fn slow_clients_of_http_2() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    /// HEADERS on stream 1, of which more is to come: `:method: GET`.
    const HALF_HEADERS: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    /// A POST to `/` at `a`, whose body is to come.
    const POST: &[u8] = &[0, 0, 6, 1, 4, 0, 0, 0, 1, 0x83, 0x84, 0x87, 0x41, 0x01, b'a'];
    /// One byte of its body.
    const BYTE: &[u8] = &[0, 0, 1, 0, 0, 0, 0, 0, 1, b'x'];
    let cases: [(&str, Vec<u8>, &[u8], u64); 6] = [
        ("no preface", vec![], b"", 60),
        ("half a preface", PREFACE[..10].to_vec(), b"", 60),
        ("settings, then idle", [PREFACE, SETTINGS].concat(), b"", 60),
        ("settings for ever", [PREFACE, SETTINGS].concat(), SETTINGS, 60),
        ("half a head", [PREFACE, SETTINGS, HALF_HEADERS].concat(), b"", 60),
        ("a body for ever", [PREFACE, SETTINGS, POST].concat(), BYTE, 60),
    ];
    for at in [SECURE, BALANCED] {
        let played = cases.clone();
        let ends = beside_a_server(Page::pattern(100), move |net, trust| {
            let played = played.clone();
            Box::pin(async move {
                join_all(played.iter().map(|(_, first, more, _)| {
                    let (net, trust) = (&net, trust.clone());
                    async move { drip(net, tls_stream(net, trust, at, &[tls::H2]).await, first, more).await }
                }))
                .await
            })
        });
        for ((name, _, _, after), (_, ended)) in cases.iter().zip(ends) {
            // The server behind the balancer gives up on the body first; its answer is passed on, and then nothing is asked.
            let idle = if at == BALANCED && *name == "a body for ever" { 75 } else { 0 };
            assert!((after + idle..after + idle + 20).contains(&ended), "{name} at {at:?}: {ended} s");
        }
    }
}
