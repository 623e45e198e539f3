//! The words of a zone file: lines, parentheses, quotation marks, comments and escapes (RFC 1035 §5.1).

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::{Place, Wrong, ZoneFileError};

/// The most words of one record; 255 strings of 255 bytes fill its 65,535.
const MOST_TOKENS: usize = 1 << 16;

/// A word, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// As it is written, escapes and all, without the quotation marks.
    raw: Vec<u8>,
    pub(super) quoted: Quoted,
    pub(super) place: Place,
}

/// Whether a word stood between quotation marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quoted {
    Yes,
    No,
}

/// Whether a line begins with an owner: RFC 1035 §5.1, "If an entry for an RR begins with a blank, then the RR is assumed to
/// be owned by the last stated owner."
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    Named,
    AsBefore,
}

/// A line, or several within parentheses.
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) tokens: Vec<Token>,
}

pub(super) struct Lexer<'t> {
    file: Arc<str>,
    rest: &'t [u8],
    line: u32,
    column: u32,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(file: Arc<str>, text: &'t [u8]) -> Self {
        // A byte order mark is what some editors begin with.
        let rest = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        Self { file, rest, line: 1, column: 1 }
    }

    fn place(&self) -> Place {
        Place { file: self.file.clone(), line: self.line, column: self.column }
    }

    fn wrong<T>(&self, reason: &str, mend: &str) -> Result<T, ZoneFileError> {
        Err(ZoneFileError { place: self.place(), reason: reason.to_owned(), mend: Some(mend.to_owned()) })
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        if *first == b'\n' {
            (self.line, self.column) = (self.line.saturating_add(1), 1);
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(*first)
    }

    /// The next line that says something; `None` at the end.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, ZoneFileError> {
        while !self.rest.is_empty() {
            let blank = self.rest.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
            let owner = if blank { Owner::AsBefore } else { Owner::Named };
            let tokens = self.tokens()?;
            if !tokens.is_empty() {
                return Ok(Some(Entry { owner, tokens }));
            }
        }
        Ok(None)
    }

    fn tokens(&mut self) -> Result<Vec<Token>, ZoneFileError> {
        let mut tokens = Vec::new();
        let mut opened: Option<Place> = None;
        while let Some(byte) = self.rest.first() {
            match byte {
                b'\n' => {
                    self.next();
                    if opened.is_none() {
                        return Ok(tokens);
                    }
                }
                b' ' | b'\t' | b'\r' => {
                    self.next();
                }
                b';' => {
                    while self.rest.first().is_some_and(|b| *b != b'\n') {
                        self.next();
                    }
                }
                b'(' if opened.is_some() => return self.wrong("a parenthesis within another", "one pair is enough"),
                b'(' => {
                    opened = Some(self.place());
                    self.next();
                }
                b')' if opened.is_none() => return self.wrong("a parenthesis that was not opened", "leave it out"),
                b')' => {
                    opened = None;
                    self.next();
                }
                _ if tokens.len() == MOST_TOKENS => return self.wrong("a record of too many words", "split it"),
                _ => tokens.push(self.token()?),
            }
        }
        match opened {
            None => Ok(tokens),
            Some(place) => Err(ZoneFileError {
                place,
                reason: "the parenthesis is never closed".to_owned(),
                mend: Some("close it with `)`".to_owned()),
            }),
        }
    }

    fn token(&mut self) -> Result<Token, ZoneFileError> {
        let place = self.place();
        let quoted = if self.rest.first() == Some(&b'"') { Quoted::Yes } else { Quoted::No };
        if quoted == Quoted::Yes {
            self.next();
        }
        let mut raw = Vec::new();
        loop {
            match (self.rest.first(), quoted) {
                (Some(b'"'), Quoted::Yes) => {
                    self.next();
                    break;
                }
                (None | Some(b'\n'), Quoted::Yes) => {
                    return Err(ZoneFileError {
                        place,
                        reason: "the \" is never closed".to_owned(),
                        mend: Some("a string ends on its line; \\\" stands for the character".to_owned()),
                    });
                }
                (None | Some(b'\n' | b' ' | b'\t' | b'\r' | b';' | b'(' | b')' | b'"'), Quoted::No) => break,
                (Some(b'\\'), _) => {
                    raw.push(b'\\');
                    self.next();
                    match self.rest.first() {
                        None | Some(b'\n') => return self.wrong("nothing is escaped", "\\\\ stands for a backslash"),
                        Some(byte) => raw.push(*byte),
                    }
                    self.next();
                }
                (Some(byte), _) => {
                    raw.push(*byte);
                    self.next();
                }
            }
        }
        Ok(Token { raw, quoted, place })
    }
}

impl Token {
    pub(super) fn wrong(&self, (reason, mend): Wrong) -> ZoneFileError {
        ZoneFileError { place: self.place.clone(), reason, mend: mend.map(str::to_owned) }
    }

    /// As a person reads it.
    pub(super) fn shown(&self) -> String {
        let mut shown = String::from_utf8_lossy(&self.raw[..self.raw.len().min(80)]).into_owned();
        if self.raw.len() > 80 {
            shown.push('…');
        }
        shown
    }

    /// As it is written, where that is ASCII and no string.
    pub(super) fn word(&self) -> Option<&str> {
        (self.quoted == Quoted::No).then(|| str::from_utf8(&self.raw).ok()).flatten()
    }

