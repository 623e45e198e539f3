//! `udp-sink`: counts what `udp-send` sends, and what is missing of it.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use septet_socket::{BoxFuture, NetExt};

use super::args::{self, Arg, ArgError, Spec, value};
use super::udp_send::HEADER;
use super::{Context, Program, complain};

/// The program.
pub(super) struct UdpSink;

impl Program for UdpSink {
    fn name(&self) -> &'static str {
        "udp-sink"
    }

    fn summary(&self) -> &'static str {
        "counts datagrams, and those that are missing"
    }

    fn usage(&self) -> &'static str {
        "Usage: udp-sink [options] <port>
 --group <address>  Take part in a multicast group
 --time <t>         End after this time, and sum up
"
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(args) {
                Ok(options) => match serve(&context, &options).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "udp-sink", &e, 1),
                },
                Err(e) => complain(&context, "udp-sink", &e, 2),
            }
        })
    }
}

struct Options {
    port: u16,
    group: Option<IpAddr>,
    time: Option<Duration>,
}

const SPECS: &[Spec] = &[value(' ', "group"), value(' ', "time")];

impl Options {
    fn parse(words: Vec<String>) -> Result<Self, ArgError> {
        let (mut port, mut group, mut time) = (None, None, None);
        for arg in args::parse(SPECS, words)? {
            match arg {
                Arg::Free(word) if port.is_none() => port = Some(args::number("port", &word)?),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(_) => {}
                Arg::Value(name, text) if name == "group" => group = Some(args::number("--group", &text)?),
                Arg::Value(_, text) => time = Some(args::duration("--time", &text)?),
            }
        }
        Ok(Self { port: port.ok_or(ArgError::Missing("the port"))?, group, time })
    }
}

/// What has come.
#[derive(Default)]
struct Tally {
    datagrams: u64,
    bytes: u64,
    /// The number that should come next.
    next: u64,
    /// Numbers that were passed over and did not come later.
    missing: u64,
    late: u64,
}

async fn serve(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let socket = net.bind_udp(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), options.port))?;
    if let Some(group) = options.group {
        socket.join_multicast(group)?;
    }
    let mut tally = Tally::default();
    let work = async {
        let mut buf = vec![0; 65_536];
        loop {
            let Ok(datagram) = socket.receive(&mut buf).await else { continue };
            take(context, &mut tally, &buf[..datagram.len.min(buf.len())]);
        }
    };
    match options.time {
        Some(time) => drop(net.timeout(time, work).await),
        None => work.await,
    }
    net.observe("sink.lost", tally.missing as f64);
    let Tally { datagrams, bytes, missing, late, .. } = tally;
    context.console.out(format!("{datagrams} datagrams, {bytes} bytes, {missing} missing, {late} late\n").as_bytes());
    Ok(())
}

fn take(context: &Context, tally: &mut Tally, datagram: &[u8]) {
    let net = &context.net;
    tally.datagrams += 1;
    tally.bytes += datagram.len() as u64;
    net.count("sink.datagrams");
    net.observe("sink.bytes", datagram.len() as f64);
    let Some(header) = datagram.first_chunk::<HEADER>() else { return };
    let word = |at: usize| header[at..].first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
    let (number, sent) = (word(0), Duration::from_nanos(word(8)));
    // Sensible where both ends have one clock, as all hosts of a lab have.
    net.observe("sink.delay", net.unix_time().saturating_sub(sent).as_secs_f64());
    if number >= tally.next {
        // A number out of thin air must not count as an endless loss.
        let gap = number - tally.next;
        if gap < 1 << 32 {
            tally.missing += gap;
        }
        tally.next = number + 1;
    } else {
        tally.late += 1;
        tally.missing = tally.missing.saturating_sub(1);
        net.count("sink.late");
    }
}
