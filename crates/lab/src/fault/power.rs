//! `crash web2` and `restart web2`: a node without power, which knows nothing of before when it comes back.

use crate::fault::injector::Injector;
use crate::fault::kind::{Effect, FaultKind};

/// Switches nodes off, for a time or until a restart.
pub(super) const CRASH: FaultKind = FaultKind::new("crash", "10s: crash web2", "fault.crash", |words, context| {
    Ok(context.throughout(Off(context.nodes(words)?)))
});

/// Switches nodes on, and off before where they are on.
pub(super) const RESTART: FaultKind =
    FaultKind::new("restart", "15s: restart web2", "fault.restart", |words, context| {
        context.at_once("restart", Restart(context.nodes(words)?))
    });

/// Nodes that are off.
#[derive(Debug)]
struct Off(Vec<usize>);

impl Effect for Off {
    fn begin(&self, with: &mut Injector<'_>) {
        for &node in &self.0 {
            with.switch_off(node);
        }
    }
}

/// Nodes that begin anew.
#[derive(Debug)]
struct Restart(Vec<usize>);

impl Effect for Restart {
    fn begin(&self, with: &mut Injector<'_>) {
        for &node in &self.0 {
            with.restart(node);
        }
    }
}
