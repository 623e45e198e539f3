//! The words of the language.

use crate::error::{At, Error};

/// One word, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: At,
    /// Whether white space or a comment stands before it.
    pub(crate) spaced: bool,
}

/// What a word is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// `name`, or a number that goes on as a name (`1a2b`).
    Word(String),
    /// A decimal number; the text matters where it stands for hexadecimal digits.
    Int {
        value: i64,
        text: String,
    },
    /// `0x1f`
    Hex(i64),
    /// A decimal fraction, in nanoseconds where it is a time.
    Fraction {
        nanos: i64,
    },
    /// `"text"`
    Text(String),
    /// `` `command` ``
    Command(String),
    /// `%{ code }%`
    Code(String),
    /// `--name`
    Option(String),
    /// `...`
    Ellipsis,
    /// Any other character.
    Sign(char),
    End,
}

impl Kind {
    /// How the word is named in an error.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Int { text, .. } => format!("`{text}`"),
            Self::Hex(value) => format!("`{value:#x}`"),
            Self::Fraction { nanos } => format!("`{}`", *nanos as f64 / 1e9),
            Self::Text(text) => format!("\"{text}\""),
            Self::Command(_) => "a command".into(),
            Self::Code(_) => "code".into(),
            Self::Option(name) => format!("`--{name}`"),
            Self::Ellipsis => "`...`".into(),
            Self::Sign(c) => format!("`{c}`"),
            Self::End => "the end of the script".into(),
        }
    }
}

