//! The authoritative server: its sockets, and what it does with each message.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use septet_core::{Instant, Metric, Storey};
use septet_network::Prefix;
use septet_socket::{Acceptor, Full, ListenOptions, NetExt, NetRef, Nodelay, Places, TcpOptions, TcpStream, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::limit::{Limiter, RateLimit, Verdict};
use super::message::{Carrier, PLAIN_UDP, Response, cut_off};
use super::notify;
use super::secondary::Secondary;
use super::served::Served;
use super::{PORT, Zone, ZoneError};
use crate::task;

/// RFC 7766 §6.2.3: a server closes a connection that stays idle "on the order of a few seconds".
const IDLE: Duration = Duration::from_secs(10);
/// How many TCP clients are served at once; a further one is turned away.
const CONNECTIONS: usize = 256;

/// An authoritative name server for a set of zones.
///
/// Names outside of its zones are refused; it asks no one else.
#[derive(Clone, Debug)]
pub struct Server {
    served: Served,
    listen: Vec<SocketAddr>,
    notified: Vec<SocketAddr>,
    limit: Option<RateLimit>,
}

impl Server {
    /// A server for `zones` at port 53 of every address.
    pub fn new(zones: Vec<Zone>) -> Self {
        Self::changing(vec![(Instant::ZERO, zones)])
    }

    /// A server whose zones are others from each of these moments on.
    pub fn changing(mut versions: Vec<(Instant, Vec<Zone>)>) -> Self {
        versions.sort_by_key(|(from, _)| *from);
        let listen = vec![(Ipv6Addr::UNSPECIFIED, PORT).into()];
        Self { served: Served::new(versions), listen, notified: Vec::new(), limit: None }
    }

    /// Sends datagrams of at most this many bytes (1232), whatever a client says that it can take; a longer answer is
    /// truncated, and asked for again over TCP.
    #[must_use]
    pub fn udp_size(mut self, bytes: u16) -> Self {
        self.served.udp_size = bytes.max(PLAIN_UDP);
        self
    }

    /// Lets those at these addresses change what the zones say of names that they do not have of their own (RFC 2136); as a
    /// rule the site's DHCP servers.
    #[must_use]
    pub fn updaters(mut self, at: Vec<IpAddr>) -> Self {
        self.served.updaters = at.into();
        self
    }

    /// Gives whole zones only to those at these addresses (to everyone).
    #[must_use]
    pub fn transfers_to(mut self, whom: Vec<Prefix>) -> Self {
        self.served.transfers = Some(whom.into());
        self
    }

    /// Tells these servers whenever a zone has another serial (RFC 1996), and once at the beginning.
    #[must_use]
    pub fn notifies(mut self, whom: Vec<SocketAddr>) -> Self {
        self.notified = whom;
        self
    }

    /// Serves a zone that it fetches from one of these `primaries`, the first that answers, and keeps as its SOA says.
    ///
    /// # Errors
    /// [`ZoneError::Name`].
    pub fn secondary(mut self, origin: &str, primaries: Vec<SocketAddr>) -> Result<Self, ZoneError> {
        let zone = Zone::awaited(origin)?;
        self.served.secondaries.push(Secondary::new(zone.origin().clone(), primaries));
        self.served.add(&zone);
        Ok(self)
    }

    /// Sends only so many answers of a kind to a network over UDP (as many as are asked for).
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Listens at these addresses instead, with UDP and TCP.
    #[must_use]
    pub fn listen(mut self, at: Vec<SocketAddr>) -> Self {
        self.listen = at;
        self
    }

    /// Serves until the host stops.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable` where it cannot listen; nothing a client does ends it.
    pub async fn serve(self, net: NetRef) -> io::Result<()> {
        let places = Places::new(CONNECTIONS, Full::IsClosed);
        let mut tasks = Vec::new();
        // TCP first: with port 0 both sockets of an address would get different ones, so tests pick their port.
        for at in &self.listen {
            let options =
                ListenOptions { tcp: TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() }, backlog: 128 };
            let at = net.spoken(*at);
            let listener = net.listen(at, options)?;
            let socket = net.bind_udp(at)?;
            let acceptor = Acceptor::new(listener, &places);
            let limiter = self.limit.map(|limit| Limiter::new(limit, net.random_u64()));
            tasks.push(task::spawn(&net, Box::pin(over_tcp(net.clone(), self.served.clone(), acceptor))));
            tasks.push(task::spawn(&net, Box::pin(over_udp(net.clone(), self.served.clone(), socket, limiter))));
        }
        for secondary in &self.served.secondaries {
            tasks.push(task::spawn(&net, Box::pin(secondary.clone().keep(net.clone(), self.served.clone()))));
        }
        if !self.notified.is_empty() {
            let tell = notify::tell_all(net.clone(), self.served.clone(), self.notified);
            tasks.push(task::spawn(&net, Box::pin(tell)));
        }
        core::future::pending::<()>().await;
        drop(tasks);
        Ok(())
    }
}

