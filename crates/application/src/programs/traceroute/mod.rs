//! `traceroute`: finds the way to a host by the routers that let its packets die.

mod udp;

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;

use septet_core::{Instant, Metric, Storey};
use septet_socket::{BoxFuture, EchoReply, IcmpSocket, NetExt, Trouble};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::names::Names;
use super::syn::{self, Origin};
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Traceroute;

impl Program for Traceroute {
    fn name(&self) -> &'static str {
        "traceroute"
    }

    fn summary(&self) -> &'static str {
        "shows the routers on the way to a host"
    }

    fn usage(&self) -> &'static str {
        "Usage: traceroute [options] <host> [packet length]
 -4, -6        Only to an address of this version of IP
 -f <first>    Begin with this time to live (1)
 -i <device>   Send by this interface
 -I            Send ICMP echo requests instead of UDP
 -m <hops>     Go no further than so many hops (30)
 -n            Do not look names up
 -N <probes>   How many probes are under way at once (16)
 -p <port>     The UDP port of the first probe (33434), with -U (53) and -T (80) the port of all
 -q <probes>   Probes a hop (3)
 -s <address>  Send from this address
 -T            Send TCP SYNs instead of UDP
 -U            Send UDP to one port instead of the next for each probe
 -w <wait>     Seconds to wait for an answer (5)
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs { hosts: vec![options.host], ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match run(&context, &options).await {
                    Ok(()) => 0,
                    Err(Failed { why, code }) => {
                        context.console.err(format!("{why}\n").as_bytes());
                        code
                    }
                },
                Err(e) => complain(&context, "traceroute", &e, 2),
            }
        })
    }
}

/// Why it ends without a way, and the exit status.
struct Failed {
    why: String,
    code: u8,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self { why, code: 1 }
    }
}

struct Options {
    host: String,
    family: Family,
    /// Of a whole packet: as the original, 60 bytes over IPv4 and 80 over IPv6 where nobody says.
    length: Option<usize>,
    first: u8,
    hops: u8,
    method: Method,
    numeric: bool,
    origin: Origin,
    at_once: usize,
    port: Option<u16>,
    probes: u32,
    wait: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Udp,
    UdpTo,
    Icmp,
    Tcp,
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    value('f', "first"),
    value('i', "interface"),
    flag('I', "icmp"),
    value('m', "max-hops"),
    flag('n', ""),
    value('N', "sim-queries"),
    value('p', "port"),
    value('q', "queries"),
    value('s', "source"),
    flag('T', "tcp"),
    flag('U', "udp"),
    value('w', "wait"),
];

const HOPS: &str = "a number of hops from 1 to 255";

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            host: String::new(),
            family: Family::Any,
            length: None,
            first: 1,
            hops: 30,
            method: Method::Udp,
            numeric: false,
            origin: Origin::default(),
            at_once: 16,
            port: None,
            probes: 3,
            wait: Duration::from_secs(5),
        };
        let mut frees = 0;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) => {
                    match frees {
                        0 => options.host = word,
                        1 => options.length = Some(args::number::<u16>("packet length", &word)?.into()),
                        _ => return Err(ArgError::Extra(word)),
                    }
                    frees += 1;
                }
                Arg::Flag(name) if name == "icmp" => options.method = Method::Icmp,
                Arg::Flag(name) if name == "tcp" => options.method = Method::Tcp,
                Arg::Flag(name) if name == "udp" => options.method = Method::UdpTo,
                Arg::Flag(name) if name == "n" => options.numeric = true,
                Arg::Flag(name) => options.family = args::family(&name).unwrap_or(options.family),
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "first" => options.first = args::within(&option, &text, 1, 255, HOPS)?,
                        "max-hops" => options.hops = args::within(&option, &text, 1, 255, HOPS)?,
                        "sim-queries" => {
                            options.at_once =
                                args::within(&option, &text, 1, 1000, "a number of probes from 1 to 1000")?;
                        }
                        "interface" => options.origin.device = Some(text),
                        "source" => {
                            let wrong = |_| args::bad(&option, &text, "an address of this host");
                            options.origin.address = Some(text.parse().map_err(wrong)?);
                        }
                        "port" => options.port = Some(args::port(&option, &text)?),
                        // traceroute(8) allows up to ten.
                        "queries" => {
                            options.probes = args::within(&option, &text, 1, 10, "a number of probes from 1 to 10")?
                        }
                        _ => options.wait = args::span(&option, &text)?,
                    }
                }
            }
            Ok(())
        })?;
        if options.host.is_empty() {
            return Err(ArgError::Missing("the host").into());
        }
        if options.first > options.hops {
            return Err(ArgError::Bad {
                option: "--first".to_owned(),
                value: options.first.to_string(),
                wanted: "within the number of hops",
            }
            .into());
        }
        Ok(options)
    }

    /// The port of the first probe, or of all.
    fn port(&self) -> u16 {
        self.port.unwrap_or(match self.method {
            Method::Tcp => 80,
            Method::UdpTo => 53,
            Method::Udp | Method::Icmp => 33_434,
        })
    }

    fn length(&self, host: IpAddr) -> usize {
        self.length.unwrap_or(if host.is_ipv4() { 60 } else { 80 })
    }

    fn probe_count(&self) -> u32 {
        u32::from(self.hops - self.first + 1) * self.probes
    }

    fn ttl_of(&self, probe: u32) -> u8 {
        // Bounded by `hops`, which is a u8.
        self.first + (probe / self.probes) as u8
    }
}

