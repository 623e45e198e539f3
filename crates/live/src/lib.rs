//! The lab in real time: the wall clock, TAPs, namespaces, and the kernel's sockets as a Net.
//!
//! [`kernel`] is the kernel's sockets as a [`Net`](septet_socket::Net): everything from storey 5 up runs on it
//! unchanged. [`Pump`] drives a world by the wall clock, beside the tasks that let real programs into it.

mod border;
mod clock;
#[cfg(target_os = "linux")]
pub mod control;
mod forward;
pub mod kept;
pub mod kernel;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod machine;
mod pump;
mod secret;
mod spares;
#[cfg(target_os = "linux")]
mod up;

pub use clock::{Clock, Lag};
pub use forward::{ForwardCounters, ForwardSpec, Forwarder, InvalidForward, Protocol};
pub use pump::{BEHIND, Driven, Failure, Holder, LATE, Pump};
pub use secret::LiveRun;
#[cfg(target_os = "linux")]
pub use up::{Ended, Ending, Options, Up};
