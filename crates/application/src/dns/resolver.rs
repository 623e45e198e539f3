//! The stub resolver: what `resolv.conf` and glibc's `res_send` make of a name.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{LowerName, Name, RData, RecordType};
use septet_core::{Instant, Metric, Storey};
use septet_network::selection::{self, Source};
use septet_socket::{BoxFuture, NetExt, NetRef, TcpOptions, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::cache::Cache;
use super::message::{EDNS_UDP, EdnsUse, Recursion, question};

/// Why a name could not be looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupError {
    /// There is no such name.
    NoName(String),
    /// The name exists, but has no record of the type asked for.
    NoData(String),
    /// No server answered in time.
    TimedOut(String),
    /// The servers answered with errors; the last one.
    Failed(String, ResponseCode),
    /// What was asked for is no domain name.
    BadName(String),
    /// The host knows no name server.
    NoServers,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName(name) => write!(f, "{name}: there is no such name"),
            Self::NoData(name) => write!(f, "{name}: the name has no such record"),
            Self::TimedOut(name) => write!(f, "{name}: no name server answered"),
            Self::Failed(name, code) => write!(f, "{name}: the name server answered {}", super::code_name(*code)),
            Self::BadName(name) => write!(f, "`{name}` is no domain name"),
            Self::NoServers => f.write_str("no name server is known"),
        }
    }
}

impl std::error::Error for LookupError {}

impl From<LookupError> for io::Error {
    fn from(e: LookupError) -> Self {
        let kind = match e {
            LookupError::TimedOut(_) => io::ErrorKind::TimedOut,
            LookupError::BadName(_) => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::NotFound,
        };
        Self::new(kind, e)
    }
}

/// resolv.conf(5): "The default is RES_TIMEOUT (currently 5)".
const TIMEOUT: Duration = Duration::from_secs(5);
/// resolv.conf(5): "The default is RES_DFLRETRY (currently 2)".
const ATTEMPTS: u32 = 2;
/// resolv.conf(5): "The default for n is 1, meaning that if there are any dots in a name, the name will be tried first
/// as an absolute name".
const NDOTS: usize = 1;

/// Looks a name up for a program that leaves it to its host: a [`Lookup`](septet_socket::Lookup).
pub fn look_up(net: NetRef, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    Box::pin(async move { Ok(Resolver::new(net).addresses(&name, Family::Any).await?) })
}

/// Looks names up, and remembers the answers for as long as they are good.
pub struct Resolver {
    net: NetRef,
    cache: Mutex<Cache>,
}

impl Resolver {
    /// A resolver that asks the name servers of `net`.
    pub fn new(net: NetRef) -> Arc<Self> {
        Arc::new(Self { net, cache: Mutex::default() })
    }

    /// The addresses of `host`: itself where it is an address, else its A and AAAA records, as far as this host speaks their
    /// version of IP. Those to try first come first (RFC 6724 §6).
    ///
    /// # Errors
    /// Each kind of [`LookupError`].
    pub async fn addresses(&self, host: &str, family: Family) -> Result<Vec<IpAddr>, LookupError> {
        match self.find(host, family) {
            Found::Known(known) => Ok(known),
            Found::One(asked) => asked.await,
            Found::Both { v6, v4 } => {
                // glibc asks for both at once.
                let (v4, v6) = futures_util::future::join(v4, v6).await;
                let mut found: Vec<IpAddr> = [&v6, &v4].into_iter().flatten().flatten().copied().collect();
                found.dedup();
                if found.is_empty() { v4.and(v6) } else { Ok(in_order(&self.net, found)) }
            }
        }
    }

