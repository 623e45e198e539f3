//! The authoritative server: its sockets, and what it does with each message.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use septet_core::{Instant, Metric, Storey};
use septet_socket::{Acceptor, Full, ListenOptions, NetExt, NetRef, Nodelay, Places, TcpOptions, TcpStream, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::message::{Carrier, LARGEST_UDP, PLAIN_UDP, Response, respond};
use super::update::{self, Requestor, Version};
use super::{PORT, Zone};
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
    zones: Zones,
    listen: Vec<SocketAddr>,
}

/// What is known, from when on, how it may be sent, and who may change it. What updates changed outlives a crash of the host,
/// as the journal of a name server does.
#[derive(Clone, Debug)]
struct Zones {
    versions: Arc<Mutex<Vec<Version>>>,
    udp_size: u16,
    updaters: Arc<[IpAddr]>,
}

impl Zones {
    fn respond(&self, net: &NetRef, bytes: &[u8], from: SocketAddr, carrier: Carrier) -> Response {
        let now = net.now();
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the first of them it is a server of no zones, and refuses all.
        let Some(current) = versions.iter().rposition(|(from, _)| *from <= now) else {
            return respond(&[], bytes, carrier, self.udp_size);
        };
        if let Some(request) = update_in(bytes) {
            let may = self.updaters.contains(&from.ip().to_canonical());
            let who = if may { Requestor::Allowed } else { Requestor::Stranger };
            let mut response = Message::new(request.metadata.id, MessageType::Response, OpCode::Update);
            response.queries.clone_from(&request.queries);
            let why = match update::apply(&mut versions, current, &request, who) {
                Ok(()) => None,
                Err((code, why)) => {
                    response.metadata.response_code = code;
                    Some(why)
                }
            };
            return Response::Messages(vec![response], why);
        }
        respond(&versions[current].1, bytes, carrier, self.udp_size)
    }
}

/// The request to change a zone that these bytes are.
fn update_in(bytes: &[u8]) -> Option<Message> {
    let op_code = bytes.get(2)? >> 3 & 15;
    let request = (OpCode::from_u8(op_code) == OpCode::Update).then(|| Message::from_vec(bytes).ok()).flatten()?;
    (request.metadata.message_type == MessageType::Query).then_some(request)
}

impl Server {
    /// A server for `zones` at port 53 of every address.
    pub fn new(zones: Vec<Zone>) -> Self {
        Self::changing(vec![(Instant::ZERO, zones)])
    }

    /// A server whose zones are others from each of these moments on.
    pub fn changing(mut versions: Vec<(Instant, Vec<Zone>)>) -> Self {
        versions.sort_by_key(|(from, _)| *from);
        let (versions, updaters) = (Arc::new(Mutex::new(versions)), Arc::from([]));
        let zones = Zones { versions, udp_size: LARGEST_UDP, updaters };
        Self { zones, listen: vec![(Ipv6Addr::UNSPECIFIED, PORT).into()] }
    }

    /// Sends datagrams of at most this many bytes (4096), whatever a client says that it can take; a longer answer is
    /// truncated, and asked for again over TCP.
    #[must_use]
    pub fn udp_size(mut self, bytes: u16) -> Self {
        self.zones.udp_size = bytes.max(PLAIN_UDP);
        self
    }

    /// Lets those at these addresses change what the zones say of names that they do not have of their own (RFC 2136); as a
    /// rule the site's DHCP servers.
    #[must_use]
    pub fn updaters(mut self, at: Vec<IpAddr>) -> Self {
        self.zones.updaters = at.into();
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
            tasks.push(task::spawn(&net, Box::pin(over_tcp(net.clone(), self.zones.clone(), acceptor))));
            tasks.push(task::spawn(&net, Box::pin(over_udp(net.clone(), self.zones.clone(), socket))));
        }
        core::future::pending::<()>().await;
        drop(tasks);
        Ok(())
    }
}

async fn over_udp(net: NetRef, zones: Zones, socket: UdpSocket) {
    let mut buf = vec![0; 4096];
    loop {
        // An error here tells of an earlier datagram that nobody took; the server goes on.
        let Ok(datagram) = socket.receive(&mut buf).await else { continue };
        let question = &buf[..datagram.len.min(buf.len())];
        let Response::Messages(messages, why) = zones.respond(&net, question, datagram.from, Carrier::Udp) else {
            continue;
        };
        for message in messages {
            note(&net, datagram.from, Carrier::Udp, &message, why);
            if let Ok(bytes) = message.to_vec() {
                let _ = socket.send_to(&bytes, datagram.from).await;
            }
        }
    }
}

async fn over_tcp(net: NetRef, zones: Zones, acceptor: Acceptor) {
    let serve = |(stream, from)| {
        let (net, zones) = (net.clone(), zones.clone());
        async move {
            // An error is the client's.
            let _ = serve_stream(&net, &zones, stream, from).await;
        }
    };
    let _ = acceptor.serve(&net, serve).await;
}

async fn serve_stream(net: &NetRef, zones: &Zones, mut stream: TcpStream, from: SocketAddr) -> io::Result<()> {
    let mut question = Vec::new();
    loop {
        // RFC 1035 §4.2.2: "The message is prefixed with a two byte length field".
        let length = net.timeout(IDLE, stream.read_u16()).await??;
        question.resize(length.into(), 0);
        net.timeout(IDLE, stream.read_exact(&mut question)).await??;
        let Response::Messages(messages, why) = zones.respond(net, &question, from, Carrier::Tcp) else {
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
    net.count("dns.queries");
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
    Metric::counter("dns.failed", "questions answered with neither `NOERROR` nor `NXDOMAIN`"),
];
