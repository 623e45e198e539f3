//! Path MTU: what ICMP says (RFC 1191, RFC 8201), believed only of segments in flight (RFC 5927), and probing without
//! ICMP (RFC 4821).

use septet_core::Storey;

use super::{Connection, Cx};
use crate::tcp::buffer::Mark;
use crate::tcp::{CaState, MtuProbing};

/// The search between what works and what may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probing {
    /// MTUs: the largest known to work, the smallest not known to work.
    pub(crate) low: u32,
    pub(crate) high: u32,
    /// The probe in flight: its MTU and where it lies.
    pub(crate) size: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// `TCP_MTU_TO_MSS` stops searching below this gap.
const PROBE_THRESHOLD: u32 = 8;

impl Connection {
    /// What a packet of `mtu` bytes carries, options off.
    pub(crate) fn mtu_to_mss(&self, mtu: u32) -> u32 {
        let tcp = 20 + if self.ts.ok { 12 } else { 0 };
        let clamp = u32::from(self.mss_clamp).saturating_sub(if self.ts.ok { 12 } else { 0 });
        mtu.saturating_sub(self.ip_header() + tcp).min(clamp)
    }

    fn mss_to_mtu(&self, mss: u32) -> u32 {
        mss + self.ip_header() + 20 + if self.ts.ok { 12 } else { 0 }
    }

    /// Sets the segment size from the path MTU.
    pub(crate) fn sync_mss(&mut self, cx: &Cx<'_>, pmtu: u32) {
        self.pmtu = pmtu;
        let mut mss = self.mtu_to_mss(pmtu);
        if let Some(probing) = self.rare.as_ref().and_then(|r| r.mtu) {
            mss = mss.min(self.mtu_to_mss(probing.low));
        }
        if let Some(most) = self.rare.as_ref().and_then(|r| r.max_segment) {
            mss = mss.min(u32::from(most));
        }
        // RFC 9293 §3.7.1: never more than half of the largest window the peer ever offered.
        if self.max_window > 536 {
            mss = mss.min(self.max_window.max(68 - 20) >> 1).max(1);
        }
        mss = mss.max(cx.config.min_snd_mss.min(536));
        let old = core::mem::replace(&mut self.mss, mss);
        if old != mss {
            // The window is kept in segments, as Linux does: a smaller segment does not open it.
            let segments = self.window.cwnd.checked_div(u64::from(old)).unwrap_or(0).max(1);
            if old != 0 {
                self.window.cwnd = segments * u64::from(mss);
            }
            self.window.mss = mss;
        }
    }

