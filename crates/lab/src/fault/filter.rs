//! `drop tcp dport 53 on r1--r2` and its kin: what becomes of packets that a filter means.

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use septet_core::{Frame, FrameId, Instant, Rng};
use septet_engine::{Filter, Verdict};
use septet_host::middlebox::{self, Refusal};
use septet_language::nearest::suggest;
use septet_language::units;
use septet_language::words::{Word, Words, Wrong};
use septet_network::filter::{Framing, Headers};
use septet_network::icmp::Error;
use septet_physical::Ratio;

use crate::fault::board::Stage;
use crate::fault::packets::{self, Packets, Reader};
use crate::fault::places::{Scope, Spot, spots};
use crate::fault::{Context, Effect, FaultKind, Plan, list};

/// Packets vanish.
pub(super) const DROP: FaultKind =
    FaultKind::new("drop", "5s..9s: drop tcp dport 53 on r1--r2", "fault.filter", |words, context| {
        filter(words, context, |words| Ok(Action::Drop(share(words)?)))
    });

/// Packets are refused.
pub(super) const REJECT: FaultKind = FaultKind::new(
    "reject",
    "5s: reject udp dport 53 with admin-prohibited on r1",
    "fault.filter",
    |words, context| filter(words, context, |_| Ok(Action::Reject(Refusal::ByProtocol))),
);

/// Packets wait until the fault is over.
pub(super) const HOLD: FaultKind = FaultKind::new("hold", "5s..8s: hold r1->r2", "fault.hold", |words, context| {
    filter(words, context, |_| Ok(Action::Hold))
});

/// Packets come later.
pub(super) const DELAY: FaultKind = FaultKind {
    verb: "delay",
    example: "1s..4s: delay 100ms 20ms tcp port 9999 on a->b",
    event: "fault.filter",
    takes: packets::spoken_of,
    read: |words, context| {
        filter(words, context, |words| {
            words.take("delay");
            let delay = time(words, "`delay 100ms`")?;
            let spread = if words.clone().quantity().is_some() { time(words, "`20ms`")? } else { Duration::ZERO };
            Ok(Action::Delay(delay, spread))
        })
    },
};

/// Packets come twice.
pub(super) const DUPLICATE: FaultKind = FaultKind {
    verb: "duplicate",
    example: "1s..4s: duplicate 50% udp port 53 on a->b",
    event: "fault.filter",
    takes: packets::spoken_of,
    read: |words, context| {
        filter(words, context, |words| {
            words.take("duplicate");
            Ok(Action::Duplicate(share(words)?))
        })
    },
};

/// Some packets vanish; what netem's loss is to all of them.
pub(super) const LOSS: FaultKind = FaultKind {
    verb: "loss",
    example: "1s..4s: loss 10% udp on a->b",
    event: "fault.filter",
    takes: packets::spoken_of,
    read: |words, context| {
        filter(words, context, |words| {
            words.take("loss");
            Ok(Action::Drop(share(words)?))
        })
    },
};

/// What becomes of packets.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// This share of them is dropped.
    Drop(Ratio),
    Reject(Refusal),
    /// They come later, by a time and up to another more or less.
    Delay(Duration, Duration),
    /// This share of them comes twice.
    Duplicate(Ratio),
    Hold,
}

/// How packets may be refused, by the words of iptables' `--reject-with`.
const REFUSALS: &[(&str, Refusal)] = &[
    ("tcp-reset", Refusal::Reset),
    ("port-unreachable", Refusal::Error(Error::PortUnreachable)),
    ("host-unreachable", Refusal::Error(Error::HostUnreachable)),
    ("net-unreachable", Refusal::Error(Error::NetUnreachable)),
    ("proto-unreachable", Refusal::Error(Error::ProtocolUnreachable)),
    ("admin-prohibited", Refusal::Error(Error::AdminProhibited)),
];

/// Reads which packets are meant and where, the verb and what `action` takes being read.
fn filter<'t>(
    words: &mut Words<'t>,
    context: &Context<'_>,
    action: impl FnOnce(&mut Words<'t>) -> Result<Action, Wrong>,
) -> Result<Plan, Wrong> {
    let mut action = action(words)?;
    let ends: &[&str] = if matches!(action, Action::Reject(_)) { &["on", "with"] } else { &["on"] };
    let mut reader = Reader { lab: context.lab, packets: Packets::default(), ends, way: None };
    // `hold r1--r2`: all packets, and the place stands where they would be spoken of.
    let is_place = |word: Word<'_>| {
        let is_link = word.text.contains("--") || word.text.contains("->");
        is_link || (!packets::is_word(word.text) && context.lab.topology.nodes(word).is_ok())
    };
    let at_once = words.peek().is_some_and(is_place);
    if !at_once {
        // `with` says how a packet is refused, and may stand before or behind the place.
        refusal(words, &mut action, &mut reader)?;
        if !words.take("on") {
            let end = words.rest().at;
            return Err(Wrong::new("incomplete", end..end, "where?")
                .label("`on …` is missing")
                .help("`on r1--r2`, `on r1->r2`, `on r1.eth0` or `on r1`".to_owned()));
        }
    }
    let places = list(words, "a link, a port or a node", "`on r1--r2`", |word| Ok(vec![word]))?;
    refusal(words, &mut action, &mut reader)?;
    let Reader { packets, way, .. } = reader;
    let mut found = Vec::new();
    for word in places {
        let here = spots(context.lab, word, way)?;
        if matches!(action, Action::Reject(_))
            && here
                .iter()
                .any(|s| s.framing == Framing::Serial || context.lab.is_shared(context.lab.links[s.gate.link].ends))
        {
            return Err(Wrong::new("filter", word.range(), "nothing is refused on a serial or shared line")
                .label("no Ethernet of its own")
                .help("refuse packets at a node behind it, or `drop` them here".to_owned()));
        }
        found.extend(here);
    }
    Ok(context.throughout(Filtering { spots: found, packets, action }))
}

