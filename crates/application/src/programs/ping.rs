//! `ping`: echo requests, and what comes back.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use septet_core::{Instant, Metric, Storey};
use septet_socket::{BoxFuture, EchoReply, HeaderFault, IcmpSocket, MtuDiscovery, NetExt, Trouble, Unreached};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::names::Names;
use super::{Context, Misuse, Needs, Program};
use crate::dns::Family;

/// The program.
pub(super) struct Ping;

impl Program for Ping {
    fn name(&self) -> &'static str {
        "ping"
    }

    fn summary(&self) -> &'static str {
        "sends echo requests"
    }

    fn usage(&self) -> &'static str {
        "Usage: ping [options] <destination>
 -4, -6         Only to an address of this version of IP
 -c <count>     Stop after so many replies
 -i <interval>  Seconds between two requests (1)
 -M <pmtudisc>  do: refuse what does not fit the path; want: cut it here; dont: let routers cut it (want)
 -n             Do not look names up
 -q             Show the summary only
 -s <size>      Bytes of payload (56)
 -t <ttl>       Time to live of the requests
 -w <deadline>  Stop after so many seconds
 -W <timeout>   Seconds to wait for a reply at the end (10, or twice the longest round trip)
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs { hosts: vec![options.destination], ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match run(&context, &options).await {
                    Ok(code) => code,
                    Err(why) => {
                        context.console.err(format!("ping: {why}\n").as_bytes());
                        2
                    }
                },
                Err(e) => {
                    context.console.err(format!("ping: {e}\n").as_bytes());
                    2
                }
            }
        })
    }
}

struct Options {
    destination: String,
    family: Family,
    count: Option<u64>,
    interval: Duration,
    discovery: MtuDiscovery,
    numeric: bool,
    quiet: bool,
    size: usize,
    ttl: Option<u8>,
    deadline: Option<Duration>,
    linger: Option<Duration>,
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    value('c', ""),
    value('i', ""),
    value('M', ""),
    flag('n', ""),
    flag('q', ""),
    value('s', ""),
    value('t', ""),
    value('w', ""),
    value('W', ""),
];

/// iputils' MAXWAIT: how long the last replies are waited for when there was none to measure by.
const LINGER: Duration = Duration::from_secs(10);

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            destination: String::new(),
            family: Family::Any,
            count: None,
            interval: Duration::from_secs(1),
            discovery: MtuDiscovery::default(),
            numeric: false,
            quiet: false,
            size: 56,
            ttl: None,
            deadline: None,
            linger: None,
        };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.destination.is_empty() => options.destination = word,
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "n" => options.numeric = true,
                Arg::Flag(name) if name == "q" => options.quiet = true,
                Arg::Flag(name) => options.family = args::family(&name).unwrap_or(options.family),
                Arg::Value(name, text) => {
                    let option = format!("-{name}");
                    match name.as_str() {
                        // iputils: "out of range: 1 <= value".
                        "c" => options.count = Some(args::within(&option, &text, 1, u64::MAX, "a number from 1 on")?),
                        // Below 2 ms iputils asks for privilege; zero would send without end.
                        "i" => options.interval = args::span(&option, &text)?.max(Duration::from_micros(1)),
                        "M" => options.discovery = discovery(&option, text)?,
                        // What an IPv4 packet holds beside its header and ICMP's.
                        "s" => options.size = args::within(&option, &text, 0, 65_507, "a size up to 65507")?,
                        "t" => {
                            options.ttl = Some(args::within(&option, &text, 1, 255, "a number of hops from 1 to 255")?)
                        }
                        "w" => options.deadline = Some(args::span(&option, &text)?),
                        _ => options.linger = Some(args::duration(&option, &text)?),
                    }
                }
            }
            Ok(())
        })?;
        if options.destination.is_empty() {
            return Err(ArgError::Missing("the destination").into());
        }
        Ok(options)
    }
}

fn discovery(option: &str, text: String) -> Result<MtuDiscovery, ArgError> {
    match text.as_str() {
        "do" => Ok(MtuDiscovery::Do),
        "want" => Ok(MtuDiscovery::Want),
        "dont" => Ok(MtuDiscovery::Dont),
        _ => Err(ArgError::Bad { option: option.to_owned(), value: text, wanted: "do, want or dont" }),
    }
}

