//! `[sweep]`, and values that are set on the command line: whether the file takes them, before anything is run.

use core::ops::Range;

use septet_language::mistake::{Gravity, Mistake, Mistakes};
use septet_language::nearest::suggest;
use septet_language::schema;

use crate::lab::Lab;
use crate::model::node::NodeKind;
use crate::read::edit::{SettingError, with_setting};
use crate::read::keys::{self, Sweep};

/// Values that are tried one by one when a file is read; the rest is found wrong when its run is prepared.
const MOST_TRIED: usize = 1000;

/// Reads the table: the paths, and the values to try for each, as text.
pub(crate) fn read(said: &Sweep, mistakes: &mut Mistakes) -> Vec<(String, Vec<String>)> {
    let mut sweep = Vec::new();
    for (path, (span, values)) in said {
        let mut texts = Vec::new();
        for value in values {
            match value.plain() {
                Some(text) => texts.push(text),
                None => {
                    let reason = format!("{} cannot be a value of a sweep", value.value.what());
                    let label = "a string or a number here";
                    mistakes.push(Mistake::new("type", value.span.clone(), reason, label));
                }
            }
        }
        if texts.is_empty() && values.is_empty() {
            let reason = format!("the sweep over `{}` has no values", path.text);
            mistakes.push(Mistake::new("type", span.clone(), reason, "empty"));
        }
        sweep.push((path.text.clone(), texts));
    }
    sweep
}

/// Tries every value of `[sweep]`, with the first of each other key, and reports at the value what the lab says to it.
pub(crate) fn check(lab: &Lab, said: &Sweep, source: &str) -> Mistakes {
    let mut mistakes = Mistakes::new(source, &lab.text);
    let firsts: Vec<(&str, &str)> =
        lab.sweep.iter().filter_map(|(path, values)| Some((path.as_str(), values.first()?.as_str()))).collect();
    for (path, (_, values)) in said {
        if let Err(wrong) = known(lab, &path.text) {
            mistakes.push(wrong.at(path.span.clone()));
            continue;
        }
        for value in values.iter().take(MOST_TRIED) {
            let Some(text) = value.plain() else { continue };
            let others = firsts.iter().copied().filter(|(other, _)| *other != path.text && known(lab, other).is_ok());
            if let Err(wrong) = tried(lab, others, (&path.text, &text)) {
                mistakes.push(wrong.at(value.span.clone()));
            }
        }
    }
    mistakes
}

/// Why a lab does not take a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit {
    kind: &'static str,
    /// What is wrong.
    pub reason: String,
    /// How it can be mended, where that can be guessed.
    pub help: Option<String>,
}

impl Unfit {
    fn at(self, span: Range<usize>) -> Mistake {
        Mistake::new(self.kind, span, self.reason, "here").help(self.help)
    }
}

impl Lab {
    /// Whether the file takes `value` at `path`.
    ///
    /// # Errors
    /// What is wrong with the path, or with the value.
    pub fn takes(&self, path: &str, value: &str) -> Result<(), Unfit> {
        known(self, path)?;
        tried(self, core::iter::empty(), (path, value))
    }
}

/// Whether there is such a key, and whether the node or the medium that it is of is one of the file.
fn known(lab: &Lab, path: &str) -> Result<(), Unfit> {
    let unfit = |kind, reason: String, help| Err(Unfit { kind, reason, help });
    let Ok(keys) = toml_edit::Key::parse(path) else {
        return unfit("sweep", SettingError::Path(path.to_owned()).to_string(), None);
    };
    let names: Vec<&str> = keys.iter().map(toml_edit::Key::get).collect();
    if let Some((section, Err(wrong))) = schema::walk(&keys::ROOT, &names) {
        let place = if section.is_empty() { "at the top of a lab file".to_owned() } else { format!("in `{section}`") };
        return unfit("unknown-key", format!("there is no key `{}` {place}", wrong.name), wrong.help);
    }
    match names[..] {
        ["sweep", ..] => unfit("sweep", "a sweep cannot set what is swept".to_owned(), None),
        [kind, name, _, ..] if NodeKind::SECTIONS.iter().any(|(section, _)| *section == kind) => {
            let ranged = name.contains('[');
            if ranged || lab.node(name).is_some_and(|node| lab.nodes[node].kind().as_str() == kind) {
                return Ok(());
            }
            let nodes = lab.nodes.iter().filter(|node| node.kind().as_str() == kind).map(|node| node.name.as_str());
            unfit("unknown-node", format!("no {kind} is called `{name}`"), suggest(name, "there are", nodes))
        }
        ["media", name, _, ..] => {
            if lab.media.contains_key(name) {
                return Ok(());
            }
            let names = lab.media.keys().map(String::as_str);
            unfit("unknown-medium", format!("no medium is called `{name}`"), suggest(name, "media", names))
        }
        _ => Ok(()),
    }
}

/// Whether the lab is as good with the value as it is without.
fn tried<'a>(
    lab: &Lab,
    others: impl Iterator<Item = (&'a str, &'a str)>,
    (path, value): (&str, &str),
) -> Result<(), Unfit> {
    let refused = |e: SettingError| Unfit { kind: "sweep", reason: e.to_string(), help: None };
    let mut text = lab.text.clone();
    for (path, value) in others {
        text = with_setting(&text, path, value).map_err(refused)?;
    }
    let text = with_setting(&text, path, value).map_err(refused)?;
    let Err(mistakes) = Lab::parse_changed(&lab.source, &text) else { return Ok(()) };
    let Some(first) = mistakes.iter().find(|m| m.gravity() == Gravity::Error) else { return Ok(()) };
    Err(Unfit {
        kind: first.kind(),
        reason: format!("`{path}` cannot be `{value}`: {}", first.reason()),
        help: first.mend().map(str::to_owned),
    })
}
