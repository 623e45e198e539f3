//! What a run may take, what it tells of what went wrong, and what it keeps.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::{Ended, PAIR, lab, run, scratch, septet};

/// The names in a directory.
fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_run_that_takes_more_memory_than_it_may_ends_and_names_who_runs() {
    let dir = scratch("memory");
    let text = "[lab]\nstop = '1h'\n[topology]\nlinks = ['a -- r : rate 1gbit', 'r -- b : rate 1mbit limit 4gb']\n[router.r]\n[host.b]\n\
                [host.a]\nrun = ['at 0s: udp-send b 9 --size 1400 --count 10000000 --rate 900mbit']\n";
    let path = lab(&dir, text);
    let ended = run([
        "run".as_ref(),
        path.as_os_str(),
        "--story".as_ref(),
        "none".as_ref(),
        "--memory".as_ref(),
        "120mb".as_ref(),
    ]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("memory") && ended.err.contains("udp-send b 9"), "{}", ended.err);
}

#[test]
fn what_the_stop_cuts_off_is_named() {
    let dir = scratch("unfinished");
    let text = "[lab]\nstop = '5s'\n[topology]\nlinks = ['c -- w : rate 1mbit']\n[host.w.http]\nbody = '30mb'\n\
                [host.c]\nrun = ['at 1s: curl http://w/ -o /dev/null', 'then: ping -c 1 w']\n";
    let path = lab(&dir, text);
    let out = dir.join("out");
    let ended = run(["run".as_ref(), path.as_os_str(), "-o".as_ref(), out.as_os_str()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("has not ended when the lab stops, after 4 s: curl http://w/"), "{}", ended.out);
    assert!(ended.out.contains("is never run: ping -c 1 w"), "{}", ended.out);
    let summary: Value = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    let unfinished: Vec<&str> =
        summary["unfinished"].as_array().unwrap().iter().map(|u| u["command"].as_str().unwrap()).collect();
    assert_eq!(unfinished, ["curl http://w/ -o /dev/null", "ping -c 1 w"]);
}

#[test]
fn a_failure_is_told_as_a_success_is() {
    let dir = scratch("failures");
    let text = "[lab]\nstop = '10s'\n[topology]\nlinks = ['c -- w']\n[host.w.http]\n\
                [host.c]\nrun = ['at 1s: curl http://w/ -s -o /dev/null --repeat 30 --interval 200ms --fresh']\n\
                [faults]\nscript = ['2s..4s: cut c--w']\n";
    let path = lab(&dir, text);
    let out = dir.join("out");
    let ended = run(["run".as_ref(), path.as_os_str(), "-o".as_ref(), out.as_os_str()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("http://w/ fails after 0 s"), "{}", ended.out);
    let events = fs::read_to_string(out.join("events")).unwrap();
    assert_eq!(events.matches("\"http.failed\"").count(), 10);
}

#[test]
fn only_what_is_asked_for_is_kept() {
    let dir = scratch("keep");
    let path = lab(&dir, PAIR);
    let keep = |what: &str, name: &str| {
        let out = dir.join(name);
        let arguments = ["run".as_ref(), path.as_os_str(), "--quiet".as_ref(), "-o".as_ref(), out.as_os_str()];
        let ended = Ended::from(septet().args(arguments).args(["--keep", what]).output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        names(&out)
    };
    assert_eq!(keep("summary,events", "two"), BTreeSet::from(["events".to_owned(), "summary.json".to_owned()]));
    assert_eq!(keep("capture", "one"), BTreeSet::from(["trace.pcapng".to_owned()]));
}

#[test]
fn a_lab_file_is_never_written_over() {
    let dir = scratch("named");
    for name in ["events", "summary.json"] {
        let path = dir.join(name);
        fs::write(&path, PAIR).unwrap();
        let ended = run(["run".as_ref(), path.as_os_str(), "--quiet".as_ref(), "-o".as_ref(), dir.as_os_str()]);
        let text = fs::read_to_string(&path).unwrap();
        // Refused, or kept beside it: but what was there is there.
        assert_eq!(text, PAIR, "{name}: {ended:?}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_reader_that_goes_ends_the_command_quietly() {
    let dir = scratch("gone");
    let path = lab(&dir, PAIR);
    let mut child = septet().arg("run").arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    drop(child.stderr.take());
    let status = child.wait().unwrap();
    assert!(status.code().is_some_and(|code| code < 128 && code != 70), "{status}");
}
