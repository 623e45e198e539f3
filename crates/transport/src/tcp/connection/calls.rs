//! What the application asks: read, shutdown, close, options (RFC 9293 §3.9.1).

use septet_core::{EventId, Frame};

use super::nagle::Push;
use super::{Chrono, Connection, Cx};
use crate::tcp::congestion::controller;
use crate::tcp::{Cork, Error, Linger, Nodelay, Quickack, Readiness, Shutdown, SocketOption, State};

impl Connection {
    /// Readiness as `poll(2)` would tell it.
    pub(crate) fn readiness(&self) -> Readiness {
        let mut ready = Readiness::NONE;
        if self.error.is_some() {
            ready |= Readiness::ERROR | Readiness::READABLE | Readiness::WRITABLE;
        }
        if self.flags.read_shut {
            ready |= Readiness::READABLE | Readiness::READ_CLOSED;
        }
        if (self.flags.read_shut && self.flags.write_shut) || self.state == State::Closed {
            ready |= Readiness::HANGUP;
        }
        if !matches!(self.state, State::SynSent | State::SynReceived) {
            let readable = self.received.readable() as u32;
            // A reader that waits for more than there is room for would wait for ever.
            let is_full = self.advertised_window() <= u32::from(self.acks.rcv_mss);
            if readable >= self.receive_lowat() || (readable > 0 && is_full) {
                ready |= Readiness::READABLE;
            }
            if self.flags.write_shut || self.is_writable() {
                ready |= Readiness::WRITABLE;
            }
        }
        ready
    }

