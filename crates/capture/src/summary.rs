//! `summary.json`: what a run came to, in one object with a version. The same run gives the same bytes.

use std::collections::BTreeMap;

use septet_core::{Instant, Recorder};
use serde::Serialize;

use crate::Flow;

/// The version of the format, counted up when a key changes its meaning or goes.
pub const VERSION: u32 = 1;

/// What a run came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Summary {
    /// What the object is: `run`.
    pub septet: &'static str,
    /// The version of the format.
    pub version: u32,
    /// The lab's name.
    pub lab: String,
    /// The seed.
    pub seed: u64,
    /// The civil time at which virtual time began, in seconds since 1970.
    pub epoch_s: f64,
    /// The virtual time at which the run ended, in seconds.
    pub end_s: f64,
    /// Why it ended.
    pub end: End,
    /// Over every delivery: time, port and bytes.
    pub digest: String,
    /// What the world did in all.
    pub world: BTreeMap<String, u64>,
    /// By node, then by name, what the recorders hold.
    pub nodes: BTreeMap<String, BTreeMap<String, Metric>>,
    /// By node and port (`client eth0`), then by name as in `ip -s link`.
    pub ports: BTreeMap<String, BTreeMap<String, u64>>,
    /// By node, then by name as in `nstat`, what hosts counted; what is zero is left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, BTreeMap<String, u64>>,
    /// Who talked to whom.
    pub flows: Vec<Flow>,
    /// Packets of flows beyond the number that is kept apart.
    #[serde(skip_serializing_if = "is_zero")]
    pub packets_of_other_flows: u64,
    /// Programs that had not ended when the run did, in the order of the lab file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<Unfinished>,
    /// What was expected and what was found, in the order of the lab file.
    pub expectations: Vec<Expectation>,
    /// Whether all expectations were met.
    pub ok: bool,
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The lab's `stop` came.
    Stop,
    /// Nothing was left to happen.
    Idle,
    /// Somebody interrupted it.
    Interrupted,
}

/// A program that the end of the run cut off.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Unfinished {
    /// The node's name.
    pub node: String,
    /// The command line, without its schedule.
    pub command: String,
    /// The virtual time at which it began, in seconds; none where it waited for another program to end.
    pub since_s: Option<f64>,
}

/// One expectation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Expectation {
    /// Its name in the lab file.
    pub name: String,
    /// What the lab file says.
    pub expression: String,
    /// Whether it held.
    pub ok: bool,
    /// What was found, in words.
    pub found: String,
}

/// What a recorder holds under one name.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Metric {
    /// How many observations.
    pub count: u64,
    /// Their sum: of a counter, its reading.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The median: the smallest value that half of the observations do not exceed.
    pub p50: f64,
    /// The smallest value that 95 % of the observations do not exceed.
    pub p95: f64,
    /// The smallest value that 99 % of the observations do not exceed.
    pub p99: f64,
    /// The largest.
    pub max: f64,
    /// When the first was made, in seconds.
    pub first_s: f64,
    /// When the last was made, in seconds.
    pub last_s: f64,
}

/// All metrics of one recorder.
pub fn metrics(recorder: &Recorder) -> BTreeMap<String, Metric> {
    let of = |name: String| {
        let series = recorder.series(&name)?;
        let samples = series.samples();
        let (first, last) = (samples.first()?, samples.last()?);
        let mut sorted: Vec<f64> = samples.iter().map(|s| s.value).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        // The nearest rank: no value is made up between two observations.
        let rank = |p: usize| sorted[(sorted.len() * p).div_ceil(100).max(1) - 1];
        let metric = Metric {
            count: sorted.len() as u64,
            sum: series.sum(),
            min: sorted[0],
            p50: rank(50),
            p95: rank(95),
            p99: rank(99),
            max: sorted[sorted.len() - 1],
            first_s: seconds(first.at),
            last_s: seconds(last.at),
        };
        Some((name, metric))
    };
    recorder.names().into_iter().filter_map(of).collect()
}

fn seconds(at: Instant) -> f64 {
    at.as_secs_f64()
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_observations() {
        let recorder = Recorder::new();
        for i in (1..=200u64).rev() {
            recorder.record(Instant::from_millis(i), "t", i as f64);
        }
        recorder.record(Instant::ZERO, "one", 5.0);
        let metrics = metrics(&recorder);
        let Metric { count, sum, min, p50, p95, p99, max, .. } = metrics["t"];
        assert_eq!((count, sum, min, p50, p95, p99, max), (200, 20_100.0, 1.0, 100.0, 190.0, 198.0, 200.0));
        assert_eq!((metrics["one"].p50, metrics["one"].p99), (5.0, 5.0));
    }
}
