//! `eavesdrop`: hears what passes on a link, and says what it can read of it, at once and with keys stolen later.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use septet_core::{Instant, Metric, Storey};
use septet_presentation::keys::{Eavesdropper, LongTerm};
use septet_socket::{BoxFuture, NetExt, NetRef, PacketSocket, TcpOptions};
use septet_wire::ethernet::EtherType;
use septet_wire::{ipv4, tcp};
use tokio::io::AsyncReadExt;

use super::args::{self, Arg, ArgError, At, Spec, value};
use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Eavesdrop;

impl Program for Eavesdrop {
    fn name(&self) -> &'static str {
        "eavesdrop"
    }

    fn summary(&self) -> &'static str {
        "hears what others say on its link over TCP and IPv4, and reads what it can"
    }

    fn usage(&self) -> &'static str {
        "Usage: eavesdrop [options]
 --break-in <host:port>  When it has heard enough, steal the private keys of a `keys-receive --leak` there
 --find <text>           Look for this text in what is said
 --for <time>            Listen so long (10s)
 -i <interface>          The interface (eth0)
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs { hosts: options.break_in.into_iter().map(|(host, _)| host).collect(), ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match eavesdrop(&context, &options).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "eavesdrop", &e, 1),
                },
                Err(e) => complain(&context, "eavesdrop", &e, 2),
            }
        })
    }
}

struct Options {
    device: String,
    long: Duration,
    find: Option<String>,
    break_in: Option<(String, u16)>,
}

const SPECS: &[Spec] = &[value('i', ""), value(' ', "break-in"), value(' ', "find"), value(' ', "for")];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self { device: "eth0".to_owned(), long: Duration::from_secs(10), find: None, break_in: None };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(_) => {}
                Arg::Value(name, text) => match name.as_str() {
                    "i" => options.device = text,
                    "for" => options.long = args::span("--for", &text)?,
                    "find" if text.is_empty() => return Err(args::bad("--find", &text, "a text")),
                    "find" => options.find = Some(text),
                    _ => {
                        let (host, port) = args::host_and_port(&text, 0)?;
                        if port == 0 {
                            return Err(args::bad("--break-in", &text, "a host, a colon and a port"));
                        }
                        options.break_in = Some((host, port));
                    }
                },
            }
            Ok(())
        })?;
        Ok(options)
    }
}

async fn eavesdrop(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let socket = net.open_promiscuous(&options.device, EtherType::IPV4)?;
    let mut heard = Heard {
        context,
        find: options.find.as_deref().map(str::as_bytes),
        conversations: Vec::new(),
        of: BTreeMap::new(),
    };
    heard.listen(&socket, net.now() + options.long).await;
    drop(socket);
    let stolen = match &options.break_in {
        Some((host, port)) => Some(break_in(net, host, *port).await?),
        None => None,
    };
    heard.conclude(stolen.as_ref());
    Ok(())
}

/// Steals the private keys.
async fn break_in(net: &NetRef, host: &str, port: u16) -> io::Result<LongTerm> {
    let names = Names::new(net.clone());
    let (mut stream, _) = names.connect(host, port, Family::Any, &TcpOptions::default()).await?;
    let mut octets = Vec::new();
    (&mut stream).take(4096).read_to_end(&mut octets).await?;
    LongTerm::from_octets(&octets)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "these are no private keys"))
}

/// No more conversations are remembered, and no more of what came early.
const MOST: usize = 1024;

struct Heard<'a> {
    context: &'a Context,
    find: Option<&'a [u8]>,
    conversations: Vec<Conversation>,
    /// The number of a conversation, by its ends, the lower one first.
    of: BTreeMap<[SocketAddr; 2], usize>,
}

struct Conversation {
    /// Who began, and with whom.
    ends: [SocketAddr; 2],
    ways: [Way; 2],
    keys: Option<Eavesdropper>,
    messages: usize,
    bytes: u64,
    found: bool,
}

/// What one of the two says.
#[derive(Default)]
struct Way {
    next: Option<u32>,
    early: BTreeMap<u32, Vec<u8>>,
    /// The end of what was said, in which a text may begin.
    tail: Vec<u8>,
}

impl Way {
    /// What a segment adds, in order.
    fn take(&mut self, seq: u32, payload: &[u8]) -> Vec<u8> {
        let next = *self.next.get_or_insert(seq);
        // Sequence numbers wrap: what lies before is less than half of them behind.
        let before = next.wrapping_sub(seq);
        if before > u32::MAX / 2 {
            if self.early.len() < MOST {
                self.early.insert(seq, payload.to_vec());
            }
            return Vec::new();
        }
        let mut said = payload.get(before as usize..).unwrap_or_default().to_vec();
        let mut end = next.wrapping_add(u32::try_from(said.len()).unwrap_or(0));
        while let Some(later) = self.early.remove(&end) {
            end = end.wrapping_add(u32::try_from(later.len()).unwrap_or(0));
            said.extend(later);
        }
        self.next = Some(end);
        said
    }
}

