//! Runs a script: every event at its nanosecond, and nothing that no event asks for.

mod call;
mod code;
mod packet;

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use septet_core::Instant;
use septet_posix::Fd;

use crate::bench::{Bench, Setup};
use crate::code::Names;
use crate::error::{At, Error};
use crate::flow::Flow;
use crate::syntax::{Action, Event, Script, ScriptOption, When};

/// Over which version of IP a script runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4, with an MTU of 1500.
    V4,
    /// IPv6, with an MTU of 1520, so that segments are as large as over IPv4.
    V6,
}

impl Family {
    /// Both, in the order in which scripts are run.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The word that `--ip_version` has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// The port that scripts bind to, and the one that they connect to.
const PORT: u16 = 8080;
/// The first port of the script's world.
const FIRST_REMOTE_PORT: u16 = 40_000;
/// The virtual time at which scripts begin; not zero, so that nothing looks like the beginning of the world.
const BEGIN: Instant = Instant::from_secs(1000);
/// How long an outbound packet with any time (`*`) is waited for.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// Which families `script` may run over: both, unless `--ip_version` says otherwise.
pub fn families(script: &Script) -> Vec<Family> {
    let said = script.options.iter().find(|o| o.name == "ip_version").and_then(|o| o.value.as_deref());
    Family::ALL.into_iter().filter(|f| said.is_none_or(|s| s == f.as_str())).collect()
}

/// Runs `script`.
///
/// # Errors
/// The first thing that is not as the script says.
pub fn run(script: &Script, family: Family) -> Result<(), Error> {
    let mut setup = Setup { begin: BEGIN, ..Setup::default() };
    let mut tick = Duration::from_millis(1);
    for option in &script.options {
        apply(option, &mut setup, &mut tick)?;
    }
    let mut runner = Runner::new(setup, family, tick);
    for event in &script.events {
        runner.event(event)?;
    }
    runner.finish(script.events.last().map_or(At { line: 1, column: 1 }, |e| e.at))
}

fn apply(option: &ScriptOption, setup: &mut Setup, tick: &mut Duration) -> Result<(), Error> {
    let value = option.value.as_deref().unwrap_or_default();
    let number = || value.parse::<u32>().map_err(|_| Error::syntax(option.at, format!("`{value}` is no number")));
    match option.name.as_str() {
        "ip_version" if Family::ALL.iter().any(|f| f.as_str() == value) => {}
        "mtu" => setup.mtu = [number()?; 2],
        "seed" => setup.seed = septet_core::Seed::new(number()?.into()),
        "tcp_ts_tick_usecs" => *tick = Duration::from_micros(number()?.into()),
        other => return Err(Error::syntax(option.at, format!("the option --{other}={value} is not known here"))),
    }
    Ok(())
}

/// Whom packets without ports belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnderTest {
    /// No socket yet, or one that has neither connected nor listened.
    Fresh,
    /// A listener: the next inbound segment starts a flow.
    Listening,
    /// The flow with this index.
    Flow(usize),
}

struct Runner {
    bench: Bench,
    family: Family,
    local: IpAddr,
    remote: IpAddr,
    /// Zero where timestamps are not checked.
    tick: Duration,
    flows: Vec<Flow>,
    under_test: UnderTest,
    next_remote_port: u16,
    /// The socket that code asks about.
    subject: Option<Fd>,
    /// Octets written to and read from each socket.
    written: BTreeMap<Fd, u64>,
    read: BTreeMap<Fd, u64>,
    pending: Vec<call::Pending>,
    names: Names,
    /// When the last event happened.
    last: Instant,
}

