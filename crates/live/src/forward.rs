//! Port forwards: programs of this machine talk to hosts inside the lab, over our TCP and UDP, without root.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use septet_core::StationId;
use septet_socket::{Accepted, Acceptor, NetExt as _, NetRef, Nodelay, Places, Stream, TcpListener, TcpOptions, Way};
use tokio::net::UdpSocket;
use tokio::task::spawn_local;

use crate::border::{Inside, cross};
use crate::kernel::{self, KernelNet};
use crate::pump::Pump;
use crate::spares::Spares;

/// UDP peers that a forward remembers at most; the one that was silent for longest makes room.
const UDP_PEERS: usize = 1024;
/// A UDP peer is forgotten after this silence (RFC 4787 REQ-5 asks for two minutes at least).
const UDP_IDLE: Duration = Duration::from_secs(120);
/// The largest UDP payload.
const DATAGRAM: usize = 65_507;

/// A forward as the command line says it: `[tcp:|udp:][ADDRESS:]PORT:HOST:PORT[@FROM]`.
///
/// ```
/// use septet_live::ForwardSpec;
/// let spec: ForwardSpec = "udp:5353:dns:53@client".parse().unwrap();
/// assert_eq!(spec.to_string(), "udp:127.0.0.1:5353:dns:53@client");
/// assert!("8443:lb".parse::<ForwardSpec>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardSpec {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where this machine's programs find it.
    pub listen: SocketAddr,
    /// The host inside the lab.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The host whose network the connections come from; the lab chooses where it is missing.
    pub from: Option<String>,
}

/// What a forward carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Text that is no forward.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidForward(String);

impl fmt::Display for InvalidForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; expected [tcp:|udp:][ADDRESS:]PORT:HOST:PORT[@FROM], as in 8443:lb:443 or udp:5353:dns:53",
            self.0
        )
    }
}

impl std::error::Error for InvalidForward {}

impl FromStr for ForwardSpec {
    type Err = InvalidForward;

    fn from_str(text: &str) -> Result<Self, InvalidForward> {
        let invalid = |why: String| InvalidForward(format!("`{text}`: {why}"));
        let (protocol, rest) = match text.split_once(':') {
            Some(("tcp", rest)) => (Protocol::Tcp, rest),
            Some(("udp", rest)) => (Protocol::Udp, rest),
            _ => (Protocol::Tcp, text),
        };
        let (rest, from) = match rest.split_once('@') {
            Some((rest, from)) if !from.is_empty() => (rest, Some(from.to_owned())),
            Some(_) => return Err(invalid("no host behind `@`".to_owned())),
            None => (rest, None),
        };
        let port = |text: &str| match text.parse::<u16>() {
            Ok(1..) => Ok(text.parse::<u16>().unwrap_or_default()),
            _ => Err(invalid(format!("`{text}` is no port"))),
        };
        let mut backwards = rest.rsplitn(3, ':');
        let (Some(to_port), Some(host), Some(listen)) = (backwards.next(), backwards.next(), backwards.next()) else {
            return Err(invalid("it has too few parts".to_owned()));
        };
        if host.is_empty() {
            return Err(invalid("the host has no name".to_owned()));
        }
        let listen = match listen.rsplit_once(':') {
            Some((address, p)) => {
                let address = address.trim_start_matches('[').trim_end_matches(']');
                let address: IpAddr =
                    address.parse().map_err(|_| invalid(format!("`{address}` is no address of this machine")))?;
                SocketAddr::new(address, port(p)?)
            }
            // Loopback unless told otherwise: nobody else is let into the lab by accident.
            None => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port(listen)?),
        };
        Ok(Self { protocol, listen, host: host.to_owned(), port: port(to_port)?, from })
    }
}

impl fmt::Display for ForwardSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, listen, host, port, from } = self;
        write!(f, "{}:{listen}:{host}:{port}", protocol.as_str())?;
        match from {
            Some(from) => write!(f, "@{from}"),
            None => Ok(()),
        }
    }
}

/// What a forward has carried.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ForwardCounters {
    /// Connections, or peers, taken.
    pub accepted: u64,
    /// Connections that the lab's host refused or did not answer, and those for which there was no descriptor.
    pub failed: u64,
    /// Open now.
    pub open: u64,
    /// Bytes into the lab.
    pub bytes_in: u64,
    /// Bytes out of it.
    pub bytes_out: u64,
}

/// An open forward.
pub struct Forwarder {
    socket: Socket,
    way: Inwards,
}

/// The machine's side.
enum Socket {
    Tcp(TcpListener),
    Udp(Rc<UdpSocket>),
}

