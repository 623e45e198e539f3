//! `%{ … }%`: the statements about `tcp_info` that scripts make, a small part of Python.
//!
//! `assert condition[, message]`, `name = value`, `name += value`, `print(…)`; separated by `;` or line ends, with `#`
//! comments and `\` before a line end that does not count.

mod eval;
mod scan;

use std::collections::BTreeMap;

use scan::Sign;

/// A value of the language: Python's, as far as scripts need them.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A whole number.
    Int(i128),
    /// A decimal fraction.
    Float(f64),
    /// `'text'`
    Text(String),
    /// `True` or `False`
    Bool(bool),
}

impl core::fmt::Display for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
        }
    }
}

/// What the names mean: filled from `tcp_info` before each piece of code, and kept between them.
pub type Names = BTreeMap<String, Value>;

/// Runs `code`. The line of the error counts from zero within the code.
///
/// # Errors
/// The line, and the assertion that failed or what is wrong with the code.
pub fn run(code: &str, names: &mut Names) -> Result<(), (u32, String)> {
    for statement in statements(code)? {
        let line = statement.line;
        run_one(&statement, names).map_err(|message| (line, message))?;
    }
    Ok(())
}

/// A statement's words, and its text for messages.
struct Statement {
    line: u32,
    words: Vec<Sign>,
    text: String,
}

/// Splits at `;` and line ends, unless inside brackets or after a `\`.
fn statements(code: &str) -> Result<Vec<Statement>, (u32, String)> {
    let mut out = Vec::new();
    let mut current = Statement { line: 0, words: Vec::new(), text: String::new() };
    let mut depth = 0u32;
    let mut joined = false;
    for (number, line) in code.lines().enumerate() {
        let number = number as u32;
        let words = scan::words(line).map_err(|message| (number, message))?;
        joined = words.last().is_some_and(|(sign, _)| *sign == Sign::Join);
        for (sign, text) in words {
            match &sign {
                Sign::Join => continue,
                Sign::Op("(") => depth += 1,
                Sign::Op(")") => depth = depth.saturating_sub(1),
                Sign::Op(";") if depth == 0 => {
                    finish(&mut current, &mut out, number);
                    continue;
                }
                _ => {}
            }
            if current.words.is_empty() {
                current.line = number;
            } else {
                current.text.push(' ');
            }
            current.text.push_str(text);
            current.words.push(sign);
        }
        if depth == 0 && !joined {
            finish(&mut current, &mut out, number);
        }
    }
    if depth > 0 || joined {
        return Err((current.line, "the code ends within a statement".into()));
    }
    Ok(out)
}

fn finish(current: &mut Statement, out: &mut Vec<Statement>, line: u32) {
    let next = Statement { line, words: Vec::new(), text: String::new() };
    let statement = core::mem::replace(current, next);
    if !statement.words.is_empty() {
        out.push(statement);
    }
}

fn run_one(statement: &Statement, names: &mut Names) -> Result<(), String> {
    let words = &statement.words[..];
    match words {
        [Sign::Name(keyword), rest @ ..] if keyword == "assert" => assert(statement, rest, names),
        [Sign::Name(print), Sign::Op("("), ..] if print == "print" => Ok(()),
        [Sign::Name(name), Sign::Op("="), rest @ ..] => {
            let value = eval::whole(rest, names)?;
            names.insert(name.clone(), value);
            Ok(())
        }
        [Sign::Name(name), Sign::Op(op), rest @ ..] if let Some(op) = op.strip_suffix('=') => {
            let old = names.get(name).ok_or_else(|| format!("`{name}` has no value"))?.clone();
            let value = eval::binary(op, old, eval::whole(rest, names)?)?;
            names.insert(name.clone(), value);
            Ok(())
        }
        _ => Err(format!("`{}` is no statement that is known here", statement.text)),
    }
}

fn assert(statement: &Statement, words: &[Sign], names: &Names) -> Result<(), String> {
    let (condition, rest) = eval::expression(words, names)?;
    let message = match rest {
        [] => None,
        [Sign::Op(","), rest @ ..] => Some(eval::whole(rest, names)?),
        _ => return Err(format!("`{}` does not end where it should", statement.text)),
    };
    if eval::truth(&condition) {
        return Ok(());
    }
    let mut out = format!("`{}` does not hold", statement.text);
    // The values of the names that the condition mentions are what a reader asks for next.
    let mut shown = Vec::new();
    for word in words {
        if let Sign::Name(name) = word
            && let Some(value) = names.get(name)
            && !shown.contains(&name)
        {
            out.push_str(if shown.is_empty() { ": " } else { ", " });
            out.push_str(&format!("{name} is {value}"));
            shown.push(name);
        }
    }
    if shown.is_empty()
        && let Some(message) = message
    {
        out.push_str(&format!(": {message}"));
    }
    Err(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str) -> Result<(), String> {
        let mut names = Names::new();
        names.insert("tcpi_snd_cwnd".into(), Value::Int(10));
        names.insert("TCP_CA_Open".into(), Value::Int(0));
        run(code, &mut names).map_err(|(line, message)| format!("{line}: {message}"))
    }

    #[test]
    fn what_holds() {
        for code in [
            "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd",
            "assert 1 < 2 <= 2 != 3; assert not 1 > 2 and (True or False)",
            "x = 2 ** 3 # eight\nx += 1\nassert x == 9, 'x=%d' % x",
            "assert 7 // 2 == 3 and 7 % 4 == 3 and -7 // 2 == -4 and 7 / 2 == 3.5",
            "assert abs(-3) == 3 and min(1, 2) == 1 and max(1, 2, 3) == 3 and int(2.9) == 2",
            "assert tcpi_snd_cwnd == 10, \\\n  tcpi_snd_cwnd",
            "assert (1 == 1 and\n 2 == 2)",
            "assert 0x10 == 16 and 1e-3 < .01 and 1 << 4 | 1 == 17 and ~0 == -1 and 6 & 3 ^ 1 == 3",
            "print(tcpi_snd_cwnd); assert 'a' == \"a\"",
            "assert 1 if tcpi_snd_cwnd else 0",
        ] {
            assert_eq!(check(code), Ok(()), "{code}");
        }
    }

    #[test]
    fn what_does_not() {
        assert_eq!(
            check("\nassert tcpi_snd_cwnd == 11, tcpi_snd_cwnd").unwrap_err(),
            "1: `assert tcpi_snd_cwnd == 11 , tcpi_snd_cwnd` does not hold: tcpi_snd_cwnd is 10"
        );
        assert_eq!(check("assert False, 'why'").unwrap_err(), "0: `assert False , 'why'` does not hold: why");
        for code in
            ["assert unknown", "assert 1 +", "assert (1", "import os", "assert 1 / 0", "assert 'a' + 1", "x += 1"]
        {
            assert!(check(code).is_err(), "{code}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_crash() {
        assert!(check(&format!("assert {}1", "(".repeat(100_000))).is_err());
        assert!(check(&format!("assert {}1", "2**".repeat(100_000))).is_err());
        assert_eq!(check(&format!("assert {}1", "-".repeat(100_000))), Ok(()));
        assert_eq!(check(&format!("assert {}1", "not ".repeat(100_000))), Ok(()));
    }
}
