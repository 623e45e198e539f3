//! One packet with a time to live, and what became of it: what `tracepath` and `mtr` are made of.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_socket::{EchoReply, IcmpSocket, NetExt, NetRef, Trouble};

use super::syn;

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hop {
    /// It came back from the host, with this time to live where it is an echo.
    Host(IpAddr, u8),
    /// A router let it die.
    Router(IpAddr),
    /// A router says that it is larger than the next link takes.
    TooBig(IpAddr, u32),
    /// Nobody can get further.
    Unreachable(IpAddr, Trouble),
    /// Nobody answered.
    Silence,
}

impl Hop {
    fn told(by: IpAddr, trouble: Trouble) -> Self {
        match trouble {
            Trouble::HopLimit => Self::Router(by),
            Trouble::TooBig { mtu } => Self::TooBig(by, mtu),
            trouble => Self::Unreachable(by, trouble),
        }
    }
}

/// Sends the request `seq` of so many bytes of payload to `host`, and waits for what becomes of it; gives that, and how long
/// it took.
///
/// # Errors
/// It could not be sent.
pub(super) async fn probe(
    net: &NetRef,
    socket: &IcmpSocket,
    (host, ttl, seq): (IpAddr, u8, u16),
    payload: usize,
    wait: Duration,
) -> io::Result<(Hop, Duration)> {
    socket.set_ttl(ttl)?;
    let sent = net.now();
    socket.send(host, seq, &vec![0; payload]).await?;
    let mut buf = [0; 64];
    loop {
        let left = wait.saturating_sub(net.now() - sent);
        let Ok(answer) = net.timeout(left, socket.receive(&mut buf)).await else { return Ok((Hop::Silence, wait)) };
        let hop = match answer? {
            EchoReply::Reply { from, seq: of, ttl, .. } if of == seq => Hop::Host(from, ttl),
            EchoReply::Error { seq: of, error } if of == seq => Hop::told(error.reporter, error.trouble),
            // Of a request before.
            _ => continue,
        };
        return Ok((hop, net.now() - sent));
    }
}

/// Sends a datagram of so many bytes of payload to a port of a host, and waits for what becomes of it.
///
/// # Errors
/// It could not be sent.
pub(super) async fn probe_udp(
    net: &NetRef,
    (to, ttl): (SocketAddr, u8),
    payload: usize,
    wait: Duration,
) -> io::Result<(Hop, Duration)> {
    let socket = net.open_udp(to.ip())?;
    socket.set_ttl(ttl)?;
    let sent = net.now();
    let (mut error, mut buf) = (pin!(socket.error()), [0; 64]);
    // Errors are kept from the first question on.
    let asked = core::future::poll_fn(|cx| Poll::Ready(error.as_mut().poll(cx))).await;
    if let Poll::Ready(Err(e)) = asked {
        return Err(e);
    }
    socket.send_to(&vec![0; payload], to).await?;
    let mut datagram = pin!(socket.receive(&mut buf));
    let answer = core::future::poll_fn(|cx| {
        if let Poll::Ready(Ok(error)) = error.as_mut().poll(cx) {
            return Poll::Ready(Hop::told(error.reporter, error.trouble));
        }
        match datagram.as_mut().poll(cx) {
            Poll::Ready(Ok(datagram)) => Poll::Ready(Hop::Host(datagram.from.ip(), 0)),
            _ => Poll::Pending,
        }
    });
    Ok(match net.timeout(wait, answer).await {
        Ok(hop) => (hop, net.now() - sent),
        Err(_) => (Hop::Silence, wait),
    })
}

/// Sends the SYN number `probe`, and waits for what becomes of it.
///
/// # Errors
/// It could not be sent.
pub(super) async fn probe_tcp(
    net: &NetRef,
    prober: &syn::Prober,
    (probe, ttl): (u32, u8),
    wait: Duration,
) -> io::Result<(Hop, Duration)> {
    let sent = net.now();
    prober.send(probe, ttl)?;
    let mut buf = vec![0; 2048];
    loop {
        let left = wait.saturating_sub(net.now() - sent);
        let Ok(answer) = net.timeout(left, prober.receive(&mut buf)).await else { return Ok((Hop::Silence, wait)) };
        let hop = match answer? {
            (of, _) if of != probe => continue,
            (_, syn::Answer::Host(from)) => Hop::Host(from, 0),
            (_, syn::Answer::Way(from, trouble)) => Hop::told(from, trouble),
        };
        return Ok((hop, net.now() - sent));
    }
}
