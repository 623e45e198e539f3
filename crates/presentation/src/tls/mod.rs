//! TLS 1.3 and 1.2 over any stream, on any `Net`.
//!
//! Where the network's randomness is seeded, handshakes have the same bytes on every run; elsewhere rustls's stock
//! provider is used and nothing here touches a secret. Key material goes to [`Net::secret`](septet_socket::Net::secret)
//! so that a capture can be read, and the flights of the handshake are told to the trace.

mod clients;
mod finding;
mod identities;
mod observe;
mod record;
mod seeded;
mod session;
mod stream;
mod verify;

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, ServerConfig, SupportedProtocolVersion, version};
use septet_socket::{NetExt, NetRef};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::ca::{ServerIdentity, TrustStore};
pub use clients::Clients;
use identities::Identities;
use stream::handshake;
pub use stream::{Alert, Stream};
use verify::{Check, NotingVerifier, Signatures};

/// HTTP/2 over TLS, as ALPN names it (RFC 9113 §3.2).
pub const H2: &str = "h2";
/// HTTP/1.1, as ALPN names it (RFC 7301 §6).
pub const HTTP_1_1: &str = "http/1.1";
/// How long a server waits for its client to be done with the handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// Whom a client believes.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Servers whose chain ends at one of these roots, in date and for the right name.
    Roots(TrustStore),
    /// Anyone who holds the key of the certificate shown: `curl -k`.
    Anyone,
}

/// Which versions may be spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Versions {
    /// TLS 1.3, and 1.2 where the peer knows no better.
    #[default]
    Any,
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

impl Versions {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static ANY: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
        match self {
            Self::Any => &ANY,
            Self::Tls12 => &ANY[1..],
            Self::Tls13 => &ANY[..1],
        }
    }
}

/// The client's side: what it believes and offers, and the sessions that it may resume.
#[derive(Clone)]
pub struct Client {
    net: NetRef,
    config: Arc<ClientConfig>,
}

impl Client {
    /// A client that offers the protocols `alpn`, best first.
    ///
    /// # Errors
    /// `InvalidInput` where the trust store is empty.
    pub fn new(net: &NetRef, trust: &Trust, versions: Versions, alpn: &[&str]) -> io::Result<Self> {
        let provider = seeded::provider_for(net);
        let check = match trust {
            Trust::Anyone => Check::KeyOnly(Arc::new(Signatures(provider.clone()))),
            // A client without roots is a client that refuses everyone, not one that cannot be made.
            Trust::Roots(roots) if roots.roots().is_empty() => Check::All(Arc::new(Signatures(provider.clone()))),
            Trust::Roots(store) => Check::All(
                WebPkiServerVerifier::builder_with_provider(store.roots(), provider.clone())
                    .with_crls(store.lists().iter().cloned())
                    // As browsers: a leaf on a list is refused, one of whose authority there is no list is not.
                    .only_check_end_entity_revocation()
                    .allow_unknown_revocation_status()
                    .enforce_revocation_expiration()
                    .build()
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?,
            ),
        };
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(Clock(net.clone())))
            .with_protocol_versions(versions.supported())
            .map_err(refused)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(NotingVerifier { net: net.clone(), check }))
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        config.resumption = Resumption::store(Arc::new(session::ClientSessions::default()));
        config.key_log = Arc::new(Secrets(net.clone()));
        Ok(Self { net: net.clone(), config: Arc::new(config) })
    }

    /// Shows this identity to servers that ask for one.
    #[must_use]
    pub fn showing(mut self, identity: &ServerIdentity) -> Self {
        let own = rustls::sign::SingleCertAndKey::from(identity.certified_key());
        Arc::make_mut(&mut self.config).client_auth_cert_resolver = Arc::new(own);
        self
    }

    /// Shakes hands over `stream` with the server called `name` (a DNS name or an IP address) at `peer`.
    ///
    /// # Errors
    /// `InvalidInput` where `name` is no name; those of the stream; [`failure`] names what TLS refused.
    pub async fn connect<S>(&self, name: &str, peer: SocketAddr, stream: S) -> io::Result<Stream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let server = ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is no server name")))?;
        let observed = observe::Observed::new(stream, &self.net, Role::Client, peer, None);
        let connect = {
            let _scope = seeded::enter(&self.net);
            TlsConnector::from(self.config.clone()).connect(server, observed)
        };
        handshake(self.net.clone(), peer, connect).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The server's side: its certificates and the protocols that it speaks.
#[derive(Clone)]
pub struct Server {
    net: NetRef,
    identities: Identities,
    config: Arc<ServerConfig>,
    /// Whether it asks clients who they are.
    asks: bool,
}

/// For so long a server reads what a client sends that it has refused.
const LINGERING: Duration = Duration::from_secs(5);

/// Closes so that the client reads the alert. He may have sent his request by now, since for him the handshake was over, and
/// who closes with something unread resets the connection, and all that was on its way (RFC 1122 §4.2.2.13).
async fn linger<S: AsyncRead + AsyncWrite + Unpin + Send>(net: &NetRef, mut stream: S) {
    let read = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(64 * 1024), &mut tokio::io::sink()).await
    };
    let _ = net.timeout(LINGERING, read).await;
}

