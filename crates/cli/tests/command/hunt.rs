//! `septet hunt`.

use std::fs;

use serde_json::Value;

use crate::{lab, run, scratch};

/// Of four faults one keeps the answers away; pings before and after it are answered.
const LAB: &str = r#"
[lab]
name = "hunted"
stop = "30s"
[topology]
links = ["a -- r1", "r1 -- b", "r1 -- c"]
[router.r1]
[host.a]
run = ["at 1s: ping b -c 8 -i 1"]
[host.b]
[host.c]
[faults]
script = [
    "500ms..600ms: delay 5ms on a--r1",
    "2s..20s: crash c",
    "4500ms..6500ms: cut r1--b",
    "7s..9s: loss 100% on r1--c",
]
[expect]
answered = "a.ping.lost == 0"
"#;

#[test]
fn the_fewest_faults_and_an_earlier_end_are_found_and_kept() {
    let dir = scratch("hunt");
    let path = lab(&dir, LAB);
    let found = dir.join("found");
    let ended = run(["hunt", path.to_str().unwrap(), "--seeds", "3..6", "-o", found.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.out.starts_with("seed 3 fails\n  answered: found 2"), "{}", ended.out);
    assert!(ended.out.contains("of 4 faults 1 is enough\n  4500ms..6500ms: cut r1--b\n"), "{}", ended.out);
    let kept = fs::read_to_string(found.join("lab.toml")).unwrap();
    assert!(kept.contains("seed = 3") && !kept.contains("crash c") && kept.contains("4500ms..6500ms"), "{kept}");
    for file in ["trace.pcapng", "story.txt", "events", "summary.json", "metrics.csv"] {
        assert!(fs::metadata(found.join(file)).unwrap().len() > 0, "{file}");
    }
    let story = fs::read_to_string(found.join("story.txt")).unwrap();
    assert!(story.contains("cut r1--b"), "{story}");

    // What was kept fails by itself, and before the lab would have ended.
    let again = run(["run", found.join("lab.toml").to_str().unwrap(), "--json"]);
    assert_eq!(again.code, Some(1), "{}", again.err);
    let summary: Value = serde_json::from_str(again.out.trim()).unwrap();
    let end = summary["end_s"].as_f64().unwrap();
    assert!((7.0..25.0).contains(&end), "{end}");

    let ended = run(["hunt", path.to_str().unwrap(), "--seeds", "3", "--json"]);
    let object: Value = serde_json::from_str(ended.out.trim()).unwrap();
    assert_eq!((&object["seed"], &object["faults_before"]), (&3.into(), &4.into()));
    assert_eq!(object["faults"], serde_json::json!(["4500ms..6500ms: cut r1--b"]));
    assert_eq!(object["digest"], summary["digest"], "the run that is kept is the one that was found");
}

#[test]
fn where_nothing_fails_all_is_well() {
    let dir = scratch("hunt-none");
    let path = lab(&dir, &LAB.replace("cut r1--b", "cut r1--c"));
    let ended = run(["hunt", path.to_str().unwrap(), "--seeds", "1..3"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "none of 3 runs fails\n"), "{}", ended.err);
    let ended = run(["hunt", path.to_str().unwrap(), "--seeds", "1..3", "--json"]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap()["found"], false);
}

#[test]
fn what_fails_for_some_seeds_alone_needs_no_fault() {
    let dir = scratch("hunt-loss");
    let lossy = LAB.replace("\"r1 -- b\"", "\"r1 -- b : loss 8%\"").replace("cut r1--b", "cut r1--c");
    let ended = run(["hunt", lab(&dir, &lossy).to_str().unwrap(), "--seeds", "1..40"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.out.contains("none of its 4 faults is needed"), "{}", ended.out);
}

#[test]
fn wrong_use() {
    let dir = scratch("hunt-wrong");
    let path = lab(&dir, LAB);
    let code = |arguments: &[&str]| run(arguments).code;
    assert_eq!(code(&["hunt"]), Some(2));
    assert_eq!(code(&["hunt", path.to_str().unwrap(), "--seeds", "x"]), Some(2));
    assert_eq!(code(&["hunt", "no such lab.toml"]), Some(4));
    assert_eq!(code(&["hunt", lab(&dir, "[topology]\nlinks = [\"a\"]\n").to_str().unwrap()]), Some(3));
}
