//! Linux's `tcp_get_info`.

use septet_core::Instant;

use super::{Chrono, Connection, receive_window, rfc3168_ecn};
use crate::tcp::{Info, Window};

impl Connection {
    pub(crate) fn info(&self, now: Instant) -> Info {
        let ms_since = |at: Instant| (now - at).as_millis().min(u128::from(u32::MAX)) as u32;
        let c = &self.counters;
        let mss = u64::from(self.mss.max(1));
        let running = (now.as_millis() as u32).wrapping_sub(c.chrono_start_ms);
        let (mut busy, mut rwnd, mut sndbuf) = (c.busy_ms, c.rwnd_limited_ms, c.sndbuf_limited_ms);
        match c.chrono {
            Chrono::Idle => {}
            Chrono::Busy => busy += running,
            Chrono::WindowLimited => (busy, rwnd) = (busy + running, rwnd + running),
            Chrono::BufferLimited => (busy, sndbuf) = (busy + running, sndbuf + running),
        }
        let options = u8::from(self.ts.ok)
            | u8::from(self.flags.sack_ok) << 1
            | u8::from(self.flags.wscale_ok) << 2
            | u8::from(self.ecn_flags & rfc3168_ecn::OK != 0) << 3
            | u8::from(self.ecn_flags & rfc3168_ecn::SEEN != 0) << 4;
        let rate = &self.rate;
        let segments = |bytes: u64| (bytes / mss).min(u64::from(u32::MAX)) as u32;
        Info {
            tcpi_state: self.state,
            tcpi_ca_state: self.ca_state,
            tcpi_retransmits: self.rtt.retransmits,
            tcpi_probes: self.probes_out,
            tcpi_backoff: self.rtt.backoff,
            tcpi_options: options,
            tcpi_snd_wscale: self.snd_wscale,
            tcpi_rcv_wscale: self.rcv_wscale,
            tcpi_delivery_rate_app_limited: rate.sample_app_limited,
            tcpi_rto: self.rtt.rto_ms.saturating_mul(1000),
            tcpi_ato: u32::from(self.acks.ato_ms) * 1000,
            tcpi_snd_mss: self.mss,
            tcpi_rcv_mss: u32::from(self.acks.rcv_mss),
            tcpi_unacked: self.sent.out.segs,
            tcpi_sacked: self.sent.sacked.segs,
            tcpi_lost: self.sent.lost.segs,
            tcpi_retrans: self.sent.retrans.segs,
            tcpi_fackets: 0,
            tcpi_last_data_sent: ms_since(self.lsndtime),
            tcpi_last_ack_sent: 0,
            tcpi_last_data_recv: ms_since(self.lrcvtime),
            tcpi_last_ack_recv: ms_since(self.rcv_tstamp),
            tcpi_pmtu: self.pmtu,
            tcpi_rcv_ssthresh: self.rcv_ssthresh,
            tcpi_rtt: self.rtt.srtt_us >> 3,
            tcpi_rttvar: self.rtt.mdev_us >> 2,
            // Linux's TCP_INFINITE_SSTHRESH.
            tcpi_snd_ssthresh: match self.window.ssthresh {
                Window::INFINITE => 0x7fff_ffff,
                bytes => segments(bytes),
            },
            tcpi_snd_cwnd: self.window.segments(),
            tcpi_advmss: u32::from(self.advmss),
            tcpi_reordering: self.reordering,
            tcpi_rcv_rtt: self.tuning.rtt_us >> 3,
            tcpi_rcv_space: self.tuning.space,
            tcpi_total_retrans: c.total_retrans,
            tcpi_pacing_rate: self.pacing_rate,
            tcpi_max_pacing_rate: self.rare.as_ref().and_then(|r| r.max_pacing_rate).unwrap_or(u64::MAX),
            tcpi_bytes_acked: (self.snd_una - self.iss).saturating_sub(u64::from(self.flags.passive)),
            tcpi_bytes_received: self.rcv_nxt.saturating_sub(self.irs + 1),
            tcpi_segs_out: c.segs_out,
            tcpi_segs_in: c.segs_in,
            tcpi_notsent_bytes: self.unsent().min(u64::from(u32::MAX)) as u32,
            tcpi_min_rtt: self.rtt.min_us(),
            tcpi_data_segs_in: c.data_segs_in,
            tcpi_data_segs_out: c.data_segs_out,
            tcpi_delivery_rate: match rate.sample_us {
                0 => 0,
                us => rate.sample_bytes.saturating_mul(1_000_000) / u64::from(us),
            },
            tcpi_busy_time: u64::from(busy) * 1000,
            tcpi_rwnd_limited: u64::from(rwnd) * 1000,
            tcpi_sndbuf_limited: u64::from(sndbuf) * 1000,
            tcpi_delivered: rate.delivered_segs,
            tcpi_delivered_ce: rate.delivered_ce,
            tcpi_bytes_sent: self.snd_nxt.min(self.send.end()).saturating_sub(self.iss + 1) + c.bytes_retrans,
            tcpi_bytes_retrans: c.bytes_retrans,
            tcpi_dsack_dups: c.dsack_dups,
            tcpi_reord_seen: self.reord_seen,
            tcpi_rcv_ooopack: c.ooo_packets,
            tcpi_snd_wnd: self.snd_wnd,
            tcpi_rcv_wnd: self.advertised_window().min(receive_window::window_from_space(u32::MAX)),
            tcpi_rehash: 0,
            tcpi_total_rto: c.total_rto,
            tcpi_total_rto_recoveries: c.total_rto_recoveries,
            tcpi_total_rto_time: c.rto_time_ms,
            congestion: self.controller.name(),
            cc: self.controller.info(),
            cwnd_bytes: self.window.cwnd,
            ssthresh_bytes: (self.window.ssthresh != Window::INFINITE).then_some(self.window.ssthresh),
            reductions: c.reductions,
            flight_bytes: self.sent.in_flight(),
            send_queue: self.send.end() - self.snd_una.max(self.iss + 1).min(self.send.end()),
            receive_queue: self.received.readable() as u64,
        }
    }
}
