//! What expectations ask of a world: counters read when a window begins and ends, queues watched throughout.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use septet_core::{Instant, Port, PortReport, Series};
use septet_engine::{Action, Agent, Call, Heading, LinkId, PortCounters, QueueWatch, World};
use septet_physical::queue::Limit;

use crate::expect::eval::{Excess, Observed};
use crate::expect::expr::{Probe, QueueProbe};
use crate::expect::metric::{Amount, LinkMetric};
use crate::expect::ports;
use crate::expect::window::Window;
use crate::model::topology::LinkRef;
use crate::model::whereabouts::Whereabouts;

/// Readings at chosen times, taken while the world runs.
#[derive(Debug, Default)]
struct Log {
    ports: BTreeMap<(usize, usize, Instant), PortCounters>,
    /// What waited in the mean until then, in packets and in bytes.
    queues: BTreeMap<(usize, usize, Instant), (f64, f64)>,
    counters: BTreeMap<(usize, String, Instant), u64>,
}

/// What was prepared for the expectations of a lab.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    log: Rc<RefCell<Log>>,
    watches: BTreeMap<(QueueProbe, usize), QueueWatch>,
}

impl Readings {
    /// Prepares `world` for the probes.
    pub(crate) fn prepare(world: &mut World, places: &Rc<Whereabouts>, probes: Vec<Probe>) -> Self {
        let mut readings = Self::default();
        let mut reader = Reader { log: readings.log.clone(), places: places.clone(), due: Vec::new() };
        for probe in probes {
            match probe {
                Probe::Queue(probe) => {
                    let limit = match probe.amount {
                        Amount::Bytes => Limit::Bytes(probe.limit),
                        Amount::Packets => Limit::Packets(probe.limit),
                    };
                    for &way in probe.link.ways.directions() {
                        let link = places.links[probe.link.link];
                        let window = probe.window;
                        let watch = world.watch_queue(link, heading(way), limit, window.after, window.before);
                        readings.watches.extend(watch.map(|watch| ((probe, way), watch)));
                    }
                }
                Probe::Link { link, window, .. } => {
                    reader.due.extend(borders(window).map(|at| (at, Read::Link(link))));
                }
                Probe::Counter { node, name, window } => {
                    reader.due.extend(borders(window).map(|at| (at, Read::Counter(node, name.clone()))));
                }
            }
        }
        let times: Vec<Instant> = reader.due.iter().map(|(at, _)| *at).collect();
        if !times.is_empty() {
            let agent = world.add_agent(reader);
            for (message, at) in (0..).zip(times) {
                world.at(at, Action::Call(Call { agent, message }));
            }
        }
        readings
    }

    /// What the run came to; `world` is at its end.
    pub(crate) fn at_end<'a>(&'a self, world: &'a mut World, places: &'a Whereabouts) -> AtEnd<'a> {
        AtEnd { readings: self, places, world: RefCell::new(world) }
    }
}

/// Takes readings when their time comes; a call's message is which.
struct Reader {
    log: Rc<RefCell<Log>>,
    places: Rc<Whereabouts>,
    due: Vec<(Instant, Read)>,
}

/// What is read.
enum Read {
    Link(LinkRef),
    /// Of a node, by its name.
    Counter(usize, String),
}

impl Agent for Reader {
    fn call(&mut self, call: Call, world: &mut World) {
        let Some((at, read)) = self.due.get(call.message as usize) else { return };
        let log = &mut *self.log.borrow_mut();
        match read {
            Read::Link(link) => {
                for &way in link.ways.directions() {
                    let key = (link.link, way, *at);
                    log.ports.insert(key, port(world, self.places.links[link.link], way));
                    if let Some(queue) = world.queue_use(self.places.links[link.link], heading(way)) {
                        log.queues.insert(key, (queue.mean_packets, queue.mean_bytes));
                    }
                }
            }
            Read::Counter(node, name) => {
                let value = counter(world, &self.places, *node, name);
                log.counters.insert((*node, name.clone(), *at), value);
            }
        }
    }
}

/// The moments within the run at which a window begins and ends.
fn borders(window: Window) -> impl Iterator<Item = Instant> {
    [window.after, window.before].into_iter().filter(|at| *at != Instant::ZERO && *at != Instant::FAR_FUTURE)
}

fn heading(way: usize) -> Heading {
    if way == 0 { Heading::AToB } else { Heading::BToA }
}

/// What the port that sends in this direction of a link has counted.
fn port(world: &World, link: LinkId, way: usize) -> PortCounters {
    world.ends(link).and_then(|ends| world.port_counters(ends[way].0, ends[way].1)).unwrap_or_default()
}

/// What a node counts under `name`: `eth0.NAME` at one of its ports, `NAME` at all of them or as a whole.
fn counter(world: &World, places: &Whereabouts, node: usize, name: &str) -> u64 {
    let station = places.stations[node];
    let (port, at_port) = ports::split(name);
    if PortReport::is_name(at_port) {
        let value = |port: u16| world.port_report(station, Port(port)).and_then(|report| report.get(at_port));
        return match port {
            Some(port) => value(port).unwrap_or(0),
            None => (0..world.ports(station)).filter_map(value).sum(),
        };
    }
    let mut sum = 0;
    world.show_counters(station, &mut |shown, n| sum += if shown == name { n } else { 0 });
    sum
}

/// The answers at the end of a run.
pub(crate) struct AtEnd<'a> {
    readings: &'a Readings,
    places: &'a Whereabouts,
    world: RefCell<&'a mut World>,
}

