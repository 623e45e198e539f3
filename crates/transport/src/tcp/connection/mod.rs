//! One connection: RFC 9293's transmission control block as a pure state machine.
//!
//! Sequence numbers are 64 bits wide inside, their low half being what the wire carries.

mod ack;
mod calls;
mod delayed_ack;
mod handshake;
mod info;
mod input;
mod invariants;
mod keepalive;
mod nagle;
mod output;
mod receive_data;
mod receive_window;
mod rfc2861_cwnd_validation;
mod rfc3168_ecn;
mod rfc4821_plpmtud;
mod rfc5961_challenge_ack;
mod rfc7323_timestamps;
mod timers;
mod transmit;
mod write;

use std::net::{SocketAddr, SocketAddrV4};

use septet_core::{EventId, Instant, Storey, Trace};

use receive_window::Tuning;
use rfc7323_timestamps::Clock;

use super::buffer::{Lazy, ReceiveBuffer, SendBuffer, Sent};
use super::congestion::{CongestionController, Window};
use super::endpoint::Pending;
use super::recovery::{Rack, Rate, Recovery, Rtt, SackState};
use super::wire::{Flags, Header};
use super::{CaState, Config, Cork, Error, Keepalive, Mib, Nodelay, State};
use crate::Ecn;

pub(crate) use handshake::{Opening, initial_window};
pub(crate) use input::Verdict;
pub use invariants::Flight;
pub(crate) use rfc5961_challenge_ack::Budget;
pub(crate) use timers::{Slot, Timers, Waiting};
pub(crate) use transmit::seal;
pub(crate) use write::Payload;

/// What every step of a connection is handed.
pub(crate) struct Cx<'a> {
    pub(crate) now: Instant,
    pub(crate) config: &'a Config,
    pub(crate) mib: &'a mut Mib,
    pub(crate) trace: &'a mut Trace,
    /// Replies that belong to no connection's own output.
    pub(crate) replies: &'a mut Pending,
}

impl Cx<'_> {
    /// Milliseconds on the clock that timestamps and timers count.
    pub(crate) fn ms(&self) -> u32 {
        self.now.as_millis() as u32
    }
}

/// A segment as it came in: its header and where it lies in 64-bit sequence space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    /// SEG.SEQ
    pub(crate) seq: u64,
    /// SEG.ACK
    pub(crate) ack: u64,
    /// SEG.SEQ + SEG.LEN, SYN and FIN counted.
    pub(crate) end: u64,
    pub(crate) len: usize,
    /// What each segment on the wire carried, where this one was merged of several.
    pub(crate) unit: usize,
    pub(crate) ecn: Ecn,
    /// How many segments of the wire it was made of.
    pub(crate) segs: u16,
}

impl Segment {
    pub(crate) fn flags(&self) -> Flags {
        self.header.flags
    }
}

/// The state of one connection.
#[derive(Debug)]
pub struct Connection {
    pub(crate) ends: Ends,
    pub(crate) state: State,

    // Send sequence space (RFC 9293 §3.3.1).
    pub(crate) iss: u64,
    pub(crate) snd_una: u64,
    pub(crate) snd_nxt: u64,
    pub(crate) snd_wl1: u64,
    /// Up to where PSH was last set.
    pub(crate) pushed_seq: u64,
    pub(crate) snd_wnd: u32,
    pub(crate) max_window: u32,

    // Receive sequence space.
    pub(crate) irs: u64,
    pub(crate) rcv_nxt: u64,
    /// RCV.NXT when the window was last advertised.
    pub(crate) rcv_wup: u64,
    /// What was read by the application.
    pub(crate) copied_seq: u64,
    pub(crate) rcv_wnd: u32,
    pub(crate) window_clamp: u32,
    pub(crate) rcv_ssthresh: u32,
    pub(crate) rcv_buf: u32,
    pub(crate) snd_buf: u32,

    pub(crate) mss: u32,
    pub(crate) mss_clamp: u16,
    pub(crate) advmss: u16,
    pub(crate) pmtu: u32,
    pub(crate) gso_max: u32,

