//! Runs every script under `tests/conformance` of the workspace, over IPv4 and IPv6.
//!
//! `tests/conformance/failures.txt` lists what is known to fail; the list can only shrink: a listed script that passes
//! fails the test, as does one that is not listed and does not pass. `CONFORMANCE=part-of-a-path` runs a few.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use septet_script::run::{Family, families, run};
use septet_script::{Error, parse};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance")
}

/// All scripts below `dir`, sorted.
fn scripts(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            scripts(&path, out);
        } else if path.extension().is_some_and(|e| e == "pkt") {
            out.push(path);
        }
    }
}

fn run_file(path: &Path) -> Vec<(Family, Result<(), Error>)> {
    let source = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    match parse(&source, &BTreeMap::new()) {
        Err(error) => Family::ALL.iter().map(|f| (*f, Err(error.clone().in_file(&name)))).collect(),
        Ok(script) => {
            families(&script).into_iter().map(|f| (f, run(&script, f).map_err(|e| e.in_file(&name)))).collect()
        }
    }
}

#[test]
fn scripts_pass_or_are_listed() {
    let root = root();
    let listed = std::fs::read_to_string(root.join("failures.txt")).unwrap_or_default();
    let listed: BTreeSet<&str> =
        listed.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let only = std::env::var("CONFORMANCE").unwrap_or_default();
    let mut paths = Vec::new();
    scripts(&root, &mut paths);
    assert!(paths.len() >= 120, "{} scripts", paths.len());
    let (mut passed, mut seen, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for path in &paths {
        let name = path.strip_prefix(&root).unwrap().with_extension("").to_string_lossy().into_owned();
        if !name.contains(&only) {
            continue;
        }
        for (family, result) in run_file(path) {
            let id = format!("{name} {}", family.as_str());
            match (listed.contains(&id[..]), result) {
                (false, Ok(())) => passed += 1,
                (true, Ok(())) => wrong.push(format!("{id}\n    passes: take it off the list")),
                (false, Err(error)) => wrong.push(format!("{id}\n    {error}")),
                (true, Err(_)) => {}
            }
            seen.insert(id);
        }
    }
    if only.is_empty() {
        wrong.extend(
            listed.iter().filter(|id| !seen.contains(**id)).map(|id| format!("{id}\n    is listed, and not there")),
        );
    }
    println!("{passed} of {} runs of scripts passed", seen.len());
    assert!(wrong.is_empty(), "{} runs are not as they should be:\n\n{}\n", wrong.len(), wrong.join("\n"));
}
