//! `tcp-sink`: takes connections and reads what they bring, at a pace of its own.

use std::io;
use std::net::SocketAddr;

use septet_core::{Metric, Storey};
use septet_socket::{Accepted, Acceptor, BoxFuture, ListenOptions, NetExt, NetRef, Places, TcpOptions, TcpStream};
use tokio::io::AsyncReadExt;

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::gauge::Gauge;
use super::pace::Pace;
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};
use crate::http::Pattern;

/// The program.
pub(super) struct TcpSink;

impl Program for TcpSink {
    fn name(&self) -> &'static str {
        "tcp-sink"
    }

    fn summary(&self) -> &'static str {
        "reads what comes over TCP, at a pace of its own"
    }

    fn usage(&self) -> &'static str {
        "Usage: tcp-sink [options] <port>
 --read-rate <bits/s>  Read no faster than this
 --chunk <bytes>       Read so much at a time (64k)
 --pause <time>        Begin to read only so long after the connection came
 --buffer <bytes>      Bound on bytes received and not yet read
 --backlog <n>         How many connections may wait (4096)
 --check               Compare with what tcp-send sends
 --once                End after one connection
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs {
            listens: Some((Transport::Tcp, options.port)),
            lasts: if options.once { Lasts::Ends } else { Lasts::Forever },
            ..Needs::default()
        })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match serve(&context, options).await {
                    Ok(code) => code,
                    Err(e) => complain(&context, "tcp-sink", &e, 1),
                },
                Err(e) => complain(&context, "tcp-sink", &e, 2),
            }
        })
    }
}

#[derive(Clone)]
struct Options {
    port: u16,
    rate: Option<u64>,
    chunk: usize,
    pause: core::time::Duration,
    listen: ListenOptions,
    check: bool,
    once: bool,
}

const SPECS: &[Spec] = &[
    value(' ', "read-rate"),
    value(' ', "chunk"),
    value(' ', "pause"),
    value(' ', "buffer"),
    value(' ', "backlog"),
    flag(' ', "check"),
    flag(' ', "once"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            port: 0,
            rate: None,
            chunk: 64 * 1024,
            pause: core::time::Duration::ZERO,
            listen: ListenOptions::default(),
            check: false,
            once: false,
        };
        let mut port = None;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if port.is_none() => port = Some(args::port("port", &word)?),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "check" => options.check = true,
                Arg::Flag(_) => options.once = true,
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "read-rate" => options.rate = Some(args::some(&option, &text, 1000)?),
                        "chunk" => options.chunk = args::some(&option, &text, 1024)?.min(1 << 24) as usize,
                        "pause" => options.pause = args::duration(&option, &text)?,
                        "buffer" => {
                            let bytes = usize::try_from(args::amount(&option, &text, 1024)?).unwrap_or(usize::MAX);
                            options.listen.tcp = TcpOptions { receive_buffer: Some(bytes), ..TcpOptions::default() };
                        }
                        _ => options.listen.backlog = args::number(&option, &text)?,
                    }
                }
            }
            Ok(())
        })?;
        options.port = port.ok_or(ArgError::Missing("the port"))?;
        Ok(options)
    }
}

async fn serve(context: &Context, options: Options) -> io::Result<u8> {
    let listener = context.net.listen(context.net.everywhere(options.port), options.listen.clone())?;
    let mut acceptor = Acceptor::new(listener, &Places::default());
    if options.once {
        loop {
            if let Accepted::Placed((stream, from), _place) = acceptor.accept(&context.net).await? {
                return Ok(take(context, &options, stream, from).await);
            }
        }
    }
    let serve = |(stream, from)| {
        let (context, options) = (context.clone(), options.clone());
        async move {
            take(&context, &options, stream, from).await;
        }
    };
    acceptor.serve(&context.net, serve).await.map(|()| 0)
}

/// Reads one connection to its end.
async fn take(context: &Context, options: &Options, stream: TcpStream, from: SocketAddr) -> u8 {
    let net = &context.net;
    net.count("sink.connections");
    net.sleep(options.pause).await;
    let begun = net.now();
    let mut received = 0;
    let outcome = drain(net, options, stream, &mut received).await;
    let took = net.now() - begun;
    let (name, why) = match &outcome {
        Ok(()) => ("sink.ok", "the other end has closed".to_owned()),
        Err(e) => ("sink.error", e.to_string()),
    };
    net.count(name);
    net.observe("sink.time", took.as_secs_f64());
    let kind = if outcome.is_ok() { "sink.done" } else { "sink.failed" };
    net.trace(Storey::Application, kind, |f| {
        f.set("from", from).set("bytes", received).set("took", took).set("why", why.clone());
    });
    let text = super::tcp_send::rate_text(received, took);
    context.console.out(format!("{from}: {received} bytes received in {text}: {why}\n").as_bytes());
    u8::from(outcome.is_err())
}

async fn drain(net: &NetRef, options: &Options, mut stream: TcpStream, received: &mut u64) -> io::Result<()> {
    let pace = Pace::new(net, options.rate);
    let mut expected = Pattern::new(0..u64::MAX);
    let mut buf = vec![0; options.chunk];
    let mut gauge = Gauge::new(net, "sink.bytes");
    loop {
        pace.wait(*received).await;
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        gauge.add(n);
        if options.check && !matches(&mut expected, &buf[..n]) {
            net.count("sink.corrupt");
            let why = format!("the bytes differ from what was sent, at or after offset {received}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        *received += n as u64;
    }
}

fn matches(expected: &mut Pattern, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some(piece) = expected.next(bytes.len()) else { return false };
        if bytes[..piece.len()] != piece[..] {
            return false;
        }
        bytes = &bytes[piece.len()..];
    }
    true
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("sink.connections", "connections that `tcp-sink` took"),
    Metric::counter("sink.ok", "connections of `tcp-sink` that were closed in order"),
    Metric::counter("sink.error", "connections of `tcp-sink` that broke"),
    Metric::counter("sink.corrupt", "connections of `tcp-sink --check` with other bytes than were sent"),
    Metric::bytes("sink.bytes", "bytes read; for TCP in samples at least 10 ms apart"),
    Metric::times("sink.time", "how long `tcp-sink` read a connection"),
];
