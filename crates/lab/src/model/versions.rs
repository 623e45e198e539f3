//! The versions of IP that a lab and its nodes speak.

use std::net::IpAddr;

/// A version of IP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Version {
    V4,
    V6,
}

impl Version {
    /// Both, IPv4 first.
    pub(crate) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// That of an address.
    pub(crate) const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// Which versions of IP a node speaks: of each its ports have an address that comes by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Versions {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
    /// Both.
    Dual,
}

impl Versions {
    /// Each by its word in a lab file.
    pub(crate) fn words() -> Vec<(&'static str, Self)> {
        vec![("4", Self::V4), ("6", Self::V6), ("dual", Self::Dual)]
    }

    pub(crate) const fn has(self, version: Version) -> bool {
        matches!((self, version), (Self::Dual, _) | (Self::V4, Version::V4) | (Self::V6, Version::V6))
    }
}
