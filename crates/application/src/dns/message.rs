//! Questions and answers as bytes, over the codec of hickory-proto.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, LowerName, Name, Record, RecordType};

use super::answer::{Answer, Any, answer};
use super::zone::Zone;

/// RFC 1035 §4.2.1: "Messages carried by UDP are restricted to 512 bytes".
pub(super) const PLAIN_UDP: u16 = 512;
/// What we announce and accept: it fits every path of 1,280 bytes (DNS flag day 2020).
pub(super) const EDNS_UDP: u16 = 1232;
/// The largest datagram that a server sends, where nobody says otherwise.
pub(super) const LARGEST_UDP: u16 = EDNS_UDP;

/// A question as a client sends it.
pub(super) fn question(id: u16, name: &Name, kind: RecordType, edns: EdnsUse, recursion: Recursion) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = recursion == Recursion::Desired;
    message.add_query(Query::query(name.clone(), kind));
    if let EdnsUse::Payload(bytes) = edns {
        let mut edns = Edns::new();
        edns.set_max_payload(bytes);
        message.set_edns(edns);
    }
    message
}

/// Whether a question carries an OPT record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EdnsUse {
    /// None, as before RFC 6891.
    Off,
    /// One that announces this many bytes.
    Payload(u16),
}

/// The RD bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Recursion {
    /// Please find out.
    Desired,
    /// Only what you know.
    NotDesired,
}

/// How a question came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carrier {
    Udp,
    Tcp,
}

/// What a server says to the bytes of a question.
pub(super) enum Response {
    /// Nothing: it was no question, and an answer might start a loop.
    Silence,
    /// These messages, one over UDP and for most questions over TCP.
    Messages(Vec<Message>, Option<&'static str>),
}

/// How a question came, and what may be said to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) carrier: Carrier,
    /// The largest datagram that is sent.
    pub(super) udp_size: u16,
    pub(super) transfers: Transfers,
}

/// Whether who asks may have whole zones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transfers {
    Given,
    Refused,
}

/// Answers the bytes of a question.
pub(super) fn respond(zones: &[Zone], bytes: &[u8], terms: Terms) -> Response {
    let Terms { carrier, udp_size, transfers } = terms;
    let request = match Message::from_vec(bytes) {
        Ok(request) => request,
        Err(_) => return unreadable(bytes),
    };
    if request.metadata.message_type == MessageType::Response {
        return Response::Silence;
    }
    let mut response = Message::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    response.metadata.recursion_desired = request.metadata.recursion_desired;
    response.metadata.checking_disabled = request.metadata.checking_disabled;
    response.queries.clone_from(&request.queries);
    if let Some(asked) = &request.edns {
        // RFC 6891 §6.1.1: "If an OPT record is present in a received request, compliant responders MUST include an
        // OPT record in their respective responses."
        let mut edns = Edns::new();
        edns.set_max_payload(EDNS_UDP);
        edns.set_dnssec_ok(asked.flags().dnssec_ok);
        if asked.version() > 0 {
            // §6.1.3: "MUST respond with RCODE=BADVERS".
            response.set_edns(edns);
            response.metadata.response_code = ResponseCode::BADVERS;
            return Response::Messages(vec![response], Some("an EDNS version that this server does not know"));
        }
        response.set_edns(edns);
    }
    let refuse = |mut response: Message, code, why| {
        response.metadata.response_code = code;
        Response::Messages(vec![response], Some(why))
    };
    if request.metadata.op_code != OpCode::Query {
        return refuse(response, ResponseCode::NotImp, "only queries are implemented");
    }
    let [query] = &request.queries[..] else {
        return refuse(response, ResponseCode::FormErr, "there is not exactly one question");
    };
    if !matches!(query.query_class(), DNSClass::IN | DNSClass::ANY) {
        return refuse(response, ResponseCode::Refused, "only the Internet class is served");
    }
    match (query.query_type(), carrier) {
        (RecordType::AXFR | RecordType::IXFR, Carrier::Tcp) => {
            return transfer(zones, &request, transfers, response);
        }
        // RFC 1995 §2: "If the UDP reply does not fit, … the query is responded to with a single SOA record of the server's
        // current version to inform the client that a TCP query should be initiated."
        (RecordType::IXFR, Carrier::Udp) if transfers == Transfers::Given => {}
        // RFC 5936 §4.2 defines no transfer over UDP.
        (RecordType::AXFR | RecordType::IXFR, Carrier::Udp) => {
            return refuse(response, ResponseCode::FormErr, "zones are transferred over TCP");
        }
        (RecordType::OPT | RecordType::TSIG, _) => {
            return refuse(response, ResponseCode::FormErr, "the type cannot be asked for");
        }
        _ => {}
    }
    // RFC 8482 §4.4: a responder may answer ANY over TCP, where nobody forges an address, as it always was.
    let any = if carrier == Carrier::Tcp { Any::All } else { Any::One };
    let kind = if query.query_type() == RecordType::IXFR { RecordType::SOA } else { query.query_type() };
    let Answer { code, authoritative, answers, authorities, additionals, glue, why } =
        answer(zones, query.name(), kind, any);
    response.metadata.response_code = code;
    response.metadata.authoritative = authoritative;
    (response.answers, response.authorities, response.additionals) = (answers, authorities, additionals);
    let limit = match (carrier, &request.edns) {
        (Carrier::Tcp, _) => u16::MAX,
        (Carrier::Udp, None) => PLAIN_UDP.min(udp_size),
        // RFC 6891 §6.2.3: "Values lower than 512 MUST be treated as equal to 512."
        (Carrier::Udp, Some(edns)) => edns.max_payload().max(PLAIN_UDP).min(udp_size),
    };
    Response::Messages(vec![fit(response, limit, glue)], why)
}

