//! A secondary server's part: a zone is fetched from its primary, and again as its SOA says (RFC 1034 §4.3.5), at once where
//! the primary tells of a change (RFC 1996).

use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{LowerName, Name, RData, RecordType};
use septet_core::{Instant, Storey};
use septet_socket::{NetExt, NetRef, TcpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::message::{EdnsUse, Recursion, question};
use super::served::Served;
use super::transfer::{Intake, request};
use super::zone::Zone;

/// How often a primary is asked for its SOA, and how long it has each time.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(2);
/// How long each message of a transfer may take.
const STALL: Duration = Duration::from_secs(30);
/// How long a whole transfer may take.
const WHOLE: Duration = Duration::from_secs(3600);
/// When a zone that was never there is asked for again: the first time and the last, doubled in between.
const FIRST: Duration = Duration::from_secs(2);
const LAST: Duration = Duration::from_secs(300);

/// A zone that comes from elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Secondary {
    origin: Name,
    primaries: Arc<[SocketAddr]>,
    /// Woken where a primary tells of a change.
    wake: Arc<Notify>,
    /// When a primary was last known to have this zone and no newer one. It outlives a crash of the host, as the zone does.
    heard: Arc<Mutex<Option<Instant>>>,
}

/// What a check of the primary came to.
enum Checked {
    /// It has no newer zone.
    Same,
    /// It had one, and this is it.
    Newer(Box<Zone>),
}

impl Secondary {
    pub(super) fn new(origin: Name, primaries: Vec<SocketAddr>) -> Self {
        Self { origin, primaries: primaries.into(), wake: Arc::default(), heard: Arc::default() }
    }

    pub(super) fn is_of(&self, zone: &LowerName) -> bool {
        LowerName::new(&self.origin) == *zone
    }

    /// RFC 1996 §3.11: a NOTIFY from a primary makes the secondary "behave as though the zone given in the QNAME had reached
    /// its REFRESH interval". Whether `from` is one.
    pub(super) fn told_by(&self, from: IpAddr) -> bool {
        let is_primary = self.primaries.iter().any(|primary| primary.ip() == from);
        if is_primary {
            self.wake.notify_one();
        }
        is_primary
    }

