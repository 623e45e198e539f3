//! `routes`: routes by hand, as `ip route add` takes them, with names where it takes addresses.

use std::net::IpAddr;

use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes};
use septet_language::nearest::suggest;
use septet_language::schema::{Key, Phrase, Texts};
use septet_language::words::{Word, Words, Wrong};
use septet_network::route::{MtuLock, RouteMtu, Towards, WrittenRoute};
use septet_network::{Cidr, Prefix};

use crate::model::node::Node;
use crate::model::topology::Topology;
use crate::model::versions::Version;

pub(crate) static ROUTES: Key<Texts<Text>> = Key::new(
    "routes",
    Texts(Phrase::later("a route", EXAMPLE)),
    "routes by hand, beside those that are computed and before them: `10.0.0.0/8 via r2`, `default via 10.0.1.1 metric 5`, \
     `10.2.0.0/16 via r2, r3`, `10.3.0.0/16 via r2 mtu lock 1400`, `blackhole 10.9.0.0/16`",
);

const EXAMPLE: &str = "10.0.0.0/8 via r2";
const KINDS: [&str; 4] = ["unicast", "unreachable", "blackhole", "prohibit"];

/// Reads the routes of a node whose addresses are known.
pub(crate) fn read(
    texts: &[Text],
    node: &Node,
    nodes: &[Node],
    topology: &Topology,
    mistakes: &mut Mistakes,
) -> Vec<WrittenRoute> {
    let reader = Reader { node, nodes, topology };
    let mut routes: Vec<WrittenRoute> = Vec::new();
    for text in texts {
        match reader.route(text) {
            Ok(read) => {
                for route in read {
                    // `ip route add` answers "File exists".
                    if routes.iter().any(|r| (r.prefix, r.metric) == (route.prefix, route.metric)) {
                        let reason = format!(
                            "`{}` has a route to {} of metric {} already",
                            node.name, route.prefix, route.metric
                        );
                        let help = format!("give it another metric: `metric {}`", route.metric + 1);
                        mistakes.push(Mistake::new("route", text.inner(), reason, "a second one").help(help));
                    } else {
                        routes.push(route);
                    }
                }
            }
            Err(wrong) => mistakes.push(wrong.mistake(text)),
        }
    }
    routes
}

struct Reader<'a> {
    node: &'a Node,
    nodes: &'a [Node],
    topology: &'a Topology,
}

impl Reader<'_> {
    /// What a text says: a route, or where it names nodes one of each version of IP.
    fn route(&self, text: &Text) -> Result<Vec<WrittenRoute>, Wrong> {
        let mut words = Words::of(text);
        let kind = words.peek().and_then(|word| KINDS.into_iter().find(|kind| *kind == word.text));
        if kind.is_some() {
            words.next();
        }
        let to = words.expect("the destination", EXAMPLE)?;
        let prefixes = self.destination(to)?;
        let (mut via, mut device, mut metric, mut mtu) = (None, None, None, None);
        while let Some(word) = words.next() {
            match word.text {
                "via" if via.is_none() => via = Some(self.gateways(&mut words)?),
                "dev" if device.is_none() => device = Some(self.device(words.expect("an interface", "dev eth0")?)?),
                "metric" if metric.is_none() => metric = Some(number(words.expect("a number", "metric 5")?)?),
                "mtu" if mtu.is_none() => mtu = Some(route_mtu(&mut words)?),
                "via" | "dev" | "metric" | "mtu" => {
                    return Err(Wrong::new("route", word.range(), format!("`{}` is said twice", word.text)));
                }
                _ => {
                    let wrong = Wrong::new("route", word.range(), format!("`{}` is no part of a route", word.text));
                    return Err(wrong.help(suggest(word.text, "words", ["via", "dev", "metric", "mtu"])));
                }
            }
        }
        let metric = metric.unwrap_or(0);
        let refused = match kind {
            Some("unreachable") => Some(Towards::Unreachable),
            Some("blackhole") => Some(Towards::Blackhole),
            Some("prohibit") => Some(Towards::Prohibit),
            _ => None,
        };
        let all = |towards: Towards| {
            prefixes
                .iter()
                .map(|prefix| WrittenRoute { prefix: *prefix, towards: towards.clone(), metric, mtu })
                .collect()
        };
        match (refused, via, device) {
            (Some(refused), None, None) => Ok(all(refused)),
            (Some(_), ..) => {
                let reason = format!("what is `{}` goes nowhere, and so through nobody", kind.unwrap_or_default());
                Err(Wrong::new("route", 0..text.text.len(), reason).help("leave out `via` and `dev`".to_owned()))
            }
            (None, None, Some(iface)) => Ok(all(Towards::Link(iface))),
            (None, Some(via), None) => through(&prefixes, &via, (metric, mtu), to),
            (None, Some(_), Some(_)) => {
                let reason = "the interface is the one on whose link the gateway is";
                Err(Wrong::new("route", 0..text.text.len(), reason).help("leave out `dev`".to_owned()))
            }
            (None, None, None) => {
                Err(Wrong::new("incomplete", text.text.len()..text.text.len(), "the gateway is missing")
                    .label("expected here")
                    .help(format!(
                        "for example {EXAMPLE}; or `blackhole`, `unreachable` or `prohibit` before the destination"
                    )))
            }
        }
    }

    /// `default`, an address, a prefix, or the addresses of a node.
    fn destination(&self, word: Word<'_>) -> Result<Vec<Prefix>, Wrong> {
        if word.text == "default" {
            return Ok(vec![Prefix::DEFAULT_V4, Prefix::DEFAULT_V6]);
        }
        if !word.text.starts_with(|c: char| c.is_ascii_digit()) && !word.text.contains(':') {
            let node = self.topology.node(word)?;
            return Ok(self.nodes[node].addresses().map(|cidr| Prefix::host(cidr.addr())).collect());
        }
        let cidr: Cidr = word.text.parse().map_err(|why| {
            Wrong::new("route", word.range(), format!("`{}` is {why}", word.text)).label("not a destination").help(
                "write a prefix such as `10.0.0.0/8` or `fd00::/8`, an address, `default`, or the name of a node"
                    .to_owned(),
            )
        })?;
        let prefix = cidr.prefix();
        if prefix.addr() != cidr.addr() {
            // As `ip route add`: "Invalid prefix for given prefix length."
            let reason = format!("`{}` has bits set behind its {} first", word.text, prefix.prefix_len());
            return Err(Wrong::new("route", word.range(), reason)
                .label("not a prefix")
                .help(format!("write `{prefix}`")));
        }
        Ok(vec![prefix])
    }

    /// `r2, r3`: of each an address on a network of this node, of a name those of both versions.
    fn gateways<'t>(&self, words: &mut Words<'t>) -> Result<Vec<(Word<'t>, Vec<IpAddr>)>, Wrong> {
        let mut gateways = Vec::new();
        loop {
            let word = words.expect("a gateway", EXAMPLE)?;
            let (name, more) = match word.text.strip_suffix(',') {
                Some(name) => (Word { text: name, ..word }, true),
                None => (word, words.peek().is_some_and(|next| next.text == ",")),
            };
            for part in name.split(",") {
                gateways.push((part, self.gateway(part)?));
            }
            if !more {
                return Ok(gateways);
            }
            words.take(",");
        }
    }

    fn gateway(&self, word: Word<'_>) -> Result<Vec<IpAddr>, Wrong> {
        let near = |address: &IpAddr| self.node.addresses().any(|net| net.prefix().contains(*address));
        let own = |address: &IpAddr| self.node.addresses().any(|net| net.addr() == *address);
        let found: Vec<IpAddr> = match word.text.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let all =
                    self.nodes[self.topology.node(word)?].addresses().map(Cidr::addr).filter(near).collect::<Vec<_>>();
                let first = |version| all.iter().copied().find(|address| Version::of(*address) == version);
                Version::ALL.into_iter().filter_map(first).collect()
            }
        };
        if found.iter().any(own) {
            let reason = format!("`{}` is `{}` itself", word.text, self.node.name);
            return Err(Wrong::new("gateway", word.range(), reason).label("not a neighbour"));
        }
        if found.is_empty() || !found.iter().all(near) {
            let reason = format!("`{}` is on no network of `{}`", word.text, self.node.name);
            return Err(Wrong::new("gateway", word.range(), reason).label("out of reach"));
        }
        Ok(found)
    }

    /// `eth0`, `eth0.10`: the number of an interface.
    fn device(&self, word: Word<'_>) -> Result<u16, Wrong> {
        let names: Vec<String> = self.node.interface_names().collect();
        let found = names.iter().position(|name| name == word.text);
        found.map(|at| at as u16).ok_or_else(|| {
            Wrong::new("route", word.range(), format!("`{}` has no interface `{}`", self.node.name, word.text))
                .label("no such interface")
                .help(format!("it has {}", names.join(", ")))
        })
    }
}

