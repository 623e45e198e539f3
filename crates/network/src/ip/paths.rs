//! What is known of ways beyond the MTU of their first link.

use std::collections::BTreeMap;
use std::net::IpAddr;

use septet_core::Instant;

use crate::route::RouteMtu;

/// What is known of ways beyond the MTU of their first link; most hosts know nothing.
#[derive(Debug, Default)]
pub(super) struct Paths {
    pub(super) learned: BTreeMap<IpAddr, (RouteMtu, Instant)>,
    /// Whether any route has an MTU of its own.
    pub(super) of_routes: Written,
}

/// Whether a person has said anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Written {
    #[default]
    Nothing,
    Something,
}
