//! RIP version 2 (RFC 2453): each router tells its neighbours how far everything is, and believes who says least.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::{Instant, Metric, Rng};
use septet_wire::rip::{Command, Entry, INFINITY, MAX_ENTRIES, Message, PORT, ROUTERS};

use super::act::{Action, Context, Packet, RouteChange};
use super::kind::{Carriage, Config, Form, Identity, Kind, Setting, Value};
use super::link::{Arrival, Link, LinkState};
use super::protocol::RoutingProtocol;
use crate::addr::Prefix;
use crate::route::{Iface, NextHop, Origin};

/// The table's entry.
pub(super) static KIND: Kind = Kind {
    name: "rip",
    doc: "RIPv2: neighbours tell one another how far everything is",
    carriage: Carriage::Udp(PORT),
    origin: Origin::Rip,
    settings: &[
        Setting::new("update", Form::Span(SECOND), "how often all routes are told (30s)"),
        Setting::new("timeout", Form::Span(SECOND), "when a route of which nobody speaks is held to be gone (180s)"),
        Setting::new("garbage", Form::Span(SECOND), "how long it is told that a route is gone (120s)"),
        Setting::new("jitter", Form::Switch, "whether updates come up to a sixth earlier or later, at random (true)"),
        Setting::new(
            "split_horizon",
            Form::Words(&["poisoned", "simple", "off"]),
            "what a neighbour is told of the routes that were learned from it: that they lead nowhere, nothing, or all (poisoned)",
        ),
        Setting::new("redistribute", Form::Switch, "whether neighbours hear of this router's routes by hand (false)"),
        Setting::new("triggered", Form::Switch, "whether a change is told at once (true)"),
    ],
    ports: &[
        Setting::new("cost", Form::Number(1, 15), "what crossing the link of this port adds (1)"),
        Setting::new("passive", Form::Switch, "whether nothing is sent there (false)"),
    ],
    required: &[],
    counters: Counters::METRICS,
    metrics: &[
        Metric::numbers("rip.routes", "how many routes RIP has learned, whenever that changes"),
        Metric::numbers("rip.metric", "the metric of each route that RIP learns, changes or loses; 16 is infinity"),
    ],
    config: || Box::<Settings>::default(),
};

/// The series of metrics.
const METRIC: &str = "rip.metric";
const SECOND: Duration = Duration::from_secs(1);

septet_core::counters! {
    /// What RIP counts on one router.
    struct Counters {
        out_updates = "RipOutUpdates", "regular updates sent, each interface's on its own";
        out_triggered = "RipOutTriggered", "triggered updates sent, each interface's on its own";
        in_responses = "RipInResponses", "responses received";
        in_bad = "RipInBad", "received messages that cannot be right, or come from who is no neighbour";
        timeouts = "RipTimeouts", "routes of which nobody spoke for too long";
    }
}

/// What a neighbour hears of routes that were learned on its link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SplitHorizon {
    /// RFC 2453 §3.4.3: "routes are included in updates, but their metrics are set to infinity".
    Poisoned,
    /// They are left out.
    Simple,
    /// They are told like all others.
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    AtOnce,
    WithTheNextUpdate,
}

#[derive(Clone, Debug)]
struct Settings {
    update: Duration,
    timeout: Duration,
    garbage: Duration,
    jitter: bool,
    split_horizon: SplitHorizon,
    changes: Told,
    redistribute: bool,
    costs: BTreeMap<Iface, u32>,
    passive: Vec<Iface>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            update: Duration::from_secs(30),
            timeout: Duration::from_secs(180),
            garbage: Duration::from_secs(120),
            jitter: true,
            split_horizon: SplitHorizon::Poisoned,
            changes: Told::AtOnce,
            redistribute: false,
            costs: BTreeMap::new(),
            passive: Vec::new(),
        }
    }
}

