//! `crash web2` and `restart web2`: a node without power, which knows nothing of before when it comes back.

use crate::fault::{Effect, FaultKind, Plan, nodes};

/// Switches nodes off, for a time or until a restart.
pub(super) const CRASH: FaultKind = FaultKind {
    verb: "crash",
    example: "10s: crash web2",
    event: "fault.crash",
    read: |words, context| Ok(context.throughout(Effect::Off(nodes(words, context.topology)?))),
};

/// Switches nodes on, and off before where they are on.
pub(super) const RESTART: FaultKind = FaultKind {
    verb: "restart",
    example: "15s: restart web2",
    event: "fault.restart",
    read: |words, context| {
        context.no_window("restart")?;
        let effect = Effect::Restart(nodes(words, context.topology)?);
        Ok(Plan { effect, spans: vec![(context.at, None)] })
    },
};
