//! `septet hunt`: the first seed with which a lab fails, the fewest faults and the shortest run that still do.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use septet_capture::story::{Length, Paint, Style};
use septet_capture::{Flows, Shared, Story};
use septet_core::printable;
use septet_lab::{BuildOptions, Fault, Lab};
use septet_sweep::{Hunted, Prey};

use crate::args::HuntArgs;
use crate::exit::{Exit, Failure};
use crate::keep::{Keep, Kind, Wish};
use crate::terminal::{Stdout, tell, tell_part};
use crate::{interrupt, lab_file, limits, run, sweep};

pub(crate) fn hunt(args: &HuntArgs) -> Result<Exit, Failure> {
    let plan = sweep::plan(&args.lab, &args.set, Some(args.seeds.clone()))?;
    if let Some(cell) = plan.cells.first() {
        lab_file::warn(&cell.lab);
    }
    if plan.cells.iter().all(|cell| cell.lab.expectations.is_empty()) {
        tell!("septet: {} expects nothing: a run can only fail by not coming to its end", args.lab.display());
    }
    interrupt::listen();
    limits::watch(args.memory);
    let halted = || {
        if interrupt::asked() {
            interrupt::heed();
            return true;
        }
        limits::passed()
    };
    let jobs = args.jobs.map_or_else(sweep::processors, usize::from);
    let runs = AtomicU64::new(0);
    let shown = io::stderr().is_terminal();
    let played = || {
        let n = runs.fetch_add(1, Ordering::Relaxed) + 1;
        if shown {
            tell_part!("\r\x1b[K{n} runs");
        }
    };
    let hunted = septet_sweep::hunt(&plan, jobs, &halted, &played);
    if shown {
        tell_part!("\r\x1b[K");
    }
    limits::heed();
    if limits::passed() {
        return Err(Failure::run(format!("{}; fewer runs at a time (--jobs) take less", limits::exceeded())));
    }
    let runs = runs.load(Ordering::Relaxed);
    let mut out = Stdout::new();
    let hunted = hunted.map_err(|mistakes| {
        lab_file::show(&mistakes);
        Failure::told(Exit::Lab)
    })?;
    match hunted {
        Hunted::Halted => {
            tell!("septet: interrupted after {runs} runs");
            Ok(Exit::Interrupted)
        }
        Hunted::Nothing => {
            let printed = if args.json {
                let none = serde_json::json!({ "septet": "hunt", "version": 1, "found": false, "runs": runs });
                writeln!(out, "{none}")
            } else {
                writeln!(out, "none of {runs} runs fails")
            };
            printed.and_then(|()| out.flush()).map_err(Failure::stdout)?;
            Ok(Exit::Ok)
        }
        Hunted::Found(prey) => {
            if let Some(dir) = &args.output {
                keep(dir, &args.lab, &prey)?;
            }
            let printed = if args.json { object(&mut out, args, &prey, runs) } else { words(&mut out, args, &prey) };
            printed.and_then(|()| out.flush()).map_err(Failure::stdout)?;
            tell!("septet: {runs} runs");
            Ok(Exit::Expectation)
        }
    }
}

/// What of a run did not go well: expectations with what was found, or why it did not come to its end.
fn failed(record: &septet_sweep::Record) -> Vec<(&str, &str)> {
    let error = record.error.as_deref().map(|error| ("error", error));
    let expectations = record.expect.iter().filter(|(_, e)| !e.ok).map(|(name, e)| (name.as_str(), e.found.as_str()));
    error.into_iter().chain(expectations).collect()
}

fn words(out: &mut impl Write, args: &HuntArgs, prey: &Prey) -> io::Result<()> {
    let Prey { set, seed, record, left, lab, faults_before, stop_before } = prey;
    let set: String = set.iter().map(|(path, value)| format!("{path}={value}  ")).collect();
    writeln!(out, "{set}seed {seed} fails")?;
    for (name, found) in failed(record) {
        writeln!(out, "  {name}: found {found}")?;
    }
    match (faults_before, lab.faults.len()) {
        (0, _) => writeln!(out, "it has no faults to be left out")?,
        (before, 0) => writeln!(out, "none of its {before} faults is needed")?,
        (before, 1) => writeln!(out, "of {before} faults 1 is enough")?,
        (before, n) => writeln!(out, "of {before} faults {n} are enough")?,
    }
    for fault in &lab.faults {
        writeln!(out, "  {}", printable(&fault.line()))?;
    }
    match lab.stop < *stop_before {
        true => writeln!(out, "a run of {} s is long enough, instead of {} s", lab.stop, stop_before)?,
        false => writeln!(out, "no shorter run than {} s shows it", lab.stop)?,
    }
    for (name, found) in failed(left) {
        writeln!(out, "  {name}: found {found}")?;
    }
    match &args.output {
        Some(dir) => {
            let dir = printable(&dir.display().to_string()).into_owned();
            writeln!(out, "kept in {dir}; septet run {dir}/{LAB} plays it")
        }
        None => writeln!(out, "-o DIR keeps the lab, the capture and the story"),
    }
}