impl Config for Settings {
    fn set(&mut self, iface: Option<Iface>, key: &str, value: Value) -> Result<(), String> {
        match (key, value, iface) {
            ("update", Value::Span(time), _) => self.update = time,
            ("timeout", Value::Span(time), _) => self.timeout = time,
            ("garbage", Value::Span(time), _) => self.garbage = time,
            ("jitter", Value::Switch(on), _) => self.jitter = on,
            ("redistribute", Value::Switch(on), _) => self.redistribute = on,
            ("triggered", Value::Switch(on), _) => {
                self.changes = if on { Told::AtOnce } else { Told::WithTheNextUpdate }
            }
            ("split_horizon", Value::Word(word), _) => {
                self.split_horizon = match word {
                    "poisoned" => SplitHorizon::Poisoned,
                    "simple" => SplitHorizon::Simple,
                    _ => SplitHorizon::Off,
                }
            }
            ("cost", Value::Number(cost), Some(iface)) => {
                self.costs.insert(iface, cost as u32);
            }
            ("passive", Value::Switch(true), Some(iface)) => self.passive.push(iface),
            _ => {}
        }
        Ok(())
    }

    fn start(&self, router: Identity) -> Box<dyn RoutingProtocol> {
        let by_hand = router.by_hand.into_iter().filter(|_| self.redistribute);
        let told = Known { metric: 1, tag: 0, from: Source::ByHand, changed: true, timer: Timer::None };
        Box::new(Rip {
            settings: self.clone(),
            rng: router.rng,
            links: BTreeMap::new(),
            routes: by_hand.map(|prefix| (prefix, told)).collect(),
            learned: 0,
            update_at: None,
            trigger: Trigger::Ready,
            counters: Counters::default(),
        })
    }

    fn boxed(&self) -> Box<dyn Config> {
        Box::new(self.clone())
    }
}

/// A route as this router knows it (RFC 2453 §3.9.2).
#[derive(Clone, Copy, Debug)]
struct Known {
    metric: u32,
    tag: u16,
    from: Source,
    /// "The route change flag": it is to go into the next triggered update.
    changed: bool,
    timer: Timer,
}

/// Who says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// This router is on the link.
    Itself(Iface),
    /// Somebody gave this router a route by hand.
    ByHand,
    /// A neighbour told so; the next hop may be another, on the same link.
    Neighbor { iface: Iface, router: Ipv4Addr, next_hop: Ipv4Addr },
}

impl Source {
    const fn iface(self) -> Option<Iface> {
        match self {
            Self::Itself(iface) | Self::Neighbor { iface, .. } => Some(iface),
            Self::ByHand => None,
        }
    }
}

/// RFC 2453 §3.8: "two timers associated with each route, a 'timeout' and a 'garbage-collection' time".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Timer {
    None,
    Timeout(Instant),
    Garbage(Instant),
}

/// RFC 2453 §3.10.1: "After a triggered update is sent, a timer should be set for a random interval between 1 and 5 seconds."
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trigger {
    /// Nothing is to be told, and the next change may be at once.
    Ready,
    /// Changes are told now.
    Now(Instant),
    /// Changes wait until then; whether there are any the second word says.
    Held(Instant, Waiting),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waiting {
    Nothing,
    Changes,
}

/// Which routes an update tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    All,
    Changed,
}

/// RIP on one router.
#[derive(Debug)]
struct Rip {
    settings: Settings,
    rng: Rng,
    /// Those with a carrier.
    links: BTreeMap<Iface, Link>,
    routes: BTreeMap<Prefix, Known>,
    /// How many routes there were when that was last recorded.
    learned: usize,
    update_at: Option<Instant>,
    trigger: Trigger,
    counters: Counters,
}

