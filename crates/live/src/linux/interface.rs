//! Address, route, MTU and flags of a kernel interface in the current network namespace, without netlink or `ip`.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use super::sys::{
    IfReq, RtEntry, SIOCGIFFLAGS, SIOCGIFMTU, SIOCSIFADDR, SIOCSIFFLAGS, SIOCSIFHWADDR, SIOCSIFMTU, SIOCSIFNETMASK,
    add_route, if_req,
};

const AF_INET: u16 = 2;
const ARPHRD_ETHER: u16 = 1;
const IFF_UP: i16 = 0x1;
const RTF_UP: u16 = 0x1;
const RTF_GATEWAY: u16 = 0x2;

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

    /// Gives it an address and the length of its prefix.
    ///
    /// # Errors
    /// `InvalidInput` where the prefix is longer than 32; else the kernel's.
    pub fn set_address(&self, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
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
    pub fn add_default_route(&self, gateway: Ipv4Addr) -> io::Result<()> {
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

/// `struct sockaddr_in` with port zero.
fn sockaddr(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
    bytes[4..8].copy_from_slice(&address.octets());
    bytes
}
