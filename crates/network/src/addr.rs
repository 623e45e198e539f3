//! Addresses with a prefix length, as `ip address` and `ip route` write them.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address with a prefix length was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixError {
    /// Not an IP address.
    Address,
    /// The length is not a number, or greater than the address has bits.
    Length,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "not an IP address",
            Self::Length => "the prefix length is 0 to 32 for IPv4, 0 to 128 for IPv6",
        })
    }
}

impl std::error::Error for PrefixError {}

/// A block of addresses; the bits beyond the length are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    addr: IpAddr,
    len: u8,
}

impl Prefix {
    /// `0.0.0.0/0`.
    pub const DEFAULT_V4: Self = Self { addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED), len: 0 };
    /// `::/0`.
    pub const DEFAULT_V6: Self = Self { addr: IpAddr::V6(Ipv6Addr::UNSPECIFIED), len: 0 };

    /// The block of `len` leading bits that holds `addr`.
    ///
    /// # Errors
    /// [`PrefixError::Length`] where the address has fewer bits.
    pub fn new(addr: IpAddr, len: u8) -> Result<Self, PrefixError> {
        if len > width(addr) {
            return Err(PrefixError::Length);
        }
        let addr = match addr {
            IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits() & mask32(len)).into(),
            IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits() & mask128(len)).into(),
        };
        Ok(Self { addr, len })
    }

    /// The block that holds this address alone.
    pub fn host(addr: IpAddr) -> Self {
        Self { addr, len: width(addr) }
    }

    /// The lowest address.
    pub const fn addr(self) -> IpAddr {
        self.addr
    }

    /// The number of leading bits that are fixed.
    pub const fn prefix_len(self) -> u8 {
        self.len
    }

    /// Whether `addr` lies in it.
    pub fn contains(self, addr: IpAddr) -> bool {
        match (self.addr, addr) {
            (IpAddr::V4(p), IpAddr::V4(a)) => (p.to_bits() ^ a.to_bits()) & mask32(self.len) == 0,
            (IpAddr::V6(p), IpAddr::V6(a)) => (p.to_bits() ^ a.to_bits()) & mask128(self.len) == 0,
            _ => false,
        }
    }

    /// The directed broadcast address. A /31 (RFC 3021) and a /32 have none, nor has IPv6.
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        match self.addr {
            IpAddr::V4(a) if self.len < 31 => Some(Ipv4Addr::from_bits(a.to_bits() | !mask32(self.len))),
            _ => None,
        }
    }
}

/// An address and the length of the prefix that is on the link: what an interface is given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    addr: IpAddr,
    len: u8,
}

impl Cidr {
    /// `addr` on a link where `len` leading bits are shared.
    ///
    /// # Errors
    /// [`PrefixError::Length`] where the address has fewer bits.
    pub fn new(addr: IpAddr, len: u8) -> Result<Self, PrefixError> {
        if len > width(addr) { Err(PrefixError::Length) } else { Ok(Self { addr, len }) }
    }

    /// The address.
    pub const fn addr(self) -> IpAddr {
        self.addr
    }

    /// The prefix length.
    pub const fn prefix_len(self) -> u8 {
        self.len
    }

    /// The block of addresses on the link.
    pub fn prefix(self) -> Prefix {
        Prefix::new(self.addr, self.len).expect("the length was checked when this was made")
    }
}

macro_rules! text_form {
    ($($t:ty),*) => {$(
        impl FromStr for $t {
            type Err = PrefixError;

            /// Reads `10.0.0.1/24`; without a length the address alone is meant.
            fn from_str(s: &str) -> Result<Self, PrefixError> {
                let (addr, len) = match s.split_once('/') {
                    Some((addr, len)) => (addr, Some(len)),
                    None => (s, None),
                };
                let addr: IpAddr = addr.parse().map_err(|_| PrefixError::Address)?;
                let len = match len {
                    Some(len) => len.parse().map_err(|_| PrefixError::Length)?,
                    None => width(addr),
                };
                Self::new(addr, len)
            }
        }

        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.addr, self.len)
            }
        }

        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}
text_form!(Prefix, Cidr);

const fn width(addr: IpAddr) -> u8 {
    match addr {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

const fn mask32(len: u8) -> u32 {
    if len == 0 { 0 } else { u32::MAX << (32 - len) }
}

const fn mask128(len: u8) -> u128 {
    if len == 0 { 0 } else { u128::MAX << (128 - len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let c: Cidr = "10.1.2.3/20".parse().unwrap();
        assert_eq!((c.to_string(), c.prefix().to_string()), ("10.1.2.3/20".into(), "10.1.0.0/20".into()));
        assert_eq!("fd00::1".parse::<Cidr>().unwrap().prefix_len(), 128);
        assert_eq!("10.0.0.0/33".parse::<Prefix>(), Err(PrefixError::Length));
        assert_eq!("10.0.0/8".parse::<Prefix>(), Err(PrefixError::Address));
    }

    #[test]
    fn contains_and_broadcast() {
        let p: Prefix = "10.1.0.0/20".parse().unwrap();
        assert!(p.contains("10.1.15.255".parse().unwrap()));
        assert!(!p.contains("10.1.16.0".parse().unwrap()));
        assert!(!p.contains("::1".parse().unwrap()));
        assert_eq!(p.broadcast(), Some(Ipv4Addr::new(10, 1, 15, 255)));
        assert_eq!("10.0.0.0/31".parse::<Prefix>().unwrap().broadcast(), None);
        assert!(Prefix::DEFAULT_V6.contains("::1".parse().unwrap()));
    }
}
