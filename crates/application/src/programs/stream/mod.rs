//! `stream`: sends a voice to one or to many in real time, and tells how it came.

mod receive;
mod rtp;
mod send;

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use septet_core::{Metric, Storey};
use septet_socket::{BoxFuture, NetExt};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

/// The program.
pub(super) struct Stream;

impl Program for Stream {
    fn name(&self) -> &'static str {
        "stream"
    }

    fn summary(&self) -> &'static str {
        "sends a voice to one or to many (RTP), and tells what was lost, late and uneven"
    }

    fn usage(&self) -> &'static str {
        "Usage: stream [options] <host or group>:<port>
       stream [options] --listen [<address or group>:]<port>
 --for <t>           Send for so long (10s), or listen for so long (without end)
 --rate <bits/s>     Of payload (64kbit)
 --packet <bytes>    Payload of each packet (160)
 --ttl <n>           Hops (1 to groups)
 --broadcast         May send to all on a link
 --interface <name>  By which it leaves, or on which the group is joined: eth0
 --from <host>       Only what this host sends: a source-specific join
 --buffer <t>        Play what comes so long after the first packet came (60ms)
 --linger <t>        Look so long for what still comes after leaving (3s)
 --tcp               Over TCP instead, each packet behind its length (RFC 4571)
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        let transport = if options.tcp { Transport::Tcp } else { Transport::Udp };
        let named = |name: &String| name.parse::<IpAddr>().is_err();
        Ok(match options.side {
            Side::Listens => Needs {
                listens: Some((transport, options.port)),
                lasts: if options.time.is_some() { Lasts::Ends } else { Lasts::Forever },
                hosts: options.from.into_iter().filter(named).collect(),
                ..Needs::default()
            },
            Side::Sends => Needs { hosts: Some(options.host).filter(named).into_iter().collect(), ..Needs::default() },
        })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            let options = match Options::parse(&args) {
                Ok(options) => options,
                Err(e) => return complain(&context, "stream", &e, 2),
            };
            let result = match options.side {
                Side::Sends => send::run(&context, &options).await,
                Side::Listens => receive::run(&context, &options).await,
            };
            match result {
                Ok(()) => 0,
                Err(e) => {
                    context.net.count("stream.error");
                    context.net.trace(Storey::Application, "stream.failed", |f| {
                        f.set("why", e.to_string());
                    });
                    complain(&context, "stream", &e, 1)
                }
            }
        })
    }
}

/// What this end does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Sends,
    Listens,
}

#[derive(Clone, Debug)]
struct Options {
    side: Side,
    /// To whom it sends; of a listener the group or the address that it takes.
    host: String,
    port: u16,
    time: Option<Duration>,
    rate: u64,
    packet: usize,
    ttl: Option<u8>,
    broadcast: bool,
    interface: Option<String>,
    from: Option<String>,
    buffer: Duration,
    linger: Duration,
    tcp: bool,
}

impl Options {
    /// How long one packet speaks.
    fn interval(&self) -> Duration {
        Duration::from_nanos((self.packet as u64).saturating_mul(8_000_000_000) / self.rate)
    }

