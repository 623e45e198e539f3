//! What a set of zones answers to a question: the algorithm of RFC 1034 §4.3.2, with wildcards by RFC 4592 and DNAME by
//! RFC 6672.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{CNAME, MX, NS, SRV};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use super::zone::{Node, Zone};

/// A chain of aliases is followed this far.
const CHAIN: usize = 16;

/// The sections of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
    /// How many of the additional records, the first of them, nobody can do without: RFC 9471 §3.1, "this glue MUST be
    /// included in the referral response or the TC bit set".
    pub(super) glue: usize,
    /// The reason in words, where the answer is not plainly the records asked for.
    pub(super) why: Option<&'static str>,
}

/// What is answered to a question for records of every type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Any {
    /// One set: RFC 8482 §4.1, "A DNS responder that receives an ANY query MAY decline to provide a conventional ANY
    /// response … Instead … MAY send a response with a single RRset (or a larger subset of available RRsets)".
    One,
    /// All that there are.
    All,
}

/// Answers the question for records of `kind` at `name`.
pub(super) fn answer(zones: &[Zone], name: &Name, kind: RecordType, any: Any) -> Answer {
    let mut answer = Answer::default();
    let mut name = name.clone();
    let mut asked: Vec<LowerName> = Vec::new();
    let mut cut = None;
    loop {
        let owner = LowerName::new(&name);
        let Some(zone) = zone_for(zones, &owner, kind) else {
            if asked.is_empty() {
                answer.code = ResponseCode::Refused;
                answer.why = Some("no zone of this server holds the name");
            }
            break;
        };
        if let Some(why) = zone.out_of_service() {
            if asked.is_empty() {
                answer.code = ResponseCode::ServFail;
                answer.why = Some(why);
            }
            break;
        }
        // RFC 1034 §5.2.2: an alias loop is an error in the data. Who asks is told the data.
        if asked.contains(&owner) || asked.len() > CHAIN {
            answer.why = Some("the chain of aliases has no end");
            break;
        }
        asked.push(owner);
        let step = step(zone, &name, kind, any);
        answer.authoritative |= !matches!(step, Step::Delegation(..));
        match step {
            Step::Records(records) => answer.answers.extend(records),
            Step::Alias(record, target) => {
                answer.answers.push(*record);
                name = target;
                continue;
            }
            Step::Redirection(record, None) => {
                answer.answers.push(*record);
                // RFC 6672 §2.2: "the DNAME owner's substitution … yields a name longer than 255 octets … YXDOMAIN".
                answer.code = ResponseCode::YXDomain;
                answer.why = Some("the name that a DNAME makes of it is too long");
            }
            Step::Redirection(record, Some(target)) => {
                // RFC 6672 §3.1: "a CNAME RR with … TTL equal to the corresponding DNAME RR" is made up beside it.
                let alias = Record::from_rdata(name.clone(), record.ttl, RData::CNAME(CNAME(target.clone())));
                if !answer.answers.contains(&record) {
                    answer.answers.push(*record);
                }
                answer.answers.push(alias);
                // §3.2 has a CNAME for whoever asks for one.
                if kind != RecordType::CNAME {
                    name = target;
                    continue;
                }
            }
            Step::Delegation(at, servers) => {
                answer.why = Some("the name lies below a delegation");
                answer.authorities = servers;
                cut = Some(at);
            }
            Step::NoData => {
                answer.why = Some("the name exists, but has no record of that type");
                answer.authorities.extend(negative(zone));
            }
            Step::NoName => {
                answer.code = ResponseCode::NXDomain;
                answer.why = Some("there is no such name");
                answer.authorities.extend(negative(zone));
            }
        }
        break;
    }
    add_additional(zones, cut.as_ref(), &mut answer);
    answer
}

/// The zone whose origin is the nearest ancestor of `name`; for DS the nearest above the name, where there is one, for "the
/// parent side of a zone cut" has those (RFC 4035 §3.1.4.1).
pub(super) fn zone_for<'z>(zones: &'z [Zone], name: &LowerName, kind: RecordType) -> Option<&'z Zone> {
    let nearest = |above: bool| {
        let holds = |z: &&Zone| z.holds(name) && !(above && z.apex() == name);
        zones.iter().filter(holds).max_by_key(|z| z.origin().num_labels())
    };
    if kind == RecordType::DS { nearest(true).or_else(|| nearest(false)) } else { nearest(false) }
}

enum Step {
    Records(Vec<Record>),
    Alias(Box<Record>, Name),
    /// A DNAME above the name, and what it makes of that; nothing where it would be too long.
    Redirection(Box<Record>, Option<Name>),
    Delegation(LowerName, Vec<Record>),
    NoData,
    NoName,
}

