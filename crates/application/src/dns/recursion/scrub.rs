//! What a server's message says of what it was asked, and nothing else: the records that it has no right to are left out.
//!
//! A server is believed for the zone for which it was asked, and what lies below (the *bailiwick*).

use std::collections::BTreeSet;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NS};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// Names of servers that are taken from one delegation.
const SERVERS: usize = 16;
/// Addresses that are taken for each of them.
const ADDRESSES: usize = 8;
/// Aliases that are followed, in one message and in all for a question.
pub(super) const ALIASES: usize = 16;

/// What a message says.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub(super) enum Says {
    /// Records of the name and aliases on the way, and how they end.
    Answer(Vec<Record>, End),
    /// Others know: those of a zone below, with the addresses of some.
    Referral(Referral),
    /// The server does not know the zone, though it was said to.
    Lame(&'static str),
    /// The server cannot say.
    Failed(ResponseCode),
}

/// How an answer ends.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum End {
    /// With records of the type asked for.
    Records,
    /// With an alias of a name of which this server may not speak, or does not.
    Alias(Name),
    /// The name has no such record; the SOA says how long.
    NoData(Name, Option<Record>),
    /// There is no such name.
    NoName(Name, Option<Record>),
    /// An alias that becomes too long a name (RFC 6672 §2.2).
    TooLong,
}

/// A delegation.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Referral {
    pub(super) zone: Name,
    pub(super) servers: Vec<Record>,
    pub(super) glue: Vec<Record>,
}

/// What `message` says of `kind` at `name`, where a server of `zone` was asked; and the records that were left out because they
/// are about what lies outside of the zone.
pub(super) fn read(message: &Message, zone: &Name, name: &Name, kind: RecordType) -> (Says, Vec<Record>) {
    let inside = |record: &&Record| zone.zone_of(&record.name);
    let all = message.answers.iter().chain(&message.authorities).chain(&message.additionals);
    let strangers = all.filter(|record| !inside(record)).cloned().collect();
    (says(message, zone, name, kind), strangers)
}

fn says(message: &Message, zone: &Name, name: &Name, kind: RecordType) -> Says {
    let code = message.metadata.response_code;
    match code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        ResponseCode::Refused | ResponseCode::NotAuth => return Says::Lame("it does not serve the zone"),
        code => return Says::Failed(code),
    }
    let answers: Vec<&Record> = message.answers.iter().filter(|record| zone.zone_of(&record.name)).collect();
    let mut chain: Vec<Record> = Vec::new();
    let mut at = name.clone();
    while zone.zone_of(&at) {
        let of_name = |record: &&&Record| record.name == at;
        let wanted: Vec<Record> = answers
            .iter()
            .filter(of_name)
            .filter(|record| record.record_type() == kind || kind == RecordType::ANY)
            .map(|record| (*record).clone())
            .collect();
        if !wanted.is_empty() {
            chain.extend(wanted);
            return Says::Answer(chain, End::Records);
        }
        if let Some((records, target)) = alias(&answers, &at) {
            chain.extend(records);
            match target {
                Some(target) if chain.len() <= 2 * ALIASES => at = target,
                // A loop: whoever puts the parts of an answer together finds that it has too many.
                Some(target) => return Says::Answer(chain, End::Alias(target)),
                None => return Says::Answer(chain, End::TooLong),
            }
            continue;
        }
        break;
    }
    if !zone.zone_of(&at) {
        return Says::Answer(chain, End::Alias(at));
    }
    let soa = message.authorities.iter().find(|record| {
        record.record_type() == RecordType::SOA && zone.zone_of(&record.name) && record.name.zone_of(&at)
    });
    if code == ResponseCode::NXDomain {
        return match (message.metadata.authoritative || soa.is_some(), soa) {
            (true, soa) => Says::Answer(chain, End::NoName(at, soa.cloned())),
            (false, _) => Says::Lame("it says that the name is not there, and is no authority"),
        };
    }
    if let Some(soa) = soa {
        return Says::Answer(chain, End::NoData(at, Some(soa.clone())));
    }
    if !chain.is_empty() {
        return Says::Answer(chain, End::Alias(at));
    }
    if let Some(referral) = referral(message, zone, name) {
        return Says::Referral(referral);
    }
    if message.metadata.authoritative {
        return Says::Answer(chain, End::NoData(at, None));
    }
    Says::Lame("it knows neither the name nor who does")
}

/// The alias of a name: its CNAME, or the one that a DNAME above it makes (RFC 6672 §3.4.1), and where it leads.
fn alias(answers: &[&Record], at: &Name) -> Option<(Vec<Record>, Option<Name>)> {
    let above = answers
        .iter()
        .find(|record| record.record_type() == RecordType::DNAME && record.name != *at && record.name.zone_of(at));
    if let Some(dname) = above {
        return Some(substituted(dname, at));
    }
    answers.iter().find_map(|record| match &record.data {
        RData::CNAME(CNAME(target)) if record.name == *at => Some((vec![(*record).clone()], Some(target.clone()))),
        _ => None,
    })
}

