//! `[router.NAME.ospf]` and its like: the routing protocols of a router, by the settings that each declares of itself.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use septet_host::Speaker;
use septet_language::document::{Item, Text};
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::schema::{
    self, AnyKey, AtLeast, Count, Entry, Key, KeyType, Phrase, Position, Section, Switch, Table, TableOf, Texts,
};
use septet_language::words::{Word, Wrong};
use septet_network::Iface;
use septet_network::routing::{Config, Form, Kind, PROTOCOLS, Setting, Value};

use crate::model::node::Node;
use crate::model::topology::Topology;

/// A protocol with its keys.
struct Spoken {
    kind: &'static Kind,
    /// Its table.
    key: Key<TableOf>,
    /// In the order of its settings.
    settings: &'static [Key<Written>],
    /// Those of each port likewise.
    ports: &'static [Key<Written>],
}

/// One a protocol; they last as long as the process does, as all keys do.
static SPOKEN: LazyLock<Vec<Spoken>> = LazyLock::new(|| PROTOCOLS.iter().map(|kind| spoken(kind)).collect());

/// What stands before the number of a port.
const PORT: &str = "eth";

fn spoken(kind: &'static Kind) -> Spoken {
    let keys = |settings: &'static [Setting]| -> &'static [Key<Written>] {
        let key = |s: &Setting| Key::new(s.key, Written(s.form), s.doc);
        settings.iter().map(key).collect::<Vec<_>>().leak()
    };
    let group = |keys: &'static [Key<Written>]| -> &'static [&'static [&'static dyn AnyKey]] {
        let keys: &'static [&'static dyn AnyKey] = keys.iter().map(|key| key as &dyn AnyKey).collect::<Vec<_>>().leak();
        vec![keys].leak()
    };
    let (settings, ports) = (keys(kind.settings), keys(kind.ports));
    let mut section = Section::new(kind.doc, group(settings)).required(kind.required);
    if !ports.is_empty() {
        let table = |name, of: Section, what| -> &'static Key<TableOf> {
            Box::leak(Box::new(Key::new(name, TableOf(Box::leak(Box::new(of))), what)))
        };
        let vlan = Section::new("What it does at the interface for one VLAN.", group(ports));
        let port = Section::new("What it does at one port.", group(ports));
        let port = port.numbered(table("", vlan, "the interface for one VLAN"));
        section = section.numbered(table(PORT, port, "one port"));
    }
    Spoken { kind, key: Key::new(kind.name, TableOf(Box::leak(Box::new(section))), kind.doc), settings, ports }
}

/// The keys of all protocols, for the table of a router.
pub(crate) fn keys() -> Vec<&'static dyn AnyKey> {
    SPOKEN.iter().map(|spoken| &spoken.key as &dyn AnyKey).collect()
}

/// The protocols that need no settings, for who says no more than a name.
pub(crate) fn by_name() -> impl Iterator<Item = &'static Kind> {
    PROTOCOLS.iter().copied().filter(|kind| kind.required.is_empty())
}

/// What stands behind a key: what it says, with its text where that may name a router.
type Said = Vec<(Value, Option<Text>, Span)>;

/// A value in the way in which a lab file writes one of its form.
struct Written(Form);

const ADDRESS: Phrase<Value> = Phrase {
    what: "an IPv4 address",
    example: "192.0.2.1",
    read: |_, text| {
        let whole = 0..text.text.len();
        let wrong = |_| Wrong::new("address", whole, format!("`{}` is no IPv4 address", text.text));
        text.text.parse().map(Value::Address).map_err(wrong)
    },
};

/// Lines in the language of a protocol, which reads them once the addresses of all routers are known.
const fn lines(what: &'static str, example: &'static str) -> Texts<Text> {
    Texts(Phrase::later(what, example))
}

impl KeyType for Written {
    type Value = Said;

    fn kind(&self) -> schema::Kind {
        match self.0 {
            Form::Switch => Switch.kind(),
            Form::Span(least) => AtLeast(least).kind(),
            Form::Number(least, most) => Count(least, most).kind(),
            Form::Address => ADDRESS.kind(),
            Form::Words(words) => schema::Kind::Choice(words.to_vec()),
            Form::Lines { what, example, .. } => lines(what, example).kind(),
        }
    }

