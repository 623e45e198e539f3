//! Storeys 2 to 4 stacked into one host whose sockets implement `Net`.
//!
//! A [`Host`] is a [`Station`](septet_core::Station): frames climb from Ethernet over IP to TCP, UDP and the sockets,
//! programs run, and what they wrote goes down the same stairs. A router is a host that forwards. Programs never run
//! while the host is in use: first the frame is handled, then tasks run until none is ready, then what they caused is
//! sent.

mod clock;
mod disk;
mod handle;
mod host;
mod l3switch;
mod stack;

pub use clock::Clock;
pub use disk::Disk;
pub use handle::{Here, ListenerHandle, StreamHandle, UdpHandle};
pub use host::Host;
pub use l3switch::LayerThreeSwitch;
pub use septet_network::{Forwarding, InterfaceConfig, StaticRoute};
pub use stack::middlebox;
pub use stack::{
    Accept, ByHand, HostConfig, Listening, ListeningRule, Neighbor, PacketLens, Speaker, metrics, system_randomness,
};
