//! Faults of packets: which packets are meant, where, and what becomes of them.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use septet_core::{Frame, FrameId, Instant, Rng};
use septet_engine::{Filter, Verdict};
use septet_language::units;
use septet_language::words::{Word, Words, Wrong};
use septet_network::filter::Headers;
use septet_physical::Ratio;

use crate::fault::injector::{Injector, Kin};
use crate::fault::kind::{Context, Effect, Plan, list};
use crate::fault::packets::{self, Packets, Reader};
use crate::fault::places::{Scope, Spot, spots};
use crate::model::layout::Layout;

/// What becomes of packets.
pub(super) trait Action: Copy + fmt::Debug + Send + Sync + 'static {
    /// The words with which something else begins than what packets are: the place, and words of its own.
    const ENDS: &'static [&'static str] = &["on"];

    /// Reads a phrase of its own, and tells whether there was one.
    fn word(&mut self, words: &mut Words<'_>) -> Result<bool, Wrong> {
        let _ = words;
        Ok(false)
    }

    /// Why it cannot be at this spot, which `word` stands for.
    fn unfit(lab: Layout<'_>, spot: Spot, word: Word<'_>) -> Option<Wrong> {
        let _ = (lab, spot, word);
        None
    }

    /// What becomes of one that is meant.
    fn verdict(&self, frame: &Frame, spot: Spot, rng: &mut Rng) -> Verdict;
}

/// Reads which packets are meant and where, the verb and what `action` takes being read.
pub(super) fn filter<'t, A: Action>(
    words: &mut Words<'t>,
    context: &Context<'_>,
    action: impl FnOnce(&mut Words<'t>) -> Result<A, Wrong>,
) -> Result<Plan, Wrong> {
    let mut action = action(words)?;
    let mut reader = Reader { lab: context.lab, packets: Packets::default(), ends: A::ENDS, way: None };
    // `hold r1--r2`: all packets, and the place stands where they would be spoken of.
    let is_place = |word: Word<'_>| {
        let is_link = word.text.contains("--") || word.text.contains("->");
        is_link || (!packets::is_word(word.text) && context.lab.topology.nodes(word).is_ok())
    };
    let at_once = words.peek().is_some_and(is_place);
    if !at_once {
        // What the action itself takes may stand before or behind the place.
        about(words, &mut action, &mut reader)?;
        if !words.take("on") {
            let end = words.rest().at;
            return Err(Wrong::new("incomplete", end..end, "where?")
                .label("`on …` is missing")
                .help("`on r1--r2`, `on r1->r2`, `on r1.eth0` or `on r1`".to_owned()));
        }
    }
    let places = list(words, "a link, a port or a node", "`on r1--r2`", |word| Ok(vec![word]))?;
    about(words, &mut action, &mut reader)?;
    let Reader { packets, way, .. } = reader;
    let mut found = Vec::new();
    for word in places {
        let here = spots(context.lab, word, way)?;
        if let Some(wrong) = here.iter().find_map(|spot| A::unfit(context.lab, *spot, word)) {
            return Err(wrong);
        }
        found.extend(here);
    }
    Ok(context.throughout(Filtering { spots: found, packets, action }))
}

/// Reads words about packets, and the action's own.
fn about<'t>(words: &mut Words<'t>, action: &mut impl Action, reader: &mut Reader<'_, 't>) -> Result<(), Wrong> {
    reader.read(words)?;
    while action.word(words)? {
        reader.read(words)?;
    }
    Ok(())
}

/// A share, where one is said; otherwise all.
pub(super) fn share(words: &mut Words<'_>) -> Result<Ratio, Wrong> {
    let Some(word) = words.quantity() else { return Ok(Ratio::ONE) };
    let refused = |refusal| Wrong::refused("unit", word.range(), refusal).label("not understood");
    let share = units::ratio(word.text).map_err(refused)?;
    Ratio::new(share).ok_or_else(|| Wrong::new("out-of-range", word.range(), "not between 0% and 100%"))
}

/// Whether one is among so many.
pub(super) fn among(share: Ratio, rng: &mut Rng) -> bool {
    share == Ratio::ONE || rng.chance(share.get())
}

/// Filters with one counter.
#[derive(Debug)]
struct Filtering<A> {
    spots: Vec<Spot>,
    packets: Packets,
    action: A,
}

impl<A: Action> Effect for Filtering<A> {
    fn begin(&self, with: &mut Injector<'_>) {
        let rng = with.random("filter");
        let shared = Arc::new(Mutex::new(Shared { seen: 0, rng }));
        let kin = if self.spots.len() > 1 { Kin::OfFault } else { Kin::Nobody };
        for &spot in &self.spots {
            let judge = Judge { spot, packets: self.packets.clone(), action: self.action, shared: shared.clone() };
            with.filter(spot.gate, Box::new(judge), kin);
        }
    }
}

/// What the gates of one filter have in common.
struct Shared {
    /// Packets that fitted so far.
    seen: u64,
    rng: Rng,
}

struct Judge<A> {
    spot: Spot,
    packets: Packets,
    action: A,
    shared: Arc<Mutex<Shared>>,
}

impl<A: Action> Filter for Judge<A> {
    fn judge(&mut self, _: Instant, frame: &Frame) -> Verdict {
        // A frame that is passed on has been on a wire, and so has a name.
        if self.spot.scope == Scope::Own && frame.id != FrameId(0) {
            return Verdict::Pass;
        }
        let what = &self.packets.what;
        if !what.clauses.is_empty() && !what.fits(&Headers::read(frame.bytes(), self.spot.framing)) {
            return Verdict::Pass;
        }
        let shared = &mut *self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.seen += 1;
        if !self.packets.count.means(shared.seen) {
            return Verdict::Pass;
        }
        self.action.verdict(frame, self.spot, &mut shared.rng)
    }
}
