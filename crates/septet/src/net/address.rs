//! What names an address, and the looking up of names.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use septet_application::dns::{Family, Resolver};
use septet_host::Here;

/// What can be turned into socket addresses, names included: the same types as tokio's trait of that name takes.
///
/// In a simulation a name is looked for in the host's own table, which has the hosts of the lab, and then asked of the
/// name servers that the lab gave it, over its network and in virtual time.
pub trait ToSocketAddrs: sealed::Sealed {}

/// What an address is told by.
#[derive(Debug)]
pub enum Told {
    /// Addresses.
    Known(Vec<SocketAddr>),
    /// A host's name, and a port.
    Name(String, u16),
}

mod sealed {
    pub trait Sealed {
        /// What it says.
        ///
        /// # Errors
        /// `InvalidInput` where it is no address and no `name:port`.
        fn told(&self) -> std::io::Result<super::Told>;
    }
}
use sealed::Sealed;

macro_rules! known {
    ($($of:ty),* $(,)?) => {$(
        impl ToSocketAddrs for $of {}
        impl Sealed for $of {
            fn told(&self) -> io::Result<Told> {
                Ok(Told::Known(vec![(*self).into()]))
            }
        }
    )*};
}
known!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl ToSocketAddrs for &[SocketAddr] {}
impl Sealed for &[SocketAddr] {
    fn told(&self) -> io::Result<Told> {
        Ok(Told::Known(self.to_vec()))
    }
}

impl ToSocketAddrs for (&str, u16) {}
impl Sealed for (&str, u16) {
    fn told(&self) -> io::Result<Told> {
        let (host, port) = *self;
        Ok(match host.parse::<IpAddr>() {
            Ok(address) => Told::Known(vec![(address, port).into()]),
            Err(_) => Told::Name(host.to_owned(), port),
        })
    }
}

impl ToSocketAddrs for (String, u16) {}
impl Sealed for (String, u16) {
    fn told(&self) -> io::Result<Told> {
        (self.0.as_str(), self.1).told()
    }
}

impl ToSocketAddrs for str {}
impl Sealed for str {
    fn told(&self) -> io::Result<Told> {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return Ok(Told::Known(vec![address]));
        }
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let (host, port) = self.rsplit_once(':').ok_or_else(|| invalid("invalid socket address"))?;
        let port = port.parse().map_err(|_| invalid("invalid port value"))?;
        Ok(Told::Name(host.to_owned(), port))
    }
}

impl ToSocketAddrs for String {}
impl Sealed for String {
    fn told(&self) -> io::Result<Told> {
        self.as_str().told()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl<T: ToSocketAddrs + ?Sized> Sealed for &T {
    fn told(&self) -> io::Result<Told> {
        (**self).told()
    }
}

/// Looks up the addresses of `host`: a name and a port, as [`tokio::net::lookup_host`] does.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.host("db", || core::future::pending());
/// world.client("client", async {
///     let found: Vec<_> = septet::net::lookup_host("db:5432").await?.collect();
///     assert_eq!(found[0].port(), 5432);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Errors
/// `InvalidInput` where it is neither an address nor `name:port`; `NotFound` where there is no such name; `TimedOut` where no
/// name server answers.
pub async fn lookup_host<T: ToSocketAddrs>(host: T) -> io::Result<impl Iterator<Item = SocketAddr>> {
    let told = host.told();
    Ok(resolve(told?).await?.into_iter())
}

/// The addresses that were told of.
pub(super) async fn resolve(told: Told) -> io::Result<Vec<SocketAddr>> {
    match (told, Here::current()) {
        (Told::Known(addresses), _) => Ok(addresses),
        (Told::Name(host, port), Some(here)) => {
            let found = Resolver::new(here.net()).addresses(&host, Family::Any).await?;
            Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
        }
        (Told::Name(host, port), None) => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
    }
}

/// Tries `attempt` with one address after the other, and gives the first that went well.
pub(super) async fn first<T, F>(addresses: Vec<SocketAddr>, mut attempt: impl FnMut(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address");
    for address in addresses {
        match attempt(address).await {
            Ok(done) => return Ok(done),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// What a socket of a simulated host cannot be.
pub(super) fn simulated(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("a simulated socket {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tokio_takes_is_taken() {
        let v4: SocketAddr = "10.0.0.1:80".parse().unwrap();
        let known = |told: io::Result<Told>| match told {
            Ok(Told::Known(addresses)) => addresses,
            other => panic!("{other:?}"),
        };
        assert_eq!(known("10.0.0.1:80".told()), [v4]);
        assert_eq!(known(("10.0.0.1", 80).told()), [v4]);
        assert_eq!(known((Ipv4Addr::new(10, 0, 0, 1), 80).told()), [v4]);
        assert_eq!(known((&[v4, v4][..]).told()), [v4, v4]);
        assert_eq!(known((&&v4).told()), [v4]);
        assert!(matches!(String::from("db:80").told(), Ok(Told::Name(host, 80)) if host == "db"));
        for wrong in ["", "db", "db:", "db:http", "db:70000"] {
            assert_eq!(wrong.told().unwrap_err().kind(), io::ErrorKind::InvalidInput, "{wrong}");
        }
    }
}
