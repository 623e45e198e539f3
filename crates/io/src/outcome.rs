//! What was measured, as a table and as a drawing.

use core::fmt::Write as _;
use std::time::Duration;

use septet_report::{Axis, Chart, Look, Panel, Scale, Series};
use serde::Serialize;

use crate::{Protocol, STYLES};

/// What came of one measurement.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// The style of the server.
    pub style: &'static str,
    /// What was spoken.
    pub protocol: Protocol,
    /// Connections at once.
    pub connections: usize,
    /// Requests over all of them together; each was answered as it should be.
    pub requests: usize,
    /// The figures, or why there are none.
    pub figures: Result<Figures, String>,
}

/// What the requests took: the server's process alone, but for the times, which its clients saw.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Figures {
    /// From the first request to the last answer.
    pub took: Duration,
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Context switches because it waited.
    pub voluntary: u64,
    /// Context switches because others were to run.
    pub involuntary: u64,
    /// Resident memory at the end, in octets.
    pub rss: u64,
    /// The time within which half of the answers came.
    pub median: Duration,
    /// The same of 99 in a hundred.
    pub p99: Duration,
}

impl Figures {
    fn rate(&self, requests: f64) -> f64 {
        requests / self.took.as_secs_f64().max(1e-9)
    }
}

/// A line of JSON; what applies only where all went well is absent otherwise.
#[derive(Serialize)]
struct Line<'a> {
    style: &'a str,
    protocol: &'a str,
    connections: usize,
    requests: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voluntary_switches: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    involuntary_switches: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rss_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Outcome {
    /// One JSON object on one line.
    pub fn to_json(&self) -> String {
        let known = self.figures.as_ref().ok();
        let line = Line {
            style: self.style,
            protocol: self.protocol.name(),
            connections: self.connections,
            requests: self.requests,
            requests_per_s: known.map(|f| f.rate(self.requests as f64)),
            cpu_s: known.map(|f| f.cpu.as_secs_f64()),
            voluntary_switches: known.map(|f| f.voluntary),
            involuntary_switches: known.map(|f| f.involuntary),
            rss_bytes: known.map(|f| f.rss),
            p50_s: known.map(|f| f.median.as_secs_f64()),
            p99_s: known.map(|f| f.p99.as_secs_f64()),
            error: self.figures.as_ref().err().map(String::as_str),
        };
        // Strings and numbers under fixed keys: there is nothing that could not be written.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// The outcomes as a table for people.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut out = format!(
        "{:8} {:8} {:>11} {:>10} {:>10} {:>11} {:>11} {:>9} {:>9} {:>9}\n",
        "protocol",
        "style",
        "connections",
        "requests/s",
        "CPU µs/req",
        "vol. sw/req",
        "inv. sw/req",
        "p50 ms",
        "p99 ms",
        "RSS MiB"
    );
    for outcome in outcomes {
        let Outcome { style, protocol, connections, requests, figures } = outcome;
        let _ = write!(out, "{:8} {style:8} {connections:>11}", protocol.name());
        let _ = match figures {
            Ok(figures) => {
                let each = |n: f64| n / *requests as f64;
                let ms = |time: Duration| time.as_secs_f64() * 1e3;
                writeln!(
                    out,
                    " {:>10.0} {:>10.2} {:>11.3} {:>11.4} {:>9.3} {:>9.3} {:>9.1}",
                    figures.rate(*requests as f64),
                    each(figures.cpu.as_secs_f64() * 1e6),
                    each(figures.voluntary as f64),
                    each(figures.involuntary as f64),
                    ms(figures.median),
                    ms(figures.p99),
                    figures.rss as f64 / 1_048_576.0
                )
            }
            Err(why) => writeln!(out, "  not measured: {why}"),
        };
    }
    out
}

/// The outcomes as a drawing: a colour a style, a stroke a protocol.
pub fn svg(outcomes: &[Outcome]) -> String {
    let logarithmic = |label: &str| Axis { scale: Scale::Logarithmic, ..Axis::linear(label) };
    let panel = |y: Axis, value: &dyn Fn(&Figures, f64) -> f64| Panel { y, series: series(outcomes, value) };
    let panels = vec![
        panel(logarithmic("requests a second"), &Figures::rate),
        panel(Axis::linear("CPU of the server, µs a request"), &|f, requests| f.cpu.as_secs_f64() * 1e6 / requests),
        panel(Axis::linear("context switches a request"), &|f, requests| {
            (f.voluntary + f.involuntary) as f64 / requests
        }),
        panel(logarithmic("p99, ms"), &|f, _| f.p99.as_secs_f64() * 1e3),
        panel(logarithmic("resident memory, MiB"), &|f, _| f.rss as f64 / 1_048_576.0),
    ];
    let title = "One server in four styles of input and output".to_owned();
    Chart { title, x: logarithmic("connections at once"), panels }.svg()
}

fn series(outcomes: &[Outcome], value: &dyn Fn(&Figures, f64) -> f64) -> Vec<Series> {
    let mut all = Vec::new();
    for (stroke, protocol) in Protocol::ALL.into_iter().enumerate() {
        for (colour, style) in STYLES.iter().enumerate() {
            let of = outcomes.iter().filter(|o| o.style == style.name && o.protocol == protocol);
            let points: Vec<(f64, f64)> = of
                .filter_map(|o| Some((o.connections as f64, value(o.figures.as_ref().ok()?, o.requests as f64))))
                .collect();
            if !points.is_empty() {
                let name = format!("{}, {}", style.name, protocol.name());
                all.push(Series { name, curve: points.clone(), dots: points, look: Some(Look { colour, stroke }) });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Vec<Outcome> {
        let figures = Figures {
            took: Duration::from_secs(2),
            cpu: Duration::from_millis(1500),
            voluntary: 3000,
            involuntary: 10,
            rss: 3 << 20,
            median: Duration::from_micros(40),
            p99: Duration::from_micros(400),
        };
        let base = Outcome {
            style: "events",
            protocol: Protocol::Echo,
            connections: 10,
            requests: 1000,
            figures: Ok(figures),
        };
        vec![base.clone(), Outcome { connections: 100, figures: Err("no room".into()), ..base }]
    }

    #[test]
    fn figures_are_told_by_request() {
        let text = table(&outcomes());
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["echo", "events", "10", "500", "1500.00", "3.000", "0.0100", "0.040", "0.400", "3.0"]);
        assert!(text.lines().nth(2).unwrap().ends_with("not measured: no room"), "{text}");
    }

    #[test]
    fn json_and_drawing_leave_out_what_was_not_measured() {
        let lines: Vec<String> = outcomes().iter().map(Outcome::to_json).collect();
        assert!(lines[0].contains("\"requests_per_s\":500.0") && !lines[0].contains("error"), "{}", lines[0]);
        assert!(lines[1].contains("\"error\":\"no room\"") && !lines[1].contains("cpu_s"), "{}", lines[1]);
        let svg = svg(&outcomes());
        assert_eq!(svg.matches("<circle").count(), 5, "one point in each panel");
    }
}