impl RoutingProtocol for Rip {
    fn on_link(&mut self, cx: &mut Context<'_>, link: &Link) {
        let before = self.links.remove(&link.iface);
        if link.state == LinkState::Down || link.v4().next().is_none() {
            self.lose(cx, link.iface);
            return;
        }
        // What a link no longer has is lost; what it has stands on its own, and outweighs what a neighbour says.
        let gone = before.iter().flat_map(Link::v4).map(|(_, prefix)| prefix);
        let gone: Vec<Prefix> = gone.filter(|prefix| link.v4().all(|(_, own)| own != *prefix)).collect();
        for prefix in gone {
            self.expire(cx, prefix);
        }
        self.links.insert(link.iface, link.clone());
        for (_, prefix) in link.v4() {
            let own = Known {
                metric: self.cost(link.iface),
                tag: 0,
                from: Source::Itself(link.iface),
                changed: true,
                timer: Timer::None,
            };
            let before = self.routes.insert(prefix, own);
            if before.is_some_and(|b| b.metric < INFINITY && matches!(b.from, Source::Neighbor { .. })) {
                withdraw(cx, prefix);
            }
        }
        self.change(cx.now);
        self.update_at = self.update_at.or(Some(cx.now));
        if before.is_none() && !self.settings.passive.contains(&link.iface) {
            cx.act(Action::Join(link.iface, ROUTERS.into()));
            // RFC 2453 §3.9.1: a router that has just come up "will normally send out a request for the entire table".
            let ask = Message { command: Command::Request, entries: vec![Entry::WHOLE_TABLE] };
            cx.tell("rip.request", |f| {
                f.set("iface", link.iface).set("why", "the link is new, and its routers know what lies behind them");
            });
            self.send(cx, link.iface, ROUTERS, &ask);
        }
        self.record(cx);
    }

    fn receive(&mut self, cx: &mut Context<'_>, arrival: &Arrival, bytes: &[u8]) {
        let (Some(link), IpAddr::V4(src)) = (self.links.get(&arrival.iface), arrival.src) else { return };
        // A router hears itself where a link repeats what it sends.
        if self.links.values().flat_map(Link::v4).any(|(own, _)| own == src) {
            return;
        }
        let on_link = link.v4().any(|(_, prefix)| prefix.contains(arrival.src));
        let message = match Message::parse(bytes) {
            Ok(message) if on_link => message,
            _ => {
                self.counters.in_bad += 1;
                return;
            }
        };
        match message.command {
            Command::Request => self.answer(cx, arrival.iface, src, &message),
            // RFC 2453 §3.9.2: "The Response must be ignored if it is not from the RIP port."
            Command::Response if arrival.src_port != PORT => self.counters.in_bad += 1,
            Command::Response => {
                self.counters.in_responses += 1;
                cx.tell("rip.heard", |f| {
                    f.set("from", src).set("routes", message.entries.len());
                });
                for entry in &message.entries {
                    self.hear(cx, arrival.iface, src, entry);
                }
                self.record(cx);
            }
        }
    }

    fn on_deadline(&mut self, cx: &mut Context<'_>) {
        let now = cx.now;
        let due = |timer: Timer| matches!(timer, Timer::Timeout(at) | Timer::Garbage(at) if at <= now);
        let expired: Vec<(Prefix, Timer)> =
            self.routes.iter().filter(|(_, r)| due(r.timer)).map(|(p, r)| (*p, r.timer)).collect();
        for (prefix, timer) in expired {
            match timer {
                Timer::Timeout(_) => {
                    self.counters.timeouts += 1;
                    cx.tell("rip.timeout", |f| {
                        f.set("prefix", prefix.to_string()).set("why", "nobody has spoken of it for too long");
                    });
                    self.expire(cx, prefix);
                }
                Timer::Garbage(_) | Timer::None => {
                    self.routes.remove(&prefix);
                }
            }
        }
        if self.update_at.is_some_and(|at| at <= now) {
            self.update(cx, Which::All);
            let early = if self.settings.jitter { self.settings.update / 6 } else { Duration::ZERO };
            let spread = Duration::from_nanos(self.rng.below(2 * early.as_nanos() as u64 + 1));
            // RFC 2453 §3.8: "the 30-second timer is offset by a small random time (+/- 0 to 5 seconds) each time it is set".
            self.update_at = (!self.links.is_empty()).then(|| now + (self.settings.update - early + spread));
            // "Triggered updates may be suppressed if a regular update is due by the time the triggered update would be sent."
            self.trigger = match self.trigger {
                Trigger::Held(until, _) if until > now => Trigger::Held(until, Waiting::Nothing),
                _ => Trigger::Ready,
            };
        }
        match self.trigger {
            Trigger::Now(at) | Trigger::Held(at, Waiting::Changes) if at <= now => {
                self.update(cx, Which::Changed);
                let hold = SECOND + Duration::from_nanos(self.rng.below(4_000_000_000));
                self.trigger = Trigger::Held(now + hold, Waiting::Nothing);
            }
            Trigger::Held(at, Waiting::Nothing) if at <= now => self.trigger = Trigger::Ready,
            _ => {}
        }
        self.record(cx);
    }

