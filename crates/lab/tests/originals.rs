//! The host tools beside the originals: `originals.txt` is what iputils 20221126, traceroute 2.1.2, netcat-openbsd 1.219 and mtr
//! 0.95 printed in network namespaces of Linux 6.18 with the addresses of the lab below, and ours print the same but for times
//! and link addresses.

use septet_lab::{BuildOptions, Lab};

/// Each command, and what came of it: standard output and standard error as they came, and the exit status.
fn originals() -> Vec<(&'static str, Vec<&'static str>, u8)> {
    let all = include_str!("originals.txt").split("$ ").skip(1);
    let one = |text: &'static str| {
        let (command, rest) = text.split_once('\n').expect("a command");
        let (printed, status) = rest.trim_end().rsplit_once('[').expect("a status");
        let status = status.trim_end_matches(']').parse().expect("a number");
        (command, printed.lines().collect(), status)
    };
    all.map(one).collect()
}

/// A line without what differs from run to run: numbers with a decimal point, how long all took, what clocks show, link
/// addresses, the date and the name of the host.
fn bare(line: &str) -> String {
    let line = match line.split_once(' ') {
        Some(("Start:", _)) => return "Start: DATE".to_owned(),
        Some(("HOST:", rest)) => {
            let columns = rest.trim_start().split_once(' ').map_or("", |(_, columns)| columns);
            return format!("HOST: {}", columns.trim_start());
        }
        _ => line,
    };
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let len = from.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(from.len());
        let (number, after) = from.split_at(len);
        text += before;
        let has_point = number.matches('.').count() == 1 && !number.ends_with('.');
        let is_span = before.ends_with("time ") && after.starts_with("ms");
        // A router's clock, of which only how long after the one before it is the same everywhere.
        let is_clock = after.starts_with(" absolute");
        text += if has_point || is_span || is_clock { "N" } else { number };
        rest = after;
    }
    text += rest;
    match (text.find("reply from"), text.find('['), text.find(']')) {
        (Some(_), Some(from), Some(to)) => format!("{}[MAC]{}", &text[..from], &text[to + 1..]),
        _ => text,
    }
}

#[test]
fn what_differs_from_run_to_run_is_left_out() {
    assert_eq!(
        bare("64 bytes from 10.0.2.10: icmp_seq=1 time=0.511 ms"),
        "64 bytes from 10.0.2.10: icmp_seq=1 time=N ms"
    );
    assert_eq!(bare("2 received, 0% packet loss, time 204ms"), "2 received, 0% packet loss, time Nms");
    assert_eq!(
        bare("Unicast reply from 10.0.1.1 [DA:48:1C:D6:E0:8D]  0.5ms"),
        "Unicast reply from 10.0.1.1 [MAC]  Nms"
    );
}

#[test]
fn each_prints_what_the_original_printed() {
    let originals = originals();
    assert!(originals.len() > 70);
    let run: Vec<String> =
        (0..).zip(&originals).map(|(n, (command, ..))| format!("\"at {}s: {command}\"", 5 + 4 * n)).collect();
    let text = format!(
        r#"
[lab]
stop = "400s"
[topology]
links = ["a -- r", "r -- server : mtu 1400"]
[host.a]
address = ["10.0.1.10/24", "2001:db8:1::10/64"]
run = [{}]
[router.r.eth0]
address = ["10.0.1.1/24", "2001:db8:1::1/64"]
[router.r.eth1]
address = ["10.0.2.1/24", "2001:db8:2::1/64"]
[host.server]
address = ["10.0.2.10/24", "2001:db8:2::10/64"]
run = ["tcp-echo 7", "tcp-sink 80"]
"#,
        run.join(", ")
    );
    let lab = Lab::parse("lab.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    let outputs = run.outputs();
    let mut others = Vec::new();
    for (output, (command, wanted, status)) in outputs.iter().zip(&originals) {
        let mut wanted: Vec<String> = wanted.iter().map(|line| bare(line)).collect();
        let printed = output.console.output() + &output.console.errors();
        let mut ours: Vec<String> = printed.lines().map(bare).collect();
        // In which order two streams come to a terminal is another matter.
        if !output.console.errors().is_empty() {
            wanted.sort();
            ours.sort();
        }
        if ours != wanted {
            others.push(format!(
                "$ {command} [{status}]\n{}\n--- the original:\n{}\n",
                ours.join("\n"),
                wanted.join("\n")
            ));
        }
    }
    assert!(others.is_empty(), "{} differ:\n{}", others.len(), others.join("\n"));
    // Exit statuses are recorded by program, in the order of the runs.
    let outcome = run.outcome();
    let (_, recorder) = outcome.recorders.iter().find(|(node, _)| node == "a").expect("the host");
    let mut programs: Vec<&str> = originals.iter().filter_map(|(command, ..)| command.split(' ').next()).collect();
    programs.sort_unstable();
    programs.dedup();
    for program in programs {
        let name = format!("program.{program}.exit");
        let ours: Vec<u8> =
            recorder.series(&name).map_or_else(Vec::new, |s| s.samples().iter().map(|s| s.value as u8).collect());
        let of = originals.iter().filter(|(command, ..)| command.split(' ').next() == Some(program));
        let theirs: Vec<u8> = of.map(|(.., status)| *status).collect();
        assert_eq!(ours, theirs, "{program}");
    }
}
