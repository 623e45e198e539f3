//! What a server tells name servers of its clients, one thing after the other: dynamic updates (RFC 2136) of the zone of
//! their domain and of that of their addresses, as dhcpd's `ddns-update-style` does.

use core::time::Duration;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hickory_proto::rr::rdata::PTR;
use septet_core::{EventId, Storey};
use septet_socket::{NetExt, NetRef};

use super::lease::{Named, Naming};
use crate::dns::{self, Change, Name, RData, ResponseCode, Update};

/// The most that waits to be told; a name server that was away for longer has missed the rest.
const MOST: usize = 1024;

/// Tells name servers.
#[derive(Clone)]
pub(super) struct Teller {
    net: NetRef,
    servers: Arc<[SocketAddr]>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    news: VecDeque<(Naming, Named, EventId)>,
    /// Whether somebody is telling them.
    told: bool,
}

impl Teller {
    /// One that tells these servers.
    pub(super) fn new(net: NetRef, servers: Vec<SocketAddr>) -> Self {
        Self { net, servers: servers.into(), waiting: Arc::default() }
    }

    /// Whether there is anybody to tell.
    pub(super) fn is_heard(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Tells the servers when all before has been told. What is told first is true last: the order is kept.
    pub(super) fn tell(&self, naming: Naming, named: Named) {
        {
            let mut waiting = self.lock();
            if waiting.news.len() >= MOST {
                return;
            }
            waiting.news.push_back((naming, named, self.net.cause()));
            if core::mem::replace(&mut waiting.told, true) {
                return;
            }
        }
        let teller = self.clone();
        let _ = self.net.spawn(Box::pin(async move {
            while let Some((naming, named, cause)) = teller.next() {
                teller.net.because(cause);
                teller.pass_on(naming, &named).await;
            }
        }));
    }

    fn next(&self) -> Option<(Naming, Named, EventId)> {
        let mut waiting = self.lock();
        let next = waiting.news.pop_front();
        waiting.told = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass_on(&self, naming: Naming, named: &Named) {
        for update in updates(naming, named) {
            for server in self.servers.iter() {
                self.ask(naming, &update, *server).await;
            }
        }
    }

    async fn ask(&self, naming: Naming, update: &Update, server: SocketAddr) {
        let result = update.ask(&self.net, server).await;
        let is_done = matches!(result, Ok(ResponseCode::NoError));
        self.net.count(if is_done { "dhcp.server.named" } else { "dhcp.server.unnamed" });
        self.net.trace(Storey::Application, "dhcp.name", |f| {
            f.set("server", server).set("name", update.name.to_ascii());
            f.set("what", if naming == Naming::Known { "to know" } else { "to forget" });
            match &result {
                Ok(ResponseCode::NoError) => {}
                Ok(code) => {
                    f.set("why", format!("it says {}", dns::code_name(*code)));
                }
                Err(error) => {
                    f.set("why", error.to_string());
                }
            }
        });
    }
}

/// The address behind the name, and the name behind the address.
fn updates(naming: Naming, named: &Named) -> Vec<Update> {
    let full = |name: &str, zone: &str| {
        let mut zone = Name::from_ascii(zone).ok()?;
        zone.set_fqdn(true);
        Some((Name::from_ascii(name).ok()?.append_domain(&zone).ok()?, zone))
    };
    let (reverse, place) = dns::reversed(named.address.into());
    // dhcpd: the time to live is half of the lease.
    let ttl = Duration::from_secs((named.lease / 2).as_secs());
    let change = |data| match naming {
        Naming::Known => Change::Replace(data, ttl),
        Naming::Gone => Change::Remove(data),
    };
    let (Some((name, zone)), Some((back, reverse))) = (full(&named.name, &named.domain), full(&place, &reverse)) else {
        return Vec::new();
    };
    let pointer = RData::PTR(PTR(name.clone()));
    vec![
        Update { zone, name, change: change(RData::A(named.address.into())) },
        Update { zone: reverse, name: back, change: change(pointer) },
    ]
}
