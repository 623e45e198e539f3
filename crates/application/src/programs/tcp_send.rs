//! `tcp-send`: opens a connection and sends so many bytes.

use core::time::Duration;
use std::io;

use septet_core::{Metric, Storey};
use septet_socket::{BoxFuture, NetExt, Nodelay, TcpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::gauge::Gauge;
use super::names::Names;
use super::pace::Pace;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;
use crate::http::Pattern;

/// The program.
pub(super) struct TcpSend;

impl Program for TcpSend {
    fn name(&self) -> &'static str {
        "tcp-send"
    }

    fn summary(&self) -> &'static str {
        "sends so many bytes over TCP"
    }

    fn usage(&self) -> &'static str {
        "Usage: tcp-send [options] <host> <port> <bytes>
 -4, -6                Only to addresses of this version of IP
 --chunk <bytes>       Write so much at a time (64k)
 --rate <bits/s>       Write no faster than this
 --congestion <name>   Congestion controller
 --no-delay            Send without waiting for a full segment
 --receive             Read what comes back, too, before ending
 --reset               End with a reset instead of an orderly close
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs {
            hosts: vec![options.host],
            congestion: options.tcp.congestion.map(|name| name.to_string()),
            ..Needs::default()
        })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            let options = match Options::parse(&args) {
                Ok(options) => options,
                Err(e) => return complain(&context, "tcp-send", &e, 2),
            };
            match send(&context, &options).await {
                Ok(()) => 0,
                Err(e) => {
                    context.net.count("send.error");
                    context.net.trace(Storey::Application, "send.failed", |f| {
                        f.set("to", format!("{}:{}", options.host, options.port)).set("why", e.to_string());
                    });
                    complain(&context, "tcp-send", &e, 1)
                }
            }
        })
    }
}

struct Options {
    host: String,
    port: u16,
    family: Family,
    bytes: u64,
    chunk: usize,
    rate: Option<u64>,
    tcp: TcpOptions,
    receive: bool,
    reset: bool,
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    value(' ', "chunk"),
    value(' ', "rate"),
    value(' ', "congestion"),
    flag(' ', "no-delay"),
    flag(' ', "receive"),
    flag(' ', "reset"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let (mut chunk, mut rate, mut tcp) = (64 * 1024, None, TcpOptions::default());
        let (mut receive, mut reset, mut family) = (false, false, Family::Any);
        let (mut host, mut port, mut bytes) = (None, None, None);
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if host.is_none() => host = Some(word),
                Arg::Free(word) if port.is_none() => port = Some(args::port("port", &word)?),
                Arg::Free(word) if bytes.is_none() => bytes = Some(args::amount("bytes", &word, 1024)?),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) => match name.as_str() {
                    "no-delay" => tcp.nodelay = Some(Nodelay::On),
                    "receive" => receive = true,
                    "reset" => reset = true,
                    other => family = args::family(other).unwrap_or(family),
                },
                Arg::Value(name, text) => match name.as_str() {
                    "chunk" => chunk = args::some("--chunk", &text, 1024)?.min(1 << 24) as usize,
                    "rate" => rate = Some(args::some("--rate", &text, 1000)?),
                    _ => tcp.congestion = Some(text.into()),
                },
            }
            Ok(())
        })?;
        let host = host.ok_or(ArgError::Missing("the host"))?;
        let port = port.ok_or(ArgError::Missing("the port"))?;
        let bytes = bytes.ok_or(ArgError::Missing("the number of bytes"))?;
        Ok(Self { host, port, family, bytes, chunk, rate, tcp, receive, reset })
    }
}

async fn send(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let names = Names::new(net.clone());
    let begun = net.now();
    let (mut stream, _) = names.connect(&options.host, options.port, options.family, &options.tcp).await?;
    let pace = Pace::new(net, options.rate);
    let mut pattern = Pattern::new(0..options.bytes);
    let mut sent = 0;
    let mut gauge = Gauge::new(net, "send.bytes");
    while let Some(piece) = pattern.next(options.chunk) {
        pace.wait(sent).await;
        stream.write_all(&piece).await?;
        sent += piece.len() as u64;
        gauge.add(piece.len());
    }
    drop(gauge);
    if options.reset {
        stream.set_zero_linger()?;
        drop(stream);
    } else {
        stream.shutdown().await?;
        let mut back = 0;
        let mut buf = vec![0; 64 * 1024];
        // The other end's close says that it has read everything.
        loop {
            let n = stream.read(&mut buf).await?;
            if n == 0 {
                break;
            }
            back += n;
        }
        if options.receive {
            net.observe("send.received", back as f64);
        }
    }
    let took = net.now() - begun;
    net.count("send.ok");
    net.observe("send.time", took.as_secs_f64());
    net.trace(Storey::Application, "send.done", |f| {
        f.set("bytes", sent).set("took", took);
    });
    context.console.out(format!("{sent} bytes sent in {}\n", rate_text(sent, took)).as_bytes());
    Ok(())
}

/// `1.234 s, 6.79 Mbit/s`
pub(super) fn rate_text(bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let rate = if seconds > 0.0 { bytes as f64 * 8.0 / seconds / 1e6 } else { 0.0 };
    format!("{seconds:.3} s, {rate:.3} Mbit/s")
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::bytes("send.bytes", "bytes handed to the network; for TCP in samples at least 10 ms apart"),
    Metric::counter("send.ok", "transfers of `tcp-send` that ended well"),
    Metric::counter("send.error", "transfers that broke, datagrams that could not leave"),
    Metric::times(
        "send.time",
        "from connecting to the other end's close; from a datagram of `udp-send --receive` to its answer",
    ),
    Metric::bytes("send.received", "bytes that came back to `tcp-send --receive` and `udp-send --receive`"),
];