    fn read(&self, item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Said> {
        let value = match self.0 {
            Form::Switch => Switch.read(item, at, mistakes).map(Value::Switch),
            Form::Span(least) => AtLeast(least).read(item, at, mistakes).map(Value::Span),
            Form::Number(least, most) => Count(least, most).read(item, at, mistakes).map(Value::Number),
            Form::Address => ADDRESS.read(item, at, mistakes),
            Form::Words(words) => word(words, item, at, mistakes),
            Form::Lines { what, example, .. } => {
                let texts = lines(what, example).read(item, at, mistakes)?;
                let said = |text: Text| (Value::Line(text.text.clone()), Some(text), item.span.clone());
                return Some(texts.into_iter().map(said).collect());
            }
        }?;
        Some(vec![(value, None, item.span.clone())])
    }
}

/// One of the words of a setting.
fn word(words: &'static [&'static str], item: &Item, at: Position<'_>, mistakes: &mut Mistakes) -> Option<Value> {
    // The words of a choice are a function's; those of a setting are the protocol's own list.
    let said = septet_language::schema::Line.read(item, at, mistakes)?;
    if let Some(word) = words.iter().find(|word| **word == said.text) {
        return Some(Value::Word(word));
    }
    let reason = format!("`{}` cannot be `{}`", at.path, said.text);
    let help = septet_language::nearest::suggest(&said.text, "it may be", words.iter().copied());
    mistakes.push(Mistake::new("unknown-value", said.inner(), reason, "unknown value").help(help));
    None
}

/// What every router speaks, where the file says `routing = "ospf"` of it or of all.
pub(crate) fn speakers(
    tables: &[Arc<Table>],
    nodes: &[Node],
    named: impl Fn(usize) -> Option<&'static Kind>,
    topology: &Topology,
    mistakes: &mut Mistakes,
) -> Vec<Vec<Speaker>> {
    let mut all = Vec::with_capacity(nodes.len());
    for (index, (node, table)) in nodes.iter().zip(tables).enumerate() {
        let mut reader = Reader { index, tables, nodes, topology, mistakes: &mut *mistakes };
        let speaks = node.kind().routes();
        let tables = SPOKEN.iter().filter(|_| speaks).filter_map(|spoken| {
            let config = reader.config(spoken, table)?;
            Some(Speaker { kind: spoken.kind, config: Arc::from(config) })
        });
        let mut spoken: Vec<Speaker> = tables.collect();
        if let Some(kind) = named(index).filter(|_| speaks)
            && spoken.iter().all(|speaker| speaker.kind.name != kind.name)
        {
            spoken.push(Speaker { kind, config: Arc::from((kind.config)()) });
        }
        all.push(spoken);
    }
    all
}

struct Reader<'a> {
    /// The router.
    index: usize,
    tables: &'a [Arc<Table>],
    nodes: &'a [Node],
    topology: &'a Topology,
    mistakes: &'a mut Mistakes,
}

