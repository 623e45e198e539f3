//! `hold r1->r2`: packets wait until the fault is over.

use septet_core::{Frame, Rng};
use septet_engine::Verdict;

use crate::fault::filter::{Action, filter};
use crate::fault::kind::FaultKind;
use crate::fault::places::Spot;

/// Packets wait until the fault is over.
pub(super) const HOLD: FaultKind =
    FaultKind::new("hold", "5s..8s: hold r1->r2", "fault.hold", |words, context| filter(words, context, |_| Ok(Hold)));

/// They wait.
#[derive(Clone, Copy, Debug)]
struct Hold;

impl Action for Hold {
    fn verdict(&self, _: &Frame, _: Spot, _: &mut Rng) -> Verdict {
        Verdict::Hold
    }
}
