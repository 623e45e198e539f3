//! `io-client`: asks an `io-server`, over as many connections as one likes, some of them slow.

use core::time::Duration;
use std::io;

use septet_core::{Metric, Storey};
use septet_socket::{BoxFuture, NetExt, NetRef, Nodelay, TcpOptions, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::args::{self, Arg, ArgError, At, Spec, value};
use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct IoClient;

impl Program for IoClient {
    fn name(&self) -> &'static str {
        "io-client"
    }

    fn summary(&self) -> &'static str {
        "asks an io-server over many connections at once"
    }

    fn usage(&self) -> &'static str {
        "Usage: io-client [options] <host> <port>
 --connections <n>     So many at once (1)
 --requests <n>        So many over each, one after the other (1)
 --size <bytes>        The size of a request and of its answer (64)
 --interval <time>     From an answer to the next request (0)
 --slow <time>         Send the second half of each request so much later than the first (0)
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
            let options = match Options::parse(&args) {
                Ok(options) => options,
                Err(e) => return complain(&context, "io-client", &e, 2),
            };
            match ask(&context, &options).await {
                Ok(()) => 0,
                Err(e) => complain(&context, "io-client", &e, 1),
            }
        })
    }
}

struct Options {
    host: String,
    port: u16,
    connections: u32,
    requests: u32,
    size: usize,
    interval: Duration,
    slow: Duration,
}

const SPECS: &[Spec] = &[
    value(' ', "connections"),
    value(' ', "requests"),
    value(' ', "size"),
    value(' ', "interval"),
    value(' ', "slow"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let (mut host, mut port, mut connections, mut requests) = (None, None, 1, 1);
        let (mut size, mut interval, mut slow) = (64, Duration::ZERO, Duration::ZERO);
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if host.is_none() => host = Some(word),
                Arg::Free(word) if port.is_none() => port = Some(args::port("port", &word)?),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(_) => {}
                Arg::Value(name, text) => match name.as_str() {
                    "connections" => {
                        connections = args::within("--connections", &text, 1, 60_000, "from 1 to 60000")?;
                    }
                    "requests" => requests = args::within("--requests", &text, 1, u32::MAX, "at least 1")?,
                    "size" => size = args::buffer("--size", &text)?,
                    "interval" => interval = args::duration("--interval", &text)?,
                    _ => slow = args::duration("--slow", &text)?,
                },
            }
            Ok(())
        })?;
        let host = host.ok_or(ArgError::Missing("the host"))?;
        let port = port.ok_or(ArgError::Missing("the port"))?;
        Ok(Self { host, port, connections, requests, size, interval, slow })
    }
}

async fn ask(context: &Context, options: &Options) -> io::Result<()> {
    let names = Names::new(context.net.clone());
    let tcp = TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() };
    let begun = context.net.now();
    let mut all = futures_util::stream::FuturesUnordered::new();
    for _ in 0..options.connections {
        let (names, tcp) = (&names, &tcp);
        all.push(async move {
            let (stream, _) = names.connect(&options.host, options.port, Family::Any, tcp).await?;
            converse(&context.net, options, stream).await
        });
    }
    let (mut answers, mut first) = (0u64, None);
    while let Some(ended) = futures_util::StreamExt::next(&mut all).await {
        match ended {
            Ok(answered) => answers += u64::from(answered),
            Err(error) => {
                context.net.count("io.broken");
                context.net.trace(Storey::Application, "io.failed", |f| {
                    f.set("to", format!("{}:{}", options.host, options.port)).set("why", error.to_string());
                });
                first.get_or_insert(error);
            }
        }
    }
    let took = (context.net.now() - begun).as_secs_f64();
    let rate = if took > 0.0 { answers as f64 / took } else { 0.0 };
    context.console.out(format!("{answers} answers in {took:.6} s, {rate:.0} a second\n").as_bytes());
    first.map_or(Ok(()), Err)
}

/// Sends requests and awaits their answers, one after the other; tells how many there were.
async fn converse(net: &NetRef, options: &Options, mut stream: TcpStream) -> io::Result<u32> {
    let request = vec![b'x'; options.size];
    let mut answer = vec![0; options.size];
    for number in 0..options.requests {
        if number > 0 && !options.interval.is_zero() {
            net.sleep(options.interval).await;
        }
        let asked = net.now();
        let (one, other) = request.split_at(request.len() / 2);
        if options.slow.is_zero() {
            stream.write_all(&request).await?;
        } else {
            stream.write_all(one).await?;
            net.sleep(options.slow).await;
            stream.write_all(other).await?;
        }
        stream.read_exact(&mut answer).await?;
        net.count("io.answers");
        net.observe("io.time", (net.now() - asked).as_secs_f64());
    }
    Ok(options.requests)
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("io.answers", "answers that `io-client` got"),
    Metric::times("io.time", "from the first byte of a request of `io-client` to the last of its answer"),
    Metric::counter("io.broken", "connections of `io-server` and `io-client` that broke"),
];
