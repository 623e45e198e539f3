//! Names of nodes, and ranges of them: `web[1..3]` is `web1`, `web2`, `web3`.

use crate::words::{Word, Wrong};

/// RFC 1035 §2.3.4: "labels 63 octets or less".
const LONGEST_NAME: usize = 63;

/// The most names that one range may stand for.
const LARGEST_RANGE: u64 = 1_000_000;

/// All names that `word` stands for, one where it has no range. A `suffix` after the bracket goes behind each number.
pub fn expand(word: Word<'_>) -> Result<Vec<String>, Wrong> {
    let text = word.text;
    let Some(open) = text.find('[') else {
        check(text, word)?;
        return Ok(vec![text.to_owned()]);
    };
    let example = || "a range is written `web[1..3]`".to_owned();
    let close = text[open..].find(']').map(|at| open + at);
    let Some(close) = close else {
        return Err(Wrong::new("range", word.range(), format!("`{text}` has no closing bracket")).help(example()));
    };
    let inside = Word { text: &text[open + 1..close], at: word.at + open + 1 };
    let Some((first, last)) = inside.split_once("..") else {
        return Err(Wrong::new("range", inside.range(), format!("`[{}]` is not a range", inside.text)).help(example()));
    };
    let number = |part: Word<'_>| {
        part.text.parse::<u64>().map_err(|_| {
            Wrong::new("range", part.range(), format!("`{}` is not a whole number", part.text)).help(example())
        })
    };
    let (from, to) = (number(first)?, number(last)?);
    if from > to {
        return Err(Wrong::new("range", inside.range(), format!("the range {from}..{to} runs backwards"))
            .label("backwards")
            .help(format!("write `[{to}..{from}]`")));
    }
    if to - from >= LARGEST_RANGE {
        return Err(Wrong::new("range", inside.range(), format!("a range of {} names", to - from + 1))
            .help(format!("at most {LARGEST_RANGE}")));
    }
    let (stem, suffix) = (&text[..open], &text[close + 1..]);
    if first.text.len() > LONGEST_NAME {
        return Err(Wrong::new("name", inside.range(), format!("a number of {} digits", first.text.len()))
            .label("too long")
            .help(format!("a name has {LONGEST_NAME} characters at most")));
    }
    // `web[01..10]` keeps its leading zeros.
    let width = if first.text.starts_with('0') { first.text.len() } else { 0 };
    check(&format!("{stem}{to:0width$}{suffix}"), word)?;
    Ok((from..=to).map(|n| format!("{stem}{n:0width$}{suffix}")).collect())
}

/// Whether `name` can be a node's name: it is also a DNS label (RFC 1123 §2.1).
fn check(name: &str, word: Word<'_>) -> Result<(), Wrong> {
    let wrong = |reason: String| Err(Wrong::new("name", word.range(), reason).label("not a name"));
    let help = "letters, digits and hyphens, beginning with a letter".to_owned();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return wrong(if name.is_empty() {
            "a name is missing".to_owned()
        } else {
            format!("`{name}` does not begin with a letter")
        })
        .map_err(|w| w.help(help));
    }
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        return wrong(format!("`{bad}` cannot be part of the name `{name}`")).map_err(|w| w.help(help));
    }
    if name.ends_with('-') {
        return wrong(format!("the name `{name}` ends with a hyphen"));
    }
    if name.contains("--") {
        return wrong(format!("`--` in the name `{name}` would read as a link"));
    }
    if name.len() > LONGEST_NAME {
        return wrong(format!("the name is {} letters long, more than {LONGEST_NAME}", name.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        expand(Word { text, at: 0 }).map_err(|w| w.refusal.reason)
    }

    #[test]
    fn ranges_expand() {
        assert_eq!(names("dns").unwrap(), ["dns"]);
        assert_eq!(names("web[1..3]").unwrap(), ["web1", "web2", "web3"]);
        assert_eq!(names("r[09..11]b").unwrap(), ["r09b", "r10b", "r11b"]);
        assert_eq!(names("web[2..2]").unwrap(), ["web2"]);
    }

    #[test]
    fn what_is_no_name() {
        for text in [
            "",
            "1st",
            "a_b",
            "a-",
            "a--b",
            "web[3..1]",
            "web[1..",
            "web[1]",
            "web[a..b]",
            "web[0..9999999]",
            &format!("web[{}1..2]", "0".repeat(65_536)),
            &format!("web[{}1..2]", "0".repeat(62)),
            "a.b",
            "é",
        ] {
            assert!(names(text).is_err(), "{text}");
        }
    }
}
