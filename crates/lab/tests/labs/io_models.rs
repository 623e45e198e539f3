//! A thread for each client beside an event loop, as the clients grow: the table of docs/io-models.md, which
//! `SEPTET_BLESS=1` writes.

use septet_lab::Outcome;

use super::{play, read, sum};

const CLIENTS: [usize; 4] = [4, 16, 64, 256];
const REQUESTS: usize = 10;

/// What the lab's own clients do.
const ASK: &str = "--connections 64 --requests 20 --interval 10ms";

fn samples(outcome: &Outcome, node: &str, metric: &str) -> Vec<f64> {
    let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == node).unwrap();
    let mut values: Vec<f64> = recorder.series(metric).unwrap().samples().iter().map(|s| s.value).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// From the first request to the last answer, in seconds.
fn span(outcome: &Outcome, node: &str) -> f64 {
    let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == node).unwrap();
    let series = recorder.series("io.answers").unwrap();
    (series.samples().last().unwrap().at.as_nanos() - 100_000_000) as f64 / 1e9
}

struct Line {
    switches: f64,
    busy: f64,
    memory: f64,
    rate: f64,
    p99: f64,
}

fn line(outcome: &Outcome, server: &str, client: &str) -> Line {
    let times = samples(outcome, client, "io.time");
    Line {
        switches: sum(outcome, server, "cpu.switches.voluntary") / times.len() as f64,
        busy: sum(outcome, server, "cpu.busy") * 1e6 / times.len() as f64,
        memory: samples(outcome, server, "io.memory").last().unwrap() / 1024.0,
        rate: times.len() as f64 / span(outcome, client),
        p99: times[(times.len() * 99).div_ceil(100) - 1] * 1e6,
    }
}

#[test]
fn an_event_loop_beside_a_thread_for_each_client() {
    let text = read("io-event-loop");
    let (text, _) = text.split_once("[expect]").unwrap();
    let mut table = String::from(
        "\n| clients | style | answers a second | context switches a request | core a request | 99 % answered within | memory of threads |\n|--:|---|--:|--:|--:|--:|--:|\n",
    );
    for clients in CLIENTS {
        let ask = format!("--connections {clients} --requests {REQUESTS} --interval 2ms");
        let text = text.replace(ASK, &ask);
        assert_eq!(text.matches(&ask).count(), 2, "both clients ask");
        let outcome = play("io-event-loop", &text);
        let (threads, events) = (line(&outcome, "threads", "other"), line(&outcome, "loop", "one"));
        assert_eq!(sum(&outcome, "one", "io.answers") as usize, clients * REQUESTS);
        for (style, line) in [("threads", &threads), ("event loop", &events)] {
            let Line { switches, busy, memory, rate, p99 } = line;
            table += &format!(
                "| {clients} | {style} | {rate:.0} | {switches:.2} | {busy:.1} µs | {p99:.0} µs | {memory:.0} KiB |\n"
            );
        }
        if clients >= 64 {
            assert!(events.switches < threads.switches / 2.0 && events.busy < threads.busy, "{table}");
            assert!(events.rate > threads.rate, "{table}");
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/io-models.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("<!-- styles -->\n").expect("the page has a table of styles");
    let (_, after) = rest.split_once("<!-- end -->\n").expect("the table ends");
    let wanted = format!("{before}<!-- styles -->\n{table}\n<!-- end -->\n{after}");
    if std::env::var_os("SEPTET_BLESS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page == wanted, "docs/io-models.md is not up to date: SEPTET_BLESS=1 writes it\n{table}");
}
