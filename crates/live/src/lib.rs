//! The lab in real time: the wall clock, TAPs, namespaces, and the kernel's sockets as a Net.

#[cfg(target_os = "linux")]
pub mod linux;
