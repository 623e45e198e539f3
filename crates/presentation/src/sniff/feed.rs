//! A feed, or HTML: what is said to be `text/html` may be either, as the standard had it in a section of its own until it left
//! feeds to those who read them.

use super::table::is_white;

const HTML: &str = "text/html";

/// The type of what a server calls `text/html`.
pub(super) fn feed_or_html(input: &[u8]) -> &'static str {
    let mut rest = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    loop {
        let white = rest.iter().take_while(|octet| is_white(**octet)).count();
        let Some(tag) = rest[white..].strip_prefix(b"<") else { return HTML };
        // Comments, declarations and instructions stand before what it is.
        let end: &[u8] = if tag.starts_with(b"!--") {
            b"-->"
        } else if tag.starts_with(b"!") {
            b">"
        } else if tag.starts_with(b"?") {
            b"?>"
        } else {
            return element(tag);
        };
        let from = if end == b"-->" { 3 } else { 1 };
        match find(&tag[from..], end) {
            Some(at) => rest = &tag[from + at + end.len()..],
            None => return HTML,
        }
    }
}

fn element(tag: &[u8]) -> &'static str {
    if tag.starts_with(b"rss") {
        return "application/rss+xml";
    }
    if tag.starts_with(b"feed") {
        return "application/atom+xml";
    }
    // RSS 1.0 is RDF that names both.
    let rdf = tag.strip_prefix(b"rdf:RDF").is_some_and(|rest| {
        find(rest, b"http://purl.org/rss/1.0/").is_some()
            && find(rest, b"http://www.w3.org/1999/02/22-rdf-syntax-ns#").is_some()
    });
    if rdf { "application/rss+xml" } else { HTML }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
