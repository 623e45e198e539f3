//! The server's state machine (RFC 2131 §4.3): who has which address until when, and what is answered. No sockets, no clock.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use septet_core::Instant;
use septet_network::Prefix;
use septet_wire::dhcp::{Kind, Message, Op, Options, Reach};
use septet_wire::ethernet::MacAddr;

/// How long an offered address is kept for whom it was offered to.
const OFFERED_FOR: Duration = Duration::from_secs(60);
/// How long an address is left alone that somebody has though nobody leased it to him.
const ABANDONED_FOR: Duration = Duration::from_secs(3600);
/// Addresses of all pools of one server.
pub const MOST_ADDRESSES: u64 = 65_536;

/// Addresses of one link, and what goes with them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// The addresses of the link.
    pub subnet: Prefix,
    /// Those that are given out, from and to.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Addresses that are kept for somebody, inside of the ranges or outside.
    pub reserved: Vec<(Reserved, Ipv4Addr)>,
    /// Routers on the link.
    pub routers: Vec<Ipv4Addr>,
    /// Whom to ask for names.
    pub name_servers: Vec<Ipv4Addr>,
    /// The domain of names without a dot.
    pub domain: Option<String>,
    /// How long an address is leased; who asks for less gets less.
    pub lease: Duration,
    /// T1, where it is not half of that.
    pub renew: Option<Duration>,
    /// T2, where it is not seven eighths.
    pub rebind: Option<Duration>,
}

/// For whom an address is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reserved {
    /// Who has this link address.
    Mac(MacAddr),
    /// Who says that this is his name.
    Name(String),
}

/// How a client is known: by its identifier, or its link address (§4.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Id(Vec<u8>),
    Mac(MacAddr),
}

impl Key {
    fn of(message: &Message) -> Self {
        message.options.client_id.clone().map_or(Self::Mac(message.chaddr), Self::Id)
    }
}

/// What is known of an address.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Binding {
    /// Whose it is, or was last.
    client: Option<Key>,
    name: Option<String>,
    mac: MacAddr,
    state: Held,
    until: Instant,
}

/// How an address is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// Being checked, or offered.
    Offered,
    Leased,
    /// Let go by its client, which gets it again where nobody else needs it.
    Released,
    /// Somebody has it, nobody knows who.
    Abandoned,
}

/// Where a message came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Via {
    /// The interface of the server.
    pub iface: u16,
    /// The address of the server there.
    pub address: Ipv4Addr,
}

/// Whom an answer is for (§4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dest {
    /// The relay with this address.
    Relay(Ipv4Addr),
    /// The client at this address, which it has.
    Client(Ipv4Addr),
    /// The client at this address, which it is about to have: its link address is known.
    Future(Ipv4Addr, MacAddr),
    /// All on the link.
    All,
}

/// What the server wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send this by the interface that the question came by.
    Send(Dest, Message),
    /// Find out whether anybody uses this address, and call [`Server::checked`] with the question.
    Check(Ipv4Addr, Message),
    /// Something that is worth a line in the log.
    Told(Told),
    /// Name servers are to know, or to forget, a client.
    Name(Naming, Named),
}

/// What becomes of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// The client has its address; call [`Server::expire`] when its lease ends.
    Known,
    /// It has it no more.
    Gone,
}

/// A client as name servers know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// What it calls itself, in the domain of its pool.
    pub name: String,
    /// That domain.
    pub domain: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// For how long it has it.
    pub lease: Duration,
}

/// What happened to an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// Somebody has it from now on.
    Leased {
        /// The address.
        address: Ipv4Addr,
        /// Who has it.
        mac: MacAddr,
        /// His name, where he says.
        name: Option<String>,
        /// For how long.
        lease: Duration,
        /// Whether he had it already.
        news: News,
    },
    /// Its client needs it no longer.
    Released(Ipv4Addr, MacAddr),
    /// Somebody has it whom nobody gave it.
    Abandoned(Ipv4Addr, &'static str),
    /// A client was refused.
    Refused(MacAddr, &'static str),
    /// No address is left for a client.
    Exhausted(MacAddr),
}

/// Whether a lease is new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// It is.
    New,
    /// It was there, and goes on.
    Renewed,
}

/// All that a server knows.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pools: Vec<Pool>,
    bindings: BTreeMap<Ipv4Addr, Binding>,
    /// Who is known by name, and until when.
    named: BTreeMap<Ipv4Addr, (Named, Instant)>,
    outputs: Vec<Output>,
}

