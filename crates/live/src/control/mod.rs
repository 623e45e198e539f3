//! The control socket of a running lab: one JSON object a line, both ways.
//!
//! A Unix socket of mode 0600 in a directory of mode 0700, named after the lab: [`path`] says where. Each request is a
//! [`Request`], each answer one or more [`Reply`] lines, the last of which is not [`Reply::Out`] or [`Reply::Err`].
//! After the answer to [`Request::Plug`] the client sends one byte that carries the descriptor of its TAP.

mod client;
mod descriptor;
pub mod path;
mod protocol;
mod server;

pub use client::{Client, running};
pub use protocol::{Fault, FaultState, Forward, Place, Reply, Request, Status, VERSION};
pub use server::{Answer, Handler, Server};
