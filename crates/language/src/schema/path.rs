//! Paths of keys, `media.wan.loss`, and what they lead to.

use crate::nearest::suggest;
use crate::schema::key::{Kind, Section};

/// A key that there is not.
#[derive(Debug)]
pub struct NoKey {
    /// What was asked for.
    pub name: String,
    /// What was perhaps meant.
    pub help: Option<String>,
}

/// What may stand at a path below `root`, given as its keys.
pub fn kind_at(root: &'static Section, path: &[&str]) -> Option<Kind> {
    walk(root, path)?.1.ok()
}

/// Follows a path of keys: how far it got, and what may stand at its end. `None` for a path of no keys.
pub fn walk(root: &'static Section, path: &[&str]) -> Option<(String, Result<Kind, NoKey>)> {
    let mut section = Some(root);
    let mut kind: Option<Kind> = None;
    for (depth, name) in path.iter().enumerate() {
        let so_far = || path[..depth].join(".");
        // The table of a value that may also be something shorter.
        if let Some(Kind::Either(_, table)) = kind {
            kind = Some(*table);
        }
        match kind {
            Some(Kind::Table(inner)) => section = Some(inner),
            Some(Kind::Named(_, of)) => {
                kind = Some(*of);
                section = None;
                continue;
            }
            Some(_) => return Some((so_far(), Err(NoKey { name: (*name).to_owned(), help: None }))),
            None => {}
        }
        let here = section?;
        match here.key(name) {
            Some(found) => kind = Some(found.kind()),
            None => {
                let help = suggest(name, "keys", here.keys().map(|key| key.name()));
                return Some((so_far(), Err(NoKey { name: (*name).to_owned(), help })));
            }
        }
    }
    Some((String::new(), Ok(kind?)))
}
