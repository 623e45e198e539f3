//! The commands that put a lab on the wall clock and let real programs into it.

pub(crate) mod args;
#[cfg(target_os = "linux")]
mod ask;
#[cfg(target_os = "linux")]
mod exec;
mod frame;
mod program;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod up;

use args::{LiveCommand, ServeArgs};

use crate::exit::{Exit, Failure};
use crate::terminal::tell;

#[cfg(target_os = "linux")]
pub(crate) fn run(command: &LiveCommand) -> Result<Exit, Failure> {
    match command {
        LiveCommand::Up(args) => up::up(args),
        LiveCommand::Exec(args) => exec::exec(args),
        LiveCommand::Init { argv } => exec::init(argv),
        LiveCommand::Map { pid } => {
            septet_live::linux::ids::map_from_outside(*pid);
            Ok(Exit::Ok)
        }
        LiveCommand::Program { .. }
        | LiveCommand::Send { .. }
        | LiveCommand::Receive { .. }
        | LiveCommand::Chat { .. } => program::program(&command.program().unwrap_or_default()),
        LiveCommand::Fault(args) => ask::fault(args),
        LiveCommand::Undo(args) => ask::undo(args),
        LiveCommand::Forward(args) => ask::forward(args),
        LiveCommand::Status(args) => ask::status(args),
        LiveCommand::Stop(args) => ask::stop(args),
        LiveCommand::Serve(args) => match services(args) {
            Some(result) => result,
            None => serve::serve(args),
        },
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(command: &LiveCommand) -> Result<Exit, Failure> {
    if let Some(argv) = command.program() {
        return program::program(&argv);
    }
    if let LiveCommand::Serve(args) = command
        && let Some(result) = services(args)
    {
        return result;
    }
    Err(Failure::environment("labs in real time need Linux; `septet run` plays them in virtual time everywhere"))
}

/// Runs services, where that is what is asked.
fn services(args: &ServeArgs) -> Option<Result<Exit, Failure>> {
    if let Some(service) = &args.service {
        let (flags, frame, tap) = service.parts();
        return Some(frame::of_flags(flags, frame, tap));
    }
    args.frame.config.as_ref().map(|path| frame::of_file(path, &args.frame, &args.tap))
}

/// Says what of a lab means nothing in virtual time.
pub(crate) fn warn_of_what_is_real(lab: &septet_lab::Lab) {
    for node in &lab.nodes {
        let Some(spec) = node.spec.host() else { continue };
        let outside = spec.stack.services.iter().any(|s| !s.doors().is_empty());
        for (key, given) in [("exec", spec.exec.is_some()), ("tap", spec.tap.is_some()), ("outside", outside)] {
            if given {
                let name = &node.name;
                tell!("septet: {key} of {name}: nothing real takes part in virtual time; `septet up` lets it");
            }
        }
    }
}
