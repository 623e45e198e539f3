//! Response rate limiting: who is flooded with answers that he did not ask for, since another wrote his address on the questions,
//! gets few of them. As in BIND, NSD and Knot a network has so many a second of each kind; of those above it one in so many is
//! sent cut off (TC), which makes an honest client ask over TCP, where nobody forges an address.

use std::net::IpAddr;

use hickory_proto::op::{Message, ResponseCode};
use septet_core::Instant;

/// How many networks and kinds are known at once; where two share a place the later one takes it.
const PLACES: usize = 1 << 14;
/// The networks that are told apart, by their prefixes: those of BIND.
const V4: u32 = 24;
const V6: u32 = 56;
/// For so many seconds a network may save up what it did not use.
const SAVED: u64 = 1;

/// How much is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Answers of one kind to one network, in a second.
    pub per_second: u32,
    /// One in so many of the others is sent cut off; with 0 none is.
    pub slip: u32,
}

/// What becomes of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It is sent.
    Send,
    /// It is cut off, and marked so.
    CutOff,
    /// It is not sent.
    Drop,
}

/// What is counted of one network and kind.
#[derive(Clone, Copy)]
struct Place {
    key: u64,
    /// Until when its answers are spent: each takes its share of a second.
    spent: Instant,
    over: u32,
}

pub(super) struct Limiter {
    limit: RateLimit,
    places: Vec<Place>,
    /// So that nobody outside knows who shares a place with whom.
    secret: u64,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit, secret: u64) -> Self {
        let empty = Place { key: 0, spent: Instant::ZERO, over: 0 };
        Self { limit, places: vec![empty; PLACES], secret }
    }

    /// What becomes of `answer` to a client at `to`.
    pub(super) fn judge(&mut self, now: Instant, to: IpAddr, answer: &Message) -> Verdict {
        let key = self.key(to, kind(answer));
        let Self { limit, places, .. } = self;
        let at = usize::try_from(key % PLACES as u64).unwrap_or_default();
        let place = &mut places[at];
        if place.key != key {
            *place = Place { key, spent: Instant::ZERO, over: 0 };
        }
        let share = core::time::Duration::from_secs(1) / limit.per_second.max(1);
        let saved = core::time::Duration::from_secs(SAVED);
        let spent = place.spent.max(now) + share;
        if spent <= now + saved {
            (place.spent, place.over) = (spent, 0);
            return Verdict::Send;
        }
        place.over = place.over.wrapping_add(1);
        if limit.slip > 0 && place.over.is_multiple_of(limit.slip) { Verdict::CutOff } else { Verdict::Drop }
    }

    fn key(&self, to: IpAddr, kind: u8) -> u64 {
        let network = match to.to_canonical() {
            IpAddr::V4(v4) => u128::from(v4.to_bits() >> (32 - V4)) << 64 | 1,
            IpAddr::V6(v6) => v6.to_bits() >> (128 - V6) << 8 | 2,
        };
        // SplitMix64's finish, twice.
        let mix = |z: u64| {
            let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        };
        let (high, low) = ((network >> 64) as u64, network as u64);
        mix(mix(high ^ self.secret) ^ low.wrapping_add(u64::from(kind) << 56)).max(1)
    }
}

/// Answers that an attacker can have alike are counted together, whatever he asks: names that are not there, above all.
fn kind(answer: &Message) -> u8 {
    match (answer.metadata.response_code, answer.answers.is_empty(), answer.metadata.authoritative) {
        (ResponseCode::NoError, false, _) => 0,
        (ResponseCode::NoError, true, true) => 1,
        (ResponseCode::NoError, true, false) => 2,
        (ResponseCode::NXDomain, ..) => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{MessageType, OpCode};

    use super::*;

    fn answer(code: ResponseCode) -> Message {
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.metadata.response_code = code;
        message
    }

    #[test]
    fn a_network_gets_so_many_a_second() {
        let mut limiter = Limiter::new(RateLimit { per_second: 10, slip: 2 }, 7);
        let mut at =
            |millis, to: &str, code| limiter.judge(Instant::from_millis(millis), to.parse().unwrap(), &answer(code));
        let (no_name, refused) = (ResponseCode::NXDomain, ResponseCode::Refused);
        for i in 0..10 {
            assert_eq!(at(0, &format!("192.0.2.{i}"), no_name), Verdict::Send, "{i} of one /24");
        }
        assert_eq!(at(1, "192.0.2.99", no_name), Verdict::Drop);
        assert_eq!(at(2, "192.0.2.99", no_name), Verdict::CutOff, "one of two");
        assert_eq!(at(3, "192.0.2.99", no_name), Verdict::Drop);
        assert_eq!(at(3, "192.0.2.99", refused), Verdict::Send, "another kind");
        assert_eq!(at(3, "192.0.3.1", no_name), Verdict::Send, "another network");
        assert_eq!(at(3, "2001:db8::1", no_name), Verdict::Send);
        assert_eq!(at(100, "192.0.2.99", no_name), Verdict::Send, "a tenth of a second later one more");
        assert_eq!(at(101, "192.0.2.99", no_name), Verdict::Drop);
        assert_eq!(at(5_000, "192.0.2.99", no_name), Verdict::Send);
    }

    #[test]
    fn with_a_slip_of_none_or_one() {
        for (slip, over) in [(0, Verdict::Drop), (1, Verdict::CutOff)] {
            let mut limiter = Limiter::new(RateLimit { per_second: 1, slip }, 7);
            let mut one = || limiter.judge(Instant::ZERO, "192.0.2.1".parse().unwrap(), &answer(ResponseCode::NoError));
            assert_eq!((one(), one(), one()), (Verdict::Send, over, over));
        }
    }
}
