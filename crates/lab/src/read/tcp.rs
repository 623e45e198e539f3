//! TCP as a lab file sets it: a controller's name, or a table of options, each one line here.

use core::time::Duration;

use septet_language::document::{Table, Text, Value};
use septet_language::schema::{Key, Kind, Phrase};
use septet_language::words::{Word, Wrong};
use septet_transport::tcp::{Config, EcnMode, Keepalive, MtuProbing, Nagle, TwReuse, controller};

use crate::read::keys;

/// An option: its key, and what its value does to the defaults of a host.
struct TcpOption {
    key: Key,
    apply: fn(&mut Config, &Table, &str),
}

const fn option(name: &'static str, kind: Kind, doc: &'static str, apply: fn(&mut Config, &Table, &str)) -> TcpOption {
    TcpOption { key: Key::new(name, kind, doc), apply }
}

macro_rules! set {
    ($read:ident, $($field:tt)+) => {
        |config, table, key| {
            if let Some(value) = table.$read(key) {
                config.$($field)+ = value;
            }
        }
    };
    ($read:ident as $type:ty, $($field:tt)+) => {
        |config, table, key| {
            if let Some(value) = table.$read(key).and_then(|v| <$type>::try_from(v).ok()) {
                config.$($field)+ = value;
            }
        }
    };
}

/// A retransmission timeout below a millisecond would be a storm, not a timeout.
const TIMEOUT: Kind = Kind::Span(Duration::from_millis(1));

const OPTIONS: &[TcpOption] = &[
    option("congestion", Kind::Choice(keys::controllers), "the congestion controller", |config, table, key| {
        if let Some(text) = table.text(key) {
            set_congestion(config, &text.text);
        }
    }),
    option(
        "send_buffer",
        Kind::Size,
        "the bound on bytes not yet acknowledged (it grows by itself)",
        |config, table, key| {
            config.options.send_buffer = table.size(key).and_then(|b| usize::try_from(b.0).ok());
        },
    ),
    option(
        "receive_buffer",
        Kind::Size,
        "the bound on bytes not yet read (it grows by itself)",
        |config, table, key| {
            config.options.receive_buffer = table.size(key).and_then(|b| usize::try_from(b.0).ok());
        },
    ),
    option("nodelay", Kind::Switch, "whether short segments are sent at once (false)", |config, table, key| {
        if let Some(nodelay) = table.switch(key) {
            config.options.nagle = if nodelay { Nagle::Off } else { Nagle::On };
        }
    }),
    option("max_segment", Kind::Count(48, 65_495), "a bound on the segment size", |config, table, key| {
        config.options.max_segment = table.count(key).and_then(|n| u16::try_from(n).ok());
    }),
    option("user_timeout", TIMEOUT, "give up when data stays unacknowledged for this long", |config, table, key| {
        config.options.user_timeout = table.time(key);
    }),
    option(
        "initial_window",
        Kind::Count(1, 1000),
        "the initial congestion window in segments (10)",
        set!(count as u32, initial_window),
    ),
    option("timestamps", Kind::Switch, "RFC 7323's timestamps (true)", set!(switch, timestamps)),
    option("sack", Kind::Switch, "RFC 2018's selective acknowledgments (true)", set!(switch, sack)),
    option("dsack", Kind::Switch, "RFC 2883's duplicate SACKs (true)", set!(switch, dsack)),
    option("window_scaling", Kind::Switch, "RFC 7323's window scale (true)", set!(switch, window_scaling)),
    option("ecn", Kind::Choice(|| &["off", "active", "passive"]), "RFC 3168's ECN (passive)", |config, table, key| {
        config.ecn = match table.text(key).map(|t| t.text.as_str()) {
            Some("off") => EcnMode::Off,
            Some("active") => EcnMode::Active,
            _ => EcnMode::Passive,
        };
    }),
    option("rack", Kind::Switch, "RFC 8985's loss detection (true)", set!(switch, rack)),
    option("tail_loss_probe", Kind::Switch, "RFC 8985's tail loss probes (true)", set!(switch, tail_loss_probe)),
    option("frto", Kind::Switch, "RFC 5682's F-RTO (true)", set!(switch, frto)),
    option(
        "pacing",
        Kind::Switch,
        "whether segments are spaced out, as under Linux's fq (false)",
        set!(switch, pacing),
    ),
    option("reassembly", Kind::Switch, "whether out-of-order segments are kept (true)", set!(switch, reassembly)),
    option(
        "slow_start_after_idle",
        Kind::Switch,
        "whether the window restarts after idleness (true)",
        set!(switch, slow_start_after_idle),
    ),
    option(
        "moderate_receive_buffer",
        Kind::Switch,
        "whether the receive buffer grows (true)",
        set!(switch, moderate_rcvbuf),
    ),
    option("rto_min", TIMEOUT, "the shortest retransmission timeout (200ms)", set!(time, rto_min)),
    option("rto_max", TIMEOUT, "the longest retransmission timeout (120s)", set!(time, rto_max)),
    option("rto_initial", TIMEOUT, "the retransmission timeout before an RTT is known (1s)", set!(time, rto_initial)),
    option("delayed_ack_min", Kind::Time, "the shortest delay of an ACK (40ms)", set!(time, delayed_ack_min)),
    option("delayed_ack_max", Kind::Time, "the longest delay of an ACK (200ms)", set!(time, delayed_ack_max)),
    option("time_wait", Kind::Time, "how long TIME-WAIT lasts (60s)", set!(time, time_wait)),
    option("fin_timeout", Kind::Time, "how long an orphan stays in FIN-WAIT-2 (60s)", set!(time, fin_timeout)),
    option(
        "syn_retries",
        Kind::Count(0, 127),
        "how many times a SYN is sent again (6)",
        set!(count as u8, syn_retries),
    ),
    option(
        "retries",
        Kind::Count(0, 127),
        "time-outs before a connection is given up (15)",
        set!(count as u8, retries2),
    ),
    option("keepalive", Kind::Time, "probe a peer that has been silent for so long (never)", |config, table, key| {
        let idle = table.time(key).filter(|idle| !idle.is_zero());
        config.options.keepalive = idle.map(|idle| Keepalive { idle: Some(idle), ..Keepalive::default() });
    }),
    option("keepalive_interval", Kind::Time, "the time between these probes (75s)", set!(time, keepalive_interval)),
    option(
        "keepalive_probes",
        Kind::Count(1, 127),
        "how many of them go unanswered before the connection is given up (9)",
        set!(count as u8, keepalive_probes),
    ),
    option(
        "port_range",
        Kind::Phrase(&PORT_RANGE),
        "the ports of connections that ask for none (32768..60999)",
        |config, table, key| {
            if let Some(Ok(range)) = table.text(key).map(ports) {
                config.port_range = range;
            }
        },
    ),
    option(
        "tw_reuse",
        Kind::Choice(|| &["off", "on", "loopback"]),
        "whether a connection may take over a port from TIME-WAIT after a second; by default not towards other hosts (loopback)",
        |config, table, key| {
            config.tw_reuse = match table.text(key).map(|t| t.text.as_str()) {
                Some("off") => TwReuse::Off,
                Some("on") => TwReuse::On,
                _ => TwReuse::Loopback,
            };
        },
    ),
    option(
        "abort_on_overflow",
        Kind::Switch,
        "whether a connection that finds the accept queue full is reset (false)",
        set!(switch, abort_on_overflow),
    ),
    option(
        "syncookies",
        Kind::Switch,
        "RFC 4987's SYN cookies when the queue is full (true)",
        set!(switch, syncookies),
    ),
    option("pmtu_discovery", Kind::Switch, "path MTU discovery (true)", set!(switch, pmtu_discovery)),
    option(
        "mtu_probing",
        Kind::Choice(|| &["off", "on-black-hole", "always"]),
        "RFC 4821's packetization-layer path MTU discovery (off)",
        |config, table, key| {
            config.mtu_probing = match table.text(key).map(|t| t.text.as_str()) {
                Some("on-black-hole") => MtuProbing::OnBlackHole,
                Some("always") => MtuProbing::Always,
                _ => MtuProbing::Off,
            };
        },
    ),
];

