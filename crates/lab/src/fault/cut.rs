//! `cut r1--r2`: the cable carries nothing, and both ends lose their carrier.

use crate::fault::{Effect, FaultKind, links};

/// Cuts a cable.
pub(super) const CUT: FaultKind = FaultKind {
    verb: "cut",
    example: "18s..19s: cut r1--r2",
    event: "fault.cut",
    read: |words, context| Ok(context.throughout(Effect::Cut(links(words, context.topology)?))),
};

/// The same, for those who pull plugs.
pub(super) const UNPLUG: FaultKind = FaultKind { verb: "unplug", example: "10s: unplug web1--s2", ..CUT };