impl Heard<'_> {
    async fn listen(&mut self, socket: &PacketSocket, until: Instant) {
        let net = &self.context.net;
        let why = net.cause();
        let mut buf = vec![0; 65_536];
        let mut over = net.sleep_until(until);
        loop {
            let taken = {
                let mut packet = pin!(socket.receive(&mut buf));
                core::future::poll_fn(|cx| {
                    if let Poll::Ready(taken) = packet.as_mut().poll(cx) {
                        return Poll::Ready(taken.ok());
                    }
                    core::pin::Pin::new(&mut over).poll(cx).map(|()| None)
                })
                .await
            };
            let Some(taken) = taken else { return net.because(why) };
            let len = taken.len.min(buf.len());
            self.packet(&buf[..len]);
        }
    }

    fn packet(&mut self, packet: &[u8]) {
        let Ok(header) = ipv4::Header::parse(packet) else { return };
        if header.protocol != ipv4::protocol::TCP || header.is_fragment() {
            return;
        }
        // Short frames are padded.
        let segment = packet.get(usize::from(header.header_len)..usize::from(header.total_len)).unwrap_or_default();
        let Ok((tcp, at)) = tcp::Header::parse(segment) else { return };
        let end = |ip: Ipv4Addr, port| SocketAddr::from((ip, port));
        let (from, to) = (end(header.src, tcp.src_port), end(header.dst, tcp.dst_port));
        let ends = if from < to { [from, to] } else { [to, from] };
        // Ports are used again: a SYN alone begins another conversation.
        let begins = tcp.flags.has(tcp::Flags::SYN) && !tcp.flags.has(tcp::Flags::ACK);
        let number = match self.of.get(&ends) {
            Some(number) if !begins => *number,
            _ if self.conversations.len() == MOST => return,
            _ => {
                self.context.net.count("eavesdrop.conversations");
                self.conversations.push(Conversation {
                    ends: [from, to],
                    ways: Default::default(),
                    keys: Some(Eavesdropper::default()),
                    messages: 0,
                    bytes: 0,
                    found: false,
                });
                self.of.insert(ends, self.conversations.len() - 1);
                self.conversations.len() - 1
            }
        };
        let conversation = &mut self.conversations[number];
        let way = usize::from(conversation.ends[0] != from);
        if tcp.flags.has(tcp::Flags::SYN) {
            conversation.ways[way].next = Some(tcp.seq.wrapping_add(1));
            return;
        }
        let payload = &segment[at..];
        if payload.is_empty() {
            return;
        }
        let said = conversation.ways[way].take(tcp.seq, payload);
        conversation.bytes += said.len() as u64;
        self.hear(number, way, &said);
    }

    fn hear(&mut self, number: usize, way: usize, said: &[u8]) {
        let net = &self.context.net;
        let conversation = &mut self.conversations[number];
        let ends = conversation.ends;
        if let Some(text) = self.find {
            let tail = &mut conversation.ways[way].tail;
            tail.extend_from_slice(said);
            if !conversation.found && tail.windows(text.len()).any(|window| window == text) {
                conversation.found = true;
                net.count("eavesdrop.found");
                net.trace(Storey::Application, "eavesdrop.found", |f| {
                    f.set("from", ends[way])
                        .set("to", ends[1 - way])
                        .set("text", String::from_utf8_lossy(text).into_owned());
                });
            }
            let keep = tail.len().min(text.len() - 1);
            tail.drain(..tail.len() - keep);
        }
        let Some(keys) = &mut conversation.keys else { return };
        match keys.hear(way, said) {
            Ok(messages) => {
                for message in messages {
                    conversation.messages += 1;
                    let what = message.what();
                    let line =
                        format!("{} > {}: {what}, {} bytes\n", ends[way], ends[1 - way], message.to_octets().len());
                    self.context.console.out(line.as_bytes());
                }
            }
            // It is another conversation than one with keys.
            Err(_) => conversation.keys = None,
        }
    }

    /// Says what could be read of each conversation.
    fn conclude(&self, stolen: Option<&LongTerm>) {
        let net = &self.context.net;
        for Conversation { ends: [from, to], keys, messages, bytes, found, .. } in &self.conversations {
            net.observe("eavesdrop.bytes", *bytes as f64);
            let tell = |kind: &'static str, text: Option<Vec<u8>>, words: &str| {
                let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
                let line = match &text {
                    Some(text) => format!("{from} > {to}: {words}: {text}\n"),
                    None => format!("{from} > {to}: {words}\n"),
                };
                self.context.console.out(line.as_bytes());
                net.trace(Storey::Application, kind, |f| {
                    f.set("from", *from).set("to", *to).set("why", words.to_owned());
                    if let Some(text) = text {
                        f.set("text", text);
                    }
                });
            };
            let with_keys = keys.as_ref().filter(|_| *messages > 0);
            if let Some(keys) = with_keys {
                if let Some(text) = keys.read() {
                    net.count("eavesdrop.read");
                    tell("eavesdrop.read", Some(text), "read at once, by the key that was handed over");
                } else if let Some(text) = stolen.and_then(|stolen| keys.read_with(stolen)) {
                    net.count("eavesdrop.opened");
                    tell("eavesdrop.opened", Some(text), "opened later, with the stolen private key");
                } else {
                    net.count("eavesdrop.closed");
                    let words = match stolen {
                        Some(_) => "stays closed: the stolen private key opens nothing of it",
                        None => "stays closed: the key was not among what was heard",
                    };
                    tell("eavesdrop.closed", None, words);
                }
            } else if self.find.is_some() {
                if *found {
                    tell("eavesdrop.read", None, "the text is in what was heard");
                } else {
                    net.count("eavesdrop.closed");
                    tell("eavesdrop.closed", None, "the text is nowhere in what was heard");
                }
            }
        }
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("eavesdrop.conversations", "TCP connections of others that `eavesdrop` heard"),
    Metric::bytes("eavesdrop.bytes", "bytes that each of them carried"),
    Metric::counter("eavesdrop.read", "texts of `keys-send` that `eavesdrop` read at once"),
    Metric::counter("eavesdrop.opened", "texts of `keys-send` that it opened later, with stolen keys"),
    Metric::counter(
        "eavesdrop.closed",
        "conversations with keys, or without the text of `--find`, that it could not read",
    ),
    Metric::counter("eavesdrop.found", "conversations in which the text of `--find` stands"),
];
