//! The path of a request as a path of files: decoded, without dots, and never above where it begins.

use http::StatusCode;

/// Its segments; a directory is meant where the last one is empty.
///
/// # Errors
/// 400 where it leads above its beginning or is no path, as nginx has it.
pub(super) fn segments(path: &str) -> Result<Vec<String>, StatusCode> {
    let decoded = decode(path).ok_or(StatusCode::BAD_REQUEST)?;
    let decoded = decoded.strip_prefix('/').ok_or(StatusCode::BAD_REQUEST)?;
    let mut segments: Vec<String> = Vec::new();
    let mut parts = decoded.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "" | "." if !last => {}
            ".." => {
                segments.pop().ok_or(StatusCode::BAD_REQUEST)?;
                if last {
                    segments.push(String::new());
                }
            }
            "" | "." => segments.push(String::new()),
            // Elsewhere than on Unix these lead to another directory, or another disk.
            name if cfg!(not(unix)) && name.contains(['\\', ':']) => return Err(StatusCode::BAD_REQUEST),
            name => segments.push(name.to_owned()),
        }
    }
    Ok(segments)
}

/// RFC 3986 §2.1; `None` where an escape is none, where it stands for no text, or for a NUL.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (16 * digit(rest.next())? + digit(rest.next())?) as u8
            }
            other => other,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(text)
}

/// A segment as it stands in a URL.
pub(super) fn encode(segment: &str) -> String {
    let mut out = String::new();
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_above_its_beginning() {
        let of = |path: &str| segments(path).map(|s| s.join("/")).ok();
        for (path, expected) in [
            ("/", Some("")),
            ("/a/b", Some("a/b")),
            ("/a//./b/", Some("a/b/")),
            ("/a/../b", Some("b")),
            ("/a/b/..", Some("a/")),
            ("/%61%2fb", Some("a/b")),
            ("/a%20b", Some("a b")),
            ("/..", None),
            ("/a/../../etc/passwd", None),
            ("/%2e%2e/x", None),
            ("/..%2f..%2fx", None),
            ("/%00", None),
            ("/%zz", None),
            ("/%ff", None),
            ("*", None),
        ] {
            assert_eq!(of(path).as_deref(), expected, "{path}");
        }
        assert_eq!(encode("a b/ü"), "a%20b%2F%C3%BC");
    }
}
