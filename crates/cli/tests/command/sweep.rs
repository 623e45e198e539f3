//! `septet run` with several seeds or values.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::{Ended, PAIR, lab, run, scratch, septet, wait_for};

const LOSSY: &str = "\n[expect]\nall = \"a.ping.ok == 2\"\n";

#[test]
fn one_json_line_a_run_and_one_a_cell() {
    let path = lab(&scratch("sweep-json"), &format!("{PAIR}{LOSSY}"));
    let path = path.to_str().unwrap();
    let ended =
        run(["run", path, "--seeds", "1..3", "--set", "topology.links=a -- b : loss 0%,a -- b : loss 90%", "--json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let lines: Vec<Value> = ended.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|l| l["septet"] == kind).collect::<Vec<_>>();
    let runs = of("sweep-run");
    assert_eq!(runs.len(), 6);
    assert_eq!(runs.iter().map(|r| r["run"].as_u64().unwrap()).collect::<BTreeSet<_>>(), (0..6).collect());
    assert!(runs.iter().all(|r| r["digest"].as_str().unwrap().len() == 16));
    let cells = of("sweep-summary");
    assert_eq!((cells.len(), &cells[0]["ok"], &cells[0]["runs"]), (2, &3.into(), &3.into()));
    assert_eq!(cells[0]["expect"]["all"]["found"]["median"], 2.0);
}

#[test]
fn words_name_the_seeds_that_fail() {
    let path = lab(&scratch("sweep-words"), &format!("{PAIR}{LOSSY}"));
    let ended =
        run(["run", path.to_str().unwrap(), "--seeds", "1..4", "--set", "topology.links=a -- b : loss 50%", "-j1"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.out.contains("seed 1  all: found"), "{}", ended.out);
    assert!(ended.out.contains(" of 4 runs met all expectations"), "{}", ended.out);
}

#[test]
fn without_expectations_the_counters_are_shown() {
    let path = lab(&scratch("sweep-counters"), PAIR);
    let ended = run(["run", path.to_str().unwrap(), "--seeds", "1..4"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("4 of 4 runs came to their end"), "{}", ended.out);
    let line = ended.out.lines().find(|l| l.contains("a.ping.ok")).unwrap_or_else(|| panic!("{}", ended.out));
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["a.ping.ok", "4", "2", "(seed", "1)", "2", "2", "2", "(seed", "1)"]
    );
}

#[test]
fn one_value_is_one_run_of_the_changed_lab() {
    let dir = scratch("sweep-one");
    let path = lab(&dir, PAIR);
    let out = dir.join("out");
    let ended = run(["run", path.to_str().unwrap(), "--set", "lab.stop=3s", "-o", out.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("after 3 s"), "{}", ended.out);
    assert!(fs::read_to_string(out.join("lab.toml")).unwrap().contains("stop = \"3s\""));
    let wrong = run(["run", path.to_str().unwrap(), "--set", "lab.stp=3s"]);
    assert_eq!(wrong.code, Some(3));
    assert!(wrong.err.contains("did you mean `stop`?"), "{}", wrong.err);
    for set in ["lab.stop", "=3s", "lab=1"] {
        assert_eq!(run(["run", path.to_str().unwrap(), "--set", set]).code, Some(2), "{set}");
    }
}

#[test]
fn an_interrupted_sweep_is_resumed() {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    let dir = scratch("sweep-resume");
    let busy = PAIR.replace("stop = \"5s\"", "stop = \"10s\"").replace("ping -c 2 b", "ping -i 1ms -c 1000000 b");
    let path = lab(&dir, &busy);
    let out = dir.join("out");
    let journal = || fs::read_to_string(out.join("runs.jsonl")).unwrap_or_default();
    let start = |more: &[&str]| {
        let mut command = septet();
        command.arg("run").arg(&path).arg("-o").arg(&out).args(["--seeds", "1..8", "-j2", "-q"]).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = start(&[]);
    wait_for(Duration::from_secs(60), || !journal().is_empty());
    assert!(Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap().success());
    let ended = Ended::from(child.wait_with_output().unwrap());
    let kept = journal();
    // On a quick machine all may have been done by then.
    if ended.code == Some(130) {
        assert!(ended.err.contains("--resume goes on with them"), "{}", ended.err);
        assert!(kept.lines().count() < 8);
    }
    let ended = Ended::from(start(&["--resume"]).wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(journal().starts_with(&kept) || kept.lines().all(|l| journal().contains(l)), "a finished run is kept");
    assert_eq!(journal().lines().count(), 8);
    assert_eq!(fs::read_to_string(out.join("runs.csv")).unwrap().lines().count(), 9);
    assert_eq!(&fs::read(out.join("runs.parquet")).unwrap()[..4], b"PAR1");
}
