//! What may be set of OSPF, and how it begins.

use core::time::Duration;
use std::collections::BTreeMap;

use septet_core::Metric;
use septet_wire::ospf::PROTOCOL;

use super::super::kind::{Carriage, Config, Form, Identity, Kind, Setting, Value};
use super::super::protocol::RoutingProtocol;
use super::computed::Computed;
use super::database::Database;
use super::delay::Backoff;
use super::router::{Counters, Ospf};
use super::settings::{LinkType, Settings};
use crate::route::{Iface, Origin};

/// The table's entry.
pub(crate) static KIND: Kind = Kind {
    name: "ospf",
    doc: "OSPFv2: routers agree on a map of all links, and each computes its shortest paths",
    carriage: Carriage::Ip(PROTOCOL),
    origin: Origin::Ospf,
    settings: &[
        Setting::new("hello", Form::Span(SECOND), "how often a router says that it is there, in whole seconds (10s)"),
        Setting::new(
            "dead",
            Form::Span(SECOND),
            "when a silent neighbour is held to be gone, in whole seconds (four times `hello`)",
        ),
        Setting::new("retransmit", Form::Span(SECOND), "when what was not acknowledged is sent again (5s)"),
        Setting::new("area", Form::Address, "the area of all its links (0.0.0.0)"),
        Setting::new("stub", Form::Switch, "whether the area is a stub, which hears of nothing outside (false)"),
        Setting::new("router_id", Form::Address, "what the router is called (its highest address)"),
        Setting::new("type", Form::Words(TYPES), "what its links are (broadcast)"),
        Setting::new("reference", Form::Number(1, 100_000), "the rate, in Mbit/s, of a link that costs 1 (100)"),
        Setting::new("redistribute", Form::Switch, "whether others hear of this router's routes by hand (false)"),
        Setting::new(
            "spf_delay",
            Form::Span(Duration::ZERO),
            "how long changes are gathered before paths are computed, where all was quiet (50ms)",
        ),
        Setting::new(
            "spf_short_delay",
            Form::Span(Duration::ZERO),
            "the same for what changes within `spf_time_to_learn` of the first change (200ms)",
        ),
        Setting::new("spf_long_delay", Form::Span(Duration::ZERO), "the same for what changes after that (5s)"),
        Setting::new(
            "spf_time_to_learn",
            Form::Span(Duration::ZERO),
            "how long all that one failure changes takes to be learned (500ms)",
        ),
        Setting::new(
            "spf_hold_down",
            Form::Span(Duration::ZERO),
            "how long nothing must change before all is quiet again (10s)",
        ),
    ],
    ports: &[
        Setting::new(
            "cost",
            Form::Number(1, 65_535),
            "what crossing the link of this port costs (from its rate; 10 without one)",
        ),
        Setting::new("priority", Form::Number(0, 255), "how much it wants to be the designated router; 0 never (1)"),
        Setting::new("type", Form::Words(TYPES), "what its link is (as said of all)"),
        Setting::new("passive", Form::Switch, "whether its link is told of, and nobody looked for there (false)"),
    ],
    required: &[],
    counters: Counters::METRICS,
    metrics: &[
        Metric::numbers("ospf.full", "how many neighbours OSPF has the same map as, whenever that changes"),
        Metric::numbers(
            "ospf.routes",
            "how many routes OSPF has to networks that are not its own, whenever it computes them",
        ),
    ],
    config: || Box::<Settings>::default(),
};

const SECOND: Duration = Duration::from_secs(1);
const TYPES: &[&str] = &["broadcast", "point-to-point"];

impl Config for Settings {
    fn set(&mut self, iface: Option<Iface>, key: &str, value: Value) -> Result<(), String> {
        match (key, value, iface) {
            ("hello", Value::Span(time), _) => self.hello = whole(time),
            ("dead", Value::Span(time), _) => self.dead = Some(whole(time)),
            ("retransmit", Value::Span(time), _) => self.retransmit = time,
            ("area", Value::Address(area), _) => self.area = area,
            ("stub", Value::Switch(on), _) => self.stub = on,
            ("router_id", Value::Address(id), _) => self.router_id = Some(id),
            ("type", Value::Word(word), None) => self.link_type = link_type(word),
            ("type", Value::Word(word), Some(iface)) => drop(self.types.insert(iface, link_type(word))),
            ("reference", Value::Number(rate), _) => self.reference = rate,
            ("redistribute", Value::Switch(on), _) => self.redistribute = on,
            ("spf_delay", Value::Span(time), _) => self.delays.initial = time,
            ("spf_short_delay", Value::Span(time), _) => self.delays.short = time,
            ("spf_long_delay", Value::Span(time), _) => self.delays.long = time,
            ("spf_time_to_learn", Value::Span(time), _) => self.delays.learn = time,
            ("spf_hold_down", Value::Span(time), _) => self.delays.quiet = time,
            ("cost", Value::Number(cost), Some(iface)) => drop(self.costs.insert(iface, cost as u16)),
            ("priority", Value::Number(priority), Some(iface)) => {
                self.priorities.insert(iface, priority as u8);
            }
            ("passive", Value::Switch(true), Some(iface)) => drop(self.passive.insert(iface)),
            _ => {}
        }
        Ok(())
    }

    fn start(&self, router: Identity) -> Box<dyn RoutingProtocol> {
        let Identity { router, mut rng, by_hand } = router;
        Box::new(Ospf {
            id: self.router_id.unwrap_or(router),
            by_hand: if self.redistribute && !self.stub { by_hand } else { Vec::new() },
            sequence: rng.next_u32() >> 1,
            interfaces: BTreeMap::new(),
            database: Database::default(),
            updates: BTreeMap::new(),
            originate_at: BTreeMap::new(),
            stale: true,
            backoff: Backoff::default(),
            computed: Computed::default(),
            full: 0,
            counters: Counters::default(),
            settings: self.clone(),
        })
    }

    fn boxed(&self) -> Box<dyn Config> {
        Box::new(self.clone())
    }
}

/// Hellos say their times in whole seconds.
fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}

fn link_type(word: &str) -> LinkType {
    if word == "broadcast" { LinkType::Broadcast } else { LinkType::PointToPoint }
}
