//! Other name servers, as a name server's table names them: who may have its zones, who is told of changes, who is asked.

use std::net::{IpAddr, SocketAddr};

use septet_application::dns::PORT;
use septet_language::document::Text;
use septet_language::words::{Word, Wrong};
use septet_network::Prefix;

use crate::service::Reading;
use crate::site::{HostId, Site};

/// A name server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peer {
    /// A host, and its port.
    Host(HostId, u16),
    /// An address and a port.
    Address(SocketAddr),
}

impl Peer {
    /// Where it is.
    pub(super) fn at(&self, site: &dyn Site) -> Vec<SocketAddr> {
        match self {
            Self::Host(host, port) => site.addresses(*host).into_iter().map(|ip| (ip, *port).into()).collect(),
            Self::Address(at) => vec![*at],
        }
    }
}

/// `ns1`, `10.0.0.53`, `[2001:db8::53]:5353`
pub(super) fn peer(text: &Text, reading: &Reading<'_>) -> Result<Peer, Wrong> {
    let word = Word { text: text.text.trim(), at: 0 };
    if let Ok(at) = word.text.parse::<SocketAddr>() {
        return Ok(Peer::Address(at));
    }
    if let Ok(ip) = word.text.parse::<IpAddr>() {
        return Ok(Peer::Address((ip, PORT).into()));
    }
    match word.split_once(":") {
        Some((name, port)) => {
            let number = port.text.parse().map_err(|_| {
                Wrong::new("port", port.range(), format!("`{}` is no port", port.text)).help("`ns1:53`".to_owned())
            })?;
            Ok(Peer::Host(reading.hosts.host(name)?, number))
        }
        None => Ok(Peer::Host(reading.hosts.host(word)?, PORT)),
    }
}

/// Who may have the zones of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// A host, from each of its addresses.
    Host(HostId),
    /// Whoever has an address of these.
    Prefix(Prefix),
}

impl Allowed {
    pub(super) fn prefixes(&self, site: &dyn Site) -> Vec<Prefix> {
        match self {
            Self::Host(host) => site.addresses(*host).into_iter().map(Prefix::host).collect(),
            Self::Prefix(prefix) => vec![*prefix],
        }
    }
}

/// `ns2`, `10.0.0.53`, `10.0.0.0/8`
pub(super) fn allowed(text: &Text, reading: &Reading<'_>) -> Result<Allowed, Wrong> {
    let word = Word { text: text.text.trim(), at: 0 };
    if let Ok(ip) = word.text.parse::<IpAddr>() {
        return Ok(Allowed::Prefix(Prefix::host(ip)));
    }
    if word.text.contains('/') {
        return word.text.parse().map(Allowed::Prefix).map_err(|_| {
            Wrong::new("prefix", word.range(), format!("`{}` is no prefix", word.text)).help("`10.0.0.0/8`".to_owned())
        });
    }
    Ok(Allowed::Host(reading.hosts.host(word)?))
}