    /// ICMP says that a packet was too big.
    pub(crate) fn on_too_big(&mut self, cx: &mut Cx<'_>, mtu: u32) {
        // RFC 1191 §5: "a router that does not know … zero": fall to the next plateau.
        const PLATEAUS: [u32; 9] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1280, 1006, 552];
        let mtu = match mtu {
            0 => PLATEAUS.iter().copied().find(|p| *p < self.pmtu).unwrap_or(552),
            mtu => mtu,
        };
        let mtu = mtu.max(if self.ends.is_ipv4() { cx.config.min_pmtu } else { 1280 });
        if mtu >= self.pmtu {
            return;
        }
        let expires = cx.now + cx.config.pmtu_expires;
        let (local, remote, old) = (self.local(), self.remote(), self.pmtu);
        self.cause = cx.trace.emit(Storey::Transport, "tcp.pmtu", self.cause, |f| {
            f.set("local", local)
                .set("remote", remote)
                .set("mtu", mtu)
                .set("was", old)
                .set("why", "ICMP: packet too big");
        });
        let rare = self.rare();
        rare.pmtu_expires = Some(expires);
        if let Some(probing) = &mut rare.mtu {
            (probing.high, probing.low, probing.size) = (mtu, probing.low.min(mtu), 0);
        }
        let before = self.mss;
        self.sync_mss(cx, mtu);
        if self.mss < before {
            self.simple_retransmit(cx);
        }
    }

    /// Sends again what was too long: it is lost, but not to congestion.
    pub(crate) fn simple_retransmit(&mut self, cx: &mut Cx<'_>) {
        let mss = self.mss as usize;
        if !self.sent.iter().any(|r| r.len() > mss && !r.is(Mark::SACKED)) {
            return;
        }
        let long: Vec<(u64, u64)> =
            self.sent.iter().filter(|r| r.len() > mss && !r.is(Mark::SACKED)).map(|r| (r.seq, r.end())).collect();
        self.sent.resegment(mss);
        for i in 0..self.sent.len() {
            let seq = self.sent.at(i).seq;
            if long.iter().any(|(s, e)| *s <= seq && seq < *e) {
                self.sent.unmark(i, Mark::RETRANS);
                self.mark_lost(cx, i);
            }
        }
        if !self.flags.sack_ok {
            self.limit_reno_sack();
        }
        self.recovery.retransmit_hint = self.snd_una;
        if self.ca_state != CaState::Loss {
            self.recovery.high_seq = self.snd_nxt;
            self.window.ssthresh = self.window.current_ssthresh();
            self.recovery.prior_ssthresh = 0;
            self.recovery.undo_marker = 0;
            self.set_ca_state(cx, CaState::Loss);
            self.recovery.too_long = true;
        }
        self.flags.retransmit_due = true;
    }

    /// The path MTU from ICMP is forgotten after a time, so that a better path is found again.
    pub(crate) fn expire_pmtu(&mut self, cx: &Cx<'_>) {
        let Some(rare) = &mut self.rare else { return };
        if rare.pmtu_expires.is_some_and(|at| at <= cx.now) {
            rare.pmtu_expires = None;
            let link = rare.link_mtu;
            if link > self.pmtu {
                self.sync_mss(cx, link);
            }
        }
    }

    /// Starts probing where the configuration wants it always.
    pub(crate) fn mtup_init(&mut self, cx: &Cx<'_>) {
        if cx.config.mtu_probing == MtuProbing::Always {
            self.mtup_start(cx, cx.config.base_mss);
        }
    }

    fn mtup_start(&mut self, cx: &Cx<'_>, base_mss: u32) {
        let (low, high) =
            (self.mss_to_mtu(base_mss.min(self.mss)), self.mss_to_mtu(u32::from(self.mss_clamp)).min(self.pmtu));
        let pmtu = self.pmtu;
        self.rare().mtu = Some(Probing { low: low.min(high), high, size: 0, start: 0, end: 0 });
        self.sync_mss(cx, pmtu);
    }

    /// Repeated timeouts: the path may swallow large packets.
    pub(crate) fn mtup_black_hole(&mut self, cx: &mut Cx<'_>) {
        if cx.config.mtu_probing == MtuProbing::Off {
            return;
        }
        let pmtu = self.pmtu;
        match self.rare.as_ref().and_then(|r| r.mtu) {
            None => self.mtup_start(cx, cx.config.base_mss),
            Some(probing) => {
                let mss = (self.mtu_to_mss(probing.low) / 2)
                    .min(cx.config.base_mss)
                    .max(cx.config.mtu_probe_floor)
                    .max(cx.config.min_snd_mss);
                let low = self.mss_to_mtu(mss);
                if let Some(p) = &mut self.rare().mtu {
                    p.low = low;
                }
                self.sync_mss(cx, pmtu);
            }
        }
        self.sent.resegment(self.mss as usize);
        self.recovery.retransmit_hint = self.snd_una;
        let (local, remote, mss, cause) = (self.local(), self.remote(), self.mss, self.cause);
        cx.trace.emit(Storey::Transport, "tcp.pmtu", cause, |f| {
            f.set("local", local).set("remote", remote).set("mss", mss).set("why", "black hole suspected");
        });
    }

    /// RFC 4821 §7.2: the size of a probe that may be sent now, in bytes of payload.
    pub(crate) fn mtup_probe_size(&self) -> Option<usize> {
        let probing = self.rare.as_ref().and_then(|r| r.mtu)?;
        if probing.size != 0 || self.ca_state != CaState::Open || self.window.segments() < 11 {
            return None;
        }
        if self.sack.as_ref().is_some_and(|s| s.has_blocks()) || self.acks.reports_sack() {
            return None;
        }
        if probing.high.saturating_sub(probing.low) < PROBE_THRESHOLD {
            return None;
        }
        let size = self.mtu_to_mss((probing.high + probing.low) / 2);
        if size <= self.mss {
            return None;
        }
        // The probe and what shows its loss must both fit.
        let needed = u64::from(size) + 4 * u64::from(self.mss);
        if self.unsent() < needed
            || u64::from(self.snd_wnd) < needed
            || self.snd_nxt + needed > self.wnd_end()
            || self.sent.in_flight() + u64::from(size) > self.window.cwnd
        {
            return None;
        }
        Some(size as usize)
    }

    pub(crate) fn mtup_sent(&mut self, size: usize) {
        let (start, end) = (self.snd_nxt - size as u64, self.snd_nxt);
        let mtu = self.mss_to_mtu(size as u32);
        if let Some(p) = self.rare.as_mut().and_then(|r| r.mtu.as_mut()) {
            (p.size, p.start, p.end) = (mtu, start, end);
        }
    }

    /// Whether the probe in flight begins at SND.UNA: it is the one that is missing.
    pub(crate) fn mtup_is_probe_lost(&self) -> bool {
        self.rare.as_ref().and_then(|r| r.mtu).is_some_and(|p| p.size != 0 && p.start == self.snd_una)
    }

    pub(crate) fn mtup_has_probe(&self) -> bool {
        self.rare.as_ref().and_then(|r| r.mtu).is_some_and(|p| p.size != 0)
    }

    /// RFC 4821 §7.6.2: "the loss of a probe … MUST NOT be treated as congestion".
    pub(crate) fn mtup_failed(&mut self, cx: &mut Cx<'_>) {
        if let Some(p) = self.rare.as_mut().and_then(|r| r.mtu.as_mut()) {
            p.high = p.size - 1;
            p.size = 0;
            cx.mib.mtup_fail += 1;
        }
    }

    /// The probe was acknowledged: its size works.
    pub(crate) fn mtup_check(&mut self, cx: &mut Cx<'_>) {
        let pmtu = self.pmtu;
        let Some(p) = self.rare.as_mut().and_then(|r| r.mtu.as_mut()) else { return };
        if p.size == 0 || self.snd_una < p.end {
            return;
        }
        p.low = p.size;
        p.size = 0;
        cx.mib.mtup_success += 1;
        self.window.prior_cwnd = self.window.cwnd;
        self.sync_mss(cx, pmtu);
    }
}