/// Where a name stands in its zone.
enum Place<'z> {
    At(&'z Node),
    /// RFC 4592 §3.3.1: the wildcard at the closest encloser, which is the longest ancestor that exists.
    Wild(&'z Node),
    /// At a zone cut or below: the topmost there is.
    Below(LowerName, &'z [Record]),
    /// Below a name that has a DNAME.
    Redirected(&'z Record),
    Nowhere,
}

/// Goes down from the origin: what stands above a name hides it.
fn place<'z>(zone: &'z Zone, owner: &LowerName, kind: RecordType) -> Place<'z> {
    let apex = zone.origin().num_labels();
    let mut path = vec![owner.clone()];
    while let Some(last) = path.last().filter(|last| last.num_labels() > apex) {
        path.push(last.base_name());
    }
    let mut encloser = None;
    while let Some(at) = path.pop() {
        let Some(node) = zone.node(&at) else { break };
        let is_owner = path.is_empty();
        if at.num_labels() > apex
            && let Some(servers) = node.get(&RecordType::NS)
            && !(is_owner && kind == RecordType::DS)
        {
            return Place::Below(at, servers);
        }
        if is_owner {
            return Place::At(node);
        }
        if let Some([redirection, ..]) = node.get(&RecordType::DNAME).map(Vec::as_slice) {
            return Place::Redirected(redirection);
        }
        encloser = Some(at);
    }
    let star = encloser.and_then(|at| Name::from(at).prepend_label("*").ok());
    match star.and_then(|star| zone.node(&LowerName::new(&star))) {
        Some(node) => Place::Wild(node),
        None => Place::Nowhere,
    }
}

fn step(zone: &Zone, name: &Name, kind: RecordType, any: Any) -> Step {
    match place(zone, &LowerName::new(name), kind) {
        Place::At(node) | Place::Wild(node) => at_node(node, name, kind, any),
        Place::Below(cut, servers) => Step::Delegation(cut, servers.to_vec()),
        Place::Redirected(record) => Step::Redirection(Box::new(record.clone()), redirected(name, record)),
        Place::Nowhere => Step::NoName,
    }
}

/// What a DNAME makes of a name below its owner: RFC 6672 §2.2.
fn redirected(name: &Name, record: &Record) -> Option<Name> {
    let target = dname(&record.data)?;
    let own = name.num_labels().checked_sub(record.name.num_labels())?;
    let mut made = Name::from_labels(name.iter().take(own.into()).chain(target.iter())).ok()?;
    made.set_fqdn(true);
    // RFC 1035 §2.3.4: "names 255 octets or less", the length octets among them.
    (made.len() <= 255).then_some(made)
}

/// The target of a DNAME record, which the codec does not read.
fn dname(data: &RData) -> Option<Name> {
    let RData::Unknown { code: RecordType::DNAME, rdata } = data else { return None };
    Name::read(&mut BinDecoder::new(&rdata.anything)).ok()
}

/// Takes the records of a node, with `name` as their owner: it is what was asked, in the case in which it was asked,
/// and what RFC 4592 §3.3.1 wants of records made from a wildcard.
fn at_node(node: &Node, name: &Name, kind: RecordType, any: Any) -> Step {
    let own = |r: &Record| Record::from_rdata(name.clone(), r.ttl, r.data.clone());
    if kind == RecordType::ANY {
        let sets = if any == Any::One { 1 } else { usize::MAX };
        let records: Vec<_> = node.values().take(sets).flatten().map(own).collect();
        return if records.is_empty() { Step::NoData } else { Step::Records(records) };
    }
    if let Some(set) = node.get(&kind) {
        return Step::Records(set.iter().map(own).collect());
    }
    match node.get(&RecordType::CNAME).and_then(|set| set.first()) {
        Some(record @ Record { data: RData::CNAME(CNAME(target)), .. }) => {
            Step::Alias(Box::new(own(record)), target.clone())
        }
        _ => Step::NoData,
    }
}

/// RFC 2308 §3: the SOA, with the lesser of its TTL and its MINIMUM.
fn negative(zone: &Zone) -> Option<Record> {
    let mut record = zone.soa()?.clone();
    if let RData::SOA(soa) = &record.data {
        record.ttl = record.ttl.min(soa.minimum);
    }
    Some(record)
}

/// Adds the addresses of the names that the answer points at; those below the zone `cut` that it refers to come first, for
/// without them nobody gets there.
fn add_additional(zones: &[Zone], cut: Option<&LowerName>, answer: &mut Answer) {
    let mut glue: Vec<Record> = Vec::new();
    let mut others: Vec<Record> = Vec::new();
    for record in answer.answers.iter().chain(&answer.authorities) {
        let target = match &record.data {
            RData::NS(NS(name)) => name,
            RData::MX(MX { exchange, .. }) => exchange,
            RData::SRV(SRV { target, .. }) => target,
            _ => continue,
        };
        let owner = LowerName::new(target);
        let Some(zone) = zone_for(zones, &owner, RecordType::A) else { continue };
        let node = match place(zone, &owner, RecordType::A) {
            Place::At(node) | Place::Wild(node) => Some(node),
            // Glue is what this section exists for; it is no answer to anything.
            Place::Below(..) => zone.node(&owner),
            _ => None,
        };
        let Some(node) = node else { continue };
        let into = if cut.is_some_and(|cut| cut.zone_of(&owner)) { &mut glue } else { &mut others };
        for kind in [RecordType::A, RecordType::AAAA] {
            for record in node.get(&kind).into_iter().flatten() {
                let record = Record::from_rdata(target.clone(), record.ttl, record.data.clone());
                if !into.contains(&record) && !answer.answers.contains(&record) {
                    into.push(record);
                }
            }
        }
    }
    answer.glue = glue.len();
    answer.additionals = glue;
    answer.additionals.append(&mut others);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Data;

    fn zones() -> Vec<Zone> {
        let mut z = Zone::new("shop.test").unwrap();
        for (name, data) in [
            ("@", Data::Mx { preference: 10, exchange: "mail".into() }),
            ("ns", Data::A([10, 0, 0, 53].into())),
            ("mail", Data::A([10, 0, 0, 25].into())),
            ("lb", Data::A([10, 0, 0, 2].into())),
            ("www", Data::Cname("lb".into())),
            ("out", Data::Cname("www.elsewhere.test.".into())),
            ("over", Data::Cname("x.other.test.".into())),
            ("loop1", Data::Cname("loop2".into())),
            ("loop2", Data::Cname("loop1".into())),
            ("*.dev", Data::Txt(vec!["wild".into()])),
            ("deep.er.dev", Data::A([10, 0, 0, 9].into())),
            ("sub", Data::Ns("ns.sub".into())),
            ("ns.sub", Data::A([10, 0, 0, 99].into())),
        ] {
            z.add(name, data).unwrap();
        }
        let mut o = Zone::new("other.test").unwrap();
        o.add("x", Data::Aaaa("fd00::1".parse().unwrap())).unwrap();
        vec![z, o]
    }

    /// The answer on one line: code, flags, then each section.
    fn ask(name: &str, kind: RecordType) -> String {
        let a = answer(&zones(), &Name::from_ascii(name).unwrap(), kind, Any::All);
        let show = |rs: &[Record]| {
            rs.iter().map(|r| format!("{} {} {}", r.name, r.record_type(), r.data)).collect::<Vec<_>>().join(", ")
        };
        let soa = |s: String| if s.contains(" SOA ") { "SOA".to_owned() } else { s };
        format!(
            "{:?}{} | {} | {} | {}",
            a.code,
            if a.authoritative { " aa" } else { "" },
            show(&a.answers),
            soa(show(&a.authorities)),
            show(&a.additionals)
        )
    }

    #[test]
    fn the_cases_of_rfc_1034() {
        use RecordType as T;
        for (name, kind, want) in [
            ("lb.shop.test.", T::A, "NoError aa | lb.shop.test. A 10.0.0.2 |  | "),
            ("LB.Shop.TEST.", T::A, "NoError aa | LB.Shop.TEST. A 10.0.0.2 |  | "),
            ("www.shop.test.", T::A, "NoError aa | www.shop.test. CNAME lb.shop.test., lb.shop.test. A 10.0.0.2 |  | "),
            ("www.shop.test.", T::CNAME, "NoError aa | www.shop.test. CNAME lb.shop.test. |  | "),
            ("www.shop.test.", T::AAAA, "NoError aa | www.shop.test. CNAME lb.shop.test. | SOA | "),
            ("out.shop.test.", T::A, "NoError aa | out.shop.test. CNAME www.elsewhere.test. |  | "),
            (
                "over.shop.test.",
                T::AAAA,
                "NoError aa | over.shop.test. CNAME x.other.test., x.other.test. AAAA fd00::1 |  | ",
            ),
            (
                "loop1.shop.test.",
                T::A,
                "NoError aa | loop1.shop.test. CNAME loop2.shop.test., loop2.shop.test. CNAME loop1.shop.test. |  | ",
            ),
            ("lb.shop.test.", T::MX, "NoError aa |  | SOA | "),
            ("nope.shop.test.", T::A, "NXDomain aa |  | SOA | "),
            ("dev.shop.test.", T::A, "NoError aa |  | SOA | "),
            ("a.b.dev.shop.test.", T::TXT, "NoError aa | a.b.dev.shop.test. TXT wild |  | "),
            ("a.dev.shop.test.", T::A, "NoError aa |  | SOA | "),
            // The closest encloser is er.dev, and it has no wildcard of its own.
            ("no.er.dev.shop.test.", T::TXT, "NXDomain aa |  | SOA | "),
            (
                "a.sub.shop.test.",
                T::A,
                "NoError |  | sub.shop.test. NS ns.sub.shop.test. | ns.sub.shop.test. A 10.0.0.99",
            ),
            ("shop.test.", T::MX, "NoError aa | shop.test. MX 10 mail.shop.test. |  | mail.shop.test. A 10.0.0.25"),
            ("shop.test.", T::NS, "NoError aa | shop.test. NS ns.shop.test. |  | ns.shop.test. A 10.0.0.53"),
            ("example.com.", T::A, "Refused |  |  | "),
        ] {
            assert_eq!(ask(name, kind), want, "{name} {kind}");
        }
    }
}
