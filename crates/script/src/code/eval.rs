//! Expressions, with Python's order of operators.

use super::scan::Sign;
use super::{Names, Value};

/// How deep expressions may nest: far beyond any script, far below the stack.
const DEPTH: u32 = 64;

type Rest<'a> = &'a [Sign];
type Parsed<'a> = Result<(Value, Rest<'a>), String>;

/// The value of all of `words`.
pub(super) fn whole(words: &[Sign], names: &Names) -> Result<Value, String> {
    match expression(words, names)? {
        (value, []) => Ok(value),
        (_, [next, ..]) => Err(format!("{next:?} is not expected here")),
    }
}

/// The value of the expression in front, and what follows it.
pub(super) fn expression<'a>(words: Rest<'a>, names: &Names) -> Parsed<'a> {
    Evaluator { names, depth: 0 }.conditional(words)
}

/// Python's idea of what counts as true.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Int(v) => *v != 0,
        Value::Float(v) => *v != 0.0,
        Value::Text(v) => !v.is_empty(),
        Value::Bool(v) => *v,
    }
}

struct Evaluator<'n> {
    names: &'n Names,
    depth: u32,
}

/// Operators that take two values, weakest first.
const LEVELS: [&[&str]; 6] = [&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "//", "%"]];

impl Evaluator<'_> {
    /// `a if condition else b`
    fn conditional<'a>(&mut self, words: Rest<'a>) -> Parsed<'a> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("nested too deeply".into());
        }
        let (yes, rest) = self.or(words)?;
        let result = if let Some(rest) = keyword(rest, "if") {
            let (condition, rest) = self.or(rest)?;
            let rest = keyword(rest, "else").ok_or("`if` without `else`")?;
            let (no, rest) = self.conditional(rest)?;
            (if truth(&condition) { yes } else { no }, rest)
        } else {
            (yes, rest)
        };
        self.depth -= 1;
        Ok(result)
    }

    fn or<'a>(&mut self, words: Rest<'a>) -> Parsed<'a> {
        let (mut left, mut rest) = self.and(words)?;
        while let Some(next) = keyword(rest, "or") {
            let (right, after) = self.and(next)?;
            left = if truth(&left) { left } else { right };
            rest = after;
        }
        Ok((left, rest))
    }

    fn and<'a>(&mut self, words: Rest<'a>) -> Parsed<'a> {
        let (mut left, mut rest) = self.not(words)?;
        while let Some(next) = keyword(rest, "and") {
            let (right, after) = self.not(next)?;
            left = if truth(&left) { right } else { left };
            rest = after;
        }
        Ok((left, rest))
    }

    fn not<'a>(&mut self, mut words: Rest<'a>) -> Parsed<'a> {
        let mut negations = 0;
        while let Some(rest) = keyword(words, "not") {
            words = rest;
            negations += 1;
        }
        let (value, rest) = self.comparison(words)?;
        Ok((if negations == 0 { value } else { Value::Bool(truth(&value) ^ (negations % 2 == 1)) }, rest))
    }

    /// `a < b <= c`: every neighbouring pair must hold.
    fn comparison<'a>(&mut self, words: Rest<'a>) -> Parsed<'a> {
        let (mut left, mut rest) = self.level(0, words)?;
        let mut holds = None;
        while let [Sign::Op(op @ ("==" | "!=" | "<" | "<=" | ">" | ">=")), next @ ..] = rest {
            let (right, after) = self.level(0, next)?;
            holds = Some(holds.unwrap_or(true) && compare(op, &left, &right)?);
            (left, rest) = (right, after);
        }
        Ok((holds.map_or(left, Value::Bool), rest))
    }

    fn level<'a>(&mut self, level: usize, words: Rest<'a>) -> Parsed<'a> {
        let Some(ops) = LEVELS.get(level) else { return self.unary(words) };
        let (mut left, mut rest) = self.level(level + 1, words)?;
        while let [Sign::Op(op), next @ ..] = rest
            && ops.contains(op)
        {
            let (right, after) = self.level(level + 1, next)?;
            left = binary(op, left, right)?;
            rest = after;
        }
        Ok((left, rest))
    }

    fn unary<'a>(&mut self, words: Rest<'a>) -> Parsed<'a> {
        let signs = words.iter().take_while(|w| matches!(w, Sign::Op("-" | "+" | "~"))).count();
        let (mut value, rest) = self.power(&words[signs..])?;
        for sign in words[..signs].iter().rev() {
            let Sign::Op(op) = sign else { continue };
            value = match (*op, value) {
                ("+", value) => value,
                ("-", Value::Int(v)) => Value::Int(v.checked_neg().ok_or("a number too large")?),
                ("-", Value::Float(v)) => Value::Float(-v),
                ("~", Value::Int(v)) => Value::Int(!v),
                (op, value) => return Err(format!("`{op}` cannot be put before {value}")),
            };
        }
        Ok((value, rest))
    }

    fn power<'a>(&mut self, words: Rest<'a>) -> Parsed<'a> {
        let (base, rest) = self.atom(words)?;
        let [Sign::Op("**"), next @ ..] = rest else { return Ok((base, rest)) };
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("nested too deeply".into());
        }
        let (exponent, rest) = self.unary(next)?;
        self.depth -= 1;
        Ok((binary("**", base, exponent)?, rest))
    }

    fn atom<'a>(&mut self, words: Rest<'a>) -> Parsed<'a> {
        match words {
            [Sign::Int(v), rest @ ..] => Ok((Value::Int(*v), rest)),
            [Sign::Float(v), rest @ ..] => Ok((Value::Float(*v), rest)),
            [Sign::Text(v), rest @ ..] => Ok((Value::Text(v.clone()), rest)),
            [Sign::Op("("), rest @ ..] => match self.conditional(rest)? {
                (value, [Sign::Op(")"), rest @ ..]) => Ok((value, rest)),
                _ => Err("`(` without `)`".into()),
            },
            [Sign::Name(name), Sign::Op("("), rest @ ..] => self.call(name, rest),
            [Sign::Name(name), rest @ ..] => match name.as_str() {
                "True" => Ok((Value::Bool(true), rest)),
                "False" => Ok((Value::Bool(false), rest)),
                _ => match self.names.get(name) {
                    Some(value) => Ok((value.clone(), rest)),
                    None => Err(format!("`{name}` has no value")),
                },
            },
            [other, ..] => Err(format!("a value is expected, not {other:?}")),
            [] => Err("a value is missing at the end".into()),
        }
    }

    fn call<'a>(&mut self, name: &str, mut words: Rest<'a>) -> Parsed<'a> {
        let mut arguments = Vec::new();
        loop {
            let (value, rest) = self.conditional(words)?;
            arguments.push(value);
            match rest {
                [Sign::Op(","), rest @ ..] => words = rest,
                [Sign::Op(")"), rest @ ..] => return Ok((apply(name, &arguments)?, rest)),
                _ => return Err("`(` without `)`".into()),
            }
        }
    }
}

