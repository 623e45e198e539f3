//! Text from elsewhere, fit to be shown to a person.

use std::borrow::Cow;

/// `text` with its control characters written out (`\u{1b}`), so that a name or a path can neither colour nor move what a
/// terminal shows. Tabs and line ends stay.
///
/// ```
/// assert_eq!(septet_core::printable("web\u{1b}[2J"), "web\\u{1b}[2J");
/// assert_eq!(septet_core::printable("café"), "café");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether a character acts on what is shown: controls, and those that turn the direction of writing around (UAX #9).
fn is_hidden(c: char) -> bool {
    c.is_control() && c != '\t' && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_written_out() {
        for (text, shown) in [
            ("plain\tand\nlines", "plain\tand\nlines"),
            ("a\u{7}b\u{9b}31mc", "a\\u{7}b\\u{9b}31mc"),
            ("a\r\u{202e}b", "a\\u{d}\\u{202e}b"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
