//! What an administrator asks of a host: interfaces, addresses and neighbours, as lists and as changes.

use std::io;

use septet_core::{Carrier, Instant, Trace};
use septet_datalink::ethernet::MacAddr;
use septet_network::ip::{AdminState, ConfigError, Lifetime};
use septet_network::neighbor::State;
use septet_network::{Iface, Ip};
use septet_socket::admin::{Address, Link, Neighbor, Tentative};

use super::slots::SlotId;
use super::storeys::Storeys;

impl Storeys {
    /// The interface of this name.
    pub(crate) fn device(&self, name: &str) -> io::Result<Iface> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no interface {name}"));
        (0..self.ip.interfaces()).find(|iface| self.ip.name_of(*iface) == name).ok_or_else(missing)
    }

    /// Changes storey 3, with the error that a system call would give.
    pub(crate) fn administer(
        &mut self,
        change: impl FnOnce(&mut Ip, Instant) -> Result<(), ConfigError>,
    ) -> io::Result<()> {
        self.running()?;
        change(&mut self.ip, self.now).map_err(|error| {
            let kind = match error {
                ConfigError::NoSuchInterface(_) | ConfigError::NoSuchRoute(_) => io::ErrorKind::NotFound,
                ConfigError::AddressExists(_) | ConfigError::RouteExists(_) => io::ErrorKind::AlreadyExists,
                ConfigError::NoSuchAddress(_) => io::ErrorKind::AddrNotAvailable,
                ConfigError::GatewayNotOnLink(_) => io::ErrorKind::NetworkUnreachable,
            };
            io::Error::new(kind, error)
        })
    }

    pub(crate) fn links(&self) -> Vec<Link> {
        let link = |iface| Link {
            iface,
            name: self.ip.name_of(iface),
            mac: self.ip.mac(iface).unwrap_or_default(),
            mtu: self.ip.mtu(iface).unwrap_or_default(),
            state: self.ip.admin_state(iface).unwrap_or(AdminState::Down),
            carrier: self.ip.carrier(iface).unwrap_or(Carrier::Down),
        };
        (0..self.ip.interfaces()).map(link).collect()
    }

    pub(crate) fn address_list(&self) -> Vec<Address> {
        let in_use = self.ip.addresses().map(|(iface, address)| Address {
            iface,
            address,
            lifetime: self.ip.lifetime(iface, address.addr()),
            tentative: Tentative::No,
        });
        let asked = self.ip.tentative().into_iter().map(|(iface, address)| Address {
            iface,
            address,
            lifetime: Lifetime::FOREVER,
            tentative: Tentative::Yes,
        });
        in_use.chain(asked).collect()
    }

    pub(crate) fn neighbor_list(&self) -> Vec<Neighbor> {
        let cache = self.ip.neighbors();
        let neighbor = |(iface, address, state, mac)| {
            let [used, confirmed, updated] = cache.ages(iface, address)?;
            let mac = (!matches!(state, State::Incomplete | State::Failed)).then_some(mac);
            Some(Neighbor { iface, address, mac, state, used, confirmed, updated })
        };
        cache.iter(self.now).filter_map(neighbor).collect()
    }

    pub(crate) fn send_packet(&mut self, id: SlotId, packet: &[u8], to: MacAddr, trace: &Trace) -> io::Result<()> {
        self.running()?;
        let iface = self.packets.iface(id)?;
        if self.ip.carrier(iface) != Some(Carrier::Up) {
            return Err(io::ErrorKind::NetworkDown.into());
        }
        if packet.len() > self.ip.mtu(iface).unwrap_or_default() as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.packets.send(id, packet, to, trace)
    }
}
