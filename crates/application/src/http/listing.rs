//! A page that lists a directory.

use core::fmt::Write as _;
use core::time::Duration;
use std::time::UNIX_EPOCH;

use super::files::Listed;
use super::page::{Content, Page};
use super::path::encode;

/// What is in the directory at `path`.
pub(super) fn page(path: &str, listed: &[Listed]) -> Page {
    let title = escape(path);
    let mut html = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Index of {title}</title></head>\n<body><h1>Index of {title}</h1>\n<table>\n"
    );
    if path != "/" {
        html.push_str("<tr><td><a href=\"../\">../</a></td></tr>\n");
    }
    for Listed { name, len, modified } in listed {
        let slash = if len.is_none() { "/" } else { "" };
        let date = modified.map(|at| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at))).unwrap_or_default();
        let size = len.map(|len| len.to_string()).unwrap_or_default();
        // `./` before the name, so that a colon in it makes no scheme.
        let _ = writeln!(
            html,
            "<tr><td><a href=\"./{}{slash}\">{}{slash}</a></td><td>{date}</td><td>{size}</td></tr>",
            encode(name),
            escape(name)
        );
    }
    html.push_str("</table></body></html>\n");
    Page::new(Content::Bytes(html.into()), "text/html; charset=utf-8")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
