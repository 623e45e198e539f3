//! `udp-send`: sends numbered datagrams.

use core::convert::Infallible;
use core::pin::pin;
use core::time::Duration;
use septet_core::Metric;
use std::io;
use std::net::SocketAddr;

use futures_util::future::{Either, select};
use septet_core::Storey;
use septet_socket::{BoxFuture, Broadcast, NetExt, UdpSocket};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::arrivals::{Arrivals, Gaps};
use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct UdpSend;

/// Eight bytes of number and eight of time begin each datagram.
pub(super) const HEADER: usize = 16;
const SMALLEST: u64 = HEADER as u64;
/// What an IPv4 packet holds beside its header and UDP's.
const LARGEST: u64 = 65_507;

impl Program for UdpSend {
    fn name(&self) -> &'static str {
        "udp-send"
    }

    fn summary(&self) -> &'static str {
        "sends numbered datagrams"
    }

    fn usage(&self) -> &'static str {
        "Usage: udp-send [options] <host> <port>
 -4, -6           Only to an address of this version of IP
 --count <n>      So many datagrams (1; without end where there is a --time)
 --time <t>       No more after this time
 --size <bytes>   Bytes of payload, at least 16 (1000)
 --interval <t>   Time between two datagrams (none)
 --rate <bits/s>  Or so many bits of payload a second
 --arrivals <how> How they follow each other, the interval being the mean:
                  regular (so unless told otherwise), poisson, uniform,
                  pareto[:<shape>], or on-off:<on>:<off>[:<shape>], which keeps
                  the interval in periods of these mean lengths, exponential or
                  with a Pareto tail of this shape
 --receive        Count what comes back, until a second after the last was sent
 --ttl <n>        Time to live
 --broadcast      May send to all on a link
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
                Ok(options) => match send(&context, &options).await {
                    Ok(()) => 0,
                    Err(e) => {
                        context.net.trace(Storey::Application, "send.failed", |f| {
                            f.set("to", format!("{}:{}", options.host, options.port)).set("why", e.to_string());
                        });
                        complain(&context, "udp-send", &e, 1)
                    }
                },
                Err(e) => complain(&context, "udp-send", &e, 2),
            }
        })
    }
}

struct Options {
    host: String,
    port: u16,
    family: Family,
    count: u64,
    time: Option<Duration>,
    size: usize,
    interval: Duration,
    arrivals: Arrivals,
    answers: Answers,
    ttl: Option<u8>,
    broadcast: bool,
}

/// What is done about datagrams that come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answers {
    Ignored,
    Counted,
}

/// How long answers are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    value(' ', "count"),
    value(' ', "time"),
    value(' ', "size"),
    value(' ', "interval"),
    value(' ', "rate"),
    value(' ', "arrivals"),
    flag(' ', "receive"),
    value(' ', "ttl"),
    flag(' ', "broadcast"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let (mut count, mut time, mut size, mut interval, mut rate) = (None, None, 1000, Duration::ZERO, None);
        let (mut arrivals, mut answers, mut ttl) = (Arrivals::Regular, Answers::Ignored, None);
        let (mut host, mut port, mut family, mut broadcast) = (None, None, Family::Any, false);
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if host.is_none() => host = Some(word),
                Arg::Free(word) if port.is_none() => port = Some(args::port("port", &word)?),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "broadcast" => broadcast = true,
                Arg::Flag(name) => match args::family(&name) {
                    Some(only) => family = only,
                    None => answers = Answers::Counted,
                },
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "count" => count = Some(args::number(&option, &text)?),
                        "time" => time = Some(args::span(&option, &text)?),
                        "arrivals" => arrivals = Arrivals::parse(&text)?,
                        "size" => {
                            size = match args::amount(&option, &text, 1024)? {
                                bytes @ SMALLEST..=LARGEST => bytes as usize,
                                _ => return Err(args::bad(&option, &text, "a size from 16 to 65507")),
                            };
                        }
                        "interval" => interval = args::span(&option, &text)?,
                        "rate" => rate = Some(args::some(&option, &text, 1000)?),
                        _ => ttl = Some(args::within(&option, &text, 1, 255, "a number of hops from 1 to 255")?),
                    }
                }
            }
            Ok(())
        })?;
        if let Some(rate) = rate {
            interval = Duration::from_nanos(size as u64 * 8 * 1_000_000_000 / rate);
        }
        if interval.is_zero() && (arrivals != Arrivals::Regular || time.is_some() && count.is_none()) {
            return Err(ArgError::Missing("--interval or --rate").into());
        }
        if !arrivals.fits(interval) {
            let (option, value) = ("--interval".to_owned(), format!("{interval:?}"));
            return Err(ArgError::Bad { option, value, wanted: "within a period that is on" }.into());
        }
        let count = count.unwrap_or(if time.is_some() { u64::MAX } else { 1 });
        let host = host.ok_or(ArgError::Missing("the host"))?;
        let port = port.ok_or(ArgError::Missing("the port"))?;
        Ok(Self { host, port, family, count, time, size, interval, arrivals, answers, ttl, broadcast })
    }
}

