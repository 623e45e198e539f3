//! A zone: the names under one origin and what is known of them.

use core::fmt;
use core::ops::Bound;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};

/// What a record says. Names are relative to the zone's origin unless they end with a dot; `@` is the origin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name for the same thing.
    Cname(String),
    /// Where mail goes; the lower preference first.
    Mx {
        /// The lower, the sooner it is tried.
        preference: u16,
        /// The mail server.
        exchange: String,
    },
    /// A name server of the zone, or of one delegated below it.
    Ns(String),
    /// The name that belongs to an address.
    Ptr(String),
    /// Where a service is.
    Srv {
        /// The lower, the sooner it is tried.
        priority: u16,
        /// The share among those of the same priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: String,
    },
    /// Text, in strings of at most 255 bytes.
    Txt(Vec<String>),
}

/// Why a zone or a record will not do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ZoneError {
    /// Not a domain name; why.
    Name(String, String),
    /// The owner is not at or below the origin.
    OutOfZone(String),
    /// RFC 1034 §3.6.2: "If a CNAME RR is present at a node, no other data should be present".
    CnameAndOther(String),
    /// A character-string of more than 255 bytes (RFC 1035 §3.3).
    LongText(String),
    /// A second, different CNAME or DNAME at one name.
    SecondAlias(String),
    /// The zone has no SOA record.
    NoSoa,
    /// The zone has two different SOA records.
    SecondSoa,
    /// A SOA record at another name than the origin.
    SoaElsewhere(String),
    /// The origin has no NS record.
    NoServers,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, why) => write!(f, "`{name}` is no domain name: {why}"),
            Self::OutOfZone(name) => write!(f, "`{name}` does not lie in the zone"),
            Self::CnameAndOther(name) => write!(f, "`{name}` has a CNAME, and so can have nothing else"),
            Self::LongText(name) => write!(f, "a string of the TXT record of `{name}` is longer than 255 bytes"),
            Self::SecondAlias(name) => write!(f, "`{name}` is an alias of something else already"),
            Self::NoSoa => f.write_str("the zone has no SOA record"),
            Self::SecondSoa => f.write_str("the zone has a SOA record already"),
            Self::SoaElsewhere(name) => write!(f, "a SOA record at `{name}`, which is not the origin of the zone"),
            Self::NoServers => f.write_str("the origin of the zone has no NS record"),
        }
    }
}

impl std::error::Error for ZoneError {}

/// The names under one origin.
///
/// ```
/// use septet_application::dns::{Data, Zone};
/// let mut zone = Zone::new("shop.test")?;
/// zone.add("lb", Data::A([10, 0, 3, 2].into()))?;
/// zone.add("www", Data::Cname("lb".into()))?;
/// assert!(zone.add("www", Data::A([10, 0, 3, 3].into())).is_err(), "a CNAME stands alone");
/// # Ok::<(), septet_application::dns::ZoneError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    origin: Name,
    ttl: u32,
    nodes: BTreeMap<LowerName, Node>,
    /// The sets of records that updates brought; the others no update changes.
    by_update: BTreeSet<(LowerName, RecordType)>,
    apex: LowerName,
    state: State,
}

/// Whether a zone is answered from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Served,
    /// It was never transferred from its primary.
    Awaited,
    /// Its primary has not been heard of for too long.
    Expired,
}

/// What is known of one name. A name that only lies between others has an empty node (RFC 4592 §2.2.2).
pub(super) type Node = BTreeMap<RecordType, Vec<Record>>;

/// Which records of a name are to go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doomed<'r> {
    /// All.
    All,
    /// Those of a type.
    Kind(RecordType),
    /// The one that says this.
    One(&'r RData),
}

/// The default time to live.
const TTL: Duration = Duration::from_secs(3600);
/// RFC 2308 §5: how long a negative answer may be kept.
const NEGATIVE_TTL: u32 = 300;

