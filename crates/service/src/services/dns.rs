//! `[host.X.dns]`: an authoritative name server, and the one that the hosts of a lab ask.

use core::str::FromStr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use septet_application::dns;
use septet_application::programs::Transport;
use septet_core::Instant;
use septet_language::document::Text;
use septet_language::mistake::Mistake;
use septet_language::schema::{Count, Key, Named, Phrase, Section, Table, TableOf, Texts, Time};
use septet_language::units;
use septet_language::words::{Word, Words, Wrong};

use crate::listen;
use crate::record::RecordData;
use crate::run::{Boot, run, tell_beginning};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{HostId, Site, StartError};

mod files;
mod peers;

pub use files::ZoneFile;
pub use peers::{Allowed, Peer};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::Hosts, metrics: dns::SERVER_METRICS, read };

static KEY: Key<TableOf> =
    Key::new("dns", TableOf(&SECTION), "an authoritative name server; hosts of the lab ask it for names");

static SECTION: Section = Section::new(
    "An authoritative name server. Beside its zones it knows every node as `NAME.lab`.",
    &[&[&LISTEN, &LIFETIME, &UDP_SIZE, &ZONES, &ZONE_FILES, &SECONDARY, &TRANSFER, &NOTIFY, &RATE_LIMIT, &SLIP]],
);

static LISTEN: Key<Texts<SocketAddr>> = Key::new(
    "listen",
    Texts(Phrase { what: "an address, with its port where that is another than 53", example: ":5353", read: listener }),
    "where it listens, with UDP and TCP: an address, a port, or both (port 53 of every address)",
);
static LIFETIME: Key<Time> =
    Key::new("ttl", Time, "how long others may keep what they were told, where a record does not say (1h)");
static UDP_SIZE: Key<Count<u16>> = Key::new(
    "udp_size",
    Count(512, 65_507),
    "the largest datagram that it sends, in bytes; longer answers go over TCP (1232)",
);
static ZONES: Key<Named<Named<Texts<Text>>>> = Key::new(
    "zones",
    Named("zone", Named("name", Texts(Phrase::later("a record", "lb")))),
    "by zone and name what is known: a node, an address, or a record such as `CNAME www`",
);
static ZONE_FILES: Key<Named<Phrase<Text>>> = Key::new(
    "zone_files",
    Named("zone", Phrase::later("a file", "shop.zone")),
    "by zone the file that has its records (RFC 1035 §5), relative to this one",
);

static SECONDARY: Key<Named<Texts<Text>>> = Key::new(
    "secondary",
    Named("zone", Texts(Phrase::later("a name server", "ns1"))),
    "by zone the name servers that it is fetched from, by name or address: the first that answers",
);
static TRANSFER: Key<Texts<Text>> = Key::new(
    "transfer",
    Texts(Phrase::later("a host, an address or a prefix", "ns2")),
    "who may have whole zones: hosts, addresses, prefixes (in a lab everyone, on a machine nobody)",
);
static NOTIFY: Key<Texts<Text>> = Key::new(
    "notify",
    Texts(Phrase::later("a name server", "ns2")),
    "the name servers that are told when a zone changes, by name or address (RFC 1996)",
);

static RATE_LIMIT: Key<Count<u32>> = Key::new(
    "rate_limit",
    Count(1, 1_000_000),
    "how many answers of a kind a network (/24, /56) is sent in a second over UDP (as many as it asks for)",
);
static SLIP: Key<Count<u32>> = Key::new(
    "slip",
    Count(0, 100),
    "with `rate_limit`: one in so many of the other answers is sent cut off, none with 0 (2)",
);

