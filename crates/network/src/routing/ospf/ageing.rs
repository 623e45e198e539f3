//! How advertisements grow old and go (RFC 2328 §14).

use septet_wire::ospf::{LsaKey, MAX_AGE};

use super::super::act::Context;
use super::database::Source;
use super::router::Ospf;

impl Ospf {
    /// RFC 2328 §14: what is too old is flushed, and own advertisements are refreshed.
    pub(super) fn age(&mut self, cx: &mut Context<'_>) {
        while let Some(key) = self.database.take_due(cx.now) {
            if key.router == self.id {
                self.refresh(cx, key);
            } else {
                self.flush(cx, key, "nobody has refreshed it for an hour");
            }
        }
    }

    /// RFC 2328 §14.1: takes an advertisement out of everybody's database, by flooding it at MaxAge.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, key: LsaKey, why: &'static str) {
        let Some(stored) = self.database.get(&key) else { return };
        let dead = stored.lsa.aged(MAX_AGE);
        cx.tell("ospf.originate", |f| {
            f.set("what", "the end of").set("id", std::net::IpAddr::V4(key.id)).set("why", why);
        });
        self.database.install(cx.now, dead.clone(), Source::Other);
        self.flood(cx, &dead, None);
        self.want_spf(cx.now);
    }

    /// RFC 2328 §14: "the LSA must be removed … when both … it is no longer contained on any neighbor Link state
    /// retransmission lists and b) none of the router's neighbors are in states Exchange or Loading".
    pub(super) fn bury(&mut self, cx: &mut Context<'_>) {
        if self.database.dying.is_empty() {
            return;
        }
        let near = || self.interfaces.values().flat_map(|i| i.neighbors.values());
        if near().any(|n| n.is_exchanging() && !n.is_full()) {
            return;
        }
        let dead: Vec<LsaKey> = self
            .database
            .dying
            .iter()
            .filter(|key| near().all(|n| !n.unacknowledged.contains_key(key)))
            .copied()
            .collect();
        for key in dead {
            self.database.remove(&key);
            // What ended with its last number, or was somebody else's under this router's name, begins anew.
            if key.router == self.id {
                self.stale = true;
                self.originate_at.insert(key, cx.now);
            }
        }
    }
}
