//! DHCP for IPv4 (RFC 2131): a server with pools of addresses, a relay, and the client by which a host gets its own.
//!
//! [`lease::Server`], [`relaying`] and [`machine::Machine`] are state machines without sockets; [`serve`], [`relay`] and
//! [`Client`] play them on a [`Net`](septet_socket::Net).

mod client;
pub mod lease;
pub mod machine;
mod names;
mod relay;
pub mod relaying;
mod server;

pub use client::{CONTROL_PORT, Client, METRICS as CLIENT_METRICS, Memory};
pub use relay::{METRICS as RELAY_METRICS, relay};
pub use server::{Book, METRICS as SERVER_METRICS, serve};

use std::net::{Ipv4Addr, SocketAddr};

use septet_wire::dhcp::{CLIENT_PORT, Message, SERVER_PORT};

/// To all on the link.
const TO_ALL: Ipv4Addr = Ipv4Addr::BROADCAST;

const fn server_at(address: Ipv4Addr) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(address), SERVER_PORT)
}

const fn client_at(address: Ipv4Addr) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(address), CLIENT_PORT)
}

/// A message's type as counters have it: `discover`.
fn short(message: &Message) -> String {
    message.options.kind.as_str().trim_start_matches("DHCP").to_ascii_lowercase()
}
