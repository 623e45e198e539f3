//! A routing protocol as a host is set to speak it.

use std::sync::Arc;

use septet_network::routing::{Config, Kind};

/// A routing protocol that a host speaks, with what was set of it.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// Which.
    pub kind: &'static Kind,
    /// What was set.
    pub config: Arc<dyn Config>,
}
