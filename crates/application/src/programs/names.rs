//! Names for addresses and addresses for names, as the programs print and take them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use septet_socket::NetRef;

use crate::dns::{LookupError, RData, RecordType, Resolver};

/// Looks up in both directions, and remembers what has no name.
pub(super) struct Names {
    resolver: Arc<Resolver>,
    known: BTreeMap<IpAddr, Option<String>>,
}

impl Names {
    pub(super) fn new(net: NetRef) -> Self {
        Self { resolver: Resolver::new(net), known: BTreeMap::new() }
    }

    /// The first address of `host`.
    pub(super) async fn address(&self, host: &str) -> Result<IpAddr, String> {
        match self.resolver.addresses(host).await {
            Ok(addresses) => addresses.first().copied().ok_or_else(|| "No address associated with hostname".to_owned()),
            // The words of getaddrinfo(3).
            Err(LookupError::NoName(_) | LookupError::BadName(_)) => Err("Name or service not known".to_owned()),
            Err(LookupError::NoData(_)) => Err("No address associated with hostname".to_owned()),
            Err(LookupError::TimedOut(_) | LookupError::NoServers) => {
                Err("Temporary failure in name resolution".to_owned())
            }
            Err(e @ LookupError::Failed(..)) => Err(e.to_string()),
        }
    }

    /// The name of `ip`, where it has one.
    pub(super) async fn name(&mut self, ip: IpAddr) -> Option<String> {
        if let Some(known) = self.known.get(&ip) {
            return known.clone();
        }
        let reply = self.resolver.reverse(ip).await;
        let name = reply.ok().and_then(|reply| {
            reply.matching(RecordType::PTR).find_map(|r| match &r.data {
                RData::PTR(name) => Some(name.0.to_ascii().trim_end_matches('.').to_owned()),
                _ => None,
            })
        });
        self.known.insert(ip, name.clone());
        name
    }
}