fn object(out: &mut impl Write, args: &HuntArgs, prey: &Prey, runs: u64) -> io::Result<()> {
    let Prey { set, seed, record, left, lab, faults_before, stop_before } = prey;
    let of =
        |record| failed(record).into_iter().map(|(n, f)| (n.to_owned(), f.into())).collect::<serde_json::Map<_, _>>();
    let set: serde_json::Map<_, _> = set.iter().map(|(path, value)| (path.clone(), value.as_str().into())).collect();
    let object = serde_json::json!({
        "septet": "hunt",
        "version": 1,
        "found": true,
        "lab": lab.name,
        "set": set,
        "seed": seed,
        "failed": of(record),
        "faults_before": faults_before,
        "faults": lab.faults.iter().map(Fault::line).collect::<Vec<_>>(),
        "stop_before_s": stop_before.as_secs_f64(),
        "stop_s": lab.stop.as_secs_f64(),
        "left": of(left),
        "digest": left.digest,
        "runs": runs,
        "kept": args.output.as_ref().map(|dir| dir.display().to_string()),
    });
    writeln!(out, "{object}")
}

/// The lab file that is left.
const LAB: &str = "lab.toml";

/// Plays what is left once more, and keeps what comes out of it.
fn keep(dir: &Path, found_in: &Path, prey: &Prey) -> Result<(), Failure> {
    let Prey { lab, seed, .. } = prey;
    fs::create_dir_all(dir).map_err(|e| Failure::file("make", dir, &e))?;
    let path = dir.join(LAB);
    if fs::canonicalize(&path).ok().is_some_and(|own| fs::canonicalize(found_in).ok() == Some(own)) {
        let shown = path.display();
        return Err(Failure::usage(format!(
            "{shown} is the lab itself, which would be overwritten; name another directory"
        )));
    }
    let head = format!("# Found by septet hunt {} with seed {seed}.\n", printable(&found_in.display().to_string()));
    fs::write(&path, head + &lab.text).map_err(|e| Failure::file("write", &path, &e))?;
    lab_file::keep_files(dir, lab)?;
    play(dir, lab, *seed)
}

fn play(dir: &Path, lab: &Lab, seed: u64) -> Result<(), Failure> {
    let options = BuildOptions { seed: Some(seed), ..BuildOptions::default() };
    let mut run = lab.build(&options).map_err(|e| Failure::environment(e.to_string()))?;
    let all = [Kind::Summary, Kind::Capture, Kind::Events, Kind::Metrics, Kind::Output, Kind::Ca];
    let keep = Keep::begin(dir, Path::new(LAB), Wish::new(&all), &[], None, &mut run)?;
    let names = run.names();
    let told = dir.join("story.txt");
    let file = fs::File::create(&told).map_err(|e| Failure::file("write", &told, &e))?;
    let style = Style { width: None, paint: Paint::Plain };
    let story = Shared::new(Story::new(io::BufWriter::new(file), names.clone(), Length::Short, style));
    let flows = Shared::new(Flows::new(names));
    run.world.add_monitor(story.clone());
    run.world.add_monitor(flows.clone());
    // Why it does not come to its end, where it does not, is told already.
    let _ = run.play();
    let outcome = run.outcome();
    let outputs = run::named(&run);
    drop(run);
    let flows = flows.into_inner().unwrap_or_default();
    if let Some(story) = story.into_inner() {
        story.finish().map_err(|e| Failure::file("write", &told, &e))?;
    }
    keep.finish(&outcome, &outcome.summary(flows.flows(), flows.uncounted()), &outputs)
}