/// An authoritative name server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dns {
    /// The zones beside `lab`, which has every node.
    pub zones: Vec<ZoneSpec>,
    /// How long records may be kept that do not say it themselves.
    pub ttl: Option<Duration>,
    /// The largest datagram that it sends, where the file says.
    pub udp_size: Option<u16>,
    /// The zones that were read from files.
    pub files: Vec<ZoneFile>,
    /// Where it listens; port 53 of every address where nothing is said.
    pub listen: Vec<SocketAddr>,
    /// The zones that it fetches, and from whom.
    pub secondary: Vec<(String, Vec<Peer>)>,
    /// Who may have whole zones, where it is not everyone.
    pub transfer: Option<Vec<Allowed>>,
    /// Who is told of changes.
    pub notify: Vec<Peer>,
    /// How many answers are sent, where that is bounded.
    pub rate_limit: Option<dns::RateLimit>,
}

/// A zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneSpec {
    /// What its names end with.
    pub origin: String,
    /// Names, relative to the origin, and what is known of them; `@` is the origin.
    pub records: Vec<(String, RecordSpec)>,
}

/// A record as the file gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordSpec {
    /// What it says.
    pub data: RecordData,
    /// How long it may be kept.
    pub ttl: Option<Duration>,
    /// From when until when it is there.
    pub window: (Instant, Instant),
}

impl Service for Dns {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn names(&self) -> Vec<(String, RecordData)> {
        let full = |zone: &ZoneSpec, name: &str| {
            if name == "@" { zone.origin.clone() } else { format!("{name}.{}", zone.origin) }
        };
        let records = self.zones.iter().flat_map(|z| z.records.iter().map(move |(name, spec)| (z, name, spec)));
        let inline = records.map(|(zone, name, spec)| (full(zone, name), spec.data.clone()));
        inline.chain(self.files.iter().flat_map(ZoneFile::names)).collect()
    }

    fn zones(&self) -> Vec<String> {
        let files = self.files.iter().map(|zone| zone.origin.clone());
        self.zones
            .iter()
            .map(|zone| zone.origin.clone())
            .chain(files)
            .chain(self.secondary.iter().map(|(zone, _)| zone.clone()))
            .collect()
    }

    fn answers_names_at(&self) -> Option<u16> {
        self.ports().first().copied()
    }

    fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.listen.iter().map(SocketAddr::port).collect();
        ports.sort_unstable();
        ports.dedup();
        if ports.is_empty() { vec![dns::PORT] } else { ports }
    }

    fn transports(&self) -> &'static [Transport] {
        &[Transport::Udp, Transport::Tcp]
    }

    fn places(&self) -> Vec<(Transport, SocketAddr)> {
        let everywhere = [(Ipv6Addr::UNSPECIFIED, dns::PORT).into()];
        let at = if self.listen.is_empty() { &everywhere[..] } else { &self.listen };
        at.iter().flat_map(|at| self.transports().iter().map(move |t| (*t, *at))).collect()
    }

    fn start(&self, site: &dyn Site) -> Result<Boot, StartError> {
        let records = || self.zones.iter().flat_map(|z| &z.records);
        let mut moments: Vec<Instant> = records().flat_map(|(_, r)| [r.window.0, r.window.1]).collect();
        moments.push(Instant::ZERO);
        moments.retain(|at| *at < Instant::FAR_FUTURE);
        moments.sort_unstable();
        moments.dedup();
        let mut versions: Vec<(Instant, Vec<dns::Zone>)> = Vec::new();
        for at in moments {
            let mut zones = self.zones_at(at, site)?;
            if let Some((_, before)) = versions.last().filter(|_| self.has_secondaries()) {
                advance(&mut zones, before);
            }
            versions.push((at, zones));
        }
        let mut server = dns::Server::changing(versions);
        server = server.updaters(site.name_tellers());
        if let Some(bytes) = self.udp_size {
            server = server.udp_size(bytes);
        }
        if !self.listen.is_empty() {
            server = server.listen(self.listen.clone());
        }
        if let Some(allowed) = &self.transfer {
            server = server.transfers_to(allowed.iter().flat_map(|allowed| allowed.prefixes(site)).collect());
        }
        for (origin, primaries) in &self.secondary {
            server = server.secondary(origin, primaries.iter().flat_map(|peer| peer.at(site)).collect())?;
        }
        if let Some(limit) = self.rate_limit {
            server = server.rate_limit(limit);
        }
        // Each is told once, though it may have many addresses.
        server = server.notifies(self.notify.iter().filter_map(|peer| peer.at(site).into_iter().next()).collect());
        let speaks_first = !self.secondary.is_empty() || !self.notify.is_empty();
        Ok(Box::new(move |net| {
            if speaks_first {
                tell_beginning(&net);
            }
            run(&net, KEY.name(), server.clone().serve(net.clone()));
        }))
    }
}

