//! `septet serve` as a name server, judged by those of others: what NSD and Knot answer from the same zone files.

mod servers;
mod transfers;
mod zones;

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, Record, RecordType};

use crate::scratch;
use servers::{Judges, Port, Server};
use zones::{Luck, generated};

/// How many zones are made, and how many questions are asked of each.
const ZONES: usize = 56;
const QUESTIONS: usize = 60;

/// What two servers have in common that say the same.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Said {
    code: u16,
    authoritative: bool,
    truncated: bool,
    answers: BTreeSet<String>,
    authorities: BTreeSet<String>,
    additionals: BTreeSet<String>,
}

impl Said {
    fn of(bytes: &[u8]) -> Self {
        let message = Message::from_vec(bytes).expect("a server writes messages");
        let set = |records: &[Record]| {
            // Names are compared without their case, which servers keep or not.
            records
                .iter()
                .map(|r| format!("{} {} {} {:?}", r.name, r.ttl, r.record_type(), r.data).to_lowercase())
                .collect()
        };
        Self {
            code: message.metadata.response_code.into(),
            authoritative: message.metadata.authoritative,
            truncated: message.metadata.truncation,
            answers: set(&message.answers),
            authorities: set(&message.authorities),
            additionals: set(&message.additionals),
        }
    }
}

struct Asking {
    socket: UdpSocket,
}

impl Asking {
    fn of(port: Port) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port.0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { socket }
    }

    fn ask(&self, question: &[u8]) -> Said {
        let mut buf = [0; 65_535];
        self.socket.send(question).unwrap();
        loop {
            let len = self.socket.recv(&mut buf).expect("an answer");
            if buf[..2] == question[..2] {
                return Said::of(&buf[..len]);
            }
        }
    }
}

fn question(id: u16, name: &str, kind: RecordType, payload: Option<u16>) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if let Some(bytes) = payload {
        let mut edns = Edns::new();
        edns.set_max_payload(bytes);
        message.set_edns(edns);
    }
    message.to_vec().unwrap()
}

/// Where both judges say the same, we say it too; where they differ, one of them.
fn fits<T: PartialEq>(ours: &T, judges: &[T]) -> bool {
    judges.contains(ours)
}

/// One section of an answer.
type Section = fn(&Said) -> &BTreeSet<String>;

#[test]
fn answers_are_those_of_nsd_and_knot() {
    let dir = scratch("dns-judged");
    let mut luck = Luck::of(8);
    let zones: Vec<_> = (0..ZONES).map(|number| generated(number, &mut luck)).collect();
    for zone in &zones {
        std::fs::write(dir.join(format!("{}.zone", zone.origin)), &zone.text).unwrap();
    }
    let origins: Vec<&str> = zones.iter().map(|zone| &zone.origin[..]).collect();
    let Some(judges) = Judges::start(&dir, &origins) else { return };
    let ours = Server::septet(&dir, &origins);
    let asked = Asking::of(ours.port);
    let judges: Vec<Asking> = judges.0.iter().map(|judge| judge.port).map(Asking::of).collect();
    let (mut wrong, mut total, mut unanimous) = (Vec::new(), 0_u16, 0);
    for zone in &zones {
        for _ in 0..QUESTIONS {
            let (name, kind) = zone.question(&mut luck);
            let payload = luck.pick(&[None, Some(512), Some(1232), Some(4096)]);
            total += 1;
            let bytes = question(total, &name, kind, payload);
            let said: Vec<Said> = judges.iter().map(|judge| judge.ask(&bytes)).collect();
            let own = asked.ask(&bytes);
            let field =
                |of: Section| -> bool { fits(of(&own), &said.iter().map(|s| of(s).clone()).collect::<Vec<_>>()) };
            let mut differs = Vec::new();
            if !fits(&own.code, &said.iter().map(|s| s.code).collect::<Vec<_>>()) {
                differs.push("code");
            }
            if !fits(&own.truncated, &said.iter().map(|s| s.truncated).collect::<Vec<_>>()) {
                differs.push("TC");
            }
            if !fits(&own.authoritative, &said.iter().map(|s| s.authoritative).collect::<Vec<_>>()) {
                differs.push("AA");
            }
            // What a truncated answer holds nobody reads; ANY is each server's own to cut down (RFC 8482).
            let cut = own.truncated || said.iter().any(|s| s.truncated) || kind == RecordType::ANY;
            let sections: [(&str, Section); 3] =
                [("answer", |s| &s.answers), ("authority", |s| &s.authorities), ("additional", |s| &s.additionals)];
            for (section, of) in sections {
                if !cut && !field(of) {
                    differs.push(section);
                }
            }
            unanimous += u16::from(said[0] == said[1]);
            if !differs.is_empty() {
                wrong.push(format!(
                    "{name} {kind} {payload:?}: {differs:?}\n  ours {own:?}\n  NSD  {:?}\n  Knot {:?}",
                    said[0], said[1]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {total} differ:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(total >= 2_000 && unanimous > total / 2, "{unanimous} of {total} were answered alike by the judges");
}
