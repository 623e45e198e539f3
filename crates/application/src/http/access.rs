//! The access log: a line a request, in the form that other programs read.

use core::fmt::Write as _;
use core::time::Duration;
use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use http::header::{HeaderName, REFERER, USER_AGENT};
use http::{HeaderMap, StatusCode};

/// How a request is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessLog {
    /// The Common Log Format of NCSA httpd.
    Common,
    /// The same, and by what link and program the client came.
    Combined,
    /// A JSON object.
    Json,
}

/// A request and what it was answered.
pub(super) struct Access<'a> {
    pub(super) peer: SocketAddr,
    pub(super) unix_time: Duration,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) version: &'a str,
    pub(super) host: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) status: StatusCode,
    pub(super) bytes: u64,
}

impl Access<'_> {
    pub(super) fn line(&self, form: AccessLog) -> String {
        let Self { peer, method, target, version, status, bytes, .. } = self;
        let field =
            |name: HeaderName| self.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        if form == AccessLog::Json {
            return serde_json::json!({
                "time": self.unix_time.as_millis() as u64, "peer": peer.to_string(), "host": self.host, "method": method,
                "target": target, "version": version, "status": status.as_u16(), "bytes": bytes,
                "referer": field(REFERER), "agent": field(USER_AGENT),
            })
            .to_string();
        }
        let mut line = format!("{} - - [{}] \"", peer.ip(), date(self.unix_time));
        quote(&mut line, method);
        line.push(' ');
        quote(&mut line, target);
        let _ = write!(line, " {version}\" {} {bytes}", status.as_u16());
        if form == AccessLog::Combined {
            for name in [REFERER, USER_AGENT] {
                line.push_str(" \"");
                quote(&mut line, field(name).as_deref().unwrap_or("-"));
                line.push('"');
            }
        }
        line
    }
}

/// As nginx: whatever could end the quotes or the line is written as `\xHH`.
fn quote(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' | '\\' | '\0'..='\x1f' | '\x7f' => {
                let _ = write!(line, "\\x{:02X}", u32::from(c));
            }
            _ => line.push(c),
        }
    }
}

/// `30/Nov/2026:23:52:01 +0000`, out of `Mon, 30 Nov 2026 23:52:01 GMT`.
fn date(unix_time: Duration) -> String {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + unix_time);
    format!("{}/{}/{}:{} +0000", &date[5..7], &date[8..11], &date[12..16], &date[17..25])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let headers = HeaderMap::from_iter([(USER_AGENT, "x\"y\\".parse().unwrap())]);
        let access = Access {
            peer: "10.0.0.1:5000".parse().unwrap(),
            unix_time: Duration::from_secs(784_111_777),
            method: "GET",
            target: "/a?b",
            version: "HTTP/1.1",
            host: "www",
            headers: &headers,
            status: StatusCode::OK,
            bytes: 7,
        };
        let common = r#"10.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a?b HTTP/1.1" 200 7"#;
        assert_eq!(access.line(AccessLog::Common), common);
        assert_eq!(access.line(AccessLog::Combined), format!(r#"{common} "-" "x\x22y\x5C""#));
        let json: serde_json::Value = serde_json::from_str(&access.line(AccessLog::Json)).unwrap();
        assert_eq!((json["status"].as_u64(), json["agent"].as_str()), (Some(200), Some("x\"y\\")));
    }
}
