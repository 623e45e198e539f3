//! UDP (RFC 768): sockets, connected or not, with the errors that ICMP brings, multicast membership and segmentation.

mod endpoint;
mod error;
mod groups;
mod meaning;
mod mib;
mod segment;

pub use septet_wire::udp as wire;

pub use endpoint::{
    Broadcast, Cast, Coalescing, Endpoint, Looping, Meta, Reach, Readiness, Received, Refused, SocketId, Transmit,
};
pub use error::Error;
pub use groups::{GroupChange, Membership};
pub use mib::Mib;
pub use segment::split;