async fn send(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let ip = Names::new(net.clone()).address(&options.host, options.family).await.map_err(io::Error::other)?;
    let socket = net.open_udp(ip)?;
    if let Some(ttl) = options.ttl {
        socket.set_ttl(ttl)?;
        socket.set_multicast_ttl(ttl)?;
    }
    if options.broadcast {
        socket.set_broadcast(Broadcast::Allowed)?;
    }
    let to = SocketAddr::new(ip, options.port);
    let mut back = (0u64, 0u64);
    let (sent, failed) = match options.answers {
        Answers::Ignored => send_all(context, options, &socket, to).await,
        Answers::Counted => {
            let sending = pin!(async {
                let sent = send_all(context, options, &socket, to).await;
                net.sleep(PATIENCE).await;
                sent
            });
            match select(sending, pin!(receive(context, &socket, &mut back))).await {
                Either::Left((sent, _)) => sent,
                Either::Right((never, _)) => match never {},
            }
        }
    };
    let mut line = format!("{sent} datagrams of {} bytes sent, {failed} failed", options.size);
    if options.answers == Answers::Counted {
        line.push_str(&format!(", {} came back with {} bytes", back.0, back.1));
    }
    context.console.out(format!("{line}\n").as_bytes());
    Ok(())
}

/// Sends them, and gives how many were sent and how many could not be.
async fn send_all(context: &Context, options: &Options, socket: &UdpSocket, to: SocketAddr) -> (u64, u64) {
    let net = &context.net;
    let mut datagram: Vec<u8> = (0..options.size).map(|i| i as u8).collect();
    let mut gaps = Gaps::new(net, options.arrivals, options.interval);
    let mut due = net.now();
    let end = options.time.map(|time| due + time);
    let (mut sent, mut failed) = (0u64, 0u64);
    for number in 0..options.count {
        if end.is_some_and(|end| due >= end) {
            break;
        }
        if due > net.now() {
            net.sleep_until(due).await;
        }
        due += gaps.next();
        datagram[..8].copy_from_slice(&number.to_be_bytes());
        let nanos = u64::try_from(net.unix_time().as_nanos()).unwrap_or(u64::MAX);
        datagram[8..HEADER].copy_from_slice(&nanos.to_be_bytes());
        match socket.send_to(&datagram, to).await {
            Ok(_) => {
                sent += 1;
                net.observe("send.bytes", options.size as f64);
            }
            Err(e) => {
                failed += 1;
                net.count("send.error");
                net.trace(Storey::Application, "send.failed", |f| {
                    f.set("to", to).set("number", number).set("why", e.to_string());
                });
            }
        }
    }
    (sent, failed)
}

/// Counts what comes back: datagrams and bytes.
async fn receive(context: &Context, socket: &UdpSocket, back: &mut (u64, u64)) -> Infallible {
    let net = &context.net;
    let mut buf = vec![0; 65_536];
    loop {
        let Ok(datagram) = socket.receive(&mut buf).await else { continue };
        back.0 += 1;
        back.1 += datagram.len as u64;
        net.observe("send.received", datagram.len as f64);
        if let Some(stamp) = buf[..datagram.len.min(buf.len())].get(8..HEADER).and_then(|b| b.first_chunk()) {
            let sent = Duration::from_nanos(u64::from_be_bytes(*stamp));
            net.observe("send.time", net.unix_time().saturating_sub(sent).as_secs_f64());
        }
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::bytes("send.bytes", "bytes handed to the network; for TCP in samples at least 10 ms apart"),
    Metric::counter("send.error", "transfers that broke, datagrams that could not leave"),
    Metric::times(
        "send.time",
        "from connecting to the other end's close; from a datagram of `udp-send --receive` to its answer",
    ),
    Metric::bytes("send.received", "bytes that came back to `tcp-send --receive` and `udp-send --receive`"),
];
