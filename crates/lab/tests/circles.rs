//! No circle of files: within a crate imports point one way, so that each file can be read after those that it names, and a
//! part can be taken out of its crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates that have none.
const CRATES: &[&str] = &["cli", "host", "hostile", "lab", "language", "live", "network", "service", "wire"];

#[test]
fn no_file_leads_back_to_itself() {
    let mut wrong = String::new();
    for name in CRATES {
        let files = Files::of(name);
        let circles = files.circles();
        if !circles.is_empty() {
            wrong += &format!("crates/{name}: {} files are in circles\n{}", circles.len(), files.shown(&circles));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The rooms of the lab, the ground floor first: each may use those before it.
const ROOMS: &[&str] = &["model", "expect", "fault", "lab", "read", "stage", "run", "build"];

#[test]
fn rooms_of_the_lab_stand_on_each_other() {
    let files = Files::of("lab");
    let room = |module: &str| ROOMS.iter().position(|room| module.split("::").next() == Some(room));
    for (from, to) in files.edges.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to))) {
        if let (Some(above), Some(below)) = (room(from), room(to)) {
            assert!(below <= above, "`{from}` uses `{to}`, which stands above it");
        }
    }
}

/// The files of a crate by their modules, and which of them each names.
struct Files {
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Files {
    fn of(name: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let mut texts = BTreeMap::new();
        let mut todo = vec![source.clone()];
        while let Some(directory) = todo.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    texts.insert(module(&source, &path), bare(&text));
                }
            }
        }
        assert!(texts.len() > 5, "{} has files", source.display());
        let known: BTreeSet<String> = texts.keys().cloned().collect();
        let edges = texts.iter().map(|(module, text)| (module.clone(), named(module, text, &known))).collect();
        Self { edges }
    }

    /// The files that lead back to themselves.
    fn circles(&self) -> BTreeSet<&str> {
        let back = |start: &str| {
            let (mut seen, mut todo) = (BTreeSet::new(), vec![start]);
            while let Some(at) = todo.pop() {
                for next in self.edges.get(at).into_iter().flatten() {
                    if next == start {
                        return true;
                    }
                    if seen.insert(next.as_str()) {
                        todo.push(next);
                    }
                }
            }
            false
        };
        self.edges.keys().map(String::as_str).filter(|module| back(module)).collect()
    }

    /// Each file of `circles`, and those of them that it names.
    fn shown(&self, circles: &BTreeSet<&str>) -> String {
        let of = |module: &&str| {
            let named = self.edges[*module].iter().map(String::as_str).filter(|to| circles.contains(to));
            format!("  {module} -> {}\n", named.collect::<Vec<_>>().join(", "))
        };
        circles.iter().map(of).collect()
    }
}

/// `src/fault/cut.rs` is `fault::cut`, `src/fault/mod.rs` is `fault`, and the crate's root is `crate`.
fn module(source: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(source).unwrap().with_extension("");
    let mut names: Vec<String> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    match names.join("::").as_str() {
        "lib" | "main" => "crate".to_owned(),
        module => module.to_owned(),
    }
}

/// The text without comments, strings, and the tests at its end.
fn bare(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    // Tests that only some systems can run have another condition.
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    let mut bare = String::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let outside = code.replace("\\\"", "").split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        bare.push_str(&outside);
        bare.push('\n');
    }
    bare
}

/// The modules that a file names: `crate::…`, `super::…`, `self::…`, and those that it declares.
fn named(module: &str, text: &str, known: &BTreeSet<String>) -> BTreeSet<String> {
    let own: Vec<&str> = if module == "crate" { Vec::new() } else { module.split("::").collect() };
    let children: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name))
        .collect();
    let mut found = BTreeSet::new();
    let mut rest = text;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = ' ';
    while let Some(at) = rest.find(is_word) {
        before = rest[..at].chars().last().unwrap_or(before);
        let word_on = &rest[at..];
        let end = word_on.find(|c| !is_word(c)).unwrap_or(word_on.len());
        let (word, behind) = word_on.split_at(end);
        let starts = before != ':' && behind.starts_with("::");
        before = word.chars().last().unwrap_or(before);
        rest = behind;
        let base: Option<Vec<String>> = match word {
            _ if !starts => None,
            "crate" => Some(Vec::new()),
            "self" => Some(own.iter().map(|s| (*s).to_owned()).collect()),
            "super" => Some(own[..own.len().saturating_sub(1)].iter().map(|s| (*s).to_owned()).collect()),
            child if children.contains(&child) => Some(own.iter().chain([&child]).map(|s| (*s).to_owned()).collect()),
            _ => None,
        };
        let Some(base) = base else { continue };
        for path in paths(&behind[2..], base) {
            // The longest part of the path that is a file.
            let file = (0..=path.len()).rev().map(|n| path[..n].join("::")).find(|name| known.contains(name));
            let file = file.unwrap_or_else(|| "crate".to_owned());
            if file != module {
                found.insert(file);
            }
        }
    }
    found
}

/// The paths that begin with `base` and go on as `text` does: `a::{b, c::d}` are two.
fn paths(text: &str, base: Vec<String>) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        let (mut depth, mut parts, mut from) = (0, Vec::new(), 0);
        for (at, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    parts.push(&inside[from..at]);
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(&inside[from..at]);
                    from = at + 1;
                }
                _ => {}
            }
        }
        return parts.into_iter().flat_map(|part| paths(part, base.clone())).collect();
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    let mut path = base;
    match word {
        "" | "self" => {}
        "super" => {
            path.pop();
        }
        word => path.push(word.to_owned()),
    }
    match behind.strip_prefix("::") {
        Some(more) if !word.is_empty() => paths(more, path),
        _ => vec![path],
    }
}

#[test]
fn a_circle_is_seen() {
    let known: BTreeSet<String> = ["crate", "a", "a::b", "c"].map(str::to_owned).into();
    let of = |module: &str, text: &str| named(module, &bare(text), &known).into_iter().collect::<Vec<_>>();
    assert_eq!(of("c", "use crate::a::{self, b::Thing};\n"), ["a", "a::b"]);
    assert_eq!(of("c", "use crate::Lab;\n// use crate::a::x;\nlet s = \"crate::a\";\n"), ["crate"]);
    assert_eq!(of("a", "mod b;\nfn f() { b::g() }\n"), ["a::b"]);
    assert_eq!(of("a::b", "use super::X;\nuse super::super::c::Y;\n"), ["a", "c"]);
    assert!(of("a", "pub mod b;\n#[cfg(test)]\nmod tests { use crate::c; }\n").is_empty());
    let edges = [("a", "c"), ("c", "a::b"), ("a::b", "a"), ("crate", "a")];
    let edges = edges.map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])));
    let circles = Files { edges: edges.into() };
    assert_eq!(circles.circles().into_iter().collect::<Vec<_>>(), ["a", "a::b", "c"]);
}
