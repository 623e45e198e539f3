//! The window that is advertised: silly-window avoidance (RFC 9293 §3.8.6.2.2), never shrunk, growing with use.

use septet_core::{Instant, Storey};

use super::{Connection, Cx};
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

/// The first window and its scale (Linux's `tcp_select_initial_window`).
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
    (space.min(65_535), wscale)
}

impl Connection {
    /// What is still open of the window last advertised.
    pub(crate) fn advertised_window(&self) -> u32 {
        (self.rcv_wup + u64::from(self.rcv_wnd)).saturating_sub(self.rcv_nxt).min(u64::from(u32::MAX)) as u32
    }

    /// What is still accepted: the window as the peer saw it, rounded up by its scale.
    pub(crate) fn acceptable_window(&self) -> u32 {
        align(self.advertised_window(), self.rcv_wscale)
    }

    pub(crate) fn full_space(&self) -> u32 {
        window_from_space(self.rcv_buf)
    }

    /// Room for more.
    pub(crate) fn free_space(&self) -> u32 {
        let used = self.received.readable() + self.received.early_bytes();
        self.full_space().saturating_sub(used.min(u32::MAX as usize) as u32)
    }

    pub(crate) fn receive_lowat(&self) -> u32 {
        self.rare.as_ref().and_then(|r| r.receive_lowat).unwrap_or(1)
    }

    /// The window that could be advertised now.
    pub(crate) fn select_window_size(&self, _: &Config) -> u32 {
        let full = self.full_space().min(self.window_clamp);
        let mut mss = u32::from(self.acks.rcv_mss);
        let mut free = self.free_space();
        if mss > full {
            mss = full;
            if mss == 0 {
                return 0;
            }
        }
        if free < full / 2 {
            let floor = (1u32 << self.rcv_wscale).max(1);
            free &= !(floor - 1);
            // RFC 9293 §3.8.6.2.2: the window stays shut until "at least … one maximum-sized segment" fits.
            if free < full >> 4 || free < mss {
                return 0;
            }
        }
        let free = free.min(self.rcv_ssthresh);
        if self.rcv_wscale > 0 {
            // A window that the scale would round to nothing is announced as one unit.
            align(free, self.rcv_wscale)
        } else {
            let window = self.rcv_wnd;
            if window <= free.saturating_sub(mss) || window > free {
                free / mss.max(1) * mss.max(1)
            } else if mss == full && free > window + (full >> 1) {
                free
            } else {
                window
            }
        }
    }

    /// The window field of the next segment. RFC 9293 §3.8.6.2.2: a receiver "SHOULD NOT shrink the window".
    pub(crate) fn select_window(&mut self, cx: &mut Cx<'_>) -> u16 {
        let old = self.rcv_wnd;
        let current = self.advertised_window();
        let mut window = self.select_window_size(cx.config);
        if window < current {
            if window == 0 {
                cx.mib.want_zero_window += 1;
            }
            // Rounded up on the wire, so that its right edge does not move back; not in the books, where a trickle of small
            // segments would move it forward for ever.
            window = current;
        }
        self.rcv_wnd = window;
        self.rcv_wup = self.rcv_nxt;
        let window = align(window, self.rcv_wscale);
        let most = if self.flags.wscale_ok { u32::from(u16::MAX) << self.rcv_wscale } else { u32::from(u16::MAX) };
        let window = window.min(most);
        let field = (window >> self.rcv_wscale) as u16;
        if field == 0 && old > 0 {
            cx.mib.to_zero_window += 1;
            self.trace_window(cx, "tcp.window", 0, "receive buffer is full");
        } else if field > 0 && old == 0 {
            cx.mib.from_zero_window += 1;
            self.trace_window(cx, "tcp.window", window, "the application has read");
        }
        field
    }

    fn trace_window(&mut self, cx: &mut Cx<'_>, kind: &'static str, window: u32, why: &'static str) {
        let (local, remote, cause) = (self.local(), self.remote(), self.cause);
        cx.trace.emit(Storey::Transport, kind, cause, |f| {
            f.set("local", local).set("remote", remote).set("window", window).set("why", why);
        });
    }

