//! `send`: sends a file so that it arrives whole and once, however often the connection breaks.

use core::time::Duration;
use std::io;

use septet_core::{Instant, Metric, Storey, synthetic};
use septet_session::Transmit;
use septet_session::transfer::{Sender, Source, Stamp, plain_name};
use septet_socket::{BoxFuture, NetExt};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::gauge::Gauge;
use super::names::Names;
use super::session_line::{End, Line, PORT, State, prompt};
use super::tcp_send::rate_text;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Send;

impl Program for Send {
    fn name(&self) -> &'static str {
        "send"
    }

    fn summary(&self) -> &'static str {
        "sends a file whole and once, over as many connections as it takes (ISO session)"
    }

    fn usage(&self) -> &'static str {
        "Usage: send [options] <file> <host>[:<port>]
 -4, -6               Only to addresses of this version of IP
 --bytes <bytes>      Send so many made-up bytes instead of a file of this machine
 --checkpoint <bytes> At most so much is sent again after a break (4m)
 --give-up <time>     End when nothing was confirmed for so long; without it never
 --name <name>        What it is to be called there
 --patience <time>    Give a connection up when nothing is confirmed for so long (30s)
 --wait               Wait for a receiver that is not there yet
The port is 1102. The exit status is 0 when the receiver has the whole file and its BLAKE3 digest is the same.
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
                Err(e) => return complain(&context, "send", &e, 2),
            };
            match send(&context, &options).await {
                Ok(()) => {
                    context.net.count("transfer.ok");
                    0
                }
                Err(why) => {
                    context.net.count("transfer.error");
                    context.net.trace(Storey::Session, "transfer.failed", |f| {
                        f.set("file", options.file.clone()).set("why", why.clone());
                    });
                    complain(&context, "send", &why, 1)
                }
            }
        })
    }
}

struct Options {
    file: String,
    host: String,
    port: u16,
    family: Family,
    bytes: Option<u64>,
    name: Option<String>,
    checkpoint: u64,
    patience: Duration,
    give_up: Option<Duration>,
    wait: bool,
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    value(' ', "bytes"),
    value(' ', "checkpoint"),
    value(' ', "give-up"),
    value(' ', "name"),
    value(' ', "patience"),
    flag(' ', "wait"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            file: String::new(),
            host: String::new(),
            port: PORT,
            family: Family::Any,
            bytes: None,
            name: None,
            checkpoint: 4 << 20,
            patience: Duration::from_secs(30),
            give_up: None,
            wait: false,
        };
        let (mut file, mut host) = (None, None);
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if file.is_none() => file = Some(word),
                Arg::Free(word) if host.is_none() => {
                    let (name, port) = args::host_and_port(&word, PORT)?;
                    options.port = port;
                    host = Some(name);
                }
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "wait" => options.wait = true,
                Arg::Flag(name) => options.family = args::family(&name).unwrap_or(options.family),
                Arg::Value(name, text) => match name.as_str() {
                    "bytes" => options.bytes = Some(args::amount("--bytes", &text, 1024)?),
                    "checkpoint" => options.checkpoint = args::some("--checkpoint", &text, 1024)?,
                    "give-up" => options.give_up = Some(args::span("--give-up", &text)?),
                    "patience" => options.patience = args::span("--patience", &text)?,
                    _ => {
                        plain_name(&text).map_err(|_| args::bad("--name", &text, "the name of a file"))?;
                        options.name = Some(text);
                    }
                },
            }
            Ok(())
        })?;
        options.file = file.ok_or(ArgError::Missing("the file"))?;
        options.host = host.ok_or(ArgError::Missing("the host"))?;
        Ok(options)
    }
}

/// Bytes that nobody has to keep.
struct MadeUp(u64);

impl Source for MadeUp {
    fn stamp(&mut self) -> io::Result<Stamp> {
        Ok(Stamp { size: self.0, changed: 0 })
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(usize::try_from(self.0.saturating_sub(offset)).unwrap_or(usize::MAX));
        synthetic::fill(offset, &mut buf[..n]);
        Ok(n)
    }
}

impl<S: Source> End for Sender<S> {
    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.receive(now, bytes);
    }

    fn closed(&mut self, now: Instant, why: &str) {
        self.closed(now, why);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        self.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn on_timeout(&mut self, now: Instant) {
        self.on_timeout(now);
    }

    fn is_open(&self) -> bool {
        self.is_connected()
    }
}

/// The first pause before another connection, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

