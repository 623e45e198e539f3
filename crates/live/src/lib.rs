//! The lab in real time: the kernel's sockets as a Net.
