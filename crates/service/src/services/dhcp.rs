//! `[host.X.dhcp]`: a DHCP server for its own links, and by way of relays for others.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use septet_application::dhcp::lease::{MOST_ADDRESSES, Pool, Reserved, Server};
use septet_application::programs::Transport;
use septet_application::{dhcp, dns};
use septet_language::document::Text;
use septet_language::mistake::Mistake;
use septet_language::schema::{Key, Line, Named, Phrase, Section, Table, TableOf, Texts, Time};
use septet_language::words::{Word, Wrong};
use septet_network::{Cidr, Prefix};
use septet_wire::dhcp::SERVER_PORT;

use crate::run::{Boot, run};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{HostId, Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::HostsAndRouters, metrics: dhcp::SERVER_METRICS, read };

static KEY: Key<TableOf> =
    Key::new("dhcp", TableOf(&SECTION), "a DHCP server: it gives addresses to the hosts whose `address` is \"dhcp\"");

static SECTION: Section = Section::new(
    "A DHCP server for its own links, and by way of relays for others.",
    &[&[&POOLS, &LEASE, &RENEW, &REBIND, &RESERVED, &ROUTER, &NAME_SERVERS, &DOMAIN]],
);

static POOLS: Key<Texts<Range>> = Key::new(
    "pools",
    Texts(RANGE),
    "which addresses it gives: `10.0.1.100 - 10.0.1.199`, on any link (the upper half of its own links)",
);
static LEASE: Key<Time> = Key::new("lease", Time, "for how long (1h)");
static RENEW: Key<Time> = Key::new("renew", Time, "T1: when clients ask to keep theirs (half of the lease)");
static REBIND: Key<Time> = Key::new("rebind", Time, "T2: when they ask any server (seven eighths of the lease)");
static RESERVED: Key<Named<Line>> = Key::new(
    "reserved",
    Named("client", Line),
    "addresses that are kept for somebody, by host name or link address: `printer = \"10.0.1.50\"`",
);
static ROUTER: Key<Texts<Text>> = Key::new(
    "router",
    Texts(Phrase::later("a router", "r1")),
    "the default router that it tells, by name or address (the routers of each link)",
);
static NAME_SERVERS: Key<Texts<Text>> = Key::new(
    "name_servers",
    Texts(Phrase::later("a name server", "dns")),
    "whom to ask for names, by name or address (the lab's DNS hosts)",
);
static DOMAIN: Key<Line> = Key::new("domain", Line, "the domain of names without a dot (lab)");

const RANGE: Phrase<Range> =
    Phrase { what: "a range of addresses", example: "10.0.1.100 - 10.0.1.199", read: |_, text| range(text) };

/// From and to.
type Range = (Ipv4Addr, Ipv4Addr);

/// A DHCP server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dhcp {
    /// The addresses that it gives; where there are none, the upper half of each of its own links.
    pub pools: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// For how long.
    pub lease: Duration,
    /// T1, where it is not half of that.
    pub renew: Option<Duration>,
    /// T2, where it is not seven eighths.
    pub rebind: Option<Duration>,
    /// Addresses that are kept for somebody.
    pub reserved: Vec<(Reserved, Ipv4Addr)>,
    /// The routers that it tells, where they are not those of the link.
    pub router: Option<Vec<Named4>>,
    /// The name servers that it tells, where they are not the site's.
    pub name_servers: Option<Vec<Named4>>,
    /// The domain that it tells, where it is not the site's.
    pub domain: Option<String>,
}

/// Something with an address: a host, or the address itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named4 {
    /// A host of the site.
    Host(HostId),
    /// An address.
    Address(Ipv4Addr),
}