impl Server {
    /// A server that has given nothing out yet.
    pub fn new(pools: Vec<Pool>) -> Self {
        Self { pools, ..Self::default() }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() { None } else { Some(self.outputs.remove(0)) }
    }

    /// Addresses that are leased at `now`.
    pub fn leased(&self, now: Instant) -> usize {
        self.bindings.values().filter(|b| b.state == Held::Leased && b.until > now).count()
    }

    /// When the lease of a client ends that is known by name.
    pub fn known_until(&self, address: Ipv4Addr) -> Option<Instant> {
        self.named.get(&address).map(|(_, until)| *until)
    }

    /// All who are known by name: after a crash of the server it is to be seen to that they are forgotten in time.
    pub fn known(&self) -> Vec<Named> {
        self.named.values().map(|(named, _)| named.clone()).collect()
    }

    /// Lets names go whose leases have ended by `now`.
    pub fn expire(&mut self, now: Instant) {
        let over: Vec<Ipv4Addr> = self.named.iter().filter(|(_, (_, until))| *until <= now).map(|(a, _)| *a).collect();
        over.into_iter().for_each(|address| self.forget(address));
    }

    fn forget(&mut self, address: Ipv4Addr) {
        if let Some((named, _)) = self.named.remove(&address) {
            self.outputs.push(Output::Name(Naming::Gone, named));
        }
    }

    /// Sees to it that name servers know a client: once, as long as it has the address and keeps its name.
    fn call(&mut self, named: Named, until: Instant) {
        let before = self.named.insert(named.address, (named.clone(), until));
        match before {
            Some((old, _)) if old.name == named.name && old.domain == named.domain => return,
            Some((old, _)) => self.outputs.push(Output::Name(Naming::Gone, old)),
            None => {}
        }
        self.outputs.push(Output::Name(Naming::Known, named));
    }

    /// Takes a client's message.
    pub fn receive(&mut self, now: Instant, via: Via, message: &Message) {
        if message.op != Op::Request {
            return;
        }
        // §4.3.1: the network is "the subnet on which the message was received (if 'giaddr' is 0)" or that of the relay.
        let link = if message.giaddr.is_unspecified() { via.address } else { message.giaddr };
        let pool = self.pools.iter().find(|pool| pool.subnet.contains(link.into())).cloned();
        match message.options.kind {
            Kind::Discover => {
                if let Some(pool) = pool {
                    self.discover(now, &pool, via, message);
                }
            }
            Kind::Request => {
                if let Some(pool) = pool {
                    self.request(now, &pool, via, message);
                }
            }
            Kind::Decline => self.decline(now, via, message),
            Kind::Release => self.release(now, message),
            Kind::Inform => {
                // An INFORM may come from any link by way of routers: what goes with the client's own address is told.
                let own = self.pools.iter().find(|pool| pool.subnet.contains(message.ciaddr.into())).cloned();
                if let Some(pool) = own.or(pool) {
                    self.inform(&pool, via, message);
                }
            }
            Kind::Offer | Kind::Ack | Kind::Nak => {}
        }
    }

    fn discover(&mut self, now: Instant, pool: &Pool, via: Via, message: &Message) {
        let key = Key::of(message);
        let is_theirs = |b: &Binding| b.client.as_ref() == Some(&key);
        // A second DISCOVER while the first one's address is being checked or offered changes nothing about it.
        let Some(address) = self.choose(now, pool, &key, message) else {
            return self.outputs.push(Output::Told(Told::Exhausted(message.chaddr)));
        };
        let before = self.bindings.get(&address);
        // An address that its client had lately needs no check: nobody else has been given it.
        let is_known = before.is_some_and(|b| is_theirs(b) && b.state != Held::Abandoned);
        let holds = before.is_some_and(|b| is_theirs(b) && b.state == Held::Leased && b.until > now);
        if !holds {
            let (until, name) = (now + OFFERED_FOR, message.options.host_name.clone());
            let (client, mac, state) = (Some(key), message.chaddr, Held::Offered);
            self.bindings.insert(address, Binding { client, name, mac, state, until });
        }
        if is_known {
            self.offer(pool, via, address, message);
        } else {
            self.outputs.push(Output::Check(address, message.clone()));
        }
    }

