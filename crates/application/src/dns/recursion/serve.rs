//! The recursive resolver on a network: its sockets, its clients, and the machine between them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{self, Either};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, LowerName, Name, RecordType};
use septet_core::{Instant, Metric, Seed, Storey};
use septet_network::Prefix;
use septet_socket::{
    Acceptor, BoxFuture, Full, ListenOptions, NetExt, NetRef, Nodelay, Places, TcpOptions, TcpStream, UdpSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};

use super::super::message::{Carrier, EDNS_UDP, PLAIN_UDP, Response, Terms, Transfers, respond};
use super::super::{PORT, Zone, code_name};
use super::Limits;
use super::hints::Hint;
use super::job::JobId;
use super::machine::{Ask, Found, Machine, Origin, Output, Tale};
use super::upstream::{Case, Ids, Ports, Upstream};
use crate::task;

/// RFC 7766 §6.2.3: "on the order of a few seconds".
const IDLE: Duration = Duration::from_secs(10);
/// How many TCP clients are served at once.
const CONNECTIONS: usize = 256;

/// A recursive resolver: it finds out for its clients what they ask, from the root down, and remembers it.
#[derive(Clone, Debug)]
pub struct Recursor {
    hints: Arc<[Hint]>,
    limits: Limits,
    allow: Arc<[Prefix]>,
    zones: Arc<[Zone]>,
    listen: Vec<SocketAddr>,
    ports: Ports,
    ids: Ids,
    case: Case,
    port: u16,
}

impl Recursor {
    /// One that finds the root by these hints, at port 53 of every address, for clients with private addresses.
    pub fn new(hints: Vec<Hint>) -> Self {
        Self {
            hints: hints.into(),
            limits: Limits::default(),
            allow: private().into(),
            zones: Arc::from([]),
            listen: vec![(Ipv6Addr::UNSPECIFIED, PORT).into()],
            ports: Ports::Random,
            ids: Ids::Random,
            case: Case::Kept,
            port: PORT,
        }
    }

    /// Spends this much.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves those at these addresses alone; others are answered `REFUSED` (RFC 5358 §4).
    #[must_use]
    pub fn allow(mut self, clients: Vec<Prefix>) -> Self {
        self.allow = clients.into();
        self
    }

    /// Knows these zones by itself.
    #[must_use]
    pub fn zones(mut self, zones: Vec<Zone>) -> Self {
        self.zones = zones.into();
        self
    }

    /// Listens at these addresses instead, with UDP and TCP.
    #[must_use]
    pub fn listen(mut self, at: Vec<SocketAddr>) -> Self {
        self.listen = at;
        self
    }

    /// How its questions can be told from others.
    #[must_use]
    pub fn disguise(mut self, ports: Ports, ids: Ids, case: Case) -> Self {
        (self.ports, self.ids, self.case) = (ports, ids, case);
        self
    }

    /// Asks servers at another port than 53.
    #[must_use]
    pub fn server_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Serves until the host stops.
    ///
    /// # Errors
    /// `AddrInUse` and `AddrNotAvailable` where it cannot listen; nothing a client or a server does ends it.
    pub async fn serve(self, net: NetRef) -> io::Result<()> {
        let speaks = |v4: bool| net.addresses().iter().any(|address| address.is_ipv4() == v4);
        // A host without addresses yet, and one that has none but loopback, speaks IPv4 at least.
        let speaks = (speaks(true) || !speaks(false), speaks(false));
        let rng = Seed::new(net.random_u64()).stream("servers");
        let shared = Arc::new(Shared {
            net: net.clone(),
            machine: Mutex::new(Machine::new(self.limits, self.hints.clone(), speaks, rng)),
            upstream: Upstream::new(self.ports, self.ids, self.case, self.port),
            clients: Mutex::default(),
            times: Mutex::default(),
            sooner: Notify::new(),
            allow: self.allow.clone(),
            zones: self.zones.clone(),
        });
        let places = Places::new(CONNECTIONS, Full::IsClosed);
        let mut tasks = vec![task::spawn(&net, Box::pin(keep_time(shared.clone())))];
        for at in &self.listen {
            let options =
                ListenOptions { tcp: TcpOptions { nodelay: Some(Nodelay::On), ..TcpOptions::default() }, backlog: 128 };
            let at = net.spoken(*at);
            let acceptor = Acceptor::new(net.listen(at, options)?, &places);
            let socket = Arc::new(net.bind_udp(at)?);
            tasks.push(task::spawn(&net, Box::pin(over_tcp(shared.clone(), acceptor))));
            tasks.push(task::spawn(&net, Box::pin(over_udp(shared.clone(), socket))));
        }
        future::pending::<()>().await;
        drop(tasks);
        Ok(())
    }
}

