//! One echo request with a time to live, and what became of it: what `tracepath` and `mtr` are made of.

use core::time::Duration;
use std::io;
use std::net::IpAddr;

use septet_socket::{EchoReply, IcmpSocket, NetExt, NetRef, Trouble};

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hop {
    /// It came back from the host, with this time to live.
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
            EchoReply::Error { seq: of, error } if of == seq => match error.trouble {
                Trouble::HopLimit => Hop::Router(error.reporter),
                Trouble::TooBig { mtu } => Hop::TooBig(error.reporter, mtu),
                trouble => Hop::Unreachable(error.reporter, trouble),
            },
            // Of a request before.
            _ => continue,
        };
        return Ok((hop, net.now() - sent));
    }
}