    /// §4.3.1: "The client's current address …; the client's previous address …; the address requested …; a new address
    /// allocated from the server's pool of available addresses". What is kept for somebody goes before all.
    fn choose(&self, now: Instant, pool: &Pool, key: &Key, message: &Message) -> Option<Ipv4Addr> {
        if let Some(address) = reserved_for(pool, message) {
            let other = |b: &Binding| b.client.as_ref() != Some(key) && b.state == Held::Leased && b.until > now;
            return (!self.bindings.get(&address).is_some_and(other)).then_some(address);
        }
        let theirs = |(address, b): &(&Ipv4Addr, &Binding)| {
            b.client.as_ref() == Some(key) && b.state != Held::Abandoned && pool.gives(**address)
        };
        let previous = self.bindings.iter().find(theirs).map(|(address, _)| *address);
        let requested = message.options.requested.filter(|address| pool.gives(*address) && self.is_free(now, *address));
        let all = || pool.ranges.iter().flat_map(|(from, to)| (from.to_bits()..=to.to_bits()).map(Ipv4Addr::from_bits));
        // One that nobody ever had goes before one that somebody might want again.
        let unused = || all().find(|address| pool.gives(*address) && !self.bindings.contains_key(address));
        let oldest = || {
            let free = all().filter(|address| pool.gives(*address) && self.is_free(now, *address));
            free.min_by_key(|address| self.bindings.get(address).map(|b| b.until))
        };
        previous.or(requested).or_else(unused).or_else(oldest)
    }

    fn is_free(&self, now: Instant, address: Ipv4Addr) -> bool {
        self.bindings.get(&address).is_none_or(|b| b.state == Held::Released || b.until <= now)
    }

    /// What became of a check.
    pub fn checked(&mut self, now: Instant, via: Via, address: Ipv4Addr, question: &Message, found: Found) {
        let link = if question.giaddr.is_unspecified() { via.address } else { question.giaddr };
        let Some(pool) = self.pools.iter().find(|pool| pool.subnet.contains(link.into())).cloned() else { return };
        match found {
            Found::Nobody => self.offer(&pool, via, address, question),
            Found::Somebody => {
                self.abandon(now, address, "it answers though nobody was given it");
                self.discover(now, &pool, via, question);
            }
        }
    }

    fn abandon(&mut self, now: Instant, address: Ipv4Addr, why: &'static str) {
        let (mac, until) = (MacAddr::default(), now + ABANDONED_FOR);
        let binding = Binding { client: None, name: None, mac, state: Held::Abandoned, until };
        self.bindings.insert(address, binding);
        self.outputs.push(Output::Told(Told::Abandoned(address, why)));
        self.forget(address);
    }

    fn offer(&mut self, pool: &Pool, via: Via, address: Ipv4Addr, question: &Message) {
        let lease = pool.lease_for(question);
        let answer = pool.answer(Kind::Offer, via, question, Some((address, lease)));
        self.send(answer);
    }

    /// §4.3.2.
    fn request(&mut self, now: Instant, pool: &Pool, via: Via, message: &Message) {
        let key = Key::of(message);
        let Options { requested, server, .. } = &message.options;
        let is_theirs = |b: &&Binding| b.client.as_ref() == Some(&key);
        match (*server, *requested) {
            // "DHCPREQUEST generated during SELECTING state: Client inserts the address of the selected server".
            (Some(chosen), _) if chosen != via.address && !self.is_own(chosen, via) => {
                // "Those servers not selected by the DHCPREQUEST message use the message as notification that the client
                // has declined that server's offer."
                self.bindings.retain(|_, b| !(b.client.as_ref() == Some(&key) && b.state == Held::Offered));
            }
            (Some(_), Some(wanted)) => {
                let offered = self.bindings.get(&wanted).filter(is_theirs);
                if offered.is_some_and(|b| b.state != Held::Abandoned) && pool.gives_or_keeps(wanted) {
                    self.acknowledge(now, pool, via, message, wanted);
                } else {
                    self.refuse(via, message, "the address was not offered to it");
                }
            }
            // "DHCPREQUEST generated during INIT-REBOOT state: … Server SHOULD send a DHCPNAK message to the client if the
            // 'requested IP address' is incorrect, or is on the wrong network."
            (None, Some(wanted)) if message.ciaddr.is_unspecified() => {
                if !pool.subnet.contains(wanted.into()) {
                    return self.refuse(via, message, "the address is of another network");
                }
                match self.bindings.iter().find(|(_, b)| is_theirs(b)).map(|(address, _)| *address) {
                    Some(address) if address == wanted => self.acknowledge(now, pool, via, message, wanted),
                    Some(_) => self.refuse(via, message, "it has another address"),
                    // "If the DHCP server has no record of this client, then it MUST remain silent".
                    None => {}
                }
            }
            // "DHCPREQUEST generated during RENEWING state: … ciaddr MUST be filled in"; REBINDING likewise.
            (None, _) if !message.ciaddr.is_unspecified() => {
                let address = message.ciaddr;
                let binding = self.bindings.get(&address);
                if binding.filter(is_theirs).is_some() {
                    self.acknowledge(now, pool, via, message, address);
                } else if !pool.subnet.contains(address.into()) || binding.is_some_and(|b| b.until > now) {
                    self.refuse(via, message, "the address is not its");
                }
            }
            _ => {}
        }
    }

