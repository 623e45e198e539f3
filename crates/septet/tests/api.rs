//! The public API, item by item: what is taken out of it, or changed in it, shows here first.
//!
//! `SEPTET_BLESS=1 cargo test -p septet --test api` writes what there is into `api.txt`.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All sources below `dir`, in order.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Words that begin an item which others can name.
const ITEMS: &[&str] = &[
    "pub fn ",
    "pub async fn ",
    "pub const ",
    "pub struct ",
    "pub enum ",
    "pub trait ",
    "pub type ",
    "pub mod ",
    "pub use ",
];

/// What a file declares as `pub`, a line each, behind the `impl` or `trait` that it is in.
fn items(text: &str) -> Vec<String> {
    let code = text.split("\n#[cfg(test)]\n").next().unwrap();
    let mut found = Vec::new();
    let mut within = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if indent == 0
            && (bare.starts_with("impl") || bare.starts_with("pub trait ") || bare.starts_with("macro_rules!"))
        {
            within = bare.trim_end_matches(['{', ' ']).to_owned();
        }
        if bare == "}" && indent == 0 {
            within.clear();
        }
        let is_of_trait = within.starts_with("pub trait ") && indent > 0 && bare.starts_with("fn ");
        let is_impl = indent == 0 && bare.starts_with("impl") && bare.contains(" for ");
        if !(is_of_trait || is_impl || ITEMS.iter().any(|item| bare.starts_with(item))) {
            continue;
        }
        // A signature may go on for some lines; where it ends, its body, its fields or the next item begin.
        let mut whole = bare.to_owned();
        while !whole.ends_with(['{', ';', '}']) && !whole.ends_with("where") {
            let Some(more) = lines.next() else { break };
            whole = format!("{} {}", whole.trim_end(), more.trim());
        }
        let whole = whole.replace("( ", "(").replace(",)", ")").replace(", )", ")");
        let whole = whole.trim_end_matches(['{', ';', ' ']).trim_end_matches(" where").to_owned();
        let is_inside = indent > 0 && !within.is_empty();
        found.push(if is_inside { format!("{within} :: {whole}") } else { whole });
    }
    found
}

#[test]
fn the_public_api_is_as_it_was() {
    let mut all = String::new();
    for path in sources(&root().join("src")) {
        let name = path.strip_prefix(root().join("src")).unwrap().display().to_string();
        let found = items(&fs::read_to_string(&path).unwrap());
        if !found.is_empty() {
            all.push_str(&format!("# {name}\n{}\n\n", found.join("\n")));
        }
    }
    let listed = root().join("api.txt");
    if std::env::var_os("SEPTET_BLESS").is_some() {
        fs::write(&listed, &all).unwrap();
    }
    let before = fs::read_to_string(&listed).unwrap();
    let gone: Vec<&str> = before.lines().filter(|line| !all.lines().any(|now| now == *line)).collect();
    let new: Vec<&str> = all.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "the public API has changed; where that is meant, SEPTET_BLESS=1 writes it down\nno longer there: {gone:#?}\nnew: {new:#?}"
    );
}

#[test]
fn items_are_found() {
    let text = "pub struct A;\nimpl A {\n    /// Says.\n    pub fn b(\n        &self,\n        c: u8,\n    ) -> u8 {\n        0\n    }\n    fn d() {}\n}\n\
                pub trait T {\n    fn e();\n}\nimpl T for A {\n    fn e() {}\n}\npub(crate) fn f() {}\n\n#[cfg(test)]\nmod tests {\n    pub fn g() {}\n}\n";
    assert_eq!(
        items(text),
        [
            "pub struct A",
            "impl A :: pub fn b(&self, c: u8) -> u8",
            "pub trait T",
            "pub trait T :: fn e()",
            "impl T for A"
        ]
    );
}
