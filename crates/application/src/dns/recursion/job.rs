//! One question that is being found out: how far it is, who waits for it, and whom it may ask.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use septet_core::Instant;

use super::scrub::server_of;

/// The number of a question that is being found out.
pub(super) type JobId = u64;

/// What is asked for.
pub(super) type Asked = (LowerName, RecordType);

/// How often a server is asked one question.
pub(super) const TRIES: u32 = 5;
/// Servers of a zone that are known by name alone and whose addresses are looked up, for one question: the bound of NXNSAttack
/// (Afek, Bremler-Barr, Shafir 2020, "MaxFetch").
const LOOKED_UP: u32 = 4;

/// Who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiter {
    /// A client, by the number that the driver gave it.
    Client(u64),
    /// A question that needs the address of a server.
    Job(JobId),
}

/// A question that is being found out.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) asked: Asked,
    pub(super) waiters: Vec<Waiter>,
    /// The client's question for which this one is asked; itself, where it is one.
    pub(super) payer: JobId,
    /// How many questions for addresses of servers lie between.
    pub(super) depth: u32,
    /// The name to find now: the one asked for, or what it is an alias of.
    pub(super) name: Name,
    /// The aliases so far.
    pub(super) chain: Vec<Record>,
    /// The zone whose servers are asked.
    pub(super) place: Option<Place>,
    /// The question to a server that is under way.
    pub(super) flight: Option<u64>,
    /// The questions for addresses of servers that are under way.
    pub(super) below: BTreeSet<JobId>,
    /// Questions to servers that it cost so far, with all that was asked for its sake.
    pub(super) spent: u32,
    pub(super) until: Instant,
}

/// A zone and its servers.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) zone: Name,
    /// Names of servers of which no address is known, yet to be looked up.
    pub(super) nameless: Vec<Name>,
    /// Names that are being looked up, or were.
    pub(super) sought: Vec<Name>,
    pub(super) servers: Vec<Server>,
    looked_up: u32,
}

/// A server at one address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Server {
    pub(super) at: IpAddr,
    pub(super) tries: u32,
    pub(super) use_: Use,
    /// Whether the next question goes over TCP, whatever came before.
    pub(super) over_tcp: bool,
}

/// Whether a server may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    Good,
    /// It said, or its network did, that it is no use for this question.
    Spent,
}

impl Place {
    /// A zone with servers of these names; `known` are addresses of some.
    pub(super) fn new(zone: Name, servers: &[Record], mut known: impl FnMut(&Name) -> Vec<IpAddr>) -> Self {
        let mut place = Self { zone, nameless: Vec::new(), sought: Vec::new(), servers: Vec::new(), looked_up: 0 };
        for name in servers.iter().filter_map(server_of) {
            let addresses = known(name);
            if addresses.is_empty() {
                place.nameless.push(name.clone());
            }
            place.add(addresses);
        }
        place
    }

    /// Further addresses of servers.
    pub(super) fn add(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        for at in addresses {
            if !self.servers.iter().any(|server| server.at == at) {
                self.servers.push(Server { at, tries: 0, use_: Use::Good, over_tcp: false });
            }
        }
    }

    pub(super) fn server(&mut self, at: IpAddr) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.at == at)
    }

    /// The next name of a server to look up.
    pub(super) fn next_name(&mut self) -> Option<Name> {
        if self.nameless.is_empty() || self.looked_up >= LOOKED_UP {
            return None;
        }
        self.looked_up += 1;
        let name = self.nameless.remove(0);
        self.sought.push(name.clone());
        Some(name)
    }
}

/// The addresses in records.
pub(super) fn addresses(records: &[Record]) -> impl Iterator<Item = IpAddr> + '_ {
    records.iter().filter_map(|record| match &record.data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(a) => Some(IpAddr::V6(a.0)),
        _ => None,
    })
}
