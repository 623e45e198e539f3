//! What the types of records hold, field by field, as a zone file writes it.

use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::{Name, RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, Restrict};

use super::lexer::{Quoted, Token};
use super::{Wrong, ZoneFileError, opaque};

/// A field of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    A,
    Aaaa,
    Name,
    U8,
    U16,
    U32,
    /// A time, which SOA has.
    Time,
    /// A character-string: its length, and up to 255 bytes.
    Text,
    /// One or more of them, to the end.
    Texts,
    /// A word whose length stands before it: the tag of CAA.
    Tag,
    /// The bytes of a word, to the end.
    Value,
    /// Hexadecimal digits, in words, to the end.
    Hex,
    /// Base 64, in words, to the end.
    Base64,
    /// A type of record.
    Kind,
}

/// The types that are read field by field: RFC 1035 §3.3, 1183, 1876 and those after.
const TYPES: &[(&str, u16, &[Field])] = {
    use Field::{A, Aaaa, Base64, Hex, Kind, Name, Tag, Text, Texts, Time, U8, U16, U32, Value};
    &[
        ("A", 1, &[A]),
        ("NS", 2, &[Name]),
        ("CNAME", 5, &[Name]),
        ("SOA", 6, &[Name, Name, U32, Time, Time, Time, Time]),
        ("PTR", 12, &[Name]),
        ("HINFO", 13, &[Text, Text]),
        ("MX", 15, &[U16, Name]),
        ("TXT", 16, &[Texts]),
        ("RP", 17, &[Name, Name]),
        ("AFSDB", 18, &[U16, Name]),
        ("AAAA", 28, &[Aaaa]),
        ("SRV", 33, &[U16, U16, U16, Name]),
        ("NAPTR", 35, &[U16, U16, Text, Text, Text, Name]),
        ("KX", 36, &[U16, Name]),
        ("CERT", 37, &[U16, U16, U8, Base64]),
        ("DNAME", 39, &[Name]),
        ("DS", 43, &[U16, U8, U8, Hex]),
        ("SSHFP", 44, &[U8, U8, Hex]),
        ("RRSIG", 46, &[Kind]),
        ("NSEC", 47, &[Name]),
        ("DNSKEY", 48, &[U16, U8, U8, Base64]),
        ("DHCID", 49, &[Base64]),
        ("TLSA", 52, &[U8, U8, U8, Hex]),
        ("SMIMEA", 53, &[U8, U8, U8, Hex]),
        ("CDS", 59, &[U16, U8, U8, Hex]),
        ("CDNSKEY", 60, &[U16, U8, U8, Base64]),
        ("OPENPGPKEY", 61, &[Base64]),
        ("SVCB", 64, &[U16, Name]),
        ("HTTPS", 65, &[U16, Name]),
        ("SPF", 99, &[Texts]),
        ("URI", 256, &[U16, U16, Value]),
        ("CAA", 257, &[U8, Tag, Value]),
    ]
};

/// The type of that name.
pub(super) fn named(word: &str) -> Option<RecordType> {
    TYPES.iter().find(|(name, ..)| *name == word).map(|(_, code, _)| RecordType::from(*code))
}

/// What a record of `kind`, named by `token`, holds.
pub(super) fn rdata(token: &Token, kind: RecordType, words: &[Token], origin: &Name) -> Result<RData, ZoneFileError> {
    let code = u16::from(kind);
    // RFC 6895 §3.1: 128 to 255 are questions and meta types; 41 is OPT.
    if matches!(code, 0 | 41 | 128..=255) {
        return Err(token.wrong((format!("no zone holds records of type {kind}"), None)));
    }
    let last = words.last().unwrap_or(token);
    let data = if words.first().is_some_and(|w| w.word() == Some("\\#")) {
        generic(token, &words[1..])?
    } else {
        match TYPES.iter().find(|(_, number, _)| *number == code) {
            // The signatures of DNSSEC are made by tools; who has them can have them in this form.
            Some((name @ ("RRSIG" | "NSEC"), ..)) => {
                let reason = format!("records of type {name} are read in the form of RFC 3597");
                return Err(token.wrong((reason, Some("TYPE \\# LENGTH HEX"))));
            }
            Some(("SVCB" | "HTTPS", ..)) => service_binding(token, words, origin)?,
            Some((_, _, fields)) => by_fields(token, fields, words, origin)?,
            None => {
                let reason = format!("what a record of type {code} holds is not known");
                return Err(token.wrong((reason, Some("\\# LENGTH HEX (RFC 3597)"))));
            }
        }
    };
    let Ok(length) = u16::try_from(data.len()) else {
        return Err(last.wrong(("a record holds at most 65535 bytes".to_owned(), None)));
    };
    if TYPES.iter().all(|(_, number, _)| *number != code) || data.is_empty() {
        return Ok(opaque(kind, data));
    }
    let read = RData::read(&mut BinDecoder::new(&data), kind, Restrict::new(length));
    read.map_err(|e| token.wrong((format!("this is no record of type {kind}: {e}"), None)))
}

