//! What storey 3 of one host keeps, how it begins, and what can be read of it.

use std::collections::VecDeque;

use septet_core::{Carrier, Instant, Port, Rng};
use septet_datalink::ethernet::MacAddr;

use super::book::{AdminState, Book};
use super::config::{ConfigError, InterfaceConfig};
use super::detours::Redirects;
use super::flow::Spreading;
use super::interface::Interface;
use super::loopback::Loopback;
use super::members::Groups;
use super::paths::Paths;
use super::unwired::Unwired;
use super::up::Up;
use super::v4::layer as v4;
use super::v6::layer as v6;
use crate::addr::Cidr;
use crate::counters::{Seldom, Seldom6};
use crate::filter::Filter;
use crate::forwarding::Forwarding;
use crate::icmp_limit::Limiter;
use crate::multicast::MulticastRoute;
use crate::neighbor;
use crate::route::Iface;
use crate::routes::Guide;
use crate::table::Table;

/// Storey 3 of one host.
#[derive(Debug)]
pub struct Ip {
    pub(super) interfaces: Vec<Interface>,
    pub(super) table: Table,
    pub(super) guide: Option<Guide>,
    pub(super) look_ups: u64,
    pub(super) epoch: u32,
    pub(super) neighbors: neighbor::Cache,
    pub(super) v4: v4::Layer,
    pub(super) v6: v6::Layer,
    pub(super) limiter: Option<Box<Limiter>>,
    pub(super) paths: Option<Box<Paths>>,
    pub(super) forwarding: Forwarding,
    pub(super) redirects: Redirects,
    /// What stands in the way of packets.
    pub(super) filter: Option<Box<dyn Filter>>,
    pub(super) spreading: Option<Box<Spreading>>,
    /// The protocols above that take datagrams, a bit each.
    pub(super) served: [u64; 4],
    pub(super) rng: Rng,
    /// How datagrams to groups are passed on.
    pub(super) multicast: Box<[MulticastRoute]>,
    /// When the next membership report is due.
    pub(super) report_at: Option<Instant>,
    pub(super) loopback: Loopback,
    pub(super) up: VecDeque<Up>,
    /// What was changed while the host runs, where anything was.
    pub(super) book: Option<Box<Book>>,
    /// What the interfaces counted that have no wire of their own.
    pub unwired: Unwired,
    /// What was counted since the host was switched on.
    pub counters: Seldom,
    /// What IPv6 counted since the host was switched on.
    pub counters6: Seldom6,
}

impl Ip {
    /// Storey 3 with these interfaces; their carriers are down. What it chooses at random it draws from `rng`.
    pub fn new(interfaces: &[InterfaceConfig], forwarding: Forwarding, mut rng: Rng) -> Self {
        let mut ip = Self {
            interfaces: Vec::with_capacity(interfaces.len()),
            table: Table::default(),
            guide: None,
            look_ups: 0,
            epoch: 1,
            neighbors: neighbor::Cache::new(&mut rng),
            v4: v4::Layer::new(&mut rng),
            v6: v6::Layer::default(),
            limiter: None,
            paths: None,
            forwarding,
            redirects: Redirects::On,
            filter: None,
            spreading: None,
            served: [0; 4],
            rng,
            multicast: Box::default(),
            report_at: None,
            loopback: Loopback::default(),
            up: VecDeque::new(),
            book: None,
            unwired: Unwired::default(),
            counters: Seldom::default(),
            counters6: Seldom6::default(),
        };
        for InterfaceConfig { mac, addresses, mtu } in interfaces {
            let iface = ip.interfaces.len() as Iface;
            ip.interfaces.push(Interface {
                port: Port(iface),
                vlan: None,
                mac: *mac,
                mtu: *mtu,
                carrier: Carrier::Down,
                signal: Carrier::Down,
                admin: AdminState::Up,
                addresses: Vec::with_capacity(addresses.len()),
                groups: Groups::default(),
                v6: None,
            });
            for &address in addresses {
                ip.add_address(iface, address).expect("the interface was just made");
            }
        }
        ip
    }

    /// Hands datagrams of this protocol up from now on; what nobody takes is answered as unreachable. ICMP and IGMP are
    /// storey 3's own.
    pub fn serve(&mut self, protocol: u8) {
        self.served[usize::from(protocol / 64)] |= 1 << (protocol % 64);
    }

    pub(super) fn is_served(&self, protocol: u8) -> bool {
        self.served[usize::from(protocol / 64)] >> (protocol % 64) & 1 == 1
    }

    /// Gives an interface a further address, and the routes that come with it; one of IPv6, where the interface takes part
    /// in discovery, once nobody else turns out to have it.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn add_address(&mut self, iface: Iface, address: Cidr) -> Result<(), ConfigError> {
        if usize::from(iface) >= self.interfaces.len() {
            return Err(ConfigError::NoSuchInterface(iface));
        }
        if address.addr().is_ipv6() {
            self.take_address_v6(iface, address);
        } else {
            self.assign(iface, address);
        }
        Ok(())
    }

    /// Makes an address an interface's own, with the routes that come with it.
    pub(super) fn assign(&mut self, iface: Iface, address: Cidr) {
        self.interfaces[usize::from(iface)].addresses.push(address);
        self.add_connected(iface, address);
    }

    /// The neighbours, for `ip neighbour`.
    pub fn neighbors(&self) -> &neighbor::Cache {
        &self.neighbors
    }

    /// The neighbours, to be set by hand.
    pub fn neighbors_mut(&mut self) -> &mut neighbor::Cache {
        &mut self.neighbors
    }

    /// The addresses of all interfaces, in order.
    pub fn addresses(&self) -> impl Iterator<Item = (Iface, Cidr)> {
        let of = |(i, interface): (usize, &Interface)| {
            interface.addresses.iter().map(|&a| (i as Iface, a)).collect::<Vec<_>>()
        };
        self.interfaces.iter().enumerate().flat_map(of)
    }

    /// The link address and the MTU of an interface: what a card holds each frame against.
    #[inline]
    pub fn card(&self, iface: Iface) -> Option<(MacAddr, u32)> {
        self.interfaces.get(usize::from(iface)).map(|i| (i.mac, i.mtu))
    }

    /// The link address of an interface.
    pub fn mac(&self, iface: Iface) -> Option<MacAddr> {
        self.interfaces.get(usize::from(iface)).map(|i| i.mac)
    }

    /// The MTU of an interface.
    pub fn mtu(&self, iface: Iface) -> Option<u32> {
        self.interfaces.get(usize::from(iface)).map(|i| i.mtu)
    }

    /// The next thing for the storeys above.
    #[inline]
    pub fn poll_up(&mut self) -> Option<Up> {
        self.up.pop_front()
    }

    /// Whether [`poll_up`](Self::poll_up) has something.
    #[inline]
    pub fn has_up(&self) -> bool {
        !self.up.is_empty()
    }

    /// How many ways were looked up since the host was switched on, those whose answer was remembered too.
    pub fn look_ups(&self) -> u64 {
        self.look_ups
    }

    /// What remembered ways must be of to hold: it changes with routes, links and neighbours.
    #[inline]
    pub(super) fn way_epoch(&self) -> u32 {
        self.epoch.wrapping_add(self.neighbors.epoch())
    }
}
