//! The window that is advertised: silly-window avoidance (RFC 9293 §3.8.6.2.2), its right edge never moving left, growing
//! with use.

use septet_core::{Instant, Storey};

use super::{Connection, Cx};
use crate::tcp::recovery::micros;
use crate::tcp::{Config, Options};

/// Receive-buffer tuning (Linux's `rcvq_space` and `rcv_rtt_est`).
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tuning {
    /// Bytes that the application took in the last round.
    pub(crate) space: u32,
    /// COPIED.SEQ and time when the round began.
    pub(crate) seq: u64,
    pub(crate) time: Instant,
    /// The receiver's estimate of the round-trip time, in eighths of a microsecond.
    pub(crate) rtt_us: u32,
    pub(crate) rtt_seq: u64,
    pub(crate) rtt_time: Instant,
    pub(crate) rtt_last_echo: u32,
}

/// The window that a buffer of `space` bytes allows: the other half is overhead, in Linux's accounts.
pub(crate) const fn window_from_space(space: u32) -> u32 {
    space / 2
}

/// The buffer that a window needs: the reverse.
const fn space_from_window(window: u64) -> u64 {
    2 * window
}

/// The least bound on the window that may be set: half of Linux's least receive buffer.
pub(crate) const LEAST_CLAMP: u32 = 1152;

/// `value` rounded up to a multiple of `1 << shift`.
const fn align(value: u32, shift: u8) -> u32 {
    let unit = 1u32 << shift;
    value.saturating_add(unit - 1) & !(unit - 1)
}

/// The bound on the window that a socket starts with: a buffer that was set (`SO_RCVBUF`) will not grow, and so neither
/// will the window.
pub(crate) fn first_clamp(options: &Options, rcv_buf: u32) -> u32 {
    let set = if options.receive_buffer.is_some() { window_from_space(rcv_buf) } else { u32::MAX };
    options.window_clamp.map_or(u32::MAX, |bytes| bytes.max(LEAST_CLAMP)).min(set)
}

/// The bound on the window once the handshake is over (Linux's `tcp_init_buffer_space`): a segment's room is kept back for
/// the application.
pub(crate) fn established_clamp(clamp: u32, full: u32, mss: u32) -> u32 {
    let mut clamp = clamp.min(full);
    if clamp > 2 * mss && clamp + mss > full {
        clamp = (2 * mss).max(full - mss);
    }
    clamp
}

/// The first window and its scale (Linux's `tcp_select_initial_window`). The SYN's field holds no more than 65,535 of it:
/// RFC 7323 §2.2: "The window field in a segment where the SYN bit is set … MUST NOT be scaled."
pub(crate) fn initial(config: &Config, rcv_buf: u32, mss: u32, clamp: u32, scaling: bool) -> (u32, u8) {
    let mut space = window_from_space(rcv_buf).min(clamp);
    // "Quantize space offering to a multiple of mss if possible."
    if mss > 0 && space > mss {
        space -= space % mss;
    }
    let mut wscale = 0;
    if scaling {
        let most = space.max(config.rmem[2] as u32).max(rcv_buf).min(clamp.max(1));
        wscale = (most.max(1).ilog2() as i32 - 15).clamp(0, 14) as u8;
    }
    (if scaling { space } else { space.min(65_535) }, wscale)
}

impl Connection {
    /// What is still open of the window last advertised. What the wire rounds up is in it.
    pub(crate) fn advertised_window(&self) -> u32 {
        (self.rcv_wup + u64::from(self.rcv_wnd)).saturating_sub(self.rcv_nxt).min(u64::from(u32::MAX)) as u32
    }

    pub(crate) fn full_space(&self) -> u32 {
        window_from_space(self.rcv_buf)
    }

    /// Room for more.
    pub(crate) fn free_space(&self) -> u32 {
        self.full_space().saturating_sub(self.held())
    }

    /// Bytes that wait, in order and out of order.
    fn held(&self) -> u32 {
        (self.received.readable() + self.received.early_bytes()).min(u32::MAX as usize) as u32
    }

    pub(crate) fn receive_lowat(&self) -> u32 {
        self.rare.as_ref().and_then(|r| r.receive_lowat).unwrap_or(1)
    }

    /// SO_RCVLOWAT: the buffer is made large enough for it (Linux's `tcp_set_rcvlowat`).
    pub(crate) fn set_receive_lowat(&mut self, cx: &Cx<'_>, bytes: u32) {
        let most = if self.flags.rcv_buf_locked { self.rcv_buf } else { cx.config.rmem[2].min(1 << 30) as u32 };
        let bytes = bytes.min(window_from_space(most));
        self.rare().receive_lowat = Some(bytes.max(1));
        self.flags.notify = true;
        let buffer = space_from_window(u64::from(bytes)) as u32;
        if !self.flags.rcv_buf_locked && buffer > self.rcv_buf {
            self.rcv_buf = buffer;
            self.window_clamp = self.window_clamp.max(bytes);
        }
    }

