//! The stream under TLS: lets the bytes through, counts them and notes the flights of the handshake.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::net::SocketAddr;

use rustls::{CipherSuite, ProtocolVersion};
use septet_core::{Fields, Instant, Storey};
use septet_socket::{NetExt, NetRef};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::identities::Identities;
use super::record::{ClientHello, Scanner, Seen, ServerHello};
use super::{Role, suite_name, version_name};

/// A stream whose TLS records are looked at while the handshake lasts.
pub(super) struct Observed<S> {
    stream: S,
    phase: Phase,
}

enum Phase {
    /// The handshake goes on, and somebody may want to hear of it.
    Handshake(Option<Box<Onlooker>>),
    /// It is over.
    Data,
}

impl<S> Observed<S> {
    pub(super) fn new(stream: S, net: &NetRef, role: Role, peer: SocketAddr, identities: Option<Identities>) -> Self {
        let onlooker = net.is_traced().then(|| {
            let (sent, received) = (Direction::default(), Direction::default());
            Box::new(Onlooker {
                net: net.clone(),
                role,
                peer,
                identities,
                sni: None,
                begun: net.now(),
                resumed: false,
                sent,
                received,
            })
        });
        Self { stream, phase: Phase::Handshake(onlooker) }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Notes that the handshake is over, and looks no longer.
    pub(super) fn finish(&mut self, finished: &Finished) {
        if let Phase::Handshake(Some(onlooker)) = core::mem::replace(&mut self.phase, Phase::Data) {
            onlooker.finish(finished);
        }
    }
}

/// What the handshake agreed upon.
pub(super) struct Finished {
    pub(super) version: Option<ProtocolVersion>,
    pub(super) suite: Option<CipherSuite>,
    pub(super) alpn: Option<Vec<u8>>,
}

struct Onlooker {
    net: NetRef,
    role: Role,
    peer: SocketAddr,
    /// What a server may show, and the name that it was asked for.
    identities: Option<Identities>,
    sni: Option<String>,
    begun: Instant,
    resumed: bool,
    sent: Direction,
    received: Direction,
}

#[derive(Default)]
struct Direction {
    scanner: Scanner,
    bytes: u64,
    /// Whether the flight with the certificate was noted.
    certificate: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Sent,
    Received,
}

impl Onlooker {
    fn look(&mut self, way: Way, bytes: &[u8]) {
        let direction = match way {
            Way::Sent => &mut self.sent,
            Way::Received => &mut self.received,
        };
        direction.bytes += bytes.len() as u64;
        let mut seen = Vec::new();
        direction.scanner.feed(bytes, |s| seen.push(s));
        let mut later = 0;
        for s in seen {
            match s {
                Seen::ClientHello(hello) => {
                    self.note(way, "tls.client-hello", |f| client_hello(f, &hello));
                    self.sni = hello.sni;
                }
                Seen::ServerHello(hello) => {
                    self.resumed |= hello.psk;
                    self.note(way, "tls.server-hello", |f| server_hello(f, &hello));
                }
                Seen::Later(n) => later += n,
            }
        }
        // What a server sends after its hello is the certificate; a client notes it when it has checked it.
        if later > 0 && (self.role, way) == (Role::Server, Way::Sent) && !self.resumed && !self.sent.certificate {
            self.sent.certificate = true;
            let chain = self.identities.as_ref().map_or(&[][..], |all| all.choose(self.sni.as_deref()).chain());
            let bytes: usize = chain.iter().map(|certificate| certificate.len()).sum();
            self.note(way, "tls.certificate", |f| {
                f.set("certificates", chain.len()).set("bytes", bytes);
            });
        }
    }

    fn note(&self, way: Way, kind: &'static str, build: impl FnOnce(&mut Fields)) {
        self.net.trace(Storey::Presentation, kind, |f| {
            f.set("way", if way == Way::Sent { "sent" } else { "received" }).set("peer", self.peer);
            build(f);
        });
    }

    fn finish(&self, finished: &Finished) {
        self.net.trace(Storey::Presentation, "tls.finished", |f| {
            f.set("peer", self.peer);
            f.set("version", finished.version.map_or("unknown", version_name));
            f.set("suite", finished.suite.map_or_else(|| "unknown".to_owned(), suite_name));
            if let Some(alpn) = &finished.alpn {
                f.set("alpn", String::from_utf8_lossy(alpn).into_owned());
            }
            f.set("took", self.net.now() - self.begun);
            f.set("bytes_sent", self.sent.bytes).set("bytes_received", self.received.bytes);
            if self.resumed {
                f.set("why", "an earlier session was resumed, so no certificate was shown");
            }
        });
    }
}

fn client_hello(f: &mut Fields, hello: &ClientHello) {
    if let Some(sni) = &hello.sni {
        f.set("sni", sni.clone());
    }
    f.set("versions", hello.versions.iter().map(|v| version_name(*v)).collect::<Vec<_>>().join(", "));
    if !hello.alpn.is_empty() {
        f.set("alpn", hello.alpn.join(", "));
    }
    f.set("suites", hello.suites).set("bytes", hello.bytes);
    if hello.psk {
        f.set("why", "offers to resume an earlier session");
    }
}

fn server_hello(f: &mut Fields, hello: &ServerHello) {
    f.set("version", version_name(hello.version));
    f.set("suite", suite_name(CipherSuite::from(hello.suite)));
    f.set("bytes", hello.bytes);
    if hello.retry {
        f.set("why", "the client is asked for another key share");
    } else if hello.psk {
        f.set("why", "resumes an earlier session");
    }
}

impl<S> Observed<S> {
    fn look(&mut self, way: Way, bytes: &[u8]) {
        if let Phase::Handshake(Some(onlooker)) = &mut self.phase {
            onlooker.look(way, bytes);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = &poll {
            self.look(Way::Received, &buf.filled()[before..]);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = &poll {
            self.look(Way::Sent, &buf[..*n]);
        }
        poll
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.phase {
            Phase::Data => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
            // A flight leaves whole, whatever the stream makes of several buffers, and whether or not anybody looks:
            // rustls has but one write for the alert that ends a handshake, and it comes behind other records.
            Phase::Handshake(_) => {
                let flight = bufs.iter().fold(Vec::new(), |mut flight, b| {
                    flight.extend_from_slice(b);
                    flight
                });
                self.poll_write(cx, &flight)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
