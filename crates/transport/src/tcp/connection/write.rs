//! Writing: how data joins what waits, when the send buffer is full, and what leaves while it is being filled: Linux's
//! `tcp_sendmsg_locked`, whose piecemeal way decides where segments end and which carry PSH.

use std::io::IoSlice;

use bytes::Bytes;
use septet_core::Storey;

use super::nagle::Push;
use super::output::Quota;
use super::{Connection, Cx};
use crate::tcp::{Error, Follows, State};

/// What is written.
pub(crate) enum Payload<'a> {
    /// One after the other, as one write: `writev(2)`.
    Copied(&'a [IoSlice<'a>]),
    Shared(Bytes),
    /// Bytes of the synthetic stream.
    Synthetic {
        offset: u64,
        len: u64,
    },
}

impl Payload<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Copied(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
            Self::Shared(data) => data.len() as u64,
            Self::Synthetic { len, .. } => *len,
        }
    }
}

/// A synthetic write is bounded by the sequence space that can be outstanding in any case.
const SYNTHETIC_MOST: u64 = 1 << 40;

/// What the kernel's accounts charge for a buffer beside its data, since Linux 6.3: room for headers, `sk_buff` and
/// `skb_shared_info`.
const BUFFER_WEIGHT: u64 = 320 + 256 + 320;

/// Segments that are built and have not left yet, from which on writes wait for them and join: Linux's small queues.
const SMALL_QUEUE: usize = 8;

impl Connection {
    /// What the send buffer holds, as Linux accounts for it: `sk_wmem_queued`. What was sent stays in buffers of the size
    /// of super-segments, whether or not it left as such.
    fn queued_weight(&self) -> u64 {
        let data = self.send.end().saturating_sub(self.snd_una.max(self.iss + 1));
        data + BUFFER_WEIGHT * (u64::from(self.sent.supers()) + self.send.pieces() as u64)
    }

    /// Whether another buffer may be begun: `sk_stream_memory_free`.
    fn has_room(&self) -> bool {
        self.queued_weight() < u64::from(self.snd_buf) && self.is_below_lowat()
    }

    /// Whether a buffer that is not full may be filled. Linux's `tcp_sendmsg_locked()` does not ask: what it holds is beyond the
    /// bound by that buffer, and by what was cut off it where the window let only a part leave. Ours has room again each time
    /// that a part of it leaves, without an end where only this bound is there to stop it.
    fn may_fill(&self, goal: u64) -> bool {
        self.queued_weight() < u64::from(self.snd_buf) + goal
    }

    fn is_below_lowat(&self) -> bool {
        let lowat = self.rare.as_ref().and_then(|r| r.notsent_lowat);
        lowat.is_none_or(|most| self.unsent() < u64::from(most))
    }

    /// `sk_stream_is_writeable`: what is free is half of what is in use.
    pub(crate) fn is_writable(&self) -> bool {
        let queued = self.queued_weight();
        u64::from(self.snd_buf).saturating_sub(queued) >= queued / 2 && self.has_room()
    }

    /// Linux's `tcp_xmit_size_goal`: how long a buffer grows before the next is begun.
    fn size_goal(&self) -> u64 {
        let mss = u64::from(self.mss);
        // The same with and without super-segments, so that both put PSH in the same places.
        let gso = u64::from(if self.gso_max == 0 { 65_536 } else { self.gso_max }).saturating_sub(1 + 320);
        let half = u64::from(self.max_window) / 2;
        let bound = if self.max_window > 536 { gso.min(half.max(48)) } else { gso };
        (bound / mss * mss).max(mss)
    }

    /// Whether so much was written since the last PSH that the receiver should be told: `forced_push`.
    fn must_push(&self) -> bool {
        self.send.end() > self.pushed_seq + u64::from(self.max_window) / 2
    }

    fn mark_push(&mut self) {
        self.send.push_last();
        self.pushed_seq = self.send.end();
    }