    /// Keeps the zone for as long as the host runs.
    pub(super) async fn keep(self, net: NetRef, served: Served) {
        let mut pause = FIRST;
        loop {
            let now = net.now();
            let current = served.zone_at(now, &self.origin).filter(|zone| zone.out_of_service().is_none());
            let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(zone), Some(at)) = (&current, heard)
                && now >= at + seconds(timers(zone).expire)
            {
                served.expire(&self.origin);
                self.tell(&net, "dns.expired", |f| {
                    f.set("why", "its primary was not heard of for as long as EXPIRE says");
                });
                continue;
            }
            let checked = self.check(&net, current.as_ref()).await;
            let now = net.now();
            if checked.is_ok() {
                *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                pause = FIRST;
            }
            let current = match checked {
                Ok(Checked::Newer(zone)) => {
                    net.count("dns.transfers");
                    self.tell(&net, "dns.transfer", |f| {
                        f.set("serial", zone.serial().unwrap_or_default()).set("records", zone.records().count());
                    });
                    served.replace(&zone);
                    Some((*zone, true))
                }
                Ok(Checked::Same) => current.map(|zone| (zone, true)),
                Err(why) => {
                    net.count("dns.transfers.failed");
                    self.tell(&net, "dns.transfer.failed", |f| {
                        f.set("why", why.to_string());
                    });
                    current.map(|zone| (zone, false))
                }
            };
            let wait = match &current {
                // RFC 1035 §3.3.13: REFRESH and RETRY.
                Some((zone, true)) => seconds(timers(zone).refresh),
                Some((zone, false)) => {
                    let timers = timers(zone);
                    let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(now);
                    let left = (heard + seconds(timers.expire)).saturating_since(now);
                    seconds(timers.retry).min(left)
                }
                None => {
                    let wait = pause;
                    pause = (pause * 2).min(LAST);
                    wait
                }
            };
            let _ = net.timeout(wait, self.wake.notified()).await;
        }
    }

    async fn check(&self, net: &NetRef, current: Option<&Zone>) -> io::Result<Checked> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the zone has no primary");
        for primary in self.primaries.iter() {
            match self.check_at(net, *primary, current).await {
                Ok(checked) => return Ok(checked),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn check_at(&self, net: &NetRef, primary: SocketAddr, current: Option<&Zone>) -> io::Result<Checked> {
        let serial = self.serial(net, primary).await?;
        match current.and_then(Zone::serial) {
            Some(own) if !is_newer(serial, own) => Ok(Checked::Same),
            _ => {
                let transfer = net.timeout(WHOLE, self.transfer(net, primary)).await;
                transfer?.map(|zone| Checked::Newer(Box::new(zone)))
            }
        }
    }

    /// The serial that a primary has.
    async fn serial(&self, net: &NetRef, primary: SocketAddr) -> io::Result<u32> {
        let id = net.random_u64() as u16;
        let asked = question(id, &self.origin, RecordType::SOA, EdnsUse::Off, Recursion::NotDesired);
        let bytes = asked.to_vec().map_err(io::Error::other)?;
        let socket = net.open_udp(primary.ip())?;
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for _ in 0..TRIES {
            self.tell_question(net, primary, id, RecordType::SOA, "UDP");
            let answer = async {
                socket.send_to(&bytes, primary).await?;
                let mut buf = [0; 512];
                loop {
                    let datagram = socket.receive(&mut buf).await?;
                    let Ok(answer) = Message::from_vec(&buf[..datagram.len.min(buf.len())]) else { continue };
                    let is_ours = answer.metadata.id == id && answer.metadata.message_type == MessageType::Response;
                    if is_ours && datagram.from == primary && answer.queries == asked.queries {
                        return io::Result::Ok(answer);
                    }
                }
            };
            match net.timeout(PATIENCE, answer).await {
                Ok(Ok(answer)) => return serial_in(&answer),
                // A port that is closed now will not open within seconds.
                Ok(Err(error)) => return Err(error),
                Err(elapsed) => last = elapsed.into(),
            }
        }
        Err(last)
    }

    async fn transfer(&self, net: &NetRef, primary: SocketAddr) -> io::Result<Zone> {
        let mut stream = net.timeout(STALL, net.connect(primary, TcpOptions::default())).await??;
        let id = net.random_u64() as u16;
        let bytes = request(id, &self.origin).to_vec().map_err(io::Error::other)?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        self.tell_question(net, primary, id, RecordType::AXFR, "TCP");
        net.timeout(STALL, stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat())).await??;
        let mut intake = Intake::new(id, self.origin.clone());
        let mut message = Vec::new();
        loop {
            let length = net.timeout(STALL, stream.read_u16()).await??;
            message.resize(length.into(), 0);
            net.timeout(STALL, stream.read_exact(&mut message)).await??;
            match intake.take(&message) {
                Ok(Some(zone)) => return Ok(zone),
                Ok(None) => {}
                Err(why) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
            }
        }
    }

    fn tell_question(&self, net: &NetRef, primary: SocketAddr, id: u16, kind: RecordType, over: &'static str) {
        net.trace(Storey::Application, "dns.query", |f| {
            f.set("server", primary).set("name", self.origin.to_ascii()).set("type", kind.to_string());
            f.set("id", id).set("over", over);
        });
    }

    fn tell(&self, net: &NetRef, kind: &'static str, more: impl FnOnce(&mut septet_core::Fields)) {
        net.trace(Storey::Application, kind, |f| {
            f.set("zone", self.origin.to_ascii());
            more(f);
        });
    }
}

fn serial_in(answer: &Message) -> io::Result<u32> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    let code = answer.metadata.response_code;
    if code != ResponseCode::NoError || !answer.metadata.authoritative {
        let name = super::code_name(code);
        return refuse(format!("the primary has no authority over the zone: it says {name}"));
    }
    let serial = answer.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    });
    serial.map_or_else(|| refuse("the primary says no SOA".to_owned()), Ok)
}

/// RFC 1982 §3.2: whether `other` comes after `own` on the circle of serials.
const fn is_newer(other: u32, own: u32) -> bool {
    let ahead = other.wrapping_sub(own);
    ahead != 0 && ahead < 1 << 31
}

/// The seconds of the SOA; nobody is asked more often than each second.
const fn seconds(of_soa: u32) -> Duration {
    Duration::from_secs(if of_soa == 0 { 1 } else { of_soa as u64 })
}

struct Timers {
    refresh: u32,
    retry: u32,
    expire: u32,
}

fn timers(zone: &Zone) -> Timers {
    let seconds = |of: i32| of.unsigned_abs();
    match zone.soa().map(|record| &record.data) {
        Some(RData::SOA(SOA { refresh, retry, expire, .. })) => {
            Timers { refresh: seconds(*refresh), retry: seconds(*retry), expire: seconds(*expire) }
        }
        _ => Timers { refresh: 1, retry: 1, expire: 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_go_round_in_a_circle() {
        for (other, own, newer) in [
            (2, 1, true),
            (1, 1, false),
            (1, 2, false),
            (0, u32::MAX, true),
            (u32::MAX, 0, false),
            (1 << 31, 1, true),
            ((1 << 31) + 1, 1, false),
        ] {
            assert_eq!(is_newer(other, own), newer, "{other} after {own}");
        }
    }
}
