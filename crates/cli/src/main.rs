//! The septet command.
//!
//! Results go to stdout, everything else to stderr; [`exit::Exit`] lists the exit codes.

mod args;
mod bench;
mod bits;
mod ca;
mod check;
mod convert;
mod exit;
mod hunt;
mod interrupt;
mod io;
mod keep;
mod keys;
mod lab_file;
mod limits;
mod list;
mod live;
mod plot;
mod report;
mod run;
mod sniff;
mod study;
mod sweep;
mod terminal;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use exit::{Exit, Failure};
use terminal::Stdout;

fn main() -> ExitCode {
    exit::on_panic();
    // clap ends the process with 2 on a wrong command line, with 0 after --help.
    let cli = Cli::parse();
    match dispatch(&cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.tell();
            failure.exit.into()
        }
    }
}

fn dispatch(command: &Command) -> Result<Exit, Failure> {
    let mut out = Stdout::new();
    match command {
        Command::Run(args) => run::run(args),
        Command::Hunt(args) => hunt::hunt(args),
        Command::Check(args) => check::check(args),
        Command::List(args) => list::list(args),
        Command::Bench(args) => bench::bench(args),
        Command::Calibrate => io::calibrate(),
        Command::IoServer(args) => io::serve(args),
        Command::Study(command) => study::study(command),
        Command::Plot(args) => plot::plot(args),
        Command::Convert(args) => convert::convert(args),
        Command::Sniff(args) => sniff::sniff(args),
        Command::Ca(command) => ca::ca(command),
        Command::Keys(command) => keys::keys(command),
        Command::Live(command) => live::run(command),
        Command::Schema => {
            writeln!(out, "{:#}", septet_lab::json_schema()).and_then(|()| out.flush()).map_err(Failure::stdout)?;
            Ok(Exit::Ok)
        }
        Command::Completions { shell } => {
            // Into memory first: the generator has no words for a disk that is full.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "septet", &mut script);
            out.write_all(&script).and_then(|()| out.flush()).map_err(Failure::stdout)?;
            Ok(Exit::Ok)
        }
    }
}