    /// A server with several links may be named by any of its addresses.
    fn is_own(&self, address: Ipv4Addr, via: Via) -> bool {
        address == via.address
    }

    fn acknowledge(&mut self, now: Instant, pool: &Pool, via: Via, message: &Message, address: Ipv4Addr) {
        let lease = pool.lease_for(message);
        let held = self.bindings.get(&address).is_some_and(|b| b.state == Held::Leased && b.until > now);
        let name = message.options.host_name.clone();
        let name = name.or_else(|| self.bindings.get(&address).and_then(|b| b.name.clone()));
        let (client, mac, state, until) = (Some(Key::of(message)), message.chaddr, Held::Leased, now + lease);
        self.bindings.insert(address, Binding { client, name: name.clone(), mac, state, until });
        let answer = pool.answer(Kind::Ack, via, message, Some((address, lease)));
        self.send(answer);
        let news = if held { News::Renewed } else { News::New };
        self.outputs.push(Output::Told(Told::Leased { address, mac, name: name.clone(), lease, news }));
        match (name.as_deref().and_then(label), &pool.domain) {
            (Some(name), Some(domain)) => self.call(Named { name, domain: domain.clone(), address, lease }, until),
            _ => self.forget(address),
        }
    }

    fn refuse(&mut self, via: Via, message: &Message, why: &'static str) {
        let mut nak = reply(Kind::Nak, via, message);
        nak.options.message = Some(why.to_owned());
        // §4.3.2: "If 'giaddr' is set … the server MUST set the broadcast bit in the DHCPNAK, so that the relay agent will
        // broadcast the DHCPNAK to the client".
        nak.reach = Reach::Broadcast;
        self.send(nak);
        self.outputs.push(Output::Told(Told::Refused(message.chaddr, why)));
    }

    /// §4.3.3: "the server MUST mark the network address as not available".
    fn decline(&mut self, now: Instant, via: Via, message: &Message) {
        let Options { requested, server, .. } = &message.options;
        if let Some(address) = *requested
            && server.is_none_or(|server| server == via.address)
            && self.bindings.get(&address).is_some_and(|b| b.client == Some(Key::of(message)))
        {
            self.abandon(now, address, "a client found somebody at it");
        }
    }

    /// §4.3.4: "the server marks the network address as not allocated. The server SHOULD retain a record of the client's
    /// initialization parameters for possible reuse".
    fn release(&mut self, now: Instant, message: &Message) {
        if let Some(binding) = self.bindings.get_mut(&message.ciaddr)
            && binding.client == Some(Key::of(message))
            && binding.state == Held::Leased
        {
            (binding.state, binding.until) = (Held::Released, now);
            self.outputs.push(Output::Told(Told::Released(message.ciaddr, message.chaddr)));
            self.forget(message.ciaddr);
        }
    }

    /// §4.3.5: "The server MUST NOT … fill in 'yiaddr'", nor give a lease; the answer goes to 'ciaddr'.
    fn inform(&mut self, pool: &Pool, via: Via, message: &Message) {
        if !message.ciaddr.is_unspecified() {
            let answer = pool.answer(Kind::Ack, via, message, None);
            self.outputs.push(Output::Send(Dest::Client(message.ciaddr), answer));
        }
    }

