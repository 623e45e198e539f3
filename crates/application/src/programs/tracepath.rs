//! `tracepath`: finds the way to a host, and the largest packet that it takes.

use core::time::Duration;
use std::io;
use std::net::IpAddr;

use septet_core::Metric;
use septet_socket::{BoxFuture, MtuDiscovery, NetExt, Trouble};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::hop::{Hop, probe};
use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Tracepath;

impl Program for Tracepath {
    fn name(&self) -> &'static str {
        "tracepath"
    }

    fn summary(&self) -> &'static str {
        "shows the routers on the way to a host, and the path's MTU"
    }

    fn usage(&self) -> &'static str {
        "Usage: tracepath [options] <destination>
 -4, -6        Only to an address of this version of IP
 -b            Show both names and addresses
 -l <length>   Begin with packets of this length (that of the first link)
 -m <hops>     Go no further than so many hops (30)
 -n            Do not look names up
It sends echo requests that nobody may cut.
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
                Ok(options) => match walk(&context, &options).await {
                    Ok(code) => code,
                    Err(why) => complain(&context, "tracepath", &why, 1),
                },
                Err(e) => complain(&context, "tracepath", &e, 2),
            }
        })
    }
}

struct Options {
    host: String,
    family: Family,
    length: Option<u32>,
    hops: u8,
    numeric: bool,
    both: bool,
}

const SPECS: &[Spec] = &[flag('4', ""), flag('6', ""), flag('b', ""), value('l', ""), value('m', ""), flag('n', "")];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options =
            Self { host: String::new(), family: Family::Any, length: None, hops: 30, numeric: false, both: false };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.host.is_empty() => options.host = word,
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "n" => options.numeric = true,
                Arg::Flag(name) if name == "b" => options.both = true,
                Arg::Flag(name) => options.family = args::family(&name).unwrap_or(options.family),
                Arg::Value(name, text) if name == "l" => {
                    options.length = Some(args::within("-l", &text, 48, 65_535, "a length from 48 to 65535")?);
                }
                Arg::Value(_, text) => {
                    options.hops = args::within("-m", &text, 1, 255, "a number of hops from 1 to 255")?;
                }
            }
            Ok(())
        })?;
        if options.host.is_empty() {
            return Err(ArgError::Missing("the destination").into());
        }
        Ok(options)
    }
}

/// As iputils: a second for each answer, and three tries.
const WAIT: Duration = Duration::from_secs(1);
const TRIES: u32 = 3;
/// Where nobody can say how large the first link's packets are.
const UNKNOWN_MTU: u32 = 1500;

