//! `septet bench`: what Septet costs.

use std::io::Write;

use septet_bench::{Options, WORKLOADS};

use crate::args::BenchArgs;
use crate::exit::{Exit, Failure};
use crate::io;
use crate::terminal::{Stdout, tell};

pub(crate) fn bench(args: &BenchArgs) -> Result<Exit, Failure> {
    let mut out = Stdout::new();
    if args.list {
        let width = WORKLOADS.iter().map(|w| w.name.len()).max().unwrap_or(0);
        let all = WORKLOADS.iter().map(|w| (w.name, w.help)).chain([(io::NAME, io::HELP)]);
        for (name, help) in all {
            writeln!(out, "{name:width$}  {help}").map_err(Failure::stdout)?;
        }
        out.flush().map_err(Failure::stdout)?;
        return Ok(Exit::Ok);
    }
    if args.workloads.iter().any(|name| name == io::NAME) {
        return match &args.workloads[..] {
            [_] => io::bench(args),
            _ => Err(Failure::usage(format!("`{}` has figures of its own: run it alone", io::NAME))),
        };
    }
    if args.output.is_some() {
        return Err(Failure::usage(format!("-o draws the figures of `{}`, and of nothing else", io::NAME)));
    }
    if !(args.scale > 0.0 && args.scale <= 1.0) {
        return Err(Failure::usage(format!("--scale {}: above 0 and at most 1", args.scale)));
    }
    let known: Vec<&str> = WORKLOADS.iter().map(|w| w.name).collect();
    let names: Vec<&str> = match args.workloads.is_empty() {
        true => known.clone(),
        false => args.workloads.iter().map(String::as_str).collect(),
    };
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        let known = known.join(", ");
        return Err(Failure::usage(format!("no workload is called `{unknown}`; there are {known}, {}", io::NAME)));
    }
    let options = Options { seed: args.seed, scale: args.scale };
    let mut reports = Vec::new();
    let mut exit = Exit::Ok;
    for name in names {
        match septet_bench::run(name, &options) {
            // Each as soon as it is known: a suite takes its time.
            Ok(report) if args.json => {
                writeln!(out, "{}", report.to_json()).and_then(|()| out.flush()).map_err(Failure::stdout)?;
            }
            Ok(report) => reports.push(report),
            Err(failure) => {
                tell!("septet: {name}: {failure}");
                exit = Exit::Expectation;
            }
        }
    }
    if !args.json {
        write!(out, "{}", septet_bench::table(&reports)).map_err(Failure::stdout)?;
    }
    out.flush().map_err(Failure::stdout)?;
    Ok(exit)
}