    /// What [`addresses`](Self::addresses) gives, before all of it is known.
    pub(crate) fn find<'a>(&'a self, host: &'a str, family: Family) -> Found<'a> {
        if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return self.known(host, vec![ip], family);
        }
        let own = self.net.addresses();
        let has_v6 = own.iter().any(|ip| matches!(ip, IpAddr::V6(ip) if !ip.is_unicast_link_local()));
        let bare = host.trim_end_matches('.');
        let mut known = self.net.hosts(bare);
        // RFC 6761 §6.3: "Users may assume that IPv4 and IPv6 address queries for localhost names will always resolve
        // to the respective IP loopback address."
        if known.is_empty()
            && (bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost"))
        {
            known.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
            known.extend(self.net.speaks_v6().then_some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        }
        // AI_ADDRCONFIG of getaddrinfo(3): "IPv4 addresses are returned … only if the local system has at least one IPv4
        // address configured, and IPv6 addresses … only if the local system has at least one IPv6 address configured".
        let has_v4 = !has_v6 || own.iter().any(IpAddr::is_ipv4);
        let spoken = |ip: &IpAddr| if ip.is_ipv4() { has_v4 } else { has_v6 };
        if !known.is_empty() {
            if family == Family::Any && known.iter().any(|ip| spoken(ip) || ip.is_loopback()) {
                known.retain(|ip| spoken(ip) || ip.is_loopback());
            }
            return self.known(host, known, family);
        }
        let asked = |kind| -> BoxFuture<'a, Result<Vec<IpAddr>, LookupError>> {
            Box::pin(
                async move { self.lookup(host, kind).await.map(|reply| in_order(&self.net, addresses_in(&reply))) },
            )
        };
        match family {
            Family::V4 => Found::One(asked(RecordType::A)),
            Family::V6 => Found::One(asked(RecordType::AAAA)),
            Family::Any if !has_v6 => Found::One(asked(RecordType::A)),
            Family::Any if !has_v4 => Found::One(asked(RecordType::AAAA)),
            Family::Any => Found::Both { v6: asked(RecordType::AAAA), v4: asked(RecordType::A) },
        }
    }

    /// Addresses that are known without asking anybody.
    fn known<'a>(&'a self, host: &str, mut known: Vec<IpAddr>, family: Family) -> Found<'a> {
        known.retain(|ip| family.has(*ip));
        if known.is_empty() {
            let none = LookupError::NoData(host.to_owned());
            return Found::One(Box::pin(core::future::ready(Err(none))));
        }
        Found::Known(in_order(&self.net, known))
    }

    /// The answer for records of `kind` at `name`, after the search list where `name` is short.
    ///
    /// # Errors
    /// Each kind of [`LookupError`].
    pub async fn lookup(&self, name: &str, kind: RecordType) -> Result<Reply, LookupError> {
        let result = self.search(name, kind).await;
        if let Err(e) = &result {
            self.net.trace(Storey::Application, "dns.failed", |f| {
                f.set("name", name.to_owned()).set("type", kind.to_string()).set("why", e.to_string());
            });
        }
        result
    }

    /// The name of an address; that it has none is no failure.
    ///
    /// # Errors
    /// Each kind of [`LookupError`].
    pub async fn reverse(&self, ip: IpAddr) -> Result<Reply, LookupError> {
        self.search(&Name::from(ip).to_ascii(), RecordType::PTR).await
    }

    async fn search(&self, name: &str, kind: RecordType) -> Result<Reply, LookupError> {
        let mut outcome = LookupError::BadName(name.to_owned());
        for candidate in self.candidates(name)? {
            match self.lookup_absolute(&candidate, kind).await {
                Ok(reply) => return Ok(reply),
                // A name without data is better news than no name: it is what is reported in the end.
                Err(e @ LookupError::NoData(_)) => outcome = e,
                Err(e @ LookupError::NoName(_)) if !matches!(outcome, LookupError::NoData(_)) => outcome = e,
                Err(LookupError::NoName(_)) => {}
                Err(e) => return Err(e),
            }
        }
        Err(outcome)
    }

    /// The names that `name` may stand for, in order.
    fn candidates(&self, name: &str) -> Result<Vec<Name>, LookupError> {
        let bad = || LookupError::BadName(name.to_owned());
        let mut absolute = Name::from_ascii(name).map_err(|_| bad())?;
        if name.is_empty() {
            return Err(bad());
        }
        let given_absolute = absolute.is_fqdn();
        absolute.set_fqdn(true);
        if given_absolute {
            return Ok(vec![absolute]);
        }
        let searched = self.net.search_domains().into_iter().filter_map(|domain| {
            let domain = Name::from_ascii(domain).ok()?;
            let mut joined = Name::from_ascii(name).ok()?.append_domain(&domain).ok()?;
            joined.set_fqdn(true);
            Some(joined)
        });
        let mut names = vec![absolute];
        if name.matches('.').count() >= NDOTS {
            names.extend(searched);
        } else {
            names.splice(0..0, searched);
        }
        Ok(names)
    }

    async fn lookup_absolute(&self, name: &Name, kind: RecordType) -> Result<Reply, LookupError> {
        let key = (LowerName::new(name), kind);
        let cached = self.cache().get(self.net.now(), &key);
        let reply = match cached {
            Some(reply) => {
                self.net.trace(Storey::Application, "dns.cached", |f| {
                    f.set("name", name.to_ascii()).set("type", kind.to_string());
                    f.set("why", "an earlier answer is still good");
                });
                reply
            }
            None => {
                let reply = self.ask(name, kind).await;
                self.net.count(if reply.is_ok() { "dns.ok" } else { "dns.error" });
                let reply = reply?;
                self.net.observe("dns.time", reply.took.as_secs_f64());
                self.cache().put(self.net.now(), key, &reply);
                reply
            }
        };
        match reply.message.metadata.response_code {
            ResponseCode::NXDomain => Err(LookupError::NoName(name.to_ascii())),
            _ if reply.matching(kind).next().is_none() => Err(LookupError::NoData(name.to_ascii())),
            _ => Ok(reply),
        }
    }

    /// Asks the servers in turn: each one in each round.
    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Reply, LookupError> {
        let servers = self.net.name_servers();
        if servers.is_empty() {
            return Err(LookupError::NoServers);
        }
        let mut failure = LookupError::TimedOut(name.to_ascii());
        for attempt in 0..ATTEMPTS {
            for (i, server) in servers.iter().enumerate() {
                if attempt > 0 || i > 0 {
                    self.net.count("dns.retries");
                }
                // As glibc's res_send: doubled for each further server, and then shared among them.
                let timeout = if i == 0 { TIMEOUT } else { TIMEOUT * (1 << i.min(8)) / servers.len() as u32 };
                let mut query = Query { timeout, ..Query::new(*server, name.clone(), kind) };
                let mut result = exchange(&self.net, &query).await;
                // RFC 6891 §6.2.2: a server that knows no EDNS may answer so, and is asked again without.
                if let Ok(reply) = &result
                    && matches!(reply.message.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp)
                    && reply.message.edns.is_none()
                {
                    query.edns = None;
                    result = exchange(&self.net, &query).await;
                }
                match result {
                    Ok(reply) => match reply.message.metadata.response_code {
                        ResponseCode::NoError | ResponseCode::NXDomain => return Ok(reply),
                        code => failure = LookupError::Failed(name.to_ascii(), code),
                    },
                    // A server that is unreachable or refuses is as good as one that stays silent.
                    Err(_) => {
                        if matches!(failure, LookupError::TimedOut(_)) {
                            failure = LookupError::TimedOut(name.to_ascii());
                        }
                    }
                }
            }
            if matches!(failure, LookupError::Failed(..)) {
                break;
            }
        }
        Err(failure)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// Which addresses of a name will do.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Family {
    /// Those of each version of IP that the host speaks.
    #[default]
    Any,
    /// Those of IPv4.
    V4,
    /// Those of IPv6.
    V6,
}

