//! What an administrator changes while the host runs, as rtnetlink lets him: addresses with their lifetimes, the state of
//! interfaces, neighbours and routes.

use std::net::IpAddr;

use septet_core::{Carrier, DropReason, Instant, Out, Storey, Trace};
use septet_datalink::ethernet::{EtherType, MacAddr};

use super::book::{AdminState, Book, Change, Lifetime, NewAddress, News};
use super::config::ConfigError;
use super::interface::Interface;
use super::state::Ip;
use super::up::Up;
use crate::acd::Check;
use crate::addr::Cidr;
use crate::neighbor::{State, Waiting};
use crate::route::{Iface, Route, Target};

impl Ip {
    /// Whether an interface is to be used.
    pub fn admin_state(&self, iface: Iface) -> Option<AdminState> {
        self.interfaces.get(usize::from(iface)).map(|i| i.admin)
    }

    /// Whether an interface takes what comes in.
    #[inline]
    pub fn is_switched_on(&self, iface: Iface) -> bool {
        self.admin_state(iface) == Some(AdminState::Up)
    }

    /// An interface's name: `eth0`, or `eth0.10` for one VLAN of another's link.
    pub fn name_of(&self, iface: Iface) -> String {
        match self.interfaces.get(usize::from(iface)) {
            Some(Interface { port, vlan: Some(vlan), .. }) => format!("eth{}.{}", port.0, vlan.get()),
            _ => format!("eth{iface}"),
        }
    }

    /// How many interfaces there are.
    pub fn interfaces(&self) -> Iface {
        self.interfaces.len() as Iface
    }

