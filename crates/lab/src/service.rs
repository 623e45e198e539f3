//! The services that a host may offer: one file and one line in [`KINDS`] each.

mod answers;
mod balancer;
mod certificate;
mod dns;
mod http;
mod outside;

pub use balancer::{Balancer, Health};
pub use certificate::Certificate;
pub use dns::{Dns, RecordData, RecordSpec, ZoneSpec};
pub use http::Http;
pub use outside::Outside;

use core::fmt;
use std::any::Any;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use septet_application::programs::Transport;

use crate::build::BuildError;
use crate::model::topology::Topology;
use crate::stage::boot::{Boot, Ground};
use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::schema::{AnyKey, Entry, Key, Table, TableOf};
use septet_language::units::Refusal;
use septet_language::words::{Word, Wrong};

/// A service of a host, as the lab file describes it.
pub trait Service: fmt::Debug + Send + Sync + Any {
    /// Its key in the lab file.
    fn name(&self) -> &'static str;

    /// The names that its certificate must carry; none where it speaks no TLS.
    fn certificate_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The full names that it tells others, and what stands behind them.
    fn names(&self) -> Vec<(String, RecordData)> {
        Vec::new()
    }

    /// The zones in which it knows names.
    fn zones(&self) -> Vec<String> {
        Vec::new()
    }

    /// The ports that it listens on.
    fn ports(&self) -> Vec<u16>;

    /// Whose ports they are; TCP's, for most.
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Tcp]
    }

    /// What `node` does to offer it, whenever it boots.
    ///
    /// # Errors
    /// [`BuildError`].
    fn boot(&self, node: usize, ground: &Ground<'_>) -> Result<Boot, BuildError>;
}

/// A kind of service.
struct ServiceKind {
    key: &'static Key<TableOf>,
    /// What its table says. `None` where there are mistakes.
    read: fn(&Table, &mut Reading<'_>) -> Option<Arc<dyn Service>>,
}

/// What is known while services are read.
pub(crate) struct Reading<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) mistakes: &'a mut Mistakes,
    /// Where the service's table stands.
    pub(crate) span: Span,
}

impl Reading<'_> {
    /// The value, or its mistake reported.
    fn or_report<T>(&mut self, text: &Text, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.mistakes.push(wrong.mistake(text))).ok()
    }
}

const KINDS: &[ServiceKind] = &[dns::KIND, http::KIND, balancer::KIND, outside::KIND];

/// The keys of all services.
pub(crate) fn keys() -> Vec<&'static dyn AnyKey> {
    KINDS.iter().map(|kind| kind.key as &dyn AnyKey).collect()
}

/// Reads the services in a host's table.
pub(crate) fn read(host: &Table, topology: &Topology, mistakes: &mut Mistakes) -> Vec<Arc<dyn Service>> {
    let mut services: Vec<Arc<dyn Service>> = Vec::new();
    let mut taken: BTreeMap<u16, (&'static str, Span)> = BTreeMap::new();
    for kind in KINDS {
        let Some(Entry { name, value: table, .. }) = host.entry(kind.key) else { continue };
        let mut reading = Reading { topology, mistakes, span: name.span.clone() };
        let Some(service) = (kind.read)(table, &mut reading) else { continue };
        for port in service.ports() {
            if let Some((other, first)) = taken.insert(port, (service.name(), name.span.clone())) {
                let reason = format!("{other} and {} both listen on port {port}", service.name());
                let mut mistake = Mistake::new("listen-in-use", name.span.clone(), reason, "this one");
                if first != name.span {
                    mistake = mistake.also(first, "this one has it");
                }
                mistakes.push(mistake);
            }
        }
        services.push(service);
    }
    services
}

/// What a service listens on, written as a URL: `https://www.shop.test`, `http://:8080`, `tcp://:53`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// What is spoken there.
    pub scheme: Scheme,
    /// The host name; empty where it does not matter.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Listen {
    /// The socket address: the port, on every address.
    fn at(&self) -> SocketAddr {
        (Ipv4Addr::UNSPECIFIED, self.port).into()
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scheme {
    /// Bytes.
    Tcp,
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// Bytes over TLS.
    Tls,
}

impl Scheme {
    const ALL: [(&'static str, Self, Option<u16>); 4] = [
        ("http", Self::Http, Some(80)),
        ("https", Self::Https, Some(443)),
        ("tcp", Self::Tcp, None),
        ("tls", Self::Tls, None),
    ];

    /// Whether a certificate is shown there.
    fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

/// Reads a [`Listen`].
fn listen(word: Word<'_>) -> Result<Listen, Wrong> {
    let Some((scheme, rest)) = word.split_once("://") else {
        return Err(Wrong::new("url", word.range(), format!("`{}` is not a URL", word.text))
            .label("no scheme")
            .help("for example `https://www.shop.test` or `http://:8080`".to_owned()));
    };
    let known = Scheme::ALL.iter().find(|(name, ..)| *name == scheme.text).ok_or_else(|| {
        Wrong::new("url", scheme.range(), format!("nothing listens for `{}`", scheme.text))
            .label("unknown scheme")
            .help(septet_language::nearest::suggest(scheme.text, "schemes", Scheme::ALL.iter().map(|(name, ..)| *name)))
    })?;
    let (host, port) = match rest.split_once(":") {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let port = match (port, known.2) {
        (Some(word), _) => self::port(word)?,
        (None, Some(port)) => port,
        (None, None) => return Err(Wrong::new("url", rest.range(), "a port is missing").label("expected here")),
    };
    if let Some(bad) = host.text.find(|c: char| !c.is_ascii_alphanumeric() && !"-._*".contains(c)) {
        let place = Word { text: &host.text[bad..], at: host.at + bad }.range();
        return Err(Wrong::new("url", place, format!("`{}` is not a host name", host.text))
            .help("a listener has a host name and a port, no path".to_owned()));
    }
    Ok(Listen { scheme: known.1, host: host.text.to_ascii_lowercase(), port })
}

fn port(word: Word<'_>) -> Result<u16, Wrong> {
    word.text.parse().ok().filter(|p| *p > 0).ok_or_else(|| {
        let refusal = Refusal::new(format!("`{}` is not a port", word.text)).help("a number from 1 to 65535");
        Wrong::refused("url", word.range(), refusal)
    })
}

/// A key that must be there was not; [`septet_language::schema`] has reported it already where the table says so.
fn missing(what: &str, reading: &mut Reading<'_>) {
    reading.mistakes.push(Mistake::new("missing-key", reading.span.clone(), what, "missing here"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners() {
        let read = |text| listen(Word { text, at: 0 }).map(|l| (l.scheme, l.host, l.port)).ok();
        assert_eq!(read("https://www.Shop.test"), Some((Scheme::Https, "www.shop.test".into(), 443)));
        assert_eq!(read("http://:8080"), Some((Scheme::Http, String::new(), 8080)));
        assert_eq!(read("tcp://:53"), Some((Scheme::Tcp, String::new(), 53)));
        for text in ["www", "ftp://x", "tcp://x", "http://x:0", "http://x/path", "http://:99999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
