//! What one run of a sweep came to: a JSON object a line, the same bytes for the same run.

use std::collections::BTreeMap;

use septet_lab::Outcome;
use serde::{Deserialize, Serialize};

use crate::Cell;

/// The version of the format, counted up when a key changes its meaning or goes.
pub const VERSION: u32 = 1;

/// One run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// What the object is: `sweep-run`.
    pub septet: String,
    /// The version of the format.
    pub version: u32,
    /// Its number in the plan, counted from zero.
    pub run: u64,
    /// The lab's name.
    pub lab: String,
    /// A hash of the lab as it was run, values of this run included: runs of another lab are told apart by it.
    pub text: String,
    /// The values of this run, by the path of their keys.
    pub set: BTreeMap<String, String>,
    /// The seed.
    pub seed: u64,
    /// Over every delivery: time, port and bytes.
    pub digest: String,
    /// The virtual time at which it ended, in seconds.
    pub end_s: f64,
    /// Events played.
    pub events: u64,
    /// Frames put on links.
    pub transmissions: u64,
    /// Whether all expectations were met.
    pub ok: bool,
    /// Why it could not be played to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was found for each expectation, by its name.
    pub expect: BTreeMap<String, Expected>,
    /// What programs recorded, by node and name: of counters the sum; of series `count`, `mean`, `p50`, `p95`, `p99`,
    /// `min` and `max` behind the name.
    pub metrics: BTreeMap<String, f64>,
}

/// What was found for an expectation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Expected {
    /// Whether it held.
    pub ok: bool,
    /// What was found, in words.
    pub found: String,
    /// What was found as a number, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The unit of the number: `s`, `B`, `bit/s`, or nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

impl Record {
    fn of(cell: &Cell, run: u64, seed: u64) -> Self {
        Self {
            septet: "sweep-run".to_owned(),
            version: VERSION,
            run,
            lab: cell.lab.name.clone(),
            text: cell.hash.clone(),
            set: cell.set.iter().cloned().collect(),
            seed,
            digest: String::new(),
            end_s: 0.0,
            events: 0,
            transmissions: 0,
            ok: false,
            error: None,
            expect: BTreeMap::new(),
            metrics: BTreeMap::new(),
        }
    }

    /// A run that could not be played to its end.
    pub(crate) fn failed(cell: &Cell, run: u64, seed: u64, error: String) -> Self {
        Self { error: Some(error), ..Self::of(cell, run, seed) }
    }

    pub(crate) fn finished(cell: &Cell, run: u64, outcome: &Outcome) -> Self {
        let expect = outcome.verdicts.iter().map(|v| {
            let first = v.found.first();
            let unit = first.map_or_else(String::new, |f| f.unit.as_str().to_owned());
            (
                v.name.clone(),
                Expected { ok: v.held, found: v.found_in_words(), value: first.and_then(|f| f.number), unit },
            )
        });
        Self {
            digest: outcome.digest.to_string(),
            end_s: outcome.at.as_secs_f64(),
            events: outcome.stats.events,
            transmissions: outcome.transmissions,
            ok: outcome.ok(),
            expect: expect.collect(),
            metrics: metrics(outcome),
            ..Self::of(cell, run, outcome.seed)
        }
    }
}

fn metrics(outcome: &Outcome) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    for (node, recorder) in &outcome.recorders {
        for name in recorder.names() {
            let Some(series) = recorder.series(&name) else { continue };
            let full = format!("{node}.{name}");
            let mut values: Vec<f64> = series.samples().iter().map(|s| s.value).collect();
            if septet_lab::reading(&name) == septet_lab::Reading::Sum {
                metrics.insert(full, series.sum());
                continue;
            }
            if values.is_empty() {
                continue;
            }
            values.sort_unstable_by(f64::total_cmp);
            let rank = |p: f64| values[((p * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1];
            for (what, value) in [
                ("count", values.len() as f64),
                ("sum", series.sum()),
                ("mean", series.sum() / values.len() as f64),
                ("min", values[0]),
                ("p50", rank(0.5)),
                ("p95", rank(0.95)),
                ("p99", rank(0.99)),
                ("max", values[values.len() - 1]),
            ] {
                metrics.insert(format!("{full}.{what}"), value);
            }
        }
    }
    metrics
}