    /// The window that could be advertised now (Linux's `__tcp_select_window`). A reader that leaves half of its buffer full
    /// is no longer one that keeps up, and quick ACKs end.
    pub(crate) fn select_window_size(&mut self) -> u32 {
        let allowed = self.full_space();
        let full = allowed.min(self.window_clamp);
        let mut mss = u32::from(self.acks.rcv_mss);
        let mut free = self.free_space();
        if mss > full {
            mss = full;
            if mss == 0 {
                return 0;
            }
        }
        if free < full / 2 {
            self.acks.quick = 0;
            free &= !((1u32 << self.rcv_wscale) - 1);
            // RFC 9293 §3.8.6.2.2: the window stays shut until "at least … one maximum-sized segment" fits.
            if free < allowed >> 4 || free < mss {
                return 0;
            }
        }
        let free = free.min(self.rcv_ssthresh);
        if self.rcv_wscale > 0 {
            // A window that the scale would round to nothing is announced as one unit.
            return align(free, self.rcv_wscale);
        }
        let window = self.rcv_wnd;
        if window > free || u64::from(window) + u64::from(mss) <= u64::from(free) {
            free / mss.max(1) * mss.max(1)
        } else if mss == full && free > window + (full >> 1) {
            free
        } else {
            window
        }
    }

    /// The window field of the next segment. RFC 9293 §3.8.6.2.2: a receiver "SHOULD NOT shrink the window".
    pub(crate) fn select_window(&mut self, cx: &mut Cx<'_>) -> u16 {
        let old = self.rcv_wnd;
        let current = self.advertised_window();
        let mut window = self.select_window_size();
        if window < current {
            if window == 0 {
                cx.mib.want_zero_window += 1;
            }
            window = self.kept_window(current, cx.config);
        }
        self.rcv_wnd = window;
        self.rcv_wup = self.rcv_nxt;
        let most = if self.flags.wscale_ok { u32::from(u16::MAX) << self.rcv_wscale } else { u32::from(u16::MAX) };
        let field = (window.min(most) >> self.rcv_wscale) as u16;
        let window = u32::from(field) << self.rcv_wscale;
        if field == 0 && old > 0 {
            cx.mib.to_zero_window += 1;
            self.trace_window(cx, "tcp.window", 0, "receive buffer is full");
        } else if field > 0 && old == 0 {
            cx.mib.from_zero_window += 1;
            self.trace_window(cx, "tcp.window", window, "the application has read");
        }
        field
    }

    /// What was advertised and is still open, as the wire can say it. RFC 7323 §2.4: the end of the window lies "on a boundary
    /// based on the granularity of the scale factor"; after less than that has come, TCP must "either advertise a new window
    /// that is beyond what it previously advertised (and perhaps beyond the buffer) or … a smaller window". It is the former,
    /// and the latter only where a flood of segments smaller than the granularity has filled the greatest buffer there may
    /// be: what was advertised is honoured there too.
    fn kept_window(&self, current: u32, config: &Config) -> u32 {
        let rounded = align(current, self.rcv_wscale);
        let most = self.rcv_buf.max(config.rmem[2].min(1 << 30) as u32);
        if u64::from(self.held()) + u64::from(rounded) > u64::from(most) { current } else { rounded }
    }

    fn trace_window(&mut self, cx: &mut Cx<'_>, kind: &'static str, window: u32, why: &'static str) {
        let (local, remote, cause) = (self.local(), self.remote(), self.cause);
        cx.trace.emit(Storey::Transport, kind, cause, |f| {
            f.set("local", local).set("remote", remote).set("window", window).set("why", why);
        });
    }

    /// Segments that carry much earn a larger window, as far as there is room (Linux's `tcp_grow_window`).
    pub(crate) fn grow_window(&mut self, len: usize) {
        let room = self.window_clamp.min(self.free_space()).saturating_sub(self.rcv_ssthresh);
        if room == 0 || len < 128 {
            return;
        }
        let increase = (2 * u32::from(self.advmss)).max(2 * len as u32).min(room);
        self.rcv_ssthresh += increase;
        self.acks.quick |= 1;
    }

