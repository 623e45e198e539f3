//! `text-send`: sends a text in the character set of its host, step by step: coded, packed, compressed.

use std::io;
use std::net::SocketAddr;

use septet_core::{Metric, Storey};
use septet_presentation::charset::{Charset, Encoder, Nel, Unmappable};
use septet_presentation::compression::{Coding, compress};
use septet_presentation::mime::{Mailbox, Message, Part};
use septet_socket::{BoxFuture, NetExt, TcpOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::names::Names;
use super::octets::{charset, hex, unmappable};
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct TextSend;

/// Where `text-receive` listens.
pub(super) const PORT: u16 = 1103;

impl Program for TextSend {
    fn name(&self) -> &'static str {
        "text-send"
    }

    fn summary(&self) -> &'static str {
        "sends a text in the character set of its host: coded, packed (MIME), compressed"
    }

    fn usage(&self) -> &'static str {
        "Usage: text-send [options] <host>[:<port>] <line> …
 -4, -6              Only to addresses of this version of IP
 --bare              Only the octets of the text: no message says what they are
 --charset <name>    The character set of this host (utf-8)
 --compress          Compress the message (gzip)
 --picture           Send a picture with it (GIF)
 --unmappable <how>  What becomes of characters that it does not have: error, replace or escape (error)
The port is 1103. Lines end as the host ends them: with NEL (0x15) in EBCDIC, else with LF.
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
                Err(e) => return complain(&context, "text-send", &e, 2),
            };
            match send(&context, &options).await {
                Ok(()) => 0,
                Err(e) => {
                    context.net.count("text.unsent");
                    context.net.trace(Storey::Presentation, "text.failed", |f| {
                        f.set("why", e.to_string());
                    });
                    complain(&context, "text-send", &e, 1)
                }
            }
        })
    }
}

struct Options {
    host: String,
    port: u16,
    lines: Vec<String>,
    family: Family,
    charset: Charset,
    unmappable: Unmappable,
    packing: Packing,
    picture: Option<&'static [u8]>,
    coding: Option<Coding>,
}

/// Whether a message says what the text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    Message,
    Bare,
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    flag(' ', "bare"),
    value(' ', "charset"),
    flag(' ', "compress"),
    flag(' ', "picture"),
    value(' ', "unmappable"),
];

/// A picture of one dot.
const PICTURE: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            host: String::new(),
            port: PORT,
            lines: Vec::new(),
            family: Family::Any,
            charset: Charset::UTF_8,
            unmappable: Unmappable::Error,
            packing: Packing::Message,
            picture: None,
            coding: None,
        };
        let mut host = None;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if host.is_none() => {
                    let (name, port) = args::host_and_port(&word, PORT)?;
                    options.port = port;
                    host = Some(name);
                }
                Arg::Free(line) => options.lines.push(line),
                Arg::Flag(name) => match name.as_str() {
                    "bare" => options.packing = Packing::Bare,
                    "compress" => options.coding = Some(Coding::Gzip),
                    "picture" => options.picture = Some(PICTURE),
                    other => options.family = args::family(other).unwrap_or(options.family),
                },
                Arg::Value(name, text) if name == "charset" => options.charset = charset(&text)?,
                Arg::Value(_, text) => options.unmappable = unmappable(&text)?,
            }
            Ok(())
        })?;
        options.host = host.ok_or(ArgError::Missing("the host"))?;
        if options.lines.is_empty() {
            return Err(ArgError::Missing("a line of the text").into());
        }
        if options.packing == Packing::Bare && options.picture.is_some() {
            return Err(args::bad("--picture", "--bare", "a message around it").into());
        }
        Ok(options)
    }

    /// The text of the lines.
    fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

async fn send(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let text = options.text();
    let octets = encode(options, &text).map_err(invalid)?;
    net.observe("text.octets", octets.len() as f64);
    net.trace(Storey::Presentation, "text.encoded", |f| {
        f.set("text", text.trim_end().to_owned()).set("charset", options.charset.name());
        f.set("octets", hex(&octets)).set("bytes", octets.len());
    });
    let mut leaving = octets;
    if options.packing == Packing::Message {
        let message = message(context, options, &leaving).write().map_err(|e| invalid(e.to_string()))?;
        net.observe("text.message", message.len() as f64);
        net.trace(Storey::Presentation, "text.packed", |f| {
            f.set("from", leaving.len()).set("to", message.len()).set("octets", hex(&message));
            f.set("parts", if options.picture.is_some() { "a text and a picture" } else { "a text" });
        });
        leaving = message;
    }
    if let Some(coding) = options.coding {
        let compressed = compress(coding, &leaving);
        net.trace(Storey::Presentation, "text.compressed", |f| {
            f.set("coding", coding.name()).set("from", leaving.len()).set("to", compressed.len());
            f.set("octets", hex(&compressed));
        });
        leaving = compressed;
    }
    let names = Names::new(net.clone());
    let tcp = TcpOptions::default();
    let (mut stream, to): (_, SocketAddr) = names.connect(&options.host, options.port, options.family, &tcp).await?;
    stream.write_all(&leaving).await?;
    stream.shutdown().await?;
    // The other end's close says that it has read everything.
    while stream.read(&mut [0; 64]).await? > 0 {}
    net.count("text.sent");
    net.observe("text.wire", leaving.len() as f64);
    let line = format!("{to}: {} bytes of {} sent as {}\n", text.len(), options.charset.name(), leaving.len());
    context.console.out(line.as_bytes());
    Ok(())
}

/// The octets of a text on this host.
fn encode(options: &Options, text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut encoder = Encoder::new(options.charset, Nel::LineFeed, options.unmappable);
    encoder.push(text, &mut octets).map_err(|(at, character)| {
        format!(
            "byte {at} of the text: {} has no {character:?} (U+{:04X})",
            options.charset.name(),
            u32::from(character)
        )
    })?;
    encoder.finish(&mut octets);
    Ok(octets)
}

/// The message that says what `octets` are.
fn message(context: &Context, options: &Options, octets: &[u8]) -> Message {
    let net = &context.net;
    let from = net.hostname();
    // What is left out or replaced stands in the octets already.
    let text = super::octets::shown(octets, options.charset);
    let text = Part::Text { subtype: "plain".to_owned(), charset: options.charset, text };
    let body = match options.picture {
        None => text,
        Some(picture) => {
            let name = "picture.gif".to_owned();
            let picture = Part::Octets { kind: "image/gif".to_owned(), name, octets: picture.to_vec() };
            Part::Multipart { subtype: "mixed".to_owned(), parts: vec![text, picture] }
        }
    };
    Message {
        from: Mailbox::new("", format!("text@{from}")),
        to: vec![Mailbox::new("", format!("text@{}", options.host))],
        subject: options.lines.first().cloned().unwrap_or_default(),
        date: net.unix_time().as_secs().cast_signed(),
        id: format!("{}@{from}", net.now().as_nanos()),
        boundary: "text".to_owned(),
        body,
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("text.sent", "texts that `text-send` sent"),
    Metric::counter("text.unsent", "texts that `text-send` could not send"),
    Metric::bytes("text.octets", "bytes of each text in its character set"),
    Metric::bytes("text.message", "bytes of each message around a text (MIME)"),
    Metric::bytes("text.wire", "bytes that `text-send` handed to TCP, compressed where it was asked to"),
];
