//! What a workload found out, for people and for programs.

use core::fmt;

use serde::Serialize;

/// What a workload found out. What does not apply is absent.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
pub struct Report {
    /// The workload.
    pub name: String,
    /// Transmissions of frames over links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Events of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// CPU time of this process, user and system, in seconds.
    pub cpu_s: f64,
    /// Simulated seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_s: Option<f64>,
    /// `packets / cpu_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_per_cpu_s: Option<f64>,
    /// Requests answered per CPU second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchanges_per_cpu_s: Option<f64>,
    /// Payload bytes delivered per CPU second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_cpu_s: Option<f64>,
    /// Growth of resident memory by an idle connection, per end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_idle_connection_end: Option<f64>,
    /// What is left of that growth when all connections are closed, per end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_closed_connection_end: Option<f64>,
    /// Hosts that were built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<u64>,
    /// Growth of resident memory by an idle host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_idle_host: Option<f64>,
    /// Whole worlds that were played, one for each seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<u64>,
    /// Threads that played them where several did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// Real time on one thread, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_s: Option<f64>,
    /// Real time on all of them, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_s_all_jobs: Option<f64>,
    /// How many times as fast all of them are as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speedup: Option<f64>,
    /// CPU time where all of them play, in seconds: what it exceeds `cpu_s` by, they cost one another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s_all_jobs: Option<f64>,
    /// Routes in a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<u64>,
    /// Octets of memory that they take, what finds them included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_of_routes: Option<u64>,
    /// Random look-ups in the table per CPU second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_ups_per_cpu_s: Option<f64>,
    /// Routes added or withdrawn per CPU second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_changes_per_cpu_s: Option<f64>,
    /// Packets of a routing protocol that all routers sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Times that routers computed their shortest paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computations: Option<u64>,
    /// Simulated seconds from the start until no route changed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converged_s: Option<f64>,
    /// The same from a cut on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconverged_s: Option<f64>,
    /// CPU time from the cut on, in seconds, which `cpu_s` holds too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s_of_cut: Option<f64>,
    /// Resident memory at its highest since the process began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// The digest of the world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl Report {
    /// One JSON object on one line.
    pub fn to_json(&self) -> String {
        // Strings and numbers under fixed keys: there is nothing that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A workload that did not do what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<septet_engine::Storm> for Failure {
    fn from(storm: septet_engine::Storm) -> Self {
        Self(storm.to_string())
    }
}

/// The reports as a table for people.
pub fn table(reports: &[Report]) -> String {
    let mut rows = vec![vec![
        "workload".to_owned(),
        "CPU s".into(),
        "packets".into(),
        "events".into(),
        "per CPU s".into(),
        "RSS".into(),
    ]];
    for r in reports {
        let Report { name, packets, events, cpu_s, packets_per_cpu_s, exchanges_per_cpu_s, bytes_per_cpu_s, .. } = r;
        let count = |n: &Option<u64>| n.map_or_else(|| "–".to_owned(), grouped);
        let mut per = Vec::new();
        per.extend(packets_per_cpu_s.map(|v| format!("{} packets", si(v))));
        per.extend(exchanges_per_cpu_s.map(|v| format!("{} exchanges", si(v))));
        per.extend(bytes_per_cpu_s.map(|v| format!("{}B", si(v))));
        per.extend(r.bytes_per_idle_connection_end.map(|v| format!("{v:.0} B an idle connection's end")));
        per.extend(r.bytes_per_idle_host.map(|v| format!("{v:.0} B an idle host")));
        per.extend(r.speedup.zip(r.jobs).map(|(times, jobs)| format!("{times:.2} times as fast on {jobs} threads")));
        per.extend(r.look_ups_per_cpu_s.map(|v| format!("{} look-ups", si(v))));
        per.extend(r.route_changes_per_cpu_s.map(|v| format!("{} changes", si(v))));
        per.extend(r.bytes_of_routes.map(|b| format!("{:.1} MiB of routes", b as f64 / 1_048_576.0)));
        per.extend(r.converged_s.map(|s| format!("routes after {s:.2} s")));
        per.extend(r.reconverged_s.map(|s| format!("anew {s:.3} s after a cut")));
        let rss = r.rss_bytes.map_or_else(|| "–".to_owned(), |b| format!("{:.1} MiB", b as f64 / 1_048_576.0));
        rows.push(vec![name.clone(), format!("{cpu_s:.3}"), count(packets), count(events), per.join(", "), rss]);
    }
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|c| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            // Names and rates to the left, figures to the right.
            line += &if at == 0 || at == 4 { format!("{cell}{pad}  ") } else { format!("{pad}{cell}  ") };
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn si(v: f64) -> String {
    match v {
        v if v >= 1e9 => format!("{:.2} G", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e3 => format!("{:.1} k", v / 1e3),
        v => format!("{v:.1} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_figures_are_absent_from_json() {
        let report = Report { name: "x".into(), packets: Some(5), cpu_s: 0.5, ..Report::default() };
        assert_eq!(report.to_json(), r#"{"name":"x","packets":5,"cpu_s":0.5}"#);
    }

    #[test]
    fn the_table_lines_up() {
        let report = Report {
            name: "chain".into(),
            packets: Some(9_000_000),
            cpu_s: 2.0,
            packets_per_cpu_s: Some(4.5e6),
            ..Report::default()
        };
        let text = table(&[report]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("9,000,000") && lines[1].contains("4.50 M packets"), "{text}");
        assert_eq!(lines[0].find("packets").map(|p| p + 7), lines[1].find("9,000,000").map(|p| p + 9));
    }
}
