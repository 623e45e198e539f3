//! A service of one's own, in virtual time: requests and responses stream both ways, over HTTP/1.1 and HTTP/2.

mod beside;

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use beside::{PLAIN, SECURE, beside, connect};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use septet_application::http::{
    self, Body, Connection, Cut, Peer, Request, Response, Server, StatusCode, Version, broken,
};
use septet_presentation::ca::{ServerIdentity, TrustStore};
use septet_presentation::tls::{self, Trust, Versions};
use septet_socket::{BoxFuture, NetRef, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// `/echo` sends back what it gets as it comes, `/who` says who asks, `/deaf` answers without reading, `/gone` breaks off,
/// and `/half` does so behind five bytes.
async fn answer(request: Request<Body>) -> Response<Body> {
    match request.uri().path() {
        "/echo" => Response::new(request.into_body()),
        "/who" => {
            let Peer(peer) = request.extensions().get().expect("the server says who asks");
            Response::new(Body::from(peer.ip().to_string()))
        }
        "/deaf" => http::plain(StatusCode::IM_A_TEAPOT),
        "/gone" => broken(Cut::Reset),
        "/half" => Response::new(Body::from("0123456789".to_owned()).cut(5, Cut::Close)),
        _ => http::plain(StatusCode::NOT_FOUND),
    }
}

/// What `client` gives, on a host beside the one that serves.
fn ask<T: Send + 'static>(client: impl Fn(NetRef, TrustStore) -> BoxFuture<'static, T> + 'static) -> T {
    let serve = |net: &NetRef, identity: &ServerIdentity| -> Vec<BoxFuture<'static, io::Result<()>>> {
        let server = Server::of(|_| answer).listen(PLAIN.into()).listen_tls(SECURE.into(), identity.clone());
        vec![Box::pin(server.serve(net.clone()))]
    };
    beside(serve, client, 60)
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        text.push(stream.read_u8().await.unwrap_or_else(|e| panic!("{e} behind {}", String::from_utf8_lossy(&text))));
    }
    String::from_utf8(text).unwrap()
}

/// A body of what is sent into a channel.
struct Channel(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Channel {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[test]
fn bodies_stream_both_ways_over_http_1() {
    ask(|net, _| {
        Box::pin(async move {
            let mut stream = connect(&net).await;
            let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let answer = read_until(&mut stream, "\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            // Each piece comes back before the next one is sent.
            for piece in ["one", "two", "three"] {
                stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
                read_until(&mut stream, &format!("{piece}\r\n")).await;
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
            assert_eq!(read_until(&mut stream, "0\r\n\r\n").await, "0\r\n\r\n");
            // The connection lives on.
            stream.write_all(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            assert!(read_until(&mut stream, "10.0.0.1").await.starts_with("HTTP/1.1 200"));
        })
    });
}

#[test]
fn bodies_stream_both_ways_over_http_2() {
    ask(|net, trust| {
        Box::pin(async move {
            let client = tls::Client::new(&net, &Trust::Roots(trust), Versions::Any, &[tls::H2]).unwrap();
            let stream = net.connect(SECURE.into(), Default::default()).await.unwrap();
            let stream = client.connect("10.0.0.2", SECURE.into(), stream).await.unwrap();
            let mut connection = Connection::new(&net, stream, Version::Http2).await.unwrap();
            let (pieces, body) = mpsc::channel(1);
            let request = Request::post("https://10.0.0.2/echo").body(Body::new(Channel(body))).unwrap();
            let mut response = connection.send(request).await.unwrap();
            for piece in ["one", "two", "three"] {
                pieces.send(piece.into()).await.unwrap();
                let back = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
                assert_eq!(back, piece);
            }
            drop(pieces);
            assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        })
    });
}

#[test]
fn a_body_that_nobody_reads_ends_the_connection_behind_the_answer() {
    let text = ask(|net, _| {
        Box::pin(async move {
            let mut stream = connect(&net).await;
            let request = "POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nonly so much";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        })
    });
    assert!(text.starts_with("HTTP/1.1 418") && text.contains("\r\nConnection: close\r\n"), "{text}");
}

#[test]
fn an_answer_breaks_off_where_the_service_says_so() {
    let [gone, half] = ask(|net, _| {
        Box::pin(async move {
            let mut heard = [const { (String::new(), Ok(0)) }; 2];
            for (path, (text, ended)) in ["/gone", "/half"].into_iter().zip(&mut heard) {
                let mut stream = connect(&net).await;
                stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
                *ended = stream.read_to_string(text).await.map_err(|e| e.kind());
            }
            heard
        })
    });
    assert_eq!(gone, (String::new(), Err(io::ErrorKind::ConnectionReset)));
    assert!(half.0.ends_with("\r\n\r\n01234") && half.1.is_ok(), "{half:?}");
}