/// Where what comes goes.
struct Inwards {
    pump: Pump,
    from: StationId,
    net: NetRef,
    to: SocketAddr,
    counters: Rc<Cell<ForwardCounters>>,
}

impl Forwarder {
    /// Opens the machine's side at `listen`; what comes there goes to `to` from the host `from` of the lab, whose
    /// network is `net`.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` for ports below 1024, each with the address.
    pub async fn open(
        protocol: Protocol,
        listen: SocketAddr,
        to: SocketAddr,
        from: StationId,
        net: NetRef,
        pump: Pump,
    ) -> io::Result<Self> {
        let socket = match protocol {
            Protocol::Tcp => tokio::net::TcpListener::bind(listen).await.map(|listener| {
                let options = TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() };
                Socket::Tcp(kernel::tcp::wrap(listener, options))
            }),
            Protocol::Udp => UdpSocket::bind(listen).await.map(|s| Socket::Udp(Rc::new(s))),
        }
        .map_err(|e| {
            let hint = match e.kind() {
                io::ErrorKind::PermissionDenied => {
                    " (root may, and whoever `net.ipv4.ip_unprivileged_port_start` lets; or take a higher port)"
                }
                _ => "",
            };
            io::Error::new(e.kind(), format!("{} {listen}: {e}{hint}", protocol.as_str()))
        })?;
        Ok(Self { socket, way: Inwards { pump, from, net, to, counters: Rc::default() } })
    }

    /// Where it listens; the port that was chosen, where zero was asked for.
    ///
    /// # Errors
    /// The kernel's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr(),
            Socket::Udp(socket) => socket.local_addr(),
        }
    }

    /// A view of what it carries, which stays current.
    pub fn counters(&self) -> Rc<Cell<ForwardCounters>> {
        self.way.counters.clone()
    }

    /// Carries, for ever. Needs a [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// The kernel's.
    pub async fn run(self) -> io::Result<()> {
        match self.socket {
            Socket::Tcp(listener) => self.way.run_tcp(listener).await,
            Socket::Udp(socket) => self.way.run_udp(&socket).await,
        }
    }
}

impl Inwards {
    async fn run_tcp(&self, listener: TcpListener) -> io::Result<()> {
        let outside = KernelNet::new()?.into_net();
        let mut acceptor = Acceptor::new(listener, &Places::default()).with_reserve(Spares::new(1));
        loop {
            let ((near, _), place) = match acceptor.accept(&outside).await? {
                Accepted::Placed(taken, place) => (taken, place),
                Accepted::Spared((refused, _)) => {
                    refused.reset_on_drop();
                    count(&self.counters, |c| {
                        c.accepted += 1;
                        c.failed += 1;
                    });
                    continue;
                }
            };
            count(&self.counters, |c| {
                c.accepted += 1;
                c.open += 1;
            });
            let (pump, host, net, to) = (self.pump.clone(), self.from, self.net.clone(), self.to);
            let (outside, counters) = (outside.clone(), self.counters.clone());
            let carry = async move {
                let carried = |way, n| {
                    count(&counters, |c| match way {
                        Way::Forth => c.bytes_in += n,
                        Way::Back => c.bytes_out += n,
                    });
                };
                let far = async {
                    let stream = net.connect(to, TcpOptions::default()).await?;
                    Ok(Inside { pump, host, stream })
                };
                let crossed = cross(&outside, near, far, carried).await;
                count(&counters, |c| {
                    c.open -= 1;
                    c.failed += u64::from(crossed.is_err());
                });
                drop(place);
            };
            spawn_local(self.pump.drive(self.from, carry));
        }
    }

    async fn run_udp(&self, kernel: &Rc<UdpSocket>) -> io::Result<()> {
        let peers: Rc<RefCell<HashMap<SocketAddr, Peer>>> = Rc::default();
        let mut buf = vec![0; DATAGRAM];
        loop {
            let (len, from) = match kernel.recv_from(&mut buf).await {
                Ok(got) => got,
                // An ICMP error for an answer that found nobody.
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(e) => return Err(e),
            };
            let known = peers.borrow().get(&from).map(|p| p.socket.clone());
            let socket = match known {
                Some(socket) => socket,
                None => match self.admit(kernel, &peers, from) {
                    Ok(socket) => socket,
                    Err(_) => {
                        count(&self.counters, |c| c.failed += 1);
                        continue;
                    }
                },
            };
            if let Some(peer) = peers.borrow_mut().get_mut(&from) {
                peer.heard = tokio::time::Instant::now();
            }
            let payload = &buf[..len];
            let send = async { socket.send_to(payload, self.to).await };
            if self.pump.drive(self.from, send).await.is_ok() {
                count(&self.counters, |c| c.bytes_in += len as u64);
            }
        }
    }