/// RFC 3597 §5: "The special token \# …, an unsigned decimal integer specifying the RDATA length in octets", hexadecimal
/// digits.
fn generic(token: &Token, words: &[Token]) -> Result<Vec<u8>, ZoneFileError> {
    const MEND: Option<&str> = Some("\\# 4 0A000001");
    let Some((length, rest)) = words.split_first() else {
        return Err(token.wrong(("the length is missing".to_owned(), MEND)));
    };
    let expected = length.number().ok_or_else(|| length.wrong(not_a("length", length, MEND)))?;
    let data = hex(rest)?;
    if data.len() != expected as usize {
        let reason = format!("{expected} bytes are announced, and {} follow", data.len());
        return Err(length.wrong((reason, MEND)));
    }
    Ok(data)
}

fn by_fields(token: &Token, fields: &[Field], words: &[Token], origin: &Name) -> Result<Vec<u8>, ZoneFileError> {
    let mut data = Vec::new();
    let mut words = words;
    for field in fields {
        let Some((word, rest)) = words.split_first() else {
            let reason = format!("{} is missing", field.what());
            return Err(token.wrong((reason, Some(field.example()))));
        };
        let wrong = |why| word.wrong(why);
        let refused = || not_a(field.what(), word, Some(field.example()));
        let parsed = |word: &Token| word.word().map(str::to_owned);
        match field {
            Field::A => {
                let address: Option<Ipv4Addr> = parsed(word).and_then(|w| w.parse().ok());
                data.extend(address.ok_or_else(|| wrong(refused()))?.octets());
            }
            Field::Aaaa => {
                let address: Option<Ipv6Addr> = parsed(word).and_then(|w| w.parse().ok());
                data.extend(address.ok_or_else(|| wrong(refused()))?.octets());
            }
            Field::Name => push_name(&mut data, &word.name(origin).map_err(wrong)?),
            Field::U8 => {
                let number = word.number().and_then(|n| u8::try_from(n).ok());
                data.push(number.ok_or_else(|| wrong(refused()))?);
            }
            Field::U16 => {
                let number = match word.number() {
                    Some(number) => u16::try_from(number).ok(),
                    None => certificate_kind(word),
                };
                data.extend(number.ok_or_else(|| wrong(refused()))?.to_be_bytes());
            }
            Field::U32 => data.extend(word.number().ok_or_else(|| wrong(refused()))?.to_be_bytes()),
            Field::Time => data.extend(word.ttl().ok_or_else(|| wrong(refused()))?.to_be_bytes()),
            Field::Text => push_text(&mut data, word)?,
            Field::Tag => {
                let tag = word.word().filter(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric()));
                push_short(&mut data, tag.ok_or_else(|| wrong(refused()))?.as_bytes(), word)?;
            }
            Field::Value => data.extend(word.text().map_err(wrong)?),
            Field::Kind => data.extend(u16::from(word.kind().ok_or_else(|| wrong(refused()))?).to_be_bytes()),
            Field::Texts => {
                words.iter().try_for_each(|word| push_text(&mut data, word))?;
                return Ok(data);
            }
            Field::Hex => {
                data.extend(hex(words)?);
                return Ok(data);
            }
            Field::Base64 => {
                let digits: String = words.iter().filter_map(Token::word).collect();
                data.extend(base64(&digits).ok_or_else(|| wrong(refused()))?);
                return Ok(data);
            }
        }
        words = rest;
    }
    match words.first() {
        None => Ok(data),
        Some(word) => {
            let mend = Some("a string with blanks stands between quotation marks; `;` begins a comment");
            Err(word.wrong((format!("`{}` is left over", word.shown()), mend)))
        }
    }
}

