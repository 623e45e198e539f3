//! What a name server knows, from when on, and who may have it or change it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, LowerName, Name, Record, RecordType};
use septet_core::Instant;
use septet_network::Prefix;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::message::{Carrier, LARGEST_UDP, Response, Terms, Transfers, respond};
use super::secondary::Secondary;
use super::update::{self, Requestor, Version};
use super::zone::Zone;

/// The zones of a server, which its sockets and tasks share. What updates and transfers changed outlives a crash of the host,
/// as the journal of a name server does.
#[derive(Clone, Debug)]
pub(super) struct Served {
    versions: Arc<Mutex<Vec<Version>>>,
    changed: Arc<Notify>,
    pub(super) udp_size: u16,
    pub(super) updaters: Arc<[IpAddr]>,
    /// Who may have whole zones; everyone where nothing is said.
    pub(super) transfers: Option<Arc<[Prefix]>>,
    pub(super) secondaries: Vec<Secondary>,
}

impl Served {
    pub(super) fn new(versions: Vec<Version>) -> Self {
        Self {
            versions: Arc::new(Mutex::new(versions)),
            changed: Arc::default(),
            udp_size: LARGEST_UDP,
            updaters: Arc::from([]),
            transfers: None,
            secondaries: Vec::new(),
        }
    }

    fn versions(&self) -> MutexGuard<'_, Vec<Version>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is said to these bytes.
    pub(super) fn respond(&self, now: Instant, bytes: &[u8], from: SocketAddr, carrier: Carrier) -> Response {
        let who = from.ip().to_canonical();
        let may_transfer = self.transfers.as_ref().is_none_or(|may| may.iter().any(|prefix| prefix.contains(who)));
        let transfers = if may_transfer { Transfers::Given } else { Transfers::Refused };
        let terms = Terms { carrier, udp_size: self.udp_size, transfers };
        let mut versions = self.versions();
        // Before the first of them it is a server of no zones, and refuses all.
        let Some(current) = versions.iter().rposition(|(from, _)| *from <= now) else {
            return respond(&[], bytes, terms);
        };
        let Some((op_code, request)) = request_in(bytes) else { return respond(&versions[current].1, bytes, terms) };
        let mut response = Message::new(request.metadata.id, MessageType::Response, op_code);
        response.queries.clone_from(&request.queries);
        let said = if op_code == OpCode::Notify {
            response.metadata.authoritative = true;
            self.notified(&versions[current].1, &request, who)
        } else {
            let requestor = if self.updaters.contains(&who) { Requestor::Allowed } else { Requestor::Stranger };
            let done = update::apply(&mut versions, current, &request, requestor);
            if done.is_ok() {
                self.changed.notify_waiters();
            }
            done
        };
        let why = said.err().map(|(code, why)| {
            response.metadata.response_code = code;
            why
        });
        Response::Messages(vec![response], why)
    }

    /// RFC 1996 §3.
    fn notified(&self, zones: &[Zone], request: &Message, who: IpAddr) -> Result<(), (ResponseCode, &'static str)> {
        let [question] = &request.queries[..] else {
            return Err((ResponseCode::FormErr, "there is not exactly one zone"));
        };
        if question.query_type() != RecordType::SOA || question.query_class() != DNSClass::IN {
            return Err((ResponseCode::NotImp, "changes of other records than the SOA are not told"));
        }
        let zone = LowerName::new(question.name());
        match self.secondaries.iter().find(|secondary| secondary.is_of(&zone)) {
            Some(secondary) if secondary.told_by(who) => Ok(()),
            Some(_) => Err((ResponseCode::Refused, "only the zone's primaries are believed")),
            None if zones.iter().any(|known| *known.apex() == zone) => {
                Err((ResponseCode::Refused, "this server has the zone from nobody"))
            }
            None => Err((ResponseCode::NotAuth, "no zone of this server has that origin")),
        }
    }

    /// The zone with that origin.
    pub(super) fn zone_at(&self, now: Instant, origin: &Name) -> Option<Zone> {
        let versions = self.versions();
        let (_, zones) = versions.iter().rfind(|(from, _)| *from <= now)?;
        zones.iter().find(|zone| zone.origin() == origin).cloned()
    }

    /// Has this zone, too, at all times.
    pub(super) fn add(&self, zone: &Zone) {
        self.versions().iter_mut().for_each(|(_, zones)| zones.push(zone.clone()));
    }

    /// From now on the zone is this one.
    pub(super) fn replace(&self, zone: &Zone) {
        for known in self.versions().iter_mut().flat_map(|(_, zones)| zones).filter(|z| z.apex() == zone.apex()) {
            known.clone_from(zone);
        }
        self.changed.notify_waiters();
    }

    /// From now on the zone answers nothing.
    pub(super) fn expire(&self, origin: &Name) {
        for known in self.versions().iter_mut().flat_map(|(_, zones)| zones).filter(|z| z.origin() == origin) {
            known.expire();
        }
    }

    /// The zones that there are now: the origin, the SOA and its serial.
    pub(super) fn serials(&self, now: Instant) -> Vec<(Name, Record, u32)> {
        let versions = self.versions();
        let current = versions.iter().rfind(|(from, _)| *from <= now);
        let zones = current.into_iter().flat_map(|(_, zones)| zones).filter(|zone| zone.out_of_service().is_none());
        zones.filter_map(|zone| Some((zone.origin().clone(), zone.soa()?.clone(), zone.serial()?))).collect()
    }

    /// When the zones are others by themselves, next.
    pub(super) fn next_version(&self, now: Instant) -> Option<Instant> {
        self.versions().iter().map(|(from, _)| *from).find(|from| *from > now)
    }

    /// Completes once an update or a transfer has changed a zone.
    pub(super) fn changed(&self) -> OwnedNotified {
        self.changed.clone().notified_owned()
    }
}

/// The request to change a zone, or to look for a change, that these bytes are.
fn request_in(bytes: &[u8]) -> Option<(OpCode, Message)> {
    let op_code = OpCode::from_u8(bytes.get(2)? >> 3 & 15);
    if !matches!(op_code, OpCode::Update | OpCode::Notify) {
        return None;
    }
    let request = Message::from_vec(bytes).ok()?;
    (request.metadata.message_type == MessageType::Query).then_some((op_code, request))
}
