//! `restore r1--r2`: every fault that is in effect there ends.

use septet_language::words::{Words, Wrong};

use crate::fault::injector::Injector;
use crate::fault::kind::{Context, Effect, FaultKind, Plan, list};

/// Ends the faults of links and nodes.
pub(super) const RESTORE: FaultKind = FaultKind::new("restore", "12s: restore r1--r2", "fault.restore", read);

fn read(words: &mut Words<'_>, context: &Context<'_>) -> Result<Plan, Wrong> {
    let topology = &context.lab.topology;
    let found = list(words, "a link or a node", "`r1--r2`", |word| {
        if word.text.contains("--") || word.text.contains("->") {
            Ok(topology.links(word)?.into_iter().map(|link| Mended::Link(link.link)).collect())
        } else {
            Ok(topology.nodes(word)?.into_iter().map(Mended::Node).collect())
        }
    })?;
    context.at_once("restore", Restore(found))
}

/// What is mended.
#[derive(Debug)]
struct Restore(Vec<Mended>);

#[derive(Clone, Copy, Debug)]
enum Mended {
    Link(usize),
    Node(usize),
}

impl Effect for Restore {
    fn begin(&self, with: &mut Injector<'_>) {
        for mended in &self.0 {
            match mended {
                Mended::Link(link) => with.restore_link(*link),
                Mended::Node(node) => with.restore_node(*node),
            }
        }
    }
}