impl Field {
    const fn what(self) -> &'static str {
        match self {
            Self::A => "an IPv4 address",
            Self::Aaaa => "an IPv6 address",
            Self::Name => "a name",
            Self::U8 => "a number up to 255",
            Self::U16 => "a number up to 65535",
            Self::U32 => "a number up to 4294967295",
            Self::Time => "a time",
            Self::Text | Self::Texts => "a string",
            Self::Tag => "a tag",
            Self::Value => "a value",
            Self::Hex => "a hexadecimal number",
            Self::Base64 => "a text in base 64",
            Self::Kind => "a type of record",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::A => "192.0.2.1",
            Self::Aaaa => "2001:db8::1",
            Self::Name => "www, or www.example.test.",
            Self::U8 | Self::U16 | Self::U32 => "10",
            Self::Time => "2h, or 7200",
            Self::Text | Self::Texts => "\"v=spf1 -all\"",
            Self::Tag => "issue",
            Self::Value => "\"ca.example.test\"",
            Self::Hex => "3F0A",
            Self::Base64 => "AwEAAQ==",
            Self::Kind => "A",
        }
    }
}

fn not_a(what: &str, word: &Token, mend: Option<&'static str>) -> Wrong {
    let what = if what.starts_with('a') { what.to_owned() } else { format!("a {what}") };
    (format!("`{}` is not {what}", word.shown()), mend)
}

/// RFC 4398 §2.1: the mnemonics of CERT.
fn certificate_kind(word: &Token) -> Option<u16> {
    const KINDS: [&str; 8] = ["PKIX", "SPKI", "PGP", "IPKIX", "ISPKI", "IPGP", "ACPKIX", "IACPKIX"];
    let at = KINDS.iter().position(|kind| word.word().is_some_and(|w| w.eq_ignore_ascii_case(kind)))?;
    u16::try_from(at + 1).ok()
}

/// A name without compression: RFC 3597 §4 allows none in what not all know.
fn push_name(data: &mut Vec<u8>, name: &Name) {
    for label in name.iter() {
        data.extend(u8::try_from(label.len()));
        data.extend(label);
    }
    data.push(0);
}

fn push_text(data: &mut Vec<u8>, word: &Token) -> Result<(), ZoneFileError> {
    let text = word.text().map_err(|why| word.wrong(why))?;
    push_short(data, &text, word)
}

fn push_short(data: &mut Vec<u8>, text: &[u8], word: &Token) -> Result<(), ZoneFileError> {
    let Ok(length) = u8::try_from(text.len()) else {
        let mend = Some("several strings, each between quotation marks");
        return Err(word.wrong((format!("a string has at most 255 bytes, and this has {}", text.len()), mend)));
    };
    data.push(length);
    data.extend(text);
    Ok(())
}

fn hex(words: &[Token]) -> Result<Vec<u8>, ZoneFileError> {
    let mut digits = Vec::new();
    for word in words {
        for byte in word.word().unwrap_or("\"").chars() {
            let digit = byte.to_digit(16).and_then(|d| u8::try_from(d).ok());
            digits.push(digit.ok_or_else(|| word.wrong(not_a("a hexadecimal number", word, Some("3F0A"))))?);
        }
    }
    match words.last() {
        Some(word) if digits.len() % 2 == 1 => {
            Err(word.wrong(("a hexadecimal digit is missing".to_owned(), Some("two of them are a byte"))))
        }
        _ => Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()),
    }
}