fn keyword<'a>(words: Rest<'a>, keyword: &str) -> Option<Rest<'a>> {
    match words {
        [Sign::Name(name), rest @ ..] if name == keyword => Some(rest),
        _ => None,
    }
}

fn apply(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let better = |op: &str| {
        let mut best = arguments[0].clone();
        for value in &arguments[1..] {
            if compare(op, value, &best)? {
                best = value.clone();
            }
        }
        Ok(best)
    };
    match (name, arguments) {
        ("abs", [Value::Int(v)]) => Ok(Value::Int(v.checked_abs().ok_or("a number too large")?)),
        ("abs", [Value::Float(v)]) => Ok(Value::Float(v.abs())),
        ("int", [Value::Float(v)]) => Ok(Value::Int(*v as i128)),
        ("int", [Value::Int(v)]) => Ok(Value::Int(*v)),
        ("min", _) => better("<"),
        ("max", _) => better(">"),
        _ => Err(format!("`{name}` with {} arguments is not known here", arguments.len())),
    }
}

/// The value of `left op right`.
pub(super) fn binary(op: &str, left: Value, right: Value) -> Result<Value, String> {
    if let (Value::Text(left), "%") = (&left, op) {
        return Ok(Value::Text(format_text(left, &right)));
    }
    let (left, right) = (number(left)?, number(right)?);
    if let (Value::Int(a), Value::Int(b)) = (&left, &right)
        && op != "/"
    {
        return whole_numbers(op, *a, *b).map(Value::Int);
    }
    let (a, b) = (float(&left), float(&right));
    let value = match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" | "//" | "%" if b == 0.0 => return Err("a division by zero".into()),
        "/" => a / b,
        "//" => (a / b).floor(),
        "%" => a - b * (a / b).floor(),
        _ => return Err(format!("`{op}` needs whole numbers")),
    };
    Ok(Value::Float(value))
}

fn whole_numbers(op: &str, a: i128, b: i128) -> Result<i128, String> {
    let small = || u32::try_from(b).map_err(|_| format!("`{op}` with {b}"));
    let value = match op {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "//" | "%" if b == 0 => return Err("a division by zero".into()),
        // Python rounds towards minus infinity, and the rest has the divisor's sign.
        "//" => a.checked_div(b).map(|q| if a % b != 0 && (a < 0) != (b < 0) { q - 1 } else { q }),
        "%" => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }),
        "**" => a.checked_pow(small()?),
        "<<" => Some(small()?).filter(|n| *n < 100).and_then(|n| a.checked_mul(1 << n)),
        ">>" => Some(a >> small()?.min(127)),
        "&" => Some(a & b),
        "|" => Some(a | b),
        "^" => Some(a ^ b),
        _ => return Err(format!("`{op}` is not known here")),
    };
    value.ok_or_else(|| format!("{a} {op} {b} is too large"))
}

fn compare(op: &str, left: &Value, right: &Value) -> Result<bool, String> {
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Text(_), _) | (_, Value::Text(_)) => match op {
            "==" => return Ok(false),
            "!=" => return Ok(true),
            _ => return Err("a text and a number have no order".into()),
        },
        _ => match (number(left.clone())?, number(right.clone())?) {
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
            (a, b) => float(&a).partial_cmp(&float(&b)),
        },
    };
    use core::cmp::Ordering::{Equal, Greater, Less};
    Ok(match op {
        "==" => order == Some(Equal),
        "!=" => order != Some(Equal),
        "<" => order == Some(Less),
        "<=" => matches!(order, Some(Less | Equal)),
        ">" => order == Some(Greater),
        _ => matches!(order, Some(Greater | Equal)),
    })
}

fn number(value: Value) -> Result<Value, String> {
    match value {
        Value::Bool(v) => Ok(Value::Int(v.into())),
        Value::Text(v) => Err(format!("'{v}' is no number")),
        other => Ok(other),
    }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Int(v) => *v as f64,
        Value::Float(v) => *v,
        Value::Bool(v) => f64::from(u8::from(*v)),
        Value::Text(_) => f64::NAN,
    }
}

/// `'cwnd=%d' % value`: every conversion shows the one value.
fn format_text(text: &str, value: &Value) -> String {
    text.replace("%d", &value.to_string()).replace("%u", &value.to_string()).replace("%s", &value.to_string())
}
