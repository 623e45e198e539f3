//! `run`: what is told, what is kept, and how it ends.

use std::fs;

use serde_json::Value;

use crate::{Ended, PAIR, lab, root, run, scratch, septet, wait_for};

const FILES: [&str; 5] = ["summary.json", "trace.pcapng", "events", "metrics.csv", "lab.toml"];

fn with(expect: &str) -> String {
    format!("{PAIR}[expect]\n{expect}\n")
}

#[test]
fn a_run_tells_its_story_and_its_verdict() {
    let dir = scratch("story");
    let path = lab(&dir, &with("answered = 'a.ping.ok == 2'"));
    let ended = run(["run".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["pair: 2 nodes, 1 link, 1 expectation, seed 1", "a → everyone", "ARP: who has", "echo reply, seq 2"]
    {
        assert!(ended.out.contains(part), "`{part}` is missing in:\n{}", ended.out);
    }
    assert!(ended.out.contains("a$ ping -c 2 b\n") && ended.out.contains("2 packets transmitted, 2 received"));
    assert!(ended.out.contains("  ok      answered  a.ping.ok == 2  found 2\n"), "{}", ended.out);
    assert!(!ended.out.contains('\x1b'), "no colours in a pipe");
    assert!(ended.err.starts_with("septet: played 5 s in "), "{}", ended.err);
}

#[test]
fn what_was_expected_and_did_not_come_is_1() {
    let dir = scratch("failed");
    let path = lab(&dir, &with("answered = 'a.ping.ok == 3'\nfast = 'max(a.ping.time) < 1s'"));
    let ended = run(["run".as_ref(), path.as_os_str(), "--quiet".as_ref()]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.out, "  FAILED  answered  a.ping.ok == 3  found 2\n");
    assert_eq!(ended.err, "");
}

#[test]
fn the_same_seed_keeps_the_same_bytes_and_another_does_not() {
    let dir = scratch("same");
    let noisy = PAIR.replace("delay 5ms", "delay 5ms jitter 1ms");
    let path = lab(&dir, &noisy);
    let go = |out: &str, seed: &str| {
        let ended =
            septet().arg("run").arg(&path).arg("-o").arg(dir.join(out)).args(["--quiet", "--seed", seed]).output();
        assert_eq!(Ended::from(ended.unwrap()).code, Some(0));
        FILES.map(|file| fs::read(dir.join(out).join(file)).unwrap_or_else(|e| panic!("{file}: {e}")))
    };
    let (first, second, other) = (go("one", "9"), go("two", "9"), go("three", "10"));
    for (i, file) in FILES.iter().enumerate() {
        assert_eq!(first[i], second[i], "{file}");
    }
    assert_ne!(first[1], other[1], "another seed, another capture");
    assert_eq!(fs::read_to_string(dir.join("one/lab.toml")).unwrap(), noisy);
    let printed = fs::read_to_string(dir.join("one/output/a-1-ping.txt")).unwrap();
    assert!(printed.starts_with("PING b "), "{printed}");
}

#[test]
fn json_is_one_versioned_object_and_the_summary_is_the_same() {
    let dir = scratch("json");
    let path = lab(&dir, &with("answered = 'a.ping.ok == 2'"));
    let ended = run(["run".as_ref(), path.as_os_str(), "--json".as_ref(), "-o".as_ref(), dir.join("out").as_os_str()]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out.lines().count(), 1);
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&object["septet"], &object["version"]), (&"run".into(), &1.into()));
    assert_eq!((&object["lab"], &object["end"], &object["end_s"]), (&"pair".into(), &"stop".into(), &5.0.into()));
    assert_eq!(object["nodes"]["a"]["ping.ok"]["sum"], 2.0);
    assert_eq!(object["ports"]["a eth0"]["rx_packets"], object["ports"]["b eth0"]["tx_packets"]);
    let flow = object["flows"].as_array().unwrap().iter().find(|f| f["protocol"] == "icmp").unwrap();
    assert_eq!(
        (&flow["client"], &flow["there"]["packets"], &flow["back"]["packets"]),
        (&"a".into(), &2.into(), &2.into())
    );
    assert_eq!(object["expectations"][0]["ok"], true);
    let kept = fs::read_to_string(dir.join("out/summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), object);
}

#[test]
fn every_cause_in_the_event_log_is_an_event() {
    let dir = scratch("events");
    let path = lab(&dir, PAIR);
    let ended = run(["run".as_ref(), path.as_os_str(), "-o".as_ref(), dir.join("out").as_os_str(), "--quiet".as_ref()]);
    assert_eq!(ended.code, Some(0));
    let text = fs::read_to_string(dir.join("out/events")).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        (&lines[0]["septet"], &lines[0]["lab"], &lines[0]["seed"]),
        (&"events".into(), &"pair".into(), &1.into())
    );
    let ids: std::collections::BTreeSet<u64> = lines[1..].iter().map(|e| e["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), lines.len() - 1, "every name is given once");
    for event in &lines[1..] {
        if let Some(cause) = event["cause"].as_u64() {
            assert!(ids.contains(&cause), "{event}");
        }
    }
    let request = lines[1..].iter().find(|e| e["kind"] == "arp.request").expect("the ping needs a link address");
    assert!(request["cause"].is_u64(), "{request}");
}

#[test]
fn all_is_every_event_and_none_is_none() {
    let dir = scratch("lengths");
    let path = lab(&dir, PAIR);
    let lines = |length: &str| {
        let ended = run(["run".as_ref(), path.as_os_str(), "--story".as_ref(), length.as_ref()]);
        assert_eq!(ended.code, Some(0));
        ended.out.lines().filter(|l| l.starts_with("    ")).count()
    };
    let kept = run(["run".as_ref(), path.as_os_str(), "-q".as_ref(), "-o".as_ref(), dir.join("out").as_os_str()]);
    assert_eq!(kept.code, Some(0));
    let events = fs::read_to_string(dir.join("out/events")).unwrap().lines().count() - 1;
    assert_eq!((lines("all"), lines("none")), (events, 0));
    assert!(lines("short") > 5);
}

#[test]
fn a_capture_of_one_port_holds_that_port() {
    let dir = scratch("ports");
    let path = lab(&dir, PAIR);
    let go = |ports: &str| {
        run([
            "run".as_ref(),
            path.as_os_str(),
            "-q".as_ref(),
            "-o".as_ref(),
            dir.join("out").as_os_str(),
            "--capture".as_ref(),
            ports.as_ref(),
        ])
    };
    assert_eq!(go("a,b:eth0").code, Some(0));
    let whole = fs::metadata(dir.join("out/trace.pcapng")).unwrap().len();
    assert_eq!(go("a").code, Some(0));
    assert!(fs::metadata(dir.join("out/trace.pcapng")).unwrap().len() < whole);
    for (ports, reason) in [("c", "no node is called `c`"), ("a:eth7", "the ports of `a` are eth0")] {
        let ended = go(ports);
        assert_eq!(ended.code, Some(2));
        assert!(ended.err.contains(reason), "{}", ended.err);
    }
}

#[test]
fn where_nothing_can_be_written_it_says_so_and_ends_with_4() {
    let dir = scratch("blocked");
    let path = lab(&dir, PAIR);
    let ended = run(["run".as_ref(), path.as_os_str(), "-o".as_ref(), path.join("out").as_os_str()]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.err.starts_with("septet: cannot make "), "{}", ended.err);
    let ended = run(["run", "no-such-lab.toml"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(4), ""));
    assert_eq!(ended.err, "septet: cannot read no-such-lab.toml: No such file or directory\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_once() {
    use std::process::Stdio;
    let dir = scratch("full");
    let path = lab(&dir, PAIR);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = septet().arg("run").arg(&path).stdout(full).stderr(Stdio::piped()).output().unwrap();
    let ended = Ended::from(ended);
    assert_eq!(ended.code, Some(4));
    assert_eq!(ended.err, "septet: cannot write to stdout: No space left on device\n");
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_does_not_change_the_verdict() {
    use std::process::Stdio;
    let dir = scratch("pipe");
    let path = lab(&dir, &with("answered = 'a.ping.ok == 3'"));
    let mut child = septet()
        .arg("run")
        .arg(&path)
        .args(["--story", "all"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_valid_files() {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    let dir = scratch("interrupt");
    // More than anybody would wait for.
    let busy = PAIR
        .replace("stop = \"5s\"", "stop = \"10000000s\"")
        .replace("ping -c 2 b", "ping -i 1ms -c 1000000000 b")
        .replace("at 1s: ", "");
    let path = lab(&dir, &busy);
    let out = dir.join("out");
    let mut command = septet();
    command.arg("run").arg(&path).arg("-o").arg(&out).args(["--story", "none"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Once the capture grows it runs.
    wait_for(Duration::from_secs(30), || fs::metadata(out.join("trace.pcapng")).is_ok_and(|m| m.len() > 300_000));
    assert!(Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap().success());
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert!(ended.err.contains("interrupted at "), "{}", ended.err);
    let summary: Value = serde_json::from_str(&fs::read_to_string(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["end"], "interrupted");
    let events = fs::read_to_string(out.join("events")).unwrap();
    for line in events.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    let capture = fs::read(out.join("trace.pcapng")).unwrap();
    // Whole blocks to the end, the last of them statistics.
    let mut rest = &capture[..];
    let mut last = 0;
    while let [a, b, c, d, e, f, g, h, ..] = *rest {
        last = u32::from_le_bytes([a, b, c, d]);
        rest = &rest[u32::from_le_bytes([e, f, g, h]) as usize..];
    }
    assert_eq!((last, rest.len()), (5, 0));
}

#[test]
fn the_bits_of_a_chosen_frame_are_shown_and_drawn() {
    let dir = scratch("bits");
    let lab = root().join("labs/cables.toml");
    let go = |frame: &str| {
        let args = ["run", lab.to_str().unwrap(), "--story", "none", "--bits", frame, "-o", dir.to_str().unwrap()];
        run(args)
    };
    let ended = go("a->s1#1");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("frame 1 of s1--a: 60 octets, sent at 1.000000000 s by a eth0"), "{}", ended.out);
    assert_eq!(ended.out.lines().filter(|line| line.ends_with("  FCS")).count(), 4);
    assert!(fs::read_to_string(dir.join("frame-1.svg")).unwrap().contains("payload 45"));
    assert!(go("s1->b@59.99s").out.contains("there was no such frame"));
    let ended = go("a--b");
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    assert!(ended.err.contains("no link joins a and b (links of a: a--s1)"), "{}", ended.err);
}
