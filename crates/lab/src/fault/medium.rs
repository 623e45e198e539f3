//! `loss 20% delay 50ms on r1--r2`: the words of netem, on links, for a time.

use septet_language::words::{Words, Wrong};

use crate::fault::injector::Injector;
use crate::fault::kind::{Context, Effect, FaultKind, Plan};
use crate::model::cable::Change;
use crate::model::medium;
use crate::model::topology::LinkRef;

/// Makes links worse, by any word of netem, before which `netem` itself may stand.
pub(super) const NETEM: FaultKind = FaultKind::new(
    "netem",
    "5s..7s: loss 20% delay 50ms 5ms on r1->r2; so with every word of a medium",
    "fault.medium",
    read,
);

/// Reads netem words up to `on`, and the links behind it.
fn read(words: &mut Words<'_>, context: &Context<'_>) -> Result<Plan, Wrong> {
    let changes = medium::with_files(medium::phrases(words, Some("on"))?, context.files)?;
    if !words.take("on") {
        let end = words.rest().at;
        return Err(Wrong::new("incomplete", end..end, "which link?")
            .label("`on …` is missing")
            .help("for example `loss 20% on r1--r2`".to_owned()));
    }
    let links = context.links(words)?;
    Ok(context.throughout(Worse { links, changes }))
}

/// Links with another medium.
#[derive(Debug)]
struct Worse {
    links: Vec<LinkRef>,
    changes: Vec<Change>,
}

impl Effect for Worse {
    fn begin(&self, with: &mut Injector<'_>) {
        for link in &self.links {
            with.change(*link, &self.changes);
        }
    }
}
