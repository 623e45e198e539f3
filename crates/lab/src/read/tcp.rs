//! TCP as a lab file sets it: a controller's name, or a table of options, each one line here.

use core::time::Duration;
use std::sync::Arc;

use septet_language::document::Text;
use septet_language::schema::{
    AnyKey, AtLeast, Choice, Count, Either, Key, KeyType, OneOf, Phrase, Section, Size, Switch, Table, TableOf, Time,
};
use septet_language::words::{Word, Wrong};
use septet_transport::tcp::{Config, EcnMode, Keepalive, MtuProbing, Nagle, TwReuse, controller, controller_names};

/// The key `tcp`: a congestion controller, or a table of options.
pub(crate) static TCP: Key<OneOf<Choice<&'static str>, TableOf>> =
    Key::new("tcp", CONTROLLER_OR_TABLE, "the congestion controller, or a table of TCP options");

/// The same for every host of the lab.
pub(crate) static TCP_OF_ALL: Key<OneOf<Choice<&'static str>, TableOf>> =
    Key::new("tcp", CONTROLLER_OR_TABLE, "TCP of every host that says nothing else");

const CONTROLLER_OR_TABLE: OneOf<Choice<&'static str>, TableOf> = OneOf(CONTROLLER, TableOf(&TABLE));

const CONTROLLER: Choice<&'static str> = Choice(|| controller_names().map(|name| (name, name)).collect());

static TABLE: Section =
    Section::new("Options of TCP.", &[]).more(|| OPTIONS.iter().map(|option| option.key()).collect());

/// An option: its key, and what its value does to the defaults of a host.
struct TcpOption<T: KeyType> {
    key: Key<T>,
    set: fn(&mut Config, T::Value),
}

const fn option<T: KeyType>(
    name: &'static str,
    of: T,
    doc: &'static str,
    set: fn(&mut Config, T::Value),
) -> TcpOption<T> {
    TcpOption { key: Key::new(name, of, doc), set }
}

