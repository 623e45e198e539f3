//! The published JSON Schema is that of the program, and every lab of the repository conforms to it.

use std::path::{Path, PathBuf};

use septet_lab::Lab;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every lab file below `labs/`.
fn labs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![repository().join("labs")];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_published_schema_is_up_to_date() {
    let path = repository().join("schemas/lab.schema.json");
    let current = format!("{:#}\n", septet_lab::json_schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &current).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == current, "run the tests once with UPDATE_SCHEMA=1");
}

#[test]
fn every_lab_conforms() {
    let validator = jsonschema::validator_for(&septet_lab::json_schema()).unwrap();
    let labs = labs();
    assert!(labs.len() >= 6, "{labs:?}");
    for path in labs {
        let text = std::fs::read_to_string(&path).unwrap();
        Lab::parse(&path.to_string_lossy(), &text).unwrap();
        let value: serde_json::Value = toml::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let validator = jsonschema::validator_for(&septet_lab::json_schema()).unwrap();
    for text in [
        "",
        "[topology]\nlinks = []\n[hosts.a]",
        "[topology]\nlinks = []\n[lab]\nsead = 1",
        "[topology]\nlinks = []\n[lab]\nstop = '5 furlongs'",
        "[topology]\nlinks = []\n[lab]\nseed = -1",
        "[topology]\nlinks = []\n[host.a]\ntcp = 'qubic'",
        "[topology]\nlinks = 5",
    ] {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        assert!(!validator.is_valid(&value), "{text}");
        assert!(Lab::parse("t", text).is_err(), "{text}");
    }
}
