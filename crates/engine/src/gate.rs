//! What stands in the way of frames at the ends of a cable, and lets them pass or not: the seam for those who read
//! packets, which a cable does not.
//!
//! A gate is at a port, on one of its two sides. A frame that arrives meets it before the station does, one that is sent
//! before it is queued. The filters of a gate are asked in the order in which they were put there; what one lets pass
//! the next is asked about.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use septet_core::{EventId, Frame, Instant};
use smallvec::SmallVec;

/// Looks at frames. It may be put into a gate on another thread.
pub trait Filter: Send {
    /// What shall become of `frame`, which comes now.
    fn judge(&mut self, now: Instant, frame: &Frame) -> Verdict;
}

/// What becomes of a frame.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It goes no further. These frames go back to where it came from, and these on in its place.
    Stop {
        /// The way that it came.
        back: SmallVec<[Frame; 1]>,
        /// The way that it would have gone.
        on: SmallVec<[Frame; 1]>,
    },
    /// It goes on later than now by this much.
    Delay(Duration),
    /// It goes on, and as many copies with it.
    Duplicate(u32),
    /// It waits until the filter is taken away; those that wait go on in the order in which they came.
    Hold,
}

impl Verdict {
    /// It goes no further, and nobody hears of it.
    pub fn drop() -> Self {
        Self::Stop { back: SmallVec::new(), on: SmallVec::new() }
    }

    /// It goes no further, and these frames, where there are any, go back and on for it.
    pub fn answer(back: Option<Frame>, on: Option<Frame>) -> Self {
        Self::Stop { back: back.into_iter().collect(), on: on.into_iter().collect() }
    }
}

/// Where a gate stands at a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// Before what leaves the port is queued.
    Out,
    /// Before the station hears what arrives.
    In,
}

/// Names a filter that was put into gates, so that it can be taken away.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FilterId(pub u64);

/// A filter to be put into a gate.
pub struct Rule {
    /// Its name; of those in one gate no two are alike, and a later one has a higher number.
    pub id: FilterId,
    /// What it says, for those who read of what it stopped.
    pub text: Arc<str>,
    /// The event that led to it.
    pub cause: EventId,
    /// What judges.
    pub filter: Box<dyn Filter>,
    /// Filters with the same number here share what they count, or draw from one stream of random numbers: of frames at
    /// several gates it matters which comes first.
    pub kin: Option<u64>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("id", &self.id).field("text", &self.text).finish_non_exhaustive()
    }
}

/// A gate of one side of a port.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) rules: Vec<Rule>,
    /// Frames that wait until a time, in the order in which they go on; the number tells those of one time apart.
    timed: BTreeMap<(Instant, u64), Waiting>,
    /// Frames that wait until their filter is taken away, in the order in which they came.
    held: VecDeque<Waiting>,
    entered: u64,
}

/// A frame that waits.
struct Waiting {
    frame: Frame,
    /// The filter that let it wait.
    by: FilterId,
}

/// Both gates of a cable's direction: the sender's and the receiver's.
pub(crate) struct Gates {
    pub(crate) sides: [Gate; 2],
    /// Frames that come back to the sender now.
    pub(crate) back: VecDeque<Frame>,
    /// The earliest entry in the agenda; `FAR_FUTURE` where there is none.
    pub(crate) due: Instant,
}

/// A frame that a gate stopped.
pub(crate) struct Stopped {
    pub(crate) frame: Frame,
    pub(crate) text: Arc<str>,
    pub(crate) cause: EventId,
    pub(crate) back: SmallVec<[Frame; 1]>,
}

/// What a gate made of a frame.
pub(crate) struct Judged {
    /// Whether any filter had something to say.
    pub(crate) matched: bool,
    /// What goes on now.
    pub(crate) on: SmallVec<[Frame; 2]>,
    pub(crate) stopped: Option<Stopped>,
}

