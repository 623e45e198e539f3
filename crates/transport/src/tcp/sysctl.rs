//! `net.ipv4.*` by name: a personality as `sysctl(8)` and the files under `/proc/sys` choose it.

use core::time::Duration;

use super::{Config, EcnMode, MtuProbing, TwReuse, controller_names};

/// The names that [`set`] knows, below `net.ipv4.`.
pub const NAMES: &[&str] = &[
    "ip_local_port_range",
    "ip_no_pmtu_disc",
    "tcp_abort_on_overflow",
    "tcp_base_mss",
    "tcp_challenge_ack_limit",
    "tcp_comp_sack_delay_ns",
    "tcp_comp_sack_nr",
    "tcp_congestion_control",
    "tcp_dsack",
    "tcp_early_retrans",
    "tcp_ecn",
    "tcp_fin_timeout",
    "tcp_frto",
    "tcp_invalid_ratelimit",
    "tcp_keepalive_intvl",
    "tcp_keepalive_probes",
    "tcp_keepalive_time",
    "tcp_max_reordering",
    "tcp_max_syn_backlog",
    "tcp_max_tw_buckets",
    "tcp_min_snd_mss",
    "tcp_min_tso_segs",
    "tcp_moderate_rcvbuf",
    "tcp_mtu_probe_floor",
    "tcp_mtu_probing",
    "tcp_notsent_lowat",
    "tcp_orphan_retries",
    "tcp_pacing_ca_ratio",
    "tcp_pacing_ss_ratio",
    "tcp_pingpong_thresh",
    "tcp_recovery",
    "tcp_reordering",
    "tcp_retries1",
    "tcp_retries2",
    "tcp_rfc1337",
    "tcp_rmem",
    "tcp_rto_max_ms",
    "tcp_rto_min_us",
    "tcp_sack",
    "tcp_slow_start_after_idle",
    "tcp_syn_linear_timeouts",
    "tcp_syn_retries",
    "tcp_synack_retries",
    "tcp_syncookies",
    "tcp_timestamps",
    "tcp_tso_rtt_log",
    "tcp_tso_win_divisor",
    "tcp_tw_reuse",
    "tcp_tw_reuse_delay",
    "tcp_window_scaling",
    "tcp_wmem",
];

