//! Changes one value of a lab file and leaves the rest as it is, comments too.

use core::fmt;

use septet_core::Instant;
use septet_language::schema::{self, Kind};
use toml_edit::{Array, DocumentMut, Item, Key, Table, Value};

use crate::read::keys;

/// Why a value could not be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingError {
    /// The path is not one: `media.wan.loss`, `host."web[1..3]".http.body`.
    Path(String),
    /// Something on the way is not a table.
    NotATable(String),
    /// The file itself is not TOML.
    Syntax(String),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "`{path}` is not a path such as `media.wan.loss`"),
            Self::NotATable(path) => write!(f, "`{path}` is not a table, so nothing lies below it"),
            Self::Syntax(why) => write!(f, "the lab is not TOML: {why}"),
        }
    }
}

impl std::error::Error for SettingError {}

/// The lab file `text` with `value` at `path`; tables that are missing on the way are made.
///
/// ```
/// let lab = "[media]\nwan = { loss = '1%' }  # lossy\n";
/// let changed = septet_lab::with_setting(lab, "media.wan.loss", "2%")?;
/// assert_eq!(changed, "[media]\nwan = { loss = \"2%\" }  # lossy\n");
/// # Ok::<(), septet_lab::SettingError>(())
/// ```
///
/// # Errors
/// [`SettingError`]; whether the key is known and the value right is told when the changed text is parsed.
pub fn with_setting(text: &str, path: &str, value: &str) -> Result<String, SettingError> {
    let keys = Key::parse(path).map_err(|_| SettingError::Path(path.to_owned()))?;
    let mut document: DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| SettingError::Syntax(e.to_string()))?;
    let names: Vec<&str> = keys.iter().map(Key::get).collect();
    let Some((last, way)) = names.split_last() else { return Err(SettingError::Path(path.to_owned())) };
    let mut table = document.as_table_mut() as &mut dyn toml_edit::TableLike;
    for (depth, name) in way.iter().enumerate() {
        let item = table.entry(name).or_insert_with(|| {
            let mut made = Table::new();
            made.set_implicit(true);
            Item::Table(made)
        });
        let so_far = || SettingError::NotATable(names[..=depth].join("."));
        table = item.as_table_like_mut().ok_or_else(so_far)?;
    }
    let mut new = match (schema::kind_at(&keys::ROOT, &names), value.parse::<i64>(), value.parse::<bool>()) {
        (Some(Kind::Count(..)), Ok(number), _) => Value::from(number),
        (Some(Kind::Switch), _, Ok(on)) => Value::from(on),
        _ => Value::from(value),
    };
    match table.get_mut(last) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(Item::Table(_) | Item::ArrayOfTables(_)) => return Err(SettingError::Path(path.to_owned())),
        _ => {
            table.insert(last, Item::Value(new));
        }
    }
    Ok(document.to_string())
}

/// The lab file `text` with these lines of `[faults]` alone, and where it is given another end.
pub(crate) fn with_faults(text: &str, faults: &[String], stop: Option<Instant>) -> Result<String, SettingError> {
    let text = match stop {
        Some(stop) => with_setting(text, "lab.stop", &format!("{}ns", stop.as_nanos()))?,
        None => text.to_owned(),
    };
    let mut document: DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| SettingError::Syntax(e.to_string()))?;
    if faults.is_empty() {
        document.remove("faults");
        return Ok(document.to_string());
    }
    let mut script = Array::new();
    for fault in faults {
        let mut line = Value::from(fault.as_str());
        line.decor_mut().set_prefix("\n    ");
        script.push_formatted(line);
    }
    script.set_trailing_comma(true);
    script.set_trailing("\n");
    let section = document.entry("faults").or_insert_with(|| Item::Table(Table::new()));
    let section = section.as_table_like_mut().ok_or_else(|| SettingError::NotATable("faults".to_owned()))?;
    section.insert("script", Item::Value(script.into()));
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lab;

    const SHOP: &str = include_str!("../../../../labs/shop.toml");

    fn shop(path: &str, value: &str) -> Lab {
        Lab::parse_changed("shop.toml", &with_setting(SHOP, path, value).unwrap()).unwrap()
    }

    #[test]
    fn values_of_every_kind() {
        assert_eq!(shop("media.wan.loss", "2%").links[2].cables[0].medium.loss.get(), 0.02);
        assert_eq!(shop("lab.seed", "9").seed, 9);
        assert_eq!(shop("lab.stop", "5s").stop.as_millis(), 5000);
        let lab = shop("host.client.tcp", "reno");
        assert_eq!(lab.nodes[lab.node("client").unwrap()].spec.stack().unwrap().tcp.congestion_control, "reno");
        let lab = shop("host.lb.tcp.sack", "false");
        assert!(!lab.nodes[lab.node("lb").unwrap()].spec.stack().unwrap().tcp.sack);
        let lab = shop("host.web2.http.think", "1s");
        let http = |node: &str| format!("{:?}", lab.nodes[lab.node(node).unwrap()].services()[0]);
        assert!(
            http("web2").contains("think: 1s") && http("web1").contains("think: 2ms"),
            "{} {}",
            http("web2"),
            http("web1")
        );
    }

    #[test]
    fn other_faults_and_another_end() {
        let lab = Lab::parse("shop.toml", SHOP).unwrap();
        let faults = ["1s..2s: cut r1--r2".to_owned(), "3s: crash web2".to_owned()];
        let changed = lab.with_faults(&faults, Some(Instant::from_secs(20))).unwrap();
        let told: Vec<String> = changed.faults.iter().map(|fault| fault.text.clone()).collect();
        assert_eq!(
            (told, changed.stop),
            (vec!["cut r1--r2".to_owned(), "crash web2".to_owned()], Instant::from_secs(20))
        );
        let none = lab.with_faults(&[], None).unwrap();
        assert_eq!((none.faults.len(), none.stop, none.nodes.len()), (0, lab.stop, lab.nodes.len()));
    }

    #[test]
    fn what_cannot_be_set() {
        for path in ["", "a..b", "host", "lab.seed.x", "'open"] {
            assert!(with_setting(SHOP, path, "1").is_err(), "{path}");
        }
        let unknown = with_setting(SHOP, "media.wan.los", "1%").unwrap();
        assert_eq!(Lab::parse("shop.toml", &unknown).unwrap_err().iter().next().unwrap().kind(), "unknown-key");
    }
}
