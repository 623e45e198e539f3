//! What may change a host while it runs, as a program holds it.

use core::task::{Context, Poll};
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::Instant;
use septet_network::ip::{AdminState, Change, Lifetime, NewAddress, Path};
use septet_network::neighbor::State;
use septet_network::{Iface, Route};
use septet_socket::admin::{Address, Conversation, Counted, Link, Neighbor};
use septet_socket::{AdminImpl, Changes, ChangesImpl};
use septet_wire::ethernet::MacAddr;

use super::registry::{HostKey, call, close, poll, with};
use crate::stack::{SlotId, SocketName};

/// The administration of a host.
pub(super) struct AdminHandle {
    pub(super) key: HostKey,
}

impl AdminImpl for AdminHandle {
    fn now(&self) -> Instant {
        with(&self.key, |stack, _| stack.now).unwrap_or_default()
    }

    fn links(&self) -> io::Result<Vec<Link>> {
        call(&self.key, |stack, _| Ok(stack.links()))
    }

    fn poll_counters(&self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<Counted>>> {
        poll(&self.key, |stack, _| stack.poll_counters(cx))
    }

    fn ruleset(&self) -> io::Result<String> {
        call(&self.key, |stack, _| Ok(stack.ip.filter().map(|filter| filter.ruleset()).unwrap_or_default()))
    }

    fn connections(&self) -> io::Result<Vec<Conversation>> {
        call(&self.key, |stack, _| {
            Ok(stack.ip.filter().map(|filter| filter.connections(stack.now)).unwrap_or_default())
        })
    }

    fn set_link(&self, iface: Iface, state: AdminState) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.administer(|ip, _| ip.set_admin_state(iface, state, trace)))
    }

    fn addresses(&self) -> io::Result<Vec<Address>> {
        call(&self.key, |stack, _| Ok(stack.address_list()))
    }

    fn add_address(&self, iface: Iface, address: NewAddress) -> io::Result<()> {
        call(&self.key, |stack, _| stack.administer(|ip, now| ip.configure(now, iface, address)))
    }

    fn set_lifetime(&self, iface: Iface, address: IpAddr, lifetime: Lifetime) -> io::Result<()> {
        call(&self.key, |stack, _| stack.administer(|ip, _| ip.set_lifetime(iface, address, lifetime)))
    }

    fn remove_address(&self, iface: Iface, address: IpAddr) -> io::Result<()> {
        call(&self.key, |stack, _| stack.administer(|ip, _| ip.remove_address(iface, address)))
    }

    fn routes(&self) -> io::Result<Vec<Route>> {
        call(&self.key, |stack, _| Ok(stack.ip.routes().collect()))
    }

    fn path_to(&self, to: IpAddr) -> io::Result<Path> {
        call(&self.key, |stack, _| stack.ip.path_to(stack.now, to).map_err(io::Error::from))
    }

    fn add_route(&self, route: Route) -> io::Result<()> {
        call(&self.key, |stack, _| stack.administer(|ip, _| ip.insert_route(route)))
    }

    fn remove_route(&self, route: Route) -> io::Result<()> {
        call(&self.key, |stack, _| stack.administer(|ip, _| ip.remove_route(&route)))
    }

    fn neighbors(&self) -> io::Result<Vec<Neighbor>> {
        call(&self.key, |stack, _| Ok(stack.neighbor_list()))
    }

    fn set_neighbor(&self, iface: Iface, address: IpAddr, mac: MacAddr, state: State) -> io::Result<()> {
        call(&self.key, |stack, _| stack.administer(|ip, now| ip.replace_neighbor(now, iface, address, mac, state)))
    }

    fn remove_neighbor(&self, iface: Iface, address: IpAddr) -> io::Result<()> {
        call(&self.key, |stack, trace| stack.administer(|ip, _| ip.forget_neighbor(iface, address, trace)))
    }

    fn set_name_servers(&self, servers: Vec<SocketAddr>, search: Vec<String>) -> io::Result<()> {
        call(&self.key, |stack, _| {
            stack.resolvers = Some(Box::new((servers, search)));
            Ok(())
        })
    }

    fn watch(&self) -> io::Result<Changes> {
        let id = call(&self.key, |stack, _| {
            stack.running()?;
            stack.ip.watch();
            Ok(stack.listeners.open())
        })?;
        Ok(Changes::new(ChangesHandle { key: self.key.clone(), id }))
    }
}

/// The ear of one who hears of changes.
struct ChangesHandle {
    key: HostKey,
    id: SlotId,
}

impl ChangesImpl for ChangesHandle {
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<io::Result<Change>> {
        poll(&self.key, |stack, _| stack.listeners.poll_next(cx, self.id))
    }
}

impl Drop for ChangesHandle {
    fn drop(&mut self) {
        close(&self.key, SocketName::Changes(self.id));
    }
}