/// What became of a probe.
#[derive(Clone, Copy)]
enum Outcome {
    Waiting,
    Lost,
    Answered { from: IpAddr, after: Duration, kind: Kind },
}

/// What an answer says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A router on the way: the time to live ran out.
    OnTheWay,
    /// The host itself.
    Reached,
    /// Nobody can get further.
    Unreachable(Trouble),
}

enum Prober {
    Udp(udp::Prober),
    Icmp(IcmpSocket),
    Tcp(syn::Prober),
}

impl Prober {
    async fn open(context: &Context, options: &Options, host: IpAddr) -> Result<Self, String> {
        let (net, origin, port) = (&context.net, &options.origin, options.port());
        let opened = match options.method {
            Method::Icmp => open_icmp(context, origin, host).map(Self::Icmp),
            Method::Tcp => syn::Prober::open(net, host, port, origin).map(Self::Tcp),
            Method::Udp => udp::Prober::open(net, host, origin, udp::Ports::From(port)).await.map(Self::Udp),
            Method::UdpTo => udp::Prober::open(net, host, origin, udp::Ports::One(port)).await.map(Self::Udp),
        };
        opened.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => "setsockopt SO_BINDTODEVICE: No such device".to_owned(),
            io::ErrorKind::AddrNotAvailable => "bind: Cannot assign requested address".to_owned(),
            _ => format!("traceroute: socket: {e}"),
        })
    }
}

fn open_icmp(context: &Context, origin: &Origin, host: IpAddr) -> io::Result<IcmpSocket> {
    let socket = context.net.open_icmp(host)?;
    if let Some(device) = &origin.device {
        socket.bind_device(device)?;
    }
    if let Some(address) = origin.address {
        socket.bind(address)?;
    }
    Ok(socket)
}

async fn run(context: &Context, options: &Options) -> Result<(), Failed> {
    let net = &context.net;
    let names = Names::new(net.clone());
    let host = names.address(&options.host, options.family).await.map_err(|e| format!("{}: {e}", options.host))?;
    if options.origin.address.is_some_and(|address| address.is_ipv4() != host.is_ipv4()) {
        return Err(Failed { why: "IP version mismatch in addresses specified".to_owned(), code: 2 });
    }
    let (name, hops, length) = (&options.host, options.hops, options.length(host));
    context.console.out(format!("traceroute to {name} ({host}), {hops} hops max, {length} byte packets\n").as_bytes());
    let prober = Prober::open(context, options, host).await?;
    let mut walk = Walk {
        context,
        options,
        host,
        prober,
        names,
        sent: 0,
        printed: 0,
        line: String::new(),
        last_from: None,
        outcomes: BTreeMap::new(),
        end: options.probe_count(),
    };
    Ok(walk.drive().await?)
}

struct Walk<'a> {
    context: &'a Context,
    options: &'a Options,
    host: IpAddr,
    prober: Prober,
    names: Names,
    /// How many probes were sent.
    sent: u32,
    /// How many probes were printed.
    printed: u32,
    line: String,
    last_from: Option<IpAddr>,
    /// Probes sent and not yet printed: when, and what became of them.
    outcomes: BTreeMap<u32, (Instant, Outcome)>,
    /// After so many probes it is over: the last hop's, once it is known.
    end: u32,
}