    fn deadline(&self) -> Option<Instant> {
        let timers = self.routes.values().filter_map(|route| match route.timer {
            Timer::Timeout(at) | Timer::Garbage(at) => Some(at),
            Timer::None => None,
        });
        let trigger = match self.trigger {
            Trigger::Ready => None,
            Trigger::Now(at) | Trigger::Held(at, _) => Some(at),
        };
        timers.chain(self.update_at).chain(trigger).min()
    }

    fn show(&self, see: &mut dyn FnMut(&'static str, u64)) {
        self.counters.show(see);
    }
}

impl Rip {
    fn cost(&self, iface: Iface) -> u32 {
        self.settings.costs.get(&iface).copied().unwrap_or(1)
    }

    /// RFC 2453 §3.9.2, for one entry of a response.
    fn hear(&mut self, cx: &mut Context<'_>, iface: Iface, src: Ipv4Addr, entry: &Entry) {
        let Some(prefix) = destination(entry).filter(|_| (1..=INFINITY).contains(&entry.metric)) else {
            self.counters.in_bad += u64::from(entry.is_ipv4());
            return;
        };
        // "metric = MIN (metric + cost, infinity)"
        let metric = (entry.metric + self.cost(iface)).min(INFINITY);
        let next_hop = self.next_hop(iface, src, entry);
        let heard = Source::Neighbor { iface, router: src, next_hop };
        let Some(known) = self.routes.get(&prefix).copied() else {
            // "there is no point in adding a route which is unusable"
            if metric < INFINITY {
                self.adopt(cx, prefix, metric, entry.tag, heard);
            }
            return;
        };
        let same_router =
            matches!(known.from, Source::Neighbor { iface: i, router, .. } if (i, router) == (iface, src));
        if same_router && metric == known.metric && metric < INFINITY {
            // "If this datagram is from the same router as the existing route, reinitialize the timeout."
            let timer = Timer::Timeout(cx.now + self.settings.timeout);
            let moved = known.from != heard;
            self.routes.insert(prefix, Known { timer, from: heard, ..known });
            if moved {
                self.install(cx, prefix);
            }
        } else if same_router && metric == INFINITY {
            // "If the new metric is infinity, the deletion process begins for the route", once.
            if known.metric < INFINITY {
                self.expire(cx, prefix);
            }
        } else if same_router && metric != known.metric || metric < known.metric {
            self.adopt(cx, prefix, metric, entry.tag, heard);
        } else if metric == known.metric
            && metric < INFINITY
            && matches!(known.timer, Timer::Timeout(at) if at <= cx.now + self.settings.timeout / 2)
        {
            // "if the timeout for the existing route is at least halfway to the expiration point, switch to the new route",
            // which RFC 2453 highly recommends.
            self.adopt(cx, prefix, metric, entry.tag, heard);
        }
    }

