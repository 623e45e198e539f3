//! `arping`: asks a neighbour for its link address, or tells the link one.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Instant, Metric, Storey};
use septet_socket::admin::Link;
use septet_socket::{Admin, BoxFuture, NetExt, PacketSocket};
use septet_wire::arp::{Operation, Packet};
use septet_wire::ethernet::{EtherType, MacAddr};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::names::Names;
use super::{Context, Lasts, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Arping;

impl Program for Arping {
    fn name(&self) -> &'static str {
        "arping"
    }

    fn summary(&self) -> &'static str {
        "asks a neighbour for its link address"
    }

    fn usage(&self) -> &'static str {
        "Usage: arping [options] <destination>
 -A              Tell the link that the destination is this host's, by answers
 -b              Keep on asking everybody
 -c <count>      So many packets
 -D              Find out whether anybody has the destination: 0 where nobody has
 -f              Stop at the first answer
 -i <interval>   Seconds between two packets (1)
 -I <device>     The interface (the one on whose link the destination is)
 -q              Print nothing
 -s <source>     The address that asks
 -U              Tell the link that the destination is this host's, by questions
 -w <deadline>   Stop after so many seconds
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        let lasts = if options.count.is_none() && options.deadline.is_none() && !options.first {
            Lasts::Forever
        } else {
            Lasts::Ends
        };
        Ok(Needs { lasts, hosts: vec![options.destination], ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match ask(&context, &options).await {
                    Ok(code) => code,
                    Err(why) => complain(&context, "arping", &why, 2),
                },
                Err(e) => complain(&context, "arping", &e, 2),
            }
        })
    }
}

/// What is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Who has it?
    Ask,
    /// Has anybody it?
    Detect,
    /// It is mine, by a question of myself or an answer to nobody.
    Tell(Operation),
}

struct Options {
    destination: String,
    mode: Mode,
    broadcast: bool,
    count: Option<u64>,
    first: bool,
    interval: Duration,
    device: Option<String>,
    quiet: bool,
    source: Option<Ipv4Addr>,
    deadline: Option<Duration>,
}