impl Family {
    /// Whether an address will do.
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// The addresses of a name, or the questions for them.
pub(crate) enum Found<'a> {
    /// They are known.
    Known(Vec<IpAddr>),
    /// One question is asked.
    One(BoxFuture<'a, Result<Vec<IpAddr>, LookupError>>),
    /// Two are asked, for the addresses of each version of IP.
    Both { v6: BoxFuture<'a, Result<Vec<IpAddr>, LookupError>>, v4: BoxFuture<'a, Result<Vec<IpAddr>, LookupError>> },
}

/// The addresses in the order in which to try them (RFC 6724 §6). Those of IPv4 alone stay in that of the answer.
pub(crate) fn in_order(net: &NetRef, addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    if addresses.len() < 2 || addresses.iter().all(IpAddr::is_ipv4) {
        return addresses;
    }
    let source = |dst: IpAddr| (dst, net.source_for(dst).map(Source::new));
    let mut all: Vec<_> = addresses.into_iter().map(source).collect();
    selection::sort(&mut all);
    all.into_iter().map(|(dst, _)| dst).collect()
}

fn addresses_in(reply: &Reply) -> Vec<IpAddr> {
    let address = |data: &RData| match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(a) => Some(IpAddr::V6(a.0)),
        _ => None,
    };
    reply.message.answers.iter().filter_map(|r| address(&r.data)).collect()
}