    /// The address that the host is, where it is written as one.
    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// The most of payload that a packet takes: a datagram less RTP's header.
const LARGEST: u64 = 65_507 - rtp::HEADER_LEN as u64;

const SPECS: &[Spec] = &[
    flag(' ', "listen"),
    value(' ', "for"),
    value(' ', "rate"),
    value(' ', "packet"),
    value(' ', "ttl"),
    flag(' ', "broadcast"),
    value(' ', "interface"),
    value(' ', "from"),
    value(' ', "buffer"),
    value(' ', "linger"),
    flag(' ', "tcp"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            side: Side::Sends,
            host: String::new(),
            port: 0,
            time: None,
            rate: 64_000,
            packet: 160,
            ttl: None,
            broadcast: false,
            interface: None,
            from: None,
            buffer: Duration::from_millis(60),
            linger: Duration::from_secs(3),
            tcp: false,
        };
        let mut place = None;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if place.is_none() => place = Some(word),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "listen" => options.side = Side::Listens,
                Arg::Flag(name) if name == "broadcast" => options.broadcast = true,
                Arg::Flag(_) => options.tcp = true,
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "for" => options.time = Some(args::span(&option, &text)?),
                        "rate" => options.rate = args::some(&option, &text, 1000)?,
                        "packet" => {
                            options.packet = match args::amount(&option, &text, 1024)? {
                                bytes @ 1..=LARGEST => bytes as usize,
                                _ => return Err(args::bad(&option, &text, "a size from 1 to 65495")),
                            };
                        }
                        "ttl" => {
                            options.ttl = Some(args::within(&option, &text, 1, 255, "a number of hops from 1 to 255")?);
                        }
                        "interface" => options.interface = Some(text),
                        "from" => options.from = Some(text),
                        "buffer" => options.buffer = args::duration(&option, &text)?,
                        _ => options.linger = args::duration(&option, &text)?,
                    }
                }
            }
            Ok(())
        })?;
        let place = place.ok_or(ArgError::Missing("the address"))?;
        (options.host, options.port) = split(&place, options.side)?;
        if options.interval().is_zero() {
            return Err(args::bad("--rate", &options.rate.to_string(), "one at which a packet takes some time").into());
        }
        let group = options.address().is_some_and(|a| a.is_multicast());
        if options.from.is_some() && !(options.side == Side::Listens && group) {
            return Err(ArgError::Without("--from", "--listen and a group").into());
        }
        if options.tcp && (group || options.broadcast) {
            return Err(args::bad("--tcp", &place, "to one host, and TCP knows no other").into());
        }
        Ok(options)
    }
}

/// `239.1.1.1:5004`, `[ff1e::1]:5004`, `web:5004`; of a listener `5004` too.
fn split(place: &str, side: Side) -> Result<(String, u16), ArgError> {
    if let Ok(address) = place.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), args::port("the port", &address.port().to_string())?));
    }
    match place.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !host.contains(':') && side == Side::Sends => {
            Ok((host.to_owned(), args::port("the port", port)?))
        }
        None if side == Side::Listens => Ok((Ipv4Addr::UNSPECIFIED.to_string(), args::port("the port", place)?)),
        _ => Err(args::bad("the address", place, "an address and a port such as 239.1.1.1:5004")),
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("stream.sent", "packets sent"),
    Metric::counter("stream.received", "packets that came, each once"),
    Metric::times("stream.join", "from joining, or from beginning to listen, to the first packet"),
    Metric::times("stream.jitter", "the interarrival jitter of RFC 3550 §6.4.1, after each packet"),
    Metric::counter("stream.gap", "packets that were passed over when a later one came"),
    Metric::counter("stream.reordered", "packets that came after a later one"),
    Metric::counter("stream.duplicates", "packets that had come before"),
    Metric::times("stream.late", "by how much packets missed the time at which they should have been played"),
    Metric::counter("stream.lost", "once at the end, with `--for`: packets missing"),
    Metric::times(
        "stream.leave",
        "once at the end, with `--for`: from leaving the group to its last frame on the link",
    ),
    Metric::counter("stream.error", "streams that broke"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words = super::super::split(line).unwrap();
        Options::parse(&words).map_err(|e| e.to_string())
    }

    #[test]
    fn command_lines() {
        let options = parse("239.1.1.1:5004 --rate 64kbit --packet 160 --for 10s").unwrap();
        assert_eq!(
            (options.host.as_str(), options.port, options.interval()),
            ("239.1.1.1", 5004, Duration::from_millis(20))
        );
        let options = parse("--listen [ff1e::7]:5004 --from web").unwrap();
        assert_eq!((options.side, options.host.as_str()), (Side::Listens, "ff1e::7"));
        assert_eq!(parse("--listen 5004").unwrap().port, 5004);
        assert_eq!(parse("web:5004 --tcp").unwrap().host, "web");
        for wrong in [
            "",
            "web",
            "5004",
            "web:0",
            ":5004",
            "--listen web:5004",
            "a:1 b:2",
            "a:1 --rate 0",
            "a:1 --packet 0",
            "a:1 --packet 65496",
            "a:1 --from b",
            "--listen 5004 --from b",
            "239.1.1.1:5004 --tcp",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
