//! Where a service listens, and for what: `https://www.shop.test`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use septet_language::nearest::suggest;
use septet_language::units::Refusal;
use septet_language::words::{Word, Wrong};

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
    /// The socket address: the port on the address that stands there, else on every address of both versions of IP.
    pub(crate) fn at(&self) -> SocketAddr {
        match self.host.parse::<Ipv4Addr>() {
            Ok(address) => (address, self.port).into(),
            Err(_) => (Ipv6Addr::UNSPECIFIED, self.port).into(),
        }
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
    /// TLS that somebody behind ends; the name that it asks for is read.
    Sni,
}

impl Scheme {
    const ALL: [(&'static str, Self, Option<u16>); 5] = [
        ("http", Self::Http, Some(80)),
        ("https", Self::Https, Some(443)),
        ("tcp", Self::Tcp, None),
        ("tls", Self::Tls, None),
        ("sni", Self::Sni, Some(443)),
    ];

    /// Whether a certificate is shown there.
    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

/// Reads a [`Listen`].
pub(crate) fn listen(word: Word<'_>) -> Result<Listen, Wrong> {
    let Some((scheme, rest)) = word.split_once("://") else {
        return Err(Wrong::new("url", word.range(), format!("`{}` is not a URL", word.text))
            .label("no scheme")
            .help("for example `https://www.shop.test` or `http://:8080`".to_owned()));
    };
    let known = Scheme::ALL.iter().find(|(name, ..)| *name == scheme.text).ok_or_else(|| {
        Wrong::new("url", scheme.range(), format!("nothing listens for `{}`", scheme.text))
            .label("unknown scheme")
            .help(suggest(scheme.text, "schemes", Scheme::ALL.iter().map(|(name, ..)| *name)))
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
    if known.1 == Scheme::Sni && !host.text.is_empty() {
        return Err(Wrong::new("url", host.range(), "where TLS is passed on unopened a listener has no host")
            .help("`sni://:443`; its `routes` have hosts".to_owned()));
    }
    Ok(Listen { scheme: known.1, host: host.text.to_ascii_lowercase(), port })
}

pub(crate) fn port(word: Word<'_>) -> Result<u16, Wrong> {
    word.text.parse().ok().filter(|p| *p > 0).ok_or_else(|| {
        let refusal = Refusal::new(format!("`{}` is not a port", word.text)).help("a number from 1 to 65535");
        Wrong::refused("url", word.range(), refusal)
    })
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
