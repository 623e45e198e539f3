//! Expectations against a run that is made up.

use proptest::prelude::*;
use septet_core::{Instant, Sample};

use crate::expect::eval::*;
use crate::expect::expr::*;
use crate::expect::metric::*;
use crate::expect::parser::parse;
use crate::expect::window::Window;
use crate::model::node::NodeKind;
use crate::model::topology::{LinkRef, PortRef, Topology, Ways};

fn topology() -> Topology {
    let mut topology = Topology::default();
    for name in ["client", "r1", "r2", "web1", "web2"] {
        topology.add_node(name);
    }
    topology.add_link([PortRef { node: 1, port: 0 }, PortRef { node: 2, port: 0 }]);
    topology
}

/// Ten seconds in which the client got an answer each second, the nth after n × 100 ms.
struct Made;

impl Observed for Made {
    fn end(&self) -> Instant {
        Instant::from_secs(10)
    }

    fn series(&self, node: usize, name: &str) -> septet_core::Series {
        let sample = |s: u64, value| Sample { at: Instant::from_secs(s), value };
        match (node, name) {
            (0, "http.ok") => (1..=10).map(|s| sample(s, 1.0)).collect(),
            (0, "http.time") => (1..=10).map(|s| sample(s, s as f64 / 10.0)).collect(),
            (0, "http.bytes") => (1..=10).map(|s| sample(s, 1000.0)).collect(),
            (3 | 4, "http.requests") => [sample(node as u64, 1.0)].into_iter().collect(),
            _ => septet_core::Series::default(),
        }
    }

    fn counter(&self, node: usize, name: &str, window: Window) -> Option<f64> {
        let whole = if window == Window::ALL { 1.0 } else { 0.5 };
        (node == 1 && name == "IpForwDatagrams").then_some(100.0 * whole)
    }

    fn link(&self, link: LinkRef, metric: LinkMetric, _: Window) -> Option<f64> {
        let ways = link.ways.directions().len() as f64;
        Some(match metric {
            LinkMetric::Sent => 1000.0 * ways,
            LinkMetric::Lost => 20.0 * ways,
            LinkMetric::QueueMost(Amount::Bytes) => 60_000.0,
            LinkMetric::Utilization => 0.8,
            LinkMetric::QueueMean(Amount::Bytes) => 300.0,
            _ => return None,
        })
    }

    fn excess(&self, probe: QueueProbe) -> Option<Excess> {
        (probe.limit < 60_000).then_some(Excess { at: Instant::from_millis(5200), amount: 60_000 })
    }
}

fn expectation(text: &str) -> Result<Expectation, String> {
    let condition = parse(text, &topology(), &|_| NodeKind::Router).map_err(|w| w.refusal.reason)?;
    Ok(Expectation { name: "x".into(), text: text.into(), condition: condition.0 })
}

fn judged(text: &str) -> (bool, String) {
    let verdict = expectation(text).unwrap_or_else(|e| panic!("{text}: {e}")).verdict(&Made);
    (verdict.held, verdict.found_in_words())
}

#[test]
fn what_is_found_and_whether_it_holds() {
    for (text, held, found) in [
        ("client.http.ok >= 10", true, "10"),
        ("client.http.ok >= 11", false, "10"),
        ("p99(client.http.time) < 900ms", false, "1s"),
        ("p90(client.http.time) <= 900ms", true, "900ms"),
        ("median(client.http.time) == 0.5s", true, "500ms"),
        ("mean(client.http.time) < 1s", true, "550ms"),
        ("max(client.http.time, before = 5s) == 400ms", true, "400ms"),
        ("count(client.http.time, after = 5s) == 6", true, "6"),
        ("first(client.http.ok, after = 4.5s) < 5.5s", true, "5s"),
        ("last(client.http.ok) == 10s", true, "10s"),
        ("first(client.http.error) < 5s", false, "no samples"),
        ("rate(client.http.ok) == 1", true, "1"),
        ("rate(client.http.bytes) == 8kbit", true, "8kbit"),
        ("client.http.bytes / 10s == 8kbit", true, "8kbit"),
        ("client.http.error == 0", true, "0"),
        ("web[1..2].http.requests == 2", true, "2"),
        ("first(web[1..2].http.requests) == 3s", true, "3s"),
        ("100ms <= min(client.http.time) < 200ms", true, "100ms"),
        ("r1.IpForwDatagrams > 99", true, "100"),
        ("lost(r1--r2) == 40", true, "40"),
        ("lost(r1->r2) == 20", true, "20"),
        ("1% < loss(r1--r2) < 3%", true, "0.02"),
        ("queue(r1--r2) < 64kb", true, "58.59kb"),
        ("utilization(r1->r2) > 75%", true, "0.8"),
        ("always queue(r1--r2) <= 64kb", true, "at most 58.59kb"),
        ("always queue(r1--r2) <= 32kb", false, "58.59kb at 5.2s"),
        ("never queue(r1--r2) > 32kb", false, "58.59kb at 5.2s"),
        ("eventually queue(r1--r2, after = 5s) > 32kb", true, "58.59kb at 5.2s"),
        ("always queue(r1--r2, after = 5s) <= 64kb", true, "never more than 64kb"),
        ("64kb >= queue(r1--r2)", true, "58.59kb"),
        ("always client.http.time < 1s", false, "1s at 10s"),
        ("always within(client.http.time, before = 9s) < 1s", true, "800ms at 8s"),
        ("never client.http.time > 2s", true, "1s at 10s"),
        ("eventually client.http.time > 650ms", true, "700ms at 7s"),
        ("eventually client.http.time > 2s", false, "1s at 10s"),
        (
            "client.http.ok - 3 == 7 and client.http.ok * 2 == 20",
            true,
            "client.http.ok - 3 == 7: 7; client.http.ok * 2 == 20: 20",
        ),
        ("client.http.ok == 9 or client.http.ok == 10", true, "client.http.ok == 9: 10; client.http.ok == 10: 10"),
        ("client.http.ok == 10 and client.http.error == 1", false, "0"),
        ("not (client.http.ok == 9)", true, "10"),
        ("(client.http.ok + 2) * 3 == 36", true, "36"),
        ("client.http.ok == -(-10)", true, "10"),
        ("sent(r1->r2) - lost(r1->r2) == 980", true, "980"),
        ("at(client.http.time, 4.5s) == 400ms", true, "400ms"),
        ("at(client.http.time, first(client.http.ok, after = 6s)) == 600ms", true, "600ms"),
        ("at(client.http.time, 500ms) == 1s", false, "no samples"),
        ("interval(client.http.ok, after = 5s) == 1s", true, "1s"),
        ("interval(client.http.error) == 1s", false, "no samples"),
        ("jain(web[1..2].http.requests) == 1", true, "1"),
        ("jain(web[1..2].http.requests, after = 3.5s) == 0.5", true, "0.5"),
        ("jain(web[1..2].http.requests, after = 5s) > 0", false, "no samples"),
        ("sqrt(client.http.ok + 6) == 4", true, "4"),
        ("cbrt(8) * pow(client.http.ok, 2) == 200", true, "200"),
        ("abs(5s - last(client.http.ok)) == 5s", true, "5s"),
        ("sqrt(client.http.ok - 11) < 1", false, "no samples"),
        ("mean_queue(r1->r2, after = 5s, before = 6s) == 300b", true, "300b"),
    ] {
        assert_eq!(judged(text), (held, found.to_owned()), "{text}");
    }
}

