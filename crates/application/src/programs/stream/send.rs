//! The end that speaks.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use septet_core::Storey;
use septet_socket::{Broadcast, NetExt, Nodelay, TcpOptions, TcpStream, UdpSocket};
use tokio::io::AsyncWriteExt;

use super::super::Context;
use super::super::names::Names;
use super::Options;
use super::rtp::{CLOCK, HEADER_LEN, Header};
use crate::dns::Family;

/// How long it speaks unless told otherwise.
const TIME: Duration = Duration::from_secs(10);
/// RFC 3551 §6: µ-law at 64 kbit/s has payload type 0; what both ends only agree on has 96 and above.
const PCMU: u8 = 0;
const DYNAMIC: u8 = 96;
/// Silence, in µ-law.
const SILENCE: u8 = 0xff;

/// What carries the packets.
enum Carrier {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream),
}

impl Carrier {
    async fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket, to) => socket.send_to(packet, *to).await.map(drop),
            // RFC 4571 §2: "a 16-bit unsigned integer length … followed by the RTP or RTCP packet".
            Self::Tcp(stream) => {
                let framed = [&(packet.len() as u16).to_be_bytes()[..], packet].concat();
                stream.write_all(&framed).await
            }
        }
    }
}

pub(super) async fn run(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let ip = match options.address() {
        Some(address) => address,
        None => Names::new(net.clone()).address(&options.host, Family::Any).await.map_err(io::Error::other)?,
    };
    let mut carrier = open(context, options, SocketAddr::new(ip, options.port)).await?;
    let mut random = [0; 10];
    net.fill_random(&mut random);
    let [a, b, c, d, e, f, g, h, i, j] = random;
    let first = Header {
        marker: true,
        payload_type: if options.rate == u64::from(CLOCK) * 8 { PCMU } else { DYNAMIC },
        // §5.1: "The initial value of the sequence number SHOULD be random"; so should those of the others.
        sequence: u16::from_be_bytes([a, b]),
        timestamp: u32::from_be_bytes([c, d, e, f]),
        ssrc: u32::from_be_bytes([g, h, i, j]),
    };
    let (interval, time) = (options.interval(), options.time.unwrap_or(TIME));
    let mut packet = vec![SILENCE; HEADER_LEN + options.packet];
    let (begun, mut sent, mut failed) = (net.now(), 0_u64, 0_u64);
    loop {
        let number = sent + failed;
        let spoken = Duration::from_nanos((interval.as_nanos() as u64).saturating_mul(number));
        if spoken >= time {
            break;
        }
        net.sleep_until(begun + spoken).await;
        let samples = spoken.as_nanos() * u128::from(CLOCK) / 1_000_000_000;
        let header = Header {
            marker: number == 0,
            sequence: first.sequence.wrapping_add(number as u16),
            timestamp: first.timestamp.wrapping_add(samples as u32),
            ..first
        };
        packet[..HEADER_LEN].copy_from_slice(&header.write());
        match carrier.send(&packet).await {
            Ok(()) => {
                sent += 1;
                net.count("stream.sent");
            }
            Err(e) if matches!(carrier, Carrier::Tcp(_)) || sent == 0 => return Err(e),
            Err(e) => {
                failed += 1;
                net.count("stream.error");
                net.trace(Storey::Application, "stream.failed", |f| {
                    f.set("number", number).set("why", e.to_string());
                });
            }
        }
    }
    if let Carrier::Tcp(stream) = &mut carrier {
        stream.shutdown().await?;
    }
    let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let line = format!("{sent} packets of {} bytes sent, one every {interval:?}{failures}\n", options.packet);
    context.console.out(line.as_bytes());
    Ok(())
}

async fn open(context: &Context, options: &Options, to: SocketAddr) -> io::Result<Carrier> {
    let net = &context.net;
    if options.tcp {
        let tcp = TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() };
        return Ok(Carrier::Tcp(net.connect(to, tcp).await?));
    }
    let socket = net.open_udp(to.ip())?;
    if options.broadcast {
        socket.set_broadcast(Broadcast::Allowed)?;
    }
    if to.ip().is_multicast() {
        if let Some(ttl) = options.ttl {
            socket.set_multicast_ttl(ttl)?;
        }
        socket.set_multicast_interface(options.interface.as_deref())?;
    } else if let Some(ttl) = options.ttl {
        socket.set_ttl(ttl)?;
    }
    Ok(Carrier::Udp(socket, to))
}
