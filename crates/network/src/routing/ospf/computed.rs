//! The routes that OSPF has computed, and which of two is better (RFC 2328 §11).

use std::collections::BTreeMap;

use crate::addr::Prefix;
use crate::route::NextHop;

/// What was computed last.
#[derive(Default, Debug)]
pub(super) struct Computed {
    pub(super) routes: BTreeMap<Prefix, Way>,
}

/// A route within the area or to the outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Way {
    pub(super) rank: Rank,
    pub(super) hops: Vec<NextHop>,
}

/// RFC 2328 §11: paths within the area go before those outside, and of these type 1 before type 2; then the nearer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    Within(u32),
    One(u32),
    /// The metric outside, then how far the router is that knows the way.
    Two(u32, u32),
}

impl Rank {
    pub(super) const fn metric(self) -> u32 {
        match self {
            Self::Within(metric) | Self::One(metric) | Self::Two(metric, _) => metric,
        }
    }
}
