//! The grammar of scripts: options, times, calls, expressions.

mod packet;

use core::time::Duration;
use std::collections::BTreeMap;

use crate::error::{At, Error};
use crate::lex::{Kind, Token, tokens};
use crate::syntax::{Action, Call, Event, Expr, Script, ScriptOption, When};

/// Reads a script. `defines` are symbols that stand for other words, as `--define NAME=VALUE` gives them.
///
/// # Errors
/// [`crate::ErrorKind::Syntax`] with the place.
pub fn parse(source: &str, defines: &BTreeMap<String, String>) -> Result<Script, Error> {
    let tokens = substitute(tokens(source)?, defines)?;
    Parser { tokens, next: 0, depth: 0 }.script()
}

/// Puts the meaning of defined symbols in their place.
fn substitute(mut all: Vec<Token>, defines: &BTreeMap<String, String>) -> Result<Vec<Token>, Error> {
    for token in &mut all {
        let Kind::Word(word) = &token.kind else { continue };
        let Some(value) = defines.get(word) else { continue };
        let mut meaning = tokens(value)?;
        if meaning.len() != 2 {
            return Err(Error::syntax(token.at, format!("`{word}` is defined as more than one word")));
        }
        token.kind = meaning.swap_remove(0).kind;
    }
    Ok(all)
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    /// How deep the expression is that is being read.
    depth: u32,
}

/// How deep expressions may nest: far beyond any script, far below the stack.
const DEPTH: u32 = 64;

impl Parser {
    fn script(&mut self) -> Result<Script, Error> {
        let mut options = Vec::new();
        while let Kind::Option(name) = &self.peek().kind {
            let (at, name) = (self.peek().at, name.clone());
            self.take();
            let value = if self.accept('=') { Some(self.option_value()?) } else { None };
            options.push(ScriptOption { at, name, value });
        }
        let mut events = Vec::new();
        while self.peek().kind != Kind::End {
            let at = self.peek().at;
            if let Kind::Command(command) = &self.peek().kind {
                let action = Action::Command(command.clone());
                self.take();
                events.push(Event { at, when: When::Relative(Duration::ZERO), action });
                continue;
            }
            let when = self.when()?;
            let at = self.peek().at;
            let action = self.action(when)?;
            events.push(Event { at, when, action });
        }
        Ok(Script { options, events })
    }

    fn option_value(&mut self) -> Result<String, Error> {
        let Token { kind, at, .. } = self.take();
        let first = match kind {
            Kind::Word(word) => word,
            Kind::Int { text, .. } => text,
            Kind::Hex(value) => format!("{value:#x}"),
            Kind::Text(text) => text,
            other => return Err(Error::syntax(at, format!("an option's value is expected, not {}", other.describe()))),
        };
        // `--define NAME=VALUE`
        if self.accept('=') { Ok(format!("{first}={}", self.option_value()?)) } else { Ok(first) }
    }

    fn when(&mut self) -> Result<When, Error> {
        if self.accept('*') {
            return Ok(When::Any);
        }
        let at = self.peek().at;
        let relative = self.accept('+');
        let start = self.time()?;
        let end = if self.accept('~') {
            if relative {
                self.expect('+')?;
            }
            let end = self.time()?;
            if end < start {
                return Err(Error::syntax(at, "the range ends before it begins"));
            }
            Some(end)
        } else {
            None
        };
        Ok(match (relative, end) {
            (false, None) => When::Absolute(start),
            (true, None) => When::Relative(start),
            (false, Some(end)) => When::AbsoluteRange(start, end),
            (true, Some(end)) => When::RelativeRange(start, end),
        })
    }

    fn time(&mut self) -> Result<Duration, Error> {
        let Token { kind, at, .. } = self.take();
        let nanos = match kind {
            Kind::Int { value, .. } => value.checked_mul(1_000_000_000),
            Kind::Fraction { nanos } => Some(nanos),
            other => return Err(Error::syntax(at, format!("a time is expected, not {}", other.describe()))),
        };
        let nanos = nanos.and_then(|n| u64::try_from(n).ok());
        nanos.map(Duration::from_nanos).ok_or_else(|| Error::syntax(at, "a time that is negative or too large"))
    }

    fn action(&mut self, when: When) -> Result<Action, Error> {
        match self.peek().kind.clone() {
            Kind::Sign('<' | '>') => self.packet().map(Action::Packet),
            Kind::Word(_) | Kind::Ellipsis => self.call(when).map(Action::Call),
            Kind::Command(command) => {
                self.take();
                Ok(Action::Command(command))
            }
            Kind::Code(code) => {
                self.take();
                Ok(Action::Code(code))
            }
            other => Err(self.unexpected("a packet, a system call, a command or code", &other)),
        }
    }

