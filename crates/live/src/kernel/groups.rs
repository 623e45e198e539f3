//! Multicast on the kernel's UDP sockets, by the options of RFC 3678, which are the same for both versions of IP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_socket::{GroupChange, Looping};
use tokio::net::UdpSocket;

use crate::linux::sys::set_option;

const SOL_IP: i32 = 0;
const SOL_IPV6: i32 = 41;
const IP_MULTICAST_IF: i32 = 32;
const IP_MULTICAST_TTL: i32 = 33;
const IP_MULTICAST_LOOP: i32 = 34;
const MCAST_JOIN_GROUP: i32 = 42;
const MCAST_BLOCK_SOURCE: i32 = 43;
const MCAST_UNBLOCK_SOURCE: i32 = 44;
const MCAST_LEAVE_GROUP: i32 = 45;
const MCAST_JOIN_SOURCE_GROUP: i32 = 46;
const MCAST_LEAVE_SOURCE_GROUP: i32 = 47;
const IP_MULTICAST_ALL: i32 = 49;
const IPV6_MULTICAST_IF: i32 = 17;
const IPV6_MULTICAST_HOPS: i32 = 18;
const IPV6_MULTICAST_LOOP: i32 = 19;
const IPV6_MULTICAST_ALL: i32 = 29;

/// An option by its number over IPv4 and over IPv6.
fn set(socket: &UdpSocket, four: i32, six: i32, value: &[u8]) -> io::Result<()> {
    let option = if socket.local_addr()?.is_ipv4() { (SOL_IP, four) } else { (SOL_IPV6, six) };
    set_option(socket, option, value)
}

/// The number of the interface of that name; zero where there is none, which lets the kernel choose.
fn index(on: Option<&str>) -> io::Result<u32> {
    let Some(name) = on else { return Ok(0) };
    let missing = |_| io::Error::new(io::ErrorKind::NotFound, format!("there is no interface `{name}`"));
    nix::net::if_::if_nametoindex(name).map_err(missing)
}

pub(super) fn set_ttl(socket: &UdpSocket, ttl: u8) -> io::Result<()> {
    set(socket, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, &i32::from(ttl).to_ne_bytes())
}

pub(super) fn set_looping(socket: &UdpSocket, looping: Looping) -> io::Result<()> {
    set(socket, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, &i32::from(looping == Looping::On).to_ne_bytes())
}

pub(super) fn set_interface(socket: &UdpSocket, on: Option<&str>) -> io::Result<()> {
    let index = index(on)?.to_ne_bytes();
    if socket.local_addr()?.is_ipv6() {
        return set_option(socket, (SOL_IPV6, IPV6_MULTICAST_IF), &index);
    }
    // `struct ip_mreqn`: a group and an address, which do not matter, and the interface.
    let mut request = [0; 12];
    request[8..].copy_from_slice(&index);
    set_option(socket, (SOL_IP, IP_MULTICAST_IF), &request)
}

pub(super) fn change(socket: &UdpSocket, group: IpAddr, on: Option<&str>, change: GroupChange) -> io::Result<()> {
    let (number, source) = match change {
        GroupChange::Join => (MCAST_JOIN_GROUP, None),
        GroupChange::Leave => (MCAST_LEAVE_GROUP, None),
        GroupChange::JoinSource(source) => (MCAST_JOIN_SOURCE_GROUP, Some(source)),
        GroupChange::LeaveSource(source) => (MCAST_LEAVE_SOURCE_GROUP, Some(source)),
        GroupChange::Block(source) => (MCAST_BLOCK_SOURCE, Some(source)),
        GroupChange::Unblock(source) => (MCAST_UNBLOCK_SOURCE, Some(source)),
    };
    // What other sockets of the machine have joined is not for this one (RFC 1112 §6.1), which Linux must be told.
    set(socket, IP_MULTICAST_ALL, IPV6_MULTICAST_ALL, &0_i32.to_ne_bytes())?;
    // `struct group_req`, `struct group_source_req`: the interface, then addresses, on boundaries of eight octets.
    let mut request = index(on)?.to_ne_bytes().to_vec();
    request.resize(8, 0);
    request.extend(storage(group));
    source.iter().for_each(|source| request.extend(storage(*source)));
    set_option(socket, (if group.is_ipv4() { SOL_IP } else { SOL_IPV6 }, number), &request)
}

/// `struct sockaddr_storage`
fn storage(address: IpAddr) -> [u8; 128] {
    let mut storage = [0; 128];
    let address = socket2::SockAddr::from(SocketAddr::new(address, 0));
    let family = address.family().to_ne_bytes();
    storage[..2].copy_from_slice(&family);
    match address.as_socket() {
        Some(SocketAddr::V4(v4)) => storage[4..8].copy_from_slice(&v4.ip().octets()),
        Some(SocketAddr::V6(v6)) => storage[8..24].copy_from_slice(&v6.ip().octets()),
        None => {}
    }
    storage
}
