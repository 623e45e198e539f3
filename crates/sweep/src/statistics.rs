//! What the runs of each cell have in common, and which seeds stand out.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Record;

/// The runs of one cell, summed up.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Statistics {
    /// What the object is: `sweep-summary`.
    pub septet: &'static str,
    /// The version of the format.
    pub version: u32,
    /// The values of the cell.
    pub set: BTreeMap<String, String>,
    /// How many runs.
    pub runs: u64,
    /// In how many all expectations were met.
    pub ok: u64,
    /// The seeds of the others.
    pub failed_seeds: Vec<u64>,
    /// How each expectation fared.
    pub expect: BTreeMap<String, Fared>,
    /// What programs recorded, by the names of [`Record::metrics`].
    pub metrics: BTreeMap<String, Spread>,
}

/// How an expectation fared over runs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Fared {
    /// In how many runs it was met.
    pub ok: u64,
    /// What was found, where that is a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Spread>,
    /// The unit of what was found: `s`, `B`, `bit/s`, or nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// How values are spread over runs, and where the extremes came from.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Spread {
    /// In how many runs there was a value.
    pub runs: u64,
    /// The least value.
    pub min: f64,
    /// The seed that gave it; the lowest, of several.
    pub min_seed: u64,
    /// The value that half of the runs do not exceed.
    pub median: f64,
    /// The value that 95 % of the runs do not exceed.
    pub p95: f64,
    /// The greatest value.
    pub max: f64,
    /// The seed that gave it; the lowest, of several.
    pub max_seed: u64,
}

/// Sums up the runs of each cell, in the order of the plan.
pub fn statistics(records: &[Record]) -> Vec<Statistics> {
    let mut cells: BTreeMap<(u64, &BTreeMap<String, String>), Vec<&Record>> = BTreeMap::new();
    let mut order: BTreeMap<&BTreeMap<String, String>, u64> = BTreeMap::new();
    for record in records {
        let first = order.entry(&record.set).or_insert(record.run);
        *first = (*first).min(record.run);
    }
    for record in records {
        cells.entry((order[&record.set], &record.set)).or_default().push(record);
    }
    cells.into_iter().map(|((_, set), records)| of_cell(set, &records)).collect()
}

/// What was found for one expectation, run by run.
#[derive(Default)]
struct Gathered<'a> {
    ok: u64,
    unit: &'a str,
    values: Vec<(f64, u64)>,
}

impl Gathered<'_> {
    fn fared(self) -> Fared {
        Fared { ok: self.ok, found: Spread::of(self.values), unit: self.unit.to_owned() }
    }
}

fn of_cell(set: &BTreeMap<String, String>, records: &[&Record]) -> Statistics {
    let mut metrics: BTreeMap<&str, Vec<(f64, u64)>> = BTreeMap::new();
    let mut expect: BTreeMap<&str, Gathered<'_>> = BTreeMap::new();
    for record in records {
        for (name, value) in &record.metrics {
            metrics.entry(name).or_default().push((*value, record.seed));
        }
        for (name, found) in &record.expect {
            let fared = expect.entry(name).or_default();
            fared.ok += u64::from(found.ok);
            fared.unit = &found.unit;
            fared.values.extend(found.value.map(|value| (value, record.seed)));
        }
    }
    let spreads = |all: BTreeMap<&str, Vec<(f64, u64)>>| {
        all.into_iter().filter_map(|(name, values)| Some((name.to_owned(), Spread::of(values)?))).collect()
    };
    let mut failed: Vec<u64> = records.iter().filter(|r| !r.ok).map(|r| r.seed).collect();
    failed.sort_unstable();
    Statistics {
        septet: "sweep-summary",
        version: crate::VERSION,
        set: set.clone(),
        runs: records.len() as u64,
        ok: records.iter().filter(|r| r.ok).count() as u64,
        failed_seeds: failed,
        expect: expect.into_iter().map(|(name, gathered)| (name.to_owned(), gathered.fared())).collect(),
        metrics: spreads(metrics),
    }
}

impl Spread {
    /// The spread of values with their seeds; `None` where there is none.
    pub fn of(mut values: Vec<(f64, u64)>) -> Option<Self> {
        values.retain(|(value, _)| value.is_finite());
        values.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (min, min_seed) = *values.first()?;
        let (max, _) = *values.last()?;
        let max_seed = values.iter().find(|(value, _)| *value == max).map_or(min_seed, |(_, seed)| *seed);
        // The nearest rank: no value is made up between two runs.
        let rank = |p: usize| values[(values.len() * p).div_ceil(100).max(1) - 1].0;
        Some(Self { runs: values.len() as u64, min, min_seed, median: rank(50), p95: rank(95), max, max_seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_name_the_seeds_of_their_extremes() {
        let values = (1..=20).map(|seed| ((seed % 10) as f64, seed)).collect();
        let spread = Spread::of(values).unwrap();
        assert_eq!((spread.min, spread.min_seed, spread.max, spread.max_seed), (0.0, 10, 9.0, 9));
        assert_eq!((spread.median, spread.p95, spread.runs), (4.0, 9.0, 20));
        assert_eq!(Spread::of(vec![(f64::NAN, 1)]), None);
    }
}
