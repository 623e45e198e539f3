//! `struct tcp_info` as octets and by name.

use septet_transport::tcp::Info;

/// The fields of `struct tcp_info` in the kernel's order (include/uapi/linux/tcp.h), each with its size.
fn fields(info: &Info) -> Vec<(&'static str, u64, Size)> {
    use Size::{Eight, Four, One, Two};
    macro_rules! fields {
        ($($name:ident $size:ident),* $(,)?) => { vec![$((stringify!($name), info.$name as u64, $size)),*] };
    }
    let mut all = fields![
        tcpi_state One, tcpi_ca_state One, tcpi_retransmits One, tcpi_probes One, tcpi_backoff One, tcpi_options One,
    ];
    all.push(("", u64::from(info.tcpi_rcv_wscale & 15) << 4 | u64::from(info.tcpi_snd_wscale & 15), One));
    all.push(("", u64::from(info.tcpi_delivery_rate_app_limited), One));
    all.extend(fields![
        tcpi_rto Four, tcpi_ato Four, tcpi_snd_mss Four, tcpi_rcv_mss Four,
        tcpi_unacked Four, tcpi_sacked Four, tcpi_lost Four, tcpi_retrans Four, tcpi_fackets Four,
        tcpi_last_data_sent Four, tcpi_last_ack_sent Four, tcpi_last_data_recv Four, tcpi_last_ack_recv Four,
        tcpi_pmtu Four, tcpi_rcv_ssthresh Four, tcpi_rtt Four, tcpi_rttvar Four, tcpi_snd_ssthresh Four,
        tcpi_snd_cwnd Four, tcpi_advmss Four, tcpi_reordering Four, tcpi_rcv_rtt Four, tcpi_rcv_space Four,
        tcpi_total_retrans Four, tcpi_pacing_rate Eight, tcpi_max_pacing_rate Eight, tcpi_bytes_acked Eight,
        tcpi_bytes_received Eight, tcpi_segs_out Four, tcpi_segs_in Four, tcpi_notsent_bytes Four, tcpi_min_rtt Four,
        tcpi_data_segs_in Four, tcpi_data_segs_out Four, tcpi_delivery_rate Eight, tcpi_busy_time Eight,
        tcpi_rwnd_limited Eight, tcpi_sndbuf_limited Eight, tcpi_delivered Four, tcpi_delivered_ce Four,
        tcpi_bytes_sent Eight, tcpi_bytes_retrans Eight, tcpi_dsack_dups Four, tcpi_reord_seen Four,
        tcpi_rcv_ooopack Four, tcpi_snd_wnd Four, tcpi_rcv_wnd Four, tcpi_rehash Four, tcpi_total_rto Two,
        tcpi_total_rto_recoveries Two, tcpi_total_rto_time Four,
    ]);
    all
}

#[derive(Clone, Copy)]
enum Size {
    One = 1,
    Two = 2,
    Four = 4,
    Eight = 8,
}

/// The structure as the kernel would write it on a little-endian machine.
pub fn octets(info: &Info) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    for (_, value, size) in fields(info) {
        out.extend(&value.to_le_bytes()[..size as usize]);
    }
    out
}

/// The fields by name, as scripts ask for them.
pub fn values(info: &Info) -> Vec<(&'static str, u64)> {
    let mut out: Vec<_> =
        fields(info).into_iter().filter(|(name, ..)| !name.is_empty()).map(|(n, v, _)| (n, v)).collect();
    out.push(("tcpi_snd_wscale", info.tcpi_snd_wscale.into()));
    out.push(("tcpi_rcv_wscale", info.tcpi_rcv_wscale.into()));
    out.push(("tcpi_delivery_rate_app_limited", info.tcpi_delivery_rate_app_limited.into()));
    out
}