/// Sets one default of `config`. `name` is the part behind `net.ipv4.`.
///
/// # Errors
/// A name that is not known, or a value that it does not take.
pub fn set(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let value = value.trim();
    let wrong = || format!("`{value}` is no value for {name}");
    let number = || value.parse::<u64>().map_err(|_| wrong());
    let small = || value.parse::<u32>().map_err(|_| wrong());
    let octet = || value.parse::<u8>().map_err(|_| wrong());
    let on = || value.parse::<i64>().map(|v| v != 0).map_err(|_| wrong());
    let seconds = || number().map(Duration::from_secs);
    match name {
        "ip_local_port_range" => {
            let [first, last] = numbers(value).ok_or_else(wrong)?;
            let port = |n: usize| u16::try_from(n).map_err(|_| wrong());
            config.port_range = (port(first)?, port(last)?);
        }
        "ip_no_pmtu_disc" => config.pmtu_discovery = !on()?,
        "tcp_abort_on_overflow" => config.abort_on_overflow = on()?,
        "tcp_base_mss" => config.base_mss = small()?,
        "tcp_challenge_ack_limit" => config.challenge_ack_limit = Some(small()?).filter(|n| *n < i32::MAX as u32),
        "tcp_comp_sack_delay_ns" => config.comp_sack_delay = Duration::from_nanos(number()?),
        "tcp_comp_sack_nr" => config.comp_sack_nr = octet()?,
        "tcp_congestion_control" => {
            let known = controller_names().find(|n| *n == value);
            config.congestion_control = known.ok_or_else(wrong)?;
        }
        "tcp_dsack" => config.dsack = on()?,
        // Linux since 3.10: 0 switches the probe off, 3 and 4 are the values that ask for it.
        "tcp_early_retrans" => config.tail_loss_probe = small()? >= 3,
        "tcp_ecn" => {
            config.ecn = match small()? {
                0 => EcnMode::Off,
                1 => EcnMode::Active,
                2 => EcnMode::Passive,
                _ => return Err(wrong()),
            }
        }
        "tcp_fin_timeout" => config.fin_timeout = seconds()?,
        "tcp_frto" => config.frto = on()?,
        "tcp_invalid_ratelimit" => config.invalid_ratelimit = Duration::from_millis(number()?),
        "tcp_keepalive_intvl" => config.keepalive_interval = seconds()?,
        "tcp_keepalive_probes" => config.keepalive_probes = octet()?,
        "tcp_keepalive_time" => config.keepalive_time = seconds()?,
        "tcp_max_reordering" => config.max_reordering = small()?,
        "tcp_max_syn_backlog" => config.max_syn_backlog = small()? as usize,
        "tcp_max_tw_buckets" => config.max_tw_buckets = small()? as usize,
        "tcp_min_snd_mss" => config.min_snd_mss = small()?,
        "tcp_min_tso_segs" => config.min_tso_segs = small()?,
        "tcp_moderate_rcvbuf" => config.moderate_rcvbuf = on()?,
        "tcp_mtu_probe_floor" => config.mtu_probe_floor = small()?,
        "tcp_mtu_probing" => {
            config.mtu_probing = match small()? {
                0 => MtuProbing::Off,
                1 => MtuProbing::OnBlackHole,
                2 => MtuProbing::Always,
                _ => return Err(wrong()),
            }
        }
        // The kernel's default is all ones: no mark at all.
        "tcp_notsent_lowat" => config.options.notsent_lowat = Some(small()?).filter(|n| *n < u32::MAX),
        "tcp_orphan_retries" => config.orphan_retries = Some(octet()?).filter(|n| *n > 0).unwrap_or(8),
        "tcp_pacing_ca_ratio" => config.pacing_ca_ratio = small()?,
        "tcp_pacing_ss_ratio" => config.pacing_ss_ratio = small()?,
        "tcp_pingpong_thresh" => config.pingpong_thresh = octet()?,
        "tcp_recovery" => config.rack = small()? & 1 != 0,
        "tcp_reordering" => config.reordering = small()?,
        "tcp_retries1" => config.retries1 = octet()?,
        "tcp_retries2" => config.retries2 = octet()?,
        "tcp_rfc1337" => config.rfc1337 = on()?,
        "tcp_rto_max_ms" => config.rto_max = Duration::from_millis(number()?.max(1)),
        "tcp_rto_min_us" => config.rto_min = Duration::from_micros(number()?.max(1)),
        "tcp_rmem" => config.rmem = numbers(value).ok_or_else(wrong)?,
        "tcp_sack" => config.sack = on()?,
        "tcp_slow_start_after_idle" => config.slow_start_after_idle = on()?,
        "tcp_syn_linear_timeouts" => config.syn_linear_timeouts = octet()?,
        "tcp_syn_retries" => config.syn_retries = octet()?,
        "tcp_synack_retries" => config.synack_retries = octet()?,
        "tcp_syncookies" => config.syncookies = on()?,
        "tcp_timestamps" => config.timestamps = on()?,
        "tcp_tso_rtt_log" => config.tso_rtt_log = small()?,
        "tcp_tso_win_divisor" => config.tso_win_divisor = small()?,
        "tcp_tw_reuse" => {
            config.tw_reuse = match small()? {
                0 => TwReuse::Off,
                1 => TwReuse::On,
                2 => TwReuse::Loopback,
                _ => return Err(wrong()),
            }
        }
        "tcp_tw_reuse_delay" => config.tw_reuse_delay = Duration::from_millis(number()?),
        "tcp_window_scaling" => config.window_scaling = on()?,
        "tcp_wmem" => config.wmem = numbers(value).ok_or_else(wrong)?,
        _ => return Err(format!("net.ipv4.{name} is not known here")),
    }
    Ok(())
}

/// Numbers between white space, exactly as many as asked for.
fn numbers<const N: usize>(value: &str) -> Option<[usize; N]> {
    let all: Option<Vec<usize>> = value.split_whitespace().map(|n| n.parse().ok()).collect();
    all?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_listed_is_known() {
        for name in NAMES {
            let mut config = Config::linux();
            let known = ["1", "reno", "1 2", "1 2 3"].iter().any(|value| set(&mut config, name, value).is_ok());
            assert!(known, "{name}");
            assert!(set(&mut config, name, "x").is_err(), "{name}");
        }
        assert!(set(&mut Config::linux(), "tcp_unheard_of", "1").is_err());
    }
}
