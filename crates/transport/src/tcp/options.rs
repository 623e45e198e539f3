//! What may be set on a socket, by the names of `tcp(7)`.

use core::time::Duration;

use super::{Config, Error, controller};

/// What a socket starts with; accepted connections inherit their listener's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The congestion controller by name: `TCP_CONGESTION`.
    pub congestion: Option<&'static str>,
    /// Whether short segments wait for an ACK: `TCP_NODELAY`.
    pub nagle: Nagle,
    /// Whether short segments wait for more data: `TCP_CORK`.
    pub cork: Cork,
    /// The bound on bytes written and not yet acknowledged: `SO_SNDBUF`. Fixed once set; otherwise it grows by itself.
    pub send_buffer: Option<usize>,
    /// The bound on bytes received and not yet read: `SO_RCVBUF`. Fixed once set; otherwise it grows by itself.
    pub receive_buffer: Option<usize>,
    /// Probing of an idle peer: `SO_KEEPALIVE`.
    pub keepalive: Option<Keepalive>,
    /// Give up when data stays unacknowledged for this long: `TCP_USER_TIMEOUT` (RFC 5482).
    pub user_timeout: Option<Duration>,
    /// What closing does with data that waits: `SO_LINGER`.
    pub linger: Linger,
    /// A bound on the segment size: `TCP_MAXSEG`.
    pub max_segment: Option<u16>,
    /// How many times the SYN is sent again: `TCP_SYNCNT`.
    pub syn_count: Option<u8>,
    /// How long an orphan stays in FIN-WAIT-2: `TCP_LINGER2`.
    pub linger2: Option<Duration>,
    /// An upper bound on the advertised window: `TCP_WINDOW_CLAMP`.
    pub window_clamp: Option<u32>,
    /// Unsent bytes below which the socket is writable: `TCP_NOTSENT_LOWAT`.
    pub notsent_lowat: Option<u32>,
    /// A bound on the rate, in bytes a second: `SO_MAX_PACING_RATE`.
    pub max_pacing_rate: Option<u64>,
    /// A listener's connections are not to be accepted before data comes, or this long has passed: `TCP_DEFER_ACCEPT`.
    /// One that connects holds back the last segment of the handshake, for data to carry it.
    pub defer_accept: Option<Duration>,
    /// Differentiated services in the upper six bits; the others are ECN's: `IP_TOS`, `IPV6_TCLASS`.
    pub traffic_class: u8,
    /// The largest super-segment that the path takes; `None` for the endpoint's.
    pub gso_max_size: Option<u32>,
}

/// Whether short segments wait for an ACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Nagle {
    /// Nagle's algorithm (RFC 1122 §4.2.3.4) in Minshall's variant.
    #[default]
    On,
    /// Sent at once: `TCP_NODELAY`. Switching it on lets go what waits, corked or not.
    Off,
}

/// Whether short segments wait for more data, whatever [`Nagle`] says.
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

/// When a silent peer is probed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keepalive {
    /// The silence before the first probe: `TCP_KEEPIDLE`.
    pub idle: Option<Duration>,
    /// The time between probes: `TCP_KEEPINTVL`.
    pub interval: Option<Duration>,
    /// Probes without an answer before giving up: `TCP_KEEPCNT`.
    pub count: Option<u8>,
}

/// What closing does with data that waits to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Linger {
    /// It is still sent, in the background.
    #[default]
    Background,
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

