//! `duplicate 50% udp port 53 on a->b`: packets come twice.

use septet_core::{Frame, Rng};
use septet_engine::Verdict;
use septet_physical::Ratio;

use crate::fault::filter::{Action, among, filter, share};
use crate::fault::kind::FaultKind;
use crate::fault::packets;
use crate::fault::places::Spot;

/// Packets come twice.
pub(super) const DUPLICATE: FaultKind = FaultKind {
    verb: "duplicate",
    example: "1s..4s: duplicate 50% udp port 53 on a->b",
    event: "fault.filter",
    takes: packets::spoken_of,
    read: |words, context| {
        filter(words, context, |words| {
            words.take("duplicate");
            Ok(Duplicate(share(words)?))
        })
    },
};

/// This share of them comes twice.
#[derive(Clone, Copy, Debug)]
struct Duplicate(Ratio);

impl Action for Duplicate {
    fn verdict(&self, _: &Frame, _: Spot, rng: &mut Rng) -> Verdict {
        if among(self.0, rng) { Verdict::Duplicate(1) } else { Verdict::Pass }
    }
}