/// Splits `source` into words; the last one is [`Kind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, Error> {
    let mut lexer = Lexer { rest: source, at: At { line: 1, column: 1 } };
    let mut out = Vec::new();
    loop {
        let spaced = lexer.skip_space()?;
        let at = lexer.at;
        let kind = lexer.next()?;
        let end = kind == Kind::End;
        out.push(Token { kind, at, spaced });
        if end {
            return Ok(out);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    at: At,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Kind, Error> {
        let Some(first) = self.rest.chars().next() else { return Ok(Kind::End) };
        if self.rest.starts_with("...") {
            self.take(3);
            return Ok(Kind::Ellipsis);
        }
        if self.rest.starts_with("%{") {
            return self.enclosed("%{", "}%").map(Kind::Code);
        }
        if self.rest.starts_with("--") && self.rest[2..].starts_with(is_word) {
            self.take(2);
            return Ok(Kind::Option(self.while_matches(is_word).to_owned()));
        }
        match first {
            '"' => self.quoted('"').map(Kind::Text),
            '`' => self.quoted('`').map(Kind::Command),
            _ => {
                if let Some(kind) = self.number()? {
                    return Ok(kind);
                }
                if is_word(first) {
                    return Ok(Kind::Word(self.while_matches(is_word).to_owned()));
                }
                self.take(first.len_utf8());
                Ok(Kind::Sign(first))
            }
        }
    }

    /// The longest number here, unless a longer word starts at the same place.
    fn number(&mut self) -> Result<Option<Kind>, Error> {
        let at = self.at;
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        let word = bytes.iter().take_while(|b| is_word(char::from(**b))).count();
        if let Some(hex) = self.rest.strip_prefix("0x") {
            let n = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
            if n > 0 && 2 + n >= word {
                let value = i64::from_str_radix(&hex[..n], 16).map_err(|_| Error::syntax(at, "number too large"))?;
                self.take(2 + n);
                return Ok(Some(Kind::Hex(value)));
            }
        }
        let sign = usize::from(self.rest.starts_with('-'));
        let whole = digits(sign);
        let point = sign + whole;
        let decimals = if bytes.get(point) == Some(&b'.') { digits(point + 1) } else { 0 };
        if decimals > 0 {
            let len = point + 1 + decimals;
            let nanos = nanos(&self.rest[sign..len]).ok_or_else(|| Error::syntax(at, "number too large"))?;
            self.take(len);
            return Ok(Some(Kind::Fraction { nanos: if sign == 1 { -nanos } else { nanos } }));
        }
        if whole == 0 || word > point {
            return Ok(None);
        }
        let text = self.rest[..point].to_owned();
        let value = text.parse().map_err(|_| Error::syntax(at, "number too large"))?;
        self.take(point);
        Ok(Some(Kind::Int { value, text }))
    }

    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let at = self.at;
        self.take(1);
        let mut text = String::new();
        let mut escaped = false;
        for c in self.rest.chars() {
            if !escaped && c == quote {
                let len = text.len();
                self.take(len + 1);
                return Ok(text);
            }
            escaped = !escaped && c == '\\';
            text.push(c);
        }
        Err(Error::syntax(at, format!("{quote} without its end")))
    }

    fn enclosed(&mut self, open: &str, close: &str) -> Result<String, Error> {
        let at = self.at;
        self.take(open.len());
        let Some(len) = self.rest.find(close) else {
            return Err(Error::syntax(at, format!("`{open}` without `{close}`")));
        };
        let text = self.rest[..len].to_owned();
        self.take(len + close.len());
        Ok(text)
    }

    fn skip_space(&mut self) -> Result<bool, Error> {
        let before = self.rest.len();
        loop {
            let blank = self.while_matches(char::is_whitespace).len();
            if self.rest.starts_with("//") {
                self.while_matches(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                self.enclosed("/*", "*/")?;
            } else if blank == 0 {
                return Ok(self.rest.len() < before);
            }
        }
    }

    fn while_matches(&mut self, matches: impl Fn(char) -> bool) -> &'a str {
        let len = self.rest.find(|c| !matches(c)).unwrap_or(self.rest.len());
        let text = &self.rest[..len];
        self.take(len);
        text
    }

    fn take(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        for c in taken.chars() {
            if c == '\n' {
                self.at.line += 1;
                self.at.column = 1;
            } else {
                self.at.column += 1;
            }
        }
        self.rest = rest;
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A decimal number of seconds in nanoseconds; digits beyond the ninth are cut off.
fn nanos(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanos = whole.checked_mul(1_000_000_000)?;
    let mut unit = 100_000_000;
    for digit in fraction.bytes().take(9) {
        nanos = nanos.checked_add(i64::from(digit - b'0') * unit)?;
        unit /= 10;
    }
    Some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind> {
        tokens(source).unwrap().into_iter().map(|t| t.kind).collect()
    }

    fn int(value: i64) -> Kind {
        Kind::Int { value, text: value.to_string() }
    }

    #[test]
    fn times_and_ranges() {
        assert_eq!(
            kinds("+0...0.200 1 ... 0.004"),
            [
                Kind::Sign('+'),
                int(0),
                Kind::Ellipsis,
                Kind::Fraction { nanos: 200_000_000 },
                int(1),
                Kind::Ellipsis,
                Kind::Fraction { nanos: 4_000_000 },
                Kind::End
            ]
        );
        assert_eq!(kinds("+.1~+1.5")[1], Kind::Fraction { nanos: 100_000_000 });
    }

    #[test]
    fn packets_comments_and_code() {
        assert_eq!(
            kinds("< P. 1:2(1) // c\n/* d */ %{ x }%"),
            [
                Kind::Sign('<'),
                Kind::Word("P".into()),
                Kind::Sign('.'),
                int(1),
                Kind::Sign(':'),
                int(2),
                Kind::Sign('('),
                int(1),
                Kind::Sign(')'),
                Kind::Code(" x ".into()),
                Kind::End
            ]
        );
        assert_eq!(kinds("0x1F 12ab")[..2], [Kind::Hex(31), Kind::Word("12ab".into())]);
    }

    #[test]
    fn an_error_names_its_place() {
        let error = tokens("ok\n  `never").unwrap_err();
        assert_eq!(error.to_string(), "2:3: ` without its end");
    }
}