async fn over_udp(net: NetRef, served: Served, socket: UdpSocket, mut limiter: Option<Limiter>) {
    let mut buf = vec![0; 4096];
    loop {
        // An error here tells of an earlier datagram that nobody took; the server goes on.
        let Ok(datagram) = socket.receive(&mut buf).await else { continue };
        let question = &buf[..datagram.len.min(buf.len())];
        let Response::Messages(messages, why) = served.respond(net.now(), question, datagram.from, Carrier::Udp) else {
            continue;
        };
        for mut message in messages {
            let verdict = limiter.as_mut().map(|limiter| limiter.judge(net.now(), datagram.from.ip(), &message));
            match verdict.unwrap_or(Verdict::Send) {
                Verdict::Send => {}
                Verdict::CutOff => {
                    limited(&net, datagram.from, "cut off");
                    message = cut_off(message);
                }
                Verdict::Drop => {
                    limited(&net, datagram.from, "not answered");
                    continue;
                }
            }
            note(&net, datagram.from, Carrier::Udp, &message, why);
            if let Ok(bytes) = message.to_vec() {
                let _ = socket.send_to(&bytes, datagram.from).await;
            }
        }
    }
}

async fn over_tcp(net: NetRef, served: Served, acceptor: Acceptor) {
    let serve = |(stream, from)| {
        let (net, served) = (net.clone(), served.clone());
        async move {
            // An error is the client's.
            let _ = serve_stream(&net, &served, stream, from).await;
        }
    };
    let _ = acceptor.serve(&net, serve).await;
}

async fn serve_stream(net: &NetRef, served: &Served, mut stream: TcpStream, from: SocketAddr) -> io::Result<()> {
    let mut question = Vec::new();
    loop {
        // RFC 1035 §4.2.2: "The message is prefixed with a two byte length field".
        let length = net.timeout(IDLE, stream.read_u16()).await??;
        question.resize(length.into(), 0);
        net.timeout(IDLE, stream.read_exact(&mut question)).await??;
        let Response::Messages(messages, why) = served.respond(net.now(), &question, from, Carrier::Tcp) else {
            return Ok(());
        };
        for message in messages {
            note(net, from, Carrier::Tcp, &message, why);
            let bytes = message.to_vec().map_err(io::Error::other)?;
            let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
            // One write, so that the length and the message leave in one segment (RFC 7766 §8).
            let framed = [&length.to_be_bytes()[..], &bytes].concat();
            net.timeout(IDLE, stream.write_all(&framed)).await??;
        }
    }
}

fn limited(net: &NetRef, to: SocketAddr, what: &'static str) {
    net.count("dns.limited");
    net.trace(Storey::Application, "dns.limited", |f| {
        f.set("to", to).set("what", what).set("why", "its network is sent more answers of the kind than it may have");
    });
}

fn note(net: &NetRef, to: SocketAddr, carrier: Carrier, message: &Message, why: Option<&'static str>) {
    let code = message.metadata.response_code;
    if message.metadata.op_code == OpCode::Update {
        net.count(if code == ResponseCode::NoError { "dns.updates" } else { "dns.updates.refused" });
        net.trace(Storey::Application, "dns.update", |f| {
            f.set("from", to).set("code", super::code_name(code));
            if let [zone] = &message.queries[..] {
                f.set("zone", zone.name().to_ascii());
            }
            if let Some(why) = why {
                f.set("why", why);
            }
        });
        return;
    }
    if message.metadata.op_code == OpCode::Notify {
        net.trace(Storey::Application, "dns.notified", |f| {
            f.set("from", to).set("code", super::code_name(code));
            if let [zone] = &message.queries[..] {
                f.set("zone", zone.name().to_ascii());
            }
            if let Some(why) = why {
                f.set("why", why);
            }
        });
        return;
    }
    net.count("dns.queries");
    if message.metadata.truncation {
        net.count("dns.truncated");
    }
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        net.count("dns.failed");
    }
    net.trace(Storey::Application, "dns.answer", |f| {
        f.set("to", to).set("id", message.metadata.id);
        if let [query] = &message.queries[..] {
            f.set("name", query.name().to_ascii()).set("type", query.query_type().to_string());
        }
        f.set("code", super::code_name(code)).set("over", if carrier == Carrier::Udp { "UDP" } else { "TCP" });
        f.set("answers", message.answers.len());
        if let Some(first) = message.answers.last() {
            f.set("answer", first.data.to_string());
        }
        if message.metadata.truncation {
            f.set("why", "truncated: the answer does not fit a datagram");
        } else if let Some(why) = why {
            f.set("why", why);
        }
    });
}

/// What a name server records.
pub const METRICS: &[Metric] = &[
    Metric::counter("dns.queries", "questions answered"),
    Metric::counter("dns.updates", "changes of zones that were asked for and made"),
    Metric::counter("dns.updates.refused", "changes of zones that were asked for and not made"),
    Metric::counter("dns.truncated", "questions answered with TC, which are to be asked again over TCP"),
    Metric::counter("dns.transfers", "zones that came from a primary, whole"),
    Metric::counter("dns.transfers.failed", "primaries that could not be asked, or gave no zone"),
    Metric::counter("dns.limited", "answers that a rate limit kept back or cut off"),
    Metric::counter("dns.failed", "questions answered with neither `NOERROR` nor `NXDOMAIN`"),
];
