//! An interface as a routing protocol sees it, and what came in by it.

use std::net::{IpAddr, Ipv4Addr};

use crate::addr::{Cidr, Prefix};
use crate::route::Iface;

/// Whether packets go over a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// They do.
    Up,
    /// It has no carrier.
    Down,
}

/// An interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its number.
    pub iface: Iface,
    /// Whether it has a carrier.
    pub state: LinkState,
    /// Its addresses, the primary one first.
    pub addresses: Vec<Cidr>,
    /// The largest datagram that its link takes.
    pub mtu: u32,
    /// What its link carries, in bits a second, where that is known.
    pub rate: Option<u64>,
}

impl Link {
    /// Its IPv4 addresses with their prefixes.
    pub fn v4(&self) -> impl Iterator<Item = (Ipv4Addr, Prefix)> + '_ {
        self.addresses.iter().filter_map(|cidr| match cidr.addr() {
            IpAddr::V4(address) => Some((address, cidr.prefix())),
            IpAddr::V6(_) => None,
        })
    }
}

/// How a packet came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// By which interface.
    pub iface: Iface,
    /// From whom.
    pub src: IpAddr,
    /// To whom: an own address or a group.
    pub dst: IpAddr,
    /// The time to live with which it came.
    pub ttl: u8,
    /// The sender's port, where UDP carried it; otherwise zero.
    pub src_port: u16,
}
