//! Multicast groups for callers that never wait.

use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_socket::SystemGroups;
use septet_socket::admin::{Address, Link};
use septet_transport::udp::{GroupChange, Looping, SocketId};

use super::Sockets;
use crate::handle::registry::call;

impl SystemGroups for Sockets {
    fn rebind_udp(&self, socket: SocketId, at: SocketAddr) -> io::Result<()> {
        call(&self.key, |stack, _| stack.rebind_udp(socket, at))
    }

    fn change_udp_group(
        &self,
        socket: SocketId,
        group: IpAddr,
        on: Option<&str>,
        change: GroupChange,
    ) -> io::Result<()> {
        call(&self.key, |stack, _| stack.change_group(socket, group, on, change))
    }

    fn set_udp_multicast_ttl(&self, socket: SocketId, ttl: u8) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_multicast_ttl(socket, ttl))
    }

    fn set_udp_looping(&self, socket: SocketId, looping: Looping) -> io::Result<()> {
        call(&self.key, |stack, _| stack.udp.set_looping(socket, looping))
    }

    fn set_udp_multicast_interface(&self, socket: SocketId, on: Option<&str>) -> io::Result<()> {
        call(&self.key, |stack, _| stack.set_multicast_iface(socket, on))
    }

    fn links(&self) -> io::Result<Vec<Link>> {
        call(&self.key, |stack, _| Ok(stack.links()))
    }

    fn addresses(&self) -> io::Result<Vec<Address>> {
        call(&self.key, |stack, _| Ok(stack.address_list()))
    }
}