    pub(crate) send: SendBuffer,
    pub(crate) sent: Lazy<Sent>,
    pub(crate) received: Lazy<ReceiveBuffer>,

    pub(crate) window: Window,
    pub(crate) controller: Box<dyn CongestionController>,
    pub(crate) rtt: Rtt,
    pub(crate) recovery: Lazy<Recovery>,
    pub(crate) rack: Lazy<Rack>,
    pub(crate) ca_state: CaState,
    /// The degree of reordering of the path, in segments.
    pub(crate) reordering: u32,
    pub(crate) reord_seen: u32,
    pub(crate) rate: Rate,
    pub(crate) sack: Option<Box<SackState>>,
    pub(crate) timers: Timers,
    pub(crate) acks: delayed_ack::AckState,
    pub(crate) tuning: Tuning,
    pub(crate) ts: Clock,
    pub(crate) rare: Option<Box<Rare>>,

    /// When data was last sent and last received.
    pub(crate) lsndtime: Instant,
    pub(crate) lrcvtime: Instant,
    /// When an ACK last came.
    pub(crate) rcv_tstamp: Instant,
    /// The event that the next segments are due to.
    pub(crate) cause: EventId,

    pub(crate) counters: Counters,
    pub(crate) ooo_last_challenge: Instant,
    /// Where a FIN stands that came out of order; zero for none.
    pub(crate) fin_beyond: u64,
    /// Bytes a second; the size of super-segments follows it.
    pub(crate) pacing_rate: u64,

    pub(crate) snd_wscale: u8,
    pub(crate) rcv_wscale: u8,
    pub(crate) probes_out: u8,
    pub(crate) ecn_flags: u8,
    pub(crate) nodelay: Nodelay,
    pub(crate) cork: Cork,
    pub(crate) flags: Marks,
    pub(crate) error: Option<Error>,
    pub(crate) soft_error: Option<Error>,
}

/// The near and the far end, as small as their family allows.
#[derive(Debug)]
pub(crate) enum Ends {
    V4(SocketAddrV4, SocketAddrV4),
    Other(Box<(SocketAddr, SocketAddr)>),
}

impl Ends {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        match (local, remote) {
            (SocketAddr::V4(l), SocketAddr::V4(r)) => Self::V4(l, r),
            _ => Self::Other(Box::new((local, remote))),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> (SocketAddr, SocketAddr) {
        match self {
            Self::V4(l, r) => (SocketAddr::V4(*l), SocketAddr::V4(*r)),
            Self::Other(ends) => **ends,
        }
    }

    pub(crate) fn is_ipv4(&self) -> bool {
        matches!(self, Self::V4(..))
    }
}

/// Yes-or-no facts of a connection.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) sack_ok: bool,
    pub(crate) wscale_ok: bool,
    /// The application has let go of the socket.
    pub(crate) orphan: bool,
    /// The FIN lies behind the last byte of the send buffer.
    pub(crate) fin_queued: bool,
    pub(crate) fin_received: bool,
    pub(crate) read_shut: bool,
    pub(crate) write_shut: bool,
    /// A reset is to be sent; nothing else will be.
    pub(crate) reset_due: bool,
    /// The SYN or SYN-ACK is to be (re)sent.
    pub(crate) syn_due: bool,
    /// Segments held to be lost may be sent again.
    pub(crate) retransmit_due: bool,
    /// The head is sent again whatever the window says: an expired timer's one segment.
    pub(crate) head_due: bool,
    /// A tail loss probe is to be sent.
    pub(crate) probe_due: bool,
    /// The application asked for room and there was none.
    pub(crate) no_space: bool,
    /// Queued for output by the endpoint.
    pub(crate) queued: bool,
    /// The last write promised more (`MSG_MORE`): until something else happens, a short segment waits for it.
    pub(crate) more_promised: bool,
    /// Data went out since the output was last found idle.
    pub(crate) in_burst: bool,
    /// Whether the last SYN came from the peer first.
    pub(crate) passive: bool,
    /// Readiness changed and the endpoint was not told yet.
    pub(crate) notify: bool,
    /// The endpoint's event queue names it.
    pub(crate) event_queued: bool,
    /// A window probe or keepalive is to be sent.
    pub(crate) wake_due: bool,
    pub(crate) keepalive_due: bool,
    /// `SO_SNDBUF` or `SO_RCVBUF` were set: they grow no more.
    pub(crate) snd_buf_locked: bool,
    pub(crate) rcv_buf_locked: bool,
    pub(crate) linger_reset: bool,
    pub(crate) accepted: bool,
    /// The connection was counted as established.
    pub(crate) counted: bool,
}

