//! The routes that OSPF has computed, and which of two is better (RFC 2328 §11).

use core::cmp::Ordering;
use std::sync::Arc;

use crate::addr::Prefix;
use crate::route::NextHop;

/// What was computed last, by prefix.
#[derive(Default, Debug)]
pub(super) struct Computed {
    pub(super) routes: Vec<(Prefix, Way)>,
}

/// A route within the area or beyond.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Way {
    pub(super) rank: Rank,
    pub(super) hops: Arc<[NextHop]>,
}

/// RFC 2328 §11: "intra-area, inter-area, type 1 external or type 2 external", the best first; then the nearer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    Within(u32),
    Between(u32),
    One(u32),
    /// The metric outside, then how far the router is that knows the way.
    Two(u32, u32),
}

impl Rank {
    pub(super) const fn metric(self) -> u32 {
        match self {
            Self::Within(metric) | Self::Between(metric) | Self::One(metric) | Self::Two(metric, _) => metric,
        }
    }

    /// How far it is, where it lies in this system of routers.
    pub(super) const fn inside(self) -> Option<u32> {
        match self {
            Self::Within(cost) | Self::Between(cost) => Some(cost),
            Self::One(_) | Self::Two(..) => None,
        }
    }
}

impl Computed {
    /// Takes other routes in the place of these; gives what has changed, which is nothing for a route that is no more.
    pub(super) fn replace(&mut self, routes: Vec<(Prefix, Way)>) -> Vec<(Prefix, Option<Way>)> {
        let before = core::mem::replace(&mut self.routes, routes);
        let (mut old, mut new) = (before.iter().peekable(), self.routes.iter().peekable());
        let mut changed = Vec::new();
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => old.0.cmp(&new.0),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return changed,
            };
            let was = if order.is_le() { old.next() } else { None };
            let is = if order.is_ge() { new.next() } else { None };
            if let Some((prefix, _)) = is.or(was)
                && was != is
            {
                changed.push((*prefix, is.map(|(_, way)| way.clone())));
            }
        }
    }
}
