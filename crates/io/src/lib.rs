//! One server in four styles of input and output, on the kernel's sockets: what each costs as connections grow. And what the
//! kernel's own part in it costs: system calls, context switches, copies, wake-ups.
//!
//! A style is a file in `styles` and its line in [`STYLES`]: it knows how to wait for connections and bytes, and nothing of what they
//! say. What is answered is [`Session`]'s, the same for all. The server runs in a process of its own, so that the kernel's account of
//! it is not mixed with that of the clients.
#![cfg(target_os = "linux")]

mod calibrate;
mod client;
mod limits;
mod measure;
mod outcome;
mod server;
mod session;
mod styles;

pub use calibrate::{Costs, calibrate};
pub use measure::{Plan, measure};
pub use outcome::{Outcome, svg, table};
pub use server::serve;
pub use session::Protocol;
pub use styles::{STYLES, Style};
