//! `receive`: takes files that `send` sends, and keeps what it confirmed.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use septet_core::{Instant, Metric, Storey};
use septet_session::Transmit;
use septet_session::transfer::{Arrival, Inbox, Overwrite, Receiver};
use septet_socket::{Accepted, Acceptor, BoxFuture, ListenOptions, NetExt, Places, TcpStream};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::send::hex;
use super::session_line::{End, Line, PORT, State, prompt};
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

/// The program.
pub(super) struct Receive;

impl Program for Receive {
    fn name(&self) -> &'static str {
        "receive"
    }

    fn summary(&self) -> &'static str {
        "takes files from `send`, each whole and once"
    }

    fn usage(&self) -> &'static str {
        "Usage: receive [options] <directory>
 --once               End after one file
 --overwrite          Let a file take the place of one that has its name
 --patience <time>    Give a connection up when nothing comes for so long (5m)
 -p, --port <port>    The port to listen on (1102)
A file has its name once it is whole; until then it is hidden, with the journal of what was confirmed.
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        let lasts = if options.once { Lasts::Ends } else { Lasts::Forever };
        Ok(Needs { listens: Some((Transport::Tcp, options.port)), lasts, ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match serve(&context, &options).await {
                    Ok(code) => code,
                    Err(e) => complain(&context, "receive", &e, 1),
                },
                Err(e) => complain(&context, "receive", &e, 2),
            }
        })
    }
}

#[derive(Clone)]
struct Options {
    directory: String,
    port: u16,
    once: bool,
    overwrite: Overwrite,
    patience: Duration,
}

const SPECS: &[Spec] = &[flag(' ', "once"), flag(' ', "overwrite"), value(' ', "patience"), value('p', "port")];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            directory: String::new(),
            port: PORT,
            once: false,
            overwrite: Overwrite::No,
            patience: Duration::from_secs(300),
        };
        let mut directory = None;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if directory.is_none() => directory = Some(word),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "once" => options.once = true,
                Arg::Flag(_) => options.overwrite = Overwrite::Yes,
                Arg::Value(name, text) if name == "port" => options.port = args::port("--port", &text)?,
                Arg::Value(_, text) => options.patience = args::span("--patience", &text)?,
            }
            Ok(())
        })?;
        options.directory = directory.ok_or(ArgError::Missing("the directory"))?;
        Ok(options)
    }
}

impl End for Receiver {
    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.receive(now, bytes);
    }

    fn closed(&mut self, now: Instant, why: &str) {
        self.closed(now, why);
    }

    fn poll_transmit(&mut self, _: Instant) -> Option<Transmit> {
        self.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn on_timeout(&mut self, now: Instant) {
        self.on_timeout(now);
    }
}

async fn serve(context: &Context, options: &Options) -> io::Result<u8> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", options.directory));
    let files = context.console.directory(&options.directory).map_err(named)?;
    let inbox = Inbox::new(files, options.overwrite);
    let at = context.net.everywhere(options.port);
    let in_words = |e: io::Error| io::Error::new(e.kind(), format!("port {}: {e}", options.port));
    let listener =
        context.net.listen(at, ListenOptions { tcp: prompt(), ..ListenOptions::default() }).map_err(in_words)?;
    let mut acceptor = Acceptor::new(listener, &Places::default());
    if options.once {
        loop {
            if let Accepted::Placed((stream, from), _place) = acceptor.accept(&context.net).await?
                && take(context, &inbox, options.patience, stream, from).await
            {
                return Ok(0);
            }
        }
    }
    let serve = |(stream, from)| {
        let (context, inbox, patience) = (context.clone(), inbox.clone(), options.patience);
        async move {
            take(&context, &inbox, patience, stream, from).await;
        }
    };
    acceptor.serve(&context.net, serve).await.map(|()| 0)
}

/// Serves one connection to its end; whether a file became whole.
async fn take(context: &Context, inbox: &Inbox, patience: Duration, stream: TcpStream, from: SocketAddr) -> bool {
    let net = &context.net;
    net.count("inbox.connections");
    let mut receiver = Receiver::new(net.now(), inbox.clone(), patience);
    let mut line = Line::new(net, stream);
    let mut whole = false;
    loop {
        let state = line.step(&mut receiver, None).await;
        while let Some(arrival) = receiver.poll_arrival() {
            whole |= matches!(arrival, Arrival::Whole { .. });
            tell(context, from, &arrival);
        }
        if state == State::Closed {
            return whole;
        }
    }
}

fn tell(context: &Context, from: SocketAddr, arrival: &Arrival) {
    let net = &context.net;
    let line = match arrival {
        Arrival::Begun { offer, from: at } => {
            let (name, size) = (&offer.name, offer.size);
            net.count(if *at == 0 { "inbox.begun" } else { "inbox.resumed" });
            net.trace(Storey::Session, if *at == 0 { "inbox.begun" } else { "inbox.resumed" }, |f| {
                f.set("file", name.clone()).set("bytes", size).set("from", *at);
            });
            format!("{from}: {name}, {size} bytes, from byte {at} on")
        }
        Arrival::Kept(_) => {
            net.count("inbox.points");
            return;
        }
        Arrival::Whole { offer, digest } => {
            net.count("inbox.whole");
            net.observe("inbox.bytes", offer.size as f64);
            let digest = hex(digest);
            net.trace(Storey::Session, "inbox.whole", |f| {
                f.set("file", offer.name.clone()).set("bytes", offer.size).set("blake3", digest.clone());
            });
            format!("{from}: {} is whole: {} bytes, BLAKE3 {digest}", offer.name, offer.size)
        }
        Arrival::Broken { kept, why } => {
            net.count("inbox.broken");
            net.trace(Storey::Session, "inbox.broken", |f| {
                f.set("kept", *kept).set("why", why.clone());
            });
            format!("{from}: {why}; {kept} bytes are kept")
        }
        Arrival::Failed(why) => {
            net.count("inbox.failed");
            net.trace(Storey::Session, "inbox.failed", |f| {
                f.set("why", why.clone());
            });
            format!("{from}: {why}")
        }
    };
    context.console.out(format!("{line}\n").as_bytes());
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("inbox.connections", "connections that `receive` took"),
    Metric::counter("inbox.begun", "files that began at their beginning"),
    Metric::counter("inbox.resumed", "files that went on at a synchronization point"),
    Metric::counter("inbox.points", "synchronization points that were confirmed"),
    Metric::counter("inbox.whole", "files that became whole"),
    Metric::bytes("inbox.bytes", "bytes of files that became whole"),
    Metric::counter("inbox.broken", "connections that broke before the file was whole"),
    Metric::counter("inbox.failed", "connections without a file, and files that were refused or given up"),
];