/// `tcp_info`'s counters.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) bytes_retrans: u64,
    pub(crate) segs_out: u32,
    pub(crate) segs_in: u32,
    pub(crate) data_segs_in: u32,
    pub(crate) data_segs_out: u32,
    pub(crate) total_retrans: u32,
    pub(crate) dsack_dups: u32,
    pub(crate) ooo_packets: u32,
    pub(crate) total_rto: u16,
    pub(crate) total_rto_recoveries: u16,
    pub(crate) lost: u32,
    /// Congestion signals that the window was reduced for, or would have been: fast recoveries, ECN, time-outs.
    pub(crate) reductions: u32,
    /// Milliseconds, as in Linux.
    pub(crate) busy_ms: u32,
    pub(crate) rwnd_limited_ms: u32,
    pub(crate) sndbuf_limited_ms: u32,
    pub(crate) chrono_start_ms: u32,
    pub(crate) chrono: Chrono,
    pub(crate) rto_stamp_ms: u32,
    pub(crate) rto_time_ms: u32,
}

/// What holds the sender back, for `tcpi_busy_time` and its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Chrono {
    #[default]
    Idle,
    Busy,
    WindowLimited,
    BufferLimited,
}

/// What few connections need.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// The user timeout, in milliseconds; zero for none.
    pub(crate) user_timeout_ms: u32,
    pub(crate) keepalive: Keepalive,
    /// The times of probing, where they are the socket's own.
    pub(crate) keep_idle: Option<core::time::Duration>,
    pub(crate) keep_interval: Option<core::time::Duration>,
    pub(crate) keep_count: Option<u8>,
    pub(crate) linger2: Option<core::time::Duration>,
    pub(crate) syn_count: Option<u8>,
    pub(crate) max_segment: Option<u16>,
    pub(crate) notsent_lowat: Option<u32>,
    pub(crate) receive_lowat: Option<u32>,
    pub(crate) max_pacing_rate: Option<u64>,
    /// `TCP_DEFER_ACCEPT` is set.
    pub(crate) defer_accept: bool,
    /// Somebody waits until its FIN is acknowledged.
    pub(crate) awaited: bool,
    /// Differentiated services: `IP_TOS`.
    pub(crate) traffic_class: u8,
    pub(crate) mtu: Option<rfc4821_plpmtud::Probing>,
    /// Data between the urgent pointer's place and here is tolerated, not treated.
    pub(crate) urgent_seen: bool,
    /// When the path MTU learned from ICMP expires.
    pub(crate) pmtu_expires: Option<Instant>,
    /// The MTU of the first link.
    pub(crate) link_mtu: u32,
}

