//! `[host.X.dns]`: an authoritative name server, and the lab's resolver.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use septet_application::dns;

use crate::boot::{Boot, Ground, serve};
use crate::build::BuildError;
use crate::document::{Item, Table, Text, Value};
use crate::lab::Lab;
use crate::mistake::Mistake;
use crate::schema::{Key, Kind, Phrase, Section, later, none};
use crate::service::{Reading, Service, ServiceKind};
use crate::words::{Word, Words, Wrong};

pub(super) const KIND: ServiceKind = ServiceKind {
    key: Key::new("dns", Kind::Table(&SECTION), "an authoritative name server; hosts of the lab ask it for names"),
    read,
};

static SECTION: Section = Section {
    doc: "An authoritative name server. Beside its zones it knows every node as `NAME.lab`.",
    groups: &[&[Key::new(
        "zones",
        Kind::Named("zone", &Kind::Named("name", &Kind::Texts(&RECORD))),
        "by zone and name what is known: a node, an address, or a record such as `CNAME www`",
    )]],
    more: none,
    required: &[],
    numbered: None,
};

static RECORD: Phrase = Phrase { what: "a record", example: "lb", check: later };

/// An authoritative name server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dns {
    /// The zones beside `lab`, which has every node.
    pub zones: Vec<ZoneSpec>,
}

/// A zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneSpec {
    /// What its names end with.
    pub origin: String,
    /// Names, relative to the origin, and what is known of them; `@` is the origin.
    pub records: Vec<(String, RecordData)>,
}

/// What is known of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordData {
    /// The addresses of a node, by its index.
    Node(usize),
    /// An address.
    Address(Ipv4Addr),
    /// Another name for it.
    Cname(String),
    /// A mail server, with its preference.
    Mx(u16, String),
    /// A name server.
    Ns(String),
    /// A text.
    Txt(String),
}

impl Service for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn names(&self) -> Vec<(String, RecordData)> {
        let full = |zone: &ZoneSpec, name: &str| {
            if name == "@" { zone.origin.clone() } else { format!("{name}.{}", zone.origin) }
        };
        let records = self.zones.iter().flat_map(|z| z.records.iter().map(move |(name, data)| (z, name, data)));
        records.map(|(zone, name, data)| (full(zone, name), data.clone())).collect()
    }

    fn ports(&self) -> Vec<u16> {
        vec![dns::PORT]
    }

    fn boot(&self, node: usize, ground: &Ground<'_>) -> Result<Boot, BuildError> {
        let mut zones = vec![lab_zone(ground.lab, node)?];
        zones.extend(reverse_zones(ground.lab, node)?);
        for spec in &self.zones {
            let mut zone = dns::Zone::new(&spec.origin)?;
            for (name, data) in &spec.records {
                add(&mut zone, name, data, ground.lab)?;
            }
            // The zone names this server in its NS record; a file that says otherwise goes before.
            if !spec.records.iter().any(|(name, _)| name == "ns") {
                add(&mut zone, "ns", &RecordData::Node(node), ground.lab)?;
            }
            zones.push(zone);
        }
        let server = dns::Server::new(zones);
        Ok(Box::new(move |net| serve(&net, "dns", server.clone().serve(net.clone()))))
    }
}

/// The zone `lab`: every node by its name.
fn lab_zone(lab: &Lab, node: usize) -> Result<dns::Zone, BuildError> {
    let mut zone = dns::Zone::new("lab")?;
    for index in 0..lab.nodes.len() {
        add(&mut zone, &lab.nodes[index].name.to_ascii_lowercase(), &RecordData::Node(index), lab)?;
    }
    if lab.node("ns").is_none() {
        add(&mut zone, "ns", &RecordData::Node(node), lab)?;
    }
    Ok(zone)
}

/// The names behind the addresses (RFC 1035 §3.5), a zone for each first octet.
fn reverse_zones(lab: &Lab, node: usize) -> Result<Vec<dns::Zone>, BuildError> {
    let mut zones: BTreeMap<u8, dns::Zone> = BTreeMap::new();
    for owner in &lab.nodes {
        for address in owner.ports.iter().filter_map(|p| p.address.map(|c| c.addr())) {
            let IpAddr::V4(v4) = address else { continue };
            let [a, b, c, d] = v4.octets();
            let zone = match zones.entry(a) {
                Entry::Occupied(zone) => zone.into_mut(),
                Entry::Vacant(place) => {
                    let mut zone = dns::Zone::new(&format!("{a}.in-addr.arpa"))?;
                    add(&mut zone, "ns", &RecordData::Node(node), lab)?;
                    place.insert(zone)
                }
            };
            zone.add(&format!("{d}.{c}.{b}"), dns::Data::Ptr(format!("{}.lab.", owner.name.to_ascii_lowercase())))?;
        }
    }
    Ok(zones.into_values().collect())
}