    fn call(&mut self, when: When) -> Result<Call, Error> {
        let at = self.peek().at;
        let until = if self.accept_kind(&Kind::Ellipsis) { Some(self.time()?) } else { None };
        if let (Some(end), When::Absolute(start) | When::Relative(start)) = (until, when)
            && end < start
        {
            return Err(Error::syntax(at, "the call returns before it begins"));
        }
        let name = self.word("the name of a system call")?;
        self.expect('(')?;
        let arguments = self.list(')')?;
        self.expect('=')?;
        let result = self.expr()?;
        let mut errno = None;
        if let Kind::Word(word) = &self.peek().kind {
            errno = Some(word.clone());
            self.take();
        }
        if self.accept('(') {
            // A note such as `(Broken pipe)` is for the reader.
            while !self.accept(')') {
                if self.peek().kind == Kind::End {
                    return Err(self.unexpected("`)`", &Kind::End));
                }
                self.take();
            }
        }
        Ok(Call { until, name, arguments, result, errno })
    }

    /// Expressions up to `close`, which is taken too.
    fn list(&mut self, close: char) -> Result<Vec<Expr>, Error> {
        let mut out = Vec::new();
        if self.accept(close) {
            return Ok(out);
        }
        loop {
            out.push(self.expr()?);
            if self.accept(close) {
                return Ok(out);
            }
            self.expect(',')?;
        }
    }

    fn expr(&mut self) -> Result<Expr, Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Error::syntax(self.at(), "nested too deeply"));
        }
        let mut left = self.primary()?;
        while self.accept('|') {
            left = Expr::Or(Box::new(left), Box::new(self.primary()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        let Token { kind, at, .. } = self.take();
        match kind {
            Kind::Ellipsis => Ok(Expr::Ellipsis),
            Kind::Int { value, .. } | Kind::Hex(value) => Ok(Expr::Int(value)),
            Kind::Text(text) => {
                // `"text"...` says that more follows; the text alone is compared.
                self.accept_kind(&Kind::Ellipsis);
                Ok(Expr::Text(text))
            }
            Kind::Word(word) if self.accept('(') => Ok(Expr::Apply(word, self.list(')')?)),
            Kind::Word(word) => Ok(Expr::Word(word)),
            Kind::Sign('[') => self.list(']').map(Expr::List),
            Kind::Sign('{') => self.braces(),
            other => Err(Error::syntax(at, format!("an expression is expected, not {}", other.describe()))),
        }
    }

    /// `{name=value, …}` or `{..., 1000}`.
    fn braces(&mut self) -> Result<Expr, Error> {
        let mut record = Vec::new();
        let mut tuple = Vec::new();
        let at = self.peek().at;
        loop {
            let value = self.expr()?;
            if self.accept('=') {
                let name = match value {
                    // `msg_iov(1)`: the count says nothing that the list does not.
                    Expr::Word(name) | Expr::Apply(name, _) => name,
                    _ => return Err(Error::syntax(at, "a field's name is expected before `=`")),
                };
                record.push((name, self.expr()?));
            } else {
                tuple.push(value);
            }
            if self.accept('}') {
                break;
            }
            self.expect(',')?;
        }
        match (record.is_empty(), tuple.is_empty()) {
            (false, true) => Ok(Expr::Record(record)),
            (true, _) => Ok(Expr::Tuple(tuple)),
            (false, false) => Err(Error::syntax(at, "fields with and without names in one pair of braces")),
        }
    }

    fn peek(&self) -> &Token {
        // The last token is `End` and is never passed.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn accept(&mut self, sign: char) -> bool {
        self.accept_kind(&Kind::Sign(sign))
    }

    fn accept_kind(&mut self, kind: &Kind) -> bool {
        let there = self.peek().kind == *kind;
        if there {
            self.take();
        }
        there
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let there = matches!(&self.peek().kind, Kind::Word(w) if w == word);
        if there {
            self.take();
        }
        there
    }

    fn expect(&mut self, sign: char) -> Result<(), Error> {
        if self.accept(sign) {
            return Ok(());
        }
        let kind = self.peek().kind.clone();
        Err(self.unexpected(&format!("`{sign}`"), &kind))
    }

    fn word(&mut self, what: &str) -> Result<String, Error> {
        match self.peek().kind.clone() {
            Kind::Word(word) => {
                self.take();
                Ok(word)
            }
            other => Err(self.unexpected(what, &other)),
        }
    }

    /// A number that fits `T`.
    fn number<T: TryFrom<i64>>(&mut self, what: &str) -> Result<T, Error> {
        let at = self.peek().at;
        match self.peek().kind.clone() {
            Kind::Int { value, .. } | Kind::Hex(value) => {
                self.take();
                T::try_from(value).map_err(|_| Error::syntax(at, format!("{what} out of range")))
            }
            other => Err(self.unexpected(what, &other)),
        }
    }

    fn at(&self) -> At {
        self.peek().at
    }

    fn unexpected(&self, what: &str, found: &Kind) -> Error {
        Error::syntax(self.peek().at, format!("{what} is expected, not {}", found.describe()))
    }
}

#[cfg(test)]
mod tests;