    /// Another next hop than the sender is taken where it is on the link (RFC 2453 §4.4).
    fn next_hop(&self, iface: Iface, src: Ipv4Addr, entry: &Entry) -> Ipv4Addr {
        let reachable = |link: &Link| {
            let near = link.v4().any(|(_, prefix)| prefix.contains(entry.next_hop.into()));
            near && link.v4().all(|(own, _)| own != entry.next_hop)
        };
        let better = !entry.next_hop.is_unspecified() && self.links.get(&iface).is_some_and(reachable);
        if better { entry.next_hop } else { src }
    }

    fn adopt(&mut self, cx: &mut Context<'_>, prefix: Prefix, metric: u32, tag: u16, from: Source) {
        let timer = Timer::Timeout(cx.now + self.settings.timeout);
        self.routes.insert(prefix, Known { metric, tag, from, changed: true, timer });
        self.install(cx, prefix);
        self.change(cx.now);
    }

    fn install(&self, cx: &mut Context<'_>, prefix: Prefix) {
        let Some(Known { metric, from: Source::Neighbor { iface, next_hop, .. }, .. }) =
            self.routes.get(&prefix).copied()
        else {
            return;
        };
        cx.record(METRIC, f64::from(metric));
        cx.route(RouteChange { prefix, hops: vec![NextHop { iface, gateway: next_hop.into() }], metric });
    }

    /// The deletion process of RFC 2453 §3.8: the route is told as unreachable for a while, then forgotten.
    fn expire(&mut self, cx: &mut Context<'_>, prefix: Prefix) {
        let garbage = Timer::Garbage(cx.now + self.settings.garbage);
        let Some(route) = self.routes.get_mut(&prefix).filter(|route| route.metric < INFINITY) else { return };
        let learned = matches!(route.from, Source::Neighbor { .. });
        *route = Known { metric: INFINITY, changed: true, timer: garbage, ..*route };
        if learned {
            withdraw(cx, prefix);
        }
        self.change(cx.now);
    }

    /// A link has no carrier: what it led to is gone.
    fn lose(&mut self, cx: &mut Context<'_>, iface: Iface) {
        let gone: Vec<Prefix> =
            self.routes.iter().filter(|(_, r)| r.from.iface() == Some(iface)).map(|(p, _)| *p).collect();
        for prefix in gone {
            self.expire(cx, prefix);
        }
        if self.links.is_empty() {
            self.update_at = None;
        }
        self.record(cx);
    }

    fn change(&mut self, now: Instant) {
        if self.settings.changes == Told::WithTheNextUpdate {
            return;
        }
        self.trigger = match self.trigger {
            Trigger::Ready => Trigger::Now(now),
            Trigger::Held(at, _) => Trigger::Held(at, Waiting::Changes),
            now @ Trigger::Now(_) => now,
        };
    }

    /// Tells the routers on every link.
    fn update(&mut self, cx: &mut Context<'_>, which: Which) {
        let links: Vec<Iface> = self.links.keys().copied().filter(|i| !self.settings.passive.contains(i)).collect();
        for iface in links {
            let entries = self.told(iface, which);
            if entries.is_empty() {
                continue;
            }
            let (kind, why) = match which {
                Which::All => ("rip.update", "it is time"),
                Which::Changed => ("rip.triggered", "something has changed"),
            };
            match which {
                Which::All => self.counters.out_updates += 1,
                Which::Changed => self.counters.out_triggered += 1,
            }
            cx.tell(kind, |f| {
                f.set("iface", iface).set("routes", entries.len()).set("why", why);
            });
            self.respond(cx, iface, ROUTERS, &entries);
        }
        self.routes.values_mut().for_each(|route| route.changed = false);
    }