impl AtEnd<'_> {
    fn port_at(&self, link: usize, way: usize, at: Instant) -> PortCounters {
        let world = self.world.borrow();
        if at == Instant::ZERO {
            return PortCounters::default();
        }
        // A moment that the run did not reach is its end.
        let logged = self.readings.log.borrow().ports.get(&(link, way, at)).cloned();
        logged.unwrap_or_else(|| port(&world, self.places.links[link], way))
    }

    fn counter_at(&self, node: usize, name: &str, at: Instant) -> f64 {
        if at == Instant::ZERO {
            return 0.0;
        }
        // A moment that the run did not reach is its end.
        let logged = self.readings.log.borrow().counters.get(&(node, name.to_owned(), at)).copied();
        logged.unwrap_or_else(|| counter(&self.world.borrow(), self.places, node, name)) as f64
    }

    /// What waited before a link in the mean over a part of the run.
    fn queue_mean(&self, link: usize, way: usize, amount: Amount, window: Window) -> Option<f64> {
        let end = self.end().min(window.before);
        // The mean since the beginning times its length: what waited, times how long.
        let until = |at: Instant| -> Option<f64> {
            let logged = self.readings.log.borrow().queues.get(&(link, way, at)).copied();
            let now = || self.world.borrow_mut().queue_use(self.places.links[link], heading(way));
            let (packets, bytes) = match logged {
                Some(means) => means,
                None if at == Instant::ZERO => (0.0, 0.0),
                None => now().map(|queue| (queue.mean_packets, queue.mean_bytes))?,
            };
            Some(at.as_secs_f64() * if amount == Amount::Bytes { bytes } else { packets })
        };
        let span = (end - window.after).as_secs_f64();
        (span > 0.0).then_some((until(end)? - until(window.after)?) / span)
    }

    /// The share of its time that a direction was sending.
    fn utilization(
        &self,
        link: usize,
        way: usize,
        window: Window,
        sent: &dyn Fn(fn(&PortCounters) -> u64) -> f64,
    ) -> Option<f64> {
        let medium = &self.places.cables[link][way].medium;
        let end = self.end().min(window.before);
        let seconds = (end - window.after).as_secs_f64();
        let framing = medium.framing;
        let overhead = f64::from(framing.preamble + framing.trailer + framing.gap);
        let bytes = sent(|c| c.tx_bytes) + sent(|c| c.tx_packets) * overhead;
        (seconds > 0.0).then_some(bytes * 8.0 / (medium.rate?.bits_per_sec() as f64 * seconds))
    }
}

impl Observed for AtEnd<'_> {
    fn end(&self) -> Instant {
        self.world.borrow().now()
    }

    fn series(&self, node: usize, name: &str) -> Series {
        self.places.recorders[node].as_ref().and_then(|r| r.series(name)).unwrap_or_default()
    }

    fn counter(&self, node: usize, name: &str, window: Window) -> Option<f64> {
        Some(self.counter_at(node, name, window.before) - self.counter_at(node, name, window.after))
    }

    fn link(&self, LinkRef { link, ways }: LinkRef, metric: LinkMetric, window: Window) -> Option<f64> {
        let one = |way: usize| -> Option<f64> {
            let (from, to) = (self.port_at(link, way, window.after), self.port_at(link, way, window.before));
            let grown = |read: fn(&PortCounters) -> u64| (read(&to) - read(&from)) as f64;
            let drops = |reason| (to.drops.get(reason) - from.drops.get(reason)) as f64;
            let queue = || self.world.borrow_mut().queue_use(self.places.links[link], heading(way));
            Some(match metric {
                LinkMetric::Sent => grown(|c| c.tx_packets),
                LinkMetric::Bytes => grown(|c| c.tx_bytes),
                LinkMetric::Drops => (to.drops.total() - from.drops.total()) as f64,
                LinkMetric::QueueDrops => grown(|c| c.tx_dropped),
                LinkMetric::Filtered => grown(|c| c.tx_filtered),
                LinkMetric::Lost => drops(septet_core::DropReason::Loss),
                LinkMetric::Damaged => {
                    // Damage is counted where it arrives.
                    let (from, to) =
                        (self.port_at(link, 1 - way, window.after), self.port_at(link, 1 - way, window.before));
                    (to.rx_errors - from.rx_errors) as f64
                }
                LinkMetric::LossRatio => {
                    let sent = grown(|c| c.tx_packets);
                    (sent > 0.0).then(|| drops(septet_core::DropReason::Loss) / sent)?
                }
                LinkMetric::QueueMost(Amount::Bytes) => queue()?.most.bytes as f64,
                LinkMetric::QueueMost(Amount::Packets) => queue()?.most.packets as f64,
                LinkMetric::QueueMean(amount) => self.queue_mean(link, way, amount, window)?,
                LinkMetric::Utilization => self.utilization(link, way, window, &grown)?,
            })
        };
        let values = ways.directions().iter().filter_map(|way| one(*way));
        match metric {
            LinkMetric::LossRatio | LinkMetric::QueueMost(_) | LinkMetric::QueueMean(_) | LinkMetric::Utilization => {
                values.reduce(f64::max)
            }
            LinkMetric::Sent
            | LinkMetric::Bytes
            | LinkMetric::Drops
            | LinkMetric::QueueDrops
            | LinkMetric::Filtered
            | LinkMetric::Lost
            | LinkMetric::Damaged => Some(values.sum()),
        }
    }

    fn excess(&self, probe: QueueProbe) -> Option<Excess> {
        let mut world = self.world.borrow_mut();
        let ways = probe.link.ways.directions();
        let found = ways.iter().filter_map(|way| {
            let violation = world.violation(*self.readings.watches.get(&(probe, *way))?)?;
            let amount = match probe.amount {
                Amount::Bytes => violation.occupancy.bytes,
                Amount::Packets => violation.occupancy.packets,
            };
            Some(Excess { at: violation.at, amount })
        });
        found.min_by_key(|e| e.at)
    }
}
