//! `text-receive`: takes texts in any character set and shows them in that of its host, step by step.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use septet_core::{Metric, Storey};
use septet_presentation::charset::{Charset, Converter, Nel, Unmappable};
use septet_presentation::compression::{Coding, Limits as Most, decompress};
use septet_presentation::mime::{self, Content, Entity, Limits};
use septet_presentation::sniff::{self, Supplied};
use septet_socket::{Accepted, Acceptor, BoxFuture, ListenOptions, NetExt, Places, TcpStream};
use tokio::io::AsyncReadExt as _;

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::octets::{charset, hex, shown, unmappable};
use super::text_send::PORT;
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

/// The program.
pub(super) struct TextReceive;

impl Program for TextReceive {
    fn name(&self) -> &'static str {
        "text-receive"
    }

    fn summary(&self) -> &'static str {
        "takes texts in any character set and shows them in that of its host"
    }

    fn usage(&self) -> &'static str {
        "Usage: text-receive [options]
 --bare              Take what comes as octets of this host's own character set, and convert nothing
 --charset <name>    The character set of this host (utf-8)
 --expect <line>     Compare what is shown with this (repeat)
 --once              End after one text
 -p, --port <port>   The port to listen on (1103)
 --unmappable <how>  What becomes of characters that it does not have: error, replace or escape (replace)
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
                    Err(e) => complain(&context, "text-receive", &e, 1),
                },
                Err(e) => complain(&context, "text-receive", &e, 2),
            }
        })
    }
}

#[derive(Clone)]
struct Options {
    port: u16,
    once: bool,
    reading: Reading,
    charset: Charset,
    expected: Vec<String>,
    unmappable: Unmappable,
}

/// Whether what comes is asked what it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Message,
    Bare,
}

const SPECS: &[Spec] = &[
    flag(' ', "bare"),
    value(' ', "charset"),
    value(' ', "expect"),
    flag(' ', "once"),
    value('p', "port"),
    value(' ', "unmappable"),
];

/// More is no text; and how long the next piece of one may take.
const MOST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            port: PORT,
            once: false,
            reading: Reading::Message,
            charset: Charset::UTF_8,
            expected: Vec::new(),
            unmappable: Unmappable::Replace,
        };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "bare" => options.reading = Reading::Bare,
                Arg::Flag(_) => options.once = true,
                Arg::Value(name, text) => match name.as_str() {
                    "charset" => options.charset = charset(&text)?,
                    "expect" => options.expected.push(text),
                    "port" => options.port = args::port("--port", &text)?,
                    _ => options.unmappable = unmappable(&text)?,
                },
            }
            Ok(())
        })?;
        Ok(options)
    }
}

async fn serve(context: &Context, options: &Options) -> io::Result<u8> {
    let listener = context.net.listen(context.net.everywhere(options.port), ListenOptions::default())?;
    let mut acceptor = Acceptor::new(listener, &Places::default());
    if options.once {
        loop {
            if let Accepted::Placed((stream, from), _place) = acceptor.accept(&context.net).await? {
                return Ok(take(context, options, stream, from).await);
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

/// Takes one text, and says on the console what it is.
async fn take(context: &Context, options: &Options, mut stream: TcpStream, from: SocketAddr) -> u8 {
    let net = &context.net;
    let taken = match read(context, &mut stream).await {
        Ok(octets) => {
            net.count("text.arrived");
            net.trace(Storey::Presentation, "text.arrived", |f| {
                f.set("peer", from).set("bytes", octets.len()).set("octets", hex(&octets));
                f.set("looks", looks(&octets));
            });
            show(context, options, &octets, from)
        }
        Err(e) => Err(e.to_string()),
    };
    match taken {
        Ok(()) => 0,
        Err(why) => {
            net.count("text.failed");
            net.trace(Storey::Presentation, "text.failed", |f| {
                f.set("peer", from).set("why", why.clone());
            });
            complain(context, "text-receive", &format!("{from}: {why}"), 1)
        }
    }
}

async fn read(context: &Context, stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut octets, mut piece) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let n = context
            .net
            .timeout(PATIENCE, stream.read(&mut piece))
            .await
            .unwrap_or(Err(io::ErrorKind::TimedOut.into()))?;
        if n == 0 {
            return Ok(octets);
        }
        octets.extend_from_slice(&piece[..n]);
        if octets.len() > MOST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {MOST} bytes are no text")));
        }
    }
}

/// What octets are, as far as they tell.
fn looks(octets: &[u8]) -> &'static str {
    sniff::sniff(octets, &Supplied::default())
}

