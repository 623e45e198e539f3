//! Who asks, for backends that see only the balancer: `Forwarded` (RFC 7239), and the fields that were there before it.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HOST, HeaderName, HeaderValue};
use septet_network::Prefix;

use super::fields::list;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// All that say where a request came from.
const ALL: [HeaderName; 6] = [
    FORWARDED,
    FOR,
    PROTO,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
];

/// How backends are told who asks, and whose word on that is passed on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forwarding {
    /// The fields that are written.
    pub by: ForwardedBy,
    /// Proxies in front: what they say of where a request came from is passed on. Of others it is taken away, for anybody can
    /// write it.
    pub trusted: Vec<Prefix>,
}

/// The fields that say who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ForwardedBy {
    /// `X-Forwarded-For` and `X-Forwarded-Proto`.
    #[default]
    Legacy,
    /// `Forwarded`.
    Standard,
    /// Both.
    Both,
    /// None.
    Nothing,
}

impl ForwardedBy {
    /// Each with its name in a lab file.
    pub const ALL: [(&'static str, Self); 4] =
        [("x-forwarded", Self::Legacy), ("forwarded", Self::Standard), ("both", Self::Both), ("none", Self::Nothing)];
}

impl Forwarding {
    /// Readies the fields of a request of `client`, whose `Host` is the one that was asked.
    pub(super) fn of_request(&self, fields: &mut HeaderMap, client: SocketAddr, scheme: &'static str) {
        let ip = client.ip().to_canonical();
        if !self.trusted.iter().any(|prefix| prefix.contains(ip)) {
            for name in ALL {
                fields.remove(name);
            }
        }
        if matches!(self.by, ForwardedBy::Legacy | ForwardedBy::Both) {
            append(fields, FOR, ip.to_string());
            // What the first proxy was asked by counts, where it is believed.
            if !fields.contains_key(PROTO) {
                fields.insert(PROTO, HeaderValue::from_static(scheme));
            }
        }
        if matches!(self.by, ForwardedBy::Standard | ForwardedBy::Both) {
            let host = fields.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
            let host = host.map(|host| format!(";host={}", quoted(host))).unwrap_or_default();
            // RFC 7239 §4: "a proxy wishes to add a new "for" parameter … it can either append the proxy's information as a new
            // list element or add a new field".
            append(fields, FORWARDED, format!("for={}{host};proto={scheme}", node(ip)));
        }
    }
}

/// RFC 7239 §6: "an IPv6 address … is always enclosed in square brackets", and as these are no signs of a token in quotes.
fn node(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("\"[{ip}]\""),
    }
}

/// As a token, or where it has signs that no token has as a quoted string.
fn quoted(text: &str) -> String {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    match text.bytes().all(is_token) {
        true => text.to_owned(),
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Adds a member to a list, which then stands on one line.
fn append(fields: &mut HeaderMap, name: HeaderName, member: String) {
    let mut members = list(fields, &name);
    members.push(member);
    if let Ok(value) = HeaderValue::from_str(&members.join(", ")) {
        fields.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(by: ForwardedBy, client: &str, fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        let trusted = vec!["10.0.0.0/8".parse().unwrap()];
        Forwarding { by, trusted }.of_request(&mut map, client.parse().unwrap(), "https");
        map.remove(HOST);
        let mut lines: Vec<_> = map.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    const SAID: &[(&str, &str)] = &[
        ("forwarded", "for=192.0.2.60;proto=http"),
        ("host", "a.test:8443"),
        ("x-forwarded-for", "192.0.2.60"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "192.0.2.60"),
    ];

    #[test]
    fn of_a_proxy_that_is_trusted_the_chain_is_passed_on() {
        assert_eq!(
            passed(ForwardedBy::Both, "10.0.0.7:4000", SAID),
            [
                "forwarded: for=192.0.2.60;proto=http, for=10.0.0.7;host=\"a.test:8443\";proto=https",
                "x-forwarded-for: 192.0.2.60, 10.0.0.7",
                "x-forwarded-proto: http",
                "x-real-ip: 192.0.2.60",
            ]
        );
    }

    #[test]
    fn what_anybody_may_write_is_taken_away() {
        for mapped in ["198.51.100.7:4000", "[::ffff:198.51.100.7]:4000"] {
            assert_eq!(
                passed(ForwardedBy::Legacy, mapped, SAID),
                ["x-forwarded-for: 198.51.100.7", "x-forwarded-proto: https"]
            );
        }
        assert_eq!(
            passed(ForwardedBy::Standard, "[2001:db8::1]:4000", &[("forwarded", "for=x")]),
            ["forwarded: for=\"[2001:db8::1]\";proto=https"]
        );
        assert_eq!(passed(ForwardedBy::Nothing, "198.51.100.7:4000", SAID), [""; 0]);
    }
}