    /// `SO_ERROR`: what ended the connection or, where nothing did, the last ICMP error that has not been followed by an
    /// ACK. RFC 1122 §4.2.3.9: "it SHOULD make the information available to the application".
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        self.error.take().or_else(|| self.soft_error.take())
    }

    pub(crate) fn read(&mut self, cx: &mut Cx<'_>, out: &mut [u8]) -> Result<usize, Error> {
        self.consume(cx, |received| received.read(out))
    }

    pub(crate) fn discard(&mut self, cx: &mut Cx<'_>, most: usize) -> Result<usize, Error> {
        self.consume(cx, |received| received.discard(most))
    }

    pub(crate) fn take_frame(&mut self, cx: &mut Cx<'_>) -> Result<Option<Frame>, Error> {
        let mut taken = None;
        self.consume(cx, |received| {
            taken = received.take();
            taken.as_ref().map_or(0, Frame::len)
        })?;
        Ok(taken)
    }

    fn consume(
        &mut self,
        cx: &mut Cx<'_>,
        take: impl FnOnce(&mut crate::tcp::buffer::ReceiveBuffer) -> usize,
    ) -> Result<usize, Error> {
        if self.received.readable() == 0 {
            let result = self.nothing_to_read();
            match result {
                Ok(_) if self.received.end() != EventId::NONE => cx.trace.set_cause(self.received.end()),
                Err(Error::WouldBlock) => {}
                _ => cx.trace.set_cause(self.cause),
            }
            return result;
        }
        let n = take(&mut self.received);
        // What the program does next, it does because of what it has read.
        cx.trace.set_cause(self.received.cause());
        self.copied_seq += n as u64;
        self.adjust_receive_buffer(cx);
        self.after_read(cx, n);
        Ok(n)
    }

    fn nothing_to_read(&mut self) -> Result<usize, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.flags.read_shut {
            return Ok(0);
        }
        match self.state {
            State::SynSent | State::SynReceived => Err(Error::WouldBlock),
            State::Closed => Err(Error::NotConnected),
            _ => Err(Error::WouldBlock),
        }
    }

    pub(crate) fn peek(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        if self.received.readable() == 0 {
            return self.nothing_to_read();
        }
        Ok(self.received.peek(out))
    }

    pub(crate) fn shutdown(&mut self, cx: &mut Cx<'_>, how: Shutdown) -> Result<(), Error> {
        if matches!(self.state, State::Closed | State::SynSent) {
            return Err(Error::NotConnected);
        }
        if how != Shutdown::Write {
            self.flags.read_shut = true;
            self.flags.notify = true;
        }
        if how != Shutdown::Read {
            self.queue_fin(cx);
        }
        Ok(())
    }

    /// "Queue this until all preceding SENDs have been segmentized, then form a FIN segment".
    pub(super) fn queue_fin(&mut self, cx: &mut Cx<'_>) {
        if self.flags.fin_queued {
            return;
        }
        let next = match self.state {
            // "Queue for processing after entering ESTABLISHED state."
            State::SynReceived => {
                self.flags.write_shut = true;
                return;
            }
            State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return,
        };
        self.flags.write_shut = true;
        self.flags.fin_queued = true;
        self.set_state(cx, next, "the application has closed");
    }

    /// The application lets go of the socket.
    pub(crate) fn close(&mut self, cx: &mut Cx<'_>) {
        self.flags.orphan = true;
        let unread = self.received.readable() > 0;
        self.flags.read_shut = true;
        match self.state {
            State::Closed => {}
            State::SynSent => self.finish(cx, "closed before it was established"),
            _ if unread && self.state.is_synchronized() => {
                // RFC 2525 §2.17: "received data is still pending": the peer is told that it was lost.
                cx.mib.abort_on_close += 1;
                self.reset(cx, "closed with unread data");
            }
            _ if self.flags.linger_reset && self.state.is_synchronized() => self.reset(cx, "closed with zero linger"),
            _ => {
                self.queue_fin(cx);
                if self.state == State::FinWait2 {
                    self.start_fin_wait_2(cx);
                }
            }
        }
        self.received.release();
    }

    /// "ABORT": a reset, and nothing more.
    pub(crate) fn abort(&mut self, cx: &mut Cx<'_>) {
        self.flags.orphan = true;
        if self.state.is_synchronized() || self.state == State::SynReceived {
            self.reset(cx, "aborted");
        } else {
            self.finish(cx, "aborted");
        }
    }

    fn reset(&mut self, cx: &mut Cx<'_>, why: &'static str) {
        self.flags.reset_due = true;
        if matches!(self.state, State::Established | State::CloseWait) {
            cx.mib.estab_resets += 1;
        }
        self.finish(cx, why);
    }

    pub(crate) fn set_option(&mut self, cx: &mut Cx<'_>, option: SocketOption) -> Result<(), Error> {
        option.check()?;
        match option {
            SocketOption::Congestion(name) => {
                let mut new = controller(name.as_str()).ok_or(Error::NoSuchController)?;
                if self.state.is_synchronized() {
                    new.init(&mut self.window, cx.now, self.rtt.srtt());
                }
                self.controller = new;
            }
            SocketOption::Nodelay(nodelay) => {
                self.nodelay = nodelay;
                if nodelay == Nodelay::On {
                    // What waits leaves now, corked or not.
                    self.push_out(cx, Push::Now);
                }
            }
            SocketOption::Cork(cork) => {
                self.cork = cork;
                if cork == Cork::Off {
                    let push = if self.nodelay == Nodelay::On { Push::Now } else { Push::Normal };
                    self.flags.more_promised = false;
                    self.push_out(cx, push);
                }
            }
            SocketOption::SendBuffer(bytes) => {
                self.snd_buf = bytes.saturating_mul(2).clamp(4608, 1 << 30) as u32;
                self.flags.snd_buf_locked = true;
                self.flags.notify = true;
            }
            SocketOption::ReceiveBuffer(bytes) => {
                self.rcv_buf = bytes.saturating_mul(2).clamp(2304, 1 << 30) as u32;
                self.flags.rcv_buf_locked = true;
                self.window_clamp = self.window_clamp.max(self.full_space());
                self.prune_early(cx);
            }
            SocketOption::Keepalive(keepalive) => self.set_keepalive(cx, keepalive),
            SocketOption::KeepIdle(span) => self.set_keep_idle(cx, span),
            SocketOption::KeepInterval(span) => self.rare().keep_interval = Some(span),
            SocketOption::KeepCount(n) => self.rare().keep_count = Some(n),
            SocketOption::DeferAccept(span) => self.rare().defer_accept = !span.is_zero(),
            SocketOption::TrafficClass(class) => self.rare().traffic_class = class,
            SocketOption::UserTimeout(timeout) => {
                self.rare().user_timeout_ms = timeout.as_millis().min(1 << 31) as u32;
            }
            SocketOption::Linger(linger) => self.flags.linger_reset = linger == Linger::Reset,
            SocketOption::Quickack(Quickack::On) => {
                self.acks.pingpong = 0;
                if self.acks.scheduled {
                    // What waits leaves, unless the reader is behind and will send it with the room that it makes.
                    self.acks.pushed = true;
                    self.after_read(cx, 1);
                }
            }
            SocketOption::Quickack(Quickack::Off) => self.acks.pingpong = cx.config.pingpong_thresh,
            SocketOption::MaxSegment(bytes) => {
                self.rare().max_segment = Some(bytes);
                if self.state == State::SynSent {
                    self.advmss = self.advmss.min(bytes);
                }
            }
            SocketOption::SynCount(n) => self.rare().syn_count = Some(n),
            SocketOption::Linger2(span) => self.rare().linger2 = Some(span),
            SocketOption::WindowClamp(bytes) => {
                let old = core::mem::replace(&mut self.window_clamp, bytes.max(super::receive_window::LEAST_CLAMP));
                if self.window_clamp < old {
                    self.rcv_ssthresh = self.rcv_ssthresh.min(self.window_clamp);
                } else {
                    self.rcv_ssthresh = self.rcv_ssthresh.max(self.rcv_wnd.min(self.window_clamp));
                }
            }
            // Zero asks for the default.
            SocketOption::NotsentLowat(0) => self.rare().notsent_lowat = cx.config.options.notsent_lowat,
            SocketOption::NotsentLowat(bytes) => self.rare().notsent_lowat = Some(bytes),
            SocketOption::ReceiveLowat(bytes) => self.set_receive_lowat(cx, bytes.max(1)),
            SocketOption::MaxPacingRate(rate) => {
                self.rare().max_pacing_rate = Some(rate.max(1));
                self.pacing_rate = self.pacing_rate.min(rate.max(1));
            }
        }
        Ok(())
    }

    /// Accounts for what the sender waits for.
    pub(crate) fn note_chrono(&mut self, cx: &Cx<'_>, window_limited: bool) {
        let next = if self.sent.is_empty() && !self.has_unsent() {
            Chrono::Idle
        } else if window_limited {
            Chrono::WindowLimited
        } else if self.flags.no_space && !self.has_unsent() {
            Chrono::BufferLimited
        } else {
            Chrono::Busy
        };
        let c = &mut self.counters;
        if next == c.chrono {
            return;
        }
        let spent = cx.ms().wrapping_sub(c.chrono_start_ms);
        match c.chrono {
            Chrono::Idle => {}
            Chrono::Busy => c.busy_ms += spent,
            Chrono::WindowLimited => {
                c.busy_ms += spent;
                c.rwnd_limited_ms += spent;
            }
            Chrono::BufferLimited => {
                c.busy_ms += spent;
                c.sndbuf_limited_ms += spent;
            }
        }
        (c.chrono, c.chrono_start_ms) = (next, cx.ms());
    }
}