impl Zone {
    /// A zone with nothing but its SOA and NS records, both naming `ns.ORIGIN`.
    ///
    /// # Errors
    /// [`ZoneError::Name`].
    pub fn new(origin: &str) -> Result<Self, ZoneError> {
        let mut name = parse(origin, None)?;
        name.set_fqdn(true);
        let ttl = u32::try_from(TTL.as_secs()).unwrap_or(u32::MAX);
        let mut zone = Self::empty(name, State::Served);
        zone.ttl = ttl;
        let server = zone.name("ns")?;
        let mailbox = zone.name("hostmaster")?;
        // The timers that RIPE-203 recommends for small and stable zones.
        let soa = SOA::new(server.clone(), mailbox, 1, 86_400, 7_200, 3_600_000, NEGATIVE_TTL);
        zone.insert(Record::from_rdata(zone.origin.clone(), ttl, RData::SOA(soa)))?;
        zone.insert(Record::from_rdata(zone.origin.clone(), ttl, RData::NS(NS(server))))?;
        Ok(zone)
    }

    fn empty(origin: Name, state: State) -> Self {
        let apex = LowerName::new(&origin);
        Self { origin, ttl: 0, nodes: BTreeMap::new(), by_update: BTreeSet::new(), apex, state }
    }

    /// A zone that a secondary server is to fetch from its primary; until then it has no answers.
    ///
    /// # Errors
    /// [`ZoneError::Name`].
    pub fn awaited(origin: &str) -> Result<Self, ZoneError> {
        let mut name = parse(origin, None)?;
        name.set_fqdn(true);
        Ok(Self::empty(name, State::Awaited))
    }

    /// A zone of whole records: those of a zone file or of a transfer. Exactly one of them is the SOA, at the origin, which
    /// has NS records too.
    ///
    /// # Errors
    /// Each kind of [`ZoneError`], with the number of the record that it is about, where it is about one.
    pub fn of_records(
        origin: Name,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Self, (Option<usize>, ZoneError)> {
        let mut zone = Self::empty(origin, State::Served);
        for (at, record) in records.into_iter().enumerate() {
            let refused = |why| (Some(at), why);
            if record.record_type() == RecordType::SOA {
                if LowerName::new(&record.name) != zone.apex {
                    return Err(refused(ZoneError::SoaElsewhere(record.name.to_ascii())));
                }
                if zone.soa().is_some_and(|soa| soa.data != record.data) {
                    return Err(refused(ZoneError::SecondSoa));
                }
            }
            zone.insert(record).map_err(refused)?;
        }
        let apex = zone.nodes.get(&zone.apex);
        let has = |kind| apex.is_some_and(|node| node.contains_key(&kind));
        for (kind, why) in [(RecordType::SOA, ZoneError::NoSoa), (RecordType::NS, ZoneError::NoServers)] {
            if !has(kind) {
                return Err((None, why));
            }
        }
        Ok(zone)
    }

    /// Why nothing can be answered from it, where that is so.
    pub(super) const fn out_of_service(&self) -> Option<&'static str> {
        match self.state {
            State::Served => None,
            State::Awaited => Some("the zone has not come from its primary yet"),
            State::Expired => Some("the zone has expired: its primary was not heard of for too long"),
        }
    }

    /// RFC 1035 §3.3.13: EXPIRE is "the upper limit on the time interval that can elapse before the zone is no longer
    /// authoritative".
    pub(super) fn expire(&mut self) {
        if self.state == State::Served {
            self.state = State::Expired;
        }
    }