impl Connection {
    /// Bytes of the IP header in front.
    pub(crate) fn ip_header(&self) -> u32 {
        if self.ends.is_ipv4() { 20 } else { 40 }
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The near end.
    pub fn local(&self) -> SocketAddr {
        self.ends.get().0
    }

    /// The far end.
    pub fn remote(&self) -> SocketAddr {
        self.ends.get().1
    }

    /// SND.NXT and RCV.NXT as the wire has them.
    pub fn sequence_numbers(&self) -> (u32, u32) {
        (self.snd_nxt as u32, self.rcv_nxt as u32)
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn set_state(&mut self, cx: &mut Cx<'_>, state: State, why: &'static str) {
        let old = core::mem::replace(&mut self.state, state);
        if old == state {
            return;
        }
        let established = |s: State| matches!(s, State::Established | State::CloseWait);
        match (established(old), established(state)) {
            (false, true) => {
                cx.mib.curr_estab += 1;
                self.flags.counted = true;
            }
            (true, false) if core::mem::take(&mut self.flags.counted) => cx.mib.curr_estab -= 1,
            _ => {}
        }
        let (local, remote, cause) = (self.local(), self.remote(), self.cause);
        self.cause = cx.trace.emit(Storey::Transport, "tcp.state", cause, |f| {
            f.set("local", local).set("remote", remote).set("from", old.as_str()).set("to", state.as_str());
            f.set("why", why);
        });
        self.flags.notify = true;
    }

    /// Ends the connection with an error for the application.
    pub(crate) fn fail(&mut self, cx: &mut Cx<'_>, error: Error, why: &'static str) {
        if matches!(self.state, State::SynSent | State::SynReceived) {
            cx.mib.attempt_fails += 1;
        } else if matches!(self.state, State::Established | State::CloseWait) {
            cx.mib.estab_resets += 1;
        }
        self.error = Some(error);
        self.finish(cx, why);
    }

    /// Linux's `tcp_done`: no timer runs and nothing will be sent any more.
    pub(crate) fn finish(&mut self, cx: &mut Cx<'_>, why: &'static str) {
        self.timers.clear_all();
        self.send.clear();
        self.sent.release();
        self.recovery.release();
        self.sack = None;
        self.flags.read_shut = true;
        self.flags.write_shut = true;
        self.flags.retransmit_due = false;
        self.flags.head_due = false;
        self.flags.syn_due = false;
        self.acks.clear();
        self.set_state(cx, State::Closed, why);
        self.flags.notify = true;
    }

    /// TIME-WAIT is kept elsewhere: what is left here is what the application has not read.
    pub(crate) fn end_into_time_wait(&mut self, cx: &mut Cx<'_>) {
        let cause = self.cause;
        self.flags.counted = false;
        self.state = State::Closed;
        self.finish(cx, "TIME-WAIT");
        self.cause = cause;
        self.flags.notify = true;
    }

    /// The highest sequence number that the peer's window allows, exclusive.
    pub(crate) fn wnd_end(&self) -> u64 {
        self.snd_una + u64::from(self.snd_wnd)
    }

    /// Where the data ends and the FIN, if any, stands.
    pub(crate) fn write_seq(&self) -> u64 {
        self.send.end() + u64::from(self.flags.fin_queued)
    }

    /// Gives back what only a busy connection needs. Nothing that a later segment could still undo is forgotten.
    pub(crate) fn rest(&mut self) {
        if self.received.is_empty() {
            self.received.release();
        }
        if self.sent.is_empty() && !self.has_unsent() && self.ca_state == CaState::Open {
            self.sent.release();
            if self.recovery.undo_marker == 0 {
                self.recovery.release();
            }
            if self.rack.is_plain() {
                self.rack.release();
            }
        }
    }

    /// Bytes written and not yet sent.
    pub(crate) fn unsent(&self) -> u64 {
        self.send.end().saturating_sub(self.snd_nxt.max(self.iss + 1))
    }

    /// Whether anything (data or FIN) is yet to be sent.
    pub(crate) fn has_unsent(&self) -> bool {
        self.write_seq() > self.snd_nxt
    }
}

/// The 64-bit number near `near` whose low half is `wire`.
pub(crate) fn widen(near: u64, wire: u32) -> u64 {
    let delta = wire.wrapping_sub(near as u32) as i32;
    near.wrapping_add_signed(i64::from(delta))
}

#[cfg(test)]
mod tests {
    use super::widen;

    #[test]
    fn widening_finds_the_near_number() {
        let near = (1u64 << 32) + 5;
        assert_eq!(widen(near, 7), near + 2);
        assert_eq!(widen(near, u32::MAX), near - 6);
        assert_eq!(widen((1 << 33) - 1, 3), (1 << 33) + 3);
    }
}