impl Walk<'_> {
    async fn drive(&mut self) -> Result<(), String> {
        while self.printed < self.end {
            while self.sent < self.end && (self.sent - self.printed) < self.options.at_once as u32 {
                self.send().await?;
            }
            let oldest = self.outcomes.values().find(|(_, o)| matches!(o, Outcome::Waiting)).map(|(at, _)| *at);
            if let Some(oldest) = oldest {
                let patience = self.context.net.sleep_until(oldest + self.options.wait);
                match self.answer(patience).await {
                    Some((probe, from, kind)) => self.take(probe, from, kind),
                    None => self.give_up(),
                }
            }
            self.print().await;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), String> {
        let probe = self.sent;
        let ttl = self.options.ttl_of(probe);
        let failed = |e: io::Error| format!("traceroute: {e}");
        // The header of IP and the eight bytes of UDP or ICMP are part of the length.
        let overhead = if self.host.is_ipv4() { 28 } else { 48 };
        let payload: Vec<u8> =
            (0..self.options.length(self.host).saturating_sub(overhead)).map(|i| 0x40 + (i % 64) as u8).collect();
        let net = &self.context.net;
        net.count("traceroute.sent");
        let sent = match &mut self.prober {
            Prober::Udp(prober) => prober.send(probe, ttl, &payload).await,
            Prober::Icmp(socket) => {
                socket.set_ttl(ttl).map_err(failed)?;
                socket.send(self.host, probe as u16 + 1, &payload).await
            }
            Prober::Tcp(prober) => prober.send(probe, ttl),
        };
        let outcome = match sent {
            Ok(()) => Outcome::Waiting,
            Err(e) if e.kind() == io::ErrorKind::NetworkUnreachable && probe == 0 => {
                return Err(format!("connect: {e}"));
            }
            Err(e) => {
                self.fails(ttl, &format!("cannot be sent: {e}"));
                Outcome::Lost
            }
        };
        self.outcomes.insert(probe, (net.now(), outcome));
        self.sent += 1;
        Ok(())
    }

    /// The next answer to a probe, unless `patience` ends first.
    async fn answer(&self, patience: septet_socket::Sleep) -> Option<(u32, IpAddr, Kind)> {
        let mut patience = pin!(patience);
        let mut buf = [0; 64];
        loop {
            let got = match &self.prober {
                Prober::Udp(prober) => {
                    let mut answer = pin!(prober.receive());
                    core::future::poll_fn(|cx| match answer.as_mut().poll(cx) {
                        Poll::Ready((probe, answer)) => Poll::Ready(Some(self.answer_in(probe, answer))),
                        Poll::Pending => patience.as_mut().poll(cx).map(|()| None),
                    })
                    .await
                }
                Prober::Icmp(socket) => {
                    let mut reply = pin!(socket.receive(&mut buf));
                    core::future::poll_fn(|cx| match reply.as_mut().poll(cx) {
                        Poll::Ready(Ok(EchoReply::Reply { from, seq, .. })) => {
                            Poll::Ready(Some(Some((u32::from(seq).wrapping_sub(1), from, Kind::Reached))))
                        }
                        Poll::Ready(Ok(EchoReply::Error { seq, error })) => {
                            let probe = u32::from(seq).wrapping_sub(1);
                            Poll::Ready(Some(Some((probe, error.reporter, kind_of(error.trouble)))))
                        }
                        _ => patience.as_mut().poll(cx).map(|()| None),
                    })
                    .await
                }
                Prober::Tcp(prober) => {
                    let mut packet = vec![0; 2048];
                    let mut answer = pin!(prober.receive(&mut packet));
                    core::future::poll_fn(|cx| match answer.as_mut().poll(cx) {
                        Poll::Ready(Ok((probe, answer))) => Poll::Ready(Some(Some(self.answer_of(probe, answer)))),
                        _ => patience.as_mut().poll(cx).map(|()| None),
                    })
                    .await
                }
            };
            match got {
                None => return None,
                Some(Some(answer)) => return Some(answer),
                Some(None) => {}
            }
        }
    }

    fn answer_of(&self, probe: u32, answer: syn::Answer) -> (u32, IpAddr, Kind) {
        match answer {
            syn::Answer::Host(from) => (probe, from, Kind::Reached),
            syn::Answer::Way(from, trouble) => (probe, from, kind_of(trouble)),
        }
    }

    fn answer_in(&self, probe: u32, answer: udp::Answer) -> Option<(u32, IpAddr, Kind)> {
        match answer {
            udp::Answer::Datagram(from) => Some((probe, from, Kind::Reached)),
            udp::Answer::Error(error) if error.destination.ip() == self.host => {
                Some((probe, error.reporter, kind_of(error.trouble)))
            }
            udp::Answer::Error(_) => None,
        }
    }

    fn take(&mut self, probe: u32, from: IpAddr, kind: Kind) {
        let now = self.context.net.now();
        let Some((sent, outcome @ (Outcome::Waiting | Outcome::Lost))) = self.outcomes.get_mut(&probe) else { return };
        let after = now - *sent;
        *outcome = Outcome::Answered { from, after, kind };
        if let Prober::Udp(prober) = &mut self.prober {
            prober.forget(probe);
        }
        let ttl = self.options.ttl_of(probe);
        let net = &self.context.net;
        net.count("traceroute.ok");
        net.observe("traceroute.time", after.as_secs_f64());
        net.trace(Storey::Application, "traceroute.answer", |f| {
            f.set("from", from).set("ttl", ttl).set("took", after);
            f.set(
                "why",
                match kind {
                    Kind::OnTheWay => "its time to live ran out there",
                    Kind::Reached => "the host itself answered",
                    Kind::Unreachable(_) => "there is no way on",
                },
            );
        });
        if kind != Kind::OnTheWay {
            let hop = u32::from(ttl - self.options.first) + 1;
            self.end = self.end.min(hop * self.options.probes);
        }
    }

    /// The oldest probes that still wait have waited long enough.
    fn give_up(&mut self) {
        let now = self.context.net.now();
        let mut lost = Vec::new();
        for (probe, (sent, outcome)) in &mut self.outcomes {
            if matches!(outcome, Outcome::Waiting) && *sent + self.options.wait <= now {
                *outcome = Outcome::Lost;
                lost.push(*probe);
            }
        }
        for probe in lost {
            let why = format!("no answer within {} s", self.options.wait.as_secs_f64());
            self.fails(self.options.ttl_of(probe), &why);
        }
    }

    fn fails(&self, ttl: u8, why: &str) {
        self.context.net.trace(Storey::Application, "traceroute.failed", |f| {
            f.set("to", self.host).set("ttl", ttl).set("why", why.to_owned());
        });
    }

    /// Prints what is known, in order.
    async fn print(&mut self) {
        while let Some((_, outcome)) = self.outcomes.get(&self.printed).copied() {
            let hop_begins = self.printed.is_multiple_of(self.options.probes);
            if self.printed >= self.end || matches!(outcome, Outcome::Waiting) {
                return;
            }
            if hop_begins {
                self.line = format!("{:2} ", self.options.ttl_of(self.printed));
                self.last_from = None;
            }
            match outcome {
                Outcome::Answered { from, after, kind } => {
                    if self.last_from != Some(from) {
                        let name = if self.options.numeric { None } else { self.names.name(from).await };
                        match name {
                            Some(name) => self.line.push_str(&format!(" {name} ({from})")),
                            None if self.options.numeric => self.line.push_str(&format!(" {from}")),
                            None => self.line.push_str(&format!(" {from} ({from})")),
                        }
                        self.last_from = Some(from);
                    }
                    self.line.push_str(&format!("  {:.3} ms", after.as_secs_f64() * 1e3));
                    if let Kind::Unreachable(trouble) = kind {
                        self.line.push_str(&mark(trouble));
                    }
                }
                _ => self.line.push_str(" *"),
            }
            self.outcomes.remove(&self.printed);
            self.printed += 1;
            if self.printed.is_multiple_of(self.options.probes) {
                self.line.push('\n');
                self.context.console.out(self.line.as_bytes());
            }
        }
    }
}