/// Routes through gateways: to each prefix through those of its version.
fn through(
    prefixes: &[Prefix],
    via: &[(Word<'_>, Vec<IpAddr>)],
    (metric, mtu): (u32, Option<RouteMtu>),
    to: Word<'_>,
) -> Result<Vec<WrittenRoute>, Wrong> {
    let mut routes = Vec::new();
    for prefix in prefixes {
        let version = Version::of(prefix.addr());
        let of_version = |(_, all): &(Word<'_>, Vec<IpAddr>)| all.iter().copied().find(|g| Version::of(*g) == version);
        let gateways: Vec<IpAddr> = via.iter().filter_map(of_version).collect();
        match gateways.len() {
            0 => {}
            all if all == via.len() => {
                routes.push(WrittenRoute { prefix: *prefix, towards: Towards::Via(gateways), metric, mtu })
            }
            _ => {
                let other = via.iter().find(|hop| of_version(hop).is_none()).map_or(to, |(word, _)| *word);
                let reason = format!("`{}` is not of the same version of IP as the other gateways", other.text);
                return Err(Wrong::new("route", other.range(), reason).label("of the other version"));
            }
        }
    }
    if routes.is_empty() {
        let (word, _) = via[0];
        let reason = format!("`{}` and `{}` are not of the same version of IP", to.text, word.text);
        return Err(Wrong::new("route", word.range(), reason).label("of the other version"));
    }
    Ok(routes)
}

fn number(word: Word<'_>) -> Result<u32, Wrong> {
    word.text.parse().map_err(|_| {
        Wrong::new("route", word.range(), format!("`{}` is no metric", word.text))
            .label("a number from 0 to 4294967295")
    })
}

/// `mtu 1400`, or `mtu lock 1400`, where no smaller one is looked for.
fn route_mtu(words: &mut Words<'_>) -> Result<RouteMtu, Wrong> {
    const MTU: &str = "mtu 1400";
    let lock = if words.take("lock") { MtuLock::Locked } else { MtuLock::Open };
    let word = words.expect("a size", MTU)?;
    // RFC 791: "every internet module must be able to forward a datagram of 68 octets without further fragmentation"; the
    // length has 16 bits.
    let bytes = word.text.parse().ok().filter(|bytes| (68..=65_535).contains(bytes)).ok_or_else(|| {
        Wrong::new("route", word.range(), format!("`{}` is no MTU", word.text))
            .label("a number of bytes from 68 to 65535")
    })?;
    Ok(RouteMtu { bytes, lock })
}
