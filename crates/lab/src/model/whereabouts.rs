//! Where the parts of a lab are in its world.

use std::sync::Arc;

use septet_core::{Recorder, StationId};
use septet_engine::LinkId;

use crate::model::cable::Cable;

/// Where the parts of a lab are in its world, each by its index in the lab.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts {
    pub(crate) stations: Vec<StationId>,
    pub(crate) links: Vec<LinkId>,
    pub(crate) cables: Vec<[Arc<Cable>; 2]>,
    /// Switches have none.
    pub(crate) recorders: Vec<Option<Recorder>>,
}