/// Reads words about packets, and behind `with` how they are refused.
fn refusal<'t>(words: &mut Words<'t>, action: &mut Action, reader: &mut Reader<'_, 't>) -> Result<(), Wrong> {
    let Action::Reject(how) = action else { return reader.read(words) };
    reader.read(words)?;
    while words.take("with") {
        let word = words.expect("how", "`with admin-prohibited`")?;
        let name = word.text.strip_prefix("icmp-").unwrap_or(word.text);
        *how = REFUSALS.iter().find(|(known, _)| *known == name).map(|(_, how)| *how).ok_or_else(|| {
            Wrong::new("unknown-value", word.range(), format!("nothing is refused with `{}`", word.text))
                .label("unknown answer")
                .help(suggest(word.text, "answers", REFUSALS.iter().map(|(name, _)| *name)))
        })?;
        reader.read(words)?;
    }
    Ok(())
}

/// A share, where one is said; otherwise all.
fn share(words: &mut Words<'_>) -> Result<Ratio, Wrong> {
    let Some(word) = words.quantity() else { return Ok(Ratio::ONE) };
    let refused = |refusal| Wrong::refused("unit", word.range(), refusal).label("not understood");
    let share = units::ratio(word.text).map_err(refused)?;
    Ratio::new(share).ok_or_else(|| Wrong::new("out-of-range", word.range(), "not between 0% and 100%"))
}

fn time(words: &mut Words<'_>, example: &str) -> Result<Duration, Wrong> {
    let word = words.expect("a time", example)?;
    units::time(word.text).map_err(|refusal| Wrong::refused("unit", word.range(), refusal).label("not understood"))
}

/// Filters with one counter.
#[derive(Debug)]
struct Filtering {
    spots: Vec<Spot>,
    packets: Packets,
    action: Action,
}

impl Effect for Filtering {
    fn begin(&self, stage: &mut Stage<'_>) {
        let rng = stage.random("filter");
        let shared = Rc::new(RefCell::new(Shared { seen: 0, rng }));
        for &spot in &self.spots {
            let judge = Judge { spot, packets: self.packets.clone(), action: self.action, shared: shared.clone() };
            stage.filter(spot.gate, Box::new(judge));
        }
    }
}

/// What the gates of one filter have in common.
struct Shared {
    /// Packets that fitted so far.
    seen: u64,
    rng: Rng,
}

struct Judge {
    spot: Spot,
    packets: Packets,
    action: Action,
    shared: Rc<RefCell<Shared>>,
}

impl Filter for Judge {
    fn judge(&mut self, _: Instant, frame: &Frame) -> Verdict {
        // A frame that is passed on has been on a wire, and so has a name.
        if self.spot.scope == Scope::Own && frame.id != FrameId(0) {
            return Verdict::Pass;
        }
        let what = &self.packets.what;
        if !what.clauses.is_empty() && !what.fits(&Headers::read(frame.bytes(), self.spot.framing)) {
            return Verdict::Pass;
        }
        let shared = &mut *self.shared.borrow_mut();
        shared.seen += 1;
        if !self.packets.count.means(shared.seen) {
            return Verdict::Pass;
        }
        match self.action {
            Action::Drop(share) | Action::Duplicate(share)
                if share != Ratio::ONE && !shared.rng.chance(share.get()) =>
            {
                Verdict::Pass
            }
            Action::Drop(_) => Verdict::drop(),
            Action::Duplicate(_) => Verdict::Duplicate(1),
            Action::Reject(refusal) => Verdict::answer(middlebox::refuse(frame, refusal, self.spot.address), None),
            Action::Delay(delay, spread) => {
                let spread = u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX);
                let offset = Duration::from_nanos(shared.rng.below(spread.saturating_mul(2).saturating_add(1)));
                Verdict::Delay((delay + offset).saturating_sub(Duration::from_nanos(spread)))
            }
            Action::Hold => Verdict::Hold,
        }
    }
}
