//! The receiving half of the window: what is expected, what came ahead of it, what was asked for again.

use core::time::Duration;
use std::collections::BTreeMap;

use septet_core::{Frame, Instant};

use super::Arq;
use super::frame::Modulo;

/// `V(R)` and what waits behind a gap; numbers are absolute and wrap only on the wire.
#[derive(Debug)]
pub(super) struct Receiver {
    arq: Arq,
    modulo: Modulo,
    window: u64,
    /// `V(R)`: the number expected next.
    vr: u64,
    /// A REJ is out and its frame has not come.
    rejecting: bool,
    /// Frames that came ahead of `V(R)` (selective repeat).
    ahead: BTreeMap<u64, Frame>,
    /// Missing frames and when each was last asked for.
    asked: BTreeMap<u64, Instant>,
}

/// What becomes of an I frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// It was the one expected.
    InOrder,
    /// It is kept until the gap is filled.
    Kept,
    /// Out of order, and the first since the gap: reject.
    Reject,
    /// Out of order while a reject is out, or seen before.
    Discarded,
}

impl Receiver {
    pub(super) fn new(arq: Arq, modulo: Modulo, window: u8) -> Self {
        Self {
            arq,
            modulo,
            window: u64::from(window),
            vr: 0,
            rejecting: false,
            ahead: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.arq, self.modulo, self.window as u8);
    }

    /// `N(R)` to send.
    pub(super) fn nr(&self) -> u8 {
        self.modulo.wrap(self.vr as u8)
    }

    /// Takes frame `ns`; those that are now in order go to `deliver`.
    pub(super) fn arrive(&mut self, ns: u8, info: Frame, deliver: &mut impl FnMut(Frame)) -> Arrival {
        let ahead = u64::from(self.modulo.distance(self.nr(), ns));
        if ahead == 0 {
            self.rejecting = false;
            self.asked.remove(&self.vr);
            self.vr += 1;
            deliver(info);
            while let Some(info) = self.ahead.remove(&self.vr) {
                self.vr += 1;
                deliver(info);
            }
            return Arrival::InOrder;
        }
        if ahead >= self.window {
            // Behind: it was received before and its acknowledgement was lost.
            return Arrival::Discarded;
        }
        match self.arq {
            Arq::SelectiveRepeat => {
                let number = self.vr + ahead;
                self.asked.remove(&number);
                let newest = self.ahead.keys().next_back().copied();
                if self.ahead.insert(number, info).is_some() {
                    return Arrival::Discarded;
                }
                // What lies between the newest so far and this one is missing.
                let from = newest.map_or(self.vr, |newest| newest + 1).max(self.vr);
                for missing in from..number {
                    self.asked.entry(missing).or_insert(Instant::ZERO);
                }
                Arrival::Kept
            }
            Arq::GoBackN | Arq::StopAndWait if self.rejecting => Arrival::Discarded,
            Arq::GoBackN | Arq::StopAndWait => {
                self.rejecting = true;
                Arrival::Reject
            }
        }
    }

    /// The next missing frame to ask for: never asked, or asked longer than `patience` ago.
    pub(super) fn ask(&mut self, now: Instant, patience: Duration) -> Option<u8> {
        let due = |asked: Instant| asked == Instant::ZERO || asked + patience <= now;
        let (&number, asked) = self.asked.iter_mut().find(|(_, asked)| due(**asked))?;
        *asked = now.max(Instant::from_nanos(1));
        Some(self.modulo.wrap(number as u8))
    }

    /// Whether [`ask`](Self::ask) would give a number at `now`.
    pub(super) fn wants_to_ask(&self, now: Instant, patience: Duration) -> bool {
        self.next_ask(patience).is_some_and(|at| at <= now)
    }

    /// When a missing frame is to be asked for again.
    pub(super) fn next_ask(&self, patience: Duration) -> Option<Instant> {
        let due = |asked: &Instant| if *asked == Instant::ZERO { Instant::ZERO } else { *asked + patience };
        self.asked.values().map(due).min()
    }
}
