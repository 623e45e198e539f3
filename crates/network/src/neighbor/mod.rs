//! The neighbour cache: which link address an IP address has. ARP and neighbour discovery both fill it.

mod cache;
mod discovery;

pub use cache::{
    BASE_REACHABLE, Cache, DELAY_FIRST_PROBE, Due, Evidence, LOCKTIME, Learned, NeighborId, Origin, Output, QUEUE,
    RETRANS, SOLICITATIONS, Solicit, State, Waiting,
};
pub use discovery::Advertised;