async fn send(context: &Context, options: &Options) -> Result<(), String> {
    let net = &context.net;
    let unreadable = |e: io::Error| format!("{}: {e}", options.file);
    let source: Box<dyn Source> = match options.bytes {
        Some(bytes) => Box::new(MadeUp(bytes)),
        None => context.console.open(&options.file).map_err(unreadable)?,
    };
    let own = options.file.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = options.name.as_deref().unwrap_or(own).to_owned();
    plain_name(&name).map_err(|e| format!("{e}; --name gives it another"))?;
    let mut sender = Sender::new(source, &name, options.checkpoint, options.patience).map_err(unreadable)?;
    let names = Names::new(net.clone());
    let mut bar = Bar { context, name: name.clone(), size: sender.offer().size, drawn: None };
    let begun = net.now();
    let (mut stood, mut pause, mut moved) = (options.wait, PAUSES.0, begun);
    loop {
        let confirmed = sender.progress().confirmed;
        let prompt = prompt();
        let connecting = names.connect(&options.host, options.port, options.family, &prompt);
        let broke = match net.timeout(options.patience, connecting).await {
            Ok(Ok((stream, _))) => {
                stood = true;
                over(context, &mut sender, &mut bar, stream).await;
                sender.last().to_owned()
            }
            Ok(Err(e)) => io::Error::from(e).to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        bar.end();
        if let Some(outcome) = sender.outcome() {
            outcome.as_ref().map_err(ToString::to_string)?;
            break;
        }
        if !stood {
            return Err(broke);
        }
        if sender.progress().confirmed > confirmed {
            (pause, moved) = (PAUSES.0, net.now());
        }
        if options.give_up.is_some_and(|most| net.now() - moved >= most) {
            return Err(format!("given up: {broke}"));
        }
        let (confirmed, size) = (sender.progress().confirmed, sender.offer().size);
        net.count("transfer.broken");
        net.trace(Storey::Session, "transfer.broken", |f| {
            f.set("file", name.clone()).set("confirmed", confirmed).set("of", size).set("why", broke.clone());
        });
        let line = format!("send: {broke}; {confirmed} of {size} bytes are confirmed, and it goes on from there\n");
        context.console.err(line.as_bytes());
        net.sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
    let (took, progress) = (net.now() - begun, *sender.progress());
    net.observe("transfer.time", took.as_secs_f64());
    net.observe("transfer.again", progress.again as f64);
    let digest = sender.digest();
    net.trace(Storey::Session, "transfer.done", |f| {
        f.set("file", name.clone())
            .set("bytes", bar.size)
            .set("again", progress.again)
            .set("resumed", progress.resumed);
        f.set("took", took);
    });
    let text = rate_text(bar.size, took);
    let digest = digest.map_or("it was there already".to_owned(), |digest| format!("BLAKE3 {}", hex(&digest)));
    let (again, resumed) = (progress.again, times(progress.resumed));
    let line = format!("{name}: {} bytes in {text}; resumed {resumed}, {again} bytes again; {digest}\n", bar.size);
    context.console.out(line.as_bytes());
    Ok(())
}

/// One connection to its end.
async fn over<S: Source>(
    context: &Context,
    sender: &mut Sender<S>,
    bar: &mut Bar<'_>,
    stream: septet_socket::TcpStream,
) {
    let net = &context.net;
    sender.connected(net.now());
    let mut line = Line::new(net, stream);
    let mut gauge = Gauge::new(net, "transfer.bytes");
    loop {
        let before = *sender.progress();
        let state = line.step(sender, None).await;
        let after = *sender.progress();
        gauge.add((after.sent - before.sent) as usize);
        for _ in before.points..after.points {
            net.count("transfer.points");
        }
        if after.resumed > before.resumed {
            net.count("transfer.resumed");
            net.trace(Storey::Session, "transfer.resumed", |f| {
                f.set("file", bar.name.clone()).set("from", after.confirmed);
            });
        }
        if after.restarted > before.restarted {
            net.count("transfer.anew");
            net.trace(Storey::Session, "transfer.anew", |f| {
                f.set("file", bar.name.clone()).set("why", "nothing of it was confirmed, or is there any more");
            });
        }
        bar.draw(after.confirmed);
        if state == State::Closed {
            return;
        }
    }
}

/// `3 times`
fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// How far it is, where somebody looks.
struct Bar<'a> {
    context: &'a Context,
    name: String,
    size: u64,
    drawn: Option<Instant>,
}

impl Bar<'_> {
    fn draw(&mut self, confirmed: u64) {
        let now = self.context.net.now();
        let Some(columns) = self.context.console.columns() else { return };
        if self.drawn.is_some_and(|at| now - at < Duration::from_millis(100)) {
            return;
        }
        self.drawn = Some(now);
        let percent = (u128::from(confirmed) * 100).checked_div(u128::from(self.size)).unwrap_or(100) as usize;
        let name: String = self.name.chars().take(24).collect();
        let width = usize::from(columns).saturating_sub(name.chars().count() + 10).min(60);
        let done = width * percent / 100;
        let bar = format!("\r{name} [{}{}] {percent:3} %", "#".repeat(done), ".".repeat(width - done));
        self.context.console.err(bar.as_bytes());
    }

    fn end(&mut self) {
        if self.drawn.take().is_some() {
            self.context.console.err(b"\n");
        }
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::bytes(
        "transfer.bytes",
        "bytes of files that `send` sent, those sent again included; in samples at least 10 ms apart",
    ),
    Metric::bytes("transfer.again", "bytes that `send` sent more than once, a sample a file"),
    Metric::counter("transfer.points", "synchronization points that the receiver confirmed"),
    Metric::counter("transfer.broken", "connections that broke before the file was whole"),
    Metric::counter("transfer.resumed", "connections over which `send` went on with a file at a synchronization point"),
    Metric::counter(
        "transfer.anew",
        "connections after the first over which `send` began anew, as no point was confirmed",
    ),
    Metric::counter("transfer.ok", "files that arrived whole"),
    Metric::counter("transfer.error", "files that did not"),
    Metric::times("transfer.time", "from the first connection to the receiver's word that the file is whole"),
];
