//! What `ss -ti` shows: Linux's `struct tcp_info`, field by field.

use super::State;

/// The congestion state machine: `tcpi_ca_state`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum CaState {
    /// Nothing is wrong.
    #[default]
    Open = 0,
    /// Duplicate ACKs or SACKs were seen.
    Disorder = 1,
    /// The window is being reduced because of ECN or a local congestion.
    Cwr = 2,
    /// Fast recovery.
    Recovery = 3,
    /// The retransmission timer expired.
    Loss = 4,
}

/// What a congestion controller tells of itself: Linux's `union tcp_cc_info`, by its names and units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names and meanings are those of include/uapi/linux/inet_diag.h")]
pub enum CcInfo {
    /// Nothing that others would not know.
    #[default]
    Plain,
    /// `struct tcp_dctcp_info`
    Dctcp {
        /// In 1024ths.
        dctcp_alpha: u32,
        /// Bytes marked, and all, of this window.
        dctcp_ab_ecn: u64,
        dctcp_ab_tot: u64,
    },
    /// `struct tcp_bbr_info`
    Bbr {
        /// Bytes a second.
        bbr_bw: u64,
        /// Microseconds; all ones before it is known.
        bbr_min_rtt: u32,
        /// In 256ths, as the next.
        bbr_pacing_gain: u32,
        bbr_cwnd_gain: u32,
    },
}

/// Linux's `struct tcp_info`; times are microseconds, windows segments, where Linux has them so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names and meanings are those of include/uapi/linux/tcp.h")]
pub struct Info {
    pub tcpi_state: State,
    pub tcpi_ca_state: CaState,
    pub tcpi_retransmits: u8,
    pub tcpi_probes: u8,
    pub tcpi_backoff: u8,
    /// Bits: 1 timestamps, 2 SACK, 4 window scale, 8 ECN, 16 ECN seen.
    pub tcpi_options: u8,
    pub tcpi_snd_wscale: u8,
    pub tcpi_rcv_wscale: u8,
    pub tcpi_delivery_rate_app_limited: bool,
    pub tcpi_rto: u32,
    pub tcpi_ato: u32,
    pub tcpi_snd_mss: u32,
    pub tcpi_rcv_mss: u32,
    pub tcpi_unacked: u32,
    pub tcpi_sacked: u32,
    pub tcpi_lost: u32,
    pub tcpi_retrans: u32,
    pub tcpi_fackets: u32,
    /// Milliseconds, as the next three.
    pub tcpi_last_data_sent: u32,
    pub tcpi_last_ack_sent: u32,
    pub tcpi_last_data_recv: u32,
    pub tcpi_last_ack_recv: u32,
    pub tcpi_pmtu: u32,
    pub tcpi_rcv_ssthresh: u32,
    pub tcpi_rtt: u32,
    pub tcpi_rttvar: u32,
    pub tcpi_snd_ssthresh: u32,
    pub tcpi_snd_cwnd: u32,
    pub tcpi_advmss: u32,
    pub tcpi_reordering: u32,
    pub tcpi_rcv_rtt: u32,
    pub tcpi_rcv_space: u32,
    pub tcpi_total_retrans: u32,
    pub tcpi_pacing_rate: u64,
    pub tcpi_max_pacing_rate: u64,
    pub tcpi_bytes_acked: u64,
    pub tcpi_bytes_received: u64,
    pub tcpi_segs_out: u32,
    pub tcpi_segs_in: u32,
    pub tcpi_notsent_bytes: u32,
    pub tcpi_min_rtt: u32,
    pub tcpi_data_segs_in: u32,
    pub tcpi_data_segs_out: u32,
    pub tcpi_delivery_rate: u64,
    pub tcpi_busy_time: u64,
    pub tcpi_rwnd_limited: u64,
    pub tcpi_sndbuf_limited: u64,
    pub tcpi_delivered: u32,
    pub tcpi_delivered_ce: u32,
    pub tcpi_bytes_sent: u64,
    pub tcpi_bytes_retrans: u64,
    pub tcpi_dsack_dups: u32,
    pub tcpi_reord_seen: u32,
    pub tcpi_rcv_ooopack: u32,
    pub tcpi_snd_wnd: u32,
    pub tcpi_rcv_wnd: u32,
    pub tcpi_rehash: u32,
    pub tcpi_total_rto: u16,
    pub tcpi_total_rto_recoveries: u16,
    pub tcpi_total_rto_time: u32,
    /// The congestion controller, and what it tells of itself.
    pub congestion: &'static str,
    pub cc: CcInfo,
    /// The window in bytes, which `tcpi_snd_cwnd` rounds to segments.
    pub cwnd_bytes: u64,
    /// The slow start threshold in bytes, once there is one.
    pub ssthresh_bytes: Option<u64>,
    /// How often a congestion signal was answered: fast recoveries, ECN episodes, time-outs.
    pub reductions: u32,
    /// Bytes sent and neither acknowledged nor held to be lost.
    pub flight_bytes: u64,
    /// What the peer's window was last, in bytes, and how much of the send buffer is used.
    pub send_queue: u64,
    /// Bytes received in order and not yet read.
    pub receive_queue: u64,
}
