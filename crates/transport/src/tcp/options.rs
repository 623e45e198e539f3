//! What may be set on a socket: the one table of the options of TCP, from which all else that names them is derived.
//!
//! An option is a line of [`OPTIONS`]: its name and numbers in Linux, how its value is written, its key in a lab file. From
//! the line come the field of [`Options`] and of [`Chosen`] and the variant of [`SocketOption`]; by the table system calls find
//! it, the kernel's sockets are set, and lab files are read. What it means to a connection is in `Connection::set_option`.

use core::time::Duration;

use super::form::{Field, Form, Unit, Value};
use super::{Config, ControllerName, Error, controller};

/// `SOL_SOCKET`, `SOL_IP`, `SOL_TCP` and `SOL_IPV6`.
pub(crate) const SOCKET: i32 = 1;
const IP: i32 = 0;
const TCP: i32 = 6;
const IPV6: i32 = 41;

/// A line of the table of options.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Linux's name.
    pub name: &'static str,
    /// Level and number of `setsockopt(2)`.
    pub numbers: (i32, i32),
    /// The same for a socket of IPv6, where they are others.
    pub numbers_v6: (i32, i32),
    /// How its value is written.
    pub form: Form,
    /// Its key in a lab file, and what the key means; `None` where it has none.
    pub key: Option<(&'static str, &'static str)>,
    /// What it is where nobody sets it, as `getsockopt(2)` tells it.
    pub default: fn(&Config) -> Value,
    make: fn(Value) -> Option<SocketOption>,
    get: fn(&Options) -> Option<Value>,
}

impl Row {
    const fn new(
        name: &'static str,
        numbers: (i32, i32),
        form: Form,
        default: fn(&Config) -> Value,
        make: fn(Value) -> Option<SocketOption>,
        get: fn(&Options) -> Option<Value>,
    ) -> Self {
        Self { name, numbers, numbers_v6: numbers, form, key: None, default, make, get }
    }

    const fn key(self, key: &'static str, doc: &'static str) -> Self {
        Self { key: Some((key, doc)), ..self }
    }

    const fn v6(self, numbers_v6: (i32, i32)) -> Self {
        Self { numbers_v6, ..self }
    }

    /// The option with this value.
    ///
    /// # Errors
    /// `InvalidInput` where it does not take it, `NoSuchController`.
    pub fn option(&self, value: Value) -> Result<SocketOption, Error> {
        let option = (self.make)(value).ok_or(Error::InvalidInput)?;
        option.check()?;
        Ok(option)
    }

    /// Sets it in `options`.
    ///
    /// # Errors
    /// As [`option`](Self::option).
    pub fn set(&self, options: &mut Options, value: Value) -> Result<(), Error> {
        options.set(self.option(value)?)
    }

    /// What `options` say of it; `None` where they leave it to the default.
    pub fn get(&self, options: &Options) -> Option<Value> {
        (self.get)(options)
    }
}

/// The option with these numbers of `setsockopt(2)`.
pub fn option_at(level: i32, number: i32) -> Option<&'static Row> {
    OPTIONS.iter().find(|row| [row.numbers, row.numbers_v6].contains(&(level, number)))
}

