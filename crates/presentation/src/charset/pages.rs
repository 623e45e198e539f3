//! The EBCDIC code pages: which character each octet is. They agree with glibc's `iconv`, octet for octet.

/// A code page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodePage {
    /// Code page 037: United States, Canada, Portugal, Brazil.
    Cp037,
    /// Code page 273: Germany, Austria.
    Cp273,
    /// Code page 500: international.
    Cp500,
    /// Code page 1047: Latin-1 of open systems (z/OS UNIX).
    Cp1047,
    /// Code page 1140: code page 037 with the euro sign.
    Cp1140,
}

impl CodePage {
    /// All that are built.
    pub const ALL: [Self; 5] = [Self::Cp037, Self::Cp273, Self::Cp500, Self::Cp1047, Self::Cp1140];

    /// What it is called: `cp037`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cp037 => "cp037",
            Self::Cp273 => "cp273",
            Self::Cp500 => "cp500",
            Self::Cp1047 => "cp1047",
            Self::Cp1140 => "cp1140",
        }
    }

    /// What IANA calls it, and mail does: `IBM037`.
    pub const fn iana(self) -> &'static str {
        match self {
            Self::Cp037 => "IBM037",
            Self::Cp273 => "IBM273",
            Self::Cp500 => "IBM500",
            Self::Cp1047 => "IBM1047",
            Self::Cp1140 => "IBM01140",
        }
    }

    /// Where it is used.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Cp037 => "EBCDIC: United States, Canada, Portugal, Brazil",
            Self::Cp273 => "EBCDIC: Germany, Austria",
            Self::Cp500 => "EBCDIC: international",
            Self::Cp1047 => "EBCDIC: Latin-1 of open systems (z/OS UNIX)",
            Self::Cp1140 => "EBCDIC: code page 037 with the euro sign",
        }
    }

    /// The code page of this name, however it is written: `cp037`, `IBM037`, `ibm-1047`, `CCSID 500`, `37`, `ebcdic-cp-us`.
    pub fn find(name: &str) -> Option<Self> {
        let lower: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        // IANA's aliases that are no number.
        match &lower[..] {
            "ebcdiccpus" | "ebcdiccpca" | "ebcdiccpwt" | "ebcdiccpnl" => return Some(Self::Cp037),
            "ebcdiccpbe" | "ebcdiccpch" => return Some(Self::Cp500),
            "ebcdicus37euro" => return Some(Self::Cp1140),
            _ => {}
        }
        let digits = ["csibm", "cp", "ibm", "ccsid", "ebcdic"].iter().find_map(|prefix| lower.strip_prefix(prefix));
        let number = digits.unwrap_or(&lower).trim_start_matches('0');
        Self::ALL.into_iter().find(|page| page.name()[2..].trim_start_matches('0') == number)
    }

    /// The character of each octet.
    pub const fn characters(self) -> &'static [char; 256] {
        match self {
            Self::Cp037 => &CP037_PAGE,
            Self::Cp273 => &CP273_PAGE,
            Self::Cp500 => &CP500_PAGE,
            Self::Cp1047 => &CP1047_PAGE,
            Self::Cp1140 => &CP1140_PAGE,
        }
    }
}

