//! `restore r1--r2`: every fault that is in effect there ends.

use crate::fault::{Effect, FaultKind, Plan, list};

/// Ends the faults of links and nodes.
pub(super) const RESTORE: FaultKind = FaultKind {
    verb: "restore",
    example: "12s: restore r1--r2",
    event: "fault.restore",
    read: |words, context| {
        context.no_window("restore")?;
        let (mut links, mut nodes) = (Vec::new(), Vec::new());
        let found = list(words, "a link or a node", "`r1--r2`", |word| {
            if word.text.contains("--") || word.text.contains("->") {
                Ok(vec![(context.topology.links(word)?, Vec::new())])
            } else {
                Ok(vec![(Vec::new(), context.topology.nodes(word)?)])
            }
        })?;
        for (some_links, some_nodes) in found {
            links.extend(some_links);
            nodes.extend(some_nodes);
        }
        Ok(Plan { effect: Effect::Restore(links, nodes), spans: vec![(context.at, None)] })
    },
};
