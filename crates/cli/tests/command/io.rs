//! `bench io` and `calibrate`: servers on the kernel's sockets.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::{run, scratch};

#[test]
fn every_style_of_input_and_output_answers_every_request() {
    let dir = scratch("io");
    let svg = dir.join("io.svg");
    let drawn = svg.to_str().expect("the target directory has a name");
    let ended = run(["bench", "io", "--connections", "1,7", "--requests", "60", "--json", "-o", drawn]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let points: BTreeSet<String> =
        lines.iter().map(|line| format!("{} {} {}", line["protocol"], line["style"], line["connections"])).collect();
    assert_eq!((lines.len(), points.len()), (16, 16), "{points:?}");
    for line in &lines {
        assert_eq!(line["requests"], 60);
        let above_zero = |key: &str| line[key].as_f64().is_some_and(|value| value > 0.0);
        assert!(above_zero("requests_per_s") && above_zero("p99_s") && above_zero("rss_bytes"), "{line}");
    }
    // Who waits is put to sleep, at every request where there is one connection and a core for each end; who asks over
    // and over is not.
    let switches = |style: &str| {
        let of = lines.iter().filter(|line| line["style"] == style && line["connections"] == 1);
        of.map(|line| line["voluntary_switches"].as_u64().expect("a number")).sum::<u64>()
    };
    assert!(
        switches("threads") > 2 * switches("busy") && switches("busy") < 20,
        "{} and {}",
        switches("threads"),
        switches("busy")
    );
    let picture = fs::read_to_string(svg).expect("a picture");
    assert!(picture.starts_with("<svg") && picture.matches("<circle").count() == 16 * 5, "{}", picture.len());
}

#[test]
fn wrong_words_for_io_are_told() {
    for (arguments, said) in [
        (&["bench", "io", "chain"][..], "run it alone"),
        (&["bench", "io", "--connections", "0"], "from 1 to"),
        (&["bench", "raw-chain", "-o", "x.svg"], "of nothing else"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    assert!(run(["bench", "--list"]).out.contains("io "));
}

#[test]
fn calibrate_prints_the_keys_of_a_lab_file() {
    let ended = run(["calibrate"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let keys: Vec<&str> = ended.out.lines().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    assert_eq!(keys, ["call", "copy", "cores", "switch", "wake"], "{}", ended.out);
}
