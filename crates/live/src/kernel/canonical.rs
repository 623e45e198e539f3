//! The one form in which sockets' addresses are told.

use std::net::{IpAddr, SocketAddr};

/// An address of IPv4 as such, also where a socket of IPv6 tells it.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => (v4, address.port()).into(),
        IpAddr::V6(_) => address,
    }
}
