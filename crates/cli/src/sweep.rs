//! Many runs of one lab: `septet run --seeds 1..200 --set media.wan.loss=0%,1%`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use septet_lab::{Lab, Unit};
use septet_sweep::{
    Axis, Bar, Cells, Fared, Journal, Plan, PlanError, Record, Seeds, Spread, Statistics, Table, Value, execute,
    statistics,
};

use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::{Stdout, tell};
use crate::{interrupt, keep, lab_file, limits};

/// The files of many runs.
const FILES: &[&str] = &["runs.jsonl", "runs.partial", "runs.csv", "runs.parquet", "cells.csv", "statistics.json"];

/// What is to be run; a lab that is not valid with some value is shown with it.
pub(crate) fn plan(lab: &Path, set: &[Axis], seeds: Option<Seeds>) -> Result<Plan, Failure> {
    let text = lab_file::read(lab)?;
    Plan::new(&lab.display().to_string(), &text, set, seeds).map_err(|e| match e {
        PlanError::Lab(mistakes) => {
            lab_file::show(&mistakes);
            Failure::told(Exit::Lab)
        }
        PlanError::Unfit(..) => Failure::lab(format!("--set {e}")),
        PlanError::Setting(_) | PlanError::TooMany(_) => Failure::usage(format!("--set: {e}")),
    })
}

/// The lab of a plan with one run.
pub(crate) fn only(plan: Plan) -> Arc<Lab> {
    plan.cells.into_iter().next().expect("a plan has a cell").lab
}

pub(crate) fn run(args: &RunArgs, plan: &Plan) -> Result<Exit, Failure> {
    if args.seed.is_some() {
        return Err(Failure::usage("--seed is for one run; --seeds for several"));
    }
    if let Some(cell) = plan.cells.first() {
        lab_file::warn(&cell.lab);
    }
    let (mut journal, mut records) = match &args.output {
        Some(dir) => begin(dir, args, plan)?,
        None => (None, Vec::new()),
    };
    let done: BTreeSet<u64> = records.iter().map(|r| r.run).collect();
    let jobs = args.jobs.map_or_else(processors, usize::from);
    let mut out = Stdout::new();
    let shown = !args.quiet && io::stderr().is_terminal();
    let mut bar = if shown { Bar::new(plan.runs(), done.len() as u64) } else { Bar::hidden() };
    let mut trouble: Option<Failure> = None;
    interrupt::listen();
    limits::watch(args.memory);
    let failed = core::sync::atomic::AtomicBool::new(false);
    let halted = || {
        if interrupt::asked() {
            // Whichever run looks up first: from here on all of them end.
            interrupt::heed();
            return true;
        }
        limits::passed() || failed.load(core::sync::atomic::Ordering::Relaxed)
    };
    execute(plan, jobs, &done, &halted, |record| {
        let written = journal
            .as_mut()
            .map_or(Ok(()), |j| j.write(&record).map_err(|e| Failure::file("write", &journal_of(args), &e)));
        let printed = bar.suspend(|| tell(&mut out, &record, args).map_err(Failure::stdout));
        if let Err(e) = written.and(printed) {
            trouble.get_or_insert(e);
            failed.store(true, core::sync::atomic::Ordering::Relaxed);
        }
        bar.finished(&record);
        records.push(record);
    });
    bar.end();
    limits::heed();
    if limits::passed() {
        return Err(Failure::run(format!("{}; fewer runs at a time (--jobs) take less", limits::exceeded())));
    }
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    records.sort_by_key(|r| r.run);
    let all = statistics(&records);
    // A column that there is not spoils the table, and not the runs.
    let (cells, unknown) = match Cells::new(&all, &args.table) {
        Ok(cells) => (cells, None),
        Err(unknown) => (Cells::new(&all, &[]).unwrap_or_default(), Some(unknown)),
    };
    let printed = if args.json {
        all.iter().try_for_each(|s| writeln!(out, "{}", serde_json::json!(s)))
    } else if args.quiet {
        Ok(())
    } else if args.table.is_empty() || unknown.is_some() {
        table(&mut out, &all)
    } else {
        aligned(&mut out, &cells)
    };
    printed.and_then(|()| out.flush()).map_err(Failure::stdout)?;
    if let Some(dir) = &args.output {
        finish(dir, &records, &all, &cells)?;
    }
    if let Some(unknown) = unknown {
        return Err(Failure::usage(format!("--table: {unknown}")));
    }
    let left = plan.runs() - records.len() as u64;
    Ok(if left > 0 {
        let resume = if args.output.is_some() { "; --resume goes on with them" } else { "" };
        tell!("septet: interrupted; {left} of {} runs are left{resume}", plan.runs());
        Exit::Interrupted
    } else if records.iter().all(|r| r.ok) {
        Exit::Ok
    } else {
        Exit::Expectation
    })
}

/// One line a run: all of it as JSON, or only what went wrong.
fn tell(out: &mut Stdout, record: &Record, args: &RunArgs) -> io::Result<()> {
    if args.json {
        writeln!(out, "{}", serde_json::json!(record))?;
        return out.flush();
    }
    if record.ok {
        return Ok(());
    }
    write!(out, "{}seed {}", cell(record.set.iter()), record.seed)?;
    if let Some(error) = &record.error {
        write!(out, "  {error}")?;
    }
    for (name, found) in record.expect.iter().filter(|(_, e)| !e.ok) {
        write!(out, "  {name}: found {}", found.found)?;
    }
    writeln!(out)?;
    out.flush()
}

/// `media.wan.loss=1%  `
fn cell<'a>(set: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    set.map(|(path, value)| format!("{path}={value}  ")).collect()
}

