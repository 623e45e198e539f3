//! What a socket can be bound or connected to: addresses, and names that the program's host knows or asks for.

use core::future::poll_fn;
use core::task::Poll;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};

use septet_coroutine::wait;

use crate::program::Task;

/// What stands for one or more addresses, as `std::net::ToSocketAddrs`.
///
/// On a simulated host a name is looked for in the host's own table, which has the hosts of the lab, and where the lab has name
/// servers these are asked, over its network and in virtual time, while the thread waits.
pub trait ToAddresses {
    /// The addresses, in order of preference.
    ///
    /// # Errors
    /// `InvalidInput` where it is no address, `NotFound` where there is no such name, `TimedOut` where no name server answers.
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
        let found = look_up(&task, name)?;
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

impl ToAddresses for (String, u16) {
    fn to_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        (self.0.as_str(), self.1).to_addresses()
    }
}

/// The addresses of a name, for which the thread waits where its host has to ask.
fn look_up(task: &Task, name: &str) -> io::Result<Vec<IpAddr>> {
    let net = task.process.net();
    let Some(lookup) = net.lookup() else {
        let known = net.hosts(name);
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("`{name}` is no name that this host knows"));
        return if known.is_empty() { Err(unknown()) } else { Ok(known) };
    };
    let mut asked = lookup(net.clone(), name.to_owned());
    wait(async {
        // What the host knows by itself is there at once: nobody sleeps for it.
        let first = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx))).await;
        match first {
            Poll::Ready(found) => found,
            Poll::Pending => task.sleep(asked).await,
        }
    })?
}

/// The addresses of `host`, a name and a port: as `to_addresses`, in the shape of tokio's function of that name.
///
/// # Errors
/// Those of [`to_addresses`](ToAddresses::to_addresses).
pub fn lookup_host(host: impl ToAddresses) -> io::Result<impl Iterator<Item = SocketAddr>> {
    Ok(host.to_addresses()?.into_iter())
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
