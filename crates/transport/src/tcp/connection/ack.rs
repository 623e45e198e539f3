//! ESTABLISHED and later: "fifth, check the ACK field" (RFC 9293 §3.10.7.4), with Linux's accounting around it.

use core::time::Duration;

use septet_core::{Instant, Storey};

use super::{Connection, Cx, Segment, Waiting};
use crate::tcp::CaState;
use crate::tcp::buffer::Mark;
use crate::tcp::congestion::Ack;
use crate::tcp::recovery::{AckFlags, Gathering, Resend, micros};
use crate::tcp::wire::Flags;

/// What became of an ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acked {
    /// It is in order, or merely old.
    Good,
    /// Older than anything in the peer's memory, or of something never sent.
    Unacceptable,
}

/// What cleaning the records of an ACK found.
#[derive(Default)]
struct Cleaned {
    segs: u32,
    first_sent: Option<Instant>,
    last_sent: Option<Instant>,
    /// The lowest sequence number that was never sent again, of those newly acknowledged.
    reord: u64,
    una_advance: u64,
}

impl Connection {
    pub(crate) fn segment_window(&self, seg: &Segment) -> u32 {
        let shift = if seg.flags().has(Flags::SYN) { 0 } else { self.snd_wscale };
        u32::from(seg.header.window) << shift
    }

    /// RFC 9293: "If SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)", with Linux's care for old ACKs.
    pub(crate) fn would_update_window(&self, seg: &Segment) -> bool {
        let window = self.segment_window(seg);
        seg.ack > self.snd_una
            || seg.seq > self.snd_wl1
            || (seg.seq == self.snd_wl1 && (window > self.snd_wnd || window == 0))
    }

