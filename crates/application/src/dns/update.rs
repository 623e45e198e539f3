//! Dynamic updates (RFC 2136): how a server is asked to change a zone, and what it does about it.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, LowerName, Name, RData, Record, RecordData, RecordType};
use septet_core::{Instant, Storey};
use septet_socket::{NetExt, NetRef};

use super::zone::{Doomed, Zone};

/// Names that updates may bring into a zone: what a server keeps in mind is bounded.
const MOST_NAMES: usize = 65_536;
/// How often a server is asked, and how long it has each time: nsupdate's defaults.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(3);

/// What is to become of the records of one kind at one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// This one takes the place of all.
    Replace(RData, Duration),
    /// This one goes.
    Remove(RData),
}

/// A request to change what a zone says of one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    /// The origin of the zone.
    pub zone: Name,
    /// The name.
    pub name: Name,
    /// What is to become of it.
    pub change: Change,
}

impl Update {
    fn message(&self, id: u16) -> Message {
        let mut message = Message::new(id, MessageType::Query, OpCode::Update);
        message.add_query(Query::query(self.zone.clone(), RecordType::SOA));
        // RFC 2136 §2.5.2: "TTL must be specified as zero (0) and is otherwise not used by the primary master. CLASS must be
        // specified as ANY. RDLENGTH must be zero (0)".
        let all = |data: &RData| {
            let mut record = Record::from_rdata(self.name.clone(), 0, RData::Update0(data.record_type()));
            record.dns_class = DNSClass::ANY;
            record
        };
        match &self.change {
            Change::Replace(data, ttl) => {
                let seconds = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
                message.add_authority(all(data));
                message.add_authority(Record::from_rdata(self.name.clone(), seconds, data.clone()));
            }
            // §2.5.4: "The CLASS must be specified as NONE to distinguish this from an RR addition."
            Change::Remove(data) => {
                let mut record = Record::from_rdata(self.name.clone(), 0, data.clone());
                record.dns_class = DNSClass::NONE;
                message.add_authority(record);
            }
        }
        message
    }

    /// Asks the server, and again where it does not answer; gives what it says.
    ///
    /// # Errors
    /// `TimedOut` where it never answers, and those of the socket.
    pub async fn ask(&self, net: &NetRef, server: SocketAddr) -> io::Result<ResponseCode> {
        let id = net.random_u64() as u16;
        let bytes = self.message(id).to_vec().map_err(io::Error::other)?;
        let socket = net.open_udp(server.ip())?;
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for _ in 0..TRIES {
            let answer = async {
                socket.send_to(&bytes, server).await?;
                let mut buf = [0; 512];
                loop {
                    let datagram = socket.receive(&mut buf).await?;
                    let Ok(answer) = Message::from_vec(&buf[..datagram.len.min(buf.len())]) else { continue };
                    let is_ours = answer.metadata.id == id && answer.metadata.message_type == MessageType::Response;
                    if is_ours && datagram.from == server {
                        return io::Result::Ok(answer.metadata.response_code);
                    }
                }
            };
            match net.timeout(PATIENCE, answer).await {
                Ok(Ok(code)) => return Ok(code),
                // A port that is closed now may be open when the server is back.
                Ok(Err(error)) => {
                    last = error;
                    net.sleep(PATIENCE).await;
                }
                Err(elapsed) => last = elapsed.into(),
            }
            net.trace(Storey::Application, "dns.update.retry", |f| {
                f.set("server", server).set("name", self.name.to_ascii()).set("why", last.to_string());
            });
        }
        Err(last)
    }
}

/// Who may change zones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Requestor {
    /// He may.
    Allowed,
    /// He may not.
    Stranger,
}

