//! `reject udp dport 53 with admin-prohibited on r1`: packets are refused, and their sender is told.

use septet_core::{Frame, Rng};
use septet_engine::Verdict;
use septet_host::middlebox::{self, Refusal};
use septet_language::nearest::suggest;
use septet_language::words::{Word, Words, Wrong};
use septet_network::Trouble;
use septet_network::filter::Framing;

use crate::fault::filter::{Action, filter};
use crate::fault::kind::FaultKind;
use crate::fault::places::Spot;
use crate::model::layout::Layout;

/// Packets are refused.
pub(super) const REJECT: FaultKind = FaultKind::new(
    "reject",
    "5s: reject udp dport 53 with admin-prohibited on r1",
    "fault.filter",
    |words, context| filter(words, context, |_| Ok(Reject(Refusal::ByProtocol))),
);

/// How packets may be refused, by the words of iptables' `--reject-with`.
const REFUSALS: &[(&str, Refusal)] = &[
    ("tcp-reset", Refusal::Reset),
    ("port-unreachable", Refusal::Error(Trouble::PortUnreachable)),
    ("host-unreachable", Refusal::Error(Trouble::HostUnreachable)),
    ("net-unreachable", Refusal::Error(Trouble::NoRoute)),
    ("proto-unreachable", Refusal::Error(Trouble::ProtocolUnreachable)),
    ("admin-prohibited", Refusal::Error(Trouble::Prohibited)),
];

/// They are refused so.
#[derive(Clone, Copy, Debug)]
struct Reject(Refusal);

impl Action for Reject {
    const ENDS: &'static [&'static str] = &["on", "with"];

    /// `with` says how.
    fn word(&mut self, words: &mut Words<'_>) -> Result<bool, Wrong> {
        if !words.take("with") {
            return Ok(false);
        }
        let word = words.expect("how", "`with admin-prohibited`")?;
        let name = word.text.strip_prefix("icmp-").unwrap_or(word.text);
        self.0 = REFUSALS.iter().find(|(known, _)| *known == name).map(|(_, how)| *how).ok_or_else(|| {
            Wrong::new("unknown-value", word.range(), format!("nothing is refused with `{}`", word.text))
                .label("unknown answer")
                .help(suggest(word.text, "answers", REFUSALS.iter().map(|(name, _)| *name)))
        })?;
        Ok(true)
    }

    fn unfit(lab: Layout<'_>, spot: Spot, word: Word<'_>) -> Option<Wrong> {
        let alone = spot.framing != Framing::Serial && !lab.is_shared(lab.links[spot.gate.link].ends);
        (!alone).then(|| {
            Wrong::new("filter", word.range(), "nothing is refused on a serial or shared line")
                .label("no Ethernet of its own")
                .help("refuse packets at a node behind it, or `drop` them here".to_owned())
        })
    }

    fn verdict(&self, frame: &Frame, spot: Spot, _: &mut Rng) -> Verdict {
        Verdict::answer(middlebox::refuse(frame, self.0, spot.voice), None)
    }
}