    /// Takes in the ACK field.
    pub(crate) fn on_ack(&mut self, cx: &mut Cx<'_>, seg: &Segment) -> Acked {
        let prior_una = self.snd_una;
        let ack = seg.ack;
        let mut flags = AckFlags { data: seg.len > 0, ..AckFlags::default() };
        let mut gathering = Gathering::default();
        let mut resend = Resend::Nothing;
        let prior_delivered = self.rate.delivered;
        let prior_lost = self.counters.lost;
        if ack < prior_una {
            // RFC 5961 §5.2: "((SND.UNA - MAX.SND.WND) <= SEG.ACK <= SND.NXT)".
            if ack + u64::from(self.max_window) < prior_una {
                return Acked::Unacceptable;
            }
            self.on_old_ack(cx, seg, prior_una, &mut flags, &mut gathering);
            return Acked::Good;
        }
        if ack > self.snd_nxt {
            return Acked::Unacceptable;
        }
        if ack > prior_una {
            flags.una_advanced = true;
            self.rtt.retransmits = 0;
        }
        let prior_fack = self.highest_sack();
        let prior_in_flight = self.sent.in_flight();
        self.update_ts_recent(cx, seg);
        flags.window_update = self.update_window(cx, seg);
        self.snd_una = ack;
        flags.ece = self.ecn_received_echo(seg);
        let mut tagged = None;
        let had_sacked = self.sent.sacked.segs;
        if !seg.header.options.sack.is_empty() && self.flags.sack_ok {
            tagged = Some(self.sack_tag(cx, seg, prior_una, &mut flags, &mut gathering));
        }
        self.soft_error = None;
        self.probes_out = 0;
        self.rcv_tstamp = cx.now;
        if self.sent.is_empty() {
            if flags.dsacking {
                self.count_duplicates(tagged.as_ref().map_or(0, |t| t.duplicates), &flags);
                self.alert(cx, prior_una, 0, &mut flags, &mut resend);
            }
            // Nothing is outstanding: the window may have opened or shut.
            self.on_window_probe_ack(cx);
            if self.recovery.tlp_high_seq != 0 {
                self.process_loss_probe_ack(cx, ack, &flags);
            }
            return Acked::Good;
        }
        let cleaned = self.clean_sent(cx, prior_una, &mut flags, &mut gathering);
        let (ca_rtt, rtt_updated) = self.take_rtt(cx, &cleaned, tagged.as_ref(), had_sacked, &mut flags);
        if flags.acked() {
            flags.set_timer = true;
            self.mtup_check(cx);
            if !self.flags.sack_ok {
                self.remove_reno_sack(cx, cleaned.segs, &flags);
                // Without SACK a retransmission among them proves nothing about the others.
                if flags.retrans_acked {
                    flags.orig_sack_acked = false;
                }
            } else if cleaned.reord < prior_fack {
                self.check_sack_reordering_against(cx, cleaned.reord, prior_fack);
            }
        } else if rtt_updated
            && let Some(t) = &tagged
            && let (Some(first), Some(head)) = (t.first_sent, self.sent.front())
            && first < head.sent_at
        {
            // The RTT was measured on a segment older than the head's last transmission: the timeout starts afresh.
            flags.set_timer = true;
        }
        if let Some(t) = &tagged {
            self.count_duplicates(t.duplicates, &flags);
        }
        let ack_info = Ack {
            now: cx.now,
            acked: 0,
            rtt: ca_rtt,
            srtt: self.rtt.srtt(),
            min_rtt: (self.rtt.min_us() != u32::MAX).then(|| Duration::from_micros(u64::from(self.rtt.min_us()))),
            snd_una: self.snd_una,
            snd_nxt: self.snd_nxt,
            in_flight: self.sent.in_flight(),
            una_advance: cleaned.una_advance,
            ece: flags.ece,
            is_paced: self.is_pacing(cx.config),
            burst_us: match self.pacing_rate {
                0 | u64::MAX => 0,
                rate => (u64::from(self.gso_max) * 4 * 1_000_000 / rate).min(1000),
            },
        };
        let old_cwnd = self.window.cwnd;
        self.controller.on_sample(&mut self.window, &Ack { acked: self.rate.delivered - prior_delivered, ..ack_info });
        self.rack_update_reo_wnd(gathering.has.then_some(gathering.prior_delivered));
        if self.recovery.tlp_high_seq != 0 {
            self.process_loss_probe_ack(cx, ack, &flags);
        }
        let dubious = !flags.not_duplicate()
            || flags.data_sacked
            || flags.ece
            || flags.dsacking
            || self.ca_state != CaState::Open;
        if dubious {
            let dup = if !flags.una_advanced && !flags.not_duplicate() && !flags.dsacking {
                u32::from(seg.segs.max(1))
            } else {
                0
            };
            flags.reneging = flags.una_advanced && self.sent.front().is_some_and(|r| r.is(Mark::SACKED));
            self.alert(cx, prior_una, dup, &mut flags, &mut resend);
        }
        if flags.set_timer && !self.schedule_loss_probe(cx, true) {
            self.rearm_rto(cx);
        }
        let delivered = self.rate.delivered - prior_delivered;
        let lost = u64::from(self.counters.lost.wrapping_sub(prior_lost)) * u64::from(self.mss);
        let mut sample = self.rate_generate(cx, &gathering, delivered, lost, prior_in_flight, ca_rtt);
        sample.is_ack_delayed = flags.maybe_delayed;
        self.control_congestion(
            cx,
            Ack { acked: delivered, in_flight: self.sent.in_flight(), ..ack_info },
            &sample,
            &flags,
        );
        if self.window.cwnd != old_cwnd && cx.trace.is_on() && !self.in_cwnd_reduction() {
            self.trace_growth(cx, old_cwnd);
        }
        match resend {
            Resend::Nothing => {}
            Resend::Lost => self.flags.retransmit_due = true,
            Resend::New => self.flags.retransmit_due = false,
        }
        if self.sent.is_empty() && self.sack.is_some() {
            self.sack = None;
        }
        Acked::Good
    }

    fn trace_growth(&mut self, cx: &mut Cx<'_>, old: u64) {
        let why = if self.window.cwnd < old || self.controller.is_in_control() {
            "congestion control"
        } else if old < self.window.ssthresh {
            "slow start"
        } else {
            "congestion avoidance"
        };
        self.trace_cwnd(cx, old, why);
    }

    fn count_duplicates(&mut self, segs: u32, flags: &AckFlags) {
        if segs > 0 {
            self.count_delivered(segs, u64::from(segs) * u64::from(self.mss), flags);
        }
    }

    /// An ACK from before: its SACK blocks may still be news.
    fn on_old_ack(
        &mut self,
        cx: &mut Cx<'_>,
        seg: &Segment,
        prior_una: u64,
        flags: &mut AckFlags,
        gathering: &mut Gathering,
    ) {
        if seg.header.options.sack.is_empty() || !self.flags.sack_ok || self.sent.is_empty() {
            return;
        }
        let mut resend = Resend::Nothing;
        let tagged = self.sack_tag(cx, seg, prior_una, flags, gathering);
        self.count_duplicates(tagged.duplicates, flags);
        self.alert(cx, prior_una, 0, flags, &mut resend);
        if resend == Resend::Lost {
            self.flags.retransmit_due = true;
        }
    }