const SPECS: &[Spec] = &[
    flag('A', ""),
    flag('b', ""),
    value('c', ""),
    flag('D', ""),
    flag('f', ""),
    value('i', ""),
    value('I', ""),
    flag('q', ""),
    value('s', ""),
    flag('U', ""),
    value('w', ""),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            destination: String::new(),
            mode: Mode::Ask,
            broadcast: false,
            count: None,
            first: false,
            interval: Duration::from_secs(1),
            device: None,
            quiet: false,
            source: None,
            deadline: None,
        };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.destination.is_empty() => options.destination = word,
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) => match name.as_str() {
                    "A" => options.mode = Mode::Tell(Operation::Reply),
                    "U" => options.mode = Mode::Tell(Operation::Request),
                    "D" => (options.mode, options.first) = (Mode::Detect, true),
                    "b" => options.broadcast = true,
                    "f" => options.first = true,
                    _ => options.quiet = true,
                },
                Arg::Value(name, text) => {
                    let option = format!("-{name}");
                    match name.as_str() {
                        "c" => options.count = Some(args::within(&option, &text, 1, u64::MAX, "a number from 1 on")?),
                        "i" => options.interval = args::span(&option, &text)?,
                        "I" => options.device = Some(text),
                        "s" => {
                            options.source =
                                Some(text.parse().map_err(|_| args::bad(&option, &text, "an IPv4 address"))?);
                        }
                        _ => options.deadline = Some(args::span(&option, &text)?),
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

/// The interface that is meant, and the address that it speaks from.
fn origin(admin: &Admin, options: &Options, to: Ipv4Addr) -> Result<(Link, Ipv4Addr), String> {
    let addresses = admin.addresses().map_err(|e| e.to_string())?;
    let v4 = addresses.iter().filter(|a| a.address.addr().is_ipv4());
    let iface = match &options.device {
        Some(name) => admin.link(name).map_err(|_| format!("Device {name} not available."))?.iface,
        None => {
            let near = v4.clone().find(|a| a.address.prefix().contains(to.into()));
            near.map(|a| a.iface).ok_or("Suitable device could not be determined. Please, use option -I.")?
        }
    };
    let link = admin.links().map_err(|e| e.to_string())?.into_iter().find(|link| link.iface == iface);
    let link = link.ok_or("Suitable device could not be determined. Please, use option -I.")?;
    let own = v4.filter(|a| a.iface == iface).find_map(|a| match a.address.addr() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    let source = match options.mode {
        Mode::Tell(_) => to,
        // RFC 5227 §2.1.1: a probe has no sender.
        Mode::Detect => Ipv4Addr::UNSPECIFIED,
        Mode::Ask => options.source.or(own).unwrap_or(Ipv4Addr::UNSPECIFIED),
    };
    Ok((link, source))
}

async fn ask(context: &Context, options: &Options) -> Result<u8, String> {
    let net = &context.net;
    let found = Names::new(net.clone()).address(&options.destination, Family::V4).await;
    let IpAddr::V4(to) = found.map_err(|e| format!("{}: {e}", options.destination))? else {
        return Err(format!("{}: not an IPv4 address", options.destination));
    };
    let admin = net.admin().map_err(|e| e.to_string())?;
    let (link, source) = origin(&admin, options, to)?;
    let socket = net.open_packet(&link.name, EtherType::ARP).map_err(|e| format!("socket: {e}"))?;
    let mut session =
        Session { context, options, socket, link, source, to, sent: 0, broadcasts: 0, got: 0, peer: None };
    session.print(&format!("ARPING {to} from {source} {}\n", session.link.name));
    session.drive().await;
    let Session { sent, broadcasts, got, .. } = session;
    session.print(&format!("Sent {sent} probes ({broadcasts} broadcast(s))\nReceived {got} response(s)\n"));
    Ok(match options.mode {
        Mode::Tell(_) => 0,
        Mode::Detect => u8::from(got > 0),
        Mode::Ask => u8::from(got == 0),
    })
}

struct Session<'a> {
    context: &'a Context,
    options: &'a Options,
    socket: PacketSocket,
    link: Link,
    source: Ipv4Addr,
    to: Ipv4Addr,
    sent: u64,
    broadcasts: u64,
    got: u64,
    /// Who answered: it alone is asked from then on.
    peer: Option<MacAddr>,
}

impl Session<'_> {
    async fn drive(&mut self) {
        let net = &self.context.net;
        let end = self.options.deadline.map_or(Instant::FAR_FUTURE, |deadline| net.now() + deadline);
        while self.options.count.is_none_or(|count| self.sent < count) && net.now() < end {
            let sent = self.send();
            let until = (sent + self.options.interval).min(end);
            if self.hear(sent, until).await && self.options.first {
                return;
            }
        }
    }

    fn send(&mut self) -> Instant {
        let net = &self.context.net;
        let peer = self.peer.filter(|_| !self.options.broadcast);
        let operation = if let Mode::Tell(operation) = self.options.mode { operation } else { Operation::Request };
        let target_mac = if operation == Operation::Reply { self.link.mac } else { MacAddr::default() };
        let (sender_mac, sender_ip) = (self.link.mac, self.source);
        let packet = Packet { operation, sender_mac, sender_ip, target_mac, target_ip: self.to };
        self.sent += 1;
        self.broadcasts += u64::from(peer.is_none());
        net.count("arping.sent");
        net.trace(Storey::Application, "arping.request", |f| {
            f.set("who-has", self.to).set("tell", self.source);
        });
        let _ = self.socket.send(packet.to_frame().bytes(), peer.unwrap_or(MacAddr::BROADCAST));
        net.now()
    }

    /// Hears answers until then; says whether there was one.
    async fn hear(&mut self, sent: Instant, until: Instant) -> bool {
        let net = self.context.net.clone();
        let mut buf = [0; 64];
        let mut any = false;
        loop {
            let left = until.saturating_since(net.now());
            let Ok(Ok(taken)) = net.timeout(left, self.socket.receive(&mut buf)).await else { return any };
            let Ok(packet) = Packet::parse(&buf[..taken.len.min(buf.len())]) else { continue };
            // What is said by others in the name of the destination, be it to this host or, in looking for a double, a probe.
            let is_double = self.options.mode == Mode::Detect && packet.sender_ip.is_unspecified();
            let is_answer = packet.operation == Operation::Reply || self.options.mode == Mode::Detect;
            let about = if is_double { packet.target_ip } else { packet.sender_ip };
            if about != self.to || !is_answer || packet.sender_mac == self.link.mac {
                continue;
            }
            any = true;
            self.got += 1;
            self.peer = Some(packet.sender_mac);
            let took = net.now() - sent;
            net.count("arping.ok");
            net.observe("arping.time", took.as_secs_f64());
            let how = if taken.to == self.link.mac { "Unicast" } else { "Broadcast" };
            let what = if packet.operation == Operation::Reply { "reply" } else { "request" };
            let mac = packet.sender_mac.to_string().to_uppercase();
            let micros = took.as_micros();
            self.print(&format!(
                "{how} {what} from {} [{mac}]  {}.{:03}ms\n",
                packet.sender_ip,
                micros / 1000,
                micros % 1000
            ));
            if self.options.first {
                return true;
            }
        }
    }

    fn print(&self, text: &str) {
        if !self.options.quiet {
            self.context.console.out(text.as_bytes());
        }
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("arping.sent", "ARP packets sent"),
    Metric::counter("arping.ok", "answers"),
    Metric::times("arping.time", "from a question to its answer"),
];