impl Named4 {
    /// Its addresses; of a host, those in `near` alone where it has some there.
    pub(crate) fn addresses(self, site: &dyn Site, near: Option<Prefix>) -> Vec<Ipv4Addr> {
        let Self::Host(host) = self else {
            return if let Self::Address(address) = self { vec![address] } else { Vec::new() };
        };
        let all = site.addresses(host).into_iter().filter_map(|a| if let IpAddr::V4(v4) = a { Some(v4) } else { None });
        let (inside, outside): (Vec<_>, Vec<_>) = all.partition(|a| near.is_some_and(|net| net.contains((*a).into())));
        let mut chosen = if inside.is_empty() { outside } else { inside };
        chosen.truncate(1);
        chosen
    }
}

impl Service for Dhcp {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn ports(&self) -> Vec<u16> {
        vec![SERVER_PORT]
    }

    fn transports(&self) -> &'static [Transport] {
        &[Transport::Udp]
    }

    fn places(&self) -> Vec<(Transport, SocketAddr)> {
        // It listens on each link for itself.
        Vec::new()
    }

    fn gives_addresses_of(&self, net: Prefix) -> bool {
        let given = self.pools.iter().map(|(from, _)| *from).chain(self.reserved.iter().map(|(_, address)| *address));
        self.pools.is_empty() || given.into_iter().any(|address| net.contains(address.into()))
    }

    fn tells_names(&self) -> bool {
        true
    }

    fn start(&self, site: &dyn Site) -> Result<Boot, StartError> {
        // As a file of leases, what it knows outlives a crash.
        let book = dhcp::Book::new(Server::new(self.pools_at(site)));
        let names: Vec<_> = site.name_servers().into_iter().map(|ip| SocketAddr::new(ip, dns::PORT)).collect();
        Ok(Box::new(move |net| run(&net, KEY.name(), dhcp::serve(net.clone(), book.clone(), names.clone()))))
    }
}

impl Dhcp {
    fn pools_at(&self, site: &dyn Site) -> Vec<Pool> {
        let own: Vec<Cidr> = site.links(site.here());
        let ranges: Vec<Range> = if self.pools.is_empty() {
            own.iter().filter_map(|cidr| upper_half(cidr.prefix())).collect()
        } else {
            self.pools.clone()
        };
        let mut pools: Vec<Pool> = Vec::new();
        for (from, to) in ranges {
            let link = site.link_of(from.into());
            let known = own.iter().map(|cidr| cidr.prefix()).find(|net| net.contains(from.into()));
            let subnet = known.or(link.as_ref().map(|(net, _)| *net)).or_else(|| Prefix::new(from.into(), 24).ok());
            let Some(subnet) = subnet else { continue };
            if let Some(pool) = pools.iter_mut().find(|pool| pool.subnet == subnet) {
                pool.ranges.push((from, to));
                continue;
            }
            let of_link = link.map(|(_, routers)| routers).unwrap_or_default();
            let of_link = of_link.into_iter().filter_map(|a| if let IpAddr::V4(v4) = a { Some(v4) } else { None });
            let told = |all: &Vec<Named4>, near| all.iter().flat_map(|one| one.addresses(site, near)).collect();
            pools.push(Pool {
                subnet,
                ranges: vec![(from, to)],
                reserved: self.reserved.iter().filter(|(_, a)| subnet.contains((*a).into())).cloned().collect(),
                routers: self.router.as_ref().map_or_else(|| of_link.collect(), |all| told(all, Some(subnet))),
                name_servers: self.name_servers.as_ref().map_or_else(
                    || {
                        let all = site.name_servers().into_iter();
                        all.filter_map(|a| if let IpAddr::V4(v4) = a { Some(v4) } else { None }).collect()
                    },
                    |all| told(all, None),
                ),
                domain: self.domain.clone().or_else(|| site.domain().map(|(domain, _)| domain.to_owned())),
                lease: self.lease,
                renew: self.renew,
                rebind: self.rebind,
            });
        }
        pools
    }
}

