//! The stairs: what a program may ask of a network.
//!
//! Everything from storey 5 up is written against [`Net`] and runs, unchanged, on a simulated host, on our stack over
//! a TAP, and on the kernel's sockets. Streams implement tokio's [`AsyncRead`](tokio::io::AsyncRead) and
//! [`AsyncWrite`](tokio::io::AsyncWrite) without needing tokio's runtime. Errors are [`std::io::Error`] with the kinds
//! that the kernel would give.
//!
//! What every server needs is here as well, once: [`Acceptor`] takes connections, [`relay()`] carries bytes between two
//! ends, and [`Stream`] is what all ends have in common.

mod accept;
pub mod admin;
pub mod cpu;
mod ext;
mod icmp;
mod net;
mod options;
mod packet;
mod relay;
mod stream;
mod system;
mod system_groups;
mod tcp;
mod udp;
mod watch;

pub use accept::{Accepted, Acceptor, Full, Listener, Place, Places, Reserve};
pub use admin::{Admin, AdminImpl, Changes, ChangesImpl};
pub use ext::{Elapsed, NetExt};
pub use icmp::{EchoReply, IcmpSocket, IcmpSocketImpl, IpOptions, MtuDiscovery, Unreached};
pub use net::{BoxFuture, Entropy, Lookup, Net, NetRef, Note, Sleep, Spawned};
pub use options::{ListenOptions, Nodelay, TcpOptions};
pub use packet::{PacketSocket, PacketSocketImpl, RawPacket, Taken};
pub use relay::{Bounds, End, GATHERED_FOR, Way, relay};
pub use septet_transport::{HeaderFault, Trouble};
pub use stream::{Stream, Writes};
pub use system::{System, SystemRef, TcpSocketId};
pub use system_groups::SystemGroups;
pub use tcp::{TcpListener, TcpListenerImpl, TcpStream, TcpStreamImpl};
pub use udp::{Broadcast, Coalescing, Datagram, GroupChange, Looping, UdpSocket, UdpSocketImpl};
pub use watch::{Watch, Watched, Wish};
