//! What is wrong with compressed data, and where.

use core::fmt;
use std::io;

use super::Coding;

/// What is wrong with compressed data, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What the data should be.
    pub coding: Coding,
    /// How many compressed octets had been taken.
    pub offset: u64,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with compressed data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// It is not what it should be.
    Malformed(&'static str),
    /// It ends before its end.
    Truncated,
    /// More than so many octets come out.
    TooLarge(u64),
    /// More than so many times as many octets come out as went in.
    Bomb(u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coding, offset, what } = self;
        write!(f, "byte {offset} of the {} data: ", coding.name())?;
        match what {
            What::Malformed(why) => f.write_str(why),
            What::Truncated => f.write_str("it ends in the middle"),
            What::TooLarge(most) => write!(f, "more than {most} bytes come out of it, and no more may"),
            What::Bomb(ratio) => {
                write!(f, "more than {ratio} times as much comes out as went in, and no more may (a bomb?)")
            }
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for io::Error {
    /// `UnexpectedEof` where it ends in the middle, and else `InvalidData`.
    fn from(fault: Fault) -> Self {
        let kind = match fault.what {
            What::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}