/// The addresses of a network from its middle on, without the last, which is its broadcast address.
fn upper_half(net: Prefix) -> Option<Range> {
    let IpAddr::V4(base) = net.addr() else { return None };
    let len = net.prefix_len();
    if len > 30 {
        return None;
    }
    // No more than a server keeps in mind.
    let size = 1u64 << (32 - u32::from(len)).min(16);
    let from = base.to_bits() as u64 + size / 2;
    Some((Ipv4Addr::from_bits(from as u32), Ipv4Addr::from_bits((base.to_bits() as u64 + size - 2) as u32)))
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let pools = table.get(&POOLS).unwrap_or_default();
    let size = |(from, to): &Range| u64::from(to.to_bits() - from.to_bits()) + 1;
    if pools.iter().map(size).sum::<u64>() > MOST_ADDRESSES {
        let reason = format!("the pools have more than {MOST_ADDRESSES} addresses");
        reading.mistakes.push(Mistake::new("pool", reading.span.clone(), reason, "too many for one server"));
    }
    let mut reserved = Vec::new();
    for (client, text) in table.get(&RESERVED).unwrap_or_default() {
        let address =
            text.text.trim().parse::<Ipv4Addr>().map_err(|_| {
                Wrong::new("address", 0..text.text.len(), format!("`{}` is not an IPv4 address", text.text))
            });
        let Some(address) = reading.or_report(&text, address) else { continue };
        let who = match client.text.parse() {
            Ok(mac) => Reserved::Mac(mac),
            Err(_) => Reserved::Name(client.text.clone()),
        };
        reserved.push((who, address));
    }
    let lease = table.get(&LEASE).unwrap_or(LEASED_FOR);
    let (renew, rebind) = (table.get(&RENEW), table.get(&REBIND));
    // RFC 2131 §4.4.5: "T1 MUST be earlier than T2, which, in turn, MUST be earlier than the time at which the client's lease
    // will expire."
    let (t1, t2) = (renew.unwrap_or(lease / 2), rebind.unwrap_or(lease * 7 / 8));
    if t1 >= t2 || t2 >= lease || lease < Duration::from_secs(1) {
        let reason = format!("T1 ({t1:?}), T2 ({t2:?}) and the lease ({lease:?}) do not follow each other");
        let mistake = Mistake::new("lease", reading.span.clone(), reason, "of this server");
        reading.mistakes.push(mistake.help("a lease of a second or more, T2 before its end, T1 before T2".to_owned()));
    }
    let router = table.get(&ROUTER).map(|all| named(&all, reading));
    let name_servers = table.get(&NAME_SERVERS).map(|all| named(&all, reading));
    let domain = table.get(&DOMAIN).map(|text| text.text);
    Some(Arc::new(Dhcp { pools, lease, renew, rebind, reserved, router, name_servers, domain }))
}

/// How long an address is leased where nobody says.
const LEASED_FOR: Duration = Duration::from_secs(3600);

/// Hosts by their names, and addresses.
pub(crate) fn named(texts: &[Text], reading: &mut Reading<'_>) -> Vec<Named4> {
    let mut all = Vec::new();
    for text in texts {
        if let Ok(address) = text.text.trim().parse() {
            all.push(Named4::Address(address));
            continue;
        }
        let host = reading.hosts.host(Word { text: &text.text, at: 0 });
        all.extend(reading.or_report(text, host).map(Named4::Host));
    }
    all
}

/// `10.0.1.100 - 10.0.1.199`
fn range(text: &Text) -> Result<Range, Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let (from, to) = whole.split_once("-").unwrap_or((whole, whole));
    let read = |word: Word<'_>| {
        let word = word.trim();
        word.text.parse::<Ipv4Addr>().map_err(|_| {
            Wrong::new("pool", word.range(), format!("`{}` is not an IPv4 address", word.text))
                .help("write the first and the last: `10.0.1.100 - 10.0.1.199`".to_owned())
        })
    };
    let (from, to) = (read(from)?, read(to)?);
    if to < from {
        return Err(Wrong::new("pool", whole.range(), "the range ends before it begins").label("backwards"));
    }
    Ok((from, to))
}