/// Loopback, RFC 1918, RFC 6598, RFC 4193 and link-local addresses.
fn private() -> Vec<Prefix> {
    const PRIVATE: [(&str, u8); 9] = [
        ("127.0.0.0", 8),
        ("10.0.0.0", 8),
        ("172.16.0.0", 12),
        ("192.168.0.0", 16),
        ("100.64.0.0", 10),
        ("169.254.0.0", 16),
        ("::1", 128),
        ("fc00::", 7),
        ("fe80::", 10),
    ];
    PRIVATE.iter().filter_map(|(address, len)| Prefix::new(address.parse().ok()?, *len).ok()).collect()
}

/// What all tasks of a resolver share.
struct Shared {
    net: NetRef,
    machine: Mutex<Machine>,
    upstream: Upstream,
    clients: Mutex<Clients>,
    /// When the machine is to be woken.
    times: Mutex<BTreeMap<(Instant, JobId), ()>>,
    /// A time came that is before all others.
    sooner: Notify,
    allow: Arc<[Prefix]>,
    zones: Arc<[Zone]>,
}

#[derive(Default)]
struct Clients {
    waiting: BTreeMap<u64, Client>,
    last: u64,
}

/// A client that waits for its answer.
struct Client {
    request: Request,
    from: SocketAddr,
    asked: Instant,
    way: Way,
}

/// The way back to a client.
enum Way {
    Udp(Arc<UdpSocket>),
    Tcp(oneshot::Sender<Message>),
}

/// What a client asks.
struct Request {
    id: u16,
    name: Name,
    kind: RecordType,
    class: DNSClass,
    /// The bytes of a datagram that it takes; nothing where it knows no EDNS.
    edns: Option<u16>,
    recursion_desired: bool,
    checking_disabled: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Takes in the bytes of a question. Where there is an answer at once, or one that says why there is none, it comes back.
    async fn question(
        self: &Arc<Self>,
        bytes: &[u8],
        from: SocketAddr,
        over: &'static str,
        way: Way,
    ) -> Option<Message> {
        let (request, way) = match read(bytes) {
            Ok(request) => (request, way),
            Err(refusal) => return refusal,
        };
        self.net.count("recursor.queries");
        if !self.allow.iter().any(|prefix| prefix.contains(from.ip().to_canonical())) {
            self.net.count("recursor.refused");
            let refusal = request.refusal(ResponseCode::Refused);
            self.tell_answer(&refusal, from, over, Some("the client is not one of those that are served"));
            return Some(refusal);
        }
        if let Some(response) = self.own(&request, bytes, over) {
            self.tell_answer(&response, from, over, Some("the resolver has the zone itself"));
            return Some(response);
        }
        // Without RD only the cache could answer, and it is nobody's business what others asked for.
        if !request.recursion_desired {
            self.net.count("recursor.refused");
            let refusal = request.refusal(ResponseCode::Refused);
            self.tell_answer(
                &refusal,
                from,
                over,
                Some("the client does not ask for recursion, and there is nothing else"),
            );
            return Some(refusal);
        }
        let now = self.net.now();
        let (name, kind) = (request.name.clone(), request.kind);
        let client = {
            let mut clients = lock(&self.clients);
            clients.last += 1;
            let number = clients.last;
            clients.waiting.insert(number, Client { request, from, asked: now, way });
            number
        };
        lock(&self.machine).ask(now, client, &name, kind);
        drive(self).await;
        None
    }

