//! Why a simulation could not be made, or did not go well.

use core::fmt;

use septet_engine::Storm;
use septet_lab::{BuildError, Mistakes};

use crate::sim::ProgramError;

/// Why a simulation could not be made, or did not go well.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The lab text has mistakes; all of them are told.
    Lab(Mistakes),
    /// The lab could not be built.
    Build(BuildError),
    /// The lab has no host of that name.
    NoHost {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        hosts: Vec<String>,
    },
    /// The world has a loop without delay.
    Storm(Storm),
    /// A program ended with an error.
    Program {
        /// The host that it ran on.
        host: String,
        /// What it said.
        error: ProgramError,
    },
    /// A program had not ended when the lab stopped.
    Unfinished {
        /// The hosts with such programs.
        hosts: Vec<String>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lab(mistakes) => mistakes.fmt(f),
            Self::Build(e) => e.fmt(f),
            Self::NoHost { name, hosts } => write!(f, "no host `{name}` in this lab; it has {}", hosts.join(", ")),
            Self::Storm(e) => e.fmt(f),
            Self::Program { host, error } => write!(f, "the program on `{host}` failed: {error}"),
            Self::Unfinished { hosts } => {
                write!(f, "still running when the lab stopped: the programs on {}; a later `stop`?", hosts.join(", "))
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<Mistakes> for Error {
    fn from(e: Mistakes) -> Self {
        Self::Lab(e)
    }
}

impl From<BuildError> for Error {
    fn from(e: BuildError) -> Self {
        Self::Build(e)
    }
}

impl From<Storm> for Error {
    fn from(e: Storm) -> Self {
        Self::Storm(e)
    }
}
