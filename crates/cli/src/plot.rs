//! `septet plot`: metrics of a run as a picture.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use septet_lab::{Reading, Unit, reading};
use septet_report::{Axis, Chart, Panel, Scale, Series};

use crate::args::PlotArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::Stdout;

/// A series with fewer samples has each marked.
const FEW: usize = 40;
/// Points of one series that are worth a drawing, and no more than memory has room for.
const SPANS: usize = 1_000_000;

pub(crate) fn plot(args: &PlotArgs) -> Result<Exit, Failure> {
    let path = if args.run.is_dir() { args.run.join("metrics.csv") } else { args.run.clone() };
    let text = fs::read_to_string(&path).map_err(|e| Failure::file("read", &path, &e))?;
    let table = Table::parse(&text)
        .map_err(|line| Failure::usage(format!("{}: line {line} is not `node,name,t,value`", path.display())))?;
    if args.metrics.is_empty() {
        return list(&table);
    }
    let mut panels: Vec<(Unit, Panel)> = Vec::new();
    for name in &args.metrics {
        let (unit, series) = series(&table, name, args)?;
        match panels.iter_mut().find(|(u, _)| *u == unit) {
            Some((_, panel)) => panel.series.push(series),
            None => panels.push((unit, Panel { series: vec![series], ..Panel::default() })),
        }
    }
    let last =
        panels.iter().flat_map(|(_, p)| &p.series).flat_map(|s| &s.curve).fold(0.0, |most: f64, (t, _)| most.max(*t));
    let range = (args.from.unwrap_or_default().as_secs_f64(), args.until.map_or(last, |t| t.as_secs_f64()));
    if range.0 >= range.1 {
        return Err(Failure::usage(format!("nothing lies between {} s and {} s", range.0, range.1)));
    }
    for series in panels.iter_mut().flat_map(|(_, p)| &mut p.series) {
        series.curve.retain(|(t, _)| (range.0..=range.1).contains(t));
        series.dots.retain(|(t, _)| (range.0..=range.1).contains(t));
    }
    let chart = Chart {
        title: args.title.clone().unwrap_or_else(|| title(&args.run)),
        x: Axis { range: Some(range), ..Axis::linear("time, s") },
        panels: panels.into_iter().map(|(unit, panel)| measured(unit, panel, args)).collect(),
    };
    let svg = chart.svg();
    match &args.output {
        Some(path) => fs::write(path, svg).map_err(|e| Failure::file("write", path, &e))?,
        None => {
            let mut out = Stdout::new();
            out.write_all(svg.as_bytes()).and_then(|()| out.flush()).map_err(Failure::stdout)?;
        }
    }
    Ok(Exit::Ok)
}

/// Without a metric to draw: those that there are.
fn list(table: &Table<'_>) -> Result<Exit, Failure> {
    let mut out = Stdout::new();
    for name in table.names() {
        writeln!(out, "{name}").map_err(Failure::stdout)?;
    }
    out.flush().map_err(Failure::stdout)?;
    Ok(Exit::Ok)
}

fn title(run: &Path) -> String {
    let lab = |dir: &Path| -> Option<String> {
        let text = fs::read_to_string(dir.join("summary.json")).ok()?;
        let summary: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(summary["lab"].as_str()?.to_owned())
    };
    let dir = if run.is_dir() { run } else { run.parent().unwrap_or(run) };
    lab(dir).unwrap_or_else(|| dir.display().to_string())
}

/// The samples of one metric, and what they count.
fn series(table: &Table<'_>, name: &str, args: &PlotArgs) -> Result<(Unit, Series), Failure> {
    let mut samples: Vec<(f64, f64)> =
        table.rows.iter().filter(|row| row.is(name)).map(|row| (row.at, row.value)).collect();
    if samples.is_empty() {
        let hint = match nearest(table, name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`septet plot DIR` lists what there is".to_owned(),
        };
        return Err(Failure::usage(format!("nothing is recorded as `{name}`; {hint}")));
    }
    let metric = name.split_once('.').map_or(name, |(_, metric)| metric);
    let mut unit = Unit::of(metric);
    let mut label = name.to_owned();
    if let Some(span) = args.rate {
        samples = rates(&samples, span.as_secs_f64()).ok_or_else(|| {
            Failure::usage(format!("--rate {span:?} makes more than {SPANS} points of `{name}`; take a longer span"))
        })?;
        if unit == Unit::Bytes {
            unit = Unit::BitsPerSecond;
            samples.iter_mut().for_each(|(_, value)| *value *= 8.0);
        } else {
            label.push_str(" a second");
        }
    } else if args.sum || reading(metric) == Reading::Sum {
        let mut sum = 0.0;
        for (_, value) in &mut samples {
            sum += *value;
            *value = sum;
        }
        label.push_str(", sum");
    }
    let dots = if samples.len() <= FEW { samples.clone() } else { Vec::new() };
    Ok((unit, Series { name: label, curve: samples, dots, look: None }))
}

