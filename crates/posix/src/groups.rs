//! Multicast by `setsockopt(2)`: `ip(7)`, `ipv6(7)` and the options of RFC 3678, which are the same for both versions of IP.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use septet_transport::udp::{GroupChange, Looping, SocketId};

use crate::option::{SOL_IP, SOL_IPV6, number};
use crate::socket::{AF_INET, AF_INET6};
use crate::{Errno, Fd, Process};

const IP_MULTICAST_IF: i32 = 32;
const IP_MULTICAST_TTL: i32 = 33;
const IP_MULTICAST_LOOP: i32 = 34;
const IP_ADD_MEMBERSHIP: i32 = 35;
const IP_DROP_MEMBERSHIP: i32 = 36;
const IP_UNBLOCK_SOURCE: i32 = 37;
const IP_BLOCK_SOURCE: i32 = 38;
const IP_ADD_SOURCE_MEMBERSHIP: i32 = 39;
const IP_DROP_SOURCE_MEMBERSHIP: i32 = 40;
const MCAST_JOIN_GROUP: i32 = 42;
const MCAST_BLOCK_SOURCE: i32 = 43;
const MCAST_UNBLOCK_SOURCE: i32 = 44;
const MCAST_LEAVE_GROUP: i32 = 45;
const MCAST_JOIN_SOURCE_GROUP: i32 = 46;
const MCAST_LEAVE_SOURCE_GROUP: i32 = 47;
const IPV6_MULTICAST_IF: i32 = 17;
const IPV6_MULTICAST_HOPS: i32 = 18;
const IPV6_MULTICAST_LOOP: i32 = 19;
const IPV6_JOIN_GROUP: i32 = 20;
const IPV6_LEAVE_GROUP: i32 = 21;

/// What was set of how a socket sends to groups.
#[derive(Debug)]
pub(crate) struct Sending {
    ttl: u8,
    looping: Looping,
    /// The number of the interface, none where the routes choose.
    index: u32,
    /// The address by which IPv4's was named.
    address: Ipv4Addr,
}

impl Default for Sending {
    fn default() -> Self {
        Self { ttl: 1, looping: Looping::On, index: 0, address: Ipv4Addr::UNSPECIFIED }
    }
}

/// How an interface is named.
#[derive(Clone, Copy)]
enum Named {
    /// By its number; zero where the routes choose.
    Index(u32),
    /// By an address that it has; unspecified where the routes choose.
    Address(Ipv4Addr),
}

