//! `drop tcp dport 53 on r1--r2`, `loss 10% udp on a->b`: packets vanish.

use septet_core::{Frame, Rng};
use septet_engine::Verdict;
use septet_physical::Ratio;

use crate::fault::filter::{Action, among, filter, share};
use crate::fault::kind::FaultKind;
use crate::fault::packets;
use crate::fault::places::Spot;

/// Packets vanish.
pub(super) const DROP: FaultKind =
    FaultKind::new("drop", "5s..9s: drop tcp dport 53 on r1--r2", "fault.filter", |words, context| {
        filter(words, context, |words| Ok(Drop(share(words)?)))
    });

/// Some packets vanish; what netem's loss is to all of them.
pub(super) const LOSS: FaultKind = FaultKind {
    verb: "loss",
    example: "1s..4s: loss 10% udp on a->b",
    event: "fault.filter",
    takes: packets::spoken_of,
    read: |words, context| {
        filter(words, context, |words| {
            words.take("loss");
            Ok(Drop(share(words)?))
        })
    },
};

/// This share of them is dropped.
#[derive(Clone, Copy, Debug)]
struct Drop(Ratio);

impl Action for Drop {
    fn verdict(&self, _: &Frame, _: Spot, rng: &mut Rng) -> Verdict {
        if among(self.0, rng) { Verdict::drop() } else { Verdict::Pass }
    }
}
