//! What programs hold of a host: its network and its sockets, as plain ids that find their host at each call.

mod admin;
mod here;
mod net;
mod packet;
mod ping;
mod ready;
mod registry;
mod scope;
mod sockets;
mod tcp;
mod udp;

pub use here::Here;
pub(crate) use here::lend;
pub(crate) use net::HostNet;
pub(crate) use registry::{HostKey, enter, leave};
pub(crate) use sockets::Sockets;
pub use tcp::{ListenerHandle, StreamHandle};
pub use udp::UdpHandle;
