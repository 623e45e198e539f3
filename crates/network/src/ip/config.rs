//! How the interfaces of a host are configured, and why that is refused.

use std::net::IpAddr;

use septet_datalink::ethernet::MacAddr;
use septet_datalink::vlan::VlanId;

use crate::addr::{Cidr, Prefix};
use crate::route::Iface;

/// An interface as it is configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceConfig {
    /// Its link address.
    pub mac: MacAddr,
    /// Its IP addresses, the primary one of each family first.
    pub addresses: Vec<Cidr>,
    /// The largest datagram that its link takes.
    pub mtu: u32,
}

/// An interface for one VLAN of another interface's link, as `ip link add link eth0 name eth0.10 type vlan id 10` makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VlanInterfaceConfig {
    /// The interface whose link carries the VLAN; that one itself speaks without tags.
    pub over: Iface,
    /// The VLAN.
    pub vlan: VlanId,
    /// Its IP addresses, the primary one of each family first.
    pub addresses: Vec<Cidr>,
}

/// Why an address or a route was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// No interface is on the gateway's link.
    GatewayNotOnLink(IpAddr),
    /// The host has no interface of this number.
    NoSuchInterface(Iface),
    /// The interface has this address already.
    AddressExists(IpAddr),
    /// The interface has no such address.
    NoSuchAddress(IpAddr),
    /// There is a route to this prefix with the same metric already.
    RouteExists(Prefix),
    /// There is no such route.
    NoSuchRoute(Prefix),
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::GatewayNotOnLink(gateway) => write!(f, "the gateway {gateway} is on no link of this host"),
            Self::NoSuchInterface(iface) => write!(f, "there is no interface eth{iface}"),
            Self::AddressExists(address) => write!(f, "the interface has {address} already"),
            Self::NoSuchAddress(address) => write!(f, "the interface has no address {address}"),
            Self::RouteExists(prefix) => write!(f, "there is a route to {prefix} already"),
            Self::NoSuchRoute(prefix) => write!(f, "there is no such route to {prefix}"),
        }
    }
}

impl std::error::Error for ConfigError {}
