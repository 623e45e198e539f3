//! The septet command.
//!
//! Results go to stdout, everything else to stderr; [`exit::Exit`] lists the exit codes.

mod args;
mod exit;
mod interrupt;
mod terminal;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    exit::on_panic();
    // clap ends the process with 2 on a wrong command line, with 0 after --help.
    let cli = Cli::parse();
    match dispatch(cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("septet: {failure}");
            failure.exit.into()
        }
    }
}

fn dispatch(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "septet", &mut terminal::Stdout::new());
            Ok(Exit::Ok)
        }
        _ => Err(Failure::usage("not yet")),
    }
}
