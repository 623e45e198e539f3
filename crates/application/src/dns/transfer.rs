//! Zone transfer (RFC 5936): a zone as messages, and such messages as a zone.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{LowerName, Name, Record, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};

use super::code_name;
use super::zone::Zone;

/// How many bytes of records go into a message: pointers of compression reach this far (RFC 1035 §4.1.4).
const PIECE: usize = 16_000;
/// The most records and bytes that are taken in.
const MOST_RECORDS: usize = 1 << 20;
const MOST_BYTES: usize = 256 << 20;

/// RFC 5936 §2.2: the SOA, everything else, the SOA again, in as many messages as it takes.
pub(super) fn messages(zone: &Zone, template: &Message) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut room = 0;
    for record in zone.records().chain(zone.soa()) {
        let length = length(record);
        if length > room || messages.is_empty() {
            let mut message = template.clone();
            message.metadata.authoritative = true;
            messages.push(message);
            room = PIECE.max(length);
        }
        room -= length;
        if let Some(last) = messages.last_mut() {
            last.answers.push(record.clone());
        }
    }
    messages
}

/// Without compression.
fn length(record: &Record) -> usize {
    let mut bytes = Vec::new();
    let written = record.emit(&mut BinEncoder::new(&mut bytes));
    if written.is_ok() { bytes.len() } else { PIECE }
}

/// What asks for a whole zone.
pub(super) fn request(id: u16, origin: &Name) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(origin.clone(), RecordType::AXFR));
    message
}

/// A transfer that comes in.
pub(super) struct Intake {
    id: u16,
    origin: Name,
    records: Vec<Record>,
    bytes: usize,
}

impl Intake {
    /// The answer to the [`request`] of this `id`.
    pub(super) const fn new(id: u16, origin: Name) -> Self {
        Self { id, origin, records: Vec::new(), bytes: 0 }
    }

    /// Takes a message; gives the zone once all of it is there.
    ///
    /// # Errors
    /// Why this is not the transfer of such a zone, in words.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Option<Zone>, String> {
        let message = Message::from_vec(bytes).map_err(|e| format!("a message that does not parse: {e}"))?;
        if message.metadata.id != self.id || message.metadata.message_type != MessageType::Response {
            return Err("a message that is no answer to the question".to_owned());
        }
        if message.metadata.response_code != ResponseCode::NoError {
            return Err(format!("the primary says {}", code_name(message.metadata.response_code)));
        }
        self.bytes += bytes.len();
        for record in message.answers {
            let is_soa = record.record_type() == RecordType::SOA;
            match self.records.first() {
                // §2.2: "the first … RR MUST be the SOA".
                None if !is_soa || record.name != self.origin => {
                    return Err("it does not begin with the SOA of the zone".to_owned());
                }
                Some(first) if is_soa && record.name == self.origin => {
                    if first.data != record.data {
                        return Err("it ends with another SOA than it began with".to_owned());
                    }
                    return self.whole().map(Some);
                }
                _ => {}
            }
            if self.records.len() == MOST_RECORDS || self.bytes > MOST_BYTES {
                return Err(format!("it has more than {MOST_RECORDS} records or {MOST_BYTES} bytes"));
            }
            self.records.push(record);
        }
        if self.records.is_empty() {
            return Err("a message without records".to_owned());
        }
        Ok(None)
    }

    fn whole(&mut self) -> Result<Zone, String> {
        let apex = LowerName::new(&self.origin);
        // Names outside of the zone are nobody's to give.
        let records = core::mem::take(&mut self.records).into_iter().filter(|r| apex.zone_of(&LowerName::new(&r.name)));
        Zone::of_records(self.origin.clone(), records).map_err(|(_, why)| why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Data;

    fn zone(texts: usize) -> Zone {
        let mut zone = Zone::new("x.test").unwrap();
        for i in 0..texts {
            let strings = vec!["y".repeat(255), format!("{i}")];
            zone.add(&format!("n{i}"), Data::Txt(strings)).unwrap();
        }
        zone
    }

    fn wire(zone: &Zone, id: u16) -> Vec<Vec<u8>> {
        let mut template = Message::new(id, MessageType::Response, OpCode::Query);
        template.add_query(Query::query(zone.origin().clone(), RecordType::AXFR));
        messages(zone, &template).iter().map(|m| m.to_vec().unwrap()).collect()
    }

    #[test]
    fn a_zone_crosses_in_many_messages() {
        let zone = zone(500);
        let sent = wire(&zone, 7);
        assert!(sent.len() > 8 && sent.iter().all(|m| m.len() < 17_000), "{}", sent.len());
        let mut intake = Intake::new(7, zone.origin().clone());
        let (last, before) = sent.split_last().unwrap();
        for message in before {
            assert_eq!(intake.take(message), Ok(None));
        }
        let taken = intake.take(last).unwrap().unwrap();
        assert_eq!(taken.records().collect::<Vec<_>>(), zone.records().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_transfer_is_refused() {
        let zone = zone(1);
        let of = |messages: &[Vec<u8>], id| {
            let mut intake = Intake::new(id, zone.origin().clone());
            messages.iter().find_map(|m| intake.take(m).transpose()).map(|r| r.map(|_| ()))
        };
        let whole = wire(&zone, 7);
        assert_eq!(of(&whole, 7), Some(Ok(())));
        assert_eq!(of(&whole, 8), Some(Err("a message that is no answer to the question".to_owned())));
        let changed = |change: fn(&mut Message)| {
            let mut message = Message::from_vec(&whole[0]).unwrap();
            change(&mut message);
            of(&[message.to_vec().unwrap()], 7)
        };
        assert_eq!(changed(|m| drop(m.answers.pop())), None, "the end is missing");
        assert!(changed(|m| drop(m.answers.remove(0))).unwrap().is_err(), "the beginning is missing");
        assert!(changed(|m| m.answers.clear()).unwrap().unwrap_err().contains("without records"));
        let refused = changed(|m| m.metadata.response_code = ResponseCode::Refused);
        assert_eq!(refused, Some(Err("the primary says REFUSED".to_owned())));
        let without_servers = changed(|m| m.answers.retain(|r| r.record_type() != RecordType::NS));
        assert!(without_servers.unwrap().unwrap_err().contains("no NS record"));
    }
}
