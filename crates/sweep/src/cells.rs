//! The cells of a sweep as a table, one row a cell: what was set, and what came of it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::statistics::{Spread, Statistics};
use crate::table::quoted;

/// One row a cell.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Cells {
    head: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// What stands in a row.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A value that was set, or a count.
    Text(String),
    /// A number and its unit, as [`Fared::unit`](crate::Fared::unit) has it; or nothing.
    Number(Option<f64>, String),
}

impl Cells {
    /// The table of `all`. Its columns: the values that were set, `runs`, `ok`, and of each column that `chosen` names the
    /// median over the runs. A column is an expectation, or a metric as [`Record::metrics`](crate::Record::metrics) names it;
    /// where none is named, every expectation.
    ///
    /// # Errors
    /// A column that no run has.
    pub fn new(all: &[Statistics], chosen: &[String]) -> Result<Self, UnknownColumn> {
        let paths: BTreeSet<&String> = all.iter().flat_map(|s| s.set.keys()).collect();
        let expectations: BTreeSet<&String> = all.iter().flat_map(|s| s.expect.keys()).collect();
        let columns: Vec<&String> =
            if chosen.is_empty() { expectations.into_iter().collect() } else { chosen.iter().collect() };
        for column in &columns {
            if !all.iter().any(|s| s.expect.contains_key(*column) || s.metrics.contains_key(*column)) {
                let mut known: BTreeSet<&str> = BTreeSet::new();
                all.iter().for_each(|s| known.extend(s.expect.keys().chain(s.metrics.keys()).map(String::as_str)));
                return Err(UnknownColumn {
                    name: (*column).clone(),
                    known: known.into_iter().map(str::to_owned).collect(),
                });
            }
        }
        let own = ["runs".to_owned(), "ok".to_owned()];
        let head = paths.iter().copied().chain(&own).chain(columns.iter().copied()).cloned().collect();
        let row = |s: &Statistics| {
            let set = paths.iter().map(|path| Value::Text(s.set.get(*path).cloned().unwrap_or_default()));
            let counts = [s.runs, s.ok].map(|n| Value::Text(n.to_string()));
            set.chain(counts).chain(columns.iter().map(|column| of(s, column))).collect()
        };
        Ok(Self { head, rows: all.iter().map(row).collect() })
    }

    /// The names of the columns.
    pub fn head(&self) -> &[String] {
        &self.head
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }

    /// Writes the table as CSV (RFC 4180) with a header line, numbers in their base unit. What is missing is empty.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, mut out: impl Write) -> io::Result<()> {
        let line = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",");
        write!(out, "{}\r\n", line(self.head.clone()))?;
        for row in &self.rows {
            let plain = |value: &Value| match value {
                Value::Text(text) => text.clone(),
                Value::Number(number, _) => number.map(|n| n.to_string()).unwrap_or_default(),
            };
            write!(out, "{}\r\n", line(row.iter().map(plain).collect()))?;
        }
        out.flush()
    }
}

/// The median of a column over the runs of a cell.
fn of(cell: &Statistics, column: &str) -> Value {
    let median = |spread: &Spread| spread.median;
    match cell.expect.get(column) {
        Some(fared) => Value::Number(fared.found.as_ref().map(median), fared.unit.clone()),
        None => Value::Number(cell.metrics.get(column).map(median), String::new()),
    }
}

/// A column that no run has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownColumn {
    /// Its name.
    pub name: String,
    /// Those that there are.
    pub known: Vec<String>,
}

impl core::fmt::Display for UnknownColumn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const MOST: usize = 12;
        let Self { name, known } = self;
        // Those that share its end are the likelier ones.
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let mut known: Vec<&String> = known.iter().collect();
        known.sort_by_key(|column| last(column) != last(name));
        let shown: Vec<&str> = known.iter().take(MOST).map(|column| column.as_str()).collect();
        write!(f, "no run has `{name}`; there are {}", shown.join(", "))?;
        if known.len() > MOST { write!(f, ", … ({} in all)", known.len()) } else { Ok(()) }
    }
}

impl std::error::Error for UnknownColumn {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fared;

    fn cell(loss: &str, median: f64) -> Statistics {
        let spread = Spread::of(vec![(median, 1)]);
        let fared = Fared { ok: 1, found: spread, unit: "s".into() };
        Statistics {
            septet: "sweep-summary",
            version: 1,
            set: [("media.wan.loss".to_owned(), loss.to_owned())].into(),
            runs: 1,
            ok: 1,
            failed_seeds: Vec::new(),
            expect: [("quick".to_owned(), fared)].into(),
            metrics: spread.map(|s| ("a.http.time.p99".to_owned(), s)).into_iter().collect(),
        }
    }

    #[test]
    fn one_row_a_cell() {
        let cells = [cell("0%", 0.5), cell("1%", 2.0)];
        let csv = |columns: &[String]| {
            let mut out = Vec::new();
            Cells::new(&cells, columns).unwrap().write_csv(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(csv(&[]), "media.wan.loss,runs,ok,quick\r\n0%,1,1,0.5\r\n1%,1,1,2\r\n");
        let chosen = ["a.http.time.p99".to_owned()];
        assert_eq!(csv(&chosen), "media.wan.loss,runs,ok,a.http.time.p99\r\n0%,1,1,0.5\r\n1%,1,1,2\r\n");
        let unknown = Cells::new(&cells, &["a.http.p99".to_owned()]).unwrap_err();
        assert_eq!(unknown.to_string(), "no run has `a.http.p99`; there are a.http.time.p99, quick");
    }
}