impl Dns {
    /// Whether others may keep copies, and so must see which is newer.
    fn has_secondaries(&self) -> bool {
        !self.notify.is_empty() || self.transfer.as_ref().is_some_and(|allowed| !allowed.is_empty())
    }

    /// Everything that it knows at this moment.
    fn zones_at(&self, at: Instant, site: &dyn Site) -> Result<Vec<dns::Zone>, StartError> {
        let mut zones = Vec::new();
        if let Some((domain, hosts)) = site.domain() {
            zones.push(domain_zone(domain, &hosts, site)?);
            zones.extend(reverse_zones(domain, &hosts, site)?);
        }
        for spec in &self.zones {
            let mut zone = dns::Zone::new(&spec.origin)?;
            if let Some(ttl) = self.ttl {
                zone = zone.with_ttl(ttl);
            }
            for (name, record) in &spec.records {
                if record.window.0 <= at && at < record.window.1 {
                    zone.set_ttl(record.ttl.or(self.ttl).unwrap_or(TTL));
                    add(&mut zone, name, &record.data, site)?;
                }
            }
            // The zone names this server in its NS record; a file that says otherwise goes before.
            if !spec.records.iter().any(|(name, _)| name == "ns") {
                add(&mut zone, "ns", &RecordData::Host(site.here()), site)?;
            }
            zones.push(zone);
        }
        zones.extend(self.files.iter().map(|file| (*file.zone).clone()));
        Ok(zones)
    }
}

/// Gives those zones that are others than before the next serial.
fn advance(zones: &mut [dns::Zone], before: &[dns::Zone]) {
    for (zone, before) in zones.iter_mut().zip(before) {
        let serial = before.serial().unwrap_or_default();
        zone.set_serial(serial);
        if zone != before {
            zone.set_serial(serial + 1);
        }
    }
}

/// How long a record may be kept where nobody says.
const TTL: Duration = Duration::from_secs(3600);

/// The zone of the site: every host by its name.
pub(super) fn domain_zone(domain: &str, hosts: &[HostId], site: &dyn Site) -> Result<dns::Zone, StartError> {
    let mut zone = dns::Zone::new(domain)?;
    let mut has_ns = false;
    for host in hosts {
        let name = site.name(*host).to_ascii_lowercase();
        has_ns |= name == "ns";
        add(&mut zone, &name, &RecordData::Host(*host), site)?;
    }
    if !has_ns {
        add(&mut zone, "ns", &RecordData::Host(site.here()), site)?;
    }
    Ok(zone)
}

/// The names behind the addresses.
pub(super) fn reverse_zones(domain: &str, hosts: &[HostId], site: &dyn Site) -> Result<Vec<dns::Zone>, StartError> {
    let mut zones: BTreeMap<String, dns::Zone> = BTreeMap::new();
    for host in hosts {
        for address in site.addresses(*host) {
            let (origin, place) = dns::reversed(address);
            let zone = match zones.entry(origin) {
                Entry::Occupied(zone) => zone.into_mut(),
                Entry::Vacant(vacant) => {
                    let mut zone = dns::Zone::new(vacant.key())?;
                    add(&mut zone, "ns", &RecordData::Host(site.here()), site)?;
                    vacant.insert(zone)
                }
            };
            let name = site.name(*host).to_ascii_lowercase();
            zone.add(&place, dns::Data::Ptr(format!("{name}.{domain}.")))?;
        }
    }
    Ok(zones.into_values().collect())
}