/// One option, changed on a socket that exists.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SocketOption {
    /// `TCP_CONGESTION`
    Congestion(&'static str),
    /// `TCP_NODELAY`
    Nagle(Nagle),
    /// `TCP_CORK`
    Cork(Cork),
    /// `SO_SNDBUF`
    SendBuffer(usize),
    /// `SO_RCVBUF`
    ReceiveBuffer(usize),
    /// `SO_KEEPALIVE` and its times
    Keepalive(Option<Keepalive>),
    /// `TCP_USER_TIMEOUT`
    UserTimeout(Option<Duration>),
    /// `SO_LINGER`
    Linger(Linger),
    /// `TCP_QUICKACK`
    Quickack(Quickack),
    /// `TCP_MAXSEG`
    MaxSegment(u16),
    /// `TCP_SYNCNT`
    SynCount(u8),
    /// `TCP_LINGER2`
    Linger2(Duration),
    /// `TCP_WINDOW_CLAMP`
    WindowClamp(u32),
    /// `TCP_NOTSENT_LOWAT`
    NotsentLowat(u32),
    /// `SO_RCVLOWAT`
    ReceiveLowat(u32),
    /// `SO_MAX_PACING_RATE`, in bytes a second
    MaxPacingRate(u64),
    /// `TCP_DEFER_ACCEPT`
    DeferAccept(Option<Duration>),
    /// `IP_TOS`, `IPV6_TCLASS`
    TrafficClass(u8),
}

/// The shortest time between keepalive probes; Linux's is a second, its unit.
const KEEPALIVE_LEAST: Duration = Duration::from_millis(1);

impl Keepalive {
    fn check(&self) -> Result<(), Error> {
        let long = |span: Option<Duration>| span.is_none_or(|span| span >= KEEPALIVE_LEAST);
        let holds = long(self.idle) && long(self.interval) && self.count.is_none_or(|n| (1..=127).contains(&n));
        holds.then_some(()).ok_or(Error::InvalidInput)
    }
}

impl SocketOption {
    /// Whether the value makes sense, within Linux's bounds.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchController`.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::Congestion(name) => controller(name).map(drop).ok_or(Error::NoSuchController),
            Self::Keepalive(Some(keepalive)) => keepalive.check(),
            Self::MaxSegment(bytes) if !(88..=32_767).contains(bytes) => Err(Error::InvalidInput),
            Self::SynCount(n) if !(1..=127).contains(n) => Err(Error::InvalidInput),
            _ => Ok(()),
        }
    }
}

impl Options {
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
        let each = [
            self.congestion.map(SocketOption::Congestion),
            self.keepalive.map(|keepalive| SocketOption::Keepalive(Some(keepalive))),
            self.max_segment.map(SocketOption::MaxSegment),
            self.syn_count.map(SocketOption::SynCount),
        ];
        each.iter().flatten().try_for_each(SocketOption::check)
    }

    /// Changes what later sockets start with.
    ///
    /// # Errors
    /// `InvalidInput`, `NoSuchController`.
    pub fn set(&mut self, option: SocketOption) -> Result<(), Error> {
        option.check()?;
        match option {
            SocketOption::Congestion(name) => self.congestion = Some(name),
            SocketOption::Nagle(nagle) => self.nagle = nagle,
            SocketOption::Cork(cork) => self.cork = cork,
            SocketOption::SendBuffer(bytes) => self.send_buffer = Some(bytes),
            SocketOption::ReceiveBuffer(bytes) => self.receive_buffer = Some(bytes),
            SocketOption::Keepalive(keepalive) => self.keepalive = keepalive,
            SocketOption::UserTimeout(timeout) => self.user_timeout = timeout,
            SocketOption::Linger(linger) => self.linger = linger,
            SocketOption::MaxSegment(bytes) => self.max_segment = Some(bytes),
            SocketOption::SynCount(n) => self.syn_count = Some(n),
            SocketOption::Linger2(span) => self.linger2 = Some(span),
            SocketOption::WindowClamp(bytes) => self.window_clamp = Some(bytes),
            SocketOption::NotsentLowat(bytes) => self.notsent_lowat = Some(bytes),
            SocketOption::MaxPacingRate(rate) => self.max_pacing_rate = Some(rate),
            SocketOption::DeferAccept(span) => self.defer_accept = span,
            SocketOption::TrafficClass(class) => self.traffic_class = class,
            SocketOption::Quickack(_) | SocketOption::ReceiveLowat(_) => {}
        }
        Ok(())
    }
}
