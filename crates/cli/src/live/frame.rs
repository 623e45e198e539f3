//! `septet serve http` and its kin: services as one runs them on a machine, whichever they are.
//!
//! A service brings its table (`crates/service/src/services/`) and, where it wants some, flags that are another way to write it:
//! a file here and a line of `ServiceCommand`. All else is one for all: the file is checked before anything is given up, SIGHUP
//! reads it again and no connection hears of it, SIGTERM lets connections end, root is dropped when everything is open.

pub(crate) mod dns;
pub(crate) mod flags;
pub(crate) mod http;
mod log;
mod metrics;
mod serving;
mod signals;
mod source;

use std::path::Path;

use septet_live::kernel::KernelNet;

use super::args::{FrameArgs, TapArgs};
use crate::exit::{Exit, Failure, environment};
use flags::Flags;
use log::{Level, Log};
use serving::Serving;
use signals::{Asked, Signals};
use source::Source;

/// Serves what a file says.
pub(super) fn of_file(path: &Path, frame: &FrameArgs, tap: &TapArgs) -> Result<Exit, Failure> {
    serve(&Source::File(path.to_path_buf()), frame, tap)
}

/// Serves what flags say, or the file among them.
pub(super) fn of_flags(flags: &dyn Flags, frame: &FrameArgs, tap: &TapArgs) -> Result<Exit, Failure> {
    let (service, lines) = (flags.service(), flags.lines());
    match &frame.config {
        Some(_) if !lines.is_empty() => {
            let said = lines.join(", ");
            Err(Failure::usage(format!("the table is in the file of --config, or in flags, not in both: {said}")))
        }
        Some(path) => serve(&Source::File(path.clone()), frame, tap),
        None => serve(&Source::Text(format!("[{service}]\n{}\n", lines.join("\n"))), frame, tap),
    }
}

fn serve(source: &Source, frame: &FrameArgs, tap: &TapArgs) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    let exit = runtime.block_on(async {
        let log = Log(frame.log);
        let kernel = KernelNet::new().map_err(environment)?.into_net();
        if frame.check {
            Serving::check(source, &kernel)?;
            println!("no mistakes");
            return Ok(Exit::Ok);
        }
        if let Some(interface) = &tap.tap {
            return on_tap(source, frame, tap, interface, log).await;
        }
        let mut serving = Serving::start(source, frame, kernel, log)?;
        become_user(frame)?;
        until_told(&mut serving, frame, log).await
    });
    // Whoever reads a file or asks for a name for a connection that is given up has no more to do.
    runtime.shutdown_background();
    exit
}

/// Serves until a signal ends it.
async fn until_told(serving: &mut Serving<'_>, frame: &FrameArgs, log: Log) -> Result<Exit, Failure> {
    let mut signals = Signals::new().map_err(environment)?;
    let exit = loop {
        match signals.next().await {
            Asked::Reload => serving.reload(),
            Asked::End(exit) => break exit,
        }
    };
    serving.retire();
    // Who waits at a listener lets it go when its task has its turn, which is before this one has another.
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
    log.event(Level::Info, "stopping", &[("connections", serving.connections().into())]);
    tokio::select! {
        () = serving.ended() => {}
        () = tokio::time::sleep(frame.grace) => {
            log.event(Level::Info, "grace.over", &[("connections", serving.connections().into())]);
        }
        // Asked twice it does not wait any more.
        () = async { while signals.next().await == Asked::Reload {} } => {}
    }
    log.event(Level::Info, "stopped", &[]);
    Ok(exit)
}

#[cfg(target_os = "linux")]
fn become_user(frame: &FrameArgs) -> Result<(), Failure> {
    let Some(name) = &frame.user else { return Ok(()) };
    septet_live::linux::user::become_user(name).map_err(|e| Failure::environment(format!("--user {name}: {e}")))
}

#[cfg(not(target_os = "linux"))]
fn become_user(frame: &FrameArgs) -> Result<(), Failure> {
    match &frame.user {
        Some(_) => Err(Failure::environment("--user: another user can be become on Linux only")),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
async fn on_tap(source: &Source, frame: &FrameArgs, tap: &TapArgs, interface: &str, log: Log) -> Result<Exit, Failure> {
    let stack = super::serve::stack(tap, interface, |_| ())?;
    let mut serving = Serving::start(source, frame, stack.net(), log)?;
    become_user(frame)?;
    // What was done to its sockets from here is seen to at once.
    let told = stack.drive(until_told(&mut serving, frame, log));
    tokio::select! {
        result = stack.run() => result.map(|()| Exit::Ok).map_err(environment),
        exit = told => exit,
    }
}

#[cfg(not(target_os = "linux"))]
async fn on_tap(_: &Source, _: &FrameArgs, _: &TapArgs, _: &str, _: Log) -> Result<Exit, Failure> {
    Err(Failure::environment("--tap: our own TCP/IP on a TAP needs Linux"))
}
