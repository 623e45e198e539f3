//! Building one segment: header, payload, checksum, and its account.

use septet_core::{Checksums, Frame, Storey};

use super::{Connection, Cx};
use crate::Ecn;
use crate::tcp::Transmit;
use crate::tcp::wire::{Flags, HEADER_LEN, Header, HeaderOptions, PROTOCOL, SackBlocks};
use septet_wire::pseudo_header;

/// A segment to be built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seq: u64,
    pub(crate) len: usize,
    pub(crate) flags: Flags,
    /// The payload of each of its segments on the wire.
    pub(crate) mss: usize,
    pub(crate) kind: Kind,
}

/// What a segment is to its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// New data, a SYN, a FIN, an ACK.
    New,
    /// Sent again.
    Again,
    /// Neither data nor state: an ACK or a probe.
    Bare,
}

impl Connection {
    /// Builds the segment that `plan` describes; `why` is asked only where the trace is on.
    pub(crate) fn build(&mut self, cx: &mut Cx<'_>, plan: Plan, why: impl FnOnce(&Self) -> String) -> Transmit {
        let Plan { seq, len, mut flags, mss, kind } = plan;
        let is_syn = flags.has(Flags::SYN);
        let options =
            if is_syn { self.syn_options(cx.config, cx.ms()) } else { self.segment_options(cx, len.min(mss)) };
        let window = if is_syn {
            let window = self.rcv_wnd.min(65_535);
            self.rcv_wup = self.rcv_nxt;
            window as u16
        } else {
            self.select_window(cx)
        };
        let mut ecn = Ecn::NotEct;
        if !is_syn {
            let (codepoint, more) = self.ecn_send(kind == Kind::New && len > 0);
            ecn = codepoint;
            flags |= more;
        }
        // Linux: "Force a PSH flag on all (GSO) packets to expedite GRO flush at receiver". It is not remembered: a part
        // that is sent again alone goes without.
        if len > mss {
            flags |= Flags::PSH;
        }
        let header = Header {
            src_port: self.local().port(),
            dst_port: self.remote().port(),
            seq: seq as u32,
            ack: if flags.has(Flags::ACK) { self.rcv_nxt as u32 } else { 0 },
            flags,
            window,
            urgent: 0,
            options,
        };
        let mut frame = Frame::with_room(Frame::HEADROOM, len);
        let mut sum = septet_core::checksum::Sum::new();
        if len > 0 {
            sum = self.send.copy_to(&mut frame, seq, len);
        }
        let segs = if len > mss { len.div_ceil(mss) } else { 1 } as u32;
        seal(&mut frame, &header, self.local().ip(), self.remote().ip(), sum);
        if segs > 1 {
            frame.segment_size = mss as u16;
        }
        self.counters.segs_out = self.counters.segs_out.wrapping_add(segs);
        if len > 0 {
            self.counters.data_segs_out = self.counters.data_segs_out.wrapping_add(segs);
        }
        if kind != Kind::Again {
            cx.mib.out_segs += u64::from(segs);
        }
        if cx.trace.is_on() {
            let (local, remote, iss, irs) = (self.local(), self.remote(), self.iss, self.irs);
            let why = why(self);
            let window = u32::from(window) << if is_syn { 0 } else { self.rcv_wscale };
            let ack = self.rcv_nxt.wrapping_sub(irs) as u32;
            let name = if kind == Kind::Again { "tcp.retransmit" } else { "tcp.send" };
            frame.cause = cx.trace.emit(Storey::Transport, name, self.cause, |f| {
                f.set("local", local).set("remote", remote).set("flags", flags.to_string());
                f.set("seq", seq.wrapping_sub(iss) as u32).set("len", len);
                if flags.has(Flags::ACK) {
                    f.set("ack", ack);
                }
                f.set("window", window).set("why", why);
            });
        } else {
            frame.cause = self.cause;
        }
        if flags.has(Flags::ACK) && !is_syn {
            self.ack_sent(cx);
        }
        Transmit {
            src: self.local().ip(),
            dst: self.remote().ip(),
            ecn,
            traffic_class: self.rare.as_ref().map_or(0, |rare| rare.traffic_class) & !Ecn::MASK,
            dont_fragment: cx.config.pmtu_discovery,
            frame,
        }
    }

    /// Timestamps, and SACK where there is something to report; the report of a duplicate is made once.
    fn segment_options(&mut self, cx: &Cx<'_>, payload: usize) -> HeaderOptions {
        let mut options = HeaderOptions::default();
        if self.ts.ok {
            options.timestamps = Some(self.ts.stamp(cx.ms()));
        }
        if self.flags.sack_ok
            && let Some(holes) = &mut self.acks.holes
        {
            let mut sack = SackBlocks::default();
            // RFC 2018 §3: 40 bytes of options hold four blocks, three beside timestamps.
            // What is sent again fills its segment: only blocks that find room go with it.
            let room = (self.mss as usize).saturating_sub(payload + 4) / 8;
            let most = (if self.ts.ok { 3 } else { 4 }).min(room);
            let mut n = 0;
            if most > 0
                && let Some((s, e)) = holes.dsack.take()
            {
                sack.push(s as u32, e as u32);
                n += 1;
            }
            for &(s, e) in holes.blocks[..holes.len].iter().take(most - n) {
                sack.push(s as u32, e as u32);
            }
            options.sack = sack;
            if holes.len == 0 {
                self.acks.holes = None;
            }
        }
        options
    }

    /// Bytes of options that the next data segment carries.
    pub(crate) fn options_len(&self) -> usize {
        let mut len = if self.ts.ok { 12 } else { 0 };
        if self.flags.sack_ok && self.acks.reports_sack() {
            let holes = self.acks.holes.as_ref().map_or(0, |h| h.len + usize::from(h.dsack.is_some()));
            len += 4 + 8 * holes.min(if self.ts.ok { 3 } else { 4 });
        }
        len
    }

    /// The payload of a full segment now: SACK blocks on it take their room.
    pub(crate) fn current_mss(&self) -> usize {
        let base = if self.ts.ok { 12 } else { 0 };
        (self.mss as usize).saturating_sub(self.options_len() - base).max(1)
    }
}

/// Puts the header in front of the payload and the checksum into it.
pub(crate) fn seal(
    frame: &mut Frame,
    header: &Header,
    src: std::net::IpAddr,
    dst: std::net::IpAddr,
    payload: septet_core::checksum::Sum,
) {
    let len = header.wire_len();
    let payload_len = frame.len();
    let bytes = frame.push(len);
    header.write(bytes);
    let sum = pseudo_header(src, dst, PROTOCOL, len + payload_len).bytes(bytes).word(!payload.finish());
    bytes[16..18].copy_from_slice(&sum.finish().to_be_bytes());
    debug_assert!(len >= HEADER_LEN);
    frame.checksums = Checksums::Good;
}