fn add(zone: &mut dns::Zone, name: &str, data: &RecordData, site: &dyn Site) -> Result<(), StartError> {
    let RecordData::Host(host) = *data else { return Ok(zone.add(name, data.shape())?) };
    for address in site.addresses(host) {
        let data = match address {
            IpAddr::V4(v4) => dns::Data::A(v4),
            IpAddr::V6(v6) => dns::Data::Aaaa(v6),
        };
        zone.add(name, data)?;
    }
    Ok(())
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let mut zones = Vec::new();
    for (origin, names) in table.get(&ZONES).unwrap_or_default() {
        let mut zone = ZoneSpec { origin: origin.text.trim_end_matches('.').to_ascii_lowercase(), records: Vec::new() };
        if reading.hosts.domain() == Some(&zone.origin) {
            let reason = format!("the zone `{}` is made from the nodes", zone.origin);
            let mistake = Mistake::new("zone", origin.span.clone(), reason, "this zone")
                .help("choose another name, such as `shop.test`".to_owned());
            reading.mistakes.push(mistake);
        }
        let mut checked = match dns::Zone::new(&zone.origin) {
            Ok(checked) => checked,
            Err(why) => {
                reading.mistakes.push(unfit("zone", origin.span.clone(), &why));
                continue;
            }
        };
        for (name, texts) in names {
            for text in texts {
                let record = record(&text, reading);
                let Some(spec) = reading.or_report(&text, record) else { continue };
                // Records that take turns need not go together.
                let always = spec.window == ALWAYS;
                let tried = if always { &mut checked } else { &mut checked.clone() };
                if let Err(why) = tried.add(&name.text, spec.data.shape()) {
                    reading.mistakes.push(unfit("record", text.span.clone(), &why));
                }
                zone.records.push((name.text.to_ascii_lowercase(), spec));
            }
        }
        zones.push(zone);
    }
    let mut files: Vec<ZoneFile> = Vec::new();
    for (origin, file) in table.get(&ZONE_FILES).unwrap_or_default() {
        let name = origin.text.trim_end_matches('.').to_ascii_lowercase();
        let known = zones.iter().map(|zone| &zone.origin).chain(files.iter().map(|file| &file.origin));
        if let Some(known) = known.map(String::as_str).chain(reading.hosts.domain()).find(|known| **known == name) {
            let reason = format!("the zone `{known}` is there already");
            reading.mistakes.push(Mistake::new("zone", origin.span.clone(), reason, "again"));
            continue;
        }
        files.extend(files::read(&name, &file, reading));
    }
    let mut secondary = Vec::new();
    for (origin, texts) in table.get(&SECONDARY).unwrap_or_default() {
        let name = origin.text.trim_end_matches('.').to_ascii_lowercase();
        let known = zones.iter().map(|zone| &zone.origin).chain(files.iter().map(|file| &file.origin));
        if let Some(known) = known.map(String::as_str).chain(reading.hosts.domain()).find(|known| **known == name) {
            let reason = format!("the zone `{known}` is there already");
            reading.mistakes.push(Mistake::new("zone", origin.span.clone(), reason, "again"));
            continue;
        }
        if let Err(why) = dns::Zone::awaited(&name) {
            reading.mistakes.push(unfit("zone", origin.span.clone(), &why));
            continue;
        }
        if texts.is_empty() {
            let reason = "a zone is fetched from somewhere";
            let mistake = Mistake::new("zone", origin.span.clone(), reason, "no name server");
            reading.mistakes.push(mistake.help("\"shop.test\" = \"ns1\"".to_owned()));
        }
        secondary.push((name, read_all(&texts, peers::peer, reading)));
    }
    // On a machine the world can ask; there a zone is given away only where that is said.
    let transfer = match table.get(&TRANSFER) {
        Some(texts) => Some(read_all(&texts, peers::allowed, reading)),
        None => reading.hosts.domain().is_none().then(Vec::new),
    };
    let notify = read_all(&table.get(&NOTIFY).unwrap_or_default(), peers::peer, reading);
    Some(Arc::new(Dns {
        // BIND's and NSD's slip.
        rate_limit: (table.get(&RATE_LIMIT))
            .map(|per_second| dns::RateLimit { per_second, slip: table.get(&SLIP).unwrap_or(2) }),
        secondary,
        transfer,
        notify,
        zones,
        ttl: table.get(&LIFETIME),
        udp_size: table.get(&UDP_SIZE),
        files,
        listen: table.get(&LISTEN).unwrap_or_default(),
    }))
}

