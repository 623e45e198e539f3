//! The machine against servers made by hand, in explicit times.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use septet_core::{Instant, Seed};

use super::hints::Hint;
use super::machine::{Ask, Edns, Found, Heard, Machine, Origin, Output, Over, Tale};
use super::{Limits, cache};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// `www.shop.test. 60 A 10.0.0.1`
fn record(text: &str) -> Record {
    let words: Vec<&str> = text.split(' ').collect();
    let data = match words[2] {
        "A" => RData::A(A(words[3].parse().unwrap())),
        "NS" => RData::NS(NS(name(words[3]))),
        "CNAME" => RData::CNAME(CNAME(name(words[3]))),
        "SOA" => RData::SOA(SOA::new(name("ns."), name("h."), 1, 1, 1, 1, words[3].parse().unwrap())),
        other => panic!("{other}"),
    };
    Record::from_rdata(name(words[0]), words[1].parse().unwrap(), data)
}

/// What a server does with a question.
#[derive(Clone)]
enum Does {
    /// It answers: the code, whether with authority, and the sections by `|`, records by `,`.
    Says(ResponseCode, bool, &'static str),
    /// It answers only over TCP; over UDP truncated.
    Cuts(&'static str),
    /// It answers only over TCP, and not at all over UDP.
    OverTcp(&'static str),
    /// It knows no EDNS.
    Plain(&'static str),
    /// Nothing.
    Sleeps,
}

use Does::{Cuts, OverTcp, Plain, Says, Sleeps};

const OK: ResponseCode = ResponseCode::NoError;

/// Servers by address and the names of which they know something; the longest end of a name counts.
type Servers = BTreeMap<(&'static str, &'static str), Does>;

/// How long a server takes.
const RTT: Duration = Duration::from_millis(10);

struct World {
    machine: Machine,
    servers: Servers,
    now: Instant,
    asked: Vec<String>,
    tales: Vec<Tale>,
    given: BTreeMap<u64, (Instant, Found)>,
    due: Vec<(Instant, Due)>,
}

enum Due {
    Heard(u64, Heard),
    Wake(u64),
}

fn message(ask: &Ask, code: ResponseCode, authoritative: bool, sections: &str) -> Message {
    let mut message = Message::new(1, MessageType::Response, OpCode::Query);
    message.add_query(Query::query(ask.name.clone(), ask.kind));
    message.metadata.response_code = code;
    message.metadata.authoritative = authoritative;
    let mut parts = sections
        .split('|')
        .map(|part| part.split(',').map(str::trim).filter(|text| !text.is_empty()).map(record).collect::<Vec<_>>());
    message.answers = parts.next().unwrap_or_default();
    message.authorities = parts.next().unwrap_or_default();
    message.additionals = parts.next().unwrap_or_default();
    message
}

impl World {
    fn new(limits: Limits, servers: Servers) -> Self {
        let hints = vec![Hint { address: [10, 0, 0, 1].into() }];
        let machine = Machine::new(limits, hints.into(), (true, false), Seed::new(7).stream("test"));
        let (asked, tales, given, due) = (Vec::new(), Vec::new(), BTreeMap::new(), Vec::new());
        Self { machine, servers, now: Instant::from_secs(100), asked, tales, given, due }
    }

    fn answer(&self, ask: &Ask) -> Heard {
        let server = ask.server.to_string();
        let does = self.servers.iter().filter(|((at, end), _)| *at == server && name(end).zone_of(&ask.name));
        let does = does.max_by_key(|((_, end), _)| name(end).num_labels()).map(|(_, does)| does.clone());
        let answer = |message| Heard::Answer(Box::new(message));
        match (does.unwrap_or(Sleeps), ask.over) {
            (Says(code, authoritative, sections), _) => answer(message(ask, code, authoritative, sections)),
            (Cuts(_), Over::Udp) => {
                let mut cut = message(ask, OK, true, "");
                cut.metadata.truncation = true;
                answer(cut)
            }
            (Plain(_), _) if ask.edns == Edns::With => answer(message(ask, ResponseCode::FormErr, false, "")),
            (Cuts(sections) | OverTcp(sections), Over::Tcp) | (Plain(sections), _) => {
                answer(message(ask, OK, true, sections))
            }
            (OverTcp(_), Over::Udp) | (Sleeps, _) => Heard::Silence,
        }
    }

    fn take(&mut self) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Ask(ask) => {
                    let over = if ask.over == Over::Tcp { " tcp" } else { "" };
                    self.asked.push(format!("{} {} {}{over}", ask.server, ask.name, ask.kind));
                    let heard = self.answer(&ask);
                    let took = if matches!(heard, Heard::Silence) { ask.patience } else { RTT };
                    self.due.push((self.now + took, Due::Heard(ask.id, heard)));
                }
                Output::Give(client, found) => {
                    assert!(self.given.insert(client, (self.now, found)).is_none(), "one answer for a question");
                }
                Output::Wake(at, job) => self.due.push((at, Due::Wake(job))),
                Output::Tell(tale) => self.tales.push(tale),
            }
        }
    }

    fn ask(&mut self, client: u64, text: &str) {
        self.machine.ask(self.now, client, &name(text), RecordType::A);
        self.take();
    }

    /// Plays until `until`.
    fn run(&mut self, until: Duration) {
        let end = self.now + until;
        loop {
            let next = (0..self.due.len()).min_by_key(|at| self.due[*at].0).filter(|at| self.due[*at].0 <= end);
            let Some(next) = next else { break };
            let (at, due) = self.due.remove(next);
            self.now = at;
            match due {
                Due::Heard(id, heard) => self.machine.heard(at, id, heard),
                Due::Wake(job) => self.machine.on_time(at, job),
            }
            self.take();
        }
        self.now = end;
    }

    /// Asks, plays for 20 s, and says what the answer was.
    fn answer_to(&mut self, text: &str) -> String {
        let client = self.given.len() as u64 + 1;
        self.asked.clear();
        self.ask(client, text);
        self.run(Duration::from_secs(20));
        assert_eq!(self.machine.jobs(), 0, "all work has ended");
        show(&self.given[&client].1)
    }
}

fn show(found: &Found) -> String {
    let records: Vec<String> = found.answers.iter().map(|r| format!("{} {} {}", r.name, r.ttl, r.data)).collect();
    let soa = found.soa.as_ref().map_or(String::new(), |soa| format!(" soa {} {}", soa.name, soa.ttl));
    format!("{} {}{soa} {:?}", crate::dns::code_name(found.code), records.join(", "), found.origin)
}

const ROOT: &str = "10.0.0.1";
const TLD: &str = "10.0.0.2";
const AUTH: &str = "10.0.0.3";

/// The root, `test`, and `shop.test`, which knows `www`.
fn three() -> Servers {
    BTreeMap::from([
        ((ROOT, "."), Says(ResponseCode::NXDomain, true, "|. 60 SOA 60")),
        ((ROOT, "test."), Says(OK, false, "|test. 600 NS ns.test.|ns.test. 600 A 10.0.0.2")),
        ((TLD, "test."), Says(ResponseCode::NXDomain, true, "|test. 60 SOA 60")),
        ((TLD, "shop.test."), Says(OK, false, "|shop.test. 600 NS ns.shop.test.|ns.shop.test. 600 A 10.0.0.3")),
        ((AUTH, "shop.test."), Says(ResponseCode::NXDomain, true, "|shop.test. 60 SOA 40")),
        ((AUTH, "www.shop.test."), Says(OK, true, "www.shop.test. 60 A 10.9.9.9")),
        ((AUTH, "none.shop.test."), Says(OK, true, "|shop.test. 60 SOA 40")),
    ])
}

#[test]
fn from_the_root_down_and_then_from_the_cache() {
    let mut world = World::new(Limits::default(), three());
    assert_eq!(world.answer_to("www.shop.test."), "NOERROR www.shop.test. 60 10.9.9.9 Servers");
    assert_eq!(world.asked, ["10.0.0.1 www.shop.test. A", "10.0.0.2 www.shop.test. A", "10.0.0.3 www.shop.test. A"]);
    assert_eq!(world.answer_to("WWW.shop.test."), "NOERROR WWW.shop.test. 40 10.9.9.9 Cache");
    assert!(world.asked.is_empty());
    // What is not there is known, too, and what lies below it is not there either.
    assert_eq!(world.answer_to("no.shop.test."), "NXDOMAIN  soa shop.test. 40 Servers");
    assert_eq!(world.asked, ["10.0.0.3 no.shop.test. A"]);
    assert_eq!(world.answer_to("x.y.no.shop.test."), "NXDOMAIN  soa shop.test. 20 Cache");
    assert_eq!(world.answer_to("none.shop.test."), "NOERROR  soa shop.test. 40 Servers");
    assert_eq!(world.answer_to("none.shop.test."), "NOERROR  soa shop.test. 20 Cache");
    // After its time it is asked for again, of those who know.
    world.run(Duration::from_secs(60));
    assert_eq!(world.answer_to("www.shop.test."), "NOERROR www.shop.test. 60 10.9.9.9 Servers");
    assert_eq!(world.asked, ["10.0.0.3 www.shop.test. A"]);
}

#[test]
fn the_same_question_is_asked_once_for_all() {
    let mut world = World::new(Limits::default(), three());
    for client in 1..=20 {
        world.ask(client, "www.shop.test.");
    }
    world.run(Duration::from_secs(20));
    assert_eq!((world.given.len(), world.asked.len()), (20, 3));
}

#[test]
fn aliases_are_followed_as_far_as_they_lead_and_no_further() {
    let mut servers = three();
    servers.insert((AUTH, "a.shop.test."), Says(OK, true, "a.shop.test. 60 CNAME www.shop.test."));
    servers.insert((AUTH, "l.shop.test."), Says(OK, true, "l.shop.test. 60 CNAME m.shop.test."));
    servers.insert((AUTH, "m.shop.test."), Says(OK, true, "m.shop.test. 60 CNAME l.shop.test."));
    let mut world = World::new(Limits::default(), servers);
    assert_eq!(
        world.answer_to("a.shop.test."),
        "NOERROR a.shop.test. 60 www.shop.test., www.shop.test. 60 10.9.9.9 Servers"
    );
    assert_eq!(world.answer_to("l.shop.test."), "SERVFAIL  Servers");
    assert!(world.asked.len() <= 3, "{:?}", world.asked);
}

#[test]
fn a_record_that_lies_elsewhere_is_not_kept() {
    let mut servers = three();
    let poison = "www.shop.test. 60 A 10.9.9.9, www.bank.test. 9999 A 6.6.6.6||www.bank.test. 9999 A 6.6.6.6";
    servers.insert((AUTH, "www.shop.test."), Says(OK, true, poison));
    servers.insert((TLD, "bank.test."), Says(OK, true, "www.bank.test. 60 A 10.8.8.8"));
    let mut world = World::new(Limits::default(), servers);
    world.answer_to("www.shop.test.");
    assert!(world.tales.iter().any(|tale| matches!(tale, Tale::Stranger { .. })));
    assert_eq!(world.answer_to("www.bank.test."), "NOERROR www.bank.test. 60 10.8.8.8 Servers");
}

#[test]
fn a_silent_server_is_asked_again_ever_later_and_then_over_tcp() {
    let mut servers = three();
    servers.insert((AUTH, "www.shop.test."), OverTcp("www.shop.test. 60 A 10.9.9.9"));
    let mut world = World::new(Limits::default(), servers);
    assert_eq!(world.answer_to("www.shop.test."), "NOERROR www.shop.test. 60 10.9.9.9 Servers");
    let to = |over: &str| format!("10.0.0.3 www.shop.test. A{over}");
    assert_eq!(world.asked[2..], [to(""), to(""), to(" tcp")]);
    let (at, _) = world.given[&1];
    let took = at - Instant::from_secs(100);
    assert_eq!(took, 2 * RTT + Duration::from_millis(400 + 800) + RTT);
    // After four silences in a row it is asked over TCP at once, for five minutes.
    world.run(Duration::from_secs(60));
    world.answer_to("www.shop.test.");
    assert_eq!(world.asked, [to(""), to(""), to(" tcp")]);
    world.run(Duration::from_secs(60));
    world.answer_to("www.shop.test.");
    assert_eq!(world.asked, [to(" tcp")]);
    world.run(Duration::from_secs(300));
    world.answer_to("www.shop.test.");
    assert_eq!(world.asked, [to(""), to(""), to(" tcp")]);
}

#[test]
fn a_cut_answer_is_asked_for_over_tcp_and_an_old_server_without_edns() {
    let mut servers = three();
    servers.insert((AUTH, "www.shop.test."), Cuts("www.shop.test. 60 A 10.9.9.9"));
    servers.insert((AUTH, "old.shop.test."), Plain("old.shop.test. 60 A 10.9.9.8"));
    let mut world = World::new(Limits::default(), servers);
    assert_eq!(world.answer_to("www.shop.test."), "NOERROR www.shop.test. 60 10.9.9.9 Servers");
    assert_eq!(world.asked[2..], ["10.0.0.3 www.shop.test. A", "10.0.0.3 www.shop.test. A tcp"]);
    assert_eq!(world.answer_to("old.shop.test."), "NOERROR old.shop.test. 60 10.9.9.8 Servers");
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn a_server_that_does_not_know_its_zone_is_left_alone() {
    let mut servers = three();
    let two = "|shop.test. 600 NS a.shop.test., shop.test. 600 NS b.shop.test.|a.shop.test. 600 A 10.0.0.4, b.shop.test. 600 A 10.0.0.3";
    servers.insert((TLD, "shop.test."), Says(OK, false, two));
    servers.insert(("10.0.0.4", "."), Says(ResponseCode::Refused, false, ""));
    let mut world = World::new(Limits::default(), servers);
    let mut lame = 0;
    for host in ["www", "none", "no1", "no2", "no3", "no4", "no5", "no6"] {
        assert!(!world.answer_to(&format!("{host}.shop.test.")).starts_with("SERVFAIL"));
        lame += world.asked.iter().filter(|asked| asked.starts_with("10.0.0.4")).count();
    }
    assert!(lame <= 1, "{lame}");
}

#[test]
fn servers_known_by_name_alone_are_looked_up() {
    let mut servers = three();
    servers.insert((TLD, "far.test."), Says(OK, false, "|far.test. 600 NS www.shop.test."));
    servers.insert(("10.9.9.9", "far.test."), Says(OK, true, "x.far.test. 60 A 10.7.7.7"));
    let mut world = World::new(Limits::default(), servers);
    assert_eq!(world.answer_to("x.far.test."), "NOERROR x.far.test. 60 10.7.7.7 Servers");
    assert_eq!(world.asked.len(), 5, "{:?}", world.asked);
}

#[test]
fn two_zones_whose_servers_are_in_each_other_come_to_an_end() {
    let mut servers = three();
    servers.insert((TLD, "a.test."), Says(OK, false, "|a.test. 600 NS ns.b.test."));
    servers.insert((TLD, "b.test."), Says(OK, false, "|b.test. 600 NS ns.a.test."));
    servers.insert((TLD, "own.test."), Says(OK, false, "|own.test. 600 NS ns.own.test."));
    let mut world = World::new(Limits::default(), servers);
    assert_eq!(world.answer_to("x.a.test."), "SERVFAIL  Servers");
    assert!(world.asked.len() <= 6, "{:?}", world.asked);
    assert_eq!(world.answer_to("x.own.test."), "SERVFAIL  Servers");
    assert!(world.asked.len() <= 4, "{:?}", world.asked);
    let (at, _) = world.given[&1];
    assert!(at - Instant::from_secs(100) < Duration::from_secs(1), "it is found, and not waited for");
}

/// NXNSAttack: each delegation names many servers that do not exist.
#[test]
fn a_delegation_to_many_names_costs_a_bounded_number_of_questions() {
    let many: String = (0..30).map(|i| format!("evil.test. 600 NS n{i}.victim.test.,")).collect();
    let mut servers = three();
    servers.insert((TLD, "evil.test."), Says(OK, false, Box::leak(format!("|{many}").into_boxed_str())));
    servers.insert(
        (TLD, "victim.test."),
        Says(OK, false, "|victim.test. 600 NS v.victim.test.|v.victim.test. 600 A 10.0.0.9"),
    );
    servers.insert(("10.0.0.9", "victim.test."), Says(ResponseCode::NXDomain, true, "|victim.test. 60 SOA 60"));
    let mut world = World::new(Limits::default(), servers);
    assert_eq!(world.answer_to("x.evil.test."), "SERVFAIL  Servers");
    let victim = world.asked.iter().filter(|asked| asked.starts_with("10.0.0.9")).count();
    assert!(victim <= 4, "{:?}", world.asked);
    let mut cheap = World::new(Limits { questions: 2, ..Limits::default() }, three());
    assert_eq!(cheap.answer_to("www.shop.test."), "SERVFAIL  Servers");
    assert_eq!(cheap.asked.len(), 2);
}

#[test]
fn nobody_waits_longer_than_the_patience_and_a_failure_is_remembered() {
    let mut servers = three();
    servers.insert((TLD, "shop.test."), Sleeps);
    let mut world = World::new(Limits { patience: Duration::from_secs(1), ..Limits::default() }, servers);
    assert_eq!(world.answer_to("www.shop.test."), "SERVFAIL  Servers");
    assert_eq!(world.given[&1].0 - Instant::from_secs(100), Duration::from_secs(1));
    world.ask(2, "www.shop.test.");
    world.run(Duration::from_secs(2));
    world.ask(3, "www.shop.test.");
    world.run(Duration::ZERO);
    assert_eq!(show(&world.given[&3].1), "SERVFAIL  Cache");
}

#[test]
fn stale_answers_are_better_than_none() {
    let mut world = World::new(Limits::default(), three());
    world.answer_to("www.shop.test.");
    world.servers.insert((AUTH, "www.shop.test."), Sleeps);
    world.run(Duration::from_secs(100));
    let begun = world.now;
    assert_eq!(world.answer_to("www.shop.test."), "NOERROR www.shop.test. 30 10.9.9.9 Stale");
    assert_eq!(world.given[&2].0 - begun, Duration::from_millis(1800), "RFC 8767's client response timer");
    assert_eq!(cache::STALE_TTL, 30);
    // For half a minute nobody waits, then it is tried again.
    let begun = world.now;
    assert_eq!(world.answer_to("www.shop.test."), "NOERROR www.shop.test. 30 10.9.9.9 Stale");
    assert_eq!((world.given[&3].0, world.asked.len()), (begun, 0));
    world.servers = three();
    world.run(Duration::from_secs(30));
    assert_eq!(world.answer_to("www.shop.test."), "NOERROR www.shop.test. 60 10.9.9.9 Servers");
    let mut strict = World::new(Limits { stale: Duration::ZERO, ..Limits::default() }, three());
    strict.answer_to("www.shop.test.");
    strict.servers.insert((AUTH, "www.shop.test."), Sleeps);
    strict.run(Duration::from_secs(100));
    assert_eq!(strict.answer_to("www.shop.test."), "SERVFAIL  Servers");
}

#[test]
fn no_more_is_worked_on_at_once_than_said() {
    let mut servers = three();
    servers.insert((ROOT, "test."), Sleeps);
    let mut world = World::new(Limits { at_once: 3, ..Limits::default() }, servers);
    for client in 1..=9 {
        world.ask(client, &format!("n{client}.shop.test."));
    }
    assert_eq!((world.machine.jobs(), world.given.len()), (3, 6));
    world.run(Duration::from_secs(20));
    assert!(world.given.values().all(|(_, found)| found.code == ResponseCode::ServFail));
    assert_eq!(world.given.len(), 9);
    let origin = |client| world.given[&client].1.origin;
    assert_eq!((origin(1), origin(9)), (Origin::Servers, Origin::Cache));
    assert!(world.asked.iter().all(|asked| asked.parse::<IpAddr>().is_err()));
}
