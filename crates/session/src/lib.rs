//! Storey 5, session: a conversation that is set up, kept, synchronized and ended in order, and that outlives its transport.
//!
//! - [`tpkt`] and [`cotp`]: ISO transport over TCP (RFC 1006, X.224 class 0);
//! - [`spdu`]: the protocol data units of ISO session (X.225, ISO 8327-1), coded and decoded;
//! - [`spm`]: the session protocol machine, its state table and its variables;
//! - [`Connection`]: all of them over the octets of one TCP connection;
//! - [`transfer`]: files that arrive whole and once, however often the transport breaks.
//!
//! Everything is sans-IO: octets, requests and the time go in; octets, events and the next deadline come out.

mod connection;
pub mod cotp;
mod malformed;
pub mod spdu;
pub mod spm;
pub mod tpkt;
pub mod transfer;

pub use connection::{Config, Connection, Transmit};
pub use malformed::Malformed;
