//! `-w`: what is printed after a transfer.

use super::error::CurlError;
use super::transfer::Report;

/// The text that `format` asks for.
pub(super) fn render(format: &str, report: &Report, result: Result<(), &CurlError>) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['%', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("%%") {
            out.push('%');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix("%{").and_then(|r| r.split_once('}')) {
            match variable(name, report, result) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("curl: unknown --write-out variable: '{name}'\n")),
            }
            rest = after;
        } else if let Some(escaped) = rest.strip_prefix('\\') {
            let mut chars = escaped.chars();
            match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            }
            rest = chars.as_str();
        } else {
            out.push('%');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn variable(name: &str, report: &Report, result: Result<(), &CurlError>) -> Option<String> {
    let time = |t: Option<core::time::Duration>| format!("{:.6}", t.unwrap_or_default().as_secs_f64());
    let speed = |bytes: u64| {
        let seconds = report.times.total.unwrap_or_default().as_secs_f64();
        format!("{:.0}", if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 })
    };
    let ip = |a: Option<std::net::SocketAddr>| a.map(|a| a.ip().to_string()).unwrap_or_default();
    let port = |a: Option<std::net::SocketAddr>| a.map_or(0, |a| a.port()).to_string();
    Some(match name {
        "content_type" => report.content_type.clone().unwrap_or_default(),
        "errormsg" => result.err().map(ToString::to_string).unwrap_or_default(),
        "exitcode" => result.err().map_or(0, CurlError::exit_code).to_string(),
        "http_code" | "response_code" => format!("{:03}", report.status),
        "http_version" => report.version.to_owned(),
        "local_ip" => ip(report.local),
        "local_port" => port(report.local),
        "method" => report.method.clone(),
        "num_connects" => report.connects.to_string(),
        "num_redirects" => report.redirects.to_string(),
        "redirect_url" => report.redirect_url.clone().unwrap_or_default(),
        "remote_ip" => ip(report.remote),
        "remote_port" => port(report.remote),
        "scheme" => report.url.split_once("://").map_or("", |(s, _)| s).to_ascii_uppercase(),
        "size_download" => report.downloaded.to_string(),
        "size_header" => report.header_bytes.to_string(),
        "size_upload" => report.uploaded.to_string(),
        "speed_download" => speed(report.downloaded),
        "speed_upload" => speed(report.uploaded),
        "ssl_verify_result" => if matches!(result, Err(CurlError::Certificate(_))) { "1" } else { "0" }.to_owned(),
        "time_appconnect" => time(report.times.handshake),
        "time_connect" => time(report.times.connect),
        "time_namelookup" => time(report.times.lookup),
        "time_pretransfer" => time(report.times.ready),
        "time_starttransfer" => time(report.times.first_byte),
        "time_total" => time(report.times.total),
        "url" | "url_effective" => report.url.clone(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_escapes() {
        let report = Report { status: 200, downloaded: 5, url: "https://a/".into(), ..Report::default() };
        let render = |f| render(f, &report, Ok(()));
        assert_eq!(render("%{http_code} %{size_download}\\n100%%\\t%{scheme}"), "200 5\n100%\tHTTPS");
        assert_eq!(render("%{time_total}"), "0.000000");
        assert_eq!(render("50% \\q %{"), "50% \\q %{");
        assert!(render("%{nope}").contains("unknown --write-out variable: 'nope'"));
    }
}