#[test]
fn a_verdict_reads_as_a_sentence() {
    let verdict = expectation("client.http.ok >= 195").unwrap().verdict(&Made);
    assert_eq!(verdict.to_string(), "x: client.http.ok >= 195: found 10");
    assert_eq!(verdict.found[0].number, Some(10.0));
}

#[test]
fn probes_name_what_must_be_prepared() {
    let probes = expectation("always queue(r1->r2, after = 1s) < 64kb and r1.IpForwDatagrams > 0").unwrap().probes();
    let window = Window { after: Instant::from_secs(1), before: Instant::FAR_FUTURE };
    let link = LinkRef { link: 0, ways: Ways::Forth };
    assert_eq!(
        probes,
        [
            Probe::Queue(QueueProbe { link, amount: Amount::Bytes, limit: 65_535, window }),
            Probe::Counter { node: 1, name: "IpForwDatagrams".into(), window: Window::ALL },
        ]
    );
}

#[test]
fn what_is_no_expectation() {
    for text in [
        "",
        "1",
        "client",
        "client.http.ok",
        "client.http.ok >",
        "client.http.nosuch > 1",
        "nobody.http.ok > 1",
        "client.http.time < 1s",
        "p99(client.http.time) < 900",
        "p99(client.http.time < 1s",
        "p99(5) < 1s",
        "p99(client.http.time, 5s) < 1s",
        "p99(client.http.time, after = 5) < 1s",
        "p99(client.http.time, after = 5s, before = 4s) < 1s",
        "rate(client.http.time) < 1",
        "queue(r1--web1) < 1kb",
        "queue(r1) < 1kb",
        "queue(r1--r2, after = 1s) < 1kb",
        "always queue(r1--r2) > 1kb",
        "always queue(r1--r2) < client.http.ok",
        "always client.http.ok > 1",
        "always queue(r1--r2) < 0b",
        "client.http.ok > 1 and",
        "client.http.ok > 1 client.http.ok > 2",
        "client.http.ok > 5ms",
        "client.http.ok + 5ms > 1",
        "1s * 1s > 0",
        "nosuch(client.http.ok) > 1",
        "at(client.http.time) > 1s",
        "at(client.http.time, 5) > 1s",
        "jain(client.http.ok) > 0.9",
        "sqrt(5s) > 1",
        "sqrt(4, 4) > 1",
        "pow(4) > 1",
        "client.http.ok > 5mbps",
    ] {
        assert!(expectation(text).is_err(), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    for open in ["(", "-", "not ", "p50("] {
        let text = format!("{}client.http.ok > 1", open.repeat(100_000));
        assert!(expectation(&text).is_err(), "{open}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics(text in "[a-z0-9.()<>=, -]{0,40}|(client\\.http\\.(ok|time)|queue\\(r1--r2\\)|p9[0-9]|always|and|not|[()<>=+*/,-]|[0-9]+(ms|kb|%)?| ){0,12}") {
        if let Ok(expectation) = expectation(&text) {
            expectation.probes();
            expectation.verdict(&Made);
        }
    }
}
