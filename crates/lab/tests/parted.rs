//! A world in parts comes to what it comes to in one: to the digest, to every event and its name, to the capture.

use septet_capture::pcapng::{self, Pcapng};
use septet_capture::{EventLog, Shared};
use septet_core::StationId;
use septet_lab::{BuildOptions, Lab};

/// What is known of a run.
#[derive(PartialEq)]
struct Played {
    digest: String,
    deliveries: u64,
    /// Lines of the event log, in their order.
    events: Vec<String>,
    capture: Vec<u8>,
    /// Counters, ports, expectations, programs.
    outcome: String,
}

/// In which part a node is, by its number and its name.
type Homes<'a> = &'a dyn Fn(usize, &str) -> usize;

/// Plays a lab in the parts that `homes` gives; tells how many they were.
fn play(lab: &Lab, homes: Homes<'_>) -> (Played, usize) {
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    let world = &mut run.world;
    let homes: Vec<usize> =
        (0..world.stations()).map(|number| homes(number, world.name(StationId(number as u32)))).collect();
    // A world of one part is not asked to be parted at all.
    if homes.iter().any(|home| *home > 0) {
        world.part(|station| homes[station.0 as usize]).unwrap();
    }
    let parts = world.parts();
    let log = Shared::new(EventLog::new(Vec::new(), run.names(), serde_json::Map::new()));
    run.world.add_monitor(log.clone());
    let capture = Shared::new(Pcapng::new(Vec::new(), run.names(), pcapng::Options::default()));
    run.world.add_monitor(capture.clone());
    run.play().unwrap();
    let outcome = run.outcome();
    drop(run);
    let log = String::from_utf8(log.into_inner().unwrap().finish().unwrap()).unwrap();
    let (capture, _) = capture.into_inner().unwrap().finish().unwrap();
    let told = (&outcome.verdicts, &outcome.counters, &outcome.ports, &outcome.unfinished, &outcome.recorders);
    let played = Played {
        digest: outcome.digest.to_string(),
        deliveries: outcome.stats.deliveries,
        events: log.lines().map(str::to_owned).collect(),
        capture,
        outcome: format!("{told:?} {} {}", outcome.transmissions, outcome.stats.events),
    };
    (played, parts)
}

/// The whole and its parts come to the same.
fn same(name: &str, whole: &Played, parts: &Played) {
    let differs = whole.events.iter().zip(&parts.events).position(|(a, b)| a != b);
    if let Some(line) = differs {
        let near = |events: &[String]| events[line.saturating_sub(3)..events.len().min(line + 3)].join("\n");
        panic!("{name}: line {line} of the events\nwhole\n{}\nparts\n{}", near(&whole.events), near(&parts.events));
    }
    assert_eq!(whole.events.len(), parts.events.len(), "{name}: events");
    assert_eq!((&whole.digest, whole.deliveries), (&parts.digest, parts.deliveries), "{name}: the digest");
    assert_eq!(whole.outcome, parts.outcome, "{name}: the outcome");
    assert!(whole.capture == parts.capture, "{name}: the capture");
}

/// Plays a lab whole and in these parts.
fn holds(text: &str, homes: &[Homes<'_>]) -> Played {
    let lab = Lab::parse("lab.toml", text).unwrap();
    let (whole, one) = play(&lab, &|_, _| 0);
    assert_eq!(one, 1);
    for homes in homes {
        let (parted, parts) = play(&lab, homes);
        assert!(parts > 1);
        same("the lab", &whole, &parted);
    }
    whole
}

/// These nodes are in the first part, others in the second.
fn first<'a>(nodes: &'a [&str]) -> impl Fn(usize, &str) -> usize + 'a {
    move |_, name| usize::from(!nodes.contains(&name))
}

fn count(played: &Played, kind: &str) -> usize {
    let kind = format!("\"kind\":\"{kind}\"");
    played.events.iter().filter(|line| line.contains(&kind)).count()
}

const CHAIN: &str = "[lab]\nstop = '4s'\n[media]\nwan = { rate = '20mbit', delay = '10ms', queue = 'fq_codel' }\n\
     [topology]\nlinks = ['client -- r1', 'r1 -- r2 : wan', 'r2 -- r3 : wan, delay 3ms', 'r3 -- web']\n\
     [router.r1]\n[router.r2]\n[router.r3]\n[host.web.http]\nbody = '200kb'\n\
     [host.client]\nrun = ['curl http://web/ --repeat 8', 'at 100ms: ping web -c 5 -i 100ms']\n";

#[test]
fn a_chain_of_routers_with_tcp() {
    let halves = first(&["client", "r1"]);
    let played = holds(CHAIN, &[&halves, &first(&["client", "web"]), &|n, _| n, &|n, _| n % 2]);
    assert!(played.deliveries > 5000 && count(&played, "http.response") == 16, "{}", played.deliveries);
}

