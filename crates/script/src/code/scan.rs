//! The words of one line of code.

/// A word.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Sign {
    Name(String),
    Int(i128),
    Float(f64),
    Text(String),
    /// An operator or a bracket.
    Op(&'static str),
    /// `\` at the line's end: the next line belongs to this one.
    Join,
}

/// Longest first, so that `**` is not read as `*` twice.
const OPS: [&str; 37] = [
    "//=", "**=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=", "%=", "&=",
    "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(", ")", ",", ";", ":",
];

/// The words of `line` up to a comment, each with its text.
pub(super) fn words(line: &str) -> Result<Vec<(Sign, &str)>, String> {
    let mut out = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            break;
        }
        let (sign, len) = if first == '\\' && rest.trim_end() == "\\" {
            (Sign::Join, rest.len())
        } else if first == '\'' || first == '"' {
            let len = rest[1..].find(first).ok_or_else(|| format!("{first} without its end"))?;
            (Sign::Text(rest[1..1 + len].to_owned()), len + 2)
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            number(rest)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Sign::Name(rest[..len].to_owned()), len)
        } else {
            let op =
                OPS.iter().find(|op| rest.starts_with(**op)).ok_or_else(|| format!("`{first}` is not known here"))?;
            (Sign::Op(op), op.len())
        };
        out.push((sign, rest[..len].trim_end()));
        rest = rest[len..].trim_start();
    }
    Ok(out)
}

fn number(text: &str) -> Result<(Sign, usize), String> {
    if let Some(hex) = text.strip_prefix("0x") {
        let len = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let value = i128::from_str_radix(&hex[..len], 16).map_err(|e| e.to_string())?;
        return Ok((Sign::Int(value), len + 2));
    }
    let mut len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    if let Some(exponent) = text[len..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let digits = exponent[sign..].find(|c: char| !c.is_ascii_digit()).unwrap_or(exponent.len() - sign);
        len += if digits > 0 { 1 + sign + digits } else { 0 };
    }
    let number = &text[..len];
    let sign = if number.contains(['.', 'e', 'E']) {
        Sign::Float(number.parse().map_err(|_| format!("`{number}` is no number"))?)
    } else {
        Sign::Int(number.parse().map_err(|_| format!("`{number}` is no number"))?)
    };
    Ok((sign, len))
}
