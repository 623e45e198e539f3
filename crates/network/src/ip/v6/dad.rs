//! Addresses on their way to be this host's own: duplicate address detection (RFC 4862 §5.4), without optimism (RFC 4429).

use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr};

use septet_core::{Carrier, EventId, Instant, Out, Storey};

use super::config::{Discovery, Ipv6Config};
use super::link::{AddressState, Advertising, Begins, Lease, Link, Tentative};
use crate::addr::{Cidr, Prefix};
use crate::ip::book::{Change, News};
use crate::ip::config::ConfigError;
use crate::ip::state::Ip;
use crate::route::{Iface, Origin, Route, Target};
use septet_wire::nd::{self, Discovery as Message, NeighborSolicit};

/// RFC 4861 §10: MAX_RTR_SOLICITATION_DELAY. What an interface sends first is delayed by up to so much.
const START_DELAY: Duration = Duration::from_secs(1);

/// Addresses that an interface asks for at once, and those that it has made of prefixes: Linux's `max_addresses`.
pub(super) const MAX_ADDRESSES: usize = 16;

impl Tentative {
    pub(super) fn addr(&self) -> Ipv6Addr {
        match self.cidr.addr() {
            IpAddr::V6(addr) => addr,
            IpAddr::V4(addr) => addr.to_ipv6_mapped(),
        }
    }

    /// Whether it was asked for.
    pub(super) const fn has_asked(&self, config: &Ipv6Config) -> bool {
        self.left < config.dad_transmits
    }

    pub(super) const fn at(&self) -> Instant {
        self.at
    }

    pub(super) const fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    pub(super) fn lease_mut(&mut self) -> Option<&mut Lease> {
        self.lease.as_mut()
    }
}

impl Ip {
    /// The addresses of IPv6 of an interface with their states, and until when they are preferred and valid where that has
    /// an end, for `ip -6 addr`.
    pub fn addresses_v6(
        &self,
        iface: Iface,
    ) -> impl Iterator<Item = (Cidr, AddressState, Option<Instant>, Option<Instant>)> {
        let interface = self.interfaces.get(usize::from(iface));
        let link = interface.and_then(|i| i.v6.as_deref());
        let own = interface.into_iter().flat_map(|i| &i.addresses).filter(|a| a.addr().is_ipv6()).map(move |&cidr| {
            let lease = link.and_then(|link| link.leases.iter().find(|lease| cidr.addr() == lease.addr()));
            let state = if lease.is_some_and(Lease::is_deprecated) {
                AddressState::Deprecated
            } else {
                AddressState::Preferred
            };
            (cidr, state, lease.and_then(|l| l.preferred_until), lease.and_then(|l| l.valid_until))
        });
        let tentative = link.into_iter().flat_map(|l| &l.tentative);
        let tentative = tentative.map(|t| (t.cidr, AddressState::Tentative, None, None));
        let failed = link
            .into_iter()
            .flat_map(|l| &l.failed)
            .filter_map(|&addr| Some((Cidr::new(addr.into(), 64).ok()?, AddressState::DadFailed, None, None)));
        own.chain(tentative).chain(failed)
    }