    /// Switches an interface on or off. What waits for neighbours on it is dropped.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn set_admin_state(&mut self, iface: Iface, state: AdminState, trace: &mut Trace) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        interface.admin = state;
        self.refresh_link(iface, trace);
        Ok(())
    }

    /// An interface has a carrier, or lost it.
    pub(super) fn set_signal(&mut self, iface: Iface, carrier: Carrier, out: &mut Out<'_>) {
        self.interfaces[usize::from(iface)].signal = carrier;
        self.refresh_link(iface, out.trace);
    }

    /// Finds out whether an interface can be used now. Routes over those that cannot are not taken, and their neighbours are
    /// forgotten.
    fn refresh_link(&mut self, iface: Iface, trace: &mut Trace) {
        let interface = &mut self.interfaces[usize::from(iface)];
        let carrier = if interface.admin == AdminState::Up { interface.signal } else { Carrier::Down };
        if core::mem::replace(&mut interface.carrier, carrier) == carrier {
            return;
        }
        self.epoch += 1;
        self.forget_detours();
        self.groups_hear_of_carrier(iface, carrier);
        if carrier == Carrier::Down {
            for waiting in self.neighbors.flush(iface) {
                super::told::drop_at(&waiting.packet, DropReason::Carrier, trace);
            }
        }
        self.set_carrier_v6(iface, carrier);
        self.tell(Change::Link { iface, state: carrier });
    }

    pub(super) fn book(&mut self) -> &mut Book {
        self.book.get_or_insert_default()
    }

    /// Tells changes from now on, as [`Up::Change`].
    pub fn watch(&mut self) {
        self.book().watched = true;
    }

    pub(super) fn tell(&mut self, change: Change) {
        if self.book.as_ref().is_some_and(|book| book.watched) {
            self.up.push_back(Up::Change(change));
        }
    }

    /// Configures an address while the host runs. Where it is to be checked first, it is there when that is done, and
    /// [`Change::Address`] says how it went.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`], or [`ConfigError::AddressExists`] where the interface has it, or claims it.
    pub fn configure(&mut self, now: Instant, iface: Iface, new: NewAddress) -> Result<(), ConfigError> {
        let NewAddress { address, lifetime, check, defence } = new;
        let interface = self.interfaces.get(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        let ip = address.addr();
        let book = self.book.get_or_insert_default();
        if interface.addresses.iter().any(|a| a.addr() == ip) || book.claims.has(iface, ip) {
            return Err(ConfigError::AddressExists(ip));
        }
        book.set_lifetime(iface, ip, lifetime);
        if let IpAddr::V4(v4) = ip
            && check != Check::Quiet
        {
            book.claims.begin(now, iface, (v4, address.prefix_len()), check, defence, &mut self.rng);
        }
        if check != Check::Probe || ip.is_ipv6() {
            self.settle_address(iface, address)?;
        }
        Ok(())
    }

    /// Uses an address from now on.
    pub(super) fn settle_address(&mut self, iface: Iface, address: Cidr) -> Result<(), ConfigError> {
        self.book().gone.retain(|gone| *gone != address.addr());
        self.add_address(iface, address)?;
        // One of IPv6 may have to be asked for first.
        if self.is_local(address.addr()) {
            self.tell(Change::Address { iface, address: address.addr(), news: News::Ready });
        }
        Ok(())
    }

    /// Sets until when an address is good, as a renewed lease does.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchAddress`].
    pub fn set_lifetime(&mut self, iface: Iface, address: IpAddr, lifetime: Lifetime) -> Result<(), ConfigError> {
        if !self.interfaces.get(usize::from(iface)).is_some_and(|i| i.addresses.iter().any(|a| a.addr() == address)) {
            return Err(ConfigError::NoSuchAddress(address));
        }
        self.book().set_lifetime(iface, address, lifetime);
        Ok(())
    }

    /// Until when an address is good.
    pub fn lifetime(&self, iface: Iface, address: IpAddr) -> Lifetime {
        let mut leases = self.book.iter().flat_map(|book| &book.leases);
        let lease = leases.find(|lease| (lease.iface, lease.address) == (iface, address));
        lease.map_or(Lifetime::FOREVER, |lease| lease.lifetime)
    }

    /// Takes an address away, or gives up the claim to one that is still being checked. The routes that came with it go too,
    /// and with the last address of its family on the interface all routes over that, as Linux's `fib_disable_ip` has it.
    /// What is bound to the address is not told: its datagrams are refused from now on, and its segments are lost until
    /// their connection has had enough.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchAddress`].
    pub fn remove_address(&mut self, iface: Iface, address: IpAddr) -> Result<(), ConfigError> {
        self.withdraw(iface, address)?;
        self.tell(Change::Address { iface, address, news: News::Gone });
        Ok(())
    }

    /// The same since somebody else uses it.
    pub(super) fn lose_address(&mut self, iface: Iface, address: IpAddr, with: MacAddr) {
        let _ = self.withdraw(iface, address);
        self.tell(Change::Address { iface, address, news: News::Conflict { with } });
    }

    fn withdraw(&mut self, iface: Iface, address: IpAddr) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        let book = self.book.get_or_insert_default();
        book.set_lifetime(iface, address, Lifetime::FOREVER);
        let was_claimed = book.claims.end(iface, address);
        let was_claimed = interface.forget_tentative(address) || was_claimed;
        let Some(at) = interface.addresses.iter().position(|a| a.addr() == address) else {
            return if was_claimed { Ok(()) } else { Err(ConfigError::NoSuchAddress(address)) };
        };
        let removed = interface.addresses.remove(at);
        let family_left = interface.addresses.iter().any(|a| a.addr().is_ipv4() == address.is_ipv4());
        self.remove_connected(iface, removed);
        if !family_left {
            let only = |i: Iface| i != iface;
            let over =
                |route: &Route| route.prefix.addr().is_ipv4() == address.is_ipv4() && !route.target.is_usable(only);
            for route in self.table.iter().filter(over).collect::<Vec<_>>() {
                self.table.remove(&route);
            }
        }
        if !self.is_local(address) {
            self.book().gone.push(address);
        }
        self.epoch += 1;
        Ok(())
    }

    /// Whether datagrams from `src` are refused: it was this host's address, and is no longer.
    #[inline]
    pub(super) fn is_gone(&self, src: IpAddr) -> bool {
        self.book.as_ref().is_some_and(|book| book.gone.contains(&src))
    }

    /// Takes away the addresses whose lifetime is over.
    fn expire_leases(&mut self, now: Instant, out: &mut Out<'_>) {
        let over = |book: &Book| {
            let lease = book.leases.iter().find(|lease| lease.lifetime.valid <= now)?;
            Some((lease.iface, lease.address))
        };
        while let Some((iface, address)) = self.book.as_deref().and_then(over) {
            out.trace.emit(Storey::Network, "address.expired", septet_core::EventId::NONE, |f| {
                f.set("address", address).set("iface", iface).set("why", "its lifetime is over");
            });
            let _ = self.remove_address(iface, address);
        }
    }

    /// Does what is due of what was changed.
    pub(super) fn keep_book(&mut self, now: Instant, out: &mut Out<'_>) {
        let Some(book) = &mut self.book else { return };
        for (iface, mac, waiting) in core::mem::take(&mut book.released) {
            for Waiting { packet, .. } in waiting {
                let is_v6 = packet.bytes().first().is_some_and(|first| first >> 4 == 6);
                let ether_type = if is_v6 { EtherType::IPV6 } else { EtherType::IPV4 };
                self.transmit_to(iface, mac, ether_type, packet, out);
            }
        }
        self.pursue_claims(now, out);
        self.expire_leases(now, out);
        self.expire_detours(now, out);
    }

    /// Sets a neighbour's entry by hand: `ip neigh replace`. What waits for it leaves when
    /// [`on_deadline`](Self::on_deadline) is next called, which [`deadline`](Self::deadline) then wants at once.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn replace_neighbor(
        &mut self,
        now: Instant,
        iface: Iface,
        address: IpAddr,
        mac: MacAddr,
        state: State,
    ) -> Result<(), ConfigError> {
        self.interfaces.get(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        let waiting = self.neighbors.set(now, iface, address, mac, state);
        if !waiting.is_empty() {
            self.book().released.push((iface, mac, waiting));
        }
        Ok(())
    }

    /// Forgets a neighbour: `ip neigh del`. What waits for it is dropped.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchAddress`].
    pub fn forget_neighbor(&mut self, iface: Iface, address: IpAddr, trace: &mut Trace) -> Result<(), ConfigError> {
        let waiting = self.neighbors.remove(iface, address).ok_or(ConfigError::NoSuchAddress(address))?;
        waiting.iter().for_each(|waiting| super::told::drop_at(&waiting.packet, DropReason::HostUnreachable, trace));
        Ok(())
    }

    /// The addresses that are still being asked about.
    pub fn tentative(&self) -> Vec<(Iface, Cidr)> {
        let tentative = self.book.iter().flat_map(|book| book.claims.tentative());
        tentative.filter_map(|(iface, address, len)| Some((iface, Cidr::new(address.into(), len).ok()?))).collect()
    }

    /// Adds a route as it is: `ip route add`.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`], [`ConfigError::RouteExists`], or [`ConfigError::GatewayNotOnLink`] where the
    /// gateway is not on the link of the interface.
    pub fn insert_route(&mut self, route: Route) -> Result<(), ConfigError> {
        let on_link = |iface: Iface, gateway: Option<IpAddr>| {
            let interface = self.interfaces.get(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
            match gateway {
                Some(gateway) if !interface.addresses.iter().any(|a| a.prefix().contains(gateway)) => {
                    Err(ConfigError::GatewayNotOnLink(gateway))
                }
                _ => Ok(()),
            }
        };
        match &route.target {
            Target::Via(iface, gateway) => on_link(*iface, Some(*gateway))?,
            Target::Link(iface) | Target::Broadcast(iface) => on_link(*iface, None)?,
            Target::Spread(hops) => hops.iter().try_for_each(|hop| on_link(hop.iface, Some(hop.gateway)))?,
            Target::Local | Target::Unreachable | Target::Blackhole | Target::Prohibit => {}
        }
        let rank = (route.distance, route.metric);
        if self.table.at(route.prefix).any(|r| (r.distance, r.metric) == rank) {
            return Err(ConfigError::RouteExists(route.prefix));
        }
        self.mind_mtu(route.mtu);
        self.table.add(route);
        self.routes_changed(true);
        Ok(())
    }

    /// Takes a route away.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchRoute`].
    pub fn remove_route(&mut self, route: &Route) -> Result<(), ConfigError> {
        if !self.table.remove(route) {
            return Err(ConfigError::NoSuchRoute(route.prefix));
        }
        self.routes_changed(true);
        Ok(())
    }
}
