//! The URLs that curl takes (RFC 3986, and a little less strict).

use core::fmt;

use super::error::CurlError;

/// How to reach the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Url {
    pub(super) scheme: Scheme,
    /// The name or the address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The path and the query, beginning with a slash.
    pub(super) target: String,
}

impl Url {
    /// Reads a URL; one without a scheme is `http`.
    pub(super) fn parse(text: &str) -> Result<Self, CurlError> {
        let wrong = |why: &str| CurlError::Url(format!("{text}: {why}"));
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" => (Scheme::Http, rest),
                "https" => (Scheme::Https, rest),
                other => return Err(CurlError::Protocol(other.to_owned())),
            },
            None => (Scheme::Http, text),
        };
        if rest.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err(wrong("it has a blank or a control character in it"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => {
                let (host, after) = v6.split_once(']').ok_or_else(|| wrong("the bracket is not closed"))?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong("no IPv6 address is in the brackets"))?;
                (host, after.strip_prefix(':').unwrap_or_default())
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        if host.is_empty() {
            return Err(wrong("no host part"));
        }
        let port = match port {
            "" => scheme.port(),
            digits => digits.parse().map_err(|_| wrong("the port is no number from 0 to 65535"))?,
        };
        let target = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        // What is not ASCII goes as it is in UTF-8, percent-encoded.
        let target = target.bytes().fold(String::new(), |mut t, b| {
            if b.is_ascii() {
                t.push(b.into())
            } else {
                t.push_str(&format!("%{b:02X}"))
            }
            t
        });
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port, target })
    }

    /// The URL that `location` means, seen from this one (RFC 3986 §5.2).
    pub(super) fn join(&self, location: &str) -> Result<Self, CurlError> {
        if location.contains("://") {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme));
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = if location.starts_with('/') {
            location.to_owned()
        } else if location.starts_with('?') {
            format!("{path}{location}")
        } else {
            let directory = path.rsplit_once('/').map_or("", |(d, _)| d);
            format!("{directory}/{location}")
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target.as_str(), None),
        };
        let mut segments: Vec<&str> = Vec::new();
        let mut parts = path.split('/').skip(1).peekable();
        while let Some(part) = parts.next() {
            match part {
                "." | ".." => {
                    if part == ".." {
                        segments.pop();
                    }
                    if parts.peek().is_none() {
                        segments.push("");
                    }
                }
                other => segments.push(other),
            }
        }
        let query = query.map(|q| format!("?{q}")).unwrap_or_default();
        Self::parse(&format!("{}://{}/{}{query}", self.scheme, self.authority(), segments.join("/")))
    }

    /// The host and, where it is not the scheme's own, the port: what the `Host` field says.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }

    /// The last part of the path.
    pub(super) fn file_name(&self) -> &str {
        self.target.split('?').next().and_then(|p| p.rsplit('/').next()).unwrap_or_default()
    }
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_curl_takes() {
        for (text, want) in [
            ("www.shop.test", "http://www.shop.test/"),
            ("HTTPS://u:p@Www.Shop.Test:443/a?b#c", "https://www.shop.test/a?b"),
            ("http://10.0.0.1:8080?x=1", "http://10.0.0.1:8080/?x=1"),
            ("http://[fd00::1]:81/ä", "http://[fd00::1]:81/%C3%A4"),
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), want);
        }
        assert_eq!(Url::parse("gopher://x").unwrap_err().exit_code(), 1);
        for bad in ["http://", "http://a b/", "http://a:99999/", "http://[::1/", "http://[x]/"] {
            assert_eq!(Url::parse(bad).unwrap_err().exit_code(), 3, "{bad}");
        }
    }

    #[test]
    fn redirects() {
        let base = Url::parse("https://h.test:8443/a/b/c?q").unwrap();
        for (location, want) in [
            ("/x", "https://h.test:8443/x"),
            ("d", "https://h.test:8443/a/b/d"),
            ("../d/./e", "https://h.test:8443/a/d/e"),
            ("../../../..", "https://h.test:8443/"),
            ("?z", "https://h.test:8443/a/b/c?z"),
            ("//o.test/y", "https://o.test/y"),
            ("http://o.test", "http://o.test/"),
        ] {
            assert_eq!(base.join(location).unwrap().to_string(), want, "{location}");
        }
    }
}
