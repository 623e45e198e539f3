//! UDP (RFC 768): sockets, connected or not, with the errors that ICMP brings, multicast membership and segmentation.

mod endpoint;
mod error;
mod meaning;
mod mib;
mod segment;

pub use septet_wire::udp as wire;

pub use endpoint::{Cast, Coalescing, Endpoint, Meta, Reach, Readiness, Received, Refused, SocketId, Transmit};
pub use error::Error;
pub use mib::Mib;
pub use segment::split;
