//! The character sets by their names.

use encoding_rs::Encoding;

use super::pages::CodePage;

/// A character set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// An EBCDIC code page.
    Page(CodePage),
    /// ISO/IEC 646 as IANA has it: 128 characters, and no octet above 0x7f.
    Ascii,
    /// ISO/IEC 8859-1 as IANA has it: each octet is the character of its number.
    Latin1,
    /// UTF-16 whose first two octets say which octet of a unit comes first (RFC 2781); the lower one where they do not.
    Utf16,
    /// An encoding of the web (WHATWG Encoding).
    Web(&'static Encoding),
}

/// Every encoding of the web.
static WEB: [&Encoding; 38] = [
    encoding_rs::BIG5,
    encoding_rs::EUC_JP,
    encoding_rs::EUC_KR,
    encoding_rs::GB18030,
    encoding_rs::GBK,
    encoding_rs::IBM866,
    encoding_rs::ISO_2022_JP,
    encoding_rs::ISO_8859_2,
    encoding_rs::ISO_8859_3,
    encoding_rs::ISO_8859_4,
    encoding_rs::ISO_8859_5,
    encoding_rs::ISO_8859_6,
    encoding_rs::ISO_8859_7,
    encoding_rs::ISO_8859_8,
    encoding_rs::ISO_8859_8_I,
    encoding_rs::ISO_8859_10,
    encoding_rs::ISO_8859_13,
    encoding_rs::ISO_8859_14,
    encoding_rs::ISO_8859_15,
    encoding_rs::ISO_8859_16,
    encoding_rs::KOI8_R,
    encoding_rs::KOI8_U,
    encoding_rs::MACINTOSH,
    encoding_rs::SHIFT_JIS,
    encoding_rs::UTF_16BE,
    encoding_rs::UTF_16LE,
    encoding_rs::UTF_8,
    encoding_rs::WINDOWS_1250,
    encoding_rs::WINDOWS_1251,
    encoding_rs::WINDOWS_1252,
    encoding_rs::WINDOWS_1253,
    encoding_rs::WINDOWS_1254,
    encoding_rs::WINDOWS_1255,
    encoding_rs::WINDOWS_1256,
    encoding_rs::WINDOWS_1257,
    encoding_rs::WINDOWS_1258,
    encoding_rs::WINDOWS_874,
    encoding_rs::X_MAC_CYRILLIC,
];

/// What IANA calls ASCII. On the web these names mean windows-1252.
const ASCII: [&str; 8] =
    ["us-ascii", "ascii", "ansi_x3.4-1968", "ansi_x3.4-1986", "iso_646.irv:1991", "iso646-us", "iso-ir-6", "us"];

/// What IANA calls Latin-1. On the web these names, too, mean windows-1252.
const LATIN_1: [&str; 9] =
    ["iso-8859-1", "iso_8859-1", "iso8859-1", "iso88591", "iso_8859-1:1987", "latin1", "latin-1", "l1", "iso-ir-100"];

impl Charset {
    /// UTF-8.
    pub const UTF_8: Self = Self::Web(encoding_rs::UTF_8);

    /// All that there are, in the order of their names within each kind.
    pub fn all() -> impl Iterator<Item = Self> {
        let pages = CodePage::ALL.into_iter().map(Self::Page);
        pages.chain([Self::Ascii, Self::Latin1, Self::Utf16]).chain(WEB.iter().copied().map(Self::Web))
    }

    /// The character set of this name, however it is written: `cp037` and its other names, IANA's names of ASCII, Latin-1
    /// and UTF-16, or any label of the web (`euc-kr`, `ks_c_5601-1987`, `sjis`, `utf8`).
    pub fn find(name: &str) -> Option<Self> {
        let lower = name.trim().to_ascii_lowercase();
        let lower = lower.strip_prefix("cs").filter(|rest| *rest == "ascii").unwrap_or(&lower);
        if ASCII.contains(&lower) {
            return Some(Self::Ascii);
        }
        if LATIN_1.contains(&lower) {
            return Some(Self::Latin1);
        }
        if matches!(lower, "utf-16" | "utf16") {
            return Some(Self::Utf16);
        }
        Encoding::for_label_no_replacement(lower.as_bytes())
            .map(Self::Web)
            .or_else(|| CodePage::find(lower).map(Self::Page))
    }

    /// What it is called: `cp037`, `US-ASCII`, `EUC-KR`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page(page) => page.name(),
            Self::Ascii => "US-ASCII",
            Self::Latin1 => "ISO-8859-1",
            Self::Utf16 => "UTF-16",
            Self::Web(encoding) => encoding.name(),
        }
    }

    /// What IANA calls it, and a Content-Type does: `IBM037`, `EUC-KR`.
    pub fn iana(self) -> &'static str {
        match self {
            Self::Page(page) => page.iana(),
            other => other.name(),
        }
    }

    /// What it is for, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Page(page) => page.meaning(),
            Self::Ascii => "ISO/IEC 646, nothing above 0x7f",
            Self::Latin1 => "Latin-1 as IANA has it, not windows-1252",
            Self::Utf16 => "a byte order mark says which octet comes first",
            Self::Web(_) => "as the WHATWG Encoding Standard has it",
        }
    }

    /// Whether it has every character of Unicode.
    pub(super) fn has_all(self) -> bool {
        self == Self::Utf16 || matches!(self, Self::Web(e) if e.output_encoding() == encoding_rs::UTF_8)
    }

    /// Whether it is EBCDIC, in which NEL may end lines.
    pub const fn is_ebcdic(self) -> bool {
        matches!(self, Self::Page(_))
    }

    /// The character of each octet, where an octet is a character.
    pub(super) const fn octet(self, octet: u8) -> Octet {
        match self {
            Self::Page(page) => Octet::Is(page.characters()[octet as usize]),
            Self::Latin1 => Octet::Is(octet as char),
            Self::Ascii if octet < 0x80 => Octet::Is(octet as char),
            Self::Ascii => Octet::Nothing,
            Self::Utf16 | Self::Web(_) => Octet::Part,
        }
    }
}

/// What an octet is.
pub(super) enum Octet {
    /// A character.
    Is(char),
    /// None.
    Nothing,
    /// That depends on the others.
    Part,
}
