//! `cut r1--r2`: the cable carries nothing, and both ends lose their carrier.

use septet_language::words::{Words, Wrong};

use crate::fault::injector::Injector;
use crate::fault::kind::{Context, Effect, FaultKind, Plan};
use crate::model::topology::LinkRef;

/// Cuts a cable.
pub(super) const CUT: FaultKind = FaultKind::new("cut", "18s..19s: cut r1--r2", "fault.cut", read);

/// The same, for those who pull plugs.
pub(super) const UNPLUG: FaultKind = FaultKind::new("unplug", "10s: unplug web1--s2", "fault.cut", read);

fn read(words: &mut Words<'_>, context: &Context<'_>) -> Result<Plan, Wrong> {
    Ok(context.throughout(Cut(context.links(words)?)))
}

/// Links that carry nothing.
#[derive(Debug)]
pub(super) struct Cut(pub(super) Vec<LinkRef>);

impl Effect for Cut {
    fn begin(&self, with: &mut Injector<'_>) {
        for link in &self.0 {
            with.cut(link.link);
        }
    }
}