/// Over what a question goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// UDP, and TCP after an answer that was truncated.
    Udp,
    /// UDP alone: a truncated answer is taken as it is.
    UdpOnly,
    /// TCP.
    Tcp,
}

/// One question to one server.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whom to ask.
    pub server: SocketAddr,
    /// What for.
    pub name: Name,
    /// Which type.
    pub kind: RecordType,
    /// Whether the server may ask others.
    pub recursion_desired: bool,
    /// The size of datagram that EDNS announces; `None` leaves EDNS out.
    pub edns: Option<u16>,
    /// Over what.
    pub transport: Transport,
    /// How long to wait for the answer.
    pub timeout: Duration,
}

impl Query {
    /// A question over UDP, as the stub resolver asks it.
    pub fn new(server: SocketAddr, name: Name, kind: RecordType) -> Self {
        Self {
            server,
            name,
            kind,
            recursion_desired: true,
            edns: Some(EDNS_UDP),
            transport: Transport::Udp,
            timeout: TIMEOUT,
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The message; the answers of all of them for a zone transfer.
    pub message: Message,
    /// Its size in bytes.
    pub bytes: usize,
    /// How many messages it came in.
    pub messages: usize,
    /// When it came.
    pub received: Instant,
    /// How long it took.
    pub took: Duration,
    /// Over what it came: `UDP` or `TCP`.
    pub over: &'static str,
    /// Whether it was asked for over TCP because the answer over UDP was truncated.
    pub after_truncation: bool,
}

impl Reply {
    /// The records of `kind` in the answer, aliases on the way left out.
    pub fn matching(&self, kind: RecordType) -> impl Iterator<Item = &super::Record> {
        self.message.answers.iter().filter(move |r| r.record_type() == kind || kind == RecordType::ANY)
    }

    /// For how long it may be kept: RFC 2181 §5.2 and, for a negative answer, RFC 2308 §5.
    pub(super) fn ttl(&self) -> Option<u32> {
        if self.message.metadata.truncation {
            return None;
        }
        let negative = self.message.authorities.iter().find_map(|r| match &r.data {
            RData::SOA(soa) => Some(r.ttl.min(soa.minimum)),
            _ => None,
        });
        let positive = self.message.answers.iter().map(|r| r.ttl).min();
        match self.message.metadata.response_code {
            ResponseCode::NoError if positive.is_some() => positive,
            ResponseCode::NoError | ResponseCode::NXDomain => negative,
            _ => None,
        }
    }
}

/// Asks one server one question, once; over TCP again where the answer over UDP was truncated.
///
/// # Errors
/// `TimedOut`; `ConnectionRefused` and its kin where ICMP or TCP says so; `InvalidData` where what came over TCP is no
/// answer.
pub async fn exchange(net: &NetRef, query: &Query) -> io::Result<Reply> {
    let begun = net.now();
    let result = net
        .timeout(query.timeout, async {
            match query.transport {
                Transport::Tcp => over_tcp(net, query).await,
                Transport::UdpOnly => over_udp(net, query).await,
                Transport::Udp => {
                    let reply = over_udp(net, query).await?;
                    if !reply.message.metadata.truncation {
                        return Ok(reply);
                    }
                    net.trace(Storey::Application, "dns.truncated", |f| {
                        f.set("server", query.server).set("name", query.name.to_ascii());
                        f.set("why", "the answer does not fit a datagram, so it is asked for again over TCP");
                    });
                    over_tcp(net, query).await.map(|reply| Reply { after_truncation: true, ..reply })
                }
            }
        })
        .await;
    let took = net.now() - begun;
    let result = match result {
        Ok(Ok(reply)) => Ok(Reply { took, received: net.now(), ..reply }),
        Ok(Err(e)) => Err(e),
        Err(elapsed) => Err(elapsed.into()),
    };
    let kind = match &result {
        Ok(_) => "dns.reply",
        Err(e) if e.kind() == io::ErrorKind::TimedOut => "dns.timeout",
        Err(_) => "dns.refused",
    };
    net.trace(Storey::Application, kind, |f| {
        f.set("server", query.server).set("name", query.name.to_ascii()).set("type", query.kind.to_string());
        match &result {
            Ok(reply) => {
                f.set("code", super::code_name(reply.message.metadata.response_code));
                f.set("answers", reply.message.answers.len()).set("over", reply.over).set("took", took);
                if let Some(record) = reply.message.answers.last() {
                    f.set("answer", record.data.to_string());
                }
            }
            Err(e) => {
                f.set("why", e.to_string()).set("took", took);
            }
        }
    });
    result
}

fn build(net: &NetRef, query: &Query) -> io::Result<(u16, Vec<u8>)> {
    // RFC 5452 §9.2: the identifier is unpredictable.
    let id = net.random_u64() as u16;
    let edns = query.edns.map_or(EdnsUse::Off, EdnsUse::Payload);
    let recursion = if query.recursion_desired { Recursion::Desired } else { Recursion::NotDesired };
    let bytes = question(id, &query.name, query.kind, edns, recursion).to_vec().map_err(io::Error::other)?;
    net.trace(Storey::Application, "dns.query", |f| {
        f.set("server", query.server).set("name", query.name.to_ascii()).set("type", query.kind.to_string());
        f.set("id", id).set("over", if query.transport == Transport::Tcp { "TCP" } else { "UDP" });
    });
    Ok((id, bytes))
}

/// RFC 5452 §9.1: an answer counts only where the identifier, the question and the server's address are those of the
/// query. The address is checked by the connected socket.
pub(super) fn accepts(message: &Message, id: u16, query: &Query) -> bool {
    let asked = match &message.queries[..] {
        [q] => q.name() == &query.name && q.query_type() == query.kind,
        // An error about a question that the server could not read need not repeat it.
        [] => message.metadata.response_code != ResponseCode::NoError,
        _ => false,
    };
    message.metadata.id == id && message.metadata.message_type == MessageType::Response && asked
}

async fn over_udp(net: &NetRef, query: &Query) -> io::Result<Reply> {
    let (id, bytes) = build(net, query)?;
    let socket = bind_random(net, query.server)?;
    socket.connect(query.server)?;
    socket.send(&bytes).await?;
    let mut buf = vec![0; usize::from(query.edns.unwrap_or(0)).max(4096)];
    loop {
        let datagram = socket.receive(&mut buf).await?;
        let bytes = datagram.len.min(buf.len());
        let Ok(message) = Message::from_vec(&buf[..bytes]) else { continue };
        if datagram.from == query.server && accepts(&message, id, query) {
            let (received, took) = (Instant::ZERO, Duration::ZERO);
            return Ok(Reply { message, bytes, messages: 1, received, took, over: "UDP", after_truncation: false });
        }
        net.count("dns.ignored");
    }
}

/// RFC 5452 §9.2: "Resolver implementations MUST … use an unpredictable source port".
pub(super) fn bind_random(net: &NetRef, server: SocketAddr) -> io::Result<UdpSocket> {
    /// Linux's ephemeral range.
    const PORTS: std::ops::Range<u64> = 32_768..61_000;
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    for _ in 0..8 {
        let port = PORTS.start + net.random_u64() % (PORTS.end - PORTS.start);
        match net.bind_udp(SocketAddr::new(any, port as u16)) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    net.bind_udp(SocketAddr::new(any, 0))
}

async fn over_tcp(net: &NetRef, query: &Query) -> io::Result<Reply> {
    let (id, bytes) = build(net, &Query { transport: Transport::Tcp, ..query.clone() })?;
    let mut stream = net.connect(query.server, TcpOptions::default()).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
    let mut whole: Option<Reply> = None;
    loop {
        let length = stream.read_u16().await?;
        let mut buf = vec![0; length.into()];
        stream.read_exact(&mut buf).await?;
        let message = Message::from_vec(&buf).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        // RFC 5936 §2.2.1: later messages of a transfer may leave the question out.
        let follows = whole.is_some() && message.metadata.id == id && message.queries.is_empty();
        if !follows && !accepts(&message, id, query) {
            let why = "the answer is not one to the question";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let reply = match whole.take() {
            None => {
                let (received, took) = (Instant::ZERO, Duration::ZERO);
                Reply { message, bytes: buf.len(), messages: 1, received, took, over: "TCP", after_truncation: false }
            }
            Some(mut reply) => {
                reply.message.answers.extend(message.answers);
                (reply.bytes, reply.messages) = (reply.bytes + buf.len(), reply.messages + 1);
                reply
            }
        };
        if query.kind != RecordType::AXFR || transfer_ended(&reply.message) {
            return Ok(reply);
        }
        whole = Some(reply);
    }
}

/// RFC 5936 §2.2: the transfer begins and ends with the SOA.
fn transfer_ended(message: &Message) -> bool {
    let soa = |r: &super::Record| r.record_type() == RecordType::SOA;
    match &message.answers[..] {
        [first, .., last] => !soa(first) || soa(last),
        _ => message.metadata.response_code != ResponseCode::NoError || !message.answers.iter().any(soa),
    }
}

/// What whoever looks a name up records.
pub const METRICS: &[Metric] = &[
    Metric::counter("dns.ok", "questions that were answered"),
    Metric::counter("dns.error", "questions without an answer"),
    Metric::counter("dns.retries", "questions asked again, or of the next server"),
    Metric::counter("dns.ignored", "datagrams that are no answer to the question asked"),
    Metric::times("dns.time", "from a question to its answer, retries left out"),
];

#[cfg(test)]
mod tests {
    use hickory_proto::op::{OpCode, Query as Asked};
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, SOA};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn answer(id: u16, asked: &str, kind: RecordType) -> Message {
        let mut message = Message::new(id, MessageType::Response, OpCode::Query);
        message.add_query(Asked::query(name(asked), kind));
        message
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        let query = Query::new(([10, 0, 0, 53], 53).into(), name("www.shop.test."), RecordType::A);
        assert!(accepts(&answer(7, "WWW.shop.test.", RecordType::A), 7, &query));
        assert!(!accepts(&answer(8, "www.shop.test.", RecordType::A), 7, &query), "another identifier");
        assert!(!accepts(&answer(7, "evil.test.", RecordType::A), 7, &query), "another name");
        assert!(!accepts(&answer(7, "www.shop.test.", RecordType::MX), 7, &query), "another type");
        let mut echo = answer(7, "www.shop.test.", RecordType::A);
        echo.metadata.message_type = MessageType::Query;
        assert!(!accepts(&echo, 7, &query), "a question");
        let mut bare = Message::new(7, MessageType::Response, OpCode::Query);
        assert!(!accepts(&bare, 7, &query), "no question at all");
        bare.metadata.response_code = ResponseCode::FormErr;
        assert!(accepts(&bare, 7, &query));
    }

    fn reply(message: Message) -> Reply {
        let (received, took) = (Instant::from_secs(100), Duration::ZERO);
        Reply { message, bytes: 0, messages: 1, received, took, over: "UDP", after_truncation: false }
    }

    #[test]
    fn answers_are_kept_for_as_long_as_they_are_good() {
        let key = (LowerName::new(&name("www.shop.test.")), RecordType::A);
        let a = |ttl| Record::from_rdata(name("www.shop.test."), ttl, RData::A(A([10, 0, 3, 2].into())));
        let mut positive = answer(7, "www.shop.test.", RecordType::A);
        positive.answers = vec![a(60), a(30)];
        let mut cache = Cache::default();
        cache.put(Instant::from_secs(100), key.clone(), &reply(positive.clone()));
        let later = cache.get(Instant::from_secs(110), &key).unwrap();
        assert_eq!(later.message.answers.iter().map(|r| r.ttl).collect::<Vec<_>>(), [50, 20]);
        assert!(cache.get(Instant::from_secs(130), &key).is_none());

        // RFC 2308 §5: the SOA in the authority section says how long there is no such name.
        let mut negative = answer(7, "www.shop.test.", RecordType::A);
        negative.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(reply(negative.clone()).ttl(), None);
        let soa = SOA::new(name("ns.shop.test."), name("h.shop.test."), 1, 1, 1, 1, 40);
        negative.authorities = vec![Record::from_rdata(name("shop.test."), 900, RData::SOA(soa))];
        assert_eq!(reply(negative).ttl(), Some(40));
        for unkept in [ResponseCode::ServFail, ResponseCode::Refused] {
            positive.metadata.response_code = unkept;
            assert_eq!(reply(positive.clone()).ttl(), None);
        }
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut message = answer(7, "www.shop.test.", RecordType::A);
        message.answers = vec![Record::from_rdata(name("x."), 60, RData::A(A([10, 0, 3, 2].into())))];
        let mut cache = Cache::default();
        for i in 0..2_000 {
            let key = (LowerName::new(&name(&format!("n{i}.test."))), RecordType::A);
            cache.put(Instant::from_secs(100 + i / 100), key, &reply(message.clone()));
        }
        assert_eq!(cache.len(), 512);
    }
}
