//! `udp-send`: sends numbered datagrams.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use septet_socket::{BoxFuture, NetExt};

use super::args::{self, Arg, ArgError, Spec, value};
use super::names::Names;
use super::{Context, Program, complain};

/// The program.
pub(super) struct UdpSend;

/// Eight bytes of number and eight of time begin each datagram.
pub(super) const HEADER: usize = 16;

impl Program for UdpSend {
    fn name(&self) -> &'static str {
        "udp-send"
    }

    fn summary(&self) -> &'static str {
        "sends numbered datagrams"
    }

    fn usage(&self) -> &'static str {
        "Usage: udp-send [options] <host> <port>
 --count <n>      So many datagrams (1)
 --size <bytes>   Bytes of payload, at least 16 (1000)
 --interval <t>   Time between two datagrams (none)
 --rate <bits/s>  Or so many bits of payload a second
 --ttl <n>        Time to live
"
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(args) {
                Ok(options) => match send(&context, &options).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "udp-send", &e, 1),
                },
                Err(e) => complain(&context, "udp-send", &e, 2),
            }
        })
    }
}

struct Options {
    host: String,
    port: u16,
    count: u64,
    size: usize,
    interval: Duration,
    ttl: Option<u8>,
}

const SPECS: &[Spec] =
    &[value(' ', "count"), value(' ', "size"), value(' ', "interval"), value(' ', "rate"), value(' ', "ttl")];

impl Options {
    fn parse(words: Vec<String>) -> Result<Self, ArgError> {
        let (mut count, mut size, mut interval, mut rate, mut ttl) = (1, 1000, Duration::ZERO, None, None);
        let mut free = Vec::new();
        for arg in args::parse(SPECS, words)? {
            match arg {
                Arg::Free(word) => free.push(word),
                Arg::Flag(_) => {}
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "count" => count = args::number(&option, &text)?,
                        "size" => size = args::amount(&option, &text, 1024)?.clamp(HEADER as u64, 65_507) as usize,
                        "interval" => interval = args::duration(&option, &text)?,
                        "rate" => rate = Some(args::amount(&option, &text, 1000)?.max(1)),
                        _ => ttl = Some(args::number(&option, &text)?),
                    }
                }
            }
        }
        if let Some(rate) = rate {
            interval = Duration::from_nanos(size as u64 * 8 * 1_000_000_000 / rate);
        }
        let [host, port] = &free[..] else { return Err(ArgError::Missing("the host or the port")) };
        Ok(Self { host: host.clone(), port: args::number("port", port)?, count, size, interval, ttl })
    }
}

async fn send(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let ip = Names::new(net.clone()).address(&options.host).await.map_err(io::Error::other)?;
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = net.bind_udp(SocketAddr::new(any, 0))?;
    if let Some(ttl) = options.ttl {
        socket.set_ttl(ttl)?;
    }
    let to = SocketAddr::new(ip, options.port);
    let mut datagram: Vec<u8> = (0..options.size).map(|i| i as u8).collect();
    let mut due = net.now();
    let (mut sent, mut failed) = (0u64, 0u64);
    for number in 0..options.count {
        if due > net.now() {
            net.sleep_until(due).await;
        }
        due += options.interval;
        datagram[..8].copy_from_slice(&number.to_be_bytes());
        let nanos = u64::try_from(net.unix_time().as_nanos()).unwrap_or(u64::MAX);
        datagram[8..HEADER].copy_from_slice(&nanos.to_be_bytes());
        match socket.send_to(&datagram, to).await {
            Ok(_) => {
                sent += 1;
                net.observe("send.bytes", options.size as f64);
            }
            Err(_) => {
                failed += 1;
                net.count("send.error");
            }
        }
    }
    context.console.out(format!("{sent} datagrams of {} bytes sent, {failed} failed\n", options.size).as_bytes());
    Ok(())
}
