//! The lab in real time: the wall clock, TAPs, namespaces, and the kernel's sockets as a Net.
//!
//! [`kernel`] is the kernel's sockets as a [`Net`](septet_socket::Net): everything from storey 5 up runs on it
//! unchanged.

pub mod kernel;
#[cfg(target_os = "linux")]
pub mod linux;
