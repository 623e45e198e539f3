//! UDP (RFC 768): sockets, connected or not, with the errors that ICMP brings, multicast membership and segmentation.

mod endpoint;
mod error;
mod mib;
pub mod wire;

pub use endpoint::{Cast, Endpoint, Meta, Reach, Readiness, Received, Refused, SocketId, Transmit, split};
pub use error::Error;
pub use mib::Mib;
