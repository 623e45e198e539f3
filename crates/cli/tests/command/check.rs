//! `check`, `list`, `schema`, `completions`, `bench`, and wrong command lines.

use crate::{PAIR, lab, root, run, scratch};

#[test]
fn every_lab_of_the_repository_is_valid() {
    let labs = std::fs::read_dir(root().join("labs")).unwrap().map(|entry| entry.unwrap().path());
    let labs: Vec<_> = labs.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    let ended = run(["check".into()].into_iter().chain(labs.iter().cloned()));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out.lines().count(), labs.len());
}

#[test]
fn mistakes_are_shown_in_place_and_all_at_once() {
    let dir = scratch("mistakes");
    let path = lab(&dir, "[topology]\nlinks = ['a -- b : wam']\n[host.a]\nadress = '10.0.0.1'\n");
    let ended = run(["check".as_ref(), path.as_os_str()]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""));
    assert!(ended.err.contains("adress") && ended.err.contains("address"), "{}", ended.err);
    assert!(ended.err.contains("wam") && ended.err.contains("`b`"), "{}", ended.err);
    assert!(!ended.err.contains('\x1b'), "no colours in a pipe: {}", ended.err);

    let ended = run(["check".as_ref(), "--json".as_ref(), path.as_os_str()]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(3), ""));
    let object: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&object["septet"], &object["version"], &object["ok"]), (&"check".into(), &1.into(), &false.into()));
    assert!(object["mistakes"].as_array().unwrap().iter().any(|m| m["line"] == 4), "{object}");
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let dir = scratch("several");
    let good = lab(&dir, PAIR);
    let missing = dir.join("missing.toml");
    let ended = run(["check".as_ref(), missing.as_os_str(), good.as_os_str()]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.err.starts_with("septet: cannot read ") && ended.err.contains("No such file"), "{}", ended.err);
    assert!(ended.out.ends_with("lab.toml: 2 nodes, 1 link\n"), "{}", ended.out);
}

#[test]
fn what_is_not_text_is_no_lab() {
    let dir = scratch("binary");
    let path = dir.join("lab.toml");
    std::fs::write(&path, b"[lab]\n\xff").unwrap();
    let ended = run(["check".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.err.contains("byte 6 is not UTF-8"), "{}", ended.err);
}

#[test]
fn lists_name_what_a_lab_can_name() {
    let ended = run(["list", "queues"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.lines().any(|l| l.starts_with("codel ") && l.contains("RFC 8289")), "{}", ended.out);
    let ended = run(["list", "--json"]);
    for line in ended.out.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["septet"], "list");
    }
    let ended = run(["list", "queue"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    assert!(ended.err.contains("`queue`") && ended.err.contains("queues"), "{}", ended.err);
}

/// A lab with a node of each kind, which expects this of them.
fn expecting(expectations: &[String]) -> String {
    let lines: String = expectations.iter().enumerate().map(|(n, e)| format!("e{n} = '{e}'\n")).collect();
    format!(
        "[topology]\nlinks = ['a -- s1 -- b', 'c, d -- h1', 'c -- a']\n[host.a]\n[host.b]\n[host.c]\n[host.d]\n\
         [switch.s1]\n[hub.h1]\n[expect]\n{lines}"
    )
}

#[test]
fn whatever_is_counted_can_be_expected() {
    let mut expectations = Vec::new();
    for kind in ["metrics", "counters", "port-counters"] {
        for line in run(["list", kind, "--json"]).out.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = object["name"].as_str().unwrap();
            // What differs within a family: a port, a reason, a status, a name.
            let star = match name.split('.').next().unwrap() {
                "queue" | "backlog" => "eth0",
                "drop" => "fcs",
                _ => "404",
            };
            let node = match object["by"][0].as_str().unwrap() {
                "switch" => "s1",
                "hub" => "h1",
                _ => "a",
            };
            let metric = format!("{node}.{}", name.replace('*', star));
            let each = object["reading"] == "each";
            expectations.push(if each { format!("count({metric}) >= 0") } else { format!("{metric} >= 0") });
        }
    }
    assert!(expectations.len() > 200, "{expectations:?}");
    let path = lab(&scratch("counted"), &expecting(&expectations));
    let ended = run(["check".as_ref(), path.as_os_str()]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[test]
fn what_nobody_counts_there_cannot_be_expected() {
    for (metric, why) in [
        ("a.http.okay", "nothing is recorded under the name"),
        ("a.http.status.fine", "nothing is recorded under the name"),
        ("a.program.curl.start", "nothing is recorded under the name"),
        ("a.drop.fsc", "nothing is recorded under the name"),
        ("a.IpInReceive", "nothing is recorded under the name"),
        ("a.eth7.rx_packets", "`a` has no port eth7"),
        ("s1.http.ok", "`s1` is a switch, and has no `http.ok`"),
        ("s1.IpInReceives", "`s1` is a switch, and has no `IpInReceives`"),
        ("a.switch_flooded", "`a` is a host, and has no `switch_flooded`"),
        ("s1.hub_frames", "`s1` is a switch, and has no `hub_frames`"),
    ] {
        let path = lab(&scratch("uncounted"), &expecting(&[format!("{metric} >= 0")]));
        let ended = run(["check".as_ref(), path.as_os_str()]);
        assert_eq!(ended.code, Some(3), "{metric}");
        assert!(ended.err.contains(why), "{metric}: {}", ended.err);
    }
    let path = lab(&scratch("uncounted"), &expecting(&["count(a.queue.eth7) >= 0".to_owned()]));
    assert!(run(["check".as_ref(), path.as_os_str()]).err.contains("`a` has no port eth7"));
}

#[test]
fn the_schema_is_json_and_completions_are_a_script() {
    let ended = run(["schema"]);
    assert_eq!(ended.code, Some(0));
    let schema: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert!(schema["$schema"].is_string());
    let ended = run(["completions", "bash"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains("_septet"));
}

#[test]
fn a_wrong_command_line_is_2() {
    for arguments in [&["run"][..], &["jump"], &["run", "x.toml", "--seed", "-1"], &["bench", "chian"], &[]] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert_eq!(ended.out, "", "{arguments:?}");
        assert!(!ended.err.is_empty(), "{arguments:?}");
    }
    assert_eq!(run(["--version"]).out, concat!("septet ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_workload_reports_one_object() {
    let ended = run(["bench", "raw-chain", "--scale", "0.001", "--json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let object: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(object["name"], "raw-chain");
    assert!(object["packets"].as_u64().unwrap() >= 9_000);
}