/// Why an update is refused.
type Refusal = (ResponseCode, &'static str);

/// What a server knows from when on.
pub(super) type Version = (Instant, Vec<Zone>);

/// Does what an update asks of the zones that are valid now, and of those that will be later: RFC 2136 §3.
///
/// # Errors
/// The code that is answered, and why; nothing has changed then.
pub(super) fn apply(
    versions: &mut [Version],
    current: usize,
    request: &Message,
    who: Requestor,
) -> Result<(), Refusal> {
    // §3.1: "The Zone Section is checked to see that there is exactly one RR therein and that the RR's ZTYPE is SOA, else
    // signal FORMERR to the requestor."
    let [zone] = &request.queries[..] else { return Err(malformed("there is not exactly one zone")) };
    if zone.query_type() != RecordType::SOA {
        return Err(malformed("the zone is not named by its SOA"));
    }
    let origin = LowerName::new(zone.name());
    let known = versions.get(current).and_then(|(_, zones)| find(zones, &origin));
    let Some(known) = known.filter(|_| zone.query_class() == DNSClass::IN) else {
        return Err((ResponseCode::NotAuth, "no zone of this server has that origin"));
    };
    prerequisites(known, &request.answers)?;
    // §3.3, and §3.8's REFUSED.
    if who == Requestor::Stranger {
        return Err((ResponseCode::Refused, "only the site's DHCP servers may change names"));
    }
    let changes = &request.authorities;
    changes.iter().try_for_each(|record| prescan(known, record))?;
    let is_fixed = |record: &Record| {
        let name = LowerName::new(&record.name);
        versions
            .iter()
            .filter_map(|(_, zones)| find(zones, &origin))
            .any(|zone| zone.is_fixed(&name, record.record_type()))
    };
    if changes.iter().any(is_fixed) {
        return Err((ResponseCode::Refused, "the zone has such records of its own at that name"));
    }
    if known.come_by_updates() + changes.len() > MOST_NAMES {
        return Err((ResponseCode::Refused, "there is no room for further names"));
    }
    for zone in versions.iter_mut().flat_map(|(_, zones)| zones).filter(|z| LowerName::new(z.origin()) == origin) {
        for record in changes {
            change(zone, record);
        }
        // §3.6: "the SERIAL in the zone's SOA RR must be incremented".
        if !changes.is_empty() {
            zone.advance_serial();
        }
    }
    Ok(())
}

fn find<'z>(zones: &'z [Zone], origin: &LowerName) -> Option<&'z Zone> {
    zones.iter().find(|zone| LowerName::new(zone.origin()) == *origin)
}

const fn malformed(why: &'static str) -> Refusal {
    (ResponseCode::FormErr, why)
}

/// §3.2: "a prerequisite is a condition that the zone must satisfy".
fn prerequisites(zone: &Zone, records: &[Record]) -> Result<(), Refusal> {
    let mut sets: Vec<(LowerName, RecordType, Vec<&RData>)> = Vec::new();
    for record in records {
        let (name, kind) = (LowerName::new(&record.name), record.record_type());
        if record.ttl != 0 {
            return Err(malformed("a prerequisite has a time to live"));
        }
        if !zone.holds(&name) {
            return Err((ResponseCode::NotZone, "a prerequisite is about a name outside of the zone"));
        }
        let node = zone.node(&name);
        let is_used = node.is_some_and(|node| !node.is_empty());
        let exists = node.is_some_and(|node| node.contains_key(&kind));
        let refusal = match (record.dns_class, record.data.is_update(), kind) {
            (DNSClass::ANY, true, RecordType::ANY) if !is_used => (ResponseCode::NXDomain, "the name is not in use"),
            (DNSClass::NONE, true, RecordType::ANY) if is_used => (ResponseCode::YXDomain, "the name is in use"),
            (DNSClass::ANY | DNSClass::NONE, true, RecordType::ANY) => continue,
            (DNSClass::ANY, true, _) if !exists => (ResponseCode::NXRRSet, "there is no such record"),
            (DNSClass::NONE, true, _) if exists => (ResponseCode::YXRRSet, "there is such a record"),
            (DNSClass::ANY | DNSClass::NONE, true, _) => continue,
            (DNSClass::IN, false, _) => {
                match sets.iter_mut().find(|(n, k, _)| *n == name && *k == kind) {
                    Some((.., set)) => set.push(&record.data),
                    None => sets.push((name, kind, vec![&record.data])),
                }
                continue;
            }
            _ => malformed("a prerequisite of a class that has none"),
        };
        return Err(refusal);
    }
    for (name, kind, wanted) in sets {
        let there = zone.node(&name).and_then(|node| node.get(&kind)).map_or(&[][..], |set| set);
        if there.len() != wanted.len() || !wanted.iter().all(|data| there.iter().any(|r| r.data == **data)) {
            return Err((ResponseCode::NXRRSet, "the records are others"));
        }
    }
    Ok(())
}