async fn walk(context: &Context, options: &Options) -> Result<u8, String> {
    let net = &context.net;
    let mut names = Names::new(net.clone());
    let host = names.address(&options.host, options.family).await.map_err(|e| format!("{}: {e}", options.host))?;
    let socket = net.open_icmp(host).map_err(|e| format!("socket: {e}"))?;
    socket.set_mtu_discovery(MtuDiscovery::Do).map_err(|e| e.to_string())?;
    let print = |text: String| context.console.out(text.as_bytes());
    // The headers of IP and of ICMP.
    let headers = if host.is_ipv4() { 28 } else { 48 };
    let links = net.admin().and_then(|admin| admin.links()).unwrap_or_default();
    let first = links.iter().map(|link| link.mtu).max().unwrap_or(UNKNOWN_MTU);
    let mut mtu = options.length.unwrap_or(first);
    if options.length.is_none() {
        // Over IPv6 the original tells how long it took to find that out.
        let took = if host.is_ipv6() { "  0.000ms " } else { "" };
        print(format!("{:<38}{took}pmtu {mtu}\n", " 1?: [LOCALHOST]"));
    }
    let (mut seq, mut ttl) = (0u16, 1u8);
    // What it has found out makes the original ask the first hop once more.
    let mut asks_again = options.length.is_none();
    loop {
        let mut tries = 0;
        let (hop, took) = loop {
            (seq, tries) = (seq.wrapping_add(1), tries + 1);
            net.count("tracepath.sent");
            let asked = probe(net, &socket, (host, ttl, seq), mtu.saturating_sub(headers) as usize, WAIT).await;
            match asked {
                Ok((Hop::Silence, _)) if tries < TRIES => {}
                Ok(answer) => break answer,
                Err(e) if e.kind() == io::ErrorKind::InvalidInput && mtu > 68 => {
                    // What this host knows of the path by now is less.
                    mtu = less(&links.iter().map(|link| link.mtu).collect::<Vec<_>>(), mtu);
                    tries -= 1;
                }
                Err(e) => return Err(format!("send: {e}")),
            }
        };
        let millis = took.as_secs_f64() * 1e3;
        let mut who = async |ip: IpAddr| {
            // As getnameinfo(3): what has no name is called by its address.
            let name = if options.numeric && !options.both { None } else { names.name(ip).await };
            let (address, name) = (ip.to_string(), name.unwrap_or_else(|| ip.to_string()));
            let shown = match (options.numeric, options.both) {
                (true, true) => format!("{address} ({name})"),
                (false, true) => format!("{name} ({address})"),
                (_, false) => name,
            };
            format!("{ttl:2}:  {shown:<52}{millis:7.3}ms ")
        };
        match hop {
            Hop::Router(from) | Hop::Host(from, _) if asks_again => {
                asks_again = false;
                let line = who(from).await;
                print(format!("{line}{}\n", if matches!(hop, Hop::Host(..)) { "reached" } else { "" }));
                continue;
            }
            Hop::Silence => print(format!("{ttl:2}:  no reply\n")),
            Hop::TooBig(from, told) => {
                let told = if told == 0 || told >= mtu { less(&[], mtu) } else { told };
                let line = who(from).await;
                print(format!("{line}pmtu {told}\n"));
                mtu = told;
                continue;
            }
            Hop::Router(from) => {
                let line = who(from).await;
                print(format!("{line}\n"));
            }
            Hop::Host(from, back) => {
                let line = who(from).await;
                net.count("tracepath.reached");
                net.observe("tracepath.pmtu", f64::from(mtu));
                // As many hops as its time to live has lost on the way back, from the next usual start.
                let start = [64u16, 128, 255].into_iter().find(|start| u16::from(back) <= *start).unwrap_or(255);
                print(format!(
                    "{line}reached\n     Resume: pmtu {mtu} hops {ttl} back {} \n",
                    start - u16::from(back) + 1
                ));
                return Ok(0);
            }
            Hop::Unreachable(from, trouble) => {
                let line = who(from).await;
                let mark = match trouble {
                    Trouble::HostUnreachable => "!H",
                    Trouble::ProtocolUnreachable => "!P",
                    Trouble::NoRoute => "!N",
                    _ => "!A",
                };
                print(format!("{line}{mark}\n     Resume: pmtu {mtu} \n"));
                return Ok(1);
            }
        }
        if ttl == options.hops {
            print(format!("     Too many hops: pmtu {mtu}\n     Resume: pmtu {mtu} \n"));
            return Ok(1);
        }
        ttl += 1;
    }
}

/// The next smaller of the MTUs that links are known to have (RFC 1191 §7.1).
fn less(known: &[u32], mtu: u32) -> u32 {
    const PLATEAUS: [u32; 10] = [32_000, 17_914, 8166, 4352, 2002, 1500, 1492, 1006, 508, 296];
    let smaller = |all: &[u32]| all.iter().copied().filter(|plateau| *plateau < mtu).max();
    smaller(known).max(smaller(&PLATEAUS)).unwrap_or(68)
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("tracepath.sent", "packets sent"),
    Metric::counter("tracepath.reached", "hosts that were reached"),
    Metric::sizes("tracepath.pmtu", "the largest packet that reaches the host whole"),
];
