//! What a service has as flags: another way to write its table.

/// The flags of a service.
pub(crate) trait Flags {
    /// The key of its table.
    fn service(&self) -> &'static str;

    /// The lines of its table, as they would stand in the file; those alone that a flag was given for.
    fn lines(&self) -> Vec<String>;
}

/// `key = ["value", "value"]`; nothing for none.
pub(crate) fn texts(key: &str, values: &[String]) -> Option<String> {
    let quoted: Vec<String> = values.iter().map(|value| self::quoted(value)).collect();
    (!quoted.is_empty()).then(|| format!("{key} = [{}]", quoted.join(", ")))
}

/// A basic string of TOML, which is written as one of JSON but for DEL.
pub(crate) fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stays_inside_its_quotes() {
        assert_eq!(quoted("a\"b\\c\n\u{7f}"), "\"a\\\"b\\\\c\\n\\u007f\"");
        assert_eq!(
            texts("listen", &["http://:1".into(), "https://x".into()]).unwrap(),
            "listen = [\"http://:1\", \"https://x\"]"
        );
        assert_eq!(texts("listen", &[]), None);
    }
}