/// RFC 4648 §4.
fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let end = text.trim_end_matches('=');
    if text.len() - end.len() > 2 {
        return None;
    }
    for group in end.as_bytes().chunks(4) {
        let mut bits = 0;
        for digit in group {
            bits = bits << 6 | u32::try_from(DIGITS.iter().position(|d| d == digit)?).ok()?;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

/// RFC 9460 §2.1: a priority, a target and parameters of the form `key=value`; these the codec reads.
fn service_binding(token: &Token, words: &[Token], origin: &Name) -> Result<Vec<u8>, ZoneFileError> {
    let [priority, target, parameters @ ..] = words else {
        return Err(token.wrong(("a priority and a target are missing".to_owned(), Some("1 . alpn=h2"))));
    };
    let mut data = Vec::new();
    let number = priority.number().and_then(|n| u16::try_from(n).ok());
    let refused = || priority.wrong(not_a("a number up to 65535", priority, Some("1")));
    data.extend(number.ok_or_else(refused)?.to_be_bytes());
    push_name(&mut data, &target.name(origin).map_err(|why| target.wrong(why))?);
    let mut pairs: Vec<(u16, Vec<u8>)> = Vec::new();
    let mut words = parameters.iter().peekable();
    while let Some(word) = words.next() {
        let wrong = |reason: &str| word.wrong((reason.to_owned(), Some("alpn=h2,h3 port=443 ipv4hint=192.0.2.1")));
        let text = String::from_utf8(word.text().map_err(|why| word.wrong(why))?)
            .map_err(|_| wrong("a parameter that is not UTF-8"))?;
        let (key, value) = text.split_once('=').unwrap_or((&text, ""));
        // `key="value"` comes as two words.
        let value = match words.next_if(|next| value.is_empty() && next.quoted == Quoted::Yes) {
            Some(quoted) => {
                String::from_utf8(quoted.text().map_err(|why| quoted.wrong(why))?).map_err(|_| wrong("not UTF-8"))?
            }
            None => value.to_owned(),
        };
        let list = || value.split(',');
        let (code, value) = match key {
            "mandatory" => {
                let mut keys: Vec<u16> =
                    list().map(parameter).collect::<Option<_>>().ok_or_else(|| wrong("`mandatory` lists keys"))?;
                keys.sort_unstable();
                (0, keys.into_iter().flat_map(u16::to_be_bytes).collect())
            }
            "alpn" => {
                let mut bytes = Vec::new();
                for id in list() {
                    push_short(&mut bytes, id.as_bytes(), word)?;
                }
                (1, bytes)
            }
            "no-default-alpn" => (2, Vec::new()),
            "port" => (3, value.parse::<u16>().map_err(|_| wrong("`port` takes a number"))?.to_be_bytes().into()),
            "ipv4hint" => {
                let read = list().map(|a| a.parse::<Ipv4Addr>().map(|a| a.octets()));
                (4, read.collect::<Result<Vec<_>, _>>().map_err(|_| wrong("not an IPv4 address"))?.concat())
            }
            "ech" => (5, base64(&value).ok_or_else(|| wrong("`ech` takes base 64"))?),
            "ipv6hint" => {
                let read = list().map(|a| a.parse::<Ipv6Addr>().map(|a| a.octets()));
                (6, read.collect::<Result<Vec<_>, _>>().map_err(|_| wrong("not an IPv6 address"))?.concat())
            }
            other => (parameter(other).ok_or_else(|| wrong("a parameter that is not known"))?, value.into_bytes()),
        };
        if pairs.iter().any(|(known, _)| *known == code) {
            return Err(wrong("a parameter that is there already"));
        }
        pairs.push((code, value));
    }
    // "in … strictly increasing numeric order"
    pairs.sort_unstable();
    for (code, value) in pairs {
        let length = u16::try_from(value.len()).map_err(|_| token.wrong(("too long a value".to_owned(), None)))?;
        data.extend(code.to_be_bytes());
        data.extend(length.to_be_bytes());
        data.extend(value);
    }
    Ok(data)
}

/// The number of a parameter of SVCB.
fn parameter(key: &str) -> Option<u16> {
    const KEYS: [&str; 7] = ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint"];
    match KEYS.iter().position(|known| *known == key) {
        Some(at) => u16::try_from(at).ok(),
        None => key.strip_prefix("key")?.parse().ok(),
    }
}