    /// Says what an interface does of IPv6 by itself. Where it takes part in discovery, it gets a link-local address, and the
    /// addresses that it has are its own only once nobody else turns out to have them.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub fn configure_v6(&mut self, iface: Iface, config: &Ipv6Config) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        let advertising = config.advertise.clone().map(Advertising::new);
        let begins = match (config.discovery, interface.carrier) {
            (Discovery::On, Carrier::Up) => Begins::Anew,
            _ => Begins::Before,
        };
        let joined = interface.v6.take().map(|link| link.joined).unwrap_or_default();
        interface.v6 = Some(Box::new(Link { config: config.clone(), advertising, begins, joined, ..Link::default() }));
        if config.discovery == Discovery::On {
            let link_local = Cidr::new(nd::link_local(interface.mac).into(), 64).expect("64 bits fit");
            let (four, mut six): (Vec<Cidr>, Vec<Cidr>) = interface.addresses.iter().partition(|a| a.addr().is_ipv4());
            interface.addresses = four;
            for &cidr in &six {
                self.remove_connected(iface, cidr);
            }
            let has_one = six.iter().any(|a| matches!(a.addr(), IpAddr::V6(a) if a.is_unicast_link_local()));
            if !has_one {
                // Behind the others, as `ip address` shows it, and where what is for them is found first.
                six.push(link_local);
            }
            six.into_iter().for_each(|cidr| self.take_address_v6(iface, cidr));
        }
        self.rearm_v6();
        Ok(())
    }

    /// Gives an interface a further address of IPv6: at once where discovery is off, and otherwise once nobody else turns
    /// out to have it.
    pub(in crate::ip) fn take_address_v6(&mut self, iface: Iface, cidr: Cidr) {
        self.ask_for_address(iface, cidr, None);
    }

    pub(super) fn ask_for_address(&mut self, iface: Iface, cidr: Cidr, lease: Option<Lease>) {
        let Some(link) = self.link_mut(iface).filter(|link| link.config.discovery == Discovery::On) else {
            return self.assign(iface, cidr);
        };
        if link.config.dad_transmits == 0 {
            // Optimism that is asked for: RFC 4862 §5.1, "A value of zero indicates that Duplicate Address Detection is
            // not performed".
            return self.assign_v6(iface, cidr, lease);
        }
        let left = link.config.dad_transmits;
        if link.tentative.len() < MAX_ADDRESSES {
            link.tentative.push(Tentative { cidr, left, at: Instant::ZERO, lease });
        }
        self.rearm_v6();
    }

    fn assign_v6(&mut self, iface: Iface, cidr: Cidr, lease: Option<Lease>) {
        match lease {
            None => self.assign(iface, cidr),
            // What is on the link is said apart from it: RFC 5942 §4.
            Some(lease) => {
                self.assign_apart(iface, cidr);
                if let Some(link) = self.link_mut(iface) {
                    link.leases.push(lease);
                }
            }
        }
    }

    fn assign_apart(&mut self, iface: Iface, cidr: Cidr) {
        self.interfaces[usize::from(iface)].addresses.push(cidr);
        let prefix = Prefix::host(cidr.addr());
        self.table.add(Route::new(prefix, Target::Local, Origin::Kernel));
        self.epoch += 1;
    }

    /// The carrier is there: what waited for it begins anew.
    pub(super) fn restart_dad(&mut self, now: Instant, iface: Iface) {
        let delay = Duration::from_nanos(self.rng.below(START_DELAY.as_nanos() as u64));
        let Some(link) = self.link_mut(iface) else { return };
        let left = link.config.dad_transmits;
        for tentative in &mut link.tentative {
            // §5.4.2: "If the Neighbor Solicitation is going to be the first message sent from an interface after interface
            // (re)initialization, the node SHOULD delay joining the solicited-node multicast address by a random delay".
            (tentative.left, tentative.at) = (left, now + delay);
        }
    }

    /// Asks, and takes what nobody has claimed.
    pub(super) fn run_dad(&mut self, now: Instant, iface: Iface, out: &mut Out<'_>) {
        let retrans = self.neighbors.retrans(iface);
        while let Some(link) = self.link_mut(iface)
            && let Some(at) = link.tentative.iter().position(|t| t.at <= now)
        {
            let tentative = &mut link.tentative[at];
            let addr = tentative.addr();
            if tentative.left > 0 {
                tentative.left -= 1;
                tentative.at = now + retrans;
                let event = out.trace.emit(Storey::Network, "dad.ask", EventId::NONE, |f| {
                    f.set("ip", addr).set("iface", iface);
                });
                // §5.4.2: "the IP source is set to the unspecified address", and no link address goes with it.
                let ask = Message::NeighborSolicit(NeighborSolicit { target: addr, source: None });
                self.send_nd(now, iface, Ipv6Addr::UNSPECIFIED, nd::solicited_node(addr), &ask, event, out);
                continue;
            }
            let Tentative { cidr, lease, .. } = link.tentative.remove(at);
            out.trace.emit(Storey::Network, "dad.unique", EventId::NONE, |f| {
                f.set("ip", addr).set("iface", iface).set("why", "nobody else claims it");
            });
            self.assign_v6(iface, cidr, lease);
            self.tell(Change::Address { iface, address: addr.into(), news: News::Ready });
            if addr.is_unicast_link_local() {
                self.restart_search(now, iface);
                self.restart_advertising(now, iface);
            }
        }
    }

    /// Whether an address is one that this host asks for at the moment.
    pub(super) fn is_tentative(&self, iface: Iface, addr: Ipv6Addr) -> bool {
        self.interface(iface).v6.iter().any(|link| link.tentative.iter().any(|t| t.addr() == addr))
    }

    /// Somebody else has the address. §5.4.5: "the address … cannot be assigned to an interface".
    pub(super) fn duplicate(&mut self, iface: Iface, addr: Ipv6Addr, cause: EventId, out: &mut Out<'_>) {
        let Some(link) = self.link_mut(iface) else { return };
        let lost: Vec<Tentative> = link.tentative.extract_if(.., |t| t.addr() == addr).collect();
        if !link.failed.contains(&addr) {
            link.failed.push(addr);
            link.failed.truncate(MAX_ADDRESSES);
        }
        out.trace.emit(Storey::Network, "dad.duplicate", cause, |f| {
            f.set("ip", addr).set("iface", iface).set("why", "another node has it or wants it too");
        });
        for lease in lost.iter().filter_map(Tentative::lease) {
            self.replace_temporary(iface, lease, cause, out);
        }
    }

    /// Takes an address from an interface, with its routes. Gives whether it was there.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchInterface`].
    pub(super) fn drop_lease(&mut self, iface: Iface, addr: Ipv6Addr) -> Result<(), ConfigError> {
        let interface = self.interfaces.get_mut(usize::from(iface)).ok_or(ConfigError::NoSuchInterface(iface))?;
        interface.addresses.retain(|a| a.addr() != addr);
        let prefix = Prefix::host(addr.into());
        self.table.remove(&Route::new(prefix, Target::Local, Origin::Kernel));
        self.epoch += 1;
        self.tell(Change::Address { iface, address: addr.into(), news: News::Gone });
        Ok(())
    }
}
