//! The sending half of the window: what waits, what is in flight, what must go again.

use std::collections::{BTreeSet, VecDeque};

use septet_core::Frame;

use super::Arq;

/// Frames from `V(A)` on; numbers are absolute and wrap only on the wire.
#[derive(Debug)]
pub(super) struct Sender {
    arq: Arq,
    window: u64,
    /// Frame `va + i` at index `i`: first those in flight, then those that wait.
    frames: VecDeque<Frame>,
    /// `V(A)`: the oldest frame that is not acknowledged.
    va: u64,
    /// `V(S)`: the frame that is sent next; less than `high` after going back.
    vs: u64,
    /// One past the newest frame ever sent.
    high: u64,
    /// Single frames to send again (selective repeat).
    again: BTreeSet<u64>,
}

/// A frame to send now.
pub(super) struct Outgoing {
    pub(super) number: u64,
    pub(super) info: Frame,
    pub(super) repeat: Repeat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Repeat {
    First,
    Again,
}

impl Sender {
    pub(super) fn new(arq: Arq, window: u8) -> Self {
        let window = if arq == Arq::StopAndWait { 1 } else { u64::from(window) };
        Self { arq, window, frames: VecDeque::new(), va: 0, vs: 0, high: 0, again: BTreeSet::new() }
    }

    pub(super) fn push(&mut self, info: Frame) {
        self.frames.push_back(info);
    }

    /// Starts numbering at zero; what was not acknowledged is sent anew.
    pub(super) fn reset(&mut self) {
        (self.va, self.vs, self.high) = (0, 0, 0);
        self.again.clear();
    }

    pub(super) fn clear(&mut self) -> usize {
        self.reset();
        core::mem::take(&mut self.frames).len()
    }

    pub(super) fn va(&self) -> u64 {
        self.va
    }

    /// `V(S)` as a frame reject tells it.
    pub(super) fn vs(&self) -> u64 {
        self.vs
    }

    /// Frames in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.high - self.va
    }

    /// Frames that are held, in flight or waiting.
    pub(super) fn held(&self) -> usize {
        self.frames.len()
    }

    /// `N(R)` acknowledges everything before `nr`. `None` where it is not between `V(A)` and what was sent.
    pub(super) fn acknowledge(&mut self, ahead: u8) -> Option<u64> {
        let acknowledged = u64::from(ahead);
        if acknowledged > self.in_flight() {
            return None;
        }
        self.frames.drain(..acknowledged as usize);
        self.va += acknowledged;
        self.vs = self.vs.max(self.va);
        if !self.again.is_empty() {
            self.again = self.again.split_off(&self.va);
        }
        Some(acknowledged)
    }

    /// Everything in flight goes again.
    pub(super) fn go_back(&mut self) {
        self.vs = self.va;
    }

    /// Only the oldest frame in flight, or with selective repeat the frame `ahead` of it, goes again.
    pub(super) fn repeat(&mut self, ahead: u8) {
        let number = self.va + u64::from(ahead);
        if number < self.high {
            self.again.insert(number);
        }
    }

    /// Whether [`next`](Self::next) would give a frame.
    pub(super) fn has_next(&self) -> bool {
        !self.again.is_empty() || (self.vs < self.va + self.window && self.vs - self.va < self.frames.len() as u64)
    }

    pub(super) fn next(&mut self) -> Option<Outgoing> {
        if let Some(number) = self.again.pop_first() {
            let info = self.frames.get((number - self.va) as usize)?.clone();
            return Some(Outgoing { number, info, repeat: Repeat::Again });
        }
        if !self.has_next() {
            return None;
        }
        let number = self.vs;
        let info = self.frames.get((number - self.va) as usize)?.clone();
        let repeat = if number < self.high { Repeat::Again } else { Repeat::First };
        self.vs += 1;
        self.high = self.high.max(self.vs);
        Some(Outgoing { number, info, repeat })
    }

    /// The timer ran out: what goes again depends on the scheme.
    pub(super) fn time_out(&mut self) {
        match self.arq {
            Arq::StopAndWait | Arq::GoBackN => self.go_back(),
            Arq::SelectiveRepeat => self.repeat(0),
        }
    }
}
