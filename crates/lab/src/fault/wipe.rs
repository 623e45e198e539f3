//! `wipe db`: a host loses all that is on its disk.

use crate::fault::injector::Injector;
use crate::fault::kind::{Effect, FaultKind};

/// Empties the disks of hosts. It goes well with a crash: `10s: wipe db` behind `10s..12s: crash db`.
pub(super) const WIPE: FaultKind = FaultKind::new("wipe", "10s: wipe db", "fault.wipe", |words, context| {
    context.at_once("wipe", Wipe(context.hosts(words)?))
});

/// Disks that are empty from now on.
#[derive(Debug)]
struct Wipe(Vec<usize>);

impl Effect for Wipe {
    fn begin(&self, with: &mut Injector<'_>) {
        for &node in &self.0 {
            with.wipe(node);
        }
    }
}