#[test]
fn a_star_with_loss() {
    let clients =
        ["a", "b", "c"].map(|name| format!("[host.{name}]\nrun = ['curl http://web/ --repeat 10']\n")).concat();
    let star = "[lab]\nstop = '5s'\n[topology]\nlinks = ['s -- a, b, c, web : rate 50mbit delay 2ms loss 2%']\n[switch.s]\n\
         [host.web.http]\nbody = '50kb'\n";
    let played = holds(&format!("{star}{clients}"), &[&first(&["s", "a"]), &first(&["s"]), &first(&["web"])]);
    assert!(count(&played, "link.lost") > 50 && count(&played, "tcp.retransmit") > 30);
}

#[test]
fn links_of_different_delays() {
    let ring = |delay: &str| {
        format!(
            "[lab]\nstop = '4s'\n[topology]\nlinks = ['a -- r1 : delay 40ms', 'r1 -- r2 : rate 8mbit {delay}', \
             'r2 -- r3 : delay 1ms', 'r3 -- b : delay 7us', 'c -- r3 : delay 15ms']\n[router.r1]\n[router.r2]\n[router.r3]\n\
             [host.b.http]\nbody = '30kb'\n[host.a]\nrun = ['curl http://b/ --repeat 5', 'ping c -c 20 -i 50ms']\n\
             [host.c]\nrun = ['curl http://b/ --repeat 5']\n"
        )
    };
    for delay in
        ["delay 3ms", "delay 5ms 2ms", "delay 5ms 2ms distribution normal", "delay 6ms reorder 20%", "delay 0ms"]
    {
        let near_b = first(&["b", "r3"]);
        let played = holds(&ring(delay), &[&first(&["a", "r1"]), &near_b, &|n, _| n]);
        assert!(count(&played, "http.response") >= 16, "{delay}");
    }
}

#[test]
fn faults_in_the_middle() {
    let faults = [
        "100ms..300ms: cut r1--r2",
        "400ms..700ms: loss 10% delay 1ms on r1--r2",
        "500ms..900ms: rate 2mbit on r2->r1",
        "800ms..1s: crash r2",
        "1100ms: restart web",
        "1200ms..1500ms: drop tcp every 7 on r1--r2",
        "1300ms..1600ms: delay 5ms 2ms icmp on r1",
        "1400ms..1450ms: hold r2--r3",
        "1700ms: reset client->web",
        "1800ms..2200ms: reject tcp dport 80 on r2--r3",
        "2s..3s: flap r2--r3 every 100ms down 20ms",
        "2500ms..2600ms: duplicate 50% tcp on r3",
    ];
    let script = faults.map(|fault| format!("'{fault}'")).join(", ");
    let lab = CHAIN.replace("--repeat 8", "--repeat 40 --max-time 1s") + &format!("[faults]\nscript = [{script}]\n");
    let played = holds(&lab, &[&first(&["client", "r1"]), &first(&["r2"]), &|n, _| n]);
    for kind in ["link.down", "link.lost", "power.off", "filter.drop", "tcp.retransmit", "link.drop"] {
        assert!(count(&played, kind) > 0, "{kind}");
    }
}

#[test]
fn what_a_program_looks_at_is_the_same() {
    let gauges = "sample = '10ms'\n";
    let expect = "[expect]\nqueue = 'always queue(r1--r2) <= 1mb'\nsent = 'sent(r1--r2, after = 1s, before = 2s) > 10'\n\
         window = 'max(web.tcp.cwnd) > 10kb'\nserved = 'client.http.ok == 8'\n";
    let lab = CHAIN.replace("stop = '4s'\n", &format!("stop = '4s'\n{gauges}")) + expect;
    let played = holds(&lab, &[&first(&["client", "r1"]), &|n, _| n % 2]);
    assert!(played.outcome.contains("tcp.cwnd"), "gauges are read in every part");
}

#[test]
fn every_lab_in_two_halves() {
    /// Labs that take more events take too long to be played twice here.
    const MOST: u64 = 12_000;
    let labs = format!("{}/../../labs", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(labs).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut parted = 0;
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
        let lab = Lab::parse(&path.to_string_lossy(), &std::fs::read_to_string(path).unwrap()).unwrap();
        let mut trial = lab.build(&BuildOptions::default()).unwrap();
        while trial.world.stats().events < MOST && trial.world.step_until(trial.lab().stop).unwrap() {}
        if trial.world.stats().events >= MOST {
            continue;
        }
        let (whole, _) = play(&lab, &|_, _| 0);
        let half = lab.nodes.len() / 2;
        let (parts, count) = play(&lab, &|n, _| usize::from(n >= half));
        same(&path.display().to_string(), &whole, &parts);
        parted += usize::from(count == 2);
    }
    assert!(parted > 15, "{parted}");
}