/// Shows what came, out of its wrappings.
fn show(context: &Context, options: &Options, octets: &[u8], from: SocketAddr) -> Result<(), String> {
    let net = &context.net;
    let own = options.charset;
    if options.reading == Reading::Bare {
        let text = shown(octets, own);
        net.trace(Storey::Presentation, "text.taken", |f| {
            f.set("peer", from)
                .set("octets", hex(octets))
                .set("own", own.name())
                .set("text", text.trim_end().to_owned());
        });
        tell(context, options, &text, from);
        return Ok(());
    }
    let unpacked;
    let message = if looks(octets) == "application/x-gzip" {
        let most = Most { output: MOST as u64, ..Most::default() };
        unpacked = decompress(Coding::Gzip, octets, most).map_err(|e| e.to_string())?;
        net.trace(Storey::Presentation, "text.decompressed", |f| {
            f.set("peer", from).set("coding", Coding::Gzip.name()).set("from", octets.len()).set("to", unpacked.len());
            f.set("octets", hex(&unpacked));
        });
        &unpacked[..]
    } else {
        octets
    };
    let entity = mime::read(message, &Limits::default()).map_err(|e| e.to_string())?;
    part(context, options, &entity, from)
}

/// Shows a part of a message, and those within it.
fn part(context: &Context, options: &Options, entity: &Entity, from: SocketAddr) -> Result<(), String> {
    let octets = match &entity.content {
        Content::Parts(parts) => return parts.iter().try_for_each(|inner| part(context, options, inner, from)),
        Content::Message(inner) => return part(context, options, inner, from),
        Content::Octets(octets) => octets,
    };
    let net = &context.net;
    let said = match entity.parameter("charset") {
        Some(charset) => format!("{}; charset={charset}", entity.kind),
        None => entity.kind.clone(),
    };
    net.trace(Storey::Presentation, "text.unpacked", |f| {
        f.set("peer", from).set("said", said.clone()).set("looks", looks(octets));
        f.set("bytes", octets.len()).set("octets", hex(octets));
    });
    if !entity.kind.starts_with("text/") {
        let kind = looks(octets);
        net.count(if entity.kind == kind { "text.others" } else { "text.mislabelled" });
        let name = entity.name().unwrap_or("a part");
        context.console.out(format!("{from}: {name}: {} bytes of {kind}\n", octets.len()).as_bytes());
        return Ok(());
    }
    let name = entity.parameter("charset").unwrap_or("us-ascii");
    let charset = Charset::find(name).ok_or_else(|| format!("no character set is called `{name}`"))?;
    let own = options.charset;
    let read = convert(octets, charset, Charset::UTF_8, options.unmappable)?;
    // RFC 2046 §4.1.1: "The canonical form of any MIME "text" subtype MUST always represent a line break as a CRLF sequence";
    // a host ends its lines its own way.
    let read = String::from_utf8_lossy(&read).replace("\r\n", "\n");
    let converted = convert(read.as_bytes(), Charset::UTF_8, own, options.unmappable)?;
    let text = shown(&converted, own);
    net.trace(Storey::Presentation, "text.converted", |f| {
        f.set("peer", from).set("charset", charset.name()).set("own", own.name());
        f.set("before", hex(octets)).set("after", hex(&converted)).set("text", text.trim_end().to_owned());
    });
    tell(context, options, &text, from);
    Ok(())
}

fn convert(octets: &[u8], from: Charset, to: Charset, unmappable: Unmappable) -> Result<Vec<u8>, String> {
    let mut converter = Converter::new(from, to, Nel::LineFeed, unmappable);
    let mut out = Vec::new();
    let converted = converter.push(octets, &mut out).and_then(|()| converter.finish(&mut out));
    converted.map(|()| out).map_err(|mistake| mistake.to_string())
}

/// Says what a person at this host reads, and whether that is what was meant.
fn tell(context: &Context, options: &Options, text: &str, from: SocketAddr) {
    if !options.expected.is_empty() {
        // Between hosts, ends of lines are of one kind or the other.
        let same = text.lines().eq(options.expected.iter().map(String::as_str));
        context.net.count(if same { "text.same" } else { "text.different" });
    }
    for line in text.lines() {
        context.console.out(format!("{from}: {line}\n").as_bytes());
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("text.arrived", "texts that `text-receive` took"),
    Metric::counter("text.failed", "texts that `text-receive` could not read"),
    Metric::counter("text.same", "texts that were shown as `--expect` has them"),
    Metric::counter("text.different", "texts that were shown otherwise than `--expect` has them"),
    Metric::counter("text.others", "parts that are no text, and look like what they are said to be"),
    Metric::counter("text.mislabelled", "parts that are no text, and look like something else"),
];
