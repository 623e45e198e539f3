//! `keys-send`: a text for another, kept from others by one of the ways that there are.

use std::io;

use septet_core::{Metric, Storey};
use septet_presentation::keys::{METHODS, Message, Method, Sender};
use septet_socket::{BoxFuture, NetExt, NetRef, TcpOptions, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::args::{self, Arg, ArgError, At, Spec};
use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The port of `keys-receive`, where none is named.
pub(super) const PORT: u16 = 7070;

/// The program.
pub(super) struct KeysSend;

impl Program for KeysSend {
    fn name(&self) -> &'static str {
        "keys-send"
    }

    fn summary(&self) -> &'static str {
        "sends a text to `keys-receive`, kept from others by keys"
    }

    fn usage(&self) -> &'static str {
        "Usage: keys-send <method> <host>[:<port>] <text>...
Methods:
 symmetric  One key for both, handed over first
 public     A public key closes, the private one opens
 hybrid     The symmetric key travels under the public key, as in the first SSL
 agreement  Both agree on a key that is never sent, as in TLS 1.3
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
                    Err(why) => {
                        context.net.count("keys.error");
                        complain(&context, "keys-send", &why, 1)
                    }
                },
                Err(e) => complain(&context, "keys-send", &e, 2),
            }
        })
    }
}

struct Options {
    method: Method,
    host: String,
    port: u16,
    text: String,
}

const SPECS: &[Spec] = &[];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let (mut method, mut to, mut text) = (None, None, Vec::new());
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if method.is_none() => {
                    let known = METHODS.iter().find(|known| known.name == word);
                    let names = "symmetric, public, hybrid or agreement";
                    method = Some(known.ok_or_else(|| args::bad("method", &word, names))?.method);
                }
                Arg::Free(word) if to.is_none() => to = Some(args::host_and_port(&word, PORT)?),
                Arg::Free(word) => text.push(word),
                Arg::Flag(_) | Arg::Value(..) => {}
            }
            Ok(())
        })?;
        let method = method.ok_or(ArgError::Missing("the method"))?;
        let (host, port) = to.ok_or(ArgError::Missing("the host"))?;
        if text.is_empty() {
            return Err(ArgError::Missing("the text").into());
        }
        Ok(Self { method, host, port, text: text.join(" ") })
    }
}

async fn send(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let names = Names::new(net.clone());
    let tcp = TcpOptions::default();
    let (mut stream, _) = names.connect(&options.host, options.port, Family::Any, &tcp).await?;
    let begun = net.now();
    let mut random = |octets: &mut [u8]| net.fill_random(octets);
    let mut sender = Sender::new(options.method, options.text.as_bytes());
    let mut wire = Wire::default();
    wire.say(net, &mut stream, &sender.begin(&mut random)).await?;
    while !sender.is_done() {
        let answer = wire.hear(net, &mut stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let answers = sender.hear(&answer, &mut random).map_err(broken)?;
        wire.say(net, &mut stream, &answers).await?;
    }
    stream.shutdown().await?;
    // The other end has read all when it closes too.
    if wire.hear(net, &mut stream).await?.is_some() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "something came behind the end"));
    }
    net.count("keys.sent");
    net.observe("keys.time", (net.now() - begun).as_secs_f64());
    Ok(())
}

pub(super) fn broken(e: septet_presentation::keys::Broken) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

/// The messages of one connection.
#[derive(Default)]
pub(super) struct Wire {
    read: Vec<u8>,
}

impl Wire {
    /// Sends messages.
    pub(super) async fn say(&mut self, net: &NetRef, stream: &mut TcpStream, messages: &[Message]) -> io::Result<()> {
        for message in messages {
            note(net, "sent", message);
            stream.write_all(&message.to_octets()).await?;
        }
        stream.flush().await
    }

    /// The next message; none at the end.
    pub(super) async fn hear(&mut self, net: &NetRef, stream: &mut TcpStream) -> io::Result<Option<Message>> {
        let mut piece = [0; 4096];
        loop {
            if let Some((message, len)) = Message::parse(&self.read).map_err(broken)? {
                self.read.drain(..len);
                note(net, "received", &message);
                return Ok(Some(message));
            }
            match stream.read(&mut piece).await? {
                0 if self.read.is_empty() => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.read.extend_from_slice(&piece[..n]),
            }
        }
    }
}

fn note(net: &NetRef, way: &'static str, message: &Message) {
    net.trace(Storey::Presentation, "keys.message", |f| {
        f.set("way", way).set("what", message.what()).set("bytes", message.to_octets().len());
    });
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("keys.sent", "texts that `keys-send` sent"),
    Metric::times("keys.time", "how long `keys-send` took from the connection to its end"),
    Metric::counter("keys.error", "texts of `keys-send` and conversations of `keys-receive` that came to nothing"),
];
