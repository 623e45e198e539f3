//! The stream above TLS, and the handshake that leads to it.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use rustls::CommonState;
use septet_core::Storey;
use septet_socket::{NetExt, NetRef, Writes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use super::finding::{self, Unbelieved};
use super::observe::{Finished, Observed};
use super::{alert_name, seeded, suite_name, version_name};

/// A stream protected by TLS.
///
/// `poll_shutdown` sends close_notify and then closes the sending direction of the stream below.
pub struct Stream<S> {
    net: NetRef,
    peer: SocketAddr,
    tls: TlsStream<Observed<S>>,
    sent_close: bool,
    seen_close: bool,
    alert: Alert,
    /// What was read when writing had failed.
    early: Vec<u8>,
    /// Why writing failed, while what came before is read.
    broken: Option<io::Error>,
}

/// The fatal alert by which the peer ended a connection, once it came: for those who have given the stream away.
#[derive(Clone, Debug, Default)]
pub struct Alert(Arc<OnceLock<String>>);

impl Alert {
    /// Its name in RFC 8446 §6.
    pub fn received(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

/// No more than this is read when writing has failed.
const MOST_EARLY: usize = 64 * 1024;

impl<S> Stream<S> {
    /// The protocol agreed upon by ALPN, such as [`H2`](super::H2).
    pub fn alpn(&self) -> Option<&str> {
        core::str::from_utf8(self.state().alpn_protocol()?).ok()
    }

    /// The version agreed upon: `TLS 1.3`.
    pub fn version(&self) -> &'static str {
        self.state().protocol_version().map_or("unknown", version_name)
    }

    /// The cipher suite agreed upon, by its registered name.
    pub fn suite(&self) -> String {
        self.state().negotiated_cipher_suite().map_or_else(|| "unknown".to_owned(), |s| suite_name(s.suite()))
    }

    /// The peer's certificates, leaf first; none where it showed none.
    pub fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        self.state().peer_certificates().unwrap_or_default()
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        self.tls.get_ref().0.get_ref()
    }

    /// Where the alert stands by which the peer may end the connection.
    pub fn alert(&self) -> Alert {
        self.alert.clone()
    }

    fn state(&self) -> &CommonState {
        self.tls.get_ref().1
    }

    fn note_alert(&self, way: &'static str, description: String, why: Option<String>) {
        note_alert(&self.net, self.peer, way, description, why);
    }

    fn failed(&self, error: &io::Error) {
        if let Some(super::Failure::Alert(alert)) = super::failure(error) {
            let _ = self.alert.0.set(alert);
        }
        note_failure(&self.net, self.peer, error);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Writes. Who ends a connection by a fatal alert takes nothing any more, so that its peer may fail to write before he has
    /// read why: where writing fails what came before is read first.
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TlsStream<Observed<S>>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.broken.is_none() {
            let _scope = seeded::enter(&self.net);
            match write(Pin::new(&mut self.tls), cx) {
                Poll::Ready(Err(e)) if super::failure(&e).is_none() => self.broken = Some(e),
                other => return other,
            }
        }
        ready!(self.read_early(cx));
        Poll::Ready(Err(self.broken.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())))
    }

    /// Reads to the end, or as much as is kept.
    fn read_early(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut buf = [0; 4096];
        while self.early.len() < MOST_EARLY {
            let mut buf = ReadBuf::new(&mut buf);
            let poll = {
                let _scope = seeded::enter(&self.net);
                Pin::new(&mut self.tls).poll_read(cx, &mut buf)
            };
            match ready!(poll) {
                Ok(()) if !buf.filled().is_empty() => self.early.extend_from_slice(buf.filled()),
                Ok(()) => break,
                Err(e) => {
                    self.failed(&e);
                    break;
                }
            }
        }
        Poll::Ready(())
    }
}

impl<S: septet_socket::Stream> septet_socket::Stream for Stream<S> {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    fn reset_on_drop(&self) {
        self.get_ref().reset_on_drop();
    }

    fn alpn(&self) -> Option<&str> {
        self.alpn()
    }

    fn writes(&self) -> Writes {
        Writes::InRecords
    }
}

impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("tls::Stream").field("peer", &self.peer).field("version", &self.version()).finish()
    }
}

