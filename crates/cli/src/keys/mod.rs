//! `septet keys`: what keys do, message by message, and what they cost.

mod demo;
mod random;
mod speed;

use std::io::Write as _;

use clap::Subcommand;

use crate::exit::{Exit, Failure};
use crate::terminal::Stdout;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Tell message by message how a text is kept from others in four ways, and what an eavesdropper reads of each
    Demo {
        /// The text
        #[arg(value_name = "TEXT", default_value = "Meet me at noon.")]
        text: String,
    },
    /// Measure on this machine how many bytes a second each way of closing and opening takes
    Speed {
        /// How long each is measured, in milliseconds
        #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
        time: u64,
        /// Print one JSON object a line instead of a table
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn keys(command: &KeysCommand) -> Result<Exit, Failure> {
    let text = match command {
        KeysCommand::Demo { text } => demo::demo(text.as_bytes())?,
        KeysCommand::Speed { time, json } => speed::speed(std::time::Duration::from_millis(*time), *json)?,
    };
    let mut out = Stdout::new();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::stdout)?;
    Ok(Exit::Ok)
}