/// The statistics of each cell: a line an expectation or, where nothing is expected, a line for what programs counted.
fn table(out: &mut Stdout, all: &[Statistics]) -> io::Result<()> {
    for s in all {
        let (rows, left) = if s.expect.is_empty() {
            writeln!(out, "\n{}{} of {} runs came to their end", cell(s.set.iter()), s.ok, s.runs)?;
            measured(s)
        } else {
            writeln!(out, "\n{}{} of {} runs met all expectations", cell(s.set.iter()), s.ok, s.runs)?;
            (s.expect.iter().map(|(name, fared)| expected(name, fared, s.runs)).collect(), 0)
        };
        if rows.is_empty() {
            continue;
        }
        let second = if s.expect.is_empty() { "runs" } else { "ok" };
        let head = ["", second, "min", "median", "p95", "max"].map(str::to_owned);
        let width =
            |column: usize| core::iter::once(&head).chain(&rows).map(|r| r[column].chars().count()).max().unwrap_or(0);
        for row in core::iter::once(&head).chain(&rows) {
            let cells: Vec<String> = row.iter().enumerate().map(|(i, c)| format!("{c:w$}", w = width(i))).collect();
            writeln!(out, "  {}", cells.join("  ").trim_end())?;
        }
        if left > 0 {
            writeln!(out, "  … and {left} more: --json, or -o DIR")?;
        }
    }
    Ok(())
}

/// One row a cell, its columns below one another.
fn aligned(out: &mut Stdout, cells: &Cells) -> io::Result<()> {
    let shown = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Number(None, _) => "-".to_owned(),
        Value::Number(Some(number), unit) => Unit::find(unit).unwrap_or(Unit::Count).show(*number),
    };
    let rows: Vec<Vec<String>> = cells.rows().iter().map(|row| row.iter().map(shown).collect()).collect();
    let head = cells.head().to_vec();
    let width =
        |column: usize| core::iter::once(&head).chain(&rows).map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    writeln!(out)?;
    for row in core::iter::once(&head).chain(&rows) {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

fn expected(name: &str, fared: &Fared, runs: u64) -> [String; 6] {
    let unit = Unit::find(&fared.unit).unwrap_or(Unit::Count);
    line(name, format!("{}/{runs}", fared.ok), fared.found.as_ref(), unit)
}

/// Counters and means, the first of them, and how many were left out.
fn measured(s: &Statistics) -> (Vec<[String; 6]>, usize) {
    const MOST: usize = 20;
    const OTHERS: [&str; 7] = ["count", "sum", "min", "max", "p50", "p95", "p99"];
    let shown = |name: &str| name.rsplit_once('.').is_none_or(|(_, last)| !OTHERS.contains(&last));
    let of = |(name, spread): (&String, &Spread)| line(name, spread.runs.to_string(), Some(spread), Unit::Count);
    let rows: Vec<_> = s.metrics.iter().filter(|(name, _)| shown(name)).map(of).collect();
    let left = s.metrics.len() - rows.len().min(MOST);
    (rows.into_iter().take(MOST).collect(), left)
}

fn line(name: &str, ok: String, spread: Option<&Spread>, unit: Unit) -> [String; 6] {
    let show = |of: fn(&Spread) -> f64| spread.map_or_else(String::new, |f| unit.show(of(f)));
    let seeded = |of: fn(&Spread) -> f64, seed: fn(&Spread) -> u64| {
        spread.map_or_else(String::new, |f| format!("{} (seed {})", unit.show(of(f)), seed(f)))
    };
    [
        name.to_owned(),
        ok,
        seeded(|f| f.min, |f| f.min_seed),
        show(|f| f.median),
        show(|f| f.p95),
        seeded(|f| f.max, |f| f.max_seed),
    ]
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn journal_of(args: &RunArgs) -> std::path::PathBuf {
    args.output.clone().unwrap_or_default().join("runs.jsonl")
}

/// Makes the output directory and its journal, and reads what is kept there already.
fn begin(dir: &Path, args: &RunArgs, plan: &Plan) -> Result<(Option<Journal>, Vec<Record>), Failure> {
    fs::create_dir_all(dir).map_err(|e| Failure::file("make", dir, &e))?;
    let kept = keep::place_of_lab(dir, &args.lab, FILES.iter().copied())?;
    if fs::canonicalize(&kept).ok() != fs::canonicalize(&args.lab).ok() || !kept.exists() {
        fs::copy(&args.lab, &kept).map_err(|e| Failure::file("write", &kept, &e))?;
    }
    for cell in &plan.cells {
        lab_file::keep_files(dir, &cell.lab)?;
    }
    let path = journal_of(args);
    let opened = if args.resume {
        Journal::resume(&path, plan)
    } else {
        Journal::create(&path).map(|journal| (journal, Vec::new()))
    };
    let (journal, records) = opened.map_err(|e| Failure::file("write", &path, &e))?;
    Ok((Some(journal), records))
}

/// Writes what is known at the end: the tables and the statistics.
fn finish(dir: &Path, records: &[Record], all: &[Statistics], cells: &Cells) -> Result<(), Failure> {
    let table = Table::new(records);
    let to = |name: &str, write: &dyn Fn(File) -> io::Result<()>| {
        let path = dir.join(name);
        File::create(&path).and_then(write).map_err(|e| Failure::file("write", &path, &e))
    };
    to("runs.csv", &|file| table.write_csv(io::BufWriter::new(file)))?;
    to("cells.csv", &|file| cells.write_csv(io::BufWriter::new(file)))?;
    to("runs.parquet", &|file| table.write_parquet(file))?;
    to("statistics.json", &|file| {
        let mut file = io::BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, all).map_err(io::Error::from)?;
        writeln!(file).and_then(|()| file.flush())
    })
}