macro_rules! options {
    ($(
        $(#[$doc:meta])*
        $name:literal $numbers:expr, $variant:ident($inner:ty) => $field:ident: $kept:ty, $form:expr, $default:expr
        $(, .$more:ident $arguments:tt)*;
    )*) => {
        /// What a socket starts with; accepted connections inherit their listener's.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct Options {
            $($(#[$doc])* pub $field: $kept,)*
            /// The largest super-segment that the path takes; `None` for the endpoint's.
            pub gso_max_size: Option<u32>,
        }

        /// What a program chooses of a socket's options. `None` leaves the host's default.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct Chosen {
            $($(#[$doc])* pub $field: Option<$inner>,)*
        }

        /// One option with its value.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub enum SocketOption {
            $($(#[$doc])* $variant($inner),)*
            /// `TCP_QUICKACK`: nothing that a socket keeps.
            Quickack(Quickack),
        }

        /// All options, each once.
        pub const OPTIONS: &[Row] = &[$(
            Row::new(
                $name,
                $numbers,
                $form,
                $default,
                |value| <$inner as Field>::from_value(value).map(SocketOption::$variant),
                |options| Option::<$inner>::from(options.$field).map(Field::into_value),
            )$(.$more $arguments)*,
        )*];

        impl SocketOption {
            /// Linux's name.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Quickack(_) => "TCP_QUICKACK",
                }
            }

            /// Its value, in the form of its line of the table.
            pub fn value(&self) -> Value {
                match *self {
                    $(Self::$variant(value) => value.into_value(),)*
                    Self::Quickack(quickack) => Value::Switch(quickack == Quickack::On),
                }
            }
        }

        impl Options {
            /// Changes what later sockets start with.
            ///
            /// # Errors
            /// `InvalidInput`, `NoSuchController`.
            pub fn set(&mut self, option: SocketOption) -> Result<(), Error> {
                option.check()?;
                match option {
                    $(SocketOption::$variant(value) => self.$field = value.into(),)*
                    SocketOption::Quickack(_) => {}
                }
                Ok(())
            }
        }

        impl Chosen {
            /// The options that are chosen, in the order of the table.
            pub fn options(&self) -> impl Iterator<Item = SocketOption> {
                [$(self.$field.map(SocketOption::$variant)),*].into_iter().flatten()
            }
        }
    };
}

options! {
    /// The congestion controller by name: `TCP_CONGESTION`.
    "TCP_CONGESTION" (TCP, 13), Congestion(ControllerName) => congestion: Option<ControllerName>,
        Form::Controller, |config| Value::Controller(config.congestion_control.into());
    /// Whether short segments wait for an ACK: `TCP_NODELAY`.
    "TCP_NODELAY" (TCP, 1), Nodelay(Nodelay) => nodelay: Nodelay,
        Form::Switch, |_| Value::Switch(false),
        .key("nodelay", "whether short segments are sent at once (false)");
    /// Whether short segments wait for more data: `TCP_CORK`.
    "TCP_CORK" (TCP, 3), Cork(Cork) => cork: Cork,
        Form::Switch, |_| Value::Switch(false);
    /// The bound on bytes written and not yet acknowledged: `SO_SNDBUF`. Fixed once set; otherwise it grows by itself.
    "SO_SNDBUF" (SOCKET, 7), SendBuffer(usize) => send_buffer: Option<usize>,
        Form::Buffer { least: 4608 }, |config| Value::Number(config.wmem[1] as u64),
        .key("send_buffer", "the bound on bytes not yet acknowledged (it grows by itself)");
    /// The bound on bytes received and not yet read: `SO_RCVBUF`. Fixed once set; otherwise it grows by itself.
    "SO_RCVBUF" (SOCKET, 8), ReceiveBuffer(usize) => receive_buffer: Option<usize>,
        Form::Buffer { least: 2304 }, |config| Value::Number(config.rmem[1] as u64),
        .key("receive_buffer", "the bound on bytes not yet read (it grows by itself)");
    /// Whether an idle peer is probed: `SO_KEEPALIVE`.
    "SO_KEEPALIVE" (SOCKET, 9), Keepalive(Keepalive) => keepalive: Keepalive,
        Form::Switch, |_| Value::Switch(false);
    /// The silence before the first probe: `TCP_KEEPIDLE`.
    "TCP_KEEPIDLE" (TCP, 4), KeepIdle(Duration) => keep_idle: Option<Duration>,
        Form::span(Unit::Seconds, KEEPALIVE_LEAST, 32_767), |config| Value::Span(config.keepalive_time);
    /// The time between probes: `TCP_KEEPINTVL`.
    "TCP_KEEPINTVL" (TCP, 5), KeepInterval(Duration) => keep_interval: Option<Duration>,
        Form::span(Unit::Seconds, KEEPALIVE_LEAST, 32_767), |config| Value::Span(config.keepalive_interval);
    /// Probes without an answer before giving up: `TCP_KEEPCNT`.
    "TCP_KEEPCNT" (TCP, 6), KeepCount(u8) => keep_count: Option<u8>,
        Form::Number(1, 127), |config| Value::Number(config.keepalive_probes.into());
    /// Give up when data stays unacknowledged for this long, where it is not zero: `TCP_USER_TIMEOUT` (RFC 5482).
    "TCP_USER_TIMEOUT" (TCP, 18), UserTimeout(Duration) => user_timeout: Option<Duration>,
        Form::Limit(Unit::Millis), |_| Value::Span(Duration::ZERO),
        .key("user_timeout", "give up when data stays unacknowledged for this long");
    /// What closing does with data that waits: `SO_LINGER`.
    "SO_LINGER" (SOCKET, 13), Linger(Linger) => linger: Linger,
        Form::Linger, |_| Value::Linger(Linger::Background);
    /// A bound on the segment size: `TCP_MAXSEG`. Linux: `TCP_MIN_MSS` is 88, `MAX_TCP_WINDOW` 32767.
    "TCP_MAXSEG" (TCP, 2), MaxSegment(u16) => max_segment: Option<u16>,
        Form::Number(88, 32_767), |_| Value::Number(536),
        .key("max_segment", "a bound on the segment size");
    /// How many times the SYN is sent again: `TCP_SYNCNT`.
    "TCP_SYNCNT" (TCP, 7), SynCount(u8) => syn_count: Option<u8>,
        Form::Number(1, 127), |config| Value::Number(config.syn_retries.into());
    /// How long an orphan stays in FIN-WAIT-2: `TCP_LINGER2`.
    "TCP_LINGER2" (TCP, 8), Linger2(Duration) => linger2: Option<Duration>,
        Form::span(Unit::Seconds, Duration::ZERO, i32::MAX as u64), |config| Value::Span(config.fin_timeout);
    /// An upper bound on the advertised window: `TCP_WINDOW_CLAMP`.
    "TCP_WINDOW_CLAMP" (TCP, 10), WindowClamp(u32) => window_clamp: Option<u32>,
        Form::Number(0, i32::MAX as u64), |_| Value::Number(0);
    /// Unsent bytes below which the socket is writable; zero asks for the default: `TCP_NOTSENT_LOWAT`.
    "TCP_NOTSENT_LOWAT" (TCP, 25), NotsentLowat(u32) => notsent_lowat: Option<u32>,
        Form::Number(0, u32::MAX as u64), |_| Value::Number(0);
    /// Bytes that must be there before the socket is readable: `SO_RCVLOWAT`.
    "SO_RCVLOWAT" (SOCKET, 18), ReceiveLowat(u32) => receive_lowat: Option<u32>,
        Form::Number(0, i32::MAX as u64), |_| Value::Number(1);
    /// A bound on the rate, in bytes a second: `SO_MAX_PACING_RATE`.
    "SO_MAX_PACING_RATE" (SOCKET, 47), MaxPacingRate(u64) => max_pacing_rate: Option<u64>,
        Form::Number(0, u32::MAX as u64), |_| Value::Number(u32::MAX.into());
    /// A listener's connections are not to be accepted before data comes, or this long has passed: `TCP_DEFER_ACCEPT`.
    /// One that connects holds back the last segment of the handshake, for data to carry it. Zero switches it off.
    "TCP_DEFER_ACCEPT" (TCP, 9), DeferAccept(Duration) => defer_accept: Option<Duration>,
        Form::span(Unit::Seconds, Duration::ZERO, i32::MAX as u64), |_| Value::Span(Duration::ZERO);
    /// Differentiated services in the upper six bits; the others are ECN's: `IP_TOS`, `IPV6_TCLASS`.
    "IP_TOS" (IP, 1), TrafficClass(u8) => traffic_class: u8,
        Form::Number(0, 255), |_| Value::Number(0),
        .v6((IPV6, 67));
}

/// Whether a short segment is sent while others wait for their ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Nodelay {
    /// It waits: Nagle's algorithm (RFC 1122 §4.2.3.4) in Minshall's variant.
    #[default]
    Off,
    /// At once: `TCP_NODELAY`. Switching it on lets go what waits, corked or not.
    On,
}

/// Whether short segments wait for more data, whatever [`Nodelay`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cork {
    /// They do not: `TCP_CORK` is clear.
    #[default]
    Off,
    /// Until they are full, the cork is drawn, or the persist timer expires with nothing in flight.
    On,
}

