//! Address, route, MTU and flags of a kernel interface in the current network namespace, without netlink or `ip`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, UdpSocket};

use socket2::{Domain, Socket, Type};

use super::sys::{
    IfReq, In6IfReq, In6RtMsg, RtEntry, SIOCGIFFLAGS, SIOCGIFINDEX, SIOCGIFMTU, SIOCSIFADDR, SIOCSIFFLAGS,
    SIOCSIFHWADDR, SIOCSIFMTU, SIOCSIFNETMASK, add_address_v6, add_route, add_route_v6, if_req,
};

const AF_INET: u16 = 2;
const ARPHRD_ETHER: u16 = 1;
const IFF_UP: i16 = 0x1;
const RTF_UP: u16 = 0x1;
const RTF_GATEWAY: u16 = 0x2;
/// `IP6_RT_PRIO_USER`
const METRIC_V6: u32 = 1024;

/// A handle on one interface.
#[derive(Debug)]
pub struct Interface {
    name: String,
    socket: UdpSocket,
}

impl Interface {
    /// The interface called `name` of the current network namespace.
    ///
    /// # Errors
    /// `InvalidInput` for an impossible name, or the kernel's error where there is no such interface.
    pub fn open(name: &str) -> io::Result<Self> {
        let this = Self { name: name.to_owned(), socket: control_socket()? };
        this.get::<SIOCGIFFLAGS>()?;
        Ok(this)
    }

    /// Sets the link address; the interface must be down.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_mac(&self, mac: [u8; 6]) -> io::Result<()> {
        let mut sockaddr = [0; 16];
        sockaddr[..2].copy_from_slice(&ARPHRD_ETHER.to_ne_bytes());
        sockaddr[2..8].copy_from_slice(&mac);
        self.set::<SIOCSIFHWADDR>(IfReq::new(&self.name)?.set_bytes(&sockaddr))
    }

    /// The largest packet.
    ///
    /// # Errors
    /// The kernel's.
    pub fn mtu(&self) -> io::Result<u32> {
        Ok(self.get::<SIOCGIFMTU>()?.i32().unsigned_abs())
    }

    /// Sets the largest packet.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_mtu(&self, mtu: u32) -> io::Result<()> {
        let mtu = i32::try_from(mtu).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.set::<SIOCSIFMTU>(IfReq::new(&self.name)?.set_i32(mtu))
    }

    /// Gives it an address and the length of its prefix: of IPv4 instead of the one that it has, of IPv6 beside those.
    ///
    /// # Errors
    /// `InvalidInput` where the prefix is longer than the address; else the kernel's.
    pub fn set_address(&self, address: IpAddr, prefix: u8) -> io::Result<()> {
        match address {
            IpAddr::V4(address) => self.set_v4(address, prefix),
            IpAddr::V6(address) => {
                let req = In6IfReq { address: address.octets(), prefix_len: prefix.into(), index: self.index()? };
                add_address_v6(control_socket_v6()?, req).map_err(|e| self.named(e))
            }
        }
    }

    /// Uses an address of IPv6 at once, without asking whether another has it (RFC 4862 §5.4: `DupAddrDetectTransmits` of
    /// zero). It must be said before the address is given.
    ///
    /// # Errors
    /// Where the system does not let us.
    pub fn skip_duplicate_detection(&self) -> io::Result<()> {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{}/accept_dad", self.name), "0")
    }

    fn index(&self) -> io::Result<i32> {
        Ok(self.get::<SIOCGIFINDEX>()?.i32())
    }

    fn set_v4(&self, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mask = match prefix {
            0 => 0,
            1..=32 => u32::MAX << (32 - prefix),
            _ => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("prefix /{prefix} is longer than 32")));
            }
        };
        self.set::<SIOCSIFADDR>(IfReq::new(&self.name)?.set_bytes(&sockaddr(address)))?;
        self.set::<SIOCSIFNETMASK>(IfReq::new(&self.name)?.set_bytes(&sockaddr(mask.into())))
    }

    /// Whether it is switched on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn is_up(&self) -> io::Result<bool> {
        Ok(self.get::<SIOCGIFFLAGS>()?.i16() & IFF_UP != 0)
    }

    /// Switches it on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn up(&self) -> io::Result<()> {
        let flags = self.get::<SIOCGIFFLAGS>()?.i16();
        self.set::<SIOCSIFFLAGS>(IfReq::new(&self.name)?.set_i16(flags | IFF_UP))
    }

    /// Adds a default route by way of `gateway`.
    ///
    /// # Errors
    /// The kernel's, as `NetworkUnreachable` where no interface reaches the gateway.
    pub fn add_default_route(&self, gateway: IpAddr) -> io::Result<()> {
        let gateway = match gateway {
            IpAddr::V4(gateway) => gateway,
            IpAddr::V6(gateway) => {
                let flags = u32::from(RTF_UP | RTF_GATEWAY);
                let (dst, gateway, metric) = (Ipv6Addr::UNSPECIFIED.octets(), gateway.octets(), METRIC_V6);
                let route = In6RtMsg { dst, gateway, metric, flags, index: self.index()?, ..In6RtMsg::default() };
                return add_route_v6(control_socket_v6()?, route);
            }
        };
        let any = sockaddr(Ipv4Addr::UNSPECIFIED);
        add_route(
            &self.socket,
            RtEntry {
                dst: any,
                gateway: sockaddr(gateway),
                genmask: any,
                flags: RTF_UP | RTF_GATEWAY,
                ..RtEntry::default()
            },
        )
    }

    fn get<const OPCODE: rustix::ioctl::Opcode>(&self) -> io::Result<IfReq> {
        let mut req = IfReq::new(&self.name)?;
        if_req::<OPCODE>(&self.socket, &mut req).map_err(|e| self.named(e))?;
        Ok(req)
    }

    fn set<const OPCODE: rustix::ioctl::Opcode>(&self, mut req: IfReq) -> io::Result<()> {
        if_req::<OPCODE>(&self.socket, &mut req).map_err(|e| self.named(e))
    }

    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("interface {}: {error}", self.name))
    }
}

/// Any socket serves; this one never sends.
fn control_socket() -> io::Result<UdpSocket> {
    UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))
}

/// The same of IPv6, whose requests are others by the same numbers.
fn control_socket_v6() -> io::Result<Socket> {
    Socket::new(Domain::IPV6, Type::DGRAM, None)
}

/// `struct sockaddr_in` with port zero.
fn sockaddr(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
    bytes[4..8].copy_from_slice(&address.octets());
    bytes
}
