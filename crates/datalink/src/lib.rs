//! Storey 2: Ethernet frames, the learning switch, point-to-point framing.

pub mod card;
pub mod check;
pub mod ethernet;
pub mod hdlc;
pub mod hub;
pub mod lapb;
pub mod llc;
pub mod ppp;
pub mod stats;
pub mod stp;
pub mod switch;
pub mod turnaround;

pub use septet_wire::vlan;
