//! The recursion as a machine: RFC 1034 §5.3.3, with the bounds that it lacks.
//!
//! Questions of clients go in with [`ask`](Machine::ask), what servers said with [`heard`](Machine::heard); what is to be done comes
//! out of [`poll`](Machine::poll). It has no sockets, no clock, and no luck but that of its seed.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use septet_core::{Instant, Rng};

use super::Limits;
use super::cache::{Age, Cache, Fact, Rank, What};
use super::hints::Hint;
use super::job::{Asked, Job, JobId, Place, TRIES, Use, Waiter, addresses};
use super::scrub::{self, ALIASES, End, Referral, Says};
use super::servers::Servers;

/// Questions for addresses of servers may need others in turn; so deep, and no deeper.
const DEPTH: u32 = 5;
/// RFC 8767 §5: "The client response timer … a value of 1.8 seconds" after which a stale answer is given.
const CLIENT_RESPONSE: Duration = Duration::from_millis(1800);
/// How many may wait for one answer.
const WAITERS: usize = 256;
/// TCP repeats by itself what is lost, and is given the time for it.
const TCP_PATIENCE: Duration = Duration::from_secs(3);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    /// A question is to be put to a server, and what comes of it handed to [`Machine::heard`].
    Ask(Ask),
    /// A client has its answer.
    Give(u64, Found),
    /// [`Machine::on_time`] is to be called then.
    Wake(Instant, JobId),
    /// Something happened of which the trace and the metrics are told.
    Tell(Tale),
}

/// A question to a server.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Ask {
    pub(super) id: u64,
    pub(super) server: IpAddr,
    pub(super) zone: Name,
    pub(super) name: Name,
    pub(super) kind: RecordType,
    pub(super) edns: Edns,
    pub(super) over: Over,
    pub(super) patience: Duration,
}

/// Whether a question has an OPT record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Edns {
    With,
    Without,
}

/// Over what a question goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Over {
    Udp,
    Tcp,
}

/// What came of a question to a server.
#[derive(Debug)]
pub(super) enum Heard {
    /// An answer to it.
    Answer(Box<Message>),
    /// Nothing in time.
    Silence,
    /// The network says that there is no way, or nobody there.
    Unreachable,
}

/// What a client is answered.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Found {
    pub(super) code: ResponseCode,
    pub(super) answers: Vec<Record>,
    /// The SOA where something is not there.
    pub(super) soa: Option<Record>,
    pub(super) origin: Origin,
}