    /// The serial of the SOA.
    pub fn serial(&self) -> Option<u32> {
        match &self.soa()?.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        }
    }

    /// Says which version of the zone it is.
    pub fn set_serial(&mut self, serial: u32) {
        let set = self.nodes.get_mut(&self.apex).and_then(|node| node.get_mut(&RecordType::SOA));
        if let Some(Record { data: RData::SOA(soa), .. }) = set.and_then(|set| set.first_mut()) {
            soa.serial = serial;
        }
    }

    /// The origin, as names are compared.
    pub(super) const fn apex(&self) -> &LowerName {
        &self.apex
    }

    /// The origin.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// Says how long all records of the zone, those that were made up and those that are added, may be kept (1 h).
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.set_ttl(ttl);
        for record in self.nodes.values_mut().flat_map(BTreeMap::values_mut).flatten() {
            record.ttl = self.ttl;
        }
        self
    }

    /// What records added from now on live for.
    pub fn set_ttl(&mut self, ttl: Duration) {
        // RFC 2181 §8: "a TTL value is an unsigned number, with a minimum value of 0, and a maximum value of 2147483647".
        self.ttl = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).min(i32::MAX as u32);
    }

    /// Adds a record at `owner`. The first [`Data::Ns`] at the origin takes the place of the one made up by
    /// [`new`](Self::new).
    ///
    /// # Errors
    /// Each kind of [`ZoneError`].
    pub fn add(&mut self, owner: &str, data: Data) -> Result<(), ZoneError> {
        let owner = self.name(owner)?;
        let data = match data {
            Data::A(ip) => RData::A(A(ip)),
            Data::Aaaa(ip) => RData::AAAA(AAAA(ip)),
            Data::Cname(name) => RData::CNAME(CNAME(self.name(&name)?)),
            Data::Mx { preference, exchange } => RData::MX(MX::new(preference, self.name(&exchange)?)),
            Data::Ns(name) => RData::NS(NS(self.name(&name)?)),
            Data::Ptr(name) => RData::PTR(PTR(self.name(&name)?)),
            Data::Srv { priority, weight, port, target } => {
                RData::SRV(SRV::new(priority, weight, port, self.name(&target)?))
            }
            Data::Txt(strings) => {
                if strings.iter().any(|s| s.len() > 255) {
                    return Err(ZoneError::LongText(owner.to_ascii()));
                }
                RData::TXT(TXT::new(strings))
            }
        };
        if let RData::NS(_) = data
            && owner == self.origin
            && let Some(node) = self.nodes.get_mut(&LowerName::new(&owner))
            && let made_up = self.origin.prepend_label("ns").ok()
            && let Some([Record { data: RData::NS(NS(only)), .. }]) = node.get(&RecordType::NS).map(Vec::as_slice)
            && Some(only) == made_up.as_ref()
        {
            node.remove(&RecordType::NS);
        }
        self.insert(Record::from_rdata(owner, self.ttl, data))
    }

    fn name(&self, name: &str) -> Result<Name, ZoneError> {
        if name == "@" || name.is_empty() { Ok(self.origin.clone()) } else { parse(name, Some(&self.origin)) }
    }

    fn insert(&mut self, record: Record) -> Result<(), ZoneError> {
        let owner = LowerName::new(&record.name);
        if !self.apex.zone_of(&owner) {
            return Err(ZoneError::OutOfZone(record.name.to_ascii()));
        }
        let kind = record.record_type();
        let node = self.nodes.entry(owner.clone()).or_default();
        // RFC 2181 §10.1: a name has one canonical name; RFC 6672 §2.4: "There MUST NOT be more than one DNAME".
        if matches!(kind, RecordType::CNAME | RecordType::DNAME)
            && node.get(&kind).is_some_and(|set| set.iter().any(|r| r.data != record.data))
        {
            return Err(ZoneError::SecondAlias(record.name.to_ascii()));
        }
        let clash = match kind {
            RecordType::CNAME => node.keys().any(|kind| *kind != RecordType::CNAME),
            _ => node.contains_key(&RecordType::CNAME),
        };
        if clash {
            return Err(ZoneError::CnameAndOther(record.name.to_ascii()));
        }
        let set = node.entry(kind).or_default();
        // RFC 2181 §5: a set holds no record twice, and all its records have one TTL (§5.2), the lowest.
        let ttl = set.iter().map(|r| r.ttl).fold(record.ttl, u32::min);
        let mut record = record;
        record.ttl = ttl;
        set.iter_mut().for_each(|r| r.ttl = ttl);
        if !set.iter().any(|r| r.data == record.data) {
            set.push(record);
        }
        let mut between = owner;
        while between != self.apex {
            between = between.base_name();
            self.nodes.entry(between.clone()).or_default();
        }
        Ok(())
    }

    /// The names that have addresses, and these.
    pub fn addresses(&self) -> impl Iterator<Item = (String, IpAddr)> {
        self.records().filter_map(|record| {
            let name = record.name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
            Some((name, record.data.ip_addr()?))
        })
    }

    /// The node at `name`.
    pub(super) fn node(&self, name: &LowerName) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// Whether a name lies in the zone.
    pub(super) fn holds(&self, name: &LowerName) -> bool {
        self.apex.zone_of(name)
    }

    /// Whether an update of records of `kind` at a name would touch what no update brought. Beside a CNAME stands nothing.
    pub(super) fn is_fixed(&self, name: &LowerName, kind: RecordType) -> bool {
        let touches =
            |own: RecordType| own == kind || kind == RecordType::ANY || [own, kind].contains(&RecordType::CNAME);
        let is_own = |own: &RecordType| touches(*own) && !self.by_update.contains(&(name.clone(), *own));
        *name == self.apex || self.nodes.get(name).is_some_and(|node| node.keys().any(is_own))
    }

    /// How many sets of records updates brought.
    pub(super) fn come_by_updates(&self) -> usize {
        self.by_update.len()
    }

    /// Adds a record; one that does not go with those that are there is left out (RFC 2136 §3.4.2.2).
    pub(super) fn add_by_update(&mut self, record: Record) {
        let (name, kind) = (LowerName::new(&record.name), record.record_type());
        if self.insert(record).is_ok() {
            self.by_update.insert((name, kind));
        }
    }

    /// Takes records away, and the node that has none any more.
    pub(super) fn remove(&mut self, name: &LowerName, doomed: Doomed<'_>) {
        let Some(node) = self.nodes.get_mut(name) else { return };
        let kinds: Vec<RecordType> = node.keys().copied().collect();
        match doomed {
            Doomed::All => node.clear(),
            Doomed::Kind(kind) => {
                node.remove(&kind);
            }
            Doomed::One(data) => node.values_mut().for_each(|set| set.retain(|r| r.data != *data)),
        }
        node.retain(|_, set| !set.is_empty());
        let node = &*node;
        kinds.iter().filter(|kind| !node.contains_key(kind)).for_each(|kind| {
            self.by_update.remove(&(name.clone(), *kind));
        });
        if !node.is_empty() {
            return;
        }
        // A name that only lies between others has a node, too, as long as there is one below it.
        let mut name = name.clone();
        while name != self.apex && self.nodes.get(&name).is_some_and(BTreeMap::is_empty) && !self.has_below(&name) {
            self.nodes.remove(&name);
            name = name.base_name();
        }
    }

    /// Whether there is a node below this one: in the order of names (RFC 4034 §6.1) those come next.
    fn has_below(&self, name: &LowerName) -> bool {
        let next = self.nodes.range((Bound::Excluded(name), Bound::Unbounded)).next();
        next.is_some_and(|(next, _)| name.zone_of(next))
    }

    /// Tells that the zone is another than before.
    pub(super) fn advance_serial(&mut self) {
        let set = self.nodes.get_mut(&self.apex).and_then(|node| node.get_mut(&RecordType::SOA));
        if let Some(Record { data: RData::SOA(soa), .. }) = set.and_then(|set| set.first_mut()) {
            // RFC 1982; no zone has the serial 0 (RFC 2136 §7.14).
            soa.serial = soa.serial.wrapping_add(1).max(1);
        }
    }

    /// The SOA record.
    pub(super) fn soa(&self) -> Option<&Record> {
        self.nodes.get(&self.apex)?.get(&RecordType::SOA)?.first()
    }

    /// Every record, the SOA first (RFC 5936 §2.2).
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        let rest = self.nodes.values().flat_map(BTreeMap::iter).filter(|(kind, _)| **kind != RecordType::SOA);
        self.soa().into_iter().chain(rest.flat_map(|(_, set)| set))
    }
}

