//! Opening: SYN-SENT and SYN-RECEIVED (RFC 9293 §3.10.7.3), simultaneous open included.

use std::net::SocketAddr;

use septet_core::{EventId, Frame, Instant};

use super::ack::Acked;
use super::input::Verdict;
use super::{Clock, Connection, Cx, Ends, Marks, Rare, Segment, Timers, Tuning, receive_window, rfc3168_ecn};
use crate::tcp::buffer::{Lazy, Mark, Record, SendBuffer};
use crate::tcp::congestion::{Window, controller};
use crate::tcp::recovery::{Rate, Rtt};
use crate::tcp::wire::{Flags, HeaderOptions};
use crate::tcp::{CaState, Config, EcnMode, Options, State};

/// What a listener has learnt of a peer by the time its third segment comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) iss: u32,
    pub(crate) irs: u32,
    /// The options of the peer's SYN, as far as they were granted.
    pub(crate) options: HeaderOptions,
    pub(crate) ecn: bool,
    pub(crate) rcv_wnd: u32,
    pub(crate) rcv_wscale: u8,
    /// The listener's: `IP_TOS`.
    pub(crate) traffic_class: u8,
    pub(crate) mtu: u32,
    pub(crate) ts_offset: u32,
    pub(crate) ts_recent: u32,
    /// When the SYN-ACK first left; nothing for a cookie.
    pub(crate) synack_sent: Option<Instant>,
    /// How often it was sent again, and how often because of a timeout.
    pub(crate) synack_retrans: u8,
    pub(crate) synack_timeouts: u8,
}

/// The high half of the first sequence number: room below for what is old.
const EPOCH: u64 = 1 << 32;

impl Connection {
    /// A connection about to send its SYN.
    pub(crate) fn connect(
        config: &Config,
        local: SocketAddr,
        remote: SocketAddr,
        iss: u32,
        ts_offset: u32,
        mtu: u32,
        options: &Options,
    ) -> Box<Self> {
        let mut c = Self::blank(config, local, remote, iss, mtu, options);
        c.state = State::SynSent;
        c.ts.offset = ts_offset;
        c.flags.syn_due = true;
        let (wnd, scale) =
            receive_window::initial(config, c.rcv_buf, u32::from(c.advmss), c.window_clamp, config.window_scaling);
        (c.rcv_wnd, c.rcv_wscale, c.rcv_ssthresh) = (wnd, scale, wnd);
        c
    }

    /// A connection whose handshake a listener has led so far; the third segment is to be received next.
    pub(crate) fn accept(
        config: &Config,
        local: SocketAddr,
        remote: SocketAddr,
        opening: &Opening,
        options: &Options,
    ) -> Box<Self> {
        let mut c = Self::blank(config, local, remote, opening.iss, opening.mtu, options);
        c.state = State::SynReceived;
        c.flags.passive = true;
        c.ts.offset = opening.ts_offset;
        c.snd_nxt = c.iss + 1;
        c.snd_una = c.iss;
        if let Some(at) = opening.synack_sent
            && opening.synack_retrans == 0
        {
            let mut record = Record::new(c.iss, 0, Mark::SYN | Mark::HEAD, at);
            c.rate_sent(at, &mut record);
            c.sent.push(record);
        } else {
            // A cookie, or a SYN-ACK sent twice: nothing to measure.
            c.sent.push(Record::new(c.iss, 0, Mark::SYN | Mark::HEAD | Mark::EVER_RETRANS, Instant::ZERO));
        }
        if opening.synack_timeouts > 0 {
            c.recovery.undo_marker = c.iss;
            c.recovery.retrans_stamp = opening.synack_sent.map_or(0, |at| at.as_millis().max(1) as u32);
        }
        c.counters.total_retrans = u32::from(opening.synack_retrans);
        c.take_peer_syn(opening.irs, &opening.options, opening.ts_recent);
        (c.rcv_wnd, c.rcv_ssthresh) = (opening.rcv_wnd, opening.rcv_wnd);
        c.rcv_wscale = if c.flags.wscale_ok { opening.rcv_wscale } else { 0 };
        if opening.ecn {
            c.ecn_flags = rfc3168_ecn::OK;
        }
        c
    }

