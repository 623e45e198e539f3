//! What a host is made from.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use septet_core::{Randomness, Seed};
use septet_datalink::ethernet::MacAddr;
use septet_network::ip::VlanInterfaceConfig;
use septet_network::ip::{Multipath, Redirects};
use septet_network::route::WrittenRoute;
use septet_network::routes::Guide;
use septet_network::{Forwarding, Iface, InterfaceConfig, Ipv6Config, Multicast, StaticRoute};
use septet_socket::Lookup;
use septet_socket::cpu::Costs;

use super::listening::Listening;
use super::speaker::Speaker;

/// A host as it is before it is first switched on.
///
/// ```
/// use septet_datalink::ethernet::MacAddr;
/// use septet_host::{Host, HostConfig, InterfaceConfig};
/// let interface = InterfaceConfig { mac: MacAddr::local(1), addresses: vec!["10.0.0.1/24".parse()?], mtu: 1500 };
/// let host = Host::new(HostConfig { interfaces: vec![interface], ..HostConfig::new("alice") })?;
/// assert_eq!(host.net().addresses(), ["10.0.0.1".parse::<std::net::IpAddr>()?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name; the random streams of the host are named after it.
    pub name: String,
    /// Its interfaces, by the number of their port.
    pub interfaces: Vec<InterfaceConfig>,
    /// Its interfaces for single VLANs; they are numbered behind the others.
    pub vlans: Vec<VlanInterfaceConfig>,
    /// Its routes, beside those to its own links.
    pub routes: Vec<StaticRoute>,
    /// What its interfaces do of IPv6 by themselves; those that are not named do nothing.
    pub ipv6: Vec<(Iface, Ipv6Config)>,
    /// What a person says of its routes, where that is more than a gateway.
    pub by_hand: Option<Box<ByHand>>,
    /// Neighbours that it need not ask for: those at the other end of a line that has only one.
    pub neighbors: Vec<Neighbor>,
    /// Where it is a router among many: its view of the map that these share, beside its own routes.
    pub guide: Option<Guide>,
    /// The routing protocols that it speaks.
    pub routing: Vec<Speaker>,
    /// What the links at its ports carry, in bits a second, where that is known.
    pub rates: Vec<Option<u64>>,
    /// Whether it is a router.
    pub forwarding: Forwarding,
    /// Its packet filter and address translation, where it has one; hosts may share what is said of it.
    pub firewall: Option<Arc<septet_network::firewall::Config>>,
    /// What it does about multicast as a router.
    pub multicast: Multicast,
    /// The defaults of its TCP; hosts may share them.
    pub tcp: Arc<septet_transport::tcp::Config>,
    /// How its programs listen, whatever they ask for.
    pub listening: Arc<Listening>,
    /// What the system calls of its programs cost; nothing, where there is none.
    pub costs: Option<Arc<Costs>>,
    /// The `nameserver` lines of its `resolv.conf`.
    pub name_servers: Vec<SocketAddr>,
    /// The `search` line of its `resolv.conf`.
    pub search: Vec<String>,
    /// Its `/etc/hosts`, the names in lower case; hosts may share one.
    pub hosts: Arc<BTreeMap<String, Vec<IpAddr>>>,
    /// How names are looked up for programs that leave it to the host: what stands above it knows.
    pub lookup: Option<Lookup>,
    /// The civil time at which the world begins, since 1970-01-01T00:00:00Z.
    pub epoch: Duration,
    /// Where the host and its programs take all randomness from, what they keep secret included: the world's seed in
    /// virtual time, [`system_randomness`] where the network is real.
    pub randomness: Randomness,
}

/// What a person says of routes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ByHand {
    /// The routes, beside those of [`HostConfig::routes`].
    pub routes: Vec<WrittenRoute>,
    /// What makes a flow, where a route has several next hops.
    pub multipath: Multipath,
    /// Whether it believes redirects, or as a router sends them.
    pub redirects: Redirects,
}

/// A neighbour that is known from the beginning: a permanent entry of `ip neigh`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbor {
    /// On which interface.
    pub iface: Iface,
    /// Its address.
    pub address: IpAddr,
    /// Its link address.
    pub mac: MacAddr,
}

impl HostConfig {
    /// A host without interfaces, in a world that begins in 2025 with seed 0.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            interfaces: Vec::new(),
            vlans: Vec::new(),
            routes: Vec::new(),
            ipv6: Vec::new(),
            by_hand: None,
            neighbors: Vec::new(),
            guide: None,
            routing: Vec::new(),
            rates: Vec::new(),
            forwarding: Forwarding::Off,
            firewall: None,
            multicast: Multicast::default(),
            tcp: Arc::default(),
            listening: Listening::none(),
            costs: None,
            name_servers: Vec::new(),
            search: Vec::new(),
            hosts: Arc::default(),
            lookup: None,
            epoch: Duration::from_secs(1_735_689_600),
            randomness: Randomness::Seeded(Seed::new(0)),
        }
    }
}

/// The operating system's randomness.
///
/// # Panics
/// Drawing from it panics where the system gives none.
pub fn system_randomness() -> Randomness {
    Randomness::Given(|buf| getrandom::fill(buf).expect("the operating system gives randomness"))
}
