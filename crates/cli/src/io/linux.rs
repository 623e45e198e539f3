//! The same on Linux.

use std::io::Write as _;
use std::process::Command;

use septet_io::{Outcome, Plan, Protocol, Style};

use crate::args::{BenchArgs, IoServerArgs};
use crate::exit::{Exit, Failure};
use crate::terminal::{Stdout, tell};

/// As many as there are ports for clients on one address.
const MOST: usize = 28_000;

pub(crate) fn bench(args: &BenchArgs) -> Result<Exit, Failure> {
    if let Some(count) = args.connections.iter().find(|count| !(1..=MOST).contains(*count)) {
        return Err(Failure::usage(format!("--connections {count}: from 1 to {MOST}")));
    }
    let plan = Plan { connections: args.connections.clone(), requests: args.requests };
    let server = |style: &Style, protocol: Protocol| {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["__io-server", style.name, protocol.name()]);
        Ok(command)
    };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut written = Ok(());
    septet_io::measure(&plan, server, |outcome| {
        if args.json {
            // Each as soon as it is known: all together take minutes.
            let mut out = Stdout::new();
            let line = writeln!(out, "{}", outcome.to_json()).and_then(|()| out.flush());
            written = std::mem::replace(&mut written, Ok(())).and(line);
        }
        if let Err(why) = &outcome.figures {
            let Outcome { style, protocol, connections, .. } = &outcome;
            tell!("septet: {} by {style} over {connections} connections: {why}", protocol.name());
        }
        outcomes.push(outcome);
    });
    written.map_err(Failure::stdout)?;
    let mut out = Stdout::new();
    if !args.json {
        write!(out, "{}", septet_io::table(&outcomes)).and_then(|()| out.flush()).map_err(Failure::stdout)?;
    }
    if let Some(path) = &args.output {
        std::fs::write(path, septet_io::svg(&outcomes))
            .map_err(|e| Failure::environment(format!("{}: {e}", path.display())))?;
    }
    Ok(if outcomes.iter().all(|outcome| outcome.figures.is_ok()) { Exit::Ok } else { Exit::Expectation })
}

pub(crate) fn calibrate() -> Result<Exit, Failure> {
    let costs = septet_io::calibrate().map_err(|e| Failure::environment(format!("nothing can be measured: {e}")))?;
    let mut out = Stdout::new();
    write!(out, "{}", costs.to_toml()).and_then(|()| out.flush()).map_err(Failure::stdout)?;
    Ok(Exit::Ok)
}

pub(crate) fn serve(args: &IoServerArgs) -> Result<Exit, Failure> {
    let style = Style::find(&args.style).ok_or_else(|| Failure::usage(format!("no style `{}`", args.style)))?;
    let protocol = Protocol::find(&args.protocol);
    let protocol = protocol.ok_or_else(|| Failure::usage(format!("no protocol `{}`", args.protocol)))?;
    match septet_io::serve(style, protocol) {
        Ok(()) => Ok(Exit::Ok),
        Err(e) => Err(Failure::environment(format!("the server has come to its end: {e}"))),
    }
}
