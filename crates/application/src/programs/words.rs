//! A command line cut into words as a shell would, without expanding anything.

use core::fmt;

/// A quotation mark or a backslash at the end has no other half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unclosed(pub char);

impl fmt::Display for Unclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} is never closed", self.0)
    }
}

impl std::error::Error for Unclosed {}

/// The words of `line`: blanks part them, `'…'` and `"…"` hold them together, a backslash takes the next character as
/// it is.
///
/// # Errors
/// [`Unclosed`] where a quotation does not end.
pub fn split(line: &str) -> Result<Vec<String>, Unclosed> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(Unclosed('\''))? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(Unclosed('"'))? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(Unclosed('"'))? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or(Unclosed('\\'))?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_shell_does() {
        for (line, words) in [
            ("  a  b\tc ", &["a", "b", "c"][..]),
            ("-w '%{http_code}\\n' \"a b\" ''", &["-w", "%{http_code}\\n", "a b", ""]),
            (r#"a\ b "x\"y\n" q'r's"t""#, &["a b", r#"x"y\n"#, "qrst"]),
            ("", &[]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert_eq!(split("a 'b"), Err(Unclosed('\'')));
        assert_eq!(split("a \"b"), Err(Unclosed('"')));
        assert_eq!(split("a\\"), Err(Unclosed('\\')));
    }
}
