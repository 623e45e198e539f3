//! `septet exec`: a program on a host of a running lab.
//!
//! The process has one thread from its start to its end: it could not enter a user namespace otherwise.

use std::io::{self, Write};

use septet_application::programs;
use septet_live::control::{self, Client, Reply, Request};
use septet_live::linux::exec as place;

use super::args::ExecArgs;
use super::ask::unexpected;
use crate::exit::{Exit, Failure, environment};
use crate::terminal::{Stdout, tell, tell_part};

pub(super) fn exec(args: &ExecArgs) -> Result<Exit, Failure> {
    let lab = match &args.lab {
        Some(name) => name.clone(),
        None => only_one()?,
    };
    let mut client = Client::connect(&lab).map_err(environment)?;
    let built_in = !args.real && args.argv.first().is_some_and(|program| programs::find(program).is_some());
    if built_in {
        return run(&mut client, args);
    }
    place::exec(&mut client, &args.host, &args.argv).map(Exit::Of).map_err(environment)
}

pub(super) fn init(argv: &[String]) -> Result<Exit, Failure> {
    match place::init(argv) {
        Ok(code) => Ok(Exit::Of(code)),
        Err(e) => {
            // As a shell has it: 127 where there is no such program, 126 where it cannot be run.
            tell!("septet: {e}");
            Ok(Exit::Of(if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 }))
        }
    }
}

/// The lab, where one runs and no other.
fn only_one() -> Result<String, Failure> {
    let mut running = control::running().map_err(environment)?;
    match running.len() {
        0 => Err(Failure::environment("no lab runs; start one with `septet up LAB`")),
        1 => Ok(running.remove(0)),
        _ => Err(Failure::usage(format!("several labs run; say which with --lab: {}", running.join(", ")))),
    }
}

/// A built-in program, whose output comes over the control socket.
fn run(client: &mut Client, args: &ExecArgs) -> Result<Exit, Failure> {
    let request = Request::Run { host: args.host.clone(), argv: args.argv.clone() };
    client.send(&request).map_err(environment)?;
    let mut out = Stdout::new();
    loop {
        match client.receive().map_err(environment)? {
            Reply::Out { text } => {
                out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::stdout)?
            }
            Reply::Err { text } => tell_part!("{text}"),
            Reply::Exit { code } => return Ok(Exit::Of(code)),
            Reply::Error { text } => return Err(Failure::environment(text)),
            other => return Err(unexpected(&other)),
        }
    }
}
