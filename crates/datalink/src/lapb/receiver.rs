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
    /// Missing frames and when each was asked for; `None` for those that are to be.
    asked: BTreeMap<u64, Option<Instant>>,
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
                    self.asked.entry(missing).or_insert(None);
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

    /// Missing frames that were asked for `patience` ago and have not come are to be asked for again.
    pub(super) fn time_out(&mut self, now: Instant, patience: Duration) {
        for asked in self.asked.values_mut() {
            if asked.is_some_and(|at| at + patience <= now) {
                *asked = None;
            }
        }
    }

    /// The next missing frame to ask for.
    pub(super) fn ask(&mut self, now: Instant) -> Option<u8> {
        let (&number, asked) = self.asked.iter_mut().find(|(_, asked)| asked.is_none())?;
        *asked = Some(now);
        Some(self.modulo.wrap(number as u8))
    }

    /// Whether [`ask`](Self::ask) would give a number.
    pub(super) fn wants_to_ask(&self) -> bool {
        self.asked.values().any(Option::is_none)
    }

    /// When [`time_out`](Self::time_out) has something to do.
    pub(super) fn next_time_out(&self, patience: Duration) -> Option<Instant> {
        self.asked.values().flatten().map(|at| *at + patience).min()
    }
}
