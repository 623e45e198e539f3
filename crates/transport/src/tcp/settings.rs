//! What may be set on a whole TCP: the one table of its settings, by their names under `net.ipv4` and in lab files.

use core::time::Duration;

use super::form::{Field, Form, Unit, Value};
use super::{Config, controller};

/// A line of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name below `net.ipv4.`; `None` where Linux has none.
    pub sysctl: Option<&'static str>,
    /// Its key in a lab file, and what the key means; `None` where it has none.
    pub key: Option<(&'static str, &'static str)>,
    /// How its value is written.
    pub form: Form,
    set: fn(&mut Config, Value) -> Option<()>,
}

impl Setting {
    /// Sets it; `None` where the value is none of its.
    #[must_use = "a value may be refused"]
    pub fn set(&self, config: &mut Config, value: Value) -> Option<()> {
        if self.form.takes(value) { (self.set)(config, value) } else { None }
    }
}

fn assign<T: Field>(field: &mut T, value: Value) -> Option<()> {
    *field = T::from_value(value)?;
    Some(())
}

/// `set!(rto_min)`: the setting is this field.
macro_rules! set {
    ($($field:tt)+) => {
        |config, value| assign(&mut config.$($field)+, value)
    };
}

const fn sysctl(name: &'static str, form: Form, set: fn(&mut Config, Value) -> Option<()>) -> Setting {
    Setting { sysctl: Some(name), key: None, form, set }
}

const fn ours(key: &'static str, doc: &'static str, form: Form, set: fn(&mut Config, Value) -> Option<()>) -> Setting {
    Setting { sysctl: None, key: Some((key, doc)), form, set }
}

impl Setting {
    const fn key(self, key: &'static str, doc: &'static str) -> Self {
        Self { key: Some((key, doc)), ..self }
    }
}

const ANY: Form = Form::Number(0, u32::MAX as u64);
const OCTET: Form = Form::Number(0, u8::MAX as u64);
const COUNT: Form = Form::Number(0, 127);
const PLACE: Form = Form::Number(0, usize::MAX as u64);
/// A retransmission timeout below a millisecond would be a storm, not a timeout.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

/// Words, by the kernel's number of each.
const ECN: Form = Form::Words(|| words(&["off", "active", "passive"]));
const MTU_PROBING: Form = Form::Words(|| words(&["off", "on-black-hole", "always"]));
const TW_REUSE: Form = Form::Words(|| words(&["off", "on", "loopback"]));

