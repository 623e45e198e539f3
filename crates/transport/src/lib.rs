//! Storey 4: TCP and UDP.
//!
//! Both are state machines: segments, calls and `now` go in; segments, readiness and the next deadline come out. They
//! own no clock, no socket and no thread, and know the host only through the addresses and the MTU it hands in.

mod ecn;
mod icmp;
pub mod tcp;
pub mod udp;

pub use ecn::Ecn;
pub use icmp::{Belief, IcmpError};
pub use septet_wire::{HeaderFault, Trouble};