impl Process {
    /// Sets an option of groups; `None` where it is none of them.
    pub(crate) fn set_group_option(
        &mut self,
        fd: Fd,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Option<Result<(), Errno>> {
        Some(match (level, name) {
            (SOL_IP, IP_MULTICAST_TTL) => self.set_group_ttl(fd, value),
            (SOL_IPV6, IPV6_MULTICAST_HOPS) => self.set_group_ttl(fd, value),
            (SOL_IP, IP_MULTICAST_LOOP) => self.set_looping(fd, number(value)),
            // Linux takes 0 and 1 alone here, and anything for IPv4.
            (SOL_IPV6, IPV6_MULTICAST_LOOP) => self.set_looping(fd, number(value).filter(|on| (0..=1).contains(on))),
            (SOL_IP, IP_MULTICAST_IF) => self.set_interface_v4(fd, value),
            (SOL_IPV6, IPV6_MULTICAST_IF) => self.set_interface_v6(fd, value),
            (SOL_IP, IP_ADD_MEMBERSHIP..=IP_DROP_SOURCE_MEMBERSHIP) => self.change_v4(fd, name, value),
            (SOL_IPV6, IPV6_JOIN_GROUP | IPV6_LEAVE_GROUP) => self.change_v6(fd, name, value),
            (SOL_IP | SOL_IPV6, MCAST_JOIN_GROUP..=MCAST_LEAVE_SOURCE_GROUP) => {
                self.change_by_3678(fd, level, name, value)
            }
            _ => return None,
        })
    }

    /// The value of an option of groups; `None` where it is none of them.
    pub(crate) fn get_group_option(&mut self, fd: Fd, level: i32, name: i32) -> Option<Result<Vec<u8>, Errno>> {
        let sending = match self.udp_sending(fd) {
            Ok(sending) => sending,
            Err(errno) => return Some(Err(errno)),
        };
        let int = |value: i32| value.to_le_bytes().to_vec();
        Some(Ok(match (level, name) {
            (SOL_IP, IP_MULTICAST_TTL) | (SOL_IPV6, IPV6_MULTICAST_HOPS) => int(sending.ttl.into()),
            (SOL_IP, IP_MULTICAST_LOOP) | (SOL_IPV6, IPV6_MULTICAST_LOOP) => {
                int((sending.looping == Looping::On).into())
            }
            (SOL_IP, IP_MULTICAST_IF) => sending.address.octets().to_vec(),
            (SOL_IPV6, IPV6_MULTICAST_IF) => sending.index.to_le_bytes().to_vec(),
            _ => return None,
        }))
    }

    /// ip(7): "valid values are 0 to 255"; minus one is the default.
    fn set_group_ttl(&mut self, fd: Fd, value: &[u8]) -> Result<(), Errno> {
        let ttl = match number(value) {
            Some(-1) => 1,
            Some(ttl) => u8::try_from(ttl).map_err(|_| Errno::EINVAL)?,
            None => return Err(Errno::EINVAL),
        };
        let id = self.udp_draft(fd)?;
        self.sockets.set_udp_multicast_ttl(id, ttl)?;
        self.udp_sending(fd)?.ttl = ttl;
        Ok(())
    }

    fn set_looping(&mut self, fd: Fd, on: Option<i32>) -> Result<(), Errno> {
        let looping = if on.ok_or(Errno::EINVAL)? == 0 { Looping::Off } else { Looping::On };
        let id = self.udp_draft(fd)?;
        self.sockets.set_udp_looping(id, looping)?;
        self.udp_sending(fd)?.looping = looping;
        Ok(())
    }

    /// `struct in_addr`, `struct ip_mreq` or `struct ip_mreqn`, by its length.
    fn set_interface_v4(&mut self, fd: Fd, value: &[u8]) -> Result<(), Errno> {
        let named = match value.len() {
            0..=3 => return Err(Errno::EINVAL),
            4..=7 => Named::Address(v4(value, 0)?),
            8..=11 => Named::Address(v4(value, 4)?),
            _ => by_number_or(value)?,
        };
        let address = if let Named::Address(address) = named { address } else { v4(value, 4)? };
        // Where no interface has the address, EADDRNOTAVAIL, as `ip_setsockopt` has it.
        let chosen = self.interface(named, Errno::EADDRNOTAVAIL)?;
        self.set_interface(fd, chosen, address)
    }

    fn set_interface_v6(&mut self, fd: Fd, value: &[u8]) -> Result<(), Errno> {
        let index = u32::from_le_bytes(*value.first_chunk().ok_or(Errno::EINVAL)?);
        let chosen = self.interface(Named::Index(index), Errno::ENODEV)?;
        self.set_interface(fd, chosen, Ipv4Addr::UNSPECIFIED)
    }

    fn set_interface(&mut self, fd: Fd, chosen: Option<(u32, String)>, address: Ipv4Addr) -> Result<(), Errno> {
        let id = self.udp_draft(fd)?;
        self.sockets.set_udp_multicast_interface(id, chosen.as_ref().map(|(_, name)| &**name))?;
        let sending = self.udp_sending(fd)?;
        (sending.index, sending.address) = (chosen.map_or(0, |(index, _)| index), address);
        Ok(())
    }

    /// `struct ip_mreq`, `struct ip_mreqn`, `struct ip_mreq_source`.
    fn change_v4(&mut self, fd: Fd, name: i32, value: &[u8]) -> Result<(), Errno> {
        let group = IpAddr::V4(v4(value, 0)?);
        // Unlike `ip_mreqn`, `ip_mreq_source` has the source where that has the number.
        let change = match name {
            IP_ADD_MEMBERSHIP => GroupChange::Join,
            IP_DROP_MEMBERSHIP => GroupChange::Leave,
            IP_UNBLOCK_SOURCE => GroupChange::Unblock(v4(value, 8)?.into()),
            IP_BLOCK_SOURCE => GroupChange::Block(v4(value, 8)?.into()),
            IP_ADD_SOURCE_MEMBERSHIP => GroupChange::JoinSource(v4(value, 8)?.into()),
            _ => GroupChange::LeaveSource(v4(value, 8)?.into()),
        };
        let named = match change {
            GroupChange::Join | GroupChange::Leave if value.len() >= 12 => by_number_or(value)?,
            _ => Named::Address(v4(value, 4)?),
        };
        self.change_group(fd, group, named, change)
    }

    /// `struct ipv6_mreq`
    fn change_v6(&mut self, fd: Fd, name: i32, value: &[u8]) -> Result<(), Errno> {
        let group = IpAddr::V6(v6(value, 0)?);
        let index = value.get(16..).and_then(<[u8]>::first_chunk).ok_or(Errno::EINVAL)?;
        let change = if name == IPV6_JOIN_GROUP { GroupChange::Join } else { GroupChange::Leave };
        self.change_group(fd, group, Named::Index(u32::from_le_bytes(*index)), change)
    }

    /// `struct group_req`, `struct group_source_req`: the number of the interface, then addresses as `sockaddr_storage`, each
    /// on a boundary of eight octets.
    fn change_by_3678(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        let family = if level == SOL_IP { AF_INET } else { AF_INET6 };
        let index = u32::from_le_bytes(*value.first_chunk().ok_or(Errno::EINVAL)?);
        let group = stored(value, 8, family)?;
        let source = || stored(value, 136, family);
        let change = match name {
            MCAST_JOIN_GROUP => GroupChange::Join,
            MCAST_LEAVE_GROUP => GroupChange::Leave,
            MCAST_BLOCK_SOURCE => GroupChange::Block(source()?),
            MCAST_UNBLOCK_SOURCE => GroupChange::Unblock(source()?),
            MCAST_JOIN_SOURCE_GROUP => GroupChange::JoinSource(source()?),
            _ => GroupChange::LeaveSource(source()?),
        };
        self.change_group(fd, group, Named::Index(index), change)
    }

    fn change_group(&mut self, fd: Fd, group: IpAddr, named: Named, change: GroupChange) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        let chosen = self.interface(named, Errno::ENODEV)?;
        let id: SocketId = self.udp_draft(fd)?;
        let on = chosen.as_ref().map(|(_, name)| &**name);
        self.sockets.change_udp_group(id, group, on, change).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Errno::ENODEV,
            _ => error.into(),
        })
    }

    /// The number and the name of an interface; none where the routes are to choose.
    fn interface(&self, named: Named, missing: Errno) -> Result<Option<(u32, String)>, Errno> {
        let iface = match named {
            Named::Index(0) | Named::Address(Ipv4Addr::UNSPECIFIED) => return Ok(None),
            // The first number is the loopback's, as in `ip link`.
            Named::Index(index) => {
                u16::try_from(index).ok().and_then(|index| index.checked_sub(2)).ok_or(Errno::ENODEV)?
            }
            Named::Address(address) => {
                let all = self.sockets.addresses()?;
                all.iter().find(|own| own.address.addr() == address).ok_or(missing)?.iface
            }
        };
        let link = self.sockets.links()?.into_iter().find(|link| link.iface == iface).ok_or(Errno::ENODEV)?;
        Ok(Some((u32::from(iface) + 2, link.name)))
    }
}

