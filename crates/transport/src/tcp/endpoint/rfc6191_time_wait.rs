//! TIME-WAIT in a compact form: what an old connection still needs, and when it may be taken over (RFC 6191, RFC 1337).

use std::net::{IpAddr, SocketAddr};

use septet_core::{EventId, Instant};

use crate::tcp::wire::{Flags, Header};
use crate::tcp::{Config, Connection, TwReuse};

/// A connection in TIME-WAIT.
#[derive(Debug)]
pub(crate) struct TimeWait {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) snd_nxt: u32,
    pub(crate) rcv_nxt: u32,
    pub(crate) rcv_wnd: u32,
    pub(crate) rcv_wscale: u8,
    pub(crate) ts_ok: bool,
    pub(crate) ts_recent: u32,
    pub(crate) ts_recent_stamp: u32,
    pub(crate) ts_offset: u32,
    /// When TIME-WAIT began.
    pub(crate) entered: Instant,
    pub(crate) deadline: Instant,
    pub(crate) armed: Instant,
    pub(crate) last_ack: Instant,
    pub(crate) cause: EventId,
}

/// Whether the caller named the local port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    ForIt,
    ForAny,
}

/// Whether `tcp_tw_reuse` speaks of connections between these addresses.
pub(crate) fn reuses(config: &Config, local: IpAddr, remote: IpAddr) -> bool {
    match config.tw_reuse {
        TwReuse::Off => false,
        TwReuse::On => true,
        TwReuse::Loopback => local.is_loopback() || remote.is_loopback(),
    }
}

/// What a segment to a TIME-WAIT connection leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reaction {
    Drop,
    /// "acknowledge it, and restart the 2 MSL timeout".
    Ack,
    /// A reset ends it.
    Kill,
    /// A SYN that may take the pair over, with this initial sequence number.
    Reopen(u32),
}

impl TimeWait {
    pub(crate) fn new(c: &Connection, config: &Config, now: Instant) -> Self {
        Self {
            local: c.local(),
            remote: c.remote(),
            snd_nxt: c.snd_nxt as u32,
            rcv_nxt: c.rcv_nxt as u32,
            rcv_wnd: c.advertised_window(),
            rcv_wscale: c.rcv_wscale,
            ts_ok: c.ts.ok,
            ts_recent: c.ts.recent,
            ts_recent_stamp: c.ts.recent_stamp,
            ts_offset: c.ts.offset,
            entered: now,
            deadline: now + config.time_wait,
            armed: Instant::FAR_FUTURE,
            last_ack: Instant::ZERO,
            cause: c.cause,
        }
    }

    pub(crate) fn receive(&mut self, config: &Config, now: Instant, header: &Header, len: usize) -> Reaction {
        let flags = header.flags;
        let ts = header.options.timestamps.filter(|_| self.ts_ok);
        let is_old = ts.is_some_and(|t| {
            (self.ts_recent.wrapping_sub(t.value) as i32) > 0 && !flags.has(Flags::RST) && self.ts_recent != 0
        });
        let span = len as u32 + u32::from(flags.has(Flags::SYN)) + u32::from(flags.has(Flags::FIN));
        if !is_old && header.seq == self.rcv_nxt && (span == 0 || flags.has(Flags::RST)) {
            if flags.has(Flags::RST) {
                // RFC 1337 §3 (F1): "Ignore RST segments in TIME-WAIT state."
                return if config.rfc1337 { Reaction::Drop } else { Reaction::Kill };
            }
            self.deadline = now + config.time_wait;
            if let Some(t) = ts {
                self.ts_recent = t.value;
                self.ts_recent_stamp = (now.as_nanos() / 1_000_000_000) as u32;
            }
            return Reaction::Drop;
        }
        // RFC 1122 §4.2.2.13: "it MAY accept a new SYN from the remote TCP to reopen the connection directly from TIME-WAIT
        // state, if it assigns its initial sequence number … larger than the largest sequence number it used"; RFC 6191 adds
        // the timestamp as a proof of youth.
        if flags.has(Flags::SYN) && !flags.any(Flags::RST | Flags::ACK) && !is_old {
            let newer_seq = (header.seq.wrapping_sub(self.rcv_nxt) as i32) > 0;
            let newer_ts = ts.is_some_and(|t| (t.value.wrapping_sub(self.ts_recent) as i32) > 0);
            if newer_seq || newer_ts {
                return Reaction::Reopen(self.next_isn());
            }
        }
        if flags.has(Flags::RST) {
            return Reaction::Drop;
        }
        if is_old || flags.has(Flags::ACK) {
            self.deadline = now + config.time_wait;
        }
        // Two ends in TIME-WAIT must not acknowledge each other for ever.
        if self.last_ack != Instant::ZERO && now - self.last_ack < config.invalid_ratelimit && span == 0 {
            return Reaction::Drop;
        }
        self.last_ack = now;
        Reaction::Ack
    }

    /// Beyond everything that the old connection may have sent.
    pub(crate) fn next_isn(&self) -> u32 {
        self.snd_nxt.wrapping_add(65_535 + 2)
    }

    /// RFC 6191 §2, from the connecting side: timestamps that have moved on keep old segments apart. Whoever asks for the
    /// very port gets it by them alone; one that is chosen also by the endpoint's rule, a while after the end.
    pub(crate) fn may_reuse(&self, config: &Config, now: Instant, asked: Asked) -> bool {
        let ruled = || reuses(config, self.local.ip(), self.remote.ip()) && now - self.entered > config.tw_reuse_delay;
        config.timestamps && self.ts_ok && (asked == Asked::ForIt || ruled())
    }
}