fn kind_of(trouble: Trouble) -> Kind {
    match trouble {
        Trouble::HopLimit | Trouble::Reassembly => Kind::OnTheWay,
        // "Port unreachable" is what the host itself says to a datagram that nobody expected.
        Trouble::PortUnreachable => Kind::Reached,
        trouble => Kind::Unreachable(trouble),
    }
}

/// traceroute(8): "!H, !N, or !P (host, network or protocol unreachable), !S (source route failed), !F (fragmentation
/// needed), !X (communication administratively prohibited), !V (host precedence violation), !C (precedence cutoff in
/// effect), or !<num> (ICMP unreachable code <num>)".
fn mark(trouble: Trouble) -> String {
    let mark = match trouble {
        Trouble::NoRoute => " !N",
        Trouble::HostUnreachable | Trouble::BeyondScope => " !H",
        Trouble::ProtocolUnreachable => " !P",
        Trouble::TooBig { .. } => " !F",
        Trouble::SourceRoute => " !S",
        Trouble::Prohibited
        | Trouble::NetworkProhibited
        | Trouble::HostProhibited
        | Trouble::SourcePolicy
        | Trouble::RejectRoute => " !X",
        Trouble::Precedence => " !V",
        Trouble::PrecedenceCutoff => " !C",
        Trouble::NetworkUnknown => " !6",
        Trouble::HostUnknown => " !7",
        Trouble::Isolated => " !8",
        Trouble::NetworkService => " !11",
        Trouble::HostService => " !12",
        Trouble::Header { .. } | Trouble::HopLimit | Trouble::Reassembly | Trouble::PortUnreachable => "",
        Trouble::Other { code, .. } => return format!(" !{code}"),
    };
    mark.to_owned()
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("traceroute.sent", "probes sent"),
    Metric::counter("traceroute.ok", "probes answered"),
    Metric::times("traceroute.time", "round-trip times to the routers on the way"),
];
