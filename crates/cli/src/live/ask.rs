//! `septet fault`, `undo`, `forward`, `status`, `stop`: one request to a running lab.

use std::io::{self, Write};

use septet_live::control::{self, Client, Fault, FaultState, Reply, Request, Status};

use super::args::{FaultArgs, ForwardArgs, StatusArgs, StopArgs, UndoArgs};
use crate::exit::{Exit, Failure, environment};
use crate::terminal::{Stdout, tell};

pub(super) fn fault(args: &FaultArgs) -> Result<Exit, Failure> {
    match ask(&args.lab, &Request::Fault { text: args.fault.clone() })? {
        Reply::Fault { id, after } => {
            say(|out| writeln!(out, "{id}"))?;
            if after > 0.0 {
                tell!("septet: pending, in {after:.1} s; `septet undo {} {id}` calls it off", args.lab);
            } else {
                tell!("septet: it happens; `septet undo {} {id}` undoes what lasts", args.lab);
            }
            Ok(Exit::Ok)
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) fn undo(args: &UndoArgs) -> Result<Exit, Failure> {
    ask(&args.lab, &Request::Undo { id: args.id }).map(|_| Exit::Ok)
}

pub(super) fn forward(args: &ForwardArgs) -> Result<Exit, Failure> {
    match ask(&args.lab, &Request::Forward { spec: args.forward.to_string() })? {
        Reply::Forward(forward) => {
            say(|out| writeln!(out, "{} -> {}", forward.from, forward.to))?;
            Ok(Exit::Ok)
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) fn stop(args: &StopArgs) -> Result<Exit, Failure> {
    ask(&args.lab, &Request::Stop {}).map(|_| Exit::Ok)
}

pub(super) fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    let names = match &args.lab {
        Some(name) => vec![name.clone()],
        None => control::running().map_err(environment)?,
    };
    if names.is_empty() && !args.json {
        tell!("septet: no lab runs; start one with `septet up LAB`");
    }
    for name in names {
        let status = match ask(&name, &Request::Status {})? {
            Reply::Status(status) => status,
            other => return Err(unexpected(&other)),
        };
        if args.json {
            say(|out| writeln!(out, "{}", serde_json::json!(status)))?;
        } else {
            say(|out| show(out, &status))?;
        }
    }
    Ok(Exit::Ok)
}

/// Status in words.
fn show(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let Status { lab, pid, time, lag_max, lag_p99, lost, hosts, forwards, faults, .. } = status;
    writeln!(out, "{lab}: up for {time:.1} s, process {pid}")?;
    writeln!(out, "  events {:.3} ms late at most, 99 % within {:.3} ms", lag_max * 1e3, lag_p99 * 1e3)?;
    if *lost > 0.0 {
        writeln!(
            out,
            "  its clock has lost {lost:.3} s against the wall's: rates are lower, delays longer than its file says"
        )?;
    }
    for (name, addresses) in hosts {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        writeln!(out, "  {name}  {}", addresses.join(" "))?;
    }
    for forward in forwards {
        writeln!(out, "  {} -> {}", forward.from, forward.to)?;
    }
    for Fault { id, text, state, at, until } in faults {
        let standing = match (state, at, until) {
            (FaultState::Pending, at, _) => format!("pending, from {:.1} s", at.unwrap_or_default()),
            (FaultState::InForce, _, Some(until)) => format!("in force until {until:.1} s"),
            (FaultState::InForce, _, None) => "in force".to_owned(),
        };
        writeln!(out, "  fault {id}: {text} ({standing})")?;
    }
    Ok(())
}

/// One request, one answer.
fn ask(lab: &str, request: &Request) -> Result<Reply, Failure> {
    Client::connect(lab).and_then(|mut client| client.ask(request)).map_err(environment)
}

fn say(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = Stdout::new();
    write(&mut out).and_then(|()| out.flush()).map_err(Failure::stdout)
}

pub(super) fn unexpected(reply: &Reply) -> Failure {
    Failure::environment(format!("the lab answers {reply:?}: is it of another version?"))
}