impl Reader<'_> {
    /// What the router's table says of a protocol.
    fn config(&mut self, spoken: &Spoken, table: &Table) -> Option<Box<dyn Config>> {
        let table = table.get(&spoken.key)?;
        let mut config = (spoken.kind.config)();
        self.set(spoken, &mut *config, None, (spoken.kind.settings, spoken.settings), &table);
        let (port, vlan): (Key<TableOf>, Key<TableOf>) =
            (Key::new(PORT, TableOf(&NO_KEYS), ""), Key::new("", TableOf(&NO_KEYS), ""));
        for (number, entry) in table.numbered(&port) {
            self.interface(spoken, &mut *config, (number, None), &entry);
            for (vlan, entry) in entry.value.numbered(&vlan) {
                self.interface(spoken, &mut *config, (number, Some(vlan)), &entry);
            }
        }
        Some(config)
    }

    /// What the router's table says of a protocol at one interface.
    fn interface(
        &mut self,
        spoken: &Spoken,
        config: &mut dyn Config,
        (number, vlan): (u16, Option<u16>),
        entry: &Entry<'_, Table>,
    ) {
        let node = &self.nodes[self.index];
        let Some(iface) = node.iface(number, vlan) else {
            let behind = vlan.map_or_else(String::new, |vlan| format!(".{vlan}"));
            let kind = if vlan.is_some() { "interface" } else { "port" };
            let reason = format!("`{}` has no {kind} eth{number}{behind}", node.name);
            let names: Vec<String> = node.interface_names().take(9).collect();
            self.mistakes.push(
                Mistake::new("port", entry.name.span.clone(), reason, format!("no such {kind}"))
                    .help(format!("its interfaces: {}", names.join(", "))),
            );
            return;
        };
        self.set(spoken, config, Some(iface), (spoken.kind.ports, spoken.ports), entry.value);
    }

    fn set(
        &mut self,
        spoken: &Spoken,
        config: &mut dyn Config,
        iface: Option<Iface>,
        (settings, keys): (&'static [Setting], &'static [Key<Written>]),
        table: &Table,
    ) {
        for (setting, key) in settings.iter().zip(keys) {
            for (value, text, span) in table.get(key).unwrap_or_default() {
                let (value, place) = match text {
                    Some(text) => match self.line(spoken, setting, &text) {
                        Ok(line) => (Value::Line(line), text.inner()),
                        Err(wrong) => {
                            self.mistakes.push(wrong.mistake(&text));
                            continue;
                        }
                    },
                    None => (value, span),
                };
                if let Err(why) = config.set(iface, setting.key, value) {
                    let what = format!("`{}.{}` cannot be understood", spoken.kind.name, setting.key);
                    self.mistakes.push(Mistake::new("routing", place, format!("{what}: {why}"), "this").help(
                        match setting.form {
                            Form::Lines { example, .. } => Some(format!("for example `{example}`")),
                            _ => None,
                        },
                    ));
                }
            }
        }
    }

    /// A line with the addresses of the routers that it names in place of their names. Where the protocol wants a number of
    /// each neighbour that the neighbour itself says, it is put behind.
    fn line(&self, spoken: &Spoken, setting: &Setting, text: &Text) -> Result<String, Wrong> {
        let Form::Lines { of_peer, .. } = setting.form else { return Ok(text.text.clone()) };
        let whole = Word { text: &text.text, at: 0 };
        let mut line: Vec<String> = Vec::new();
        let mut peer = None;
        for word in whole.split(" ").map(Word::trim).filter(|word| !word.text.is_empty()) {
            let name = word.text.trim_end_matches(':');
            match self.topology.node(Word { text: name, at: word.at }) {
                Ok(node) if !name.is_empty() => {
                    let address = self.address(node, word)?;
                    peer = peer.or(Some(node));
                    line.push(word.text.replace(name, &address.to_string()));
                }
                _ => line.push(word.text.to_owned()),
            }
        }
        if let (Some(key), Some(peer)) = (of_peer, peer)
            && !line.iter().any(|word| word == key)
            && let Some(number) = self.number(spoken, peer, key)
        {
            line.extend([key.to_owned(), number.to_string()]);
        }
        Ok(line.join(" "))
    }

    /// The address of a node on a network that it shares with this router.
    fn address(&self, node: usize, word: Word<'_>) -> Result<IpAddr, Wrong> {
        let own = || self.nodes[self.index].addresses();
        let near = self.nodes[node].addresses().map(|a| a.addr()).find(|a| own().any(|net| net.prefix().contains(*a)));
        near.ok_or_else(|| {
            let reason = format!("`{}` is on no network of `{}`", word.text, self.nodes[self.index].name);
            Wrong::new("gateway", word.range(), reason).label("out of reach")
        })
    }

    /// What a neighbour's own table says under `key`.
    fn number(&self, spoken: &Spoken, node: usize, key: &str) -> Option<u64> {
        let table = self.tables[node].get(&spoken.key)?;
        let at = spoken.kind.settings.iter().position(|setting| setting.key == key)?;
        match table.get(&spoken.settings[at])?.first()? {
            (Value::Number(number), ..) => Some(*number),
            _ => None,
        }
    }
}

/// Numbered keys are found by their name alone.
static NO_KEYS: Section = Section::new("", &[]);