/// What each of the texts says; mistakes are reported.
fn read_all<T>(texts: &[Text], read: fn(&Text, &Reading<'_>) -> Result<T, Wrong>, reading: &mut Reading<'_>) -> Vec<T> {
    let mut all = Vec::new();
    for text in texts {
        let one = read(text, reading);
        all.extend(reading.or_report(text, one));
    }
    all
}

/// `10.0.1.5`, `:5353`, `127.0.0.1:5353`, `[::1]:5353`
fn listener(_: &str, text: &Text) -> Result<SocketAddr, Wrong> {
    let word = Word { text: text.text.trim(), at: 0 };
    if let Some(port) = word.text.strip_prefix(':') {
        return Ok((Ipv6Addr::UNSPECIFIED, listen::port(Word { text: port, at: 1 })?).into());
    }
    let at = word.text.parse::<SocketAddr>().or_else(|_| word.text.parse::<IpAddr>().map(|ip| (ip, dns::PORT).into()));
    at.map_err(|_| {
        Wrong::new("listen", word.range(), format!("`{}` is no address", word.text))
            .help("`10.0.1.5`, `127.0.0.1:5353` or `:5353`".to_owned())
    })
}

fn unfit(code: &'static str, span: core::ops::Range<usize>, why: &dns::ZoneError) -> Mistake {
    let mistake = Mistake::new(code, span, why.to_string(), "here");
    match why {
        // RFC 1035 §2.3.4: "labels 63 octets or less".
        dns::ZoneError::Name(..) => {
            mistake.help("labels of 1 to 63 letters, digits, `-` and `_`, joined by dots".to_owned())
        }
        _ => mistake,
    }
}

/// Before the first moment and after the last.
const ALWAYS: (Instant, Instant) = (Instant::ZERO, Instant::FAR_FUTURE);

/// `lb`, `10.0.1.5`, `CNAME www ttl 30s`, `5s..8s: web2`
fn record(text: &Text, reading: &Reading<'_>) -> Result<RecordSpec, Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let is_window = |time: Word<'_>| {
        time.text.contains("..")
            && time.text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && !time.text.contains(' ')
    };
    let (window, what) = match whole.split_once(": ").filter(|(time, _)| is_window(*time)) {
        Some((time, what)) => (window(time)?, what),
        None => (ALWAYS, whole),
    };
    let words = &mut Words::new(what);
    let data = data(words, reading)?;
    let ttl = if words.take("ttl") {
        let word = words.expect("a time", "`lb ttl 30s`")?;
        Some(units::time(word.text).map_err(|refusal| Wrong::refused("unit", word.range(), refusal))?)
    } else {
        None
    };
    match words.next() {
        None => Ok(RecordSpec { data, ttl, window }),
        Some(word) => Err(Wrong::new("record", word.range(), format!("`{}` is left over", word.text))),
    }
}

/// `5s..8s`, `5s..`
fn window(time: Word<'_>) -> Result<(Instant, Instant), Wrong> {
    let read = |word: Word<'_>, open| match word.text {
        "" => Ok(open),
        text => match units::time(text) {
            Ok(time) => Ok(Instant::ZERO + time),
            Err(refusal) => Err(Wrong::refused("unit", word.range(), refusal).label("not understood")),
        },
    };
    let (from, to) = time.split_once("..").unwrap_or((time, time));
    let (from, to) = (read(from, ALWAYS.0)?, read(to, ALWAYS.1)?);
    if to <= from {
        return Err(Wrong::new("window", time.range(), "the time window ends before it begins").label("backwards"));
    }
    Ok((from, to))
}

