//! What a new part takes: a file of its own, and its line in the table beside it. Counted in the sources, for every part that
//! there is; `docs/architecture.md` has the table of kinds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, iter};

/// A kind of part: what it is, and the file that holds its table.
const KINDS: &[(&str, &str, &str)] = &[
    ("a congestion controller", "crates/transport/src/tcp/congestion/mod.rs", "CONTROLLERS"),
    ("a queue", "crates/physical/src/queue/mod.rs", "DISCIPLINES"),
    ("an effect of a medium", "crates/physical/src/channel/mod.rs", "EFFECTS"),
    ("a fault", "crates/lab/src/fault/script.rs", "KINDS"),
    ("a routing protocol", "crates/network/src/routing/mod.rs", "PROTOCOLS"),
    ("a protocol above IP", "crates/host/src/stack/upper/mod.rs", "UPPERS"),
    ("a program", "crates/application/src/programs/mod.rs", "PROGRAMS"),
    ("a policy of the balancer", "crates/application/src/balancer/policy/mod.rs", "POLICIES"),
    ("a service", "crates/service/src/services.rs", "KINDS"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All sources below `dir` but tests.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && name != "tests" && name != "benches" && name != "target" {
            found.extend(sources(&entry));
        } else if name.ends_with(".rs") && !name.contains("tests") {
            found.push(entry);
        }
    }
    found
}

/// Its lines of code: no comments, nothing after its tests begin.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim().to_owned());
    lines.take_while(|line| line != "#[cfg(test)]").collect()
}

/// Where `path` (`reno::`) stands in `line` as a path of its own, and not as the end of a longer word.
fn names(line: &str, path: &str) -> bool {
    let mut from = 0;
    iter::from_fn(|| {
        let at = from + line[from..].find(path)?;
        from = at + path.len();
        Some(at)
    })
    .any(|at| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

#[test]
fn a_part_is_a_file_and_a_line() {
    let everything: Vec<(PathBuf, Vec<String>)> =
        sources(&root().join("crates")).into_iter().map(|path| (path.clone(), code(&path))).collect();
    for (what, table, list) in KINDS {
        let table = root().join(table);
        let beneath = table.with_extension("");
        let room = if beneath.is_dir() { beneath } else { table.parent().unwrap().to_owned() };
        let lines = code(&table);
        let text = lines.join(" ");
        let begins = text.find(&format!(" {list}: ")).unwrap_or_else(|| panic!("no {list} in {table:?}"));
        let rows = text[begins..].split_once("= &[").unwrap().1.split_once(']').unwrap().0;
        let rows: Vec<&str> = rows.split(',').map(str::trim).filter(|row| !row.is_empty()).collect();
        assert!(rows.len() >= 3, "{what}: {rows:?}");
        let parts: BTreeSet<&str> =
            rows.iter().map(|row| row.trim_start_matches('&').split_once("::").expect(row).0).collect();
        for part in parts {
            let file = room.join(part).with_extension("rs");
            let own = if file.exists() { file } else { room.join(part) };
            assert!(own.exists(), "{what} `{part}` has no file in {room:?}");
            // Nothing outside of the room knows it by name.
            let inside = format!("{}::{part}::", room.file_name().unwrap().to_str().unwrap());
            for (path, code) in everything.iter().filter(|(path, _)| !path.starts_with(&room) && *path != table) {
                let found = code.iter().find(|line| names(line, &inside));
                assert!(found.is_none(), "{what} `{part}` is known to {path:?}: {found:?}");
            }
        }
    }
}