fn words(words: &[&'static str]) -> Vec<(&'static str, Value)> {
    words.iter().zip(0..).map(|(word, number)| (*word, Value::Number(number))).collect()
}

const fn span(unit: Unit) -> Form {
    Form::span(unit, Duration::ZERO, u64::MAX)
}

const fn timeout(unit: Unit) -> Form {
    Form::span(unit, LEAST_TIMEOUT, u64::MAX)
}

/// All settings, each once.
pub const SETTINGS: &[Setting] = &[
    sysctl("ip_local_port_range", Form::Ports, set!(port_range))
        .key("port_range", "the ports of connections that ask for none (32768..60999)"),
    sysctl("ip_no_pmtu_disc", Form::Number(0, 3), |config, value| {
        config.pmtu_discovery = value == Value::Number(0);
        Some(())
    }),
    ours("pmtu_discovery", "path MTU discovery (true)", Form::Switch, set!(pmtu_discovery)),
    sysctl("tcp_abort_on_overflow", Form::Switch, set!(abort_on_overflow))
        .key("abort_on_overflow", "whether a connection that finds the accept queue full is reset (false)"),
    sysctl("tcp_base_mss", ANY, set!(base_mss)),
    sysctl("tcp_challenge_ack_limit", ANY, |config, value| {
        config.challenge_ack_limit = Some(u32::from_value(value)?).filter(|n| *n < i32::MAX as u32);
        Some(())
    }),
    sysctl("tcp_comp_sack_delay_ns", span(Unit::Nanos), set!(comp_sack_delay)),
    sysctl("tcp_comp_sack_nr", OCTET, set!(comp_sack_nr)),
    sysctl("tcp_congestion_control", Form::Controller, |config, value| {
        let Value::Controller(name) = value else { return None };
        config.congestion_control = controller(name.as_str())?.name();
        Some(())
    })
    .key("congestion", "the congestion controller"),
    sysctl("tcp_dsack", Form::Switch, set!(dsack)).key("dsack", "RFC 2883's duplicate SACKs (true)"),
    // Linux since 3.10: 0 switches the probe off, 3 and 4 are the values that ask for it.
    sysctl("tcp_early_retrans", ANY, |config, value| {
        config.tail_loss_probe = u32::from_value(value)? >= 3;
        Some(())
    }),
    ours("tail_loss_probe", "RFC 8985's tail loss probes (true)", Form::Switch, set!(tail_loss_probe)),
    sysctl("tcp_ecn", ECN, set!(ecn)).key("ecn", "RFC 3168's ECN (passive)"),
    sysctl("tcp_fin_timeout", span(Unit::Seconds), set!(fin_timeout))
        .key("fin_timeout", "how long an orphan stays in FIN-WAIT-2 (60s)"),
    sysctl("tcp_frto", Form::Switch, set!(frto)).key("frto", "RFC 5682's F-RTO (true)"),
    sysctl("tcp_invalid_ratelimit", span(Unit::Millis), set!(invalid_ratelimit)),
    sysctl("tcp_keepalive_intvl", span(Unit::Seconds), set!(keepalive_interval))
        .key("keepalive_interval", "the time between these probes (75s)"),
    sysctl("tcp_keepalive_probes", Form::Number(1, 127), set!(keepalive_probes))
        .key("keepalive_probes", "how many of them go unanswered before the connection is given up (9)"),
    sysctl("tcp_keepalive_time", span(Unit::Seconds), set!(keepalive_time)),
    sysctl("tcp_max_reordering", ANY, set!(max_reordering)),
    sysctl("tcp_max_syn_backlog", PLACE, set!(max_syn_backlog)),
    sysctl("tcp_max_tw_buckets", PLACE, set!(max_tw_buckets)),
    sysctl("tcp_min_snd_mss", ANY, set!(min_snd_mss)),
    sysctl("tcp_min_tso_segs", ANY, set!(min_tso_segs)),
    sysctl("tcp_moderate_rcvbuf", Form::Switch, set!(moderate_rcvbuf))
        .key("moderate_receive_buffer", "whether the receive buffer grows (true)"),
    sysctl("tcp_mtu_probe_floor", ANY, set!(mtu_probe_floor)),
    sysctl("tcp_mtu_probing", MTU_PROBING, set!(mtu_probing))
        .key("mtu_probing", "RFC 4821's packetization-layer path MTU discovery (off)"),
    // The kernel's default is all ones: no mark at all.
    sysctl("tcp_notsent_lowat", ANY, |config, value| {
        config.options.notsent_lowat = Some(u32::from_value(value)?).filter(|n| *n < u32::MAX);
        Some(())
    }),
    sysctl("tcp_orphan_retries", OCTET, |config, value| {
        config.orphan_retries = Some(u8::from_value(value)?).filter(|n| *n > 0).unwrap_or(8);
        Some(())
    }),
    sysctl("tcp_pacing_ca_ratio", ANY, set!(pacing_ca_ratio)),
    sysctl("tcp_pacing_ss_ratio", ANY, set!(pacing_ss_ratio)),
    sysctl("tcp_pingpong_thresh", OCTET, set!(pingpong_thresh)),
    sysctl("tcp_recovery", ANY, |config, value| {
        config.rack = u32::from_value(value)? & 1 != 0;
        Some(())
    }),
    ours("rack", "RFC 8985's loss detection (true)", Form::Switch, set!(rack)),
    sysctl("tcp_reordering", ANY, set!(reordering)),
    sysctl("tcp_retries1", OCTET, set!(retries1)),
    sysctl("tcp_retries2", OCTET, set!(retries2)),
    ours("retries", "time-outs before a connection is given up (15)", COUNT, set!(retries2)),
    sysctl("tcp_rfc1337", Form::Switch, set!(rfc1337)),
    sysctl("tcp_rmem", Form::Sizes, set!(rmem)),
    sysctl("tcp_rto_max_ms", timeout(Unit::Millis), set!(rto_max))
        .key("rto_max", "the longest retransmission timeout (120s)"),
    sysctl("tcp_rto_min_us", Form::span(Unit::Micros, Duration::from_micros(1), u64::MAX), set!(rto_min)),
    ours("rto_min", "the shortest retransmission timeout (200ms)", timeout(Unit::Millis), set!(rto_min)),
    sysctl("tcp_sack", Form::Switch, set!(sack)).key("sack", "RFC 2018's selective acknowledgments (true)"),
    sysctl("tcp_slow_start_after_idle", Form::Switch, set!(slow_start_after_idle))
        .key("slow_start_after_idle", "whether the window restarts after idleness (true)"),
    sysctl("tcp_syn_linear_timeouts", OCTET, set!(syn_linear_timeouts)),
    sysctl("tcp_syn_retries", COUNT, set!(syn_retries)).key("syn_retries", "how many times a SYN is sent again (6)"),
    sysctl("tcp_synack_retries", OCTET, set!(synack_retries)),
    sysctl("tcp_syncookies", Form::Switch, set!(syncookies))
        .key("syncookies", "RFC 4987's SYN cookies when the queue is full (true)"),
    sysctl("tcp_timestamps", Form::Switch, set!(timestamps)).key("timestamps", "RFC 7323's timestamps (true)"),
    sysctl("tcp_tso_rtt_log", ANY, set!(tso_rtt_log)),
    sysctl("tcp_tso_win_divisor", ANY, set!(tso_win_divisor)),
    sysctl("tcp_tw_reuse", TW_REUSE, set!(tw_reuse)).key(
        "tw_reuse",
        "whether a connection may take over a port from TIME-WAIT after a second; by default not towards other hosts (loopback)",
    ),
    sysctl("tcp_tw_reuse_delay", span(Unit::Millis), set!(tw_reuse_delay)),
    sysctl("tcp_window_scaling", Form::Switch, set!(window_scaling))
        .key("window_scaling", "RFC 7323's window scale (true)"),
    sysctl("tcp_wmem", Form::Sizes, set!(wmem)),
    ours(
        "initial_window",
        "the initial congestion window in segments (10)",
        Form::Number(1, 1000),
        set!(initial_window),
    ),
    ours("pacing", "whether segments are spaced out, as under Linux's fq (false)", Form::Switch, set!(pacing)),
    ours("reassembly", "whether out-of-order segments are kept (true)", Form::Switch, set!(reassembly)),
    ours(
        "rto_initial",
        "the retransmission timeout before an RTT is known (1s)",
        timeout(Unit::Millis),
        set!(rto_initial),
    ),
    ours("delayed_ack_min", "the shortest delay of an ACK (40ms)", span(Unit::Millis), set!(delayed_ack_min)),
    ours("delayed_ack_max", "the longest delay of an ACK (200ms)", span(Unit::Millis), set!(delayed_ack_max)),
    ours("time_wait", "how long TIME-WAIT lasts (60s)", span(Unit::Seconds), set!(time_wait)),
];

/// The names that [`set_sysctl`] knows, below `net.ipv4.`.
pub fn sysctls() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter_map(|setting| setting.sysctl)
}

