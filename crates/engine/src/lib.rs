//! Beside the storeys: the event queue, links in flight, the world of stations.
//!
//! A [`World`] owns stations and the links between them and plays them in virtual time: one thread, no clock but its
//! own, every event in the order of (time, station, kind). Frames in flight stay in their link; only the first of each
//! link is an event. The same world with the same seed gives the same [`Digest`] on any machine.

mod action;
mod agenda;
mod digest;
pub mod executor;
mod fabric;
mod gate;
mod parcel;
mod part;
mod watch;
mod world;

pub use action::{Action, Agent, AgentId, Call};
pub use digest::Digest;
pub use gate::{Filter, FilterId, Rule, Side, Verdict};
pub use parcel::Parcel;
pub use septet_physical::Heading;
pub use world::{Circle, LinkId, PortCounters, QueueUse, QueueWatch, Stats, Storm, Unparted, World};
