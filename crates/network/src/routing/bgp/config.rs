//! What may be set of BGP, and how it begins.

use core::time::Duration;
use std::collections::BTreeMap;

use septet_core::Metric;
use septet_wire::bgp::PORT;

use super::super::kind::{Carriage, Config, Form, Identity, Kind, Setting, Value};
use super::super::protocol::RoutingProtocol;
use super::peer::Peer;
use super::policy::network;
use super::router::{Bgp, Counters};
use super::settings::Settings;
use crate::route::{Iface, Origin};

/// The table's entry.
pub(crate) static KIND: Kind = Kind {
    name: "bgp",
    doc: "BGP-4: autonomous systems tell each other whole paths, and each decides by its own policy",
    carriage: Carriage::Tcp(PORT),
    origin: Origin::Bgp,
    settings: &[
        Setting::new("as", Form::Number(1, u32::MAX as u64), "the router's autonomous system"),
        Setting::new(
            "neighbors",
            Form::Lines { what: "a neighbour", example: "r2 as 65002", of_peer: Some("as") },
            "routers of other systems with which it speaks, by name or address: `r2`, `10.0.1.2 as 65002`",
        ),
        Setting::new(
            "networks",
            Form::Lines { what: "a network", example: "10.9.0.0/16", of_peer: None },
            "the networks that it tells others of, beside its routes by hand",
        ),
        Setting::new(
            "import",
            Form::Lines { what: "a rule", example: "r2 10.0.0.0/8+ local-pref 200", of_peer: None },
            "what becomes of routes that neighbours tell; of each neighbour the first rule that fits (all are taken as they are)",
        ),
        Setting::new(
            "export",
            Form::Lines { what: "a rule", example: "any 10.9.0.0/16 prepend 2", of_peer: None },
            "what becomes of routes that neighbours are told, likewise",
        ),
        Setting::new(
            "hold",
            Form::Span(Duration::from_secs(3)),
            "how long a neighbour may be silent, in whole seconds (90s)",
        ),
        Setting::new(
            "interval",
            Form::Span(Duration::ZERO),
            "the least time between two updates to one neighbour (1s)",
        ),
        Setting::new("router_id", Form::Address, "what the router is called (its highest address)"),
    ],
    ports: &[],
    required: &["as", "neighbors"],
    counters: Counters::METRICS,
    metrics: &[
        Metric::numbers("bgp.established", "how many sessions of BGP are established, whenever that changes"),
        Metric::numbers("bgp.routes", "how many routes BGP has decided for, whenever that changes"),
    ],
    config: || Box::<Settings>::default(),
};

impl Config for Settings {
    fn set(&mut self, _: Option<Iface>, key: &str, value: Value) -> Result<(), String> {
        match (key, value) {
            ("as", Value::Number(system)) => self.system = system as u32,
            ("neighbors", Value::Line(line)) => {
                let words: Vec<&str> = line.split_whitespace().collect();
                let [address, "as", system] = words[..] else {
                    return Err("a neighbour is an address, `as` and the number of its system".to_owned());
                };
                let address =
                    address.parse().map_err(|_| format!("`{address}` is no IPv4 address, and no router's name"))?;
                let system = system.parse().ok().filter(|system| *system > 0);
                let system =
                    system.ok_or_else(|| "an autonomous system has a number from 1 to 4294967295".to_owned())?;
                if system == self.system {
                    return Err("it is of the same system, and only those of others are spoken with".to_owned());
                }
                self.neighbors.insert(address, system);
            }
            ("networks", Value::Line(line)) => drop(self.networks.insert(network(&line)?)),
            ("import", Value::Line(line)) => self.imports.push(line.parse()?),
            ("export", Value::Line(line)) => self.exports.push(line.parse()?),
            ("hold", Value::Span(time)) => self.hold = Duration::from_secs(time.as_secs().min(u64::from(u16::MAX))),
            ("interval", Value::Span(time)) => self.interval = time,
            ("router_id", Value::Address(id)) => self.router_id = Some(id),
            _ => {}
        }
        Ok(())
    }

    fn start(&self, router: Identity) -> Box<dyn RoutingProtocol> {
        Box::new(Bgp {
            id: self.router_id.unwrap_or(router.router),
            networks: self.networks.iter().copied().chain(router.by_hand).collect(),
            links: BTreeMap::new(),
            peers: self.neighbors.iter().map(|(address, system)| (*address, Peer::new(*system))).collect(),
            conversation: 0,
            best: BTreeMap::new(),
            established: 0,
            counters: Counters::default(),
            settings: self.clone(),
        })
    }

    fn boxed(&self) -> Box<dyn Config> {
        Box::new(self.clone())
    }
}