/// What follows a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Follows {
    /// Nothing that is known of: it ends with a push.
    #[default]
    Nothing,
    /// More data, soon: a short segment waits for it (`MSG_MORE`).
    More,
    /// Another record: its data are not joined to these in one segment (`MSG_EOR`).
    Record,
}

/// Whether a silent peer is probed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Keepalive {
    /// Never.
    #[default]
    Off,
    /// When it has been silent for `TCP_KEEPIDLE`.
    On,
}

/// What closing does with data that waits to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Linger {
    /// It is still sent, in the background.
    #[default]
    Background,
    /// The same; but a call that closes waits until all is acknowledged, or for so long.
    For(Duration),
    /// `SO_LINGER` of zero: it is dropped and the peer is reset.
    Reset,
}

/// Which direction ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// `SHUT_RD`
    Read,
    /// `SHUT_WR`
    Write,
    /// `SHUT_RDWR`
    Both,
}

/// `TCP_QUICKACK`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quickack {
    /// Acknowledge at once, for now.
    On,
    /// Delay as for an interactive session.
    Off,
}

/// The shortest time between keepalive probes; Linux's is a second, its unit.
const KEEPALIVE_LEAST: Duration = Duration::from_millis(1);

impl SocketOption {
    /// The line of the table; `None` for what a socket does not keep.
    pub fn row(&self) -> Option<&'static Row> {
        OPTIONS.iter().find(|row| row.name == self.name())
    }

    /// Whether the value makes sense, within Linux's bounds.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchController`.
    pub fn check(&self) -> Result<(), Error> {
        if let Self::Congestion(name) = self {
            return controller(name.as_str()).map(drop).ok_or(Error::NoSuchController);
        }
        let holds = self.row().is_none_or(|row| row.form.takes(self.value()));
        holds.then_some(()).ok_or(Error::InvalidInput)
    }
}