/// RFC 2181 §9: additional data is left out before TC is set, except for the first `glue` of it (RFC 9471 §3.1); with TC the
/// client asks again over TCP, and so needs none of the rest.
fn fit(mut message: Message, limit: u16, glue: usize) -> Message {
    let fits = |m: &Message| m.to_vec().is_ok_and(|b| b.len() <= usize::from(limit));
    if fits(&message) {
        return message;
    }
    let mut additionals = core::mem::take(&mut message.additionals);
    let (mut least, mut most) = (glue, additionals.len());
    message.additionals = additionals[..glue].to_vec();
    if !fits(&message) {
        return cut_off(message);
    }
    // The most that fit: `least` of them do, `most` do not.
    while most - least > 1 {
        let middle = least.midpoint(most);
        message.additionals = additionals[..middle].to_vec();
        if fits(&message) { least = middle } else { most = middle }
    }
    // RFC 2181 §5: sets go whole or not at all.
    let of_one_set = |a: &Record, b: &Record| a.name == b.name && a.record_type() == b.record_type();
    while least > glue && additionals.get(least).is_some_and(|next| of_one_set(next, &additionals[least - 1])) {
        least -= 1;
    }
    additionals.truncate(least);
    message.additionals = additionals;
    message
}

/// A message that says nothing but that there is more to say over TCP.
pub(super) fn cut_off(mut message: Message) -> Message {
    message.additionals.clear();
    message.answers.clear();
    message.authorities.clear();
    message.metadata.truncation = true;
    message
}

/// Bytes that are no message, but begin like a question.
fn unreadable(bytes: &[u8]) -> Response {
    let Some(&[hi, lo, flags, _, ..]) = bytes.first_chunk::<12>() else { return Response::Silence };
    if flags & 0x80 != 0 {
        return Response::Silence;
    }
    let id = u16::from_be_bytes([hi, lo]);
    let op_code = OpCode::from_u8(flags >> 3 & 15);
    let message = Message::error_msg(id, op_code, ResponseCode::FormErr);
    Response::Messages(vec![message], Some("the message does not parse"))
}