    fn check_sack_reordering_against(&mut self, cx: &mut Cx<'_>, low: u64, prior_fack: u64) {
        // The highest SACK may have just been acknowledged: what it was before counts.
        let mss = u64::from(self.mss.max(1));
        let metric = prior_fack.max(self.highest_sack()) - low;
        if metric > u64::from(self.reordering) * mss {
            self.reordering = (metric.div_ceil(mss) as u32).min(cx.config.max_reordering);
        }
        self.reord_seen = self.reord_seen.saturating_add(1);
        cx.mib.sack_reorder += 1;
    }

    /// Takes off the records that are acknowledged.
    fn clean_sent(
        &mut self,
        cx: &mut Cx<'_>,
        prior_una: u64,
        flags: &mut AckFlags,
        gathering: &mut Gathering,
    ) -> Cleaned {
        let mut cleaned = Cleaned { reord: self.snd_nxt, ..Cleaned::default() };
        while let Some(record) = self.sent.front().copied() {
            if record.end() > self.snd_una {
                if record.seq < self.snd_una {
                    // Part of a segment: the rest is what may have to be sent again.
                    self.sent.trim_front(self.snd_una);
                    flags.data_acked = true;
                }
                break;
            }
            if record.is(Mark::EVER_RETRANS) {
                flags.retrans_acked = true;
            } else if !record.is(Mark::SACKED) {
                cleaned.last_sent = Some(record.sent_at);
                cleaned.first_sent.get_or_insert(record.sent_at);
                cleaned.reord = cleaned.reord.min(record.seq);
                if record.end() <= self.recovery.high_seq {
                    flags.orig_sack_acked = true;
                }
            }
            if !record.is(Mark::SACKED) && self.flags.sack_ok {
                self.count_delivered(1, record.span(), flags);
                if !self.is_spurious_retransmission(&record) {
                    self.rack_advance(cx, &record);
                }
            }
            Self::rate_delivered(&mut self.rate, gathering, &record);
            if record.is(Mark::SYN) {
                flags.syn_acked = true;
                self.forget_retrans_stamp();
            } else {
                flags.data_acked = true;
            }
            cleaned.segs += 1;
            self.sent.pop_front();
        }
        cleaned.una_advance = self.snd_una - prior_una;
        if flags.una_advanced {
            let data = self.snd_una.min(self.send.end());
            self.send.acknowledge(data);
            self.update_send_space(cx);
        }
        cleaned
    }

    /// The ACK came for the original, by its timestamp, and not for what was sent again.
    fn is_spurious_retransmission(&self, record: &super::super::buffer::Record) -> bool {
        record.is(Mark::EVER_RETRANS)
            && self.ts.seen
            && self.ts.echo != 0
            && (self.ts.echo.wrapping_sub(record.sent_at.as_millis() as u32) as i32) < 0
    }

    /// RFC 6298 §3 (Karn): "RTT samples MUST NOT be made using segments that were retransmitted".
    fn take_rtt(
        &mut self,
        cx: &mut Cx<'_>,
        cleaned: &Cleaned,
        tagged: Option<&crate::tcp::recovery::Tagged>,
        had_sacked: u32,
        flags: &mut AckFlags,
    ) -> (Option<Duration>, bool) {
        let mut rtt = None;
        let mut ca_rtt = None;
        if let (Some(first), Some(last)) = (cleaned.first_sent, cleaned.last_sent)
            && !flags.retrans_acked
        {
            rtt = Some(cx.now - first);
            ca_rtt = Some(cx.now - last);
            if cleaned.segs == 1
                && had_sacked == 0
                && self.sent.is_empty()
                && cleaned.una_advance < u64::from(self.mss)
                && !flags.data_sacked
            {
                // A lone short segment: the ACK may have waited for the delayed ACK timer.
                flags.maybe_delayed = true;
            }
        }
        if let Some(t) = tagged
            && let (Some(first), Some(last)) = (t.first_sent, t.last_sent)
        {
            rtt = rtt.or(Some(cx.now - first));
            ca_rtt = Some(cx.now - last);
        }
        if rtt.is_none() && flags.acked() {
            rtt = self.rtt_from_echo(cx.now);
            ca_rtt = ca_rtt.or(rtt);
        }
        let Some(rtt) = rtt else { return (ca_rtt, false) };
        let us = |d: Duration| micros(d).clamp(1, 1 << 30) as u32;
        let ca_us = us(ca_rtt.unwrap_or(rtt));
        if !(flags.maybe_delayed && ca_us > self.rtt.min_us()) {
            self.rtt.sample_min(cx.ms(), ca_us);
        }
        self.rtt.sample(us(rtt), self.snd_una, self.snd_nxt, cx.config);
        self.rtt.set_rto(cx.config);
        self.rtt.backoff = 0;
        let (local, remote, srtt, rto, cause) =
            (self.local(), self.remote(), self.rtt.srtt(), self.rtt.rto(), self.cause);
        cx.trace.emit(Storey::Transport, "tcp.rtt", cause, |f| {
            f.set("local", local).set("remote", remote).set("rtt", rtt).set("srtt", srtt).set("rto", rto);
        });
        (ca_rtt, true)
    }