    /// What is told on a link.
    fn told(&self, iface: Iface, which: Which) -> Vec<Entry> {
        let told = |(prefix, route): (&Prefix, &Known)| {
            if which == Which::Changed && !route.changed {
                return None;
            }
            // RFC 2453 §3.4.3: of routes learned there only; a router's own link is known to all who are on it, and is told
            // nevertheless, as every implementation does, for those that were told another way.
            let learned_there = matches!(route.from, Source::Neighbor { iface: i, .. } if i == iface);
            let metric = match self.settings.split_horizon {
                SplitHorizon::Poisoned if learned_there => INFINITY,
                SplitHorizon::Simple if learned_there => return None,
                _ => route.metric,
            };
            let IpAddr::V4(address) = prefix.addr() else { return None };
            Some(Entry { tag: route.tag, ..Entry::new(address, mask(*prefix), metric) })
        };
        self.routes.iter().filter_map(told).collect()
    }

    /// RFC 2453 §3.9.1.
    fn answer(&mut self, cx: &mut Context<'_>, iface: Iface, to: Ipv4Addr, request: &Message) {
        if self.settings.passive.contains(&iface) {
            return;
        }
        let entries = match request.entries[..] {
            // "If there are no entries, no response is given."
            [] => return,
            [Entry { family: 0, metric: INFINITY, .. }] => self.told(iface, Which::All),
            // Asked for some, the table is looked up as it is, whoever asks: "Split Horizon processing is not done".
            _ => request.entries.iter().map(|asked| self.look_up(asked)).collect(),
        };
        cx.tell("rip.answer", |f| {
            f.set("to", to).set("routes", entries.len());
        });
        self.respond(cx, iface, to, &entries);
    }

    fn look_up(&self, asked: &Entry) -> Entry {
        let known = destination(asked).and_then(|prefix| self.routes.get(&prefix));
        Entry { metric: known.map_or(INFINITY, |route| route.metric), ..*asked }
    }

    fn respond(&self, cx: &mut Context<'_>, iface: Iface, to: Ipv4Addr, entries: &[Entry]) {
        for some in entries.chunks(MAX_ENTRIES) {
            self.send(cx, iface, to, &Message { command: Command::Response, entries: some.to_vec() });
        }
    }

    fn send(&self, cx: &mut Context<'_>, iface: Iface, to: Ipv4Addr, message: &Message) {
        let Some((src, _)) = self.links.get(&iface).and_then(|link| link.v4().next()) else { return };
        cx.send(Packet { iface, src: src.into(), dst: to.into(), ttl: 1, bytes: message.to_bytes() });
    }

    fn record(&mut self, cx: &mut Context<'_>) {
        let usable = |route: &&Known| matches!(route.from, Source::Neighbor { .. }) && route.metric < INFINITY;
        let learned = self.routes.values().filter(usable).count();
        if core::mem::replace(&mut self.learned, learned) != learned {
            cx.record("rip.routes", learned as f64);
        }
    }
}

fn withdraw(cx: &mut Context<'_>, prefix: Prefix) {
    cx.record(METRIC, f64::from(INFINITY));
    cx.route(RouteChange { prefix, hops: Vec::new(), metric: INFINITY });
}

fn mask(prefix: Prefix) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix.prefix_len())).unwrap_or(0))
}

