//! What becomes of the fields of a message that is passed on (RFC 9110 §7.6).

use http::header::{
    CONNECTION, COOKIE, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, Uri, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Readies the fields of a request to `uri` for a backend that speaks HTTP/1.1.
pub(super) fn of_request(fields: &mut HeaderMap, version: Version, uri: &Uri, name: &str) {
    strip(fields);
    // The continuation was sent by this side, as the body was asked for: §10.1.1.
    fields.remove(EXPECT);
    if let Some(authority) = uri.authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok()) {
        // RFC 9113 §8.3.1: "An intermediary that needs to generate a Host header field ... MUST copy the value of the
        // ":authority" pseudo-header field"; RFC 9112 §3.2.2 says the same of a target in absolute form.
        fields.insert(HOST, authority);
    }
    if version == Version::HTTP_2 && fields.get_all(COOKIE).iter().nth(1).is_some() {
        // RFC 9113 §8.2.3: several "MUST be concatenated into a single octet string using the two-octet delimiter of
        // 0x3b, 0x20".
        let crumbs: Vec<_> = fields.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            fields.insert(COOKIE, whole);
        }
    }
    add_via(fields, version, name);
}

/// Readies the fields of a backend's response for the client.
pub(super) fn of_response(fields: &mut HeaderMap, name: &str) {
    strip(fields);
    add_via(fields, Version::HTTP_11, name);
}

/// §7.6.1: "Intermediaries MUST parse a received Connection header field before a message is forwarded and, for each
/// connection-option in this field, remove any header or trailer field(s) from the message with the same name as the
/// connection-option, and then remove the Connection header field itself".
fn strip(fields: &mut HeaderMap) {
    for option in list(fields, &CONNECTION) {
        if let Ok(name) = HeaderName::from_bytes(option.as_bytes()) {
            fields.remove(name);
        }
    }
    // "... SHOULD remove or replace fields that are known to require removal before forwarding".
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        fields.remove(name);
    }
}

/// §7.6.3: "A proxy MUST send an appropriate Via header field ... in each message that it forwards".
fn add_via(fields: &mut HeaderMap, received: Version, name: &str) {
    let protocol = match received {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    let mut chain = list(fields, &VIA);
    chain.push(format!("{protocol} {name}"));
    set(fields, VIA, &chain.join(", "));
}

/// The members of a list, whichever lines they stand on.
pub(super) fn list(fields: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = fields.get_all(name).iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|m| m.trim().to_owned()).filter(|m| !m.is_empty()).collect()
}

fn set(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn text(map: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> = map.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_is_of_one_connection_stays_there() {
        let mut fields = map(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("x-theirs", "2"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("host", "a.test"),
            ("via", "1.0 front"),
        ]);
        of_request(&mut fields, Version::HTTP_11, &Uri::from_static("/"), "lb");
        assert_eq!(text(&fields), ["host: a.test", "via: 1.0 front, 1.1 lb", "x-theirs: 2",]);
    }

    #[test]
    fn http_2_becomes_http_1() {
        let mut fields = map(&[("cookie", "a=1"), ("cookie", "b=2")]);
        let uri = Uri::from_static("https://a.test:8443/x");
        of_request(&mut fields, Version::HTTP_2, &uri, "lb");
        assert_eq!(
            (&fields["cookie"], &fields["host"], &fields["via"]),
            (
                &HeaderValue::from_static("a=1; b=2"),
                &HeaderValue::from_static("a.test:8443"),
                &HeaderValue::from_static("2 lb"),
            )
        );
    }
}
