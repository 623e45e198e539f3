//! Interfaces for single VLANs of a link (IEEE 802.1Q): with them one port of a router stands in many networks.

use septet_core::Port;
use septet_datalink::vlan::VlanId;

use super::config::{ConfigError, VlanInterfaceConfig};
use super::interface::Interface;
use super::members::Groups;
use super::state::Ip;
use crate::route::Iface;

impl Ip {
    /// Adds an interface for a VLAN, with the link address, MTU and carrier of the interface below it, and gives its number:
    /// the next one.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn add_vlan(&mut self, config: &VlanInterfaceConfig) -> Result<Iface, ConfigError> {
        let VlanInterfaceConfig { over, vlan, addresses } = config;
        let below = self.interfaces.get(usize::from(*over)).ok_or(ConfigError::NoSuchInterface(*over))?;
        let iface = self.interfaces.len() as Iface;
        self.interfaces.push(Interface {
            port: below.port,
            vlan: Some(*vlan),
            mac: below.mac,
            mtu: below.mtu,
            carrier: below.carrier,
            signal: below.signal,
            admin: below.admin,
            addresses: Vec::with_capacity(addresses.len()),
            groups: Groups::default(),
            v6: None,
        });
        for address in addresses {
            self.add_address(iface, *address)?;
        }
        Ok(iface)
    }

    /// The interface for frames of `vlan` that come in at `port`, or for those without a VLAN.
    pub fn iface_at(&self, port: Port, vlan: Option<VlanId>) -> Option<Iface> {
        self.interfaces.iter().position(|i| i.port == port && i.vlan == vlan).map(|i| i as Iface)
    }

    /// The VLAN that an interface is for; `None` for what comes without a tag.
    pub fn vlan_of(&self, iface: Iface) -> Option<VlanId> {
        self.interfaces.get(usize::from(iface))?.vlan
    }

    /// The port by which an interface sends.
    pub fn port_of(&self, iface: Iface) -> Port {
        self.interfaces.get(usize::from(iface)).map_or(Port(iface), |i| i.port)
    }
}
