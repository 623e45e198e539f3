//! Probes of UDP: by default each to the next port, of one socket; with `-U` all to one port, each of a socket of its own, as
//! errors tell by their ports which probe they are about.

use core::future::Future;
use core::pin::Pin;
use core::task::Poll;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use septet_socket::{NetRef, UdpSocket, Unreached};

use crate::programs::syn::Origin;

/// Which ports probes go to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// The first probe to this one, each further one to the next.
    From(u16),
    /// All to this one.
    One(u16),
}

/// What came back.
pub(super) enum Answer {
    /// Something answers on that port, which is as good as the host itself.
    Datagram(IpAddr),
    Error(Unreached),
}

/// Sends datagrams, and hears what becomes of them.
pub(super) struct Prober {
    net: NetRef,
    host: IpAddr,
    origin: Origin,
    ports: Ports,
    /// Each with its first probe.
    sockets: Vec<(u32, UdpSocket)>,
}

impl Prober {
    /// # Errors
    /// There is no such interface or address, or no such socket.
    pub(super) async fn open(net: &NetRef, host: IpAddr, origin: &Origin, ports: Ports) -> io::Result<Self> {
        let mut prober = Self { net: net.clone(), host, origin: origin.clone(), ports, sockets: Vec::new() };
        prober.open_for(0).await?;
        Ok(prober)
    }

    async fn open_for(&mut self, probe: u32) -> io::Result<()> {
        let any = if self.host.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let at = SocketAddr::new(self.origin.address.unwrap_or(any), 0);
        let socket = match &self.origin.device {
            Some(device) => self.net.bind_udp_on(device, at)?,
            None => self.net.bind_udp(at)?,
        };
        // Errors are kept from the first question on, and the first may come before there is time to ask.
        {
            let mut error = Box::pin(socket.error());
            let asked = core::future::poll_fn(|cx| Poll::Ready(error.as_mut().poll(cx))).await;
            if let Poll::Ready(Err(e)) = asked {
                return Err(e);
            }
        }
        self.sockets.push((probe, socket));
        Ok(())
    }

    /// # Errors
    /// Those of the network.
    pub(super) async fn send(&mut self, probe: u32, ttl: u8, payload: &[u8]) -> io::Result<()> {
        let port = match self.ports {
            Ports::From(first) => first.wrapping_add(probe as u16),
            Ports::One(port) => port,
        };
        if matches!(self.ports, Ports::One(_)) && probe > 0 {
            self.open_for(probe).await?;
        }
        let Some((_, socket)) = self.sockets.last() else { return Ok(()) };
        socket.set_ttl(ttl)?;
        let to = SocketAddr::new(self.host, port);
        // Linux lets a send report the error that an earlier probe met, and then sends nothing.
        match socket.send_to(payload, to).await {
            Err(e) if e.kind() != io::ErrorKind::NetworkUnreachable => socket.send_to(payload, to).await,
            sent => sent,
        }
        .map(|_| ())
    }

    /// Nobody waits for this probe any more.
    pub(super) fn forget(&mut self, probe: u32) {
        if matches!(self.ports, Ports::One(_)) {
            self.sockets.retain(|(of, _)| *of != probe);
        }
    }

    /// The next answer, and to which probe.
    pub(super) async fn receive(&self) -> (u32, Answer) {
        type Heard<'a> = Pin<Box<dyn Future<Output = io::Result<(u32, Answer)>> + Send + 'a>>;
        let mut heard: Vec<Heard<'_>> = Vec::new();
        for (first, socket) in &self.sockets {
            heard.push(Box::pin(async move {
                let error = socket.error().await?;
                Ok((self.probe(*first, error.destination), Answer::Error(error)))
            }));
            heard.push(Box::pin(async move {
                let datagram = socket.receive(&mut [0; 64]).await?;
                Ok((self.probe(*first, datagram.from), Answer::Datagram(datagram.from.ip())))
            }));
        }
        core::future::poll_fn(|cx| {
            for next in &mut heard {
                if let Poll::Ready(Ok(answer)) = next.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The probe that went to `to`, of the socket whose first was `first`.
    fn probe(&self, first: u32, to: SocketAddr) -> u32 {
        match self.ports {
            Ports::From(port) => u32::from(to.port().wrapping_sub(port)),
            Ports::One(_) => first,
        }
    }
}