/// What a DNAME makes of a name below it: itself and the CNAME, and where that leads; nowhere, where the name becomes too long.
pub(super) fn substituted(dname: &Record, at: &Name) -> (Vec<Record>, Option<Name>) {
    let kept = usize::from(at.num_labels() - dname.name.num_labels());
    let target = target_of(dname).and_then(|target| {
        let prefix = Name::from_labels(at.iter().take(kept)).ok()?;
        let mut whole = prefix.append_name(&target).ok()?;
        whole.set_fqdn(true);
        Some(whole)
    });
    let mut records = vec![dname.clone()];
    if let Some(target) = &target {
        // RFC 6672 §3.1: "the TTL … equal to the corresponding DNAME".
        records.push(Record::from_rdata(at.clone(), dname.ttl, RData::CNAME(CNAME(target.clone()))));
    }
    (records, target)
}

/// The name that a DNAME has; the codec keeps its bytes.
fn target_of(dname: &Record) -> Option<Name> {
    let RData::Unknown { rdata, .. } = &dname.data else { return None };
    let mut decoder = BinDecoder::new(&rdata.anything);
    Name::read(&mut decoder).ok()
}

fn referral(message: &Message, zone: &Name, name: &Name) -> Option<Referral> {
    let is_cut = |record: &&Record| {
        // Strictly below the zone, or a server could send whoever asks in circles or upwards.
        record.record_type() == RecordType::NS
            && record.name != *zone
            && zone.zone_of(&record.name)
            && record.name.zone_of(name)
    };
    let cut = message.authorities.iter().find(is_cut)?.name.clone();
    let servers: Vec<Record> =
        message.authorities.iter().filter(is_cut).filter(|record| record.name == cut).take(SERVERS).cloned().collect();
    let named: BTreeSet<LowerName> = servers.iter().filter_map(server_of).map(LowerName::new).collect();
    let mut glue: Vec<Record> = Vec::new();
    for record in message.additionals.iter().filter(|record| is_address(record) && zone.zone_of(&record.name)) {
        let of_same = glue.iter().filter(|other| other.name == record.name).count();
        if named.contains(&LowerName::new(&record.name)) && of_same < ADDRESSES {
            glue.push(record.clone());
        }
    }
    Some(Referral { zone: cut, servers, glue })
}

/// The server that an NS record names.
pub(super) fn server_of(record: &Record) -> Option<&Name> {
    if let RData::NS(NS(name)) = &record.data { Some(name) } else { None }
}

