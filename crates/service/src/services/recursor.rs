//! `[host.X.recursor]`: a recursive resolver, which hosts ask for any name.

use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use septet_application::dns::{self, Case, Hint, Ids, Limits, Ports};
use septet_application::programs::Transport;
use septet_language::document::Text;
use septet_language::mistake::Mistake;
use septet_language::schema::{
    Choice, Count, Either, Key, Line, OneOf, Phrase, Section, Size, Table, TableOf, Texts, Time,
};
use septet_language::words::{Word, Wrong};
use septet_network::Prefix;

use super::dns::{domain_zone, reverse_zones};
use crate::run::{Boot, run};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{HostId, Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::Hosts, metrics: dns::RECURSOR_METRICS, read };

static KEY: Key<TableOf> = Key::new(
    "recursor",
    TableOf(&SECTION),
    "a recursive resolver: it finds out any name from the root down; hosts of the lab ask it, where there is one",
);

static SECTION: Section = Section::new(
    "A recursive resolver. The names of the nodes, `NAME.lab`, it knows by itself.",
    &[&[
        &ROOT,
        &HINTS,
        &LISTEN,
        &ALLOW,
        &CACHE,
        &STALE,
        &LONGEST,
        &QUESTIONS,
        &PATIENCE,
        &AT_ONCE,
        &SERVER_PORT,
        &PORTS,
        &IDS,
        &CASE,
    ]],
);

static ROOT: Key<Texts<Text>> = Key::new(
    "root",
    Texts(Phrase::later("a server of the root", "root")),
    "the servers of the root, by name or address (on a machine those of the Internet)",
);
static HINTS: Key<Line> =
    Key::new("hints", Line, "on a machine, a file that names the servers of the root, such as IANA's `named.root`");
static LISTEN: Key<Texts<SocketAddr>> =
    Key::new("listen", Texts(AT), "where it takes questions: `127.0.0.1`, `[::1]:5353` (port 53 of every address)");
static ALLOW: Key<Texts<Prefix>> = Key::new(
    "allow",
    Texts(PREFIX),
    "whom it serves, by address or prefix; others are refused (private addresses: `10.0.0.0/8`, `fc00::/7` and the like)",
);
static CACHE: Key<Size> =
    Key::new("cache", Size, "how much it remembers; what was not used for the longest goes first (16mb)");
static STALE: Key<Time> = Key::new(
    "stale",
    Time,
    "how long it keeps answers that are no longer good for when no server answers; 0s for never (24h)",
);
static LONGEST: Key<Time> = Key::new("longest", Time, "how long it keeps an answer at most, whatever its TTL (24h)");
static QUESTIONS: Key<Count<u32>> =
    Key::new("questions", Count(1, 10_000), "how many questions to servers one question of a client may cost (50)");
static PATIENCE: Key<Time> = Key::new("patience", Time, "how long it works on a question (10s)");
static AT_ONCE: Key<Count<u32>> =
    Key::new("at_once", Count(1, 1_000_000), "how many questions it works on at once; further ones fail (1000)");
static SERVER_PORT: Key<Count<u16>> =
    Key::new("server_port", Count(1, u16::MAX), "the port at which it asks servers (53)");
static PORTS: Key<OneOf<Choice<Ports>, Count<u16>>> = Key::new(
    "ports",
    OneOf(Choice(|| vec![("random", Ports::Random)]), Count(1, u16::MAX)),
    "from which ports it asks servers: `random`, or always this one, for a lesson in what comes of it (random)",
);
static IDS: Key<Choice<Ids>> = Key::new(
    "ids",
    Choice(|| vec![("random", Ids::Random), ("sequential", Ids::Sequential)]),
    "the identifiers of its questions; `sequential` for a lesson in what comes of it (random)",
);
static CASE: Key<Choice<Case>> = Key::new(
    "case",
    Choice(|| vec![("kept", Case::Kept), ("random", Case::Random)]),
    "letters of names in its questions: as they came, or small and capital by chance, which answers must repeat (kept)",
);

const PREFIX: Phrase<Prefix> =
    Phrase { what: "an address or a prefix", example: "10.0.0.0/8", read: |_, text| prefix(text) };

const AT: Phrase<SocketAddr> = Phrase { what: "an address", example: "127.0.0.1", read: |_, text| at(text) };

/// A recursive resolver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recursor {
    /// The servers of the root that are hosts.
    pub root: Vec<HostId>,
    /// Others, by their addresses.
    pub hints: Vec<IpAddr>,
    /// Where it takes questions, where the file says.
    pub listen: Option<Vec<SocketAddr>>,
    /// Whom it serves, where the file says.
    pub allow: Option<Vec<Prefix>>,
    /// What it may spend.
    pub limits: Limits,
    /// At which port servers are asked.
    pub server_port: u16,
    /// From which ports.
    pub ports: Ports,
    /// With which identifiers.
    pub ids: Ids,
    /// With which letters.
    pub case: Case,
}

impl Service for Recursor {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn answers_names_at(&self) -> Option<u16> {
        self.ports().first().copied()
    }

    fn finds_names_out(&self) -> bool {
        true
    }

    fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> =
            self.listen.as_ref().map_or_else(|| vec![dns::PORT], |all| all.iter().map(SocketAddr::port).collect());
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    fn transports(&self) -> &'static [Transport] {
        &[Transport::Udp, Transport::Tcp]
    }

    fn places(&self) -> Vec<(Transport, SocketAddr)> {
        let everywhere = vec![(Ipv6Addr::UNSPECIFIED, dns::PORT).into()];
        let all = self.listen.clone().unwrap_or(everywhere);
        all.into_iter().flat_map(|at| self.transports().iter().map(move |transport| (*transport, at))).collect()
    }

    fn start(&self, site: &dyn Site) -> Result<Boot, StartError> {
        let of_hosts = self.root.iter().flat_map(|host| site.addresses(*host));
        let hints = of_hosts.chain(self.hints.iter().copied()).map(|address| Hint { address }).collect();
        let mut zones = Vec::new();
        if let Some((domain, hosts)) = site.domain() {
            zones.push(domain_zone(domain, &hosts, site)?);
            zones.extend(reverse_zones(domain, &hosts, site)?);
        }
        let mut recursor = dns::Recursor::new(hints)
            .limits(self.limits)
            .zones(zones)
            .server_port(self.server_port)
            .disguise(self.ports, self.ids, self.case);
        if let Some(listen) = &self.listen {
            recursor = recursor.listen(listen.clone());
        }
        if let Some(allow) = &self.allow {
            recursor = recursor.allow(allow.clone());
        }
        Ok(Box::new(move |net| run(&net, KEY.name(), recursor.clone().serve(net.clone()))))
    }
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let is_lab = reading.hosts.domain().is_some();
    let mut root = Vec::new();
    let mut hints = Vec::new();
    let servers = table.get(&ROOT).unwrap_or_default();
    for text in &servers {
        match text.text.trim().parse::<IpAddr>() {
            Ok(address) => hints.push(address),
            Err(_) => {
                let host = reading.hosts.host(Word { text: &text.text, at: 0 });
                root.extend(reading.or_report(text, host));
            }
        }
    }
    match table.entry(&HINTS) {
        Some(file) if is_lab => {
            let reason = "a lab has a root of its own";
            let mistake = Mistake::new("hints", file.value.span.clone(), reason, "not in a lab");
            reading.mistakes.push(mistake.help("name the host that serves it: `root = \"root\"`".to_owned()));
        }
        Some(file) => {
            let name = file.value.clone();
            let text = reading.file(&name)?;
            let read = dns::read_hints(&String::from_utf8_lossy(&text)).map_err(|why| {
                Wrong::new("hints", 0..name.text.len(), format!("`{}`: {why}", name.text)).label("this file")
            });
            let read = reading.or_report(&name, read)?;
            hints.extend(read.into_iter().map(|hint| hint.address));
        }
        None if servers.is_empty() && is_lab => {
            reading
                .missing("a recursive resolver needs the lab's root: `root = \"NAME\"`, a host with `[host.NAME.dns]`");
            return None;
        }
        None if servers.is_empty() => hints.extend(dns::iana().into_iter().map(|hint| hint.address)),
        None => {}
    }
    let usual = Limits::default();
    let limits = Limits {
        questions: table.get(&QUESTIONS).unwrap_or(usual.questions),
        patience: table.get(&PATIENCE).unwrap_or(usual.patience).max(Duration::from_millis(1)),
        at_once: table.get(&AT_ONCE).map_or(usual.at_once, |most| most as usize),
        cache: table.get(&CACHE).map_or(usual.cache, |size| usize::try_from(size.0).unwrap_or(usize::MAX)),
        longest: table.get(&LONGEST).unwrap_or(usual.longest),
        stale: table.get(&STALE).unwrap_or(usual.stale),
    };
    let ports = match table.get(&PORTS) {
        None => Ports::Random,
        Some(Either::This(ports)) => ports,
        Some(Either::That(port)) => Ports::Fixed(port),
    };
    Some(Arc::new(Recursor {
        root,
        hints,
        listen: table.get(&LISTEN),
        allow: table.get(&ALLOW),
        limits,
        server_port: table.get(&SERVER_PORT).unwrap_or(dns::PORT),
        ports,
        ids: table.get(&IDS).unwrap_or_default(),
        case: table.get(&CASE).unwrap_or_default(),
    }))
}

/// `10.0.0.0/8`, `10.0.0.1`
fn prefix(text: &Text) -> Result<Prefix, Wrong> {
    let word = Word { text: &text.text, at: 0 }.trim();
    let read = word.text.parse().ok().or_else(|| word.text.parse().ok().map(Prefix::host));
    read.ok_or_else(|| {
        Wrong::new("prefix", word.range(), format!("`{}` is neither an address nor a prefix", word.text))
            .help("for example `10.0.0.0/8`".to_owned())
    })
}

/// `127.0.0.1`, `127.0.0.1:5353`, `::1`, `[::1]:5353`
fn at(text: &Text) -> Result<SocketAddr, Wrong> {
    let word = Word { text: &text.text, at: 0 }.trim();
    let alone = || word.text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, dns::PORT));
    let read = word.text.parse::<SocketAddr>().ok().filter(|at| at.port() > 0).or_else(alone);
    read.ok_or_else(|| {
        Wrong::new("address", word.range(), format!("`{}` is no address to listen at", word.text))
            .help("for example `127.0.0.1` or `[::1]:5353`".to_owned())
    })
}