fn data(words: &mut Words<'_>, reading: &Reading<'_>) -> Result<RecordData, Wrong> {
    let first = words.expect("a record", "`lb`")?;
    let mut name = |example| words.expect("a name", example).map(|word| word.text.to_owned());
    Ok(match first.text {
        "A" => {
            let word = words.expect("an address", "`A 10.0.1.5`")?;
            RecordData::Address(address::<Ipv4Addr>(word, "an IPv4 address")?.into())
        }
        "AAAA" => {
            let word = words.expect("an address", "`AAAA 2001:db8::5`")?;
            RecordData::Address(address::<Ipv6Addr>(word, "an IPv6 address")?.into())
        }
        "CNAME" => RecordData::Cname(name("`CNAME www`")?),
        "NS" => RecordData::Ns(name("`NS ns`")?),
        "PTR" => RecordData::Ptr(name("`PTR www.shop.test.`")?),
        "MX" => {
            let preference = number(words, "a preference", "`MX 10 mail`")?;
            RecordData::Mx(preference, words.expect("a name", "`MX 10 mail`")?.text.to_owned())
        }
        "SRV" => {
            const EXAMPLE: &str = "`SRV 10 60 5060 sip`";
            let priority = number(words, "a priority", EXAMPLE)?;
            let weight = number(words, "a weight", EXAMPLE)?;
            let port = number(words, "a port", EXAMPLE)?;
            RecordData::Srv(priority, weight, port, words.expect("a host", EXAMPLE)?.text.to_owned())
        }
        "TXT" => RecordData::Txt(texts(words)?),
        "SOA" => {
            return Err(Wrong::new("record", first.range(), "the server makes the SOA record itself")
                .help("a zone needs none; `ttl` bounds how long answers are kept".to_owned()));
        }
        text => match text.parse::<IpAddr>() {
            Ok(address) => RecordData::Address(address),
            Err(_) => RecordData::Host(reading.hosts.host(first)?),
        },
    })
}

/// The strings of a TXT record: each between quotation marks, or all of it as one.
fn texts(words: &mut Words<'_>) -> Result<Vec<String>, Wrong> {
    let rest = words.rest();
    if !rest.text.starts_with('"') {
        let (text, ttl) = match rest.text.rsplit_once(" ttl ") {
            Some((text, time)) if units::time(time.trim()).is_ok() => (text.trim(), true),
            _ => (rest.text, false),
        };
        while words.peek().is_some_and(|w| !ttl || w.at < rest.at + text.len()) {
            words.next();
        }
        return Ok(vec![text.to_owned()]);
    }
    let mut texts = Vec::new();
    let mut at = 0;
    while let Some(begun) = rest.text[at..].trim_start().strip_prefix('"') {
        let begin = rest.text.len() - begun.len();
        let Some(len) = begun.find('"') else {
            return Err(Wrong::new("record", rest.at + begin - 1..rest.range().end, "the \" is never closed"));
        };
        texts.push(begun[..len].to_owned());
        at = begin + len + 1;
    }
    while words.peek().is_some_and(|w| w.at < rest.at + at) {
        words.next();
    }
    Ok(texts)
}

fn number(words: &mut Words<'_>, what: &str, example: &str) -> Result<u16, Wrong> {
    let word = words.expect(what, example)?;
    word.text.parse().map_err(|_| {
        Wrong::new("record", word.range(), format!("`{}` is not {what}", word.text))
            .help(format!("for example {example}"))
    })
}

fn address<A: FromStr>(word: Word<'_>, what: &str) -> Result<A, Wrong> {
    word.text.parse().map_err(|_| Wrong::new("address", word.range(), format!("`{}` is not {what}", word.text)))
}
