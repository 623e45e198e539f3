//! The ways between routers, and what is reached at each.

use std::net::IpAddr;

use crate::addr::Prefix;

/// Which of several shortest paths is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ties {
    /// The one through the router that was declared first.
    #[default]
    First,
    /// Destinations are spread over them, each keeping its own.
    Spread,
}

/// A way to a neighbouring router.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Gateway {
    pub(super) router: usize,
    pub(super) addr: IpAddr,
    pub(super) cost: u32,
}

/// Prefixes, and the routers that each is reached at.
pub(super) type Owned = Vec<(Prefix, Vec<usize>)>;
