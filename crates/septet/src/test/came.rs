//! What a world of a test came to.

use septet_lab::{Lab, Outcome};

use super::failure::Failure;
use super::faults::Happened;

/// What a world came to.
pub(super) struct Came {
    pub(super) lab: Lab,
    pub(super) outcome: Outcome,
    pub(super) happened: Vec<Happened>,
    pub(super) failure: Option<Failure>,
}
