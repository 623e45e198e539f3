//! Packet scripts: tests of a TCP that say what arrives, what the program does, and what must be sent, when.
//!
//! The language is packetdrill's (Cardwell et al., "packetdrill: Scriptable Network Stack Testing, from Sockets to
//! Packets", USENIX ATC 2013), as far as our scripts need it. A script runs over the stack of a host in virtual time, and
//! every time is exact: what must be sent at `+.2` must be sent at that nanosecond, and nothing else may be sent.

pub mod bench;
pub mod code;
mod error;
mod flow;
mod icmp;
mod lex;
pub mod names;
mod parse;
pub mod run;
mod show;
pub mod syntax;
pub mod wire;

pub use error::{At, Error, ErrorKind};
pub use parse::parse;
