//! The words of a rule, each with its place: nft's braces, commas and operators stand for themselves.

use septet_language::words::{Word, Wrong};

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token<'t> {
    /// A word, a number, an address.
    Word(Word<'t>),
    /// A string, without its quotes.
    Quoted(Word<'t>),
    /// `{`, `}`, `,`, `:`, `(`, `)`, `&`, `|`, `/`, `==`, `!=`, `<`, `<=`, `>`, `>=`.
    Sign(Word<'t>),
}

impl<'t> Token<'t> {
    pub(super) const fn word(self) -> Word<'t> {
        match self {
            Self::Word(word) | Self::Quoted(word) | Self::Sign(word) => word,
        }
    }
}

/// The signs, longer ones before their beginnings.
const SIGNS: [&str; 12] = ["==", "!=", "<=", ">=", "{", "}", ",", "(", ")", "&", "|", ";"];

/// The tokens of a rule, to be taken one after another.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'t> {
    tokens: Vec<Token<'t>>,
    next: usize,
    /// Behind the last.
    end: usize,
}

impl<'t> Tokens<'t> {
    /// Parts a rule into its tokens.
    pub(super) fn of(text: Word<'t>) -> Result<Self, Wrong> {
        let mut tokens = Vec::new();
        let mut at = 0;
        let part = |from: usize, to: usize| Word { text: &text.text[from..to], at: text.at + from };
        while let Some(c) = text.text[at..].chars().next() {
            let rest = &text.text[at..];
            if c.is_whitespace() {
                at += c.len_utf8();
            } else if c == '"' || c == '\'' {
                let Some(len) = rest[1..].find(c) else {
                    return Err(Wrong::new("firewall", part(at, text.text.len()).range(), "the quote does not end")
                        .label("opened here"));
                };
                tokens.push(Token::Quoted(part(at + 1, at + 1 + len)));
                at += len + 2;
            } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                tokens.push(Token::Sign(part(at, at + sign.len())));
                at += sign.len();
            } else if let Some(sign) = rest.get(..1).filter(|first| ["<", ">", "/"].contains(first)) {
                tokens.push(Token::Sign(part(at, at + sign.len())));
                at += 1;
            } else {
                let ends = |c: char| c.is_whitespace() || "{},()&|;\"'<>=!".contains(c);
                let len = rest.find(ends).unwrap_or(rest.len()).max(c.len_utf8());
                let word = part(at, at + len);
                tokens.push(if word.text == ":" { Token::Sign(word) } else { Token::Word(word) });
                at += len;
            }
        }
        Ok(Self { tokens, next: 0, end: text.at + text.text.len() })
    }

    /// The next one, which stays.
    pub(super) fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.next).copied()
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Option<Token<'t>> {
        let token = self.peek()?;
        self.next += 1;
        Some(token)
    }

    /// Takes the next one if it is this word or sign.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|token| !matches!(token, Token::Quoted(_)) && token.word().text == text);
        self.next += usize::from(found);
        found
    }

    /// The next word or string, which must be there.
    pub(super) fn expect(&mut self, what: &str, example: &str) -> Result<Word<'t>, Wrong> {
        match self.peek() {
            Some(Token::Word(word) | Token::Quoted(word)) => {
                self.next += 1;
                Ok(word)
            }
            Some(Token::Sign(word)) => {
                Err(Wrong::new("firewall", word.range(), format!("{what} is missing before it"))
                    .label("expected here")
                    .help(format!("for example {example}")))
            }
            None => Err(Wrong::new("incomplete", self.end..self.end, format!("{what} is missing"))
                .label("expected here")
                .help(format!("for example {example}"))),
        }
    }

    /// A sign or word that must come next.
    pub(super) fn must(&mut self, text: &str, example: &str) -> Result<(), Wrong> {
        if self.take(text) {
            return Ok(());
        }
        let at = self.peek().map_or(self.end..self.end, |token| token.word().range());
        Err(Wrong::new("firewall", at, format!("`{text}` is missing"))
            .label("expected here")
            .help(format!("for example {example}")))
    }

    /// Behind the last.
    pub(super) const fn end(&self) -> usize {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut tokens = Tokens::of(Word { text, at: 0 }).unwrap();
        core::iter::from_fn(|| tokens.next()).map(|token| token.word().text.to_owned()).collect()
    }

    #[test]
    fn signs_stand_for_themselves_and_addresses_stay_whole() {
        assert_eq!(words("tcp dport {22,80-90}"), ["tcp", "dport", "{", "22", ",", "80-90", "}"]);
        assert_eq!(words("ip6 saddr!=fd00::/8"), ["ip6", "saddr", "!=", "fd00::/8"]);
        assert_eq!(words("tcp flags&(syn|ack)==syn"), ["tcp", "flags", "&", "(", "syn", "|", "ack", ")", "==", "syn"]);
        assert_eq!(words("log prefix \"no way: \" drop"), ["log", "prefix", "no way: ", "drop"]);
        assert_eq!(words("limit rate 5/second"), ["limit", "rate", "5/second"]);
        assert_eq!(words("flags syn / syn,ack"), ["flags", "syn", "/", "syn", ",", "ack"]);
        assert!(Tokens::of(Word { text: "log prefix \"x", at: 0 }).is_err());
    }
}
