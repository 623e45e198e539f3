//! Storey 1: bits on a wire, channels and the queue in front of them.

pub mod line_code;
pub mod phy;