    pub(crate) fn write(&mut self, cx: &mut Cx<'_>, payload: Payload<'_>, follows: Follows) -> Result<u64, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.flags.write_shut {
            return Err(Error::BrokenPipe);
        }
        match self.state {
            State::SynSent | State::SynReceived => return Err(Error::WouldBlock),
            state if !state.may_send() => return Err(Error::BrokenPipe),
            _ => {}
        }
        let wanted = payload.len();
        if wanted == 0 {
            return Ok(0);
        }
        self.rate_check_app_limited();
        if self.sent.is_empty() && !self.has_unsent() {
            self.slow_start_after_idle(cx);
        }
        self.expire_pmtu(cx);
        let taken = self.fill(cx, payload);
        if taken == 0 {
            self.flags.no_space = true;
            return Err(Error::WouldBlock);
        }
        let is_whole = taken == wanted;
        let follows = if is_whole { follows } else { Follows::Nothing };
        if follows == Follows::Record {
            self.send.end_record();
        }
        // A write ends with PSH, unless more is promised.
        if follows != Follows::More || self.must_push() {
            self.mark_push();
        }
        self.flags.more_promised = follows == Follows::More;
        cx.trace.emit(Storey::Transport, "tcp.write", self.cause, |f| {
            f.set("local", self.local()).set("remote", self.remote()).set("len", taken);
        });
        // What may leave does, at the end of each write: RFC 1122 §4.2.3.4, without Nagle's algorithm "a segment a write".
        if is_whole {
            self.push_out(cx, Push::Normal);
        } else {
            self.flags.no_space = true;
            self.push_out(cx, Push::Now);
        }
        Ok(taken)
    }

    /// Fills buffers of at most the size goal while there is room; whole ones may leave at once. Returns how much was
    /// taken.
    fn fill(&mut self, cx: &mut Cx<'_>, payload: Payload<'_>) -> u64 {
        let wanted = payload.len();
        if let Payload::Synthetic { offset, .. } = payload {
            let taken = wanted.min(SYNTHETIC_MOST.saturating_sub(self.unsent()));
            // It may be larger than memory: it stays one piece.
            if self.send.open_piece(self.snd_nxt).is_none() {
                self.send.begin_piece();
            }
            self.send.write_synthetic(offset, taken);
            self.send.extend_piece();
            return taken;
        }
        let goal = self.size_goal();
        let mut taken = 0;
        while taken < wanted {
            let piece = match self.send.open_piece(self.snd_nxt).filter(|len| *len < goal) {
                Some(len) if self.may_fill(goal) => len,
                Some(_) => break,
                None if !self.has_room() => break,
                None => {
                    self.send.begin_piece();
                    0
                }
            };
            let n = (goal - piece).min(wanted - taken);
            let (from, to) = (taken as usize, (taken + n) as usize);
            match &payload {
                Payload::Copied(pieces) => each_within(pieces, from, to, |data| self.send.write(data)),
                Payload::Shared(data) => self.send.write_bytes(data.slice(from..to)),
                Payload::Synthetic { .. } => {}
            }
            self.send.extend_piece();
            taken += n;
            if taken == wanted || piece + n < goal {
                continue;
            }
            if self.must_push() {
                self.mark_push();
                self.push_out(cx, Push::Now);
            } else if self.send.pieces() == 1
                && let Some(t) = self.send_new(cx, Push::Now, Quota::Window)
            {
                // `tcp_push_one`
                self.flags.in_burst = true;
                cx.replies.out.push_back(t);
            }
        }
        taken
    }

    /// Sends what window and pace allow, now. What finds many segments waiting before it follows when they have left.
    pub(crate) fn push_out(&mut self, cx: &mut Cx<'_>, push: Push) {
        if !self.state.is_synchronized() {
            return;
        }
        while cx.replies.out.len() < SMALL_QUEUE
            && let Some(t) = self.send_new(cx, push, Quota::Window)
        {
            self.flags.in_burst = true;
            cx.replies.out.push_back(t);
        }
    }

    /// The send buffer follows the window (Linux's `tcp_sndbuf_expand`).
    pub(crate) fn grow_send_buffer(&mut self, cx: &Cx<'_>) {
        if self.flags.snd_buf_locked {
            return;
        }
        let mss = u64::from(self.mss);
        // "Worst case is non GSO/TSO : each frame consumes one skb and skb->head is kmalloced using power of two area".
        let per_segment = (mss + 640).next_power_of_two() + 256;
        let segments =
            u64::from(cx.config.initial_window).max(self.window.cwnd / mss).max(u64::from(self.reordering) + 1);
        let wanted = u64::from(self.controller.sndbuf_expand()) * segments * per_segment;
        let bounded = wanted.min(cx.config.wmem[2] as u64) as u32;
        self.snd_buf = self.snd_buf.max(bounded);
    }

    /// Room came free: a writer that found none is told.
    pub(crate) fn update_send_space(&mut self, cx: &Cx<'_>) {
        if self.flags.no_space {
            if !self.flags.snd_buf_locked && self.sent.in_flight() <= self.window.cwnd {
                self.grow_send_buffer(cx);
            }
            if self.is_writable() {
                self.flags.no_space = false;
                self.flags.notify = true;
            }
        }
    }
}

/// Calls `f` with what lies between `from` and `to` of `pieces` one after the other.
fn each_within(pieces: &[IoSlice<'_>], from: usize, to: usize, mut f: impl FnMut(&[u8])) {
    let mut at = 0;
    for piece in pieces {
        let (begin, end) = (from.max(at), to.min(at + piece.len()));
        if begin < end {
            f(&piece[begin - at..end - at]);
        }
        at += piece.len();
        if at >= to {
            break;
        }
    }
}
