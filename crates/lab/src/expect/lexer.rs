//! The words and signs of an expectation.

use core::ops::Range;

use septet_language::units;
use septet_language::words::Wrong;

/// A word, number or sign, and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind,
    pub(super) text: &'t str,
    pub(super) at: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenKind {
    /// A name, with dots, ranges and inner hyphens: `web[1..3].http.ok`.
    Word,
    /// A number with or without a unit: `900ms`.
    Number,
    /// A sign: `(`, `)`, `,`, `=`, `--`, `->`, `+`, `-`, `*`, `/`, or a comparison.
    Sign,
}

const SIGNS: &[&str] = &["<=", ">=", "==", "!=", "--", "->", "<", ">", "=", "(", ")", ",", "+", "-", "*", "/"];

/// Cuts `text` into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let rest = &text[at..];
        let (kind, len) = if c.is_ascii_digit() {
            (TokenKind::Number, number(rest))
        } else if c.is_ascii_alphabetic() || c == '_' {
            (TokenKind::Word, word(rest))
        } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            (TokenKind::Sign, sign.len())
        } else {
            let end = at + c.len_utf8();
            return Err(Wrong::new("expression", at..end, format!("`{c}` means nothing in an expectation"))
                .help("comparisons are <, <=, >, >=, == and !=, joined by `and`, `or` and `not`".to_owned()));
        };
        tokens.push(Token { kind, text: &rest[..len], at: at..at + len });
        at += len;
    }
    Ok(tokens)
}

/// The length of a number with its unit.
fn number(rest: &str) -> usize {
    let digits = units::number_end(rest);
    let unit = rest[digits..].find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len() - digits);
    let end = digits + unit;
    if rest[end..].starts_with('%') { end + 1 } else { end }
}

/// The length of a name. A hyphen or a dot belongs to it where letters or digits follow, and brackets hold a range.
fn word(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut end = 0;
    while end < bytes.len() {
        match bytes[end] {
            b if b.is_ascii_alphanumeric() || b == b'_' => end += 1,
            b'-' | b'.' if bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric) => end += 1,
            b'[' => match rest[end..].find(']') {
                Some(close) => end += close + 1,
                None => return bytes.len(),
            },
            _ => break,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        tokens(text).unwrap().iter().map(|t| t.text).collect()
    }

    #[test]
    fn names_numbers_and_signs() {
        assert_eq!(cut("p99.9(client.http.time)<900ms"), ["p99.9", "(", "client.http.time", ")", "<", "900ms"]);
        assert_eq!(cut("queue(r1--r2) <= 64kb"), ["queue", "(", "r1", "--", "r2", ")", "<=", "64kb"]);
        assert_eq!(cut("drops(a-b->c.eth1)"), ["drops", "(", "a-b", "->", "c.eth1", ")"]);
        assert_eq!(cut("web[1..3].http.ok - 5"), ["web[1..3].http.ok", "-", "5"]);
        assert_eq!(cut("1.5e3 95% -2"), ["1.5e3", "95%", "-", "2"]);
        assert_eq!(cut("first(x, after=19s)"), ["first", "(", "x", ",", "after", "=", "19s", ")"]);
        assert!(tokens("a ? b").is_err());
    }
}