fn is_address(record: &Record) -> bool {
    matches!(record.data, RData::A(_) | RData::AAAA(_))
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{MessageType, OpCode};
    use hickory_proto::rr::rdata::{A, NULL, SOA};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn record(owner: &str, data: RData) -> Record {
        Record::from_rdata(name(owner), 60, data)
    }

    fn a(owner: &str) -> Record {
        record(owner, RData::A(A([10, 0, 0, 1].into())))
    }

    fn cname(owner: &str, to: &str) -> Record {
        record(owner, RData::CNAME(CNAME(name(to))))
    }

    fn ns(owner: &str, server: &str) -> Record {
        record(owner, RData::NS(NS(name(server))))
    }

    fn soa(owner: &str) -> Record {
        record(owner, RData::SOA(SOA::new(name("ns."), name("h."), 1, 1, 1, 1, 60)))
    }

    fn message(code: ResponseCode, sections: [Vec<Record>; 3]) -> Message {
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.metadata.response_code = code;
        [message.answers, message.authorities, message.additionals] = sections;
        message
    }

    /// What is said of `www.shop.test A` by a server of `zone`, on one line.
    fn told(zone: &str, message: &Message) -> String {
        let (says, strangers) = read(message, &name(zone), &name("www.shop.test."), RecordType::A);
        let list = |records: &[Record]| {
            records.iter().map(|r| format!("{} {} {}", r.name, r.record_type(), r.data)).collect::<Vec<_>>().join(", ")
        };
        let said = match says {
            Says::Answer(chain, End::Records) => format!("records {}", list(&chain)),
            Says::Answer(chain, End::Alias(_)) if chain.len() > ALIASES => "loop".to_owned(),
            Says::Answer(chain, End::Alias(to)) => format!("alias {} then {to}", list(&chain)),
            Says::Answer(chain, End::NoData(at, soa)) => format!("nodata {}{at} {}", list(&chain), soa.is_some()),
            Says::Answer(chain, End::NoName(at, soa)) => format!("noname {}{at} {}", list(&chain), soa.is_some()),
            Says::Answer(_, End::TooLong) => "too long".to_owned(),
            Says::Referral(r) => format!("referral {} by {} at {}", r.zone, list(&r.servers), list(&r.glue)),
            Says::Lame(_) => "lame".to_owned(),
            Says::Failed(code) => format!("failed {}", u16::from(code)),
        };
        if strangers.is_empty() { said } else { format!("{said} without {}", list(&strangers)) }
    }

    #[test]
    fn answers_and_what_they_lack() {
        use ResponseCode as C;
        let none = Vec::new;
        let mut bare = message(C::NoError, [none(), none(), none()]);
        assert_eq!(told("test.", &bare), "lame");
        bare.metadata.authoritative = true;
        assert_eq!(told("test.", &bare), "nodata www.shop.test. false");
        for (message, want) in [
            (message(C::NoError, [vec![a("WWW.shop.test.")], none(), none()]), "records WWW.shop.test. A 10.0.0.1"),
            (message(C::NXDomain, [none(), vec![soa("test.")], none()]), "noname www.shop.test. true"),
            (message(C::NXDomain, [none(), none(), none()]), "lame"),
            (message(C::NoError, [none(), vec![soa("shop.test.")], none()]), "nodata www.shop.test. true"),
            (message(C::Refused, [none(), none(), none()]), "lame"),
            (message(C::ServFail, [none(), none(), none()]), "failed 2"),
            (
                message(
                    C::NoError,
                    [vec![cname("www.shop.test.", "lb.shop.test."), a("lb.shop.test.")], none(), none()],
                ),
                "records www.shop.test. CNAME lb.shop.test., lb.shop.test. A 10.0.0.1",
            ),
            (
                message(C::NXDomain, [vec![cname("www.shop.test.", "x.test.")], vec![soa("test.")], none()]),
                "noname www.shop.test. CNAME x.test.x.test. true",
            ),
            (message(C::NoError, [vec![cname("www.shop.test.", "www.shop.test.")], none(), none()]), "loop"),
        ] {
            assert_eq!(told("test.", &message), want);
        }
    }

    #[test]
    fn only_what_lies_in_the_zone_is_believed() {
        use ResponseCode as C;
        let none = Vec::new;
        for (zone, message, want) in [
            // The target of an alias that lies elsewhere is asked for there, whatever stands here.
            (
                "shop.test.",
                message(C::NoError, [vec![cname("www.shop.test.", "bank.com."), a("bank.com.")], none(), none()]),
                "alias www.shop.test. CNAME bank.com. then bank.com. without bank.com. A 10.0.0.1",
            ),
            // That such a name is not there is not this server's to say.
            (
                "shop.test.",
                message(C::NXDomain, [vec![cname("www.shop.test.", "bank.com.")], vec![soa("com.")], none()]),
                "alias www.shop.test. CNAME bank.com. then bank.com. without com. SOA ns. h. 1 1 1 1 60",
            ),
            (
                "test.",
                message(
                    C::NoError,
                    [
                        none(),
                        vec![ns("shop.test.", "ns.shop.test."), ns("com.", "evil.test.")],
                        vec![a("ns.shop.test."), a("other.shop.test.")],
                    ],
                ),
                "referral shop.test. by shop.test. NS ns.shop.test. at ns.shop.test. A 10.0.0.1 without com. NS evil.test.",
            ),
            // An address of a server outside of the zone is not taken from here.
            (
                "test.",
                message(C::NoError, [none(), vec![ns("shop.test.", "ns.bank.com.")], vec![a("ns.bank.com.")]]),
                "referral shop.test. by shop.test. NS ns.bank.com. at  without ns.bank.com. A 10.0.0.1",
            ),
            // Upwards, sideways, and to itself.
            (
                "shop.test.",
                message(C::NoError, [none(), vec![ns("test.", "ns.test.")], none()]),
                "lame without test. NS ns.test.",
            ),
            ("test.", message(C::NoError, [none(), vec![ns("other.test.", "ns.test.")], none()]), "lame"),
            ("test.", message(C::NoError, [none(), vec![ns("test.", "ns.test.")], none()]), "lame"),
        ] {
            assert_eq!(told(zone, &message), want);
        }
    }

    #[test]
    fn a_dname_makes_an_alias_of_what_lies_below_it() {
        let dname = |to: &[u8]| RData::Unknown { code: RecordType::DNAME, rdata: NULL::with(to.to_vec()) };
        let there = message(
            ResponseCode::NoError,
            [vec![record("shop.test.", dname(b"\x02to\x04test\0")), a("www.to.test.")], vec![], vec![]],
        );
        let (Says::Answer(chain, End::Records), _) =
            read(&there, &name("test."), &name("www.shop.test."), RecordType::A)
        else {
            panic!()
        };
        let chain: Vec<String> = chain.iter().skip(1).map(|r| format!("{} {}", r.name, r.data)).collect();
        assert_eq!(chain, ["www.shop.test. www.to.test.", "www.to.test. 10.0.0.1"]);
        let mut long: Vec<u8> = (0..4).flat_map(|_| [vec![62], vec![b'x'; 62]].concat()).collect();
        long.push(0);
        let far = message(ResponseCode::NoError, [vec![record("shop.test.", dname(&long))], vec![], vec![]]);
        assert_eq!(told("test.", &far), "too long");
        let broken = message(ResponseCode::NoError, [vec![record("shop.test.", dname(&[60, 1]))], vec![], vec![]]);
        assert_eq!(told("test.", &broken), "too long");
    }
}
