//! Session stores whose behaviour depends on no hash map's order and on no randomness of the process.

use core::fmt;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::server::StoresServerSessions;

/// How many sessions a server remembers; the oldest goes first.
const SERVER_SESSIONS: usize = 256;
/// How many servers a client remembers.
const CLIENT_SERVERS: usize = 32;
/// How many tickets of one server a client keeps; rustls servers send two a handshake.
const TICKETS: usize = 8;

/// A server's sessions.
#[derive(Default)]
pub(super) struct ServerSessions(Mutex<Bounded<Vec<u8>, Vec<u8>>>);

impl StoresServerSessions for ServerSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        lock(&self.0).insert(key, value, SERVER_SESSIONS);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        lock(&self.0).map.get(key).cloned()
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        lock(&self.0).map.remove(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl fmt::Debug for ServerSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSessions")
    }
}

/// A client's sessions with the servers that it met.
#[derive(Default)]
pub(super) struct ClientSessions(Mutex<Bounded<String, Met>>);

#[derive(Default)]
struct Met {
    group: Option<NamedGroup>,
    session: Option<Tls12ClientSessionValue>,
    tickets: VecDeque<Tls13ClientSessionValue>,
}

impl ClientSessions {
    fn with<T>(&self, name: &ServerName<'_>, f: impl FnOnce(&mut Met) -> T) -> T {
        f(lock(&self.0).entry(name.to_str().into_owned(), CLIENT_SERVERS))
    }
}

impl ClientSessionStore for ClientSessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.with(&name, |met| met.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.with(name, |met| met.group)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.with(&name, |met| met.session = Some(value));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.with(name, |met| met.session.clone())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.with(name, |met| met.session = None);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.with(&name, |met| {
            if met.tickets.len() == TICKETS {
                met.tickets.pop_front();
            }
            met.tickets.push_back(value);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.with(name, |met| met.tickets.pop_back())
    }
}

impl fmt::Debug for ClientSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSessions")
    }
}

/// A map that forgets its oldest key when it is full.
struct Bounded<K, V> {
    map: BTreeMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Ord + Clone, V> Bounded<K, V> {
    fn make_room(&mut self, key: &K, limit: usize) {
        if self.map.contains_key(key) {
            return;
        }
        // Keys that were taken out of the map in between still stand in the order; they cost one pop each.
        while self.order.len() >= limit {
            let Some(oldest) = self.order.pop_front() else { break };
            self.map.remove(&oldest);
        }
        self.order.push_back(key.clone());
    }

    fn insert(&mut self, key: K, value: V, limit: usize) {
        self.make_room(&key, limit);
        self.map.insert(key, value);
    }

    fn entry(&mut self, key: K, limit: usize) -> &mut V
    where
        V: Default,
    {
        self.make_room(&key, limit);
        self.map.entry(key).or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_session_is_forgotten_and_memory_is_bounded() {
        let sessions = ServerSessions::default();
        for i in 0..10_000u32 {
            sessions.put(i.to_be_bytes().to_vec(), vec![1]);
            if i % 2 == 0 {
                sessions.take(&i.to_be_bytes());
            }
        }
        assert!(sessions.get(&0u32.to_be_bytes()).is_none());
        assert!(sessions.get(&9_999u32.to_be_bytes()).is_some());
        let held = lock(&sessions.0);
        assert!(held.map.len() <= SERVER_SESSIONS && held.order.len() <= SERVER_SESSIONS);
    }
}