/// §3.4.1: what is wrong is found before anything changes.
fn prescan(zone: &Zone, record: &Record) -> Result<(), Refusal> {
    if !zone.holds(&LowerName::new(&record.name)) {
        return Err((ResponseCode::NotZone, "a name lies outside of the zone"));
    }
    let kind = record.record_type();
    let is_meta = matches!(kind, RecordType::AXFR | RecordType::IXFR | RecordType::OPT | RecordType::TSIG);
    let is_right = match record.dns_class {
        DNSClass::IN => !record.data.is_update() && kind != RecordType::ANY,
        DNSClass::ANY => record.ttl == 0 && record.data.is_update(),
        DNSClass::NONE => record.ttl == 0 && kind != RecordType::ANY,
        _ => false,
    };
    if is_right && !is_meta { Ok(()) } else { Err(malformed("a change that is none")) }
}

/// §3.4.2.
fn change(zone: &mut Zone, record: &Record) {
    let name = LowerName::new(&record.name);
    match (record.dns_class, record.record_type()) {
        (DNSClass::ANY, RecordType::ANY) => zone.remove(&name, Doomed::All),
        (DNSClass::ANY, kind) => zone.remove(&name, Doomed::Kind(kind)),
        (DNSClass::NONE, _) => zone.remove(&name, Doomed::One(&record.data)),
        // "If … the zone already has … a CNAME … and the update RR is not a CNAME, ignore the update RR".
        _ => zone.add_by_update(record.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Data;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn a(last: u8) -> RData {
        RData::A(std::net::Ipv4Addr::new(10, 0, 0, last).into())
    }

    fn versions() -> Vec<Version> {
        let mut zone = Zone::new("lab").unwrap();
        zone.add("www", Data::A([10, 0, 0, 1].into())).unwrap();
        let mut later = zone.clone();
        later.add("late", Data::A([10, 0, 0, 2].into())).unwrap();
        vec![(Instant::ZERO, vec![zone]), (Instant::from_nanos(9), vec![later])]
    }

    fn update(name_of: &str, change: Change) -> Message {
        let message = Update { zone: name("lab."), name: name(name_of), change }.message(7);
        Message::from_vec(&message.to_vec().unwrap()).unwrap()
    }

    fn addresses(versions: &[Version], name_of: &str) -> Vec<Vec<String>> {
        let node = |zones: &Vec<Zone>| Some(zones[0].node(&LowerName::new(&name(name_of)))?.clone());
        let of = |node: super::super::zone::Node| node.into_values().flatten().map(|r| r.data.to_string()).collect();
        versions.iter().map(|(_, zones)| node(zones).map_or(Vec::new(), of)).collect()
    }

    fn serial(versions: &[Version]) -> u32 {
        match &versions[0].1[0].soa().unwrap().data {
            RData::SOA(soa) => soa.serial,
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_name_comes_changes_and_goes() {
        let (mut v, ttl) = (versions(), Duration::from_secs(30));
        let mut ask = |message: Message| apply(&mut v, 0, &message, Requestor::Allowed).map(|()| v.clone());
        let after = ask(update("Alice.lab.", Change::Replace(a(9), ttl))).unwrap();
        assert_eq!(addresses(&after, "alice.lab."), [["10.0.0.9"], ["10.0.0.9"]], "now and later");
        assert_eq!(serial(&after), 2);
        let after = ask(update("alice.lab.", Change::Replace(a(8), ttl))).unwrap();
        assert_eq!(addresses(&after, "alice.lab.")[0], ["10.0.0.8"]);
        // Who gives back an address that the name has no more takes nothing away.
        let after = ask(update("alice.lab.", Change::Remove(a(9)))).unwrap();
        assert_eq!(addresses(&after, "alice.lab.")[0], ["10.0.0.8"]);
        let after = ask(update("alice.lab.", Change::Remove(a(8)))).unwrap();
        assert!(after[0].1[0].node(&LowerName::new(&name("alice.lab."))).is_none(), "no empty node is left");
        assert_eq!(after[0].1[0].come_by_updates(), 0);
        // A name below another keeps the one between.
        let after = ask(update("a.b.lab.", Change::Replace(a(7), ttl))).unwrap();
        assert!(after[0].1[0].node(&LowerName::new(&name("b.lab."))).is_some());
        let after = ask(update("a.b.lab.", Change::Remove(a(7)))).unwrap();
        assert!(after[0].1[0].node(&LowerName::new(&name("b.lab."))).is_none());
        assert!(after[0].1[0].node(&LowerName::new(&name("lab."))).is_some(), "the origin stays");
    }

    #[test]
    fn refusals_have_the_codes_of_the_rfc() {
        let replace = || Change::Replace(a(9), Duration::from_secs(1));
        let code = |message: &Message, who| {
            let mut v = versions();
            let result = apply(&mut v, 0, message, who).map_err(|(code, _)| code);
            assert!(result.is_ok() || v[0].1[0].node(&LowerName::new(&name("alice.lab."))).is_none());
            result
        };
        let refused = Err(ResponseCode::Refused);
        assert_eq!(code(&update("alice.lab.", replace()), Requestor::Stranger), refused);
        for own in ["www.lab.", "late.lab.", "lab."] {
            assert_eq!(code(&update(own, replace()), Requestor::Allowed), refused, "{own}");
        }
        assert_eq!(code(&update("alice.test.", replace()), Requestor::Allowed), Err(ResponseCode::NotZone));
        let mut other = update("alice.lab.", replace());
        other.queries[0].set_name(name("test."));
        assert_eq!(code(&other, Requestor::Allowed), Err(ResponseCode::NotAuth));
        other.queries.clear();
        assert_eq!(code(&other, Requestor::Allowed), Err(ResponseCode::FormErr));
        let mut kind = update("alice.lab.", replace());
        kind.queries[0].set_query_type(RecordType::A);
        assert_eq!(code(&kind, Requestor::Allowed), Err(ResponseCode::FormErr));
        // Prerequisites (§2.4).
        let conditions = [
            ("www.lab.", DNSClass::NONE, RecordType::ANY, Err(ResponseCode::YXDomain)),
            ("alice.lab.", DNSClass::NONE, RecordType::ANY, Ok(())),
            ("www.lab.", DNSClass::ANY, RecordType::ANY, Ok(())),
            ("alice.lab.", DNSClass::ANY, RecordType::ANY, Err(ResponseCode::NXDomain)),
            ("www.lab.", DNSClass::NONE, RecordType::A, Err(ResponseCode::YXRRSet)),
            ("www.lab.", DNSClass::ANY, RecordType::AAAA, Err(ResponseCode::NXRRSet)),
            ("www.lab.", DNSClass::CH, RecordType::A, Err(ResponseCode::FormErr)),
            ("www.test.", DNSClass::ANY, RecordType::A, Err(ResponseCode::NotZone)),
        ];
        for (owner, class, kind, expected) in conditions {
            let mut message = update("alice.lab.", replace());
            let mut record = Record::from_rdata(name(owner), 0, RData::Update0(kind));
            record.dns_class = class;
            message.answers.push(record);
            assert_eq!(code(&message, Requestor::Allowed), expected, "{owner} {class} {kind}");
        }
        for (data, expected) in [(a(1), Ok(())), (a(2), Err(ResponseCode::NXRRSet))] {
            let mut message = update("alice.lab.", replace());
            message.answers.push(Record::from_rdata(name("www.lab."), 0, data));
            assert_eq!(code(&message, Requestor::Allowed), expected);
        }
    }
}