impl Server {
    /// A server that shows `identity` and speaks the protocols `alpn`, best first.
    ///
    /// # Errors
    /// `InvalidInput` where rustls refuses the identity.
    pub fn new(net: &NetRef, identity: &ServerIdentity, alpn: &[&str]) -> io::Result<Self> {
        Self::of_several(net, core::slice::from_ref(identity), Versions::Any, &Clients::Unasked, alpn)
    }

    /// A server that shows the first of `identities` that is for the name that a client asks for (SNI, RFC 6066 §3), and the
    /// first of all where none is or the client names nobody; and asks clients who they are as `clients` has it.
    ///
    /// # Errors
    /// `InvalidInput` where there is no identity, or clients are asked for certificates of nobody.
    pub fn of_several(
        net: &NetRef,
        identities: &[ServerIdentity],
        versions: Versions,
        clients: &Clients,
        alpn: &[&str],
    ) -> io::Result<Self> {
        let identities = Identities::new(identities)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a server without a certificate"))?;
        let provider = seeded::provider_for(net);
        let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(Clock(net.clone())))
            .with_protocol_versions(versions.supported())
            .map_err(refused)?;
        let builder = match clients.verifier(net, provider)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(identities.clone()));
        config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        config.session_storage = Arc::new(session::ServerSessions::default());
        config.key_log = Arc::new(Secrets(net.clone()));
        let asks = !matches!(clients, Clients::Unasked);
        Ok(Self { net: net.clone(), identities, config: Arc::new(config), asks })
    }

    /// Shakes hands over `stream` with the client at `peer`.
    ///
    /// # Errors
    /// Those of the stream; [`failure`] names what TLS refused.
    pub async fn accept<S>(&self, peer: SocketAddr, stream: S) -> io::Result<Stream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let identities = Some(self.identities.clone());
        let observed = observe::Observed::new(stream, &self.net, Role::Server, peer, identities);
        let accept = {
            let _scope = seeded::enter(&self.net);
            TlsAcceptor::from(self.config.clone()).accept(observed).into_fallible()
        };
        let mut left = None;
        let accept = Box::pin(async {
            accept.await.map_err(|(e, stream)| {
                left = Some(stream);
                e
            })
        });
        let result = handshake(self.net.clone(), peer, accept).await;
        if result.is_err()
            && let Some(stream) = left.filter(|_| self.asks)
        {
            linger(&self.net, stream).await;
        }
        result
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// What went wrong in TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The peer's certificate is not believed; why, in words.
    Certificate(String),
    /// The peer sent this alert.
    Alert(String),
    /// Anything else: the peer speaks another protocol, or none in common.
    Protocol(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(why) | Self::Protocol(why) => f.write_str(why),
            Self::Alert(alert) => write!(f, "the peer sent the alert {alert}"),
        }
    }
}

/// What TLS refused, where `error` came from TLS rather than from the stream below.
pub fn failure(error: &io::Error) -> Option<Failure> {
    let inner = error.get_ref()?;
    if let Some(unbelieved) = inner.downcast_ref::<finding::Unbelieved>() {
        return Some(Failure::Certificate(unbelieved.finding.clone()));
    }
    let inner = inner.downcast_ref::<rustls::Error>()?;
    Some(match inner {
        rustls::Error::InvalidCertificate(e) => Failure::Certificate(e.to_string()),
        rustls::Error::AlertReceived(alert) => Failure::Alert(alert_name(*alert)),
        other => Failure::Protocol(other.to_string()),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

fn refused(e: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, e)
}

/// `close_notify` rather than `CloseNotify`: the words of RFC 8446 §6.
fn alert_name(alert: rustls::AlertDescription) -> String {
    let mut name = String::new();
    let letters: Vec<char> = format!("{alert:?}").chars().collect();
    for (i, c) in letters.iter().enumerate() {
        let after = i.checked_sub(1).map(|i| letters[i]);
        let before = letters.get(i + 1);
        // A capital begins a word, unless it stands within an abbreviation.
        let begins = after.is_some_and(|a| a.is_ascii_lowercase()) || before.is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && begins && i > 0 {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLS 1.3",
        ProtocolVersion::TLSv1_2 => "TLS 1.2",
        ProtocolVersion::TLSv1_1 => "TLS 1.1",
        ProtocolVersion::TLSv1_0 => "TLS 1.0",
        _ => "other",
    }
}

/// `TLS_AES_256_GCM_SHA384` rather than rustls's `TLS13_AES_256_GCM_SHA384`: the registered name.
fn suite_name(suite: CipherSuite) -> String {
    format!("{suite:?}").replace("TLS13_", "TLS_")
}

struct Clock(NetRef);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.unix_time()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

struct Secrets(NetRef);

impl rustls::KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = String::with_capacity(label.len() + 2 * (client_random.len() + secret.len()) + 2);
        line.push_str(label);
        for bytes in [client_random, secret] {
            line.push(' ');
            for b in bytes {
                let hex = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
                line.extend([hex(b >> 4), hex(b & 15)]);
            }
        }
        self.0.secret(line);
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use rustls::AlertDescription as A;

    use super::*;

    #[test]
    fn alerts_by_the_names_of_rfc_8446() {
        for (alert, name) in [
            (A::CloseNotify, "close_notify"),
            (A::UnknownCA, "unknown_ca"),
            (A::UnknownPSKIdentity, "unknown_psk_identity"),
            (A::BadRecordMac, "bad_record_mac"),
        ] {
            assert_eq!(alert_name(alert), name);
        }
    }
}