    fn send(&mut self, answer: Message) {
        self.outputs.push(Output::Send(destination(&answer), answer));
    }
}

/// What a check found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Nobody answers at the address.
    Nobody,
    /// Somebody does.
    Somebody,
}

/// §4.1: "If the 'giaddr' field in a DHCP message from a client is non-zero, the server sends any return messages to the
/// 'DHCP server' port on the BOOTP relay agent whose address appears in 'giaddr'. If the 'giaddr' field is zero and the
/// 'ciaddr' field is nonzero, then the server unicasts DHCPOFFER and DHCPACK messages to the address in 'ciaddr'. If
/// 'giaddr' is zero and 'ciaddr' is zero, and the broadcast bit is set, then the server broadcasts … If the broadcast bit is
/// not set … then the server unicasts DHCPOFFER and DHCPACK messages to the client's hardware address and 'yiaddr' address.
/// In all cases, when 'giaddr' is zero, the server broadcasts any DHCPNAK messages".
pub fn destination(answer: &Message) -> Dest {
    match answer {
        Message { giaddr, .. } if !giaddr.is_unspecified() => Dest::Relay(*giaddr),
        Message { options: Options { kind: Kind::Nak, .. }, .. } => Dest::All,
        Message { ciaddr, .. } if !ciaddr.is_unspecified() => Dest::Client(*ciaddr),
        Message { reach: Reach::Broadcast, .. } => Dest::All,
        Message { yiaddr, chaddr, .. } => Dest::Future(*yiaddr, *chaddr),
    }
}

/// What a client calls itself, where it is a name that hosts can have (RFC 952, RFC 1123 §2.1): letters, digits and hyphens.
fn label(name: &str) -> Option<String> {
    let is_right = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_edged = name.starts_with('-') || name.ends_with('-');
    (is_right && !is_edged && (1..=63).contains(&name.len())).then(|| name.to_ascii_lowercase())
}

/// An answer to `question`, with what all have in common (§4.3.1's table 3).
fn reply(kind: Kind, via: Via, question: &Message) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let relay = question.options.relay.clone();
    let options = Options { server: Some(via.address), relay, ..Options::new(kind) };
    let ciaddr = if kind == Kind::Ack { question.ciaddr } else { none };
    Message { op: Op::Reply, hops: 0, secs: 0, ciaddr, yiaddr: none, siaddr: none, options, ..question.clone() }
}

fn reserved_for(pool: &Pool, message: &Message) -> Option<Ipv4Addr> {
    let is = |reserved: &Reserved| match reserved {
        Reserved::Mac(mac) => *mac == message.chaddr,
        Reserved::Name(name) => message.options.host_name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name)),
    };
    pool.reserved.iter().find(|(reserved, _)| is(reserved)).map(|(_, address)| *address)
}

impl Pool {
    /// Whether an address is given to whoever comes.
    fn gives(&self, address: Ipv4Addr) -> bool {
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&address))
            && !self.reserved.iter().any(|(_, reserved)| *reserved == address)
            && !self.routers.contains(&address)
    }

    fn gives_or_keeps(&self, address: Ipv4Addr) -> bool {
        self.gives(address) || self.reserved.iter().any(|(_, reserved)| *reserved == address)
    }

    fn lease_for(&self, question: &Message) -> Duration {
        let asked = question.options.lease.map(|seconds| Duration::from_secs(seconds.into()));
        asked.map_or(self.lease, |asked| asked.clamp(Duration::from_secs(1), self.lease.max(Duration::from_secs(1))))
    }

    fn answer(&self, kind: Kind, via: Via, question: &Message, given: Option<(Ipv4Addr, Duration)>) -> Message {
        let mut answer = reply(kind, via, question);
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        if let Some((address, lease)) = given {
            answer.yiaddr = address;
            answer.options.lease = Some(seconds(lease));
            answer.options.renewal = Some(seconds(self.renew.unwrap_or(lease / 2).min(lease)));
            answer.options.rebinding = Some(seconds(self.rebind.unwrap_or(lease * 7 / 8).min(lease)));
        }
        let options = &mut answer.options;
        let len = self.subnet.prefix_len();
        options.subnet_mask = Some(Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)));
        options.broadcast = self.subnet.broadcast();
        options.routers.clone_from(&self.routers);
        options.name_servers.clone_from(&self.name_servers);
        options.domain.clone_from(&self.domain);
        answer
    }
}