    /// What a zone of its own says.
    fn own(&self, request: &Request, bytes: &[u8], over: &'static str) -> Option<Message> {
        let name = LowerName::new(&request.name);
        let is_own = self.zones.iter().any(|zone| LowerName::new(zone.origin()).zone_of(&name));
        let carrier = if over == "TCP" { Carrier::Tcp } else { Carrier::Udp };
        let terms = Terms { carrier, udp_size: EDNS_UDP, transfers: Transfers::Given };
        let Response::Messages(messages, _) = is_own.then(|| respond(&self.zones, bytes, terms))? else {
            return None;
        };
        let mut message = messages.into_iter().next()?;
        message.metadata.recursion_available = true;
        Some(message)
    }

    fn tell_answer(&self, message: &Message, to: SocketAddr, over: &'static str, why: Option<&'static str>) {
        self.net.trace(Storey::Application, "dns.answer", |f| {
            f.set("to", to).set("id", message.metadata.id);
            if let [query] = &message.queries[..] {
                f.set("name", query.name().to_ascii()).set("type", query.query_type().to_string());
            }
            f.set("code", code_name(message.metadata.response_code)).set("over", over);
            f.set("answers", message.answers.len());
            if let Some(last) = message.answers.last() {
                f.set("answer", last.data.to_string());
            }
            if let Some(why) = why {
                f.set("why", why);
            }
        });
    }
}

/// Does what the machine wants done.
async fn drive(shared: &Arc<Shared>) {
    loop {
        let Some(output) = lock(&shared.machine).poll() else { return };
        match output {
            Output::Ask(ask) => {
                let _ = shared.net.spawn(put(shared.clone(), ask));
            }
            Output::Wake(at, job) => {
                let mut times = lock(&shared.times);
                let is_first = times.first_key_value().is_none_or(|((first, _), ())| at < *first);
                times.insert((at, job), ());
                if is_first {
                    shared.sooner.notify_one();
                }
            }
            Output::Give(client, found) => {
                let client = lock(&shared.clients).waiting.remove(&client);
                if let Some(client) = client {
                    give(shared, client, found).await;
                }
            }
            Output::Tell(tale) => tell(&shared.net, &tale),
        }
    }
}

/// Puts a question to a server, and goes on with what comes of it.
fn put(shared: Arc<Shared>, ask: Ask) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let heard = shared.upstream.put(&shared.net, &ask).await;
        lock(&shared.machine).heard(shared.net.now(), ask.id, heard);
        drive(&shared).await;
    })
}

async fn keep_time(shared: Arc<Shared>) {
    loop {
        let first = lock(&shared.times).first_key_value().map(|((at, _), ())| *at);
        let sooner = core::pin::pin!(shared.sooner.notified());
        match first {
            None => sooner.await,
            Some(at) => {
                if let Either::Right(_) = future::select(shared.net.sleep_until(at), sooner).await {
                    continue;
                }
            }
        }
        let now = shared.net.now();
        loop {
            let due = {
                let mut times = lock(&shared.times);
                let due = times.first_key_value().map(|(key, ())| *key).filter(|(at, _)| *at <= now);
                due.map(|key| {
                    times.remove(&key);
                    key.1
                })
            };
            let Some(job) = due else { break };
            lock(&shared.machine).on_time(now, job);
            drive(&shared).await;
        }
    }
}

async fn give(shared: &Arc<Shared>, client: Client, found: Found) {
    let Client { request, from, asked, way } = client;
    let net = &shared.net;
    let (count, why) = match found.origin {
        Origin::Servers => (None, None),
        Origin::Cache if found.code == ResponseCode::ServFail => {
            (None, Some("it could not be found out a moment ago, or there is too much to do"))
        }
        Origin::Cache => (Some("recursor.hits"), Some("an earlier answer is still good")),
        Origin::Stale => (
            Some("recursor.stale"),
            Some("no server answers, and an answer that is no longer good is better than none"),
        ),
    };
    if let Some(count) = count {
        net.count(count);
    }
    if found.code == ResponseCode::ServFail {
        net.count("recursor.failed");
    }
    net.observe("recursor.time", (net.now() - asked).as_secs_f64());
    let limit = request.edns.unwrap_or(PLAIN_UDP);
    let mut message = request.response();
    message.metadata.response_code = found.code;
    message.answers = found.answers;
    message.authorities.extend(found.soa);
    let over = if matches!(way, Way::Udp(_)) { "UDP" } else { "TCP" };
    shared.tell_answer(&message, from, over, why);
    match way {
        Way::Udp(socket) => send(&socket, message, limit, from).await,
        // Who closed the connection meanwhile has gone.
        Way::Tcp(to) => drop(to.send(message)),
    }
}