/// The interface of a `struct ip_mreqn`: its number "if it is not zero", else its address (ip(7)).
fn by_number_or(value: &[u8]) -> Result<Named, Errno> {
    let index = value.get(8..).and_then(<[u8]>::first_chunk).ok_or(Errno::EINVAL)?;
    Ok(match u32::from_le_bytes(*index) {
        0 => Named::Address(v4(value, 4)?),
        index => Named::Index(index),
    })
}

fn v4(value: &[u8], at: usize) -> Result<Ipv4Addr, Errno> {
    let octets: &[u8; 4] = value.get(at..).and_then(<[u8]>::first_chunk).ok_or(Errno::EINVAL)?;
    Ok(Ipv4Addr::from(*octets))
}

fn v6(value: &[u8], at: usize) -> Result<Ipv6Addr, Errno> {
    let octets: &[u8; 16] = value.get(at..).and_then(<[u8]>::first_chunk).ok_or(Errno::EINVAL)?;
    Ok(Ipv6Addr::from(*octets))
}

/// The address in a `struct sockaddr_storage`.
fn stored(value: &[u8], at: usize, family: i32) -> Result<IpAddr, Errno> {
    let storage = value.get(at..at + 128).ok_or(Errno::EINVAL)?;
    match i32::from(u16::from_le_bytes([storage[0], storage[1]])) {
        // Linux: EADDRNOTAVAIL for a group of the other family.
        AF_INET if family == AF_INET => Ok(v4(storage, 4)?.into()),
        AF_INET6 if family == AF_INET6 => Ok(v6(storage, 8)?.into()),
        AF_INET | AF_INET6 => Err(Errno::EADDRNOTAVAIL),
        _ => Err(Errno::EINVAL),
    }
}