/// Code page 037, 16 octets a line.
#[rustfmt::skip]
const CP037: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9c, 0x09, 0x86, 0x7f, 0x97, 0x8d, 0x8e, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x9d, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8f, 0x1c, 0x1d, 0x1e, 0x1f,
    0x80, 0x81, 0x82, 0x83, 0x84, 0x0a, 0x17, 0x1b, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x05, 0x06, 0x07,
    0x90, 0x91, 0x16, 0x93, 0x94, 0x95, 0x96, 0x04, 0x98, 0x99, 0x9a, 0x9b, 0x14, 0x15, 0x9e, 0x1a,
    0x20, 0xa0, 0xe2, 0xe4, 0xe0, 0xe1, 0xe3, 0xe5, 0xe7, 0xf1, 0xa2, 0x2e, 0x3c, 0x28, 0x2b, 0x7c,
    0x26, 0xe9, 0xea, 0xeb, 0xe8, 0xed, 0xee, 0xef, 0xec, 0xdf, 0x21, 0x24, 0x2a, 0x29, 0x3b, 0xac,
    0x2d, 0x2f, 0xc2, 0xc4, 0xc0, 0xc1, 0xc3, 0xc5, 0xc7, 0xd1, 0xa6, 0x2c, 0x25, 0x5f, 0x3e, 0x3f,
    0xf8, 0xc9, 0xca, 0xcb, 0xc8, 0xcd, 0xce, 0xcf, 0xcc, 0x60, 0x3a, 0x23, 0x40, 0x27, 0x3d, 0x22,
    0xd8, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xab, 0xbb, 0xf0, 0xfd, 0xfe, 0xb1,
    0xb0, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0xaa, 0xba, 0xe6, 0xb8, 0xc6, 0xa4,
    0xb5, 0x7e, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0xa1, 0xbf, 0xd0, 0xdd, 0xde, 0xae,
    0x5e, 0xa3, 0xa5, 0xb7, 0xa9, 0xa7, 0xb6, 0xbc, 0xbd, 0xbe, 0x5b, 0x5d, 0xaf, 0xa8, 0xb4, 0xd7,
    0x7b, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xad, 0xf4, 0xf6, 0xf2, 0xf3, 0xf5,
    0x7d, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0xb9, 0xfb, 0xfc, 0xf9, 0xfa, 0xff,
    0x5c, 0xf7, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0xb2, 0xd4, 0xd6, 0xd2, 0xd3, 0xd5,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xb3, 0xdb, 0xdc, 0xd9, 0xda, 0x9f,
];

/// What code page 273 has elsewhere than 037.
#[rustfmt::skip]
const CP273: &[(u8, char)] = &[
    (0x43, '{'), (0x4a, 'Ä'), (0x4f, '!'), (0x59, '~'), (0x5a, 'Ü'), (0x5f, '^'), (0x63, '['), (0x6a, 'ö'),
    (0x7c, '§'), (0xa1, 'ß'), (0xb0, '¢'), (0xb5, '@'), (0xba, '¬'), (0xbb, '|'), (0xc0, 'ä'), (0xcc, '¦'),
    (0xd0, 'ü'), (0xdc, '}'), (0xe0, 'Ö'), (0xec, '\\'), (0xfc, ']'),
];

/// What code page 500 has elsewhere than 037.
#[rustfmt::skip]
const CP500: &[(u8, char)] = &[
    (0x4a, '['), (0x4f, '!'), (0x5a, ']'), (0x5f, '^'), (0xb0, '¢'), (0xba, '¬'), (0xbb, '|'),
];

/// What code page 1047 has elsewhere than 037.
#[rustfmt::skip]
const CP1047: &[(u8, char)] = &[
    (0x5f, '^'), (0xad, '['), (0xb0, '¬'), (0xba, 'Ý'), (0xbb, '¨'), (0xbd, ']'),
];

/// What code page 1140 has elsewhere than 037.
#[rustfmt::skip]
const CP1140: &[(u8, char)] = &[
    (0x9f, '€'),
];

static CP037_PAGE: [char; 256] = page(&[]);
static CP273_PAGE: [char; 256] = page(CP273);
static CP500_PAGE: [char; 256] = page(CP500);
static CP1047_PAGE: [char; 256] = page(CP1047);
static CP1140_PAGE: [char; 256] = page(CP1140);

const fn page(differs: &[(u8, char)]) -> [char; 256] {
    let mut page = ['\0'; 256];
    let mut n = 0;
    while n < 256 {
        // All of 037 is within Latin-1.
        page[n] = CP037[n] as char;
        n += 1;
    }
    n = 0;
    while n < differs.len() {
        page[differs[n].0 as usize] = differs[n].1;
        n += 1;
    }
    page
}
