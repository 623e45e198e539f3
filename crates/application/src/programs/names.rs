//! Names for addresses and addresses for names, as the programs print and take them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_socket::{NetRef, TcpOptions, TcpStream};

use crate::dial::{ATTEMPT_DELAY, Dial, DialError, quietly};
use crate::dns::{Family, LookupError, RData, RecordType, Resolver};

/// Why there is no connection.
pub(super) enum Unconnected {
    /// The name is not known, in words.
    Name(String),
    /// No address of it can be reached.
    Way(io::Error),
}

impl From<Unconnected> for io::Error {
    fn from(e: Unconnected) -> Self {
        match e {
            Unconnected::Name(why) => Self::other(why),
            Unconnected::Way(e) => e,
        }
    }
}

const NO_ADDRESS: &str = "No address associated with hostname";

/// The words of getaddrinfo(3).
fn in_words(e: &LookupError) -> String {
    match e {
        LookupError::NoName(_) | LookupError::BadName(_) => "Name or service not known".to_owned(),
        LookupError::NoData(_) => NO_ADDRESS.to_owned(),
        LookupError::TimedOut(_) | LookupError::NoServers => "Temporary failure in name resolution".to_owned(),
        LookupError::Failed(..) => e.to_string(),
    }
}

/// Looks up in both directions, and remembers what has no name.
pub(super) struct Names {
    net: NetRef,
    resolver: Arc<Resolver>,
    known: BTreeMap<IpAddr, Option<String>>,
}

impl Names {
    pub(super) fn new(net: NetRef) -> Self {
        Self { resolver: Resolver::new(net.clone()), net, known: BTreeMap::new() }
    }

    /// The address of `host` to try first.
    pub(super) async fn address(&self, host: &str, family: Family) -> Result<IpAddr, String> {
        let addresses = self.resolver.addresses(host, family).await.map_err(|e| in_words(&e))?;
        addresses.first().copied().ok_or_else(|| NO_ADDRESS.to_owned())
    }

    /// A connection to a port of `host`, and to which of its addresses.
    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        family: Family,
        options: &TcpOptions,
    ) -> Result<(TcpStream, SocketAddr), Unconnected> {
        let dial = Dial { net: &self.net, options, family, delay: ATTEMPT_DELAY, until: None, tell: &quietly };
        dial.by_name(&self.resolver, host, port).await.map_err(|e| match e {
            DialError::Lookup(e) => Unconnected::Name(in_words(&e)),
            DialError::Connect(e) => Unconnected::Way(e),
        })
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