async fn run(context: &Context, options: &Options) -> Result<u8, String> {
    let names = Names::new(context.net.clone());
    let destination = names
        .address(&options.destination, options.family)
        .await
        .map_err(|e| format!("{}: {e}", options.destination))?;
    let socket = context.net.open_icmp(destination).map_err(|e| format!("socket: {e}"))?;
    if let Some(ttl) = options.ttl {
        socket.set_ttl(ttl).map_err(|e| format!("cannot set the time to live: {e}"))?;
    }
    socket.set_mtu_discovery(options.discovery).map_err(|e| format!("cannot set path MTU discovery: {e}"))?;
    // A destination given as an address is shown as one.
    let numeric = options.numeric || options.destination.parse::<IpAddr>().is_ok();
    let mut session = Session::new(context, options, names, destination, numeric);
    let (name, size) = (&options.destination, options.size);
    session.print(&match destination {
        IpAddr::V4(_) => format!("PING {name} ({destination}) {size}({}) bytes of data.\n", size + 28),
        IpAddr::V6(_) => format!("PING {name}({destination}) {size} data bytes\n"),
    });
    session.drive(&socket).await;
    Ok(session.summary())
}

/// What has happened so far.
struct Session<'a> {
    context: &'a Context,
    options: &'a Options,
    names: Names,
    destination: IpAddr,
    numeric: bool,
    begun: Instant,
    sent: u64,
    last_sent: Instant,
    /// When each unanswered request left, by its number on the wire.
    waiting: BTreeMap<u16, Instant>,
    answered: BTreeSet<u16>,
    received: u64,
    duplicates: u64,
    errors: u64,
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
}

/// What the main loop wakes up for.
enum Woken {
    TimeToSend,
    Reply(io::Result<EchoReply>),
    Over,
}

impl<'a> Session<'a> {
    fn new(context: &'a Context, options: &'a Options, names: Names, destination: IpAddr, numeric: bool) -> Self {
        Self {
            context,
            options,
            names,
            destination,
            numeric,
            begun: context.net.now(),
            sent: 0,
            last_sent: Instant::ZERO,
            waiting: BTreeMap::new(),
            answered: BTreeSet::new(),
            received: 0,
            duplicates: 0,
            errors: 0,
            sum: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: 0.0,
        }
    }

