//! Headers as they stand on the wire: each is read and written here, and nowhere else.
//!
//! A module a protocol, from [`ethernet`] up to [`tcp`]: what the storeys send, and what whoever looks at a frame on its way
//! (a filter, a queue, a capture) reads of it. [`ethernet::payload`] and [`packet`] find their way through a frame of which nothing is
//! known yet, and say no more than the bytes do.

pub mod arp;
pub mod bgp;
pub mod dhcp;
pub mod ethernet;
pub mod extension;
pub mod icmp;
pub mod icmpv6;
pub mod igmp;
pub mod ipv4;
pub mod ipv6;
pub mod membership;
pub mod mld;
pub mod nd;
pub mod ospf;
pub mod packet;
mod pseudo;
mod reported;
pub mod rip;
pub mod tcp;
mod trouble;
pub mod udp;
pub mod vlan;

pub use ipv4::protocol;
pub use pseudo::pseudo_header;
pub use reported::reported;
pub use trouble::{HeaderFault, Trouble};