/// An option of any type.
trait AnyOption: Sync {
    fn key(&'static self) -> &'static dyn AnyKey;
    /// Sets it where the table has it.
    fn set(&self, config: &mut Config, table: &Table);
}

impl<T: KeyType> AnyOption for TcpOption<T> {
    fn key(&'static self) -> &'static dyn AnyKey {
        &self.key
    }

    fn set(&self, config: &mut Config, table: &Table) {
        if let Some(value) = table.get(&self.key) {
            (self.set)(config, value);
        }
    }
}

/// A retransmission timeout below a millisecond would be a storm, not a timeout.
const TIMEOUT: AtLeast = AtLeast(Duration::from_millis(1));

static OPTIONS: &[&dyn AnyOption] = &[
    &option("congestion", CONTROLLER, "the congestion controller", set_congestion),
    &option("send_buffer", Size, "the bound on bytes not yet acknowledged (it grows by itself)", |config, size| {
        config.options.send_buffer = usize::try_from(size.0).ok();
    }),
    &option("receive_buffer", Size, "the bound on bytes not yet read (it grows by itself)", |config, size| {
        config.options.receive_buffer = usize::try_from(size.0).ok();
    }),
    &option("nodelay", Switch, "whether short segments are sent at once (false)", |config, nodelay| {
        config.options.nagle = if nodelay { Nagle::Off } else { Nagle::On };
    }),
    &option("max_segment", Count(48, 65_495), "a bound on the segment size", |config, bytes| {
        config.options.max_segment = Some(bytes);
    }),
    &option("user_timeout", TIMEOUT, "give up when data stays unacknowledged for this long", |config, time| {
        config.options.user_timeout = Some(time);
    }),
    &option("initial_window", Count(1, 1000), "the initial congestion window in segments (10)", |config, value| {
        config.initial_window = value
    }),
    &option("timestamps", Switch, "RFC 7323's timestamps (true)", |config, value| config.timestamps = value),
    &option("sack", Switch, "RFC 2018's selective acknowledgments (true)", |config, value| config.sack = value),
    &option("dsack", Switch, "RFC 2883's duplicate SACKs (true)", |config, value| config.dsack = value),
    &option("window_scaling", Switch, "RFC 7323's window scale (true)", |config, value| config.window_scaling = value),
    &option("ecn", ECN, "RFC 3168's ECN (passive)", |config, mode| config.ecn = mode),
    &option("rack", Switch, "RFC 8985's loss detection (true)", |config, value| config.rack = value),
    &option("tail_loss_probe", Switch, "RFC 8985's tail loss probes (true)", |config, value| {
        config.tail_loss_probe = value
    }),
    &option("frto", Switch, "RFC 5682's F-RTO (true)", |config, value| config.frto = value),
    &option("pacing", Switch, "whether segments are spaced out, as under Linux's fq (false)", |config, value| {
        config.pacing = value
    }),
    &option("reassembly", Switch, "whether out-of-order segments are kept (true)", |config, value| {
        config.reassembly = value
    }),
    &option("slow_start_after_idle", Switch, "whether the window restarts after idleness (true)", |config, value| {
        config.slow_start_after_idle = value
    }),
    &option("moderate_receive_buffer", Switch, "whether the receive buffer grows (true)", |config, value| {
        config.moderate_rcvbuf = value
    }),
    &option("rto_min", TIMEOUT, "the shortest retransmission timeout (200ms)", |config, value| config.rto_min = value),
    &option("rto_max", TIMEOUT, "the longest retransmission timeout (120s)", |config, value| config.rto_max = value),
    &option("rto_initial", TIMEOUT, "the retransmission timeout before an RTT is known (1s)", |config, value| {
        config.rto_initial = value
    }),
    &option("delayed_ack_min", Time, "the shortest delay of an ACK (40ms)", |config, value| {
        config.delayed_ack_min = value
    }),
    &option("delayed_ack_max", Time, "the longest delay of an ACK (200ms)", |config, value| {
        config.delayed_ack_max = value
    }),
    &option("time_wait", Time, "how long TIME-WAIT lasts (60s)", |config, value| config.time_wait = value),
    &option("fin_timeout", Time, "how long an orphan stays in FIN-WAIT-2 (60s)", |config, value| {
        config.fin_timeout = value
    }),
    &option("syn_retries", Count(0, 127), "how many times a SYN is sent again (6)", |config, value| {
        config.syn_retries = value
    }),
    &option("retries", Count(0, 127), "time-outs before a connection is given up (15)", |config, value| {
        config.retries2 = value
    }),
    &option("keepalive", Time, "probe a peer that has been silent for so long (never)", |config, idle| {
        let idle = Some(idle).filter(|idle| !idle.is_zero());
        config.options.keepalive = idle.map(|idle| Keepalive { idle: Some(idle), ..Keepalive::default() });
    }),
    &option("keepalive_interval", Time, "the time between these probes (75s)", |config, value| {
        config.keepalive_interval = value
    }),
    &option(
        "keepalive_probes",
        Count(1, 127),
        "how many of them go unanswered before the connection is given up (9)",
        |config, value| config.keepalive_probes = value,
    ),
    &option("port_range", PORT_RANGE, "the ports of connections that ask for none (32768..60999)", |config, range| {
        config.port_range = range
    }),
    &option(
        "tw_reuse",
        TW_REUSE,
        "whether a connection may take over a port from TIME-WAIT after a second; by default not towards other hosts (loopback)",
        |config, reuse| config.tw_reuse = reuse,
    ),
    &option(
        "abort_on_overflow",
        Switch,
        "whether a connection that finds the accept queue full is reset (false)",
        |config, value| config.abort_on_overflow = value,
    ),
    &option("syncookies", Switch, "RFC 4987's SYN cookies when the queue is full (true)", |config, value| {
        config.syncookies = value
    }),
    &option("pmtu_discovery", Switch, "path MTU discovery (true)", |config, value| config.pmtu_discovery = value),
    &option(
        "mtu_probing",
        MTU_PROBING,
        "RFC 4821's packetization-layer path MTU discovery (off)",
        |config, probing| config.mtu_probing = probing,
    ),
];

const ECN: Choice<EcnMode> =
    Choice(|| vec![("off", EcnMode::Off), ("active", EcnMode::Active), ("passive", EcnMode::Passive)]);
const TW_REUSE: Choice<TwReuse> =
    Choice(|| vec![("off", TwReuse::Off), ("on", TwReuse::On), ("loopback", TwReuse::Loopback)]);
const MTU_PROBING: Choice<MtuProbing> = Choice(|| {
    vec![("off", MtuProbing::Off), ("on-black-hole", MtuProbing::OnBlackHole), ("always", MtuProbing::Always)]
});
const PORT_RANGE: Phrase<(u16, u16)> =
    Phrase { what: "a range of ports", example: "32768..60999", read: |_, text| ports(text) };

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

/// The defaults of a host's TCP: `base`, and what the key `tcp` of `table` says otherwise.
pub(crate) fn read(table: &Table, base: &Arc<Config>) -> Arc<Config> {
    table.get(&TCP).map_or_else(|| base.clone(), |said| with(base, said))
}

/// The defaults of all hosts: Linux's, and what the table `lab` says otherwise.
pub(crate) fn of_all(lab: &Table) -> Arc<Config> {
    let linux = Arc::new(Config::linux());
    lab.get(&TCP_OF_ALL).map_or_else(|| linux.clone(), |said| with(&linux, said))
}

fn with(base: &Config, said: Either<&'static str, Table>) -> Arc<Config> {
    let mut config = base.clone();
    match said {
        Either::This(name) => set_congestion(&mut config, name),
        Either::That(table) => OPTIONS.iter().for_each(|option| option.set(&mut config, &table)),
    }
    Arc::new(config)
}

fn set_congestion(config: &mut Config, name: &'static str) {
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
        let (a, b) = (&lab.nodes[0].spec.stack().unwrap().tcp, &lab.nodes[1].spec.stack().unwrap().tcp);
        assert_eq!((a.sack, a.rto_min, a.congestion_control), (true, Duration::from_secs(1), "reno"));
        assert_eq!((a.options.send_buffer, a.initial_window), (Some(65_536), 4));
        assert_eq!((b.sack, b.rto_min, b.initial_window), (false, Duration::from_secs(1), 10));
    }
}
