//! Blocking and non-blocking sockets in the standard library's shape: straight code that waits in its calls, or is told
//! `WouldBlock` at once and asks a [`Poll`] when to call again.
//!
//! The same code runs on a simulated host and on the kernel's sockets. A [program](program::start) that is started on a network
//! in virtual time is a coroutine on the executor of its host: where a call waits, the host's other programs and the world go
//! on, and a run is as deterministic as any. Started on the machine's own network it is a thread, and its sockets are the
//! kernel's; so are those of code that runs in no program at all, where this crate is what `std` is.
//!
//! A simulated host's calls come from its `Process` (`septet-posix`), with the numbers and errors of Linux.

mod call;
mod descriptor;
pub mod net;
pub mod poll;
pub mod program;
mod tell;
pub mod thread;
pub mod time;

pub use net::{TcpListener, TcpStream, UdpSocket};
pub use poll::Poll;
pub use program::{Failure, Program, start};
pub use tell::METRICS;
