//! The byte patterns of the standard, in its order (WHATWG MIME Sniffing §6 and §7.1).

/// A row: where `input & mask` is `pattern`, from the first octet on, or from the first that is no white space.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What must stand there.
    pub pattern: &'static [u8],
    /// Which bits of it; none for all.
    pub mask: &'static [u8],
    /// What may stand before it.
    pub ignored: Ignored,
    /// What must stand after it.
    pub end: End,
    /// What it is.
    pub essence: &'static str,
}

/// What may stand before a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ignored {
    /// Nothing.
    Nothing,
    /// White space.
    WhiteSpace,
}

/// What must stand after a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Anything.
    Any,
    /// A tag-terminating byte: a space or `>`.
    Tag,
}

const fn exact(pattern: &'static [u8], essence: &'static str) -> Row {
    Row { pattern, mask: &[], ignored: Ignored::Nothing, end: End::Any, essence }
}

const fn masked(pattern: &'static [u8], mask: &'static [u8], essence: &'static str) -> Row {
    Row { mask, ..exact(pattern, essence) }
}

/// A tag in any case, before which white space may stand.
const fn tag(pattern: &'static [u8]) -> Row {
    Row { ignored: Ignored::WhiteSpace, end: End::Tag, ..exact(pattern, "text/html") }
}

/// RIFF and FORM: four octets, a length that may be anything, and what it holds.
const CONTAINER: &[u8] = b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff";

/// §6.1: images.
pub const IMAGES: &[Row] = &[
    exact(b"\0\0\x01\0", "image/x-icon"),
    exact(b"\0\0\x02\0", "image/x-icon"),
    exact(b"BM", "image/bmp"),
    exact(b"GIF87a", "image/gif"),
    exact(b"GIF89a", "image/gif"),
    masked(b"RIFF\0\0\0\0WEBPVP", b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff", "image/webp"),
    exact(b"\x89PNG\r\n\x1a\n", "image/png"),
    exact(b"\xff\xd8\xff", "image/jpeg"),
];

/// §6.2: audio and video; what comes after these has algorithms of its own.
pub const MEDIA: &[Row] = &[
    masked(b"FORM\0\0\0\0AIFF", CONTAINER, "audio/aiff"),
    exact(b"ID3", "audio/mpeg"),
    exact(b"OggS\0", "application/ogg"),
    exact(b"MThd\0\0\0\x06", "audio/midi"),
    masked(b"RIFF\0\0\0\0AVI ", CONTAINER, "video/avi"),
    masked(b"RIFF\0\0\0\0WAVE", CONTAINER, "audio/wave"),
];

/// §6.3: fonts.
pub const FONTS: &[Row] = &[
    masked(
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0LP",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff",
        "application/vnd.ms-fontobject",
    ),
    exact(b"\0\x01\0\0", "font/ttf"),
    exact(b"OTTO", "font/otf"),
    exact(b"ttcf", "font/collection"),
    exact(b"wOFF", "font/woff"),
    exact(b"wOF2", "font/woff2"),
];

/// §6.4: archives.
pub const ARCHIVES: &[Row] = &[
    exact(b"\x1f\x8b\x08", "application/x-gzip"),
    exact(b"PK\x03\x04", "application/zip"),
    exact(b"Rar!\x1a\x07\0", "application/x-rar-compressed"),
];

/// §7.1, step 1: what can be scripted, where that may be guessed.
pub const SCRIPTABLE: &[Row] = &[
    tag(b"<!DOCTYPE HTML"),
    tag(b"<HTML"),
    tag(b"<HEAD"),
    tag(b"<SCRIPT"),
    tag(b"<IFRAME"),
    tag(b"<H1"),
    tag(b"<DIV"),
    tag(b"<FONT"),
    tag(b"<TABLE"),
    tag(b"<A"),
    tag(b"<STYLE"),
    tag(b"<TITLE"),
    tag(b"<B"),
    tag(b"<BODY"),
    tag(b"<BR"),
    tag(b"<P"),
    tag(b"<!--"),
    Row { ignored: Ignored::WhiteSpace, ..exact(b"<?xml", "text/xml") },
    exact(b"%PDF-", "application/pdf"),
];

/// §7.1, step 2: PostScript, and text that says how it is coded.
pub const PLAIN: &[Row] = &[
    exact(b"%!PS-Adobe-", "application/postscript"),
    masked(b"\xfe\xff\0\0", b"\xff\xff\0\0", "text/plain"),
    masked(b"\xff\xfe\0\0", b"\xff\xff\0\0", "text/plain"),
    masked(b"\xef\xbb\xbf\0", b"\xff\xff\xff\0", "text/plain"),
];

/// §3: white space.
pub(super) const fn is_white(octet: u8) -> bool {
    matches!(octet, b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

impl Row {
    /// §6, the pattern matching algorithm.
    pub fn matches(&self, input: &[u8]) -> bool {
        let skipped = match self.ignored {
            Ignored::Nothing => 0,
            Ignored::WhiteSpace => input.iter().take_while(|octet| is_white(**octet)).count(),
        };
        let Some(found) = input[skipped..].get(..self.pattern.len()) else { return false };
        let same = found.iter().zip(self.pattern).enumerate().all(|(n, (octet, wanted))| {
            let mask = match (self.end, self.mask.get(n)) {
                (_, Some(mask)) => *mask,
                // The letters of a tag in any case: the mask 0xdf of the standard.
                (End::Tag, None) if wanted.is_ascii_alphabetic() => 0xdf,
                _ => 0xff,
            };
            octet & mask == *wanted
        });
        let after = input.get(skipped + self.pattern.len());
        same && (self.end == End::Any || matches!(after, Some(b' ' | b'>')))
    }
}

/// The first row that matches.
pub(super) fn first(rows: &[Row], input: &[u8]) -> Option<&'static str> {
    rows.iter().find(|row| row.matches(input)).map(|row| row.essence)
}
