//! What a host is: storeys 2 to 4 over one another, its sockets, and who waits for them.
//!
//! Nothing here knows how programs hold a socket; they call through [`handle`](crate::handle).

mod admin;
mod config;
mod counters;
mod counting;
mod counting_calls;
mod errors;
mod inbox;
mod lens;
mod listeners;
mod listening;
pub mod middlebox;
mod packets;
mod ping;
mod plain_calls;
mod reports;
mod routing;
mod routing_calls;
mod slots;
mod speaker;
mod storeys;
mod tcp;
mod tcp_calls;
mod udp;
mod udp_calls;
mod upper;
mod wakers;
mod watchers;

pub use config::{ByHand, HostConfig, Neighbor, system_randomness};
pub(crate) use counters::all as counters;
pub use counters::metrics;
pub use lens::PacketLens;
pub(crate) use listening::Late;
pub use listening::{Accept, Listening, ListeningRule};
pub(crate) use packets::Hears;
pub(crate) use slots::SlotId;
pub use speaker::Speaker;
pub(crate) use storeys::Storeys;
pub(crate) use udp_calls::SocketName;
pub(crate) use upper::UPPERS;