/// Sets one default of `config` as `sysctl(8)` does. `name` is the part behind `net.ipv4.`.
///
/// # Errors
/// A name that is not known, or a value that it does not take.
pub fn set_sysctl(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let setting = SETTINGS.iter().find(|setting| setting.sysctl == Some(name));
    let setting = setting.ok_or_else(|| format!("net.ipv4.{name} is not known here"))?;
    let known = setting.form.parse(value).and_then(|value| setting.set(config, value));
    known.ok_or_else(|| format!("`{}` is no value for {name}", value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::{EcnMode, MtuProbing, TwReuse};

    #[test]
    fn every_name_that_is_listed_is_known() {
        for name in sysctls() {
            let mut config = Config::linux();
            let known = ["1", "reno", "1 2", "1 2 3"].iter().any(|value| set_sysctl(&mut config, name, value).is_ok());
            assert!(known, "{name}");
            assert!(set_sysctl(&mut config, name, "x").is_err(), "{name}");
        }
        assert!(set_sysctl(&mut Config::linux(), "tcp_unheard_of", "1").is_err());
    }

    #[test]
    fn numbers_are_in_the_units_of_the_kernel_and_words_in_its_order() {
        let mut config = Config::linux();
        for (name, value) in [
            ("tcp_ecn", "1"),
            ("tcp_mtu_probing", "1"),
            ("tcp_tw_reuse", "2"),
            ("tcp_rto_min_us", "5000"),
            ("tcp_rto_max_ms", "0"),
            ("tcp_comp_sack_delay_ns", "7"),
            ("tcp_fin_timeout", "30"),
            ("tcp_rmem", "4096 131072 6291456"),
            ("ip_local_port_range", "1024\t2048"),
            ("ip_no_pmtu_disc", "1"),
            ("tcp_early_retrans", "0"),
        ] {
            set_sysctl(&mut config, name, value).unwrap();
        }
        assert_eq!(
            (config.ecn, config.mtu_probing, config.tw_reuse),
            (EcnMode::Active, MtuProbing::OnBlackHole, TwReuse::Loopback)
        );
        assert_eq!((config.rto_min, config.rto_max), (Duration::from_millis(5), Duration::from_millis(1)));
        assert_eq!((config.comp_sack_delay, config.fin_timeout), (Duration::from_nanos(7), Duration::from_secs(30)));
        assert_eq!((config.rmem, config.port_range), ([4096, 131_072, 6_291_456], (1024, 2048)));
        assert_eq!((config.pmtu_discovery, config.tail_loss_probe), (false, false));
        for (name, value) in [("tcp_ecn", "3"), ("tcp_rmem", "1 2"), ("ip_local_port_range", "9 8"), ("tcp_sack", "")] {
            assert!(set_sysctl(&mut config, name, value).is_err(), "{name}={value}");
        }
    }
}