    pub(super) fn directive(&self) -> Option<&str> {
        const KNOWN: [&str; 3] = ["$ORIGIN", "$TTL", "$INCLUDE"];
        let word = self.word().filter(|word| word.starts_with('$'))?;
        Some(KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(word)).unwrap_or(word))
    }

    /// A class by its number.
    pub(super) fn class(&self) -> Option<u16> {
        let word = self.word()?.to_ascii_uppercase();
        match &word[..] {
            "IN" => Some(1),
            "CS" => Some(2),
            "CH" => Some(3),
            "HS" => Some(4),
            // RFC 3597 §5: "the word "CLASS" immediately followed by the decimal RR class number".
            other => digits(other.strip_prefix("CLASS")?)?.try_into().ok(),
        }
    }

    /// A type of record.
    pub(super) fn kind(&self) -> Option<RecordType> {
        let word = self.word()?.to_ascii_uppercase();
        if let Some(number) = word.strip_prefix("TYPE") {
            return Some(RecordType::from(u16::try_from(digits(number)?).ok()?));
        }
        super::fields::named(&word)
    }

    /// RFC 2181 §8: a TTL has 31 bits. BIND's units are what all servers read.
    pub(super) fn ttl(&self) -> Option<u32> {
        let word = self.word()?;
        let mut rest = word;
        let mut seconds: u64 = 0;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let number = u64::from(digits(&rest[..end])?);
            let mut unit = rest[end..].chars();
            let factor = match unit.next().map(|c| c.to_ascii_lowercase()) {
                None if end == word.len() => 1,
                Some('s') => 1,
                Some('m') => 60,
                Some('h') => 3600,
                Some('d') => 86_400,
                Some('w') => 604_800,
                _ => return None,
            };
            seconds = seconds.checked_add(number.checked_mul(factor)?)?;
            rest = unit.as_str();
        }
        let most = i32::MAX as u64;
        (!word.is_empty() && seconds <= most).then(|| u32::try_from(seconds).ok()).flatten()
    }

    pub(super) fn number(&self) -> Option<u32> {
        digits(self.word()?)
    }

    /// The bytes that are meant: "\DDD where each D is a digit is the octet corresponding to the decimal number", "\X where X
    /// is any character other than a digit (0-9), is used to quote that character".
    fn octets(&self) -> Result<Vec<(u8, Escaped)>, Wrong> {
        let mut octets = Vec::with_capacity(self.raw.len());
        let mut rest = &self.raw[..];
        while let Some((first, after)) = rest.split_first() {
            let bad = || (format!("`{}` has a bad escape", self.shown()), Some("\\000 to \\255"));
            rest = match (first, after) {
                (b'\\', [a, b, c, after @ ..]) if a.is_ascii_digit() => {
                    let number = str::from_utf8(&[*a, *b, *c]).ok().and_then(digits);
                    let octet = number.and_then(|n| u8::try_from(n).ok()).ok_or_else(bad)?;
                    octets.push((octet, Escaped::Yes));
                    after
                }
                (b'\\', [a, ..]) if a.is_ascii_digit() => return Err(bad()),
                (b'\\', [a, after @ ..]) => {
                    octets.push((*a, Escaped::Yes));
                    after
                }
                _ => {
                    octets.push((*first, Escaped::No));
                    after
                }
            };
        }
        Ok(octets)
    }

    /// A string.
    pub(super) fn text(&self) -> Result<Vec<u8>, Wrong> {
        Ok(self.octets()?.into_iter().map(|(octet, _)| octet).collect())
    }

    /// A name: "@" is the origin, and one without a dot at its end is relative to that.
    pub(super) fn name(&self, origin: &Name) -> Result<Name, Wrong> {
        const MEND: Option<&str> = Some("labels of 1 to 63 bytes, joined by dots, 255 in all; `@` for the origin");
        let bad = |why: &str| (format!("`{}` is no domain name: {why}", self.shown()), MEND);
        match (&self.raw[..], self.quoted) {
            (b"@", Quoted::No) => return Ok(origin.clone()),
            (b".", _) => return Ok(Name::root()),
            (b"", _) => return Err(bad("it is empty")),
            _ => {}
        }
        let mut labels: Vec<Vec<u8>> = vec![Vec::new()];
        for (octet, escaped) in self.octets()? {
            match (octet, escaped) {
                (b'.', Escaped::No) => labels.push(Vec::new()),
                (b'@', Escaped::No) => return Err(bad("an `@` within")),
                (octet, _) => labels.last_mut().expect("there is one from the beginning").push(octet),
            }
        }
        let absolute = labels.last().is_some_and(Vec::is_empty);
        if absolute {
            labels.pop();
        }
        if labels.iter().any(Vec::is_empty) {
            return Err(bad("a label is empty"));
        }
        if labels.iter().any(|label| label.len() > 63) {
            return Err(bad("a label is longer than 63 bytes"));
        }
        let above: Vec<&[u8]> = if absolute { Vec::new() } else { origin.iter().collect() };
        let all: Vec<&[u8]> = labels.iter().map(Vec::as_slice).chain(above).collect();
        // RFC 1035 §2.3.4, with the length octets and that of the root.
        if all.iter().map(|label| label.len() + 1).sum::<usize>() + 1 > 255 {
            return Err(bad("it is longer than 255 bytes"));
        }
        let mut name = Name::from_labels(all).map_err(|e| bad(&e.to_string()))?;
        name.set_fqdn(true);
        Ok(name)
    }
}

/// Whether an octet was written with a backslash, and so is no dot between labels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escaped {
    Yes,
    No,
}

fn digits(text: &str) -> Option<u32> {
    (text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}