fn parse(name: &str, origin: Option<&Name>) -> Result<Name, ZoneError> {
    Name::parse(name, origin)
        .map_err(|e| ZoneError::Name(name.to_owned(), e.to_string().trim_end_matches([':', ' ']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let mut z = Zone::new("shop.test.").unwrap();
        assert!(matches!(Zone::new("a..b"), Err(ZoneError::Name(..))));
        assert!(matches!(z.add("www.other.test.", Data::A([1, 2, 3, 4].into())), Err(ZoneError::OutOfZone(_))));
        assert!(matches!(z.add("t", Data::Txt(vec!["x".repeat(256)])), Err(ZoneError::LongText(_))));
        assert!(matches!(z.add("@", Data::Cname("x".into())), Err(ZoneError::CnameAndOther(_))));
    }

    #[test]
    fn the_made_up_name_server_gives_way() {
        let mut z = Zone::new("shop.test").unwrap();
        z.add("@", Data::Ns("dns1".into())).unwrap();
        z.add("@", Data::Ns("dns2".into())).unwrap();
        let ns: Vec<_> =
            z.records().filter(|r| r.record_type() == RecordType::NS).map(|r| r.data.to_string()).collect();
        assert_eq!(ns, ["dns1.shop.test.", "dns2.shop.test."]);
    }
}
