//! What programs hold of a host: its network and its sockets, as plain ids that find their host at each call.

mod admin;
mod net;
mod packet;
mod ping;
mod registry;
mod scope;
mod sockets;
mod tcp;
mod udp;

pub(crate) use net::HostNet;
pub(crate) use registry::{HostKey, enter, leave};
pub(crate) use scope::lend;
pub(crate) use sockets::Sockets;
