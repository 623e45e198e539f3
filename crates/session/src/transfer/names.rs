//! Names that come from the other side, which must stay in one directory.

use core::fmt;

/// Why a name is not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadName(String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadName {}

/// The longest name, in octets: what file systems take.
const MOST: usize = 255;

/// `name`, where it is that of a file in a directory and of nothing else: no way to another directory, nothing hidden (this
/// end's journals are), nothing that a terminal obeys.
///
/// ```
/// use septet_session::transfer::plain_name;
/// assert_eq!(plain_name("report 2.pdf").unwrap(), "report 2.pdf");
/// for name in ["", "..", "a/b", "..\\x", ".profile", "a\nb", "C:x"] {
///     assert!(plain_name(name).is_err(), "{name:?}");
/// }
/// ```
///
/// # Errors
/// Why not.
pub fn plain_name(name: &str) -> Result<&str, BadName> {
    let bad = |why: &str| Err(BadName(format!("the name {:?} is not taken: {why}", cut(name))));
    if name.is_empty() {
        return bad("it is empty");
    }
    if name.len() > MOST {
        return bad("it is longer than 255 octets");
    }
    if name.starts_with('.') {
        return bad("it begins with a dot");
    }
    if let Some(c) = name.chars().find(|c| matches!(c, '/' | '\\' | ':')) {
        return bad(&format!("it has a {c:?}, which leads elsewhere"));
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        return bad("it has characters that control how it is shown");
    }
    Ok(name)
}

fn cut(name: &str) -> String {
    name.chars().take(60).collect()
}