/// Drives a handshake inside of the scope that seeded randomness needs.
pub(super) async fn handshake<S, T, F>(net: NetRef, peer: SocketAddr, mut inner: F) -> io::Result<Stream<S>>
where
    F: Future<Output = io::Result<T>> + Unpin,
    T: Into<TlsStream<Observed<S>>>,
{
    let mut finding = None;
    let result = poll_fn(|cx| {
        let _scope = seeded::enter(&net);
        let poll = Pin::new(&mut inner).poll(cx);
        finding = finding::take();
        poll
    })
    .await;
    let mut tls: TlsStream<_> = match result {
        Ok(tls) => tls.into(),
        Err(e) => {
            note_failure(&net, peer, &e);
            return Err(explained(e, finding));
        }
    };
    let state = tls.get_ref().1;
    let suite = state.negotiated_cipher_suite().map(|s| s.suite());
    let finished =
        Finished { version: state.protocol_version(), suite, alpn: state.alpn_protocol().map(<[u8]>::to_vec) };
    tls.get_mut().0.finish(&finished);
    let (alert, early, broken) = Default::default();
    Ok(Stream { net, peer, tls, sent_close: false, seen_close: false, alert, early, broken })
}

/// Adds what the verifier found to what rustls says of it.
fn explained(error: io::Error, finding: Option<String>) -> io::Error {
    let tls = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match (tls, finding) {
        (Some(tls @ rustls::Error::InvalidCertificate(_)), Some(finding)) => {
            io::Error::new(error.kind(), Unbelieved { error: tls.clone(), finding })
        }
        _ => error,
    }
}

fn note_failure(net: &NetRef, peer: SocketAddr, error: &io::Error) {
    let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else { return };
    match tls {
        rustls::Error::AlertReceived(alert) => note_alert(net, peer, "received", alert_name(*alert), None),
        other => note_alert(net, peer, "sent", alert_for(other).to_owned(), Some(other.to_string())),
    }
}

/// The alert with which rustls answers `error`, by the names of RFC 8446 §6.2.
fn alert_for(error: &rustls::Error) -> &'static str {
    use rustls::{CertificateError as C, Error as E};
    match error {
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. } | C::NotValidYet) => "certificate_expired",
        E::InvalidCertificate(C::NotValidYetContext { .. }) => "certificate_expired",
        E::InvalidCertificate(
            C::UnknownIssuer
            | C::UnknownRevocationStatus
            | C::ExpiredRevocationList
            | C::ExpiredRevocationListContext { .. },
        ) => "unknown_ca",
        E::InvalidCertificate(C::Revoked) => "certificate_revoked",
        E::InvalidCertificate(C::BadSignature) => "decrypt_error",
        E::InvalidCertificate(C::InvalidPurpose | C::InvalidPurposeContext { .. }) => "unsupported_certificate",
        E::InvalidCertificate(_) => "bad_certificate",
        E::NoCertificatesPresented => "certificate_required",
        E::DecryptError => "bad_record_mac",
        E::NoApplicationProtocol => "no_application_protocol",
        E::PeerIncompatible(_) => "handshake_failure",
        E::PeerMisbehaved(_) => "illegal_parameter",
        E::InvalidMessage(_) => "decode_error",
        E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => "unexpected_message",
        _ => "internal_error",
    }
}

fn note_alert(net: &NetRef, peer: SocketAddr, way: &'static str, description: String, why: Option<String>) {
    net.trace(Storey::Presentation, "tls.alert", |f| {
        f.set("way", way).set("peer", peer).set("description", description);
        if let Some(why) = why {
            f.set("why", why);
        }
    });
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.early.is_empty() {
            let n = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early[..n]);
            this.early.drain(..n);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let poll = {
            let _scope = seeded::enter(&this.net);
            Pin::new(&mut this.tls).poll_read(cx, buf)
        };
        match &poll {
            Poll::Ready(Ok(())) if buf.filled().len() == before && buf.remaining() > 0 && !this.seen_close => {
                this.seen_close = true;
                this.note_alert("received", "close_notify".to_owned(), None);
            }
            Poll::Ready(Err(e)) => this.failed(e),
            _ => {}
        }
        poll
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, |tls, cx| tls.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(cx, |tls, cx| tls.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().write(cx, |tls, cx| tls.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.sent_close {
            this.sent_close = true;
            this.note_alert("sent", "close_notify".to_owned(), None);
        }
        let _scope = seeded::enter(&this.net);
        Pin::new(&mut this.tls).poll_shutdown(cx)
    }
}