    /// Takes in the window field.
    pub(crate) fn update_window(&mut self, cx: &mut Cx<'_>, seg: &Segment) -> bool {
        if !self.would_update_window(seg) {
            return false;
        }
        let window = self.segment_window(seg);
        self.snd_wl1 = seg.seq;
        let old = core::mem::replace(&mut self.snd_wnd, window);
        if old != window {
            if self.has_unsent() {
                self.slow_start_after_idle(cx);
            }
            if window > self.max_window {
                self.max_window = window;
                let pmtu = self.pmtu;
                self.sync_mss(cx, pmtu);
            }
            if (old == 0) != (window == 0) {
                let (local, remote, cause) = (self.local(), self.remote(), self.cause);
                let why = if window == 0 { "the peer's window is closed" } else { "the peer's window opens" };
                self.cause = cx.trace.emit(Storey::Transport, "tcp.window", cause, |f| {
                    f.set("local", local).set("remote", remote).set("peer_window", window).set("why", why);
                });
            }
        }
        true
    }

    /// With nothing in flight an ACK decides whether the persist timer runs.
    fn on_window_probe_ack(&mut self, cx: &mut Cx<'_>) {
        if !self.has_unsent() {
            return;
        }
        let fits =
            self.snd_nxt < self.wnd_end() && self.unsent().min(u64::from(self.mss)) <= self.wnd_end() - self.snd_nxt;
        if fits {
            self.rtt.backoff = 0;
            self.probes_since_clear();
            if self.timers.waiting() == Waiting::Persist {
                self.timers.clear(super::Slot::Transmit);
            }
        } else {
            let at = cx.now + self.persist_interval(cx);
            self.wait(cx, Waiting::Persist, at);
        }
    }

    /// The window after an ACK: the controller's own way, a reduction, or growth.
    fn control_congestion(&mut self, cx: &mut Cx<'_>, ack: Ack, sample: &crate::tcp::RateSample, flags: &AckFlags) {
        let state = self.ca_state;
        if !self.controller.control(&mut self.window, &ack, sample, state) {
            if self.in_cwnd_reduction() {
                self.cwnd_reduction(cx, sample.acked_sacked, sample.losses, flags.una_advanced);
            } else {
                // With a path known to reorder, SACK counts as progress too.
                let may = if self.reordering > cx.config.reordering { flags.progress() } else { flags.data_acked };
                if may {
                    self.controller.on_ack(&mut self.window, &ack);
                    self.window.stamp = cx.now;
                }
            }
        }
        if self.controller.is_probing_rtt() {
            self.rate_is_limited();
        }
        self.update_pacing_rate(cx);
    }

    /// Linux's `tcp_update_pacing_rate`: a window a round trip, with room to grow.
    pub(crate) fn update_pacing_rate(&mut self, cx: &Cx<'_>) {
        if let Some(rate) = self.controller.pacing_rate() {
            self.tuning_pacing(rate);
            return;
        }
        let ratio = if self.window.cwnd < self.window.ssthresh / 2 && self.window.ssthresh != 0 {
            cx.config.pacing_ss_ratio
        } else {
            cx.config.pacing_ca_ratio
        };
        if self.rtt.srtt_us == 0 {
            return;
        }
        let window = self.window.cwnd.max(self.sent.out.bytes);
        // Wide numbers only where it would overflow.
        let rate = match window.checked_mul(u64::from(ratio) * 8_000_000) {
            Some(scaled) => scaled / 100 / u64::from(self.rtt.srtt_us),
            None => {
                let scaled = u128::from(window) * u128::from(ratio) * 8_000_000;
                (scaled / 100 / u128::from(self.rtt.srtt_us)).min(u128::from(u64::MAX)) as u64
            }
        };
        self.tuning_pacing(rate);
    }

    fn tuning_pacing(&mut self, rate: u64) {
        let most = self.rare.as_ref().and_then(|r| r.max_pacing_rate).unwrap_or(u64::MAX);
        self.pacing_rate = rate.min(most);
    }
}