impl Default for Gates {
    fn default() -> Self {
        Self { sides: Default::default(), back: VecDeque::new(), due: Instant::FAR_FUTURE }
    }
}

impl Gates {
    pub(crate) fn is_empty(&self) -> bool {
        let unused = |gate: &Gate| gate.rules.is_empty() && gate.timed.is_empty() && gate.held.is_empty();
        self.back.is_empty() && self.sides.iter().all(unused)
    }

    /// When something that waits goes on by itself.
    pub(crate) fn next(&self) -> Option<Instant> {
        if !self.back.is_empty() {
            return Some(Instant::ZERO);
        }
        self.sides.iter().filter_map(|gate| Some(gate.timed.first_key_value()?.0.0)).min()
    }

    /// Everything that waits at one side is gone.
    pub(crate) fn lose(&mut self, side: Side) -> Vec<Frame> {
        let gate = &mut self.sides[side as usize];
        let timed = core::mem::take(&mut gate.timed).into_values();
        timed.chain(gate.held.drain(..)).map(|w| w.frame).collect()
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.sides.iter().flat_map(|gate| gate.rules.iter().map(|rule| &*rule.text));
        f.debug_list().entries(rules).finish()
    }
}

impl Gate {
    /// Asks the filters behind `after` about a frame.
    pub(crate) fn judge(&mut self, now: Instant, frame: Frame, after: Option<FilterId>) -> Judged {
        let mut judged = Judged { matched: false, on: SmallVec::new(), stopped: None };
        let mut copies = 0;
        for rule in self.rules.iter_mut().filter(|rule| after.is_none_or(|after| rule.id > after)) {
            let by = rule.id;
            let verdict = rule.filter.judge(now, &frame);
            judged.matched |= !matches!(verdict, Verdict::Pass);
            match verdict {
                Verdict::Pass => {}
                Verdict::Stop { back, on } => {
                    judged.on = on.into_iter().collect();
                    judged.stopped = Some(Stopped { frame, text: rule.text.clone(), cause: rule.cause, back });
                    return judged;
                }
                Verdict::Delay(time) => {
                    self.wait(frame, Some(now + time), by, copies);
                    return judged;
                }
                Verdict::Duplicate(more) => copies += more,
                Verdict::Hold => {
                    self.wait(frame, None, by, copies);
                    return judged;
                }
            }
        }
        judged.on.extend(core::iter::repeat_n(frame, copies as usize + 1));
        judged
    }

    fn wait(&mut self, frame: Frame, until: Option<Instant>, by: FilterId, copies: u32) {
        for frame in core::iter::repeat_n(frame, copies as usize + 1) {
            let waiting = Waiting { frame, by };
            match until {
                Some(until) => {
                    self.entered += 1;
                    self.timed.insert((until, self.entered), waiting);
                }
                None => self.held.push_back(waiting),
            }
        }
    }

    /// Takes out what has waited long enough, each with the filter that let it wait.
    pub(crate) fn ripe(&mut self, now: Instant) -> Vec<(Frame, FilterId)> {
        let mut ripe = Vec::new();
        while let Some(first) = self.timed.first_entry()
            && first.key().0 <= now
        {
            let Waiting { frame, by } = first.remove();
            ripe.push((frame, by));
        }
        ripe
    }

    /// The kin of a filter.
    pub(crate) fn kin(&self, id: FilterId) -> Option<u64> {
        self.rules.iter().find(|rule| rule.id == id)?.kin
    }

    /// Takes a filter away, and takes out what it held.
    pub(crate) fn remove(&mut self, id: FilterId) -> Vec<(Frame, FilterId)> {
        self.rules.retain(|rule| rule.id != id);
        let (free, kept): (Vec<_>, Vec<_>) = self.held.drain(..).partition(|w| w.by == id);
        self.held = kept.into();
        free.into_iter().map(|w| (w.frame, w.by)).collect()
    }
}