/// The sum of the samples of each span, a second; `None` where there would be too many.
fn rates(samples: &[(f64, f64)], span: f64) -> Option<Vec<(f64, f64)>> {
    let last = samples.last().map_or(0.0, |(at, _)| *at);
    let spans = (last / span) as usize;
    if spans >= SPANS {
        return None;
    }
    let mut sums = vec![0.0; spans + 1];
    for (at, value) in samples {
        sums[(at / span) as usize] += value;
    }
    Some(sums.iter().enumerate().map(|(i, sum)| ((i as f64 + 1.0) * span, sum / span)).collect())
}

/// The panel with its axis in a unit that makes short numbers.
fn measured(unit: Unit, mut panel: Panel, args: &PlotArgs) -> Panel {
    let most = panel.series.iter().flat_map(|s| &s.curve).fold(0.0, |most: f64, (_, v)| most.max(v.abs()));
    let steps: &[(f64, &str)] = match unit {
        Unit::Count => &[(1.0, "")],
        Unit::Seconds => &[(1e-6, "µs"), (1e-3, "ms"), (1.0, "s")],
        Unit::Bytes => &[(1.0, "bytes"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB")],
        Unit::BitsPerSecond => &[(1.0, "bit/s"), (1e3, "kbit/s"), (1e6, "Mbit/s"), (1e9, "Gbit/s")],
    };
    let (factor, name) = steps.iter().rev().find(|(factor, _)| most >= 2.0 * factor).unwrap_or(&steps[0]);
    for (_, value) in panel.series.iter_mut().flat_map(|s| s.curve.iter_mut().chain(&mut s.dots)) {
        *value /= factor;
    }
    panel.y = Axis::linear(*name);
    if args.log {
        panel.y.scale = Scale::Logarithmic;
    }
    panel
}

/// `metrics.csv`.
struct Table<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    node: &'a str,
    name: &'a str,
    at: f64,
    value: f64,
}

impl Row<'_> {
    fn is(&self, full: &str) -> bool {
        full.strip_prefix(self.node).and_then(|rest| rest.strip_prefix('.')) == Some(self.name)
    }
}

impl<'a> Table<'a> {
    /// The number of the line that is none, otherwise.
    fn parse(text: &'a str) -> Result<Self, usize> {
        let row = |(i, line): (usize, &'a str)| {
            let mut fields = line.split(',');
            let mut next = || fields.next().ok_or(i + 1);
            let (node, name, at, value) = (next()?, next()?, next()?, next()?);
            let number = |text: &str| text.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or(i + 1);
            let at = number(at).ok().filter(|at| *at >= 0.0).ok_or(i + 1)?;
            Ok(Row { node, name, at, value: number(value)? })
        };
        Ok(Self { rows: text.lines().enumerate().skip(1).map(row).collect::<Result<_, usize>>()? })
    }

    /// Every metric once, in the order of the file.
    fn names(&self) -> Vec<String> {
        let same = |a: &Row<'_>, b: &Row<'_>| a.node == b.node && a.name == b.name;
        self.rows.chunk_by(same).map(|rows| format!("{}.{}", rows[0].node, rows[0].name)).collect()
    }
}

/// The name that shares the longest beginning and end with `name`, if they make most of it.
fn nearest(table: &Table<'_>, name: &str) -> Option<String> {
    let shared = |other: &String| {
        let ahead = other.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
        let behind = other.chars().rev().zip(name.chars().rev()).take_while(|(a, b)| a == b).count();
        ahead + behind
    };
    table.names().into_iter().max_by_key(shared).filter(|other| 2 * shared(other) > name.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_none_is_named() {
        assert_eq!(Table::parse("node,name,t,value\na,b,1,2\na,b,x,2\n").err(), Some(3));
        assert_eq!(Table::parse("node,name,t,value\na,b,1\n").err(), Some(2));
        assert_eq!(
            Table::parse("node,name,t,value\na,b.c,1,2\na,b.c,2,2\nd,b.c,2,2\n").map(|t| t.names()),
            Ok(vec!["a.b.c".into(), "d.b.c".into()])
        );
    }

    #[test]
    fn rates_are_sums_of_spans() {
        assert_eq!(rates(&[(0.1, 1.0), (0.4, 1.0), (1.2, 5.0)], 0.5).unwrap(), [(0.5, 4.0), (1.0, 0.0), (1.5, 10.0)]);
    }
}
