//! What a socket can be bound or connected to: addresses, and names that the program's host knows.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};

use crate::program::Task;

/// What stands for one or more addresses, as `std::net::ToSocketAddrs`; names are those that the host of the program knows.
pub trait ToAddresses {
    /// The addresses, in order of preference.
    ///
    /// # Errors
    /// `InvalidInput` where it is no address, `NotFound` where the name is unknown.
    fn to_addresses(&self) -> io::Result<Vec<SocketAddr>>;
}

macro_rules! address {
    ($($of:ty),*) => { $(
        impl ToAddresses for $of {
            fn to_addresses(&self) -> io::Result<Vec<SocketAddr>> {
                Ok(vec![SocketAddr::from(*self)])
            }
        }
    )* };
}

address!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16), ([u8; 4], u16));

impl ToAddresses for (&str, u16) {
    fn to_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = *self;
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let Some(task) = Task::current() else { return Ok((name, port).to_socket_addrs()?.collect()) };
        let known = task.process.net().hosts(name);
        if known.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("`{name}` is no name that this host knows")));
        }
        Ok(known.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

impl ToAddresses for str {
    fn to_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.parse() {
            return Ok(vec![address]);
        }
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "invalid socket address");
        let (name, port) = self.rsplit_once(':').ok_or_else(invalid)?;
        (name, port.parse().map_err(|_| invalid())?).to_addresses()
    }
}

impl ToAddresses for String {
    fn to_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_addresses()
    }
}

impl ToAddresses for [SocketAddr] {
    fn to_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_vec())
    }
}

impl<T: ToAddresses + ?Sized> ToAddresses for &T {
    fn to_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).to_addresses()
    }
}