static PORT_RANGE: Phrase =
    Phrase { what: "a range of ports", example: "32768..60999", check: |_, text| ports(text).map(|_| ()) };

/// `32768..60999`
fn ports(text: &Text) -> Result<(u16, u16), Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let parsed =
        whole.split_once("..").and_then(|(first, last)| Some((first.text.parse().ok()?, last.text.parse().ok()?)));
    match parsed {
        Some((first, last)) if first > 0 && first <= last => Ok((first, last)),
        _ => Err(Wrong::new("port", whole.range(), format!("`{}` is no range of ports", text.text))
            .help("the first and the last: `32768..60999`".to_owned())),
    }
}

/// The keys of a table of TCP options.
pub(crate) const KEYS: &[Key] = &{
    let mut keys = [OPTIONS[0].key; OPTIONS.len()];
    let mut i = 0;
    while i < keys.len() {
        keys[i] = OPTIONS[i].key;
        i += 1;
    }
    keys
};

/// The defaults of a host's TCP: `base`, and what the key `tcp` of `table` says otherwise.
pub(crate) fn read(table: &Table, base: &Config) -> Config {
    let mut config = base.clone();
    match table.get("tcp").map(|item| &item.value) {
        Some(Value::Text(text)) => set_congestion(&mut config, &text.text),
        Some(Value::Table(tcp)) => {
            for TcpOption { key, apply } in OPTIONS {
                if tcp.get(key.name).is_some() {
                    apply(&mut config, tcp, key.name);
                }
            }
        }
        _ => {}
    }
    config
}

fn set_congestion(config: &mut Config, name: &str) {
    if let Some(controller) = controller(name) {
        config.congestion_control = controller.name();
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use crate::Lab;

    #[test]
    fn the_host_goes_before_the_lab() {
        let lab = Lab::parse(
            "lab.toml",
            r#"
            [lab]
            tcp = { sack = false, rto_min = "1s" }
            [topology]
            links = ["a -- b"]
            [host.a]
            tcp = { congestion = "reno", ecn = "active", sack = true, send_buffer = "64kb", initial_window = 4 }
            [host.b]
            "#,
        )
        .unwrap();
        let (a, b) = (&lab.nodes[0].spec.tcp, &lab.nodes[1].spec.tcp);
        assert_eq!((a.sack, a.rto_min, a.congestion_control), (true, Duration::from_secs(1), "reno"));
        assert_eq!((a.options.send_buffer, a.initial_window), (Some(65_536), 4));
        assert_eq!((b.sack, b.rto_min, b.initial_window), (false, Duration::from_secs(1), 10));
    }
}