impl Runner {
    fn new(setup: Setup, family: Family, tick: Duration) -> Self {
        let (local, remote) = match family {
            Family::V4 => (IpAddr::V4(setup.local4), IpAddr::from([192, 0, 2, 1])),
            Family::V6 => (IpAddr::V6(setup.local6), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
        };
        Self {
            bench: Bench::new(setup),
            family,
            local,
            remote,
            tick,
            flows: Vec::new(),
            under_test: UnderTest::Fresh,
            next_remote_port: FIRST_REMOTE_PORT,
            subject: None,
            written: BTreeMap::new(),
            read: BTreeMap::new(),
            pending: Vec::new(),
            names: Names::new(),
            last: BEGIN,
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Error> {
        let (from, to) = self.times(event)?;
        if let Action::Packet(packet) = &event.action
            && packet.direction == crate::syntax::Direction::Outbound
        {
            self.last = self.outbound(event.at, packet, from, to)?;
            return Ok(());
        }
        self.advance(event.at, from)?;
        // What the stack has sent before this moment, an event before this one should have asked for.
        self.nothing_sent_before(event.at, from)?;
        self.last = from;
        match &event.action {
            Action::Packet(packet) => self.inbound(event.at, packet),
            Action::Call(call) => self.call(event.at, call, event.when),
            Action::Command(command) => self.command(event.at, command),
            Action::Code(code) => self.code(event.at, code),
        }
    }

    /// The first and the last moment of an event.
    fn times(&self, event: &Event) -> Result<(Instant, Instant), Error> {
        let (from, to) = match event.when {
            When::Absolute(at) => (BEGIN + at, BEGIN + at),
            When::Relative(after) => (self.last + after, self.last + after),
            When::AbsoluteRange(from, to) => (BEGIN + from, BEGIN + to),
            When::RelativeRange(from, to) => (self.last + from, self.last + to),
            When::Any => (self.last, self.last + PATIENCE),
        };
        if from < self.last {
            return Err(Error::syntax(event.at, "time goes backwards here"));
        }
        Ok((from, to))
    }

    /// Lets time pass until `to`; calls that block go on as soon as they can.
    fn advance(&mut self, at: At, to: Instant) -> Result<(), Error> {
        while let Some(next) = self.next_deadline().filter(|next| *next <= to) {
            self.bench.advance(next);
            self.poll_pending(at)?;
        }
        self.bench.advance(to);
        self.poll_pending(at)
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let waiting = self.pending.iter().filter_map(call::Pending::deadline);
        self.bench.next_deadline().into_iter().chain(waiting).min()
    }

    fn finish(mut self, at: At) -> Result<(), Error> {
        if let Some(pending) = self.pending.first() {
            return Err(pending.unfinished());
        }
        match self.bench.take_sent() {
            None => Ok(()),
            Some(sent) => Err(Error::mismatch(at, format!("the script ends, but came {}", self.show(&sent)))),
        }
    }

    /// `sysctl` lines, which choose the personality of sockets made from now on.
    fn command(&mut self, at: At, command: &str) -> Result<(), Error> {
        for line in command.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let setting = line.strip_prefix("sysctl").map(str::trim_start);
            let setting = setting.map(|s| s.strip_prefix("-q").unwrap_or(s).trim_start());
            let parts = setting.and_then(|s| s.strip_prefix("net.ipv4.")).and_then(|s| s.split_once('='));
            let Some((name, value)) = parts else {
                return Err(Error::syntax(at, format!("`{line}` is no command that is known here")));
            };
            let value = value.trim().trim_matches('"');
            self.bench.configure(name.trim(), value).map_err(|message| Error::syntax(at, message))?;
        }
        Ok(())
    }

    /// Seconds since the script began.
    fn clock(at: Instant) -> String {
        let nanos = at.saturating_since(BEGIN).as_nanos();
        let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let short = text.trim_end_matches('0');
        // Milliseconds at least, more only where they are there.
        text[..short.len().max(text.len() - 6)].to_owned()
    }

    fn remote_port(&mut self) -> u16 {
        let port = self.next_remote_port;
        self.next_remote_port += 1;
        port
    }

    fn local_end(&self) -> SocketAddr {
        SocketAddr::new(self.local, PORT)
    }
}