fn tell(net: &NetRef, tale: &Tale) {
    match tale {
        Tale::Referral { server, zone, servers } => {
            net.count("recursor.referrals");
            net.trace(Storey::Application, "recursor.referral", |f| {
                f.set("server", *server).set("zone", zone.to_ascii()).set("servers", *servers);
            });
        }
        Tale::Stranger { server, zone, record } => {
            net.count("recursor.strangers");
            net.trace(Storey::Application, "recursor.stranger", |f| {
                f.set("server", *server).set("zone", zone.to_ascii());
                f.set("name", record.name.to_ascii()).set("type", record.record_type().to_string());
                f.set("why", "it lies outside of the zone for which the server was asked");
            });
        }
        Tale::Lame { server, zone, why } => {
            net.count("recursor.lame");
            net.trace(Storey::Application, "recursor.lame", |f| {
                f.set("server", *server).set("zone", zone.to_ascii()).set("why", *why);
            });
        }
        Tale::Silent { server, name, kind, tcp_next } => {
            net.count("recursor.timeouts");
            net.trace(Storey::Application, "recursor.timeout", |f| {
                f.set("server", *server).set("name", name.to_ascii()).set("type", kind.to_string());
                if *tcp_next {
                    f.set("why", "it is asked over TCP next");
                }
            });
        }
        Tale::Joined { name, kind } => {
            net.count("recursor.joined");
            net.trace(Storey::Application, "recursor.joined", |f| {
                f.set("name", name.to_ascii()).set("type", kind.to_string());
                f.set("why", "the same is being found out already");
            });
        }
        Tale::Failed { name, kind, why } => {
            net.trace(Storey::Application, "recursor.failed", |f| {
                f.set("name", name.to_ascii()).set("type", kind.to_string()).set("why", *why);
            });
        }
    }
}

async fn over_udp(shared: Arc<Shared>, socket: Arc<UdpSocket>) {
    let mut buf = vec![0; 4096];
    loop {
        // An error here tells of an earlier datagram that nobody took; the resolver goes on.
        let Ok(datagram) = socket.receive(&mut buf).await else { continue };
        let bytes = &buf[..datagram.len.min(buf.len())];
        let way = Way::Udp(socket.clone());
        if let Some(message) = shared.question(bytes, datagram.from, "UDP", way).await {
            // It has no more records than fit already.
            send(&socket, message, EDNS_UDP, datagram.from).await;
        }
    }
}

/// Sends as much of an answer as its client takes in a datagram.
async fn send(socket: &UdpSocket, mut message: Message, limit: u16, to: SocketAddr) {
    let fits = |message: &Message| message.to_vec().ok().filter(|bytes| bytes.len() <= usize::from(limit));
    let bytes = fits(&message).or_else(|| {
        message.answers.clear();
        message.authorities.clear();
        message.additionals.clear();
        message.metadata.truncation = true;
        fits(&message)
    });
    if let Some(bytes) = bytes {
        let _ = socket.send_to(&bytes, to).await;
    }
}

async fn over_tcp(shared: Arc<Shared>, acceptor: Acceptor) {
    let net = shared.net.clone();
    let serve = |(stream, from)| {
        let shared = shared.clone();
        async move {
            // An error is the client's.
            let _ = serve_stream(&shared, stream, from).await;
        }
    };
    let _ = acceptor.serve(&net, serve).await;
}

async fn serve_stream(shared: &Arc<Shared>, mut stream: TcpStream, from: SocketAddr) -> io::Result<()> {
    let net = &shared.net;
    let mut question = Vec::new();
    loop {
        let length = net.timeout(IDLE, stream.read_u16()).await??;
        question.resize(length.into(), 0);
        net.timeout(IDLE, stream.read_exact(&mut question)).await??;
        let (sender, receiver) = oneshot::channel();
        let message = match shared.question(&question, from, "TCP", Way::Tcp(sender)).await {
            Some(message) => message,
            None => match receiver.await {
                Ok(message) => message,
                // It was no question.
                Err(_) => return Ok(()),
            },
        };
        let bytes = message.to_vec().map_err(io::Error::other)?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        net.timeout(IDLE, stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat())).await??;
    }
}