    async fn drive(&mut self, socket: &IcmpSocket) {
        let net = &self.context.net;
        let mut next = self.begun;
        let mut buf = vec![0; self.options.size.max(64)];
        loop {
            let all_sent = self.options.count.is_some_and(|c| self.sent >= c);
            if all_sent && self.received + self.errors >= self.sent {
                return;
            }
            let over = match (all_sent, self.options.deadline) {
                (_, Some(deadline)) => Some(self.begun + deadline),
                (true, None) => Some(self.last_sent + self.linger()),
                (false, None) => None,
            };
            let woken = {
                let mut over = over.map(|at| net.sleep_until(at));
                let mut send = (!all_sent).then(|| net.sleep_until(next));
                let mut reply = pin!(socket.receive(&mut buf));
                core::future::poll_fn(|cx| {
                    // Replies first, so that one that comes at the deadline still counts.
                    if let Poll::Ready(reply) = reply.as_mut().poll(cx) {
                        return Poll::Ready(Woken::Reply(reply));
                    }
                    let fires = |timer: &mut Option<septet_socket::Sleep>, cx: &mut core::task::Context<'_>| {
                        timer.as_mut().is_some_and(|t| core::pin::Pin::new(t).poll(cx).is_ready())
                    };
                    if fires(&mut over, cx) {
                        return Poll::Ready(Woken::Over);
                    }
                    if fires(&mut send, cx) { Poll::Ready(Woken::TimeToSend) } else { Poll::Pending }
                })
                .await
            };
            match woken {
                Woken::Over => return,
                Woken::TimeToSend => {
                    next += self.options.interval;
                    self.send(socket).await;
                }
                Woken::Reply(Ok(EchoReply::Reply { from, seq, ttl, len })) => self.reply(from, seq, ttl, len).await,
                Woken::Reply(Ok(EchoReply::Error { seq, error })) => self.error(seq, error).await,
                Woken::Reply(Err(e)) => self.print_error(&format!("ping: recvmsg: {e}\n")),
            }
        }
    }

    /// How long the last replies are waited for: as iputils, twice the longest round trip, or `-W` where there was none.
    fn linger(&self) -> Duration {
        if self.received == 0 {
            return self.options.linger.unwrap_or(LINGER);
        }
        Duration::try_from_secs_f64(2.0 * self.max / 1e3).unwrap_or(LINGER).max(self.options.interval)
    }

    async fn send(&mut self, socket: &IcmpSocket) {
        let net = &self.context.net;
        self.sent += 1;
        let seq = self.sent as u16;
        self.last_sent = net.now();
        self.waiting.insert(seq, self.last_sent);
        self.answered.remove(&seq);
        // iputils' pattern: each byte is its offset.
        let payload: Vec<u8> = (0..self.options.size).map(|i| i as u8).collect();
        net.count("ping.sent");
        net.trace(Storey::Application, "ping.request", |f| {
            f.set("to", self.destination).set("seq", seq);
        });
        if let Err(e) = socket.send(self.destination, seq, &payload).await {
            self.waiting.remove(&seq);
            self.errors += 1;
            net.count("ping.error");
            self.fails(seq, &format!("cannot be sent: {e}"));
            self.print_error(&format!("ping: sendmsg: {e}\n"));
        }
        // More than this many are not waited for: the oldest count as lost.
        while self.waiting.len() > 10_000 {
            self.waiting.pop_first();
        }
    }

    async fn reply(&mut self, from: IpAddr, seq: u16, ttl: u8, len: usize) {
        let net = &self.context.net;
        let Some(sent) = self.waiting.remove(&seq) else {
            if self.answered.contains(&seq) {
                self.duplicates += 1;
                let line = format!("{} bytes from {from}: icmp_seq={seq} ttl={ttl} (DUP!)\n", len + 8);
                self.print(&line);
            }
            return;
        };
        let millis = (net.now() - sent).as_secs_f64() * 1e3;
        self.answered.insert(seq);
        if self.answered.len() > 10_000 {
            self.answered.pop_first();
        }
        self.received += 1;
        self.sum += millis;
        self.squares += millis * millis;
        self.min = self.min.min(millis);
        self.max = self.max.max(millis);
        net.count("ping.ok");
        net.observe("ping.time", millis / 1e3);
        net.trace(Storey::Application, "ping.reply", |f| {
            f.set("from", from).set("seq", seq).set("ttl", ttl).set("took", net.now() - sent);
        });
        if !self.options.quiet {
            let who = self.who(from).await;
            let line = format!("{} bytes from {who}: icmp_seq={seq} ttl={ttl} time={} ms\n", len + 8, triplet(millis));
            self.print(&line);
        }
    }

    async fn error(&mut self, seq: u16, error: Unreached) {
        if self.waiting.remove(&seq).is_none() {
            return;
        }
        self.errors += 1;
        self.context.net.count("ping.error");
        let what = describe(error.trouble, error.reporter);
        self.context.net.trace(Storey::Application, "ping.failed", |f| {
            f.set("from", error.reporter).set("seq", seq).set("why", what.clone());
        });
        if !self.options.quiet {
            let who = self.who(error.reporter).await;
            self.print(&format!("From {who} icmp_seq={seq} {what}\n"));
        }
    }

    fn fails(&self, seq: u16, why: &str) {
        self.context.net.trace(Storey::Application, "ping.failed", |f| {
            f.set("to", self.destination).set("seq", seq).set("why", why.to_owned());
        });
    }

    async fn who(&mut self, ip: IpAddr) -> String {
        match if self.numeric { None } else { self.names.name(ip).await } {
            Some(name) => format!("{name} ({ip})"),
            None => ip.to_string(),
        }
    }

    fn summary(&self) -> u8 {
        for (seq, sent) in &self.waiting {
            let waited = self.context.net.now() - *sent;
            self.fails(*seq, &format!("no reply within {:.3} s", waited.as_secs_f64()));
        }
        let took = (self.last_sent - self.begun).as_millis();
        let lost = self.sent.saturating_sub(self.received);
        self.context.net.observe("ping.lost", lost as f64);
        let mut text = format!(
            "\n--- {} ping statistics ---\n{} packets transmitted, {} received",
            self.options.destination, self.sent, self.received
        );
        if self.duplicates > 0 {
            text.push_str(&format!(", +{} duplicates", self.duplicates));
        }
        if self.errors > 0 {
            text.push_str(&format!(", +{} errors", self.errors));
        }
        if self.sent > 0 {
            let percent = lost as f64 * 100.0 / self.sent as f64;
            text.push_str(&format!(", {}% packet loss, time {took}ms", shortest(percent)));
        }
        text.push('\n');
        if self.received > 0 {
            let mean = self.sum / self.received as f64;
            let mdev = (self.squares / self.received as f64 - mean * mean).max(0.0).sqrt();
            text.push_str(&format!("rtt min/avg/max/mdev = {:.3}/{mean:.3}/{:.3}/{mdev:.3} ms", self.min, self.max));
        }
        text.push('\n');
        self.print(&text);
        // ping(8): "If ping does not receive any reply packets at all it will exit with code 1. If a packet count and
        // deadline are both specified, and fewer than count packets are received by the time the deadline has
        // arrived, it will also exit with code 1."
        let short = matches!((self.options.count, self.options.deadline), (Some(c), Some(_)) if self.received < c);
        u8::from(self.received == 0 || short)
    }

    fn print(&self, text: &str) {
        self.context.console.out(text.as_bytes());
    }

    fn print_error(&self, text: &str) {
        self.context.console.err(text.as_bytes());
    }
}

/// A time in milliseconds with three significant digits, as iputils prints it.
fn triplet(millis: f64) -> String {
    match millis {
        m if m >= 99.95 => format!("{m:.0}"),
        m if m >= 9.995 => format!("{m:.1}"),
        m if m >= 0.9995 => format!("{m:.2}"),
        m => format!("{m:.3}"),
    }
}

