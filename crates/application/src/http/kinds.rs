//! The media type of a file: by its name, else by what it begins with.

use septet_presentation::sniff::{Supplied, sniff};

/// The types of names, as those of IANA's registry that web servers know (nginx's `mime.types`).
const KINDS: &[(&str, &str)] = &[
    ("aac", "audio/aac"),
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("avi", "video/x-msvideo"),
    ("bmp", "image/bmp"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("eot", "application/vnd.ms-fontobject"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("ics", "text/calendar; charset=utf-8"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("jsonld", "application/ld+json"),
    ("log", "text/plain; charset=utf-8"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("pcap", "application/vnd.tcpdump.pcap"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rss", "application/rss+xml"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xml", "text/xml; charset=utf-8"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

/// The type of the file `name` that begins with `start`.
pub(super) fn kind(name: &str, start: &[u8]) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let known = extension.and_then(|extension| KINDS.iter().find(|(known, _)| *known == extension));
    match known {
        Some((_, kind)) => kind,
        None => match sniff(start, &Supplied::default()) {
            "text/plain" => "text/plain; charset=utf-8",
            // A page that nobody called one must not run as one: whoever may put a file there could have visitors run it.
            "text/html" | "text/xml" => "text/plain; charset=utf-8",
            other => other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_and_else_by_content() {
        assert_eq!(kind("a.HTML", b""), "text/html; charset=utf-8");
        assert_eq!(kind("a.png", b"no png"), "image/png");
        assert_eq!(kind("a", b"\x89PNG\r\n\x1a\n"), "image/png");
        assert_eq!(kind("README", b"words"), "text/plain; charset=utf-8");
        assert_eq!(kind("x.unknown", b"\0\x01\x02"), "application/octet-stream");
        assert_eq!(kind("upload", b"<html><script>"), "text/plain; charset=utf-8");
    }
}
