//! The timers of one connection: a fixed table. The endpoint's heap holds one entry for the earliest.

use septet_core::Instant;

use super::{Connection, Cx};
use crate::tcp::State;

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Slot {
    /// One of [`Waiting`].
    Transmit,
    DelayedAck,
    CompressedAck,
    /// Keepalive, or FIN-WAIT-2 of an orphan.
    Keepalive,
    /// The next segment may leave.
    Pacing,
}

/// What the transmit timer stands for: only one of them can matter at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Waiting {
    #[default]
    Nothing,
    /// RFC 6298's retransmission timer.
    Retransmit,
    /// RFC 8985 §7: the probe timeout.
    LossProbe,
    /// RFC 8985 §6.3: the reordering timer.
    Reorder,
    /// RFC 9293 §3.8.6.1: the persist timer.
    Persist,
}

const SLOTS: usize = 5;

/// Deadlines, and what the transmit timer waits for.
#[derive(Debug)]
pub(crate) struct Timers {
    at: [Instant; SLOTS],
    waiting: Waiting,
    /// What the endpoint's heap knows of.
    pub(crate) armed: Instant,
}

impl Default for Timers {
    fn default() -> Self {
        Self { at: [Instant::FAR_FUTURE; SLOTS], waiting: Waiting::Nothing, armed: Instant::FAR_FUTURE }
    }
}

impl Timers {
    pub(crate) fn arm(&mut self, slot: Slot, at: Instant) {
        self.at[slot as usize] = at;
    }

    pub(crate) fn clear(&mut self, slot: Slot) {
        self.at[slot as usize] = Instant::FAR_FUTURE;
        if slot == Slot::Transmit {
            self.waiting = Waiting::Nothing;
        }
    }

    pub(crate) fn clear_all(&mut self) {
        self.at = [Instant::FAR_FUTURE; SLOTS];
        self.waiting = Waiting::Nothing;
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<Instant> {
        let at = self.at[slot as usize];
        (at != Instant::FAR_FUTURE).then_some(at)
    }

    pub(crate) fn is_armed(&self, slot: Slot) -> bool {
        self.at[slot as usize] != Instant::FAR_FUTURE
    }

    pub(crate) fn wait(&mut self, what: Waiting, at: Instant) {
        self.waiting = what;
        self.at[Slot::Transmit as usize] = at;
    }

    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        let at = self.at.iter().copied().min().unwrap_or(Instant::FAR_FUTURE);
        (at != Instant::FAR_FUTURE).then_some(at)
    }

    fn take_due(&mut self, slot: Slot, now: Instant) -> bool {
        let due = self.at[slot as usize] <= now;
        if due {
            self.at[slot as usize] = Instant::FAR_FUTURE;
        }
        due
    }
}

impl Connection {
    /// Does what is due at `now`.
    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        if self.timers.take_due(Slot::Pacing, cx.now) {
            // Output is polled afterwards anyway.
        }
        if self.timers.take_due(Slot::DelayedAck, cx.now) {
            self.cause = cx.trace.emit(septet_core::Storey::Transport, "tcp.timer", self.cause, |f| {
                f.set("local", self.local()).set("remote", self.remote()).set("why", "delayed ACK timer");
            });
            self.on_delayed_ack(cx);
        }
        if self.timers.take_due(Slot::CompressedAck, cx.now) && self.acks.compressed > 0 {
            self.acks.due = true;
        }
        if self.timers.take_due(Slot::Transmit, cx.now) {
            let what = core::mem::take(&mut self.timers.waiting);
            match what {
                Waiting::Nothing => {}
                Waiting::Retransmit => self.on_retransmit_timer(cx),
                Waiting::LossProbe => self.on_loss_probe_timer(cx),
                Waiting::Reorder => self.on_reorder_timer(cx),
                Waiting::Persist => self.on_persist_timer(cx),
            }
        }
        if self.state != State::Closed && self.timers.take_due(Slot::Keepalive, cx.now) {
            self.on_keepalive_timer(cx);
        }
    }
}