/// What the bytes of a question ask; else what is to be said of them, if anything.
#[expect(clippy::result_large_err, reason = "the refusal is sent at once")]
fn read(bytes: &[u8]) -> Result<Request, Option<Message>> {
    let Ok(message) = Message::from_vec(bytes) else {
        let Some(&[hi, lo, flags, ..]) = bytes.first_chunk::<12>() else { return Err(None) };
        if flags & 0x80 != 0 {
            return Err(None);
        }
        let (id, op_code) = (u16::from_be_bytes([hi, lo]), OpCode::from_u8(flags >> 3 & 15));
        return Err(Some(Message::error_msg(id, op_code, ResponseCode::FormErr)));
    };
    let metadata = &message.metadata;
    if metadata.message_type == MessageType::Response {
        return Err(None);
    }
    if metadata.op_code != OpCode::Query {
        return Err(Some(Message::error_msg(metadata.id, metadata.op_code, ResponseCode::NotImp)));
    }
    let [query] = &message.queries[..] else {
        return Err(Some(Message::error_msg(metadata.id, OpCode::Query, ResponseCode::FormErr)));
    };
    let request = Request {
        id: metadata.id,
        name: query.name().clone(),
        kind: query.query_type(),
        class: query.query_class(),
        // RFC 6891 §6.2.3: "Values lower than 512 MUST be treated as equal to 512."
        edns: message.edns.as_ref().map(|edns| edns.max_payload().clamp(PLAIN_UDP, EDNS_UDP)),
        recursion_desired: metadata.recursion_desired,
        checking_disabled: metadata.checking_disabled,
    };
    // RFC 6891 §6.1.3: "MUST respond with RCODE=BADVERS".
    if message.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Err(Some(request.refusal(ResponseCode::BADVERS)));
    }
    match (request.class, request.kind) {
        (DNSClass::IN, RecordType::AXFR | RecordType::IXFR) => Err(Some(request.refusal(ResponseCode::Refused))),
        (DNSClass::IN, RecordType::OPT | RecordType::TSIG) => Err(Some(request.refusal(ResponseCode::FormErr))),
        (DNSClass::IN, _) => Ok(request),
        _ => Err(Some(request.refusal(ResponseCode::Refused))),
    }
}

impl Request {
    /// An answer without records.
    fn response(&self) -> Message {
        let mut message = Message::new(self.id, MessageType::Response, OpCode::Query);
        message.metadata.recursion_desired = self.recursion_desired;
        message.metadata.recursion_available = true;
        message.metadata.checking_disabled = self.checking_disabled;
        let mut query = hickory_proto::op::Query::query(self.name.clone(), self.kind);
        query.set_query_class(self.class);
        message.add_query(query);
        if self.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(EDNS_UDP);
            message.set_edns(edns);
        }
        message
    }

    fn refusal(&self, code: ResponseCode) -> Message {
        let mut message = self.response();
        message.metadata.response_code = code;
        message
    }
}

/// What a recursive resolver records.
pub const METRICS: &[Metric] = &[
    Metric::counter("recursor.queries", "questions of clients"),
    Metric::counter("recursor.hits", "of these answered from the cache"),
    Metric::counter("recursor.stale", "of these answered with what is no longer good, as no server answered"),
    Metric::counter("recursor.failed", "of these answered `SERVFAIL`"),
    Metric::counter("recursor.refused", "of these answered `REFUSED`: by strangers, or without asking for recursion"),
    Metric::counter("recursor.joined", "of these for which an answer was under way already"),
    Metric::counter("recursor.asked", "questions to servers"),
    Metric::counter("recursor.asked.tcp", "of these over TCP"),
    Metric::counter("recursor.timeouts", "of these without an answer in time"),
    Metric::counter("recursor.referrals", "answers of servers that named others who know"),
    Metric::counter("recursor.lame", "answers of servers that were no use"),
    Metric::counter("recursor.strangers", "records left out that the server had no right to tell"),
    Metric::counter("recursor.ignored", "datagrams that are no answer to a question under way: forged, or too late"),
    Metric::times("recursor.time", "from a client's question to its answer"),
];