impl Options {
    /// These, and over them what a program chooses.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchController`.
    pub fn with(mut self, chosen: &Chosen) -> Result<Self, Error> {
        chosen.options().try_for_each(|option| self.set(option))?;
        Ok(self)
    }

    /// How many time-outs of the SYN-ACK a listener waits for data: [`defer_accept`](Self::defer_accept) in the unit in
    /// which it is kept.
    pub(crate) fn deferral(&self, config: &Config) -> u8 {
        let Some(span) = self.defer_accept.filter(|span| !span.is_zero()) else { return 0 };
        let (mut timeout, mut period, mut count) = (config.rto_initial, config.rto_initial, 1u8);
        while period < span && count < u8::MAX {
            timeout = (timeout * 2).min(config.rto_max);
            period += timeout;
            count += 1;
        }
        count
    }

    /// How long a listener really waits for data, in whole time-outs of the SYN-ACK: what `getsockopt` tells of
    /// `TCP_DEFER_ACCEPT`.
    pub fn deferred_for(&self, config: &Config) -> Duration {
        let timeouts = (0..self.deferral(config)).map(|n| (config.rto_initial * (1 << n.min(16))).min(config.rto_max));
        timeouts.sum()
    }

    /// Whether the values make sense, within Linux's bounds.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchController`.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(name) = self.congestion {
            SocketOption::Congestion(name).check()?;
        }
        let holds = |row: &Row| row.get(self).is_none_or(|value| row.form.takes(value));
        let all = *self == Self::default() || OPTIONS.iter().all(holds);
        all.then_some(()).ok_or(Error::InvalidInput)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_reads_what_it_wrote_and_is_found_by_its_numbers() {
        for row in OPTIONS {
            let (value, config) = ((row.default)(&Config::linux()), Config::linux());
            let octets = row.form.octets(value);
            let back = row.form.read(&octets).unwrap();
            if !matches!(row.form, Form::Buffer { .. }) {
                assert_eq!(back, value, "{}", row.name);
            }
            assert_eq!(option_at(row.numbers.0, row.numbers.1).unwrap().name, row.name);
            assert_eq!(option_at(row.numbers_v6.0, row.numbers_v6.1).unwrap().name, row.name);
            let Ok(option) = row.option(value) else { continue };
            assert_eq!((option.name(), option.row().unwrap().numbers), (row.name, row.numbers));
            let mut options = config.options.clone();
            options.set(option).unwrap();
            assert_eq!(row.get(&options), Some(value), "{}", row.name);
        }
    }

    #[test]
    fn no_two_lines_have_a_name_a_number_or_a_key_in_common() {
        for (i, row) in OPTIONS.iter().enumerate() {
            for other in &OPTIONS[..i] {
                assert!(row.name != other.name && row.numbers != other.numbers, "{}", row.name);
                assert!(row.key.is_none() || row.key.map(|k| k.0) != other.key.map(|k| k.0), "{}", row.name);
            }
        }
    }

    #[test]
    fn what_is_chosen_goes_over_the_defaults() {
        let host = Options { nodelay: Nodelay::On, send_buffer: Some(10_000), ..Options::default() };
        let chosen = Chosen { send_buffer: Some(20_000), keep_count: Some(3), ..Chosen::default() };
        let options = host.clone().with(&chosen).unwrap();
        assert_eq!((options.nodelay, options.send_buffer, options.keep_count), (Nodelay::On, Some(20_000), Some(3)));
        for (chosen, error) in [
            (Chosen { keep_count: Some(0), ..Chosen::default() }, Error::InvalidInput),
            (Chosen { max_segment: Some(87), ..Chosen::default() }, Error::InvalidInput),
            (Chosen { congestion: Some("no-such".into()), ..Chosen::default() }, Error::NoSuchController),
        ] {
            assert_eq!(host.clone().with(&chosen), Err(error));
        }
    }
}