fn add(zone: &mut dns::Zone, name: &str, data: &RecordData, lab: &Lab) -> Result<(), BuildError> {
    let RecordData::Node(node) = *data else { return Ok(zone.add(name, data.shape())?) };
    for address in lab.nodes[node].ports.iter().filter_map(|p| p.address.map(|c| c.addr())) {
        let data = match address {
            IpAddr::V4(v4) => dns::Data::A(v4),
            IpAddr::V6(v6) => dns::Data::Aaaa(v6),
        };
        zone.add(name, data)?;
    }
    Ok(())
}

impl RecordData {
    /// The record itself; that of a node has its address only when the lab is built.
    fn shape(&self) -> dns::Data {
        match self.clone() {
            Self::Node(_) => dns::Data::A(Ipv4Addr::UNSPECIFIED),
            Self::Address(address) => dns::Data::A(address),
            Self::Cname(of) => dns::Data::Cname(of),
            Self::Mx(preference, exchange) => dns::Data::Mx { preference, exchange },
            Self::Ns(server) => dns::Data::Ns(server),
            Self::Txt(text) => dns::Data::Txt(vec![text]),
        }
    }
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let mut zones = Vec::new();
    for (origin, item) in table.table("zones").map(|t| t.entries.as_slice()).unwrap_or_default() {
        let Item { value: Value::Table(names), .. } = item else { continue };
        let mut zone = ZoneSpec { origin: origin.text.trim_end_matches('.').to_ascii_lowercase(), records: Vec::new() };
        if zone.origin == "lab" {
            let mistake =
                Mistake::new("zone", origin.span.clone(), "the zone `lab` is made from the nodes", "this zone")
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
        for (name, _) in &names.entries {
            for text in names.texts(&name.text) {
                let record = record(text, reading);
                let Some(data) = reading.or_report(text, record) else { continue };
                if let Err(why) = checked.add(&name.text, data.shape()) {
                    reading.mistakes.push(unfit("record", text.span.clone(), &why));
                }
                zone.records.push((name.text.to_ascii_lowercase(), data));
            }
        }
        zones.push(zone);
    }
    Some(Arc::new(Dns { zones }))
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

/// `lb`, `10.0.1.5`, `CNAME www`, `MX 10 mail`
fn record(text: &Text, reading: &Reading<'_>) -> Result<RecordData, Wrong> {
    let mut words = Words::of(text);
    let first = words.expect("a record", "`lb`")?;
    let data = match first.text {
        "A" => address(words.expect("an address", "`A 10.0.1.5`")?)?,
        "CNAME" => RecordData::Cname(words.expect("a name", "`CNAME www`")?.text.to_owned()),
        "NS" => RecordData::Ns(words.expect("a name", "`NS ns`")?.text.to_owned()),
        "MX" => {
            let preference = words.expect("a preference", "`MX 10 mail`")?;
            let number = preference.text.parse().map_err(|_| {
                Wrong::new("record", preference.range(), format!("`{}` is not a preference", preference.text))
                    .help("for example `MX 10 mail`".to_owned())
            })?;
            RecordData::Mx(number, words.expect("a name", "`MX 10 mail`")?.text.to_owned())
        }
        "TXT" => return Ok(RecordData::Txt(words.rest().text.trim_matches('"').to_owned())),
        _ if first.text.parse::<Ipv4Addr>().is_ok() => address(first)?,
        _ => RecordData::Node(reading.topology.node(first)?),
    };
    match words.next() {
        None => Ok(data),
        Some(word) => Err(Wrong::new("record", word.range(), format!("`{}` is left over", word.text))),
    }
}

fn address(word: Word<'_>) -> Result<RecordData, Wrong> {
    word.text
        .parse()
        .map(RecordData::Address)
        .map_err(|_| Wrong::new("address", word.range(), format!("`{}` is not an IPv4 address", word.text)))
}