/// RFC 2453 §3.9.2: "is the destination address valid (e.g., unicast; not net 0 or 127)"; all of net 0 is the default route.
fn destination(entry: &Entry) -> Option<Prefix> {
    let len = entry.prefix_len().filter(|_| entry.is_ipv4())?;
    let prefix = Prefix::new(entry.address.into(), len).ok()?;
    let net = entry.address.octets()[0];
    let unicast = !matches!(net, 0 | 127 | 224..) || prefix == Prefix::DEFAULT_V4;
    unicast.then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::super::sim::{Sim, secs};
    use super::*;

    /// r1 -- r2 -- r3, with a network 10.9.0.0/24 of r1's own.
    fn line(settings: &[(&str, Value)]) -> Sim {
        let mut sim = Sim::new(3, &KIND, settings);
        sim.stub(0, "10.9.0.1/24");
        sim.link("10.0.12.0/24", &[0, 1]);
        sim.link("10.0.23.0/24", &[1, 2]);
        sim
    }

    #[test]
    fn routes_spread_and_are_withdrawn_at_once() {
        let mut sim = line(&[]);
        sim.run_until(secs(5));
        assert_eq!(sim.route(2, "10.9.0.0/24"), Some((vec!["10.0.23.1".parse().unwrap()], 3)));
        assert_eq!(sim.route(0, "10.0.23.0/24"), Some((vec!["10.0.12.2".parse().unwrap()], 2)));
        assert_eq!(sim.route(0, "10.9.0.0/24"), None, "its own");
        sim.run_until(secs(100));
        sim.cut(0);
        sim.run_until(secs(106));
        assert_eq!(sim.route(2, "10.9.0.0/24"), None);
        sim.mend(0);
        sim.run_until(secs(112));
        assert!(sim.route(2, "10.9.0.0/24").is_some());
    }

    #[test]
    fn without_split_horizon_and_triggered_updates_it_counts_to_infinity() {
        let settings = [
            ("split_horizon", Value::Word("off")),
            ("triggered", Value::Switch(false)),
            ("jitter", Value::Switch(false)),
        ];
        let mut sim = line(&settings);
        // r2 tells at 0 s, 30 s, … as they all do; r1 loses its network between two of these.
        sim.run_until(secs(95));
        sim.cut(0);
        let mut metrics = Vec::new();
        for step in 0..40 {
            sim.run_until(secs(95 + 15 * step));
            metrics.extend(sim.route(0, "10.9.0.0/24").map(|(_, metric)| metric));
        }
        metrics.dedup();
        assert!(metrics.len() >= 5 && metrics.is_sorted() && metrics.last() >= Some(&14), "{metrics:?}");
        assert_eq!(sim.route(0, "10.9.0.0/24"), None, "at infinity it ends");
    }

    #[test]
    fn who_falls_silent_is_forgotten() {
        let mut sim = line(&[("jitter", Value::Switch(false))]);
        sim.run_until(secs(40));
        sim.mute(1);
        sim.run_until(secs(200));
        assert!(sim.route(2, "10.9.0.0/24").is_some(), "180 s have not passed since it last spoke");
        sim.run_until(secs(215));
        assert_eq!(sim.route(2, "10.9.0.0/24"), None);
        assert_eq!(sim.counter(2, "RipTimeouts"), 2, "10.9.0.0/24 and 10.0.12.0/24");
    }

    #[test]
    fn lies_and_strangers_are_ignored() {
        let mut sim = line(&[]);
        sim.run_until(secs(5));
        let lie = |address: [u8; 4], metric| {
            let entry = Entry::new(address.into(), Ipv4Addr::new(255, 255, 255, 0), metric);
            Message { command: Command::Response, entries: vec![entry] }.to_bytes()
        };
        for (src, port, bytes) in [
            ("10.0.99.1", PORT, lie([10, 77, 0, 0], 1)),
            ("10.0.23.9", 521, lie([10, 77, 0, 0], 1)),
            ("10.0.23.9", PORT, lie([127, 0, 0, 0], 1)),
            ("10.0.23.9", PORT, lie([224, 1, 0, 0], 1)),
            ("10.0.23.9", PORT, lie([10, 77, 0, 0], 0)),
            ("10.0.23.9", PORT, lie([10, 77, 0, 0], 17)),
            ("10.0.23.9", PORT, vec![2, 2, 0]),
        ] {
            sim.inject(2, 0, src, port, &bytes);
        }
        assert_eq!(sim.routes(2), 2);
        sim.inject(2, 0, "10.0.23.9", PORT, &lie([10, 77, 0, 0], 1));
        assert_eq!(sim.route(2, "10.77.0.0/24"), Some((vec!["10.0.23.9".parse().unwrap()], 2)));
    }
}