    fn blank(
        config: &Config,
        local: SocketAddr,
        remote: SocketAddr,
        iss: u32,
        mtu: u32,
        options: &Options,
    ) -> Box<Self> {
        let iss = EPOCH + u64::from(iss);
        let name = options.congestion.as_ref().map_or(config.congestion_control, |name| name.as_str());
        let controller = controller(name).or_else(|| controller("reno")).expect("reno is in the table");
        let ip = if local.is_ipv4() { 20 } else { 40 };
        let mut advmss = mtu.saturating_sub(ip + 20).clamp(48, 65_495) as u16;
        if let Some(most) = options.max_segment {
            advmss = advmss.min(most);
        }
        let rcv_buf =
            options.receive_buffer.map_or(config.rmem[1], |n| n.saturating_mul(2).max(2304)).min(1 << 30) as u32;
        let snd_buf = options.send_buffer.map_or(config.wmem[1], |n| n.saturating_mul(2).max(4608)).min(1 << 30) as u32;
        let rare = (*options != Options::default()).then(|| {
            Box::new(Rare {
                user_timeout_ms: options.user_timeout.map_or(0, |d| d.as_millis().min(1 << 31) as u32),
                keepalive: options.keepalive,
                keep_idle: options.keep_idle,
                keep_interval: options.keep_interval,
                keep_count: options.keep_count,
                receive_lowat: options.receive_lowat,
                linger2: options.linger2,
                syn_count: options.syn_count,
                max_segment: options.max_segment,
                notsent_lowat: options.notsent_lowat,
                max_pacing_rate: options.max_pacing_rate,
                defer_accept: options.defer_accept.is_some_and(|span| !span.is_zero()),
                traffic_class: options.traffic_class,
                link_mtu: mtu,
                ..Rare::default()
            })
        });
        let mss = u32::from(advmss).min(536);
        Box::new(Self {
            ends: Ends::new(local, remote),
            state: State::Closed,
            iss,
            snd_una: iss,
            snd_nxt: iss,
            snd_wl1: 0,
            pushed_seq: iss,
            snd_wnd: 0,
            max_window: 0,
            irs: EPOCH,
            rcv_nxt: EPOCH,
            rcv_wup: EPOCH,
            copied_seq: EPOCH,
            rcv_wnd: 0,
            window_clamp: receive_window::first_clamp(options, rcv_buf),
            rcv_ssthresh: 0,
            rcv_buf,
            snd_buf,
            mss,
            mss_clamp: 536,
            advmss,
            pmtu: mtu,
            gso_max: options.gso_max_size.unwrap_or(config.gso_max_size),
            send: SendBuffer::new(iss + 1),
            sent: Lazy::new(),
            received: Lazy::new(),
            window: Window::new(config.initial_window, mss),
            controller,
            rtt: Rtt::new(config),
            recovery: Lazy::new(),
            rack: Lazy::new(),
            ca_state: CaState::Open,
            reordering: config.reordering,
            reord_seen: 0,
            rate: Rate::default(),
            sack: None,
            timers: Timers::default(),
            acks: super::delayed_ack::AckState { rcv_mss: 536.min(advmss), ..Default::default() },
            tuning: Tuning::default(),
            ts: Clock { ok: false, ..Clock::default() },
            rare,
            lsndtime: Instant::ZERO,
            lrcvtime: Instant::ZERO,
            rcv_tstamp: Instant::ZERO,
            cause: EventId::NONE,
            counters: super::Counters::default(),
            ooo_last_challenge: Instant::ZERO,
            fin_beyond: 0,
            pacing_rate: u64::MAX,
            snd_wscale: 0,
            rcv_wscale: 0,
            probes_out: 0,
            ecn_flags: 0,
            nodelay: options.nodelay,
            cork: options.cork,
            flags: Marks {
                snd_buf_locked: options.send_buffer.is_some(),
                rcv_buf_locked: options.receive_buffer.is_some(),
                linger_reset: options.linger == crate::tcp::Linger::Reset,
                ..Marks::default()
            },
            error: None,
            soft_error: None,
        })
    }

    /// The options of our SYN, or of our SYN-ACK once the peer's are known.
    pub(crate) fn syn_options(&self, config: &Config, now_ms: u32) -> HeaderOptions {
        let answering = self.state == State::SynReceived;
        let ts = if answering { self.ts.ok } else { config.timestamps };
        HeaderOptions {
            mss: Some(self.advmss),
            wscale: (if answering { self.flags.wscale_ok } else { config.window_scaling }).then_some(self.rcv_wscale),
            sack_permitted: if answering { self.flags.sack_ok } else { config.sack },
            timestamps: ts.then(|| self.ts.stamp(now_ms)),
            ..HeaderOptions::default()
        }
    }