/// Where an answer comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// It was asked for.
    Servers,
    /// It was known.
    Cache,
    /// It was known once, and nobody knows better now.
    Stale,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Tale {
    /// A server knows others.
    Referral { server: IpAddr, zone: Name, servers: usize },
    /// A record was left out that the server has no right to tell.
    Stranger { server: IpAddr, zone: Name, record: Box<Record> },
    /// A server is no use.
    Lame { server: IpAddr, zone: Name, why: &'static str },
    /// A server did not answer.
    Silent { server: IpAddr, name: Name, kind: RecordType, tcp_next: bool },
    /// The same is being found out already.
    Joined { name: Name, kind: RecordType },
    /// It cannot be found out.
    Failed { name: Name, kind: RecordType, why: &'static str },
}

/// A question to a server that is under way.
#[derive(Debug)]
struct Flight {
    job: JobId,
    ask: Ask,
    begun: Instant,
}

/// What is known of a question.
enum Known {
    /// The answer.
    Whole(Found),
    /// These aliases, and nothing of the name that they lead to.
    Partly(Vec<Record>, Name),
}

/// What comes of going on with a job.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
enum Next {
    Wait,
    Done(Found),
    Failed(&'static str),
}

/// The recursive resolver.
#[derive(Debug)]
pub(super) struct Machine {
    limits: Limits,
    hints: Arc<[Hint]>,
    /// Whether this host speaks IPv4, and IPv6.
    speaks: (bool, bool),
    cache: Cache,
    servers: Servers,
    jobs: BTreeMap<JobId, Job>,
    by_question: BTreeMap<Asked, JobId>,
    flights: BTreeMap<u64, Flight>,
    ready: VecDeque<JobId>,
    outputs: VecDeque<Output>,
    last: u64,
}

impl Machine {
    pub(super) fn new(limits: Limits, hints: Arc<[Hint]>, speaks: (bool, bool), rng: Rng) -> Self {
        Self {
            limits,
            hints,
            speaks,
            cache: Cache::new(limits),
            servers: Servers::new(rng),
            jobs: BTreeMap::new(),
            by_question: BTreeMap::new(),
            flights: BTreeMap::new(),
            ready: VecDeque::new(),
            outputs: VecDeque::new(),
            last: 0,
        }
    }

    /// What is to be done next.
    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A client asks.
    pub(super) fn ask(&mut self, now: Instant, client: u64, name: &Name, kind: RecordType) {
        if let Some(found) = self.known(now, name, kind, Age::Good) {
            self.outputs.push_back(Output::Give(client, found));
            return;
        }
        let asked = (LowerName::new(name), kind);
        if self.cache.is_resting(now, &asked.0, kind)
            && let Some(found) = self.known(now, name, kind, Age::Stale)
        {
            self.outputs.push_back(Output::Give(client, found));
            return;
        }
        // RFC 9520 §3.2: what could not be found out a moment ago is not asked for again.
        let failed = self.cache.get(now, &asked.0, What::Failure(kind), Rank::Answer, Age::Good);
        let is_full = self.jobs.len() >= self.limits.at_once && !self.by_question.contains_key(&asked);
        if failed.is_some() || is_full {
            if is_full {
                let why = "too many questions are being worked on";
                self.outputs.push_back(Output::Tell(Tale::Failed { name: name.clone(), kind, why }));
            }
            self.outputs.push_back(Output::Give(client, failure(Origin::Cache)));
            return;
        }
        let job = self.begin(now, name, kind, Waiter::Client(client), None);
        if let Some(job) = job
            && self.known(now, name, kind, Age::Stale).is_some()
        {
            self.outputs.push_back(Output::Wake(now + CLIENT_RESPONSE, job));
        }
        self.go_on(now);
    }

    /// A server answered, or did not.
    pub(super) fn heard(&mut self, now: Instant, id: u64, heard: Heard) {
        let Some(flight) = self.flights.remove(&id) else { return };
        let Some(mut job) = self.jobs.remove(&flight.job) else { return };
        job.flight = None;
        let next = self.take_in(now, &flight, &mut job, heard);
        self.settle(now, flight.job, job, next);
        self.go_on(now);
    }

    /// A time of [`Output::Wake`] has come.
    pub(super) fn on_time(&mut self, now: Instant, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let (name, kind) = (Name::from(job.asked.0.clone()), job.asked.1);
        if now >= job.until {
            if let Some(flight) = job.flight {
                self.flights.remove(&flight);
            }
            let Some(job) = self.jobs.remove(&id) else { return };
            self.settle(now, id, job, Some(Next::Failed("it took too long")));
        } else if let Some(found) = self.known(now, &name, kind, Age::Stale) {
            // The work goes on for those who ask later.
            let Some(job) = self.jobs.get_mut(&id) else { return };
            let waiters = core::mem::take(&mut job.waiters);
            for waiter in waiters {
                match waiter {
                    Waiter::Client(client) => self.outputs.push_back(Output::Give(client, found.clone())),
                    Waiter::Job(_) => {
                        if let Some(job) = self.jobs.get_mut(&id) {
                            job.waiters.push(waiter);
                        }
                    }
                }
            }
        }
        self.go_on(now);
    }

    /// How many questions are being found out.
    #[cfg(test)]
    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Joins the job for a question, or makes one.
    fn begin(
        &mut self,
        now: Instant,
        name: &Name,
        kind: RecordType,
        waiter: Waiter,
        parent: Option<JobId>,
    ) -> Option<JobId> {
        let asked = (LowerName::new(name), kind);
        if let Some(id) = self.by_question.get(&asked).copied()
            && let Some(job) = self.jobs.get_mut(&id)
        {
            if job.waiters.len() >= WAITERS {
                if let Waiter::Client(client) = waiter {
                    self.outputs.push_back(Output::Give(client, failure(Origin::Cache)));
                }
                return None;
            }
            job.waiters.push(waiter);
            if let Waiter::Client(_) = waiter {
                self.outputs.push_back(Output::Tell(Tale::Joined { name: name.clone(), kind }));
            }
            return Some(id);
        }
        self.last += 1;
        let id = self.last;
        let parent = parent.and_then(|parent| self.jobs.get(&parent));
        let (payer, depth) = parent.map_or((id, 0), |parent| (parent.payer, parent.depth + 1));
        let until = parent.map_or(now + self.limits.patience, |parent| parent.until);
        let job = Job {
            asked: asked.clone(),
            waiters: vec![waiter],
            payer,
            depth,
            name: name.clone(),
            chain: Vec::new(),
            place: None,
            flight: None,
            below: Default::default(),
            spent: 0,
            until,
        };
        self.jobs.insert(id, job);
        self.by_question.insert(asked, id);
        self.outputs.push_back(Output::Wake(until, id));
        self.ready.push_back(id);
        Some(id)
    }

    fn go_on(&mut self, now: Instant) {
        while let Some(id) = self.ready.pop_front() {
            let Some(job) = self.jobs.get(&id) else { continue };
            if job.flight.is_some() {
                continue;
            }
            let next = self.advance(now, id);
            if let Some(job) = self.jobs.remove(&id) {
                self.settle(now, id, job, Some(next));
            }
        }
    }

    /// Puts a job back, or ends it.
    fn settle(&mut self, now: Instant, id: JobId, job: Job, next: Option<Next>) {
        let found = match next {
            Some(Next::Wait) => {
                self.jobs.insert(id, job);
                return;
            }
            None => {
                self.jobs.insert(id, job);
                self.ready.push_back(id);
                return;
            }
            Some(Next::Done(found)) => found,
            Some(Next::Failed(why)) => {
                let (name, kind) = (Name::from(job.asked.0.clone()), job.asked.1);
                self.outputs.push_back(Output::Tell(Tale::Failed { name: name.clone(), kind, why }));
                self.cache.rest(now, &job.asked.0, kind);
                let stale = self.known(now, &name, kind, Age::Stale);
                if stale.is_none() {
                    self.cache.put_failure(now, &job.asked.0, kind);
                }
                stale.unwrap_or_else(|| failure(Origin::Servers))
            }
        };
        self.by_question.remove(&job.asked);
        // Whoever was asked for this one's sake alone need not go on; what they find is of use all the same, and bounded.
        for waiter in job.waiters {
            match waiter {
                Waiter::Client(client) => self.outputs.push_back(Output::Give(client, found.clone())),
                Waiter::Job(above) => {
                    if let Some(above_job) = self.jobs.get_mut(&above) {
                        above_job.below.remove(&id);
                        if let Some(place) = &mut above_job.place
                            && place.sought.iter().any(|name| LowerName::new(name) == job.asked.0)
                        {
                            place.add(addresses(&found.answers));
                        }
                        self.ready.push_back(above);
                    }
                }
            }
        }
    }

    /// Goes on with a job that waits for nothing.
    fn advance(&mut self, now: Instant, id: JobId) -> Next {
        let Some(job) = self.jobs.get(&id) else { return Next::Wait };
        if now >= job.until {
            return Next::Failed("it took too long");
        }
        let (name, kind, chain) = (job.name.clone(), job.asked.1, job.chain.clone());
        match self.lookup(now, &name, kind, chain, Age::Good) {
            Known::Whole(found) => return Next::Done(Found { origin: Origin::Servers, ..found }),
            Known::Partly(chain, _) if aliases(&chain) > ALIASES => return Next::Failed("the aliases never end"),
            Known::Partly(chain, at) => {
                let Some(job) = self.jobs.get_mut(&id) else { return Next::Wait };
                if at != job.name {
                    (job.chain, job.name, job.place) = (chain, at, None);
                }
            }
        }
        let Some(job) = self.jobs.get(&id) else { return Next::Wait };
        let name = job.name.clone();
        if job.place.is_none() {
            let place = self.locate(now, &name, kind);
            if let Some(job) = self.jobs.get_mut(&id) {
                job.place = Some(place);
            }
        }
        self.choose(now, id)
    }

    /// Asks the server that is likely to answer first, or for the addresses of further servers.
    fn choose(&mut self, now: Instant, id: JobId) -> Next {
        let Some(job) = self.jobs.get(&id) else { return Next::Wait };
        let Some(place) = &job.place else { return Next::Failed("no server of the zone is known") };
        let zone = place.zone.clone();
        let lower = LowerName::new(&zone);
        let (v4, v6) = self.speaks;
        let mut usable: Vec<(u32, IpAddr, bool)> = Vec::new();
        for server in &place.servers {
            let speaks = if server.at.is_ipv4() { v4 } else { v6 };
            if speaks
                && server.use_ == Use::Good
                && server.tries < TRIES
                && !self.servers.is_lame(now, server.at, &lower)
            {
                usable.push((server.tries, server.at, server.over_tcp));
            }
        }
        let others: Vec<IpAddr> = usable.iter().map(|(_, at, _)| *at).collect();
        // Each is asked once before any is asked twice; among those the quickest comes first.
        let mut best: Option<((u32, f64), IpAddr, bool)> = None;
        for (tries, at, over_tcp) in usable {
            let tries = if over_tcp { 0 } else { tries };
            let score = (tries, self.servers.score(now, at));
            if best.is_none_or(|(least, ..)| score.0 < least.0 || (score.0 == least.0 && score.1 < least.1)) {
                best = Some((score, at, over_tcp));
            }
        }
        // Further servers are looked for where none is known, and beside those that stayed silent.
        let seeks = best.is_none_or(|((tries, _), ..)| tries > 0) && self.seek(now, id);
        let Some((_, server, over_tcp)) = best else {
            return if seeks { Next::Wait } else { Next::Failed("no server of the zone answers as it should") };
        };
        if !self.pay(id) {
            return Next::Failed("it costs too many questions to servers");
        }
        let takes_udp = self.servers.takes_udp(now, server);
        let Some(job) = self.jobs.get_mut(&id) else { return Next::Wait };
        let Some(tries) = job.place.as_mut().and_then(|place| place.server(server)).map(|server| {
            server.over_tcp = false;
            server.tries
        }) else {
            return Next::Wait;
        };
        let over = if over_tcp || is_over_tcp(tries) || !takes_udp { Over::Tcp } else { Over::Udp };
        self.servers.chosen(now, server, others.into_iter());
        let Some(job) = self.jobs.get_mut(&id) else { return Next::Wait };
        let least = if over == Over::Tcp { TCP_PATIENCE } else { Duration::ZERO };
        let patience = self.servers.patience(now, server, tries).max(least).min(job.until - now);
        let edns = if self.servers.takes_edns(now, server) { Edns::With } else { Edns::Without };
        self.last += 1;
        let ask = Ask { id: self.last, server, zone, name: job.name.clone(), kind: job.asked.1, edns, over, patience };
        job.flight = Some(ask.id);
        self.flights.insert(ask.id, Flight { job: id, ask: ask.clone(), begun: now });
        self.outputs.push_back(Output::Ask(ask));
        Next::Wait
    }

    /// Looks up the addresses of a further server of the zone; whether anything is under way.
    fn seek(&mut self, now: Instant, id: JobId) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        if !job.below.is_empty() {
            return true;
        }
        if job.depth >= DEPTH {
            return false;
        }
        while let Some(name) = self.jobs.get_mut(&id).and_then(|job| job.place.as_mut()?.next_name()) {
            let (v4, v6) = self.speaks;
            for kind in [v4.then_some(RecordType::A), v6.then_some(RecordType::AAAA)].into_iter().flatten() {
                if let Some(found) = self.known(now, &name, kind, Age::Good) {
                    if let Some(place) = self.jobs.get_mut(&id).and_then(|job| job.place.as_mut()) {
                        place.add(addresses(&found.answers));
                    }
                    continue;
                }
                let asked = (LowerName::new(&name), kind);
                let is_known_to_fail =
                    self.cache.get(now, &asked.0, What::Failure(kind), Rank::Answer, Age::Good).is_some();
                // Two questions that wait for each other would wait for ever.
                let is_loop = self.by_question.get(&asked).is_some_and(|other| self.waits_for(*other, id));
                let is_full = self.jobs.len() >= 2 * self.limits.at_once;
                if is_known_to_fail || is_loop || is_full {
                    continue;
                }
                let below = self.begin(now, &name, kind, Waiter::Job(id), Some(id));
                if let (Some(below), Some(job)) = (below, self.jobs.get_mut(&id)) {
                    job.below.insert(below);
                }
            }
            let Some(job) = self.jobs.get(&id) else { return false };
            if !job.below.is_empty() {
                return true;
            }
            // Its address was known after all: the servers are looked at again.
            if job
                .place
                .as_ref()
                .is_some_and(|place| place.servers.iter().any(|server| server.tries == 0 && server.use_ == Use::Good))
            {
                self.ready.push_back(id);
                return true;
            }
        }
        false
    }

    /// Whether a job waits for another, by way of others too.
    fn waits_for(&self, job: JobId, other: JobId) -> bool {
        let mut seen = vec![job];
        let mut at = 0;
        while let Some(job) = seen.get(at).copied() {
            if job == other {
                return true;
            }
            at += 1;
            for below in self.jobs.get(&job).into_iter().flat_map(|job| &job.below) {
                if !seen.contains(below) {
                    seen.push(*below);
                }
            }
        }
        false
    }

    /// Whether one more question to a server may be asked for the sake of a job.
    fn pay(&mut self, id: JobId) -> bool {
        let most = self.limits.questions;
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        job.spent += 1;
        let (own, payer) = (job.spent, job.payer);
        if payer == id {
            return own <= most;
        }
        // Where the client's question has ended already, its own account is what counts.
        match self.jobs.get_mut(&payer) {
            Some(payer) => {
                payer.spent += 1;
                own <= most && payer.spent <= most
            }
            None => own <= most,
        }
    }

    /// The nearest zone above a name of which servers are known; the root, where nothing is.
    fn locate(&mut self, now: Instant, name: &Name, kind: RecordType) -> Place {
        // RFC 4035 §3.1.4.1: the parent's side of a cut has the DS.
        let from = if kind == RecordType::DS && !name.is_root() { name.base_name() } else { name.clone() };
        if let Some((zone, servers)) = self.cache.nearest_zone(now, &from)
            && !zone.is_root()
        {
            return Place::new(zone, &servers, |name| known_addresses(&mut self.cache, now, name));
        }
        let mut place = Place::new(Name::root(), &[], |_| Vec::new());
        place.add(self.hints.iter().map(|hint| hint.address));
        place
    }

    /// Takes in what came of a question to a server; `None` where the job goes on.
    fn take_in(&mut self, now: Instant, flight: &Flight, job: &mut Job, heard: Heard) -> Option<Next> {
        let Ask { server, over, edns, .. } = flight.ask;
        let tell = |outputs: &mut VecDeque<Output>, tale| outputs.push_back(Output::Tell(tale));
        let at = job.place.as_mut()?.server(server)?;
        let message = match heard {
            Heard::Silence => {
                at.tries += 1;
                let tcp_next = is_over_tcp(at.tries) && at.tries < TRIES;
                self.servers.silent(now, server, over);
                let (name, kind) = (flight.ask.name.clone(), flight.ask.kind);
                tell(&mut self.outputs, Tale::Silent { server, name, kind, tcp_next });
                return None;
            }
            Heard::Unreachable => {
                // Over TCP somebody may listen where nobody does over UDP, and the other way round.
                at.tries = if over == Over::Udp {
                    (at.tries + 1..TRIES).find(|tries| is_over_tcp(*tries)).unwrap_or(TRIES)
                } else {
                    TRIES
                };
                self.servers.silent(now, server, over);
                return None;
            }
            Heard::Answer(message) => message,
        };
        self.servers.answered(now, server, over, now - flight.begun);
        let code = message.metadata.response_code;
        // RFC 6891 §6.2.2: "the requestor … should … retry … without EDNS".
        if edns == Edns::With
            && matches!(code, ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS)
            && (message.edns.is_none() || code == ResponseCode::BADVERS)
        {
            self.servers.knows_no_edns(now, server);
            return None;
        }
        if message.metadata.truncation {
            at.tries += 1;
            at.over_tcp = over == Over::Udp;
            return None;
        }
        let zone = flight.ask.zone.clone();
        let (says, strangers) = scrub::read(&message, &zone, &job.name, job.asked.1);
        for record in strangers {
            tell(&mut self.outputs, Tale::Stranger { server, zone: zone.clone(), record: Box::new(record) });
        }
        match says {
            Says::Lame(why) => {
                at.use_ = Use::Spent;
                self.servers.lame(now, server, LowerName::new(&zone));
                tell(&mut self.outputs, Tale::Lame { server, zone, why });
                None
            }
            Says::Failed(_) => {
                at.use_ = Use::Spent;
                let why = "it cannot say";
                tell(&mut self.outputs, Tale::Lame { server, zone, why });
                None
            }
            Says::Referral(Referral { zone, servers, glue }) => {
                tell(&mut self.outputs, Tale::Referral { server, zone: zone.clone(), servers: servers.len() });
                self.cache.put_records(now, &servers, Rank::Referral);
                for set in sets(&glue) {
                    self.cache.put_records(now, &set, Rank::Glue);
                }
                // What may not be kept is of use for this question all the same.
                job.place = Some(Place::new(zone, &servers, |name| {
                    let mut known = known_addresses(&mut self.cache, now, name);
                    let of_name: Vec<Record> = glue.iter().filter(|record| record.name == *name).cloned().collect();
                    known.extend(addresses(&of_name));
                    known
                }));
                None
            }
            Says::Answer(records, end) => {
                let rank = if message.metadata.authoritative { Rank::Authoritative } else { Rank::Answer };
                self.take_answer(now, job, records, end, rank)
            }
        }
    }

    fn take_answer(&mut self, now: Instant, job: &mut Job, records: Vec<Record>, end: End, rank: Rank) -> Option<Next> {
        for set in sets(&records) {
            // A CNAME that a DNAME makes is made again each time.
            self.cache.put_records(now, &set, rank);
        }
        job.chain.extend(records);
        let kind = job.asked.1;
        let answers = || job.chain.clone();
        let found = |code, answers, soa| Found { code, answers, soa, origin: Origin::Servers };
        match end {
            End::Records => Some(Next::Done(found(ResponseCode::NoError, answers(), None))),
            End::NoData(name, soa) => {
                if let Some(soa) = &soa {
                    self.cache.put_nothing(now, &LowerName::new(&name), What::Records(kind), soa);
                }
                Some(Next::Done(found(ResponseCode::NoError, answers(), soa.map(negative))))
            }
            End::NoName(name, soa) => {
                if let Some(soa) = &soa {
                    self.cache.put_nothing(now, &LowerName::new(&name), What::Name, soa);
                }
                Some(Next::Done(found(ResponseCode::NXDomain, answers(), soa.map(negative))))
            }
            End::TooLong => Some(Next::Done(found(ResponseCode::YXDomain, answers(), None))),
            End::Alias(target) => {
                if aliases(&job.chain) > ALIASES || job.chain.iter().any(|record| record.name == target) {
                    return Some(Next::Failed("the aliases never end"));
                }
                job.name = target;
                job.place = None;
                None
            }
        }
    }

    /// What is known of a question.
    fn known(&mut self, now: Instant, name: &Name, kind: RecordType, age: Age) -> Option<Found> {
        match self.lookup(now, name, kind, Vec::new(), age) {
            Known::Whole(found) => Some(found),
            Known::Partly(..) => None,
        }
    }

    /// What is known of a name, after the aliases so far.
    fn lookup(&mut self, now: Instant, name: &Name, kind: RecordType, chain: Vec<Record>, age: Age) -> Known {
        let origin = if age == Age::Good { Origin::Cache } else { Origin::Stale };
        let mut answers = chain;
        let mut name = name.clone();
        loop {
            let lower = LowerName::new(&name);
            let own = |records: Vec<Record>| {
                let named = |mut record: Record| {
                    record.name = name.clone();
                    record
                };
                records.into_iter().map(named).collect::<Vec<_>>()
            };
            match self.cache.get(now, &lower, What::Records(kind), Rank::Answer, age) {
                Some(Fact::Records(records)) => {
                    answers.extend(own(records));
                    return Known::Whole(Found { code: ResponseCode::NoError, answers, soa: None, origin });
                }
                Some(Fact::Nothing(soa)) => {
                    return Known::Whole(Found { code: ResponseCode::NoError, answers, soa: Some(soa), origin });
                }
                _ => {}
            }
            // Whoever asks for anything is not sent elsewhere.
            if kind == RecordType::ANY {
                return Known::Partly(answers, name);
            }
            let alias = self.cache.get(now, &lower, What::Records(RecordType::CNAME), Rank::Answer, age);
            let target = if let Some(Fact::Records(records)) = alias
                && let Some(RData::CNAME(CNAME(target))) = records.first().map(|record| record.data.clone())
            {
                answers.extend(own(records));
                target
            } else if let Some(soa) = self.missing(now, &name, age) {
                return Known::Whole(Found { code: ResponseCode::NXDomain, answers, soa: Some(soa), origin });
            } else {
                let dname = self.dname(now, &name, age).map(|dname| scrub::substituted(&dname, &name));
                let Some((records, Some(target))) = dname else { return Known::Partly(answers, name) };
                answers.extend(records);
                target
            };
            if aliases(&answers) > ALIASES {
                return Known::Partly(answers, target);
            }
            name = target;
        }
    }

    /// RFC 8020 §2: "it means that … the name … and all the names under it do not exist".
    fn missing(&mut self, now: Instant, name: &Name, age: Age) -> Option<Record> {
        let mut at = name.clone();
        while !at.is_root() {
            if let Some(Fact::Nothing(soa)) = self.cache.get(now, &LowerName::new(&at), What::Name, Rank::Answer, age) {
                return Some(soa);
            }
            at = at.base_name();
        }
        None
    }

    fn dname(&mut self, now: Instant, name: &Name, age: Age) -> Option<Record> {
        let mut at = name.clone();
        while !at.is_root() {
            at = at.base_name();
            let what = What::Records(RecordType::DNAME);
            if let Some(Fact::Records(records)) = self.cache.get(now, &LowerName::new(&at), what, Rank::Answer, age) {
                return records.into_iter().next();
            }
        }
        None
    }
}

/// Whether a server is asked over TCP that was asked so many times: after two silences, and then in turns with UDP.
fn is_over_tcp(tries: u32) -> bool {
    tries >= 2 && tries.is_multiple_of(2)
}

fn failure(origin: Origin) -> Found {
    Found { code: ResponseCode::ServFail, answers: Vec::new(), soa: None, origin }
}

/// RFC 2308 §3: the SOA as a client is to keep it.
fn negative(mut soa: Record) -> Record {
    if let RData::SOA(data) = &soa.data {
        soa.ttl = soa.ttl.min(data.minimum);
    }
    soa
}

fn aliases(records: &[Record]) -> usize {
    records.iter().filter(|record| record.record_type() == RecordType::CNAME).count()
}

/// Records as sets of one name and type each; the aliases that a DNAME makes are left out, for they are made again each time.
fn sets(records: &[Record]) -> Vec<Vec<Record>> {
    let is_made = |at: usize| {
        at > 0
            && records[at].record_type() == RecordType::CNAME
            && records[at - 1].record_type() == RecordType::DNAME
            && records[at - 1].name.zone_of(&records[at].name)
    };
    let mut sets: Vec<Vec<Record>> = Vec::new();
    for (at, record) in records.iter().enumerate() {
        if is_made(at) {
            continue;
        }
        let same = |set: &&mut Vec<Record>| set[0].name == record.name && set[0].record_type() == record.record_type();
        match sets.iter_mut().find(same) {
            Some(set) => set.push(record.clone()),
            None => sets.push(vec![record.clone()]),
        }
    }
    sets
}

/// The addresses of a server of which a delegation or an answer told.
fn known_addresses(cache: &mut Cache, now: Instant, name: &Name) -> Vec<IpAddr> {
    let lower = LowerName::new(name);
    let mut known = Vec::new();
    for kind in [RecordType::A, RecordType::AAAA] {
        if let Some(Fact::Records(records)) = cache.get(now, &lower, What::Records(kind), Rank::Glue, Age::Good) {
            known.extend(addresses(&records));
        }
    }
    known
}
