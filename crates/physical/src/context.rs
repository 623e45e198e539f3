//! What the two directions of a link have in common: a name for their luck, and eyes for what they carry.

use core::fmt;
use std::sync::Arc;

use septet_core::{Rng, Seed};

use crate::Lens;

/// Which direction of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Heading {
    /// From the end that was named first.
    AToB,
    /// Towards it.
    BToA,
}

/// Where the randomness of a link comes from, and how its queues read packets.
pub struct LinkContext {
    /// The name of the link. It names the streams of random numbers, so it must be its own.
    pub name: Box<str>,
    /// The world's seed.
    pub seed: Seed,
    /// How packets are read, marked and split.
    pub lens: Arc<dyn Lens>,
}

impl LinkContext {
    /// The random numbers of one part of one direction.
    pub(crate) fn stream(&self, heading: Heading, what: &str) -> Rng {
        let heading = match heading {
            Heading::AToB => "a>b",
            Heading::BToA => "b>a",
        };
        self.seed.stream(&format!("{} {heading} {what}", self.name))
    }
}

impl fmt::Debug for LinkContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkContext").field("name", &self.name).finish_non_exhaustive()
    }
}