    /// Opens a socket inside the lab for a peer that was not heard before, and lets answers come back to it.
    fn admit(
        &self,
        kernel: &Rc<UdpSocket>,
        peers: &Rc<RefCell<HashMap<SocketAddr, Peer>>>,
        from: SocketAddr,
    ) -> io::Result<Rc<septet_socket::UdpSocket>> {
        let socket = Rc::new(self.pump.with(|_| self.net.open_udp(self.to.ip()))?);
        if peers.borrow().len() >= UDP_PEERS {
            let oldest = peers.borrow().iter().min_by_key(|(_, p)| p.heard).map(|(a, _)| *a);
            if let Some(peer) = oldest.and_then(|a| peers.borrow_mut().remove(&a)) {
                peer.answers.abort();
            }
        }
        count(&self.counters, |c| {
            c.accepted += 1;
            c.open += 1;
        });
        let counters = self.counters.clone();
        let (inside, outside, table) = (socket.clone(), kernel.clone(), peers.clone());
        let (pump, host) = (self.pump.clone(), self.from);
        let guard = OpenGuard(self.counters.clone());
        let answers = spawn_local(async move {
            let _guard = guard;
            let mut buf = vec![0; DATAGRAM];
            loop {
                let answer = pump.drive(host, inside.receive(&mut buf));
                match tokio::time::timeout(UDP_IDLE, answer).await {
                    Ok(Ok(datagram)) => {
                        if outside.send_to(&buf[..datagram.len], from).await.is_ok() {
                            count(&counters, |c| c.bytes_out += datagram.len as u64);
                        }
                    }
                    Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                    // The host inside was switched off; the next datagram opens another socket.
                    Ok(Err(_)) => {
                        table.borrow_mut().remove(&from);
                        return;
                    }
                    Err(_silence) => {
                        let mut table = table.borrow_mut();
                        if table.get(&from).is_none_or(|p| p.heard.elapsed() >= UDP_IDLE) {
                            table.remove(&from);
                            return;
                        }
                    }
                }
            }
        });
        let heard = tokio::time::Instant::now();
        peers.borrow_mut().insert(from, Peer { socket: socket.clone(), heard, answers: answers.abort_handle() });
        Ok(socket)
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder")
            .field("to", &self.way.to)
            .field("counters", &self.way.counters.get())
            .finish_non_exhaustive()
    }
}

struct Peer {
    socket: Rc<septet_socket::UdpSocket>,
    heard: tokio::time::Instant,
    answers: tokio::task::AbortHandle,
}

/// Counts a peer as open for as long as its task lives.
struct OpenGuard(Rc<Cell<ForwardCounters>>);

impl Drop for OpenGuard {
    fn drop(&mut self) {
        count(&self.0, |c| c.open -= 1);
    }
}

fn count(counters: &Cell<ForwardCounters>, change: impl FnOnce(&mut ForwardCounters)) {
    let mut c = counters.get();
    change(&mut c);
    counters.set(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_read_as_documented() {
        let spec: ForwardSpec = "8443:lb:443".parse().unwrap();
        assert_eq!((spec.protocol, spec.listen), (Protocol::Tcp, "127.0.0.1:8443".parse().unwrap()));
        assert_eq!((spec.host.as_str(), spec.port, spec.from), ("lb", 443, None));
        let spec: ForwardSpec = "udp:[::1]:5353:dns:53@client".parse().unwrap();
        assert_eq!((spec.protocol, spec.listen), (Protocol::Udp, "[::1]:5353".parse().unwrap()));
        assert_eq!(spec.from.as_deref(), Some("client"));
        let again: ForwardSpec = spec_text("tcp:0.0.0.0:80:web1:8080").parse().unwrap();
        assert_eq!(again.listen, "0.0.0.0:80".parse().unwrap());
    }

    fn spec_text(text: &str) -> String {
        text.parse::<ForwardSpec>().unwrap().to_string()
    }

    #[test]
    fn mistakes_are_named() {
        for (text, why) in [
            ("8443", "too few parts"),
            ("8443:lb", "too few parts"),
            ("0:lb:443", "`0` is no port"),
            ("8443:lb:99999", "`99999` is no port"),
            ("8443::443", "the host has no name"),
            ("here:8443:lb:443", "`here` is no address"),
            ("8443:lb:443@", "no host behind"),
        ] {
            let error = text.parse::<ForwardSpec>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("expected"), "{text}: {error}");
        }
    }
}