    /// How long a window takes to come: a round trip at the most.
    pub(crate) fn measure_rcv_rtt(&mut self, cx: &Cx<'_>) {
        let tuning = &mut self.tuning;
        if tuning.rtt_time != Instant::ZERO {
            if self.rcv_nxt < tuning.rtt_seq {
                return;
            }
            let sample = micros(cx.now - tuning.rtt_time).clamp(1, u64::from(u32::MAX / 16)) as u32;
            // Windows overestimate: the least counts.
            if tuning.rtt_us == 0 || sample << 3 < tuning.rtt_us {
                tuning.rtt_us = sample << 3;
            }
        }
        tuning.rtt_seq = self.rcv_nxt + u64::from(self.rcv_wnd);
        tuning.rtt_time = cx.now;
    }

    /// The same from the echo of a timestamp on data, before the data are taken in.
    pub(crate) fn measure_rcv_rtt_by_echo(&mut self, cx: &Cx<'_>, len: usize) {
        if !self.ts.ok || self.ts.echo == self.tuning.rtt_last_echo {
            return;
        }
        self.tuning.rtt_last_echo = self.ts.echo;
        if len < usize::from(self.acks.rcv_mss) {
            return;
        }
        // Within the clock's granularity nothing was measured.
        let Some(rtt) = self.rtt_from_echo(cx.now).filter(|_| cx.ms() != self.ts.echo) else { return };
        let (sample, old) = (micros(rtt).min(1 << 28) as u32, self.tuning.rtt_us);
        if old == 0 || sample << 3 < old {
            self.tuning.rtt_us = sample << 3;
        } else if self.rcv_nxt == self.copied_seq {
            // Where data wait for the reader, the echo tells of the reader's pace and not of the path.
            self.tuning.rtt_us = old - (old >> 3) + sample;
        }
    }

    /// Dynamic right-sizing: once a round trip, twice what the application took becomes room (Linux's
    /// `tcp_rcv_space_adjust`).
    pub(crate) fn adjust_receive_buffer(&mut self, cx: &Cx<'_>) {
        let rtt = core::time::Duration::from_micros(u64::from(self.tuning.rtt_us >> 3));
        if self.tuning.rtt_us == 0 || cx.now - self.tuning.time < rtt {
            return;
        }
        let unread = self.rcv_nxt - self.copied_seq;
        let copied = (self.copied_seq - self.tuning.seq).saturating_sub(unread).min(u64::from(u32::MAX)) as u32;
        if copied > self.tuning.space {
            self.grow_receive_buffer(cx.config, copied);
        }
        self.tuning.seq = self.copied_seq;
        self.tuning.time = cx.now;
    }

    /// Makes room for what the application takes in a round trip, `space`, and for what waits out of order (Linux's
    /// `tcp_rcvbuf_grow`).
    pub(crate) fn grow_receive_buffer(&mut self, config: &Config, space: u32) {
        let old = core::mem::replace(&mut self.tuning.space, space);
        if !config.moderate_rcvbuf || self.flags.rcv_buf_locked {
            return;
        }
        // "DRS is always one RTT late", and a sender in slow start doubles its rate.
        let mut window = 2 * u64::from(space);
        window += 2 * (window * u64::from(space.saturating_sub(old)) / u64::from(old.max(1)));
        if let Some(end) = self.received.early_end() {
            window += end - self.rcv_nxt;
        }
        let buffer = space_from_window(window).min(config.rmem[2] as u64) as u32;
        if buffer > self.rcv_buf {
            self.rcv_buf = buffer;
            self.window_clamp = window_from_space(buffer);
        }
    }

    /// The application has read: whether the peer should hear of the room at once (Linux's `tcp_cleanup_rbuf`).
    pub(crate) fn after_read(&mut self, cx: &Cx<'_>, copied: usize) {
        if !self.state.is_synchronized() {
            return;
        }
        let mut now = false;
        if self.acks.scheduled {
            let pending = self.rcv_nxt.saturating_sub(self.rcv_wup);
            let drained = copied > 0
                && self.held() == 0
                && (self.acks.pushed_twice || (self.acks.pushed && !self.acks.is_interactive(cx.config)));
            now = pending > u64::from(self.acks.rcv_mss) || drained;
        }
        if copied > 0 && !now && !self.flags.read_shut {
            let current = self.advertised_window();
            if 2 * u64::from(current) <= u64::from(self.window_clamp) {
                // RFC 9293 §3.8.6.2.2: an update is worth a segment when the window at least doubles.
                let new = self.select_window_size();
                now = new != 0 && u64::from(new) >= 2 * u64::from(current);
            }
        }
        if now {
            self.acks.due = true;
        }
    }
}