    /// In-order data of full segments earns a larger window (Linux's `tcp_grow_window`).
    pub(crate) fn grow_window(&mut self, len: usize) {
        let room = self.window_clamp.min(self.full_space()).saturating_sub(self.rcv_ssthresh);
        if room == 0 || len <= 128 || self.free_space() == 0 {
            return;
        }
        let increase = (2 * u32::from(self.advmss)).max(2 * len as u32).min(room);
        self.rcv_ssthresh += increase;
        self.acks.quick |= 1;
    }

    /// How long a window takes to come: the receiver's round-trip time, by timestamps or by windows.
    pub(crate) fn measure_rcv_rtt(&mut self, cx: &Cx<'_>) {
        let tuning = &mut self.tuning;
        if tuning.rtt_time != Instant::ZERO && self.rcv_nxt < tuning.rtt_seq {
            return;
        }
        if tuning.rtt_time != Instant::ZERO && !self.ts.ok {
            let sample = (cx.now - tuning.rtt_time).as_micros().clamp(1, u128::from(u32::MAX / 16)) as u32;
            // Windows overestimate: the least counts.
            let old = tuning.rtt_us;
            tuning.rtt_us = if old == 0 { sample << 3 } else { old.min(sample << 3) };
        }
        tuning.rtt_seq = self.rcv_nxt + u64::from(self.rcv_wnd);
        tuning.rtt_time = cx.now;
    }

    /// The same from the echo of a timestamp on data.
    pub(crate) fn measure_rcv_rtt_by_echo(&mut self, cx: &Cx<'_>, len: usize) {
        if !self.ts.ok || self.ts.echo == self.tuning.rtt_last_echo || len < usize::from(self.acks.rcv_mss) {
            return;
        }
        self.tuning.rtt_last_echo = self.ts.echo;
        if let Some(rtt) = self.rtt_from_echo(cx.now) {
            let sample = rtt.as_micros() as i64;
            let old = i64::from(self.tuning.rtt_us);
            self.tuning.rtt_us =
                if old == 0 { sample << 3 } else { old + sample - (old >> 3) }.clamp(1, 1 << 31) as u32;
        }
    }

    /// Dynamic right-sizing: once a round trip, twice what the application took becomes room.
    pub(crate) fn adjust_receive_buffer(&mut self, cx: &Cx<'_>) {
        let rtt = core::time::Duration::from_micros(u64::from(self.tuning.rtt_us >> 3));
        if self.tuning.rtt_us == 0 || cx.now - self.tuning.time < rtt {
            return;
        }
        let copied = (self.copied_seq - self.tuning.seq).min(u64::from(u32::MAX)) as u32;
        if copied > self.tuning.space {
            if cx.config.moderate_rcvbuf && !self.flags.rcv_buf_locked {
                // Twice the rate for slow start, and room for a few segments that are out of order.
                let window = 2 * u64::from(copied) + 16 * u64::from(self.advmss);
                let grow = window * u64::from(copied - self.tuning.space) / u64::from(self.tuning.space.max(1));
                let window = window + 2 * grow;
                let buffer = (2 * window).min(cx.config.rmem[2] as u64) as u32;
                if buffer > self.rcv_buf {
                    self.rcv_buf = buffer;
                    self.window_clamp = self.window_clamp.max(window_from_space(buffer));
                }
            }
            self.tuning.space = copied;
        }
        self.tuning.seq = self.copied_seq;
        self.tuning.time = cx.now;
    }

    /// The application has read: whether the peer should hear of the room at once (Linux's `tcp_cleanup_rbuf`).
    pub(crate) fn after_read(&mut self, cx: &mut Cx<'_>, copied: usize) {
        if !self.state.is_synchronized() {
            return;
        }
        let mut now = false;
        if self.acks.scheduled {
            let pending = self.rcv_nxt.saturating_sub(self.rcv_wup);
            let drained = copied > 0
                && self.received.readable() == 0
                && (self.acks.pushed_twice || (self.acks.pushed && !self.acks.is_interactive(cx.config)));
            now = pending > u64::from(self.acks.rcv_mss) || drained;
        }
        if copied > 0 && !now && !self.flags.read_shut {
            let current = self.advertised_window();
            if 2 * u64::from(current) <= u64::from(self.window_clamp) {
                // RFC 9293 §3.8.6.2.2: an update is worth a segment when the window at least doubles.
                let new = self.select_window_size(cx.config);
                now = new != 0 && u64::from(new) >= 2 * u64::from(current);
            }
        }
        if now {
            self.acks.due = true;
        }
    }
}
