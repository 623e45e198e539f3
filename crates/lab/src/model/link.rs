//! A link: what it joins, and what each of its directions is made of.

use std::sync::Arc;

use crate::model::cable::Cable;
use crate::model::topology::PortRef;

/// A link between two ports.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its name: `r1--r2`; of several between the same nodes, with their ports.
    pub name: String,
    /// What it joins.
    pub ends: [PortRef; 2],
    /// What it is made of, from the first end to the second and back.
    pub cables: [Arc<Cable>; 2],
}