    fn take_peer_syn(&mut self, irs: u32, options: &HeaderOptions, ts_recent: u32) {
        self.irs = EPOCH + u64::from(irs);
        self.rcv_nxt = self.irs + 1;
        self.rcv_wup = self.rcv_nxt;
        self.copied_seq = self.rcv_nxt;
        self.snd_wl1 = self.irs;
        // RFC 9293 MUST-15: "If an MSS Option is not received at connection setup, TCP implementations MUST assume a default
        // send MSS of 536".
        self.mss_clamp = options.mss.unwrap_or(if self.ends.is_ipv4() { 536 } else { 1220 });
        self.flags.sack_ok = options.sack_permitted;
        self.flags.wscale_ok = options.wscale.is_some();
        self.snd_wscale = options.wscale.unwrap_or(0);
        if !self.flags.wscale_ok {
            self.rcv_wscale = 0;
            self.window_clamp = self.window_clamp.min(65_535);
            self.rcv_wnd = self.rcv_wnd.min(65_535);
        }
        self.ts.ok = options.timestamps.is_some();
        if self.ts.ok {
            self.ts.recent = ts_recent;
        }
    }

    /// RFC 9293 §3.10.7.3.
    pub(crate) fn in_syn_sent(&mut self, cx: &mut Cx<'_>, seg: &Segment, frame: Frame) -> Verdict {
        let flags = seg.flags();
        if flags.has(Flags::ACK) {
            // "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set …)".
            if seg.ack <= self.iss || seg.ack > self.snd_nxt {
                return reset_unless_reset(flags, "it acknowledges what was never sent");
            }
            // A timestamp that we never sent: not for this SYN.
            if self.ts.seen && self.ts.echo != 0 && cx.config.timestamps {
                let stamp = self.recovery.retrans_stamp;
                let first =
                    if stamp != 0 { stamp } else { self.sent.front().map_or(0, |r| r.sent_at.as_millis() as u32) };
                let past = (self.ts.echo.wrapping_sub(first) as i32) < 0;
                let future = (cx.ms().wrapping_sub(self.ts.echo) as i32) < 0;
                if past || future {
                    cx.mib.paws_active += 1;
                    return reset_unless_reset(flags, "it echoes a timestamp that was never sent");
                }
            }
            if flags.has(Flags::RST) {
                self.on_reset(cx);
                return Verdict::Done;
            }
        } else if flags.has(Flags::RST) {
            return Verdict::Done;
        }
        if !flags.has(Flags::SYN) {
            return Verdict::Done;
        }
        let granted = self.granted(cx.config, &seg.header.options);
        let scale = self.rcv_wscale;
        self.take_peer_syn(seg.header.seq, &granted, self.ts.value);
        self.rcv_wscale = if self.flags.wscale_ok { scale } else { 0 };
        if self.ts.ok {
            self.ts.recent_stamp = super::rfc7323_timestamps::seconds(cx.now);
        }
        self.snd_wnd = u32::from(seg.header.window);
        self.max_window = self.max_window.max(self.snd_wnd);
        if flags.has(Flags::ACK) {
            self.ecn_receive_synack(seg);
            self.window.mss = self.mss;
            self.undo_spurious_syn();
            let synced = Segment { seq: self.irs, ..*seg };
            if self.on_ack(cx, &synced) == Acked::Unacceptable {
                return Verdict::Done;
            }
            self.establish(cx, "SYN-ACK received");
            // The handshake's third segment leaves at once, or with the data for which it is held back.
            if self.rare.as_ref().is_some_and(|r| r.defer_accept) {
                self.hold_handshake_ack(cx);
            } else {
                self.acks.due = true;
            }
            // Data or FIN on the SYN-ACK is taken in like any other.
            if seg.len > 0 || flags.has(Flags::FIN) {
                let text = Segment { seq: self.rcv_nxt, ..synced };
                return self.receive_text(cx, &text, frame);
            }
            return Verdict::Done;
        }
        // "Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment": both ends opened at once.
        if cx.config.ecn != EcnMode::Off && flags.has(Flags::ECE | Flags::CWR) {
            self.ecn_flags = rfc3168_ecn::OK;
        } else {
            self.ecn_flags = 0;
        }
        let pmtu = self.pmtu;
        self.sync_mss(cx, pmtu);
        self.set_state(cx, State::SynReceived, "SYN received: simultaneous open");
        self.flags.syn_due = true;
        Verdict::Done
    }

    fn granted(&self, config: &Config, peer: &HeaderOptions) -> HeaderOptions {
        HeaderOptions {
            mss: peer.mss,
            wscale: peer.wscale.filter(|_| config.window_scaling),
            sack_permitted: peer.sack_permitted && config.sack,
            timestamps: peer.timestamps.filter(|_| config.timestamps),
            ..HeaderOptions::default()
        }
    }

