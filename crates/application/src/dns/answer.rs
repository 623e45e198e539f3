//! What a set of zones answers to a question: the algorithm of RFC 1034 §4.3.2.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{CNAME, MX, NS, SRV};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};

use super::zone::{Node, Zone};

/// A CNAME chain is followed this far.
const CHAIN: usize = 16;

/// The sections of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
    /// The reason in words, where the answer is not plainly the records asked for.
    pub(super) why: Option<&'static str>,
}

/// Answers the question for records of `kind` at `name`.
pub(super) fn answer(zones: &[Zone], name: &Name, kind: RecordType) -> Answer {
    let mut answer = Answer::default();
    let mut name = name.clone();
    for hop in 0..=CHAIN {
        let Some(zone) = zone_for(zones, &LowerName::new(&name)) else {
            if hop == 0 {
                answer.code = ResponseCode::Refused;
                answer.why = Some("no zone of this server holds the name");
            }
            break;
        };
        match step(zone, &name, kind) {
            Step::Records(records) => {
                answer.authoritative = true;
                answer.answers.extend(records);
                break;
            }
            Step::Alias(record, target) => {
                answer.authoritative = true;
                // RFC 1034 §5.2.2: an alias loop is an error in the data.
                if hop == CHAIN {
                    answer = Answer {
                        code: ResponseCode::ServFail,
                        why: Some("the CNAME chain is a loop"),
                        ..Answer::default()
                    };
                    break;
                }
                answer.answers.push(*record);
                name = target;
            }
            Step::Delegation(servers) => {
                answer.why = Some("the name lies below a delegation");
                answer.authorities = servers;
                break;
            }
            Step::NoData => {
                answer.authoritative = true;
                answer.why = Some("the name exists, but has no record of that type");
                answer.authorities.extend(negative(zone));
                break;
            }
            Step::NoName => {
                answer.authoritative = true;
                answer.code = ResponseCode::NXDomain;
                answer.why = Some("there is no such name");
                answer.authorities.extend(negative(zone));
                break;
            }
        }
    }
    answer.additionals = additional(zones, &answer);
    answer
}

/// The zone whose origin is the nearest ancestor of `name`.
pub(super) fn zone_for<'z>(zones: &'z [Zone], name: &LowerName) -> Option<&'z Zone> {
    zones.iter().filter(|z| LowerName::new(z.origin()).zone_of(name)).max_by_key(|z| z.origin().num_labels())
}

enum Step {
    Records(Vec<Record>),
    Alias(Box<Record>, Name),
    Delegation(Vec<Record>),
    NoData,
    NoName,
}

fn step(zone: &Zone, name: &Name, kind: RecordType) -> Step {
    let owner = LowerName::new(name);
    if let Some(servers) = delegation(zone, &owner, kind) {
        return Step::Delegation(servers);
    }
    match zone.node(&owner) {
        Some(node) => at_node(node, name, kind),
        None => match wildcard(zone, &owner) {
            Some(node) => at_node(node, name, kind),
            None => Step::NoName,
        },
    }
}

/// Takes the records of a node, with `name` as their owner: it is what was asked, in the case in which it was asked,
/// and what RFC 4592 §3.3.1 wants of records made from a wildcard.
fn at_node(node: &Node, name: &Name, kind: RecordType) -> Step {
    let own = |r: &Record| Record::from_rdata(name.clone(), r.ttl, r.data.clone());
    if kind == RecordType::ANY {
        let all: Vec<_> = node.values().flatten().map(own).collect();
        return if all.is_empty() { Step::NoData } else { Step::Records(all) };
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

/// The NS records of the topmost zone cut between the origin and `name`.
fn delegation(zone: &Zone, name: &LowerName, kind: RecordType) -> Option<Vec<Record>> {
    let apex = zone.origin().num_labels();
    let mut cut = None;
    let mut at = name.clone();
    while at.num_labels() > apex {
        if let Some(set) = zone.node(&at).and_then(|n| n.get(&RecordType::NS)) {
            // The parent side of a cut answers for DS (RFC 4035 §3.1.4.1).
            if !(at == *name && kind == RecordType::DS) {
                cut = Some(set);
            }
        }
        at = at.base_name();
    }
    cut.cloned()
}

/// RFC 4592 §3.3.1: the wildcard at the closest encloser, which is the longest ancestor that exists.
fn wildcard<'z>(zone: &'z Zone, name: &LowerName) -> Option<&'z Node> {
    let apex = zone.origin().num_labels();
    let mut at = name.clone();
    while at.num_labels() > apex {
        at = at.base_name();
        if zone.node(&at).is_some() {
            let star = Name::from(at).prepend_label("*").ok()?;
            return zone.node(&LowerName::new(&star));
        }
    }
    None
}

/// RFC 2308 §3: the SOA, with the lesser of its TTL and its MINIMUM.
fn negative(zone: &Zone) -> Option<Record> {
    let mut record = zone.soa()?.clone();
    if let RData::SOA(soa) = &record.data {
        record.ttl = record.ttl.min(soa.minimum);
    }
    Some(record)
}

/// The addresses of the names that the answer points at.
fn additional(zones: &[Zone], answer: &Answer) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for record in answer.answers.iter().chain(&answer.authorities) {
        let target = match &record.data {
            RData::NS(NS(name)) => name,
            RData::MX(MX { exchange, .. }) => exchange,
            RData::SRV(SRV { target, .. }) => target,
            _ => continue,
        };
        let owner = LowerName::new(target);
        // Glue below a delegation is what this section exists for, so the node is taken as it is.
        let Some(node) = zone_for(zones, &owner).and_then(|z| z.node(&owner)) else { continue };
        for kind in [RecordType::A, RecordType::AAAA] {
            for record in node.get(&kind).into_iter().flatten() {
                if !records.contains(record) {
                    records.push(record.clone());
                }
            }
        }
    }
    records
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
        let a = answer(&zones(), &Name::from_ascii(name).unwrap(), kind);
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
            ("loop1.shop.test.", T::A, "ServFail |  |  | "),
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