/// `%g` with six digits: `0`, `33.3333`, `100`.
fn shortest(value: f64) -> String {
    let digits = match value {
        v if v >= 100.0 => 3,
        v if v >= 10.0 => 4,
        _ => 5,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The words of iputils for an error of ICMP or ICMPv6, by who reports it.
fn describe(trouble: Trouble, reporter: IpAddr) -> String {
    match reporter {
        IpAddr::V4(_) => describe_v4(trouble),
        IpAddr::V6(_) => describe_v6(trouble),
    }
}

fn describe_v6(trouble: Trouble) -> String {
    let words = match trouble {
        Trouble::NoRoute => "Destination unreachable: No route",
        Trouble::Prohibited => "Destination unreachable: Administratively prohibited",
        Trouble::BeyondScope => "Destination unreachable: Beyond scope of source address",
        Trouble::HostUnreachable => "Destination unreachable: Address unreachable",
        Trouble::PortUnreachable => "Destination unreachable: Port unreachable",
        Trouble::SourcePolicy => "Destination unreachable: Unknown code 5",
        Trouble::RejectRoute => "Destination unreachable: Unknown code 6",
        Trouble::TooBig { mtu } => return format!("Packet too big: mtu={mtu}"),
        Trouble::HopLimit => "Time exceeded: Hop limit",
        Trouble::Reassembly => "Time exceeded: Defragmentation failure",
        Trouble::Header { fault, at } => {
            let what = match fault {
                HeaderFault::Field | HeaderFault::Length => "Wrong header field",
                HeaderFault::NextHeader => "Unknown header",
                HeaderFault::Option => "Unknown option",
                HeaderFault::FirstFragment => "Unknown code 3",
            };
            return format!("Parameter problem: {what} at {at}");
        }
        Trouble::Other { icmp_type: 1, code } => return format!("Destination unreachable: Unknown code {code}"),
        Trouble::Other { icmp_type, .. } => return format!("unknown icmp type: {icmp_type}"),
        // Of IPv4 alone.
        other => other.why(),
    };
    words.to_owned()
}

fn describe_v4(trouble: Trouble) -> String {
    let words = match trouble {
        Trouble::TooBig { mtu } if mtu != 0 => return format!("Frag needed and DF set (mtu = {mtu})"),
        Trouble::NoRoute => "Destination Net Unreachable",
        Trouble::HostUnreachable | Trouble::BeyondScope => "Destination Host Unreachable",
        Trouble::ProtocolUnreachable => "Destination Protocol Unreachable",
        Trouble::PortUnreachable => "Destination Port Unreachable",
        Trouble::TooBig { .. } => "Frag needed and DF set",
        Trouble::SourceRoute => "Source Route Failed",
        Trouble::NetworkUnknown => "Destination Net Unknown",
        Trouble::HostUnknown => "Destination Host Unknown",
        Trouble::NetworkProhibited => "Destination Net Prohibited",
        Trouble::HostProhibited => "Destination Host Prohibited",
        Trouble::Prohibited | Trouble::SourcePolicy | Trouble::RejectRoute => "Packet filtered",
        Trouble::HopLimit => "Time to live exceeded",
        Trouble::Reassembly => "Frag reassembly time exceeded",
        Trouble::Header { .. } => "Parameter problem",
        Trouble::Isolated => "Dest Unreachable, Bad Code: 8",
        Trouble::NetworkService => "Dest Unreachable, Bad Code: 11",
        Trouble::HostService => "Dest Unreachable, Bad Code: 12",
        Trouble::Precedence => "Dest Unreachable, Bad Code: 14",
        Trouble::PrecedenceCutoff => "Dest Unreachable, Bad Code: 15",
        Trouble::Other { icmp_type: 3, code } => return format!("Dest Unreachable, Bad Code: {code}"),
        Trouble::Other { icmp_type, code } => return format!("Bad ICMP type: {icmp_type} code {code}"),
    };
    words.to_owned()
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("ping.sent", "echo requests sent"),
    Metric::counter("ping.ok", "echo replies received"),
    Metric::counter("ping.lost", "once at the end: requests without a reply"),
    Metric::counter("ping.error", "ICMP errors that came instead of a reply"),
    Metric::times("ping.time", "round-trip times"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_iputils_prints_them() {
        for (millis, text) in [(0.0321, "0.032"), (1.234, "1.23"), (12.345, "12.3"), (123.45, "123"), (0.99999, "1.00")]
        {
            assert_eq!(triplet(millis), text);
        }
        for (percent, text) in [(0.0, "0"), (100.0, "100"), (100.0 / 3.0, "33.3333"), (50.0, "50"), (0.5, "0.5")] {
            assert_eq!(shortest(percent), text);
        }
    }
}