    /// The third segment of the handshake, or the SYN-ACK of a simultaneous open.
    pub(crate) fn established_from_syn_received(&mut self, cx: &mut Cx<'_>, seg: &Segment) {
        let window = u32::from(seg.header.window) << if seg.flags().has(Flags::SYN) { 0 } else { self.snd_wscale };
        self.snd_wnd = window;
        self.max_window = self.max_window.max(window);
        self.undo_spurious_syn();
        // A SYN-ACK that was sent twice, or a cookie, is measured by the echo of its timestamp.
        self.on_ack(cx, seg);
        self.snd_wl1 = seg.seq;
        self.establish(cx, "the handshake is complete");
    }

    /// The echo of the first SYN's timestamp: sending it again was for nothing.
    fn undo_spurious_syn(&mut self) {
        let stamp = self.recovery.retrans_stamp;
        if self.recovery.undo_marker != 0 && stamp != 0 && self.ts.seen && self.ts.echo == stamp {
            self.recovery.undo_marker = 0;
        }
    }

    fn establish(&mut self, cx: &mut Cx<'_>, why: &'static str) {
        if self.ts.ok {
            self.advmss = self.advmss.saturating_sub(12);
        }
        self.rtt.retransmits = 0;
        self.rtt.backoff = 0;
        // RFC 6298 §5.7: "If the timer expires awaiting the ACK of a SYN segment and the TCP implementation is using an RTO less
        // than 3 seconds, the RTO MUST be re-initialized to 3 seconds": Linux goes on with what it measured.
        if self.rtt.srtt_us == 0 {
            self.rtt.rto_ms = cx.config.rto_initial.as_millis() as u32;
        }
        let pmtu = self.pmtu;
        self.window.mss = self.mss;
        self.sync_mss(cx, pmtu);
        self.mtup_init(cx);
        self.acks.rcv_mss = (u32::from(self.advmss).min(self.mss)).min(self.rcv_wnd / 2).clamp(88, 536) as u16;
        // RFC 5681 §3.1: "if the SYN or SYN/ACK is lost, the initial window used by a sender after a correctly transmitted SYN
        // MUST be one segment": Linux, whose first timeout is short, waits for a second one, and for no proof that it was
        // spurious.
        let is_lost = self.counters.total_retrans > 1 && core::mem::take(&mut self.recovery.undo_marker) != 0;
        let segments = if is_lost { 1 } else { cx.config.initial_window };
        self.window = Window { stamp: cx.now, ..Window::new(segments, self.mss) };
        self.controller.init(&mut self.window, cx.now, self.rtt.srtt());
        self.recovery.release();
        self.pushed_seq = self.snd_una;
        self.lsndtime = cx.now;
        self.lrcvtime = cx.now;
        self.rcv_tstamp = cx.now;
        self.tuning.time = cx.now;
        self.tuning.seq = self.copied_seq;
        self.window_clamp =
            receive_window::established_clamp(self.window_clamp, self.full_space(), u32::from(self.advmss));
        self.rcv_ssthresh = self.rcv_ssthresh.min(self.window_clamp);
        let first = cx.config.initial_window * u32::from(self.advmss);
        self.tuning.space = self.rcv_ssthresh.min(self.rcv_wnd).min(first);
        self.grow_send_buffer(cx);
        self.set_state(cx, State::Established, why);
        self.update_pacing_rate(cx);
        self.start_keepalive(cx);
        if self.flags.write_shut {
            self.queue_fin(cx);
        }
    }
}

/// What a listener offers to a peer: its own MSS, window and scale.
pub(crate) fn initial_window(
    config: &Config,
    options: &Options,
    local: SocketAddr,
    mtu: u32,
    peer: &HeaderOptions,
) -> (u16, u32, u8) {
    let ip = if local.is_ipv4() { 20 } else { 40 };
    let mut advmss = mtu.saturating_sub(ip + 20).clamp(48, 65_495) as u16;
    if let Some(most) = options.max_segment {
        advmss = advmss.min(most);
    }
    let rcv_buf = options.receive_buffer.map_or(config.rmem[1], |n| n.saturating_mul(2).max(2304)).min(1 << 30) as u32;
    let mss = u32::from(advmss) - if peer.timestamps.is_some() { 12 } else { 0 };
    let clamp = receive_window::first_clamp(options, rcv_buf);
    let (wnd, scale) = receive_window::initial(config, rcv_buf, mss, clamp, peer.wscale.is_some());
    (advmss, wnd, scale)
}

/// "send a reset (unless the RST bit is set, if so drop the segment and return)".
const fn reset_unless_reset(flags: Flags, why: &'static str) -> Verdict {
    if flags.has(Flags::RST) { Verdict::Done } else { Verdict::Reset(why) }
}