/// The whole zone (RFC 5936), where who asks may have it.
fn transfer(zones: &[Zone], request: &Message, transfers: Transfers, template: Message) -> Response {
    let refuse = |code, why| {
        let mut refusal = template.clone();
        refusal.metadata.response_code = code;
        Response::Messages(vec![refusal], Some(why))
    };
    let name = request.queries.first().map(|query| LowerName::new(query.name()));
    let Some(zone) = zones.iter().find(|zone| Some(zone.apex()) == name.as_ref()) else {
        return refuse(ResponseCode::NotAuth, "no zone of this server has that origin");
    };
    if transfers == Transfers::Refused {
        return refuse(ResponseCode::Refused, "who asks may not have the zone");
    }
    if let Some(why) = zone.out_of_service() {
        return refuse(ResponseCode::ServFail, why);
    }
    // RFC 1995 §2 has a client tell its own version; where that is this one "the response is a single SOA record". Where it
    // is not, §4: "If incremental zone transfer is not available, the entire zone is returned."
    let theirs = request.authorities.first().map(|record| &record.data);
    let is_current = theirs.is_some() && theirs == zone.soa().map(|record| &record.data);
    if is_current && request.queries.first().is_some_and(|query| query.query_type() == RecordType::IXFR) {
        let mut message = template;
        message.metadata.authoritative = true;
        message.answers.extend(zone.soa().cloned());
        return Response::Messages(vec![message], Some("there is no newer zone"));
    }
    Response::Messages(super::transfer::messages(zone, &template), Some("the whole zone, as asked"))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::dns::Data;

    static ZONES: LazyLock<Vec<Zone>> = LazyLock::new(|| {
        let mut zone = Zone::new("shop.test").unwrap();
        zone.add("www", Data::A([10, 0, 3, 2].into())).unwrap();
        for i in 0..128 {
            zone.add("many", Data::A([10, 1, 0, i].into())).unwrap();
        }
        for i in 0..72 {
            zone.add("more", Data::Txt(vec![format!("{i} {}", "x".repeat(200))])).unwrap();
        }
        vec![zone]
    });

    fn terms(carrier: Carrier, udp_size: u16) -> Terms {
        Terms { carrier, udp_size, transfers: Transfers::Given }
    }

    fn ask(name: &str, kind: RecordType, edns: EdnsUse, carrier: Carrier) -> Vec<Message> {
        let name = Name::from_ascii(name).unwrap();
        let bytes = question(7, &name, kind, edns, Recursion::Desired).to_vec().unwrap();
        match respond(&ZONES, &bytes, terms(carrier, 4096)) {
            Response::Messages(messages, _) => messages,
            Response::Silence => panic!("no answer"),
        }
    }

    #[test]
    fn a_datagram_holds_what_the_client_can_take() {
        for (edns, carrier, limit, truncated) in [
            (EdnsUse::Off, Carrier::Udp, 512, true),
            (EdnsUse::Payload(100), Carrier::Udp, 512, true),
            (EdnsUse::Payload(1232), Carrier::Udp, 1232, true),
            (EdnsUse::Payload(4096), Carrier::Udp, 4096, false),
            (EdnsUse::Off, Carrier::Tcp, 65_535, false),
        ] {
            let [message] = &ask("many.shop.test.", RecordType::A, edns, carrier)[..] else { panic!() };
            assert!(message.to_vec().unwrap().len() <= limit);
            assert_eq!(message.metadata.truncation, truncated, "{edns:?} {carrier:?}");
            assert_eq!(message.edns.is_some(), edns != EdnsUse::Off);
            assert!(message.metadata.recursion_desired && !message.metadata.recursion_available);
        }
    }

    #[test]
    fn a_server_may_send_less_than_the_client_can_take() {
        let name = Name::from_ascii("more.shop.test.").unwrap();
        let bytes = question(7, &name, RecordType::TXT, EdnsUse::Payload(65_535), Recursion::Desired).to_vec().unwrap();
        for (udp_size, truncated) in [(LARGEST_UDP, true), (4096, true), (u16::MAX, false), (512, true)] {
            let Response::Messages(messages, _) = respond(&ZONES, &bytes, terms(Carrier::Udp, udp_size)) else {
                panic!()
            };
            assert_eq!(messages[0].metadata.truncation, truncated, "{udp_size}");
            assert!(messages[0].to_vec().unwrap().len() <= udp_size.into());
        }
    }

    #[test]
    fn a_later_edns_is_refused_by_name() {
        let name = Name::from_ascii("www.shop.test.").unwrap();
        let mut message = question(7, &name, RecordType::A, EdnsUse::Payload(1232), Recursion::Desired);
        message.edns.as_mut().unwrap().set_version(1);
        let Response::Messages(answers, _) = respond(&ZONES, &message.to_vec().unwrap(), terms(Carrier::Udp, 1232))
        else {
            panic!()
        };
        // The code has more than four bits, and so needs the OPT record to arrive.
        let read = Message::from_vec(&answers[0].to_vec().unwrap()).unwrap();
        assert_eq!(crate::dns::code_name(read.metadata.response_code), "BADVERS");
    }

    #[test]
    fn a_transfer_begins_and_ends_with_the_soa() {
        let messages = ask("shop.test.", RecordType::AXFR, EdnsUse::Off, Carrier::Tcp);
        assert!(messages.len() > 1);
        let records: Vec<_> = messages.iter().flat_map(|m| &m.answers).collect();
        assert_eq!(records.len(), 200 + 1 + 1 + 2);
        assert_eq!((records[0].record_type(), records[203].record_type()), (RecordType::SOA, RecordType::SOA));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn any_bytes_do_no_harm(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80),
            damage in proptest::collection::vec((0usize..60, any::<u8>()), 0..4),
            whole in any::<bool>(),
        ) {
            if whole {
                let name = Name::from_ascii("www.shop.test.").unwrap();
                bytes = question(7, &name, RecordType::A, EdnsUse::Payload(1232), Recursion::Desired).to_vec().unwrap();
                for (at, byte) in damage {
                    if let Some(b) = bytes.get_mut(at) {
                        *b = byte;
                    }
                }
            }
            for carrier in [Carrier::Udp, Carrier::Tcp] {
                if let Response::Messages(messages, _) = respond(&ZONES, &bytes, terms(carrier, LARGEST_UDP)) {
                    for message in messages {
                        prop_assert!(message.to_vec().is_ok());
                    }
                }
            }
        }
    }
}
