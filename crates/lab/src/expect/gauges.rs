//! What is looked at from time to time while a lab runs: TCP's connections and the queues before links.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use septet_core::{Instant, Metric, Recorder, Star};
use septet_engine::{Action, Agent, Call, Heading, LinkId, World};
use septet_host::Host;
use septet_physical::queue::Occupancy;
use septet_transport::tcp::{CcInfo, Info, SocketId};

use crate::model::layout::Layout;
use crate::model::node::Port;
use crate::model::whereabouts::Whereabouts;

/// A metric, and what reads it.
type Reading<T, V> = (Metric, fn(&T) -> V);

/// What is recorded of a connection each time that it is looked at: a metric a line.
const LEVELS: &[Reading<Info, Option<f64>>] = &[
    (
        Metric::sizes(
            "tcp.cwnd",
            "the congestion window of each connection, looked at every `lab.sample`, as all below",
        ),
        |tcp| Some(tcp.cwnd_bytes as f64),
    ),
    (Metric::sizes("tcp.ssthresh", "the slow start threshold, once there is one"), |tcp| {
        tcp.ssthresh_bytes.map(|bytes| bytes as f64)
    }),
    (Metric::sizes("tcp.flight", "bytes sent and neither acknowledged nor held to be lost"), |tcp| {
        Some(tcp.flight_bytes as f64)
    }),
    (Metric::sizes("tcp.window", "the window that the peer offers"), |tcp| Some(tcp.tcpi_snd_wnd.into())),
    (Metric::times("tcp.rtt", "the smoothed round-trip time"), |tcp| (tcp.tcpi_rtt > 0).then(|| micros(tcp.tcpi_rtt))),
    (Metric::times("tcp.min_rtt", "the least round-trip time of late"), |tcp| measured(tcp.tcpi_min_rtt)),
    (Metric::times("tcp.rto", "the retransmission timeout"), |tcp| (tcp.tcpi_rtt > 0).then(|| micros(tcp.tcpi_rto))),
    (Metric::rates("tcp.delivery_rate", "the rate at which data was last delivered, as `ss -ti` shows it"), |tcp| {
        (tcp.tcpi_delivery_rate > 0).then_some(tcp.tcpi_delivery_rate as f64 * 8.0)
    }),
    (Metric::rates("tcp.pacing_rate", "the rate that segments are spaced by, or would be"), |tcp| {
        (tcp.tcpi_pacing_rate != u64::MAX).then_some(tcp.tcpi_pacing_rate as f64 * 8.0)
    }),
    (Metric::numbers("tcp.dctcp.alpha", "DCTCP's estimate of the share that is marked"), |tcp| match tcp.cc {
        CcInfo::Dctcp { dctcp_alpha, .. } => Some(f64::from(dctcp_alpha) / 1024.0),
        CcInfo::Plain | CcInfo::Bbr { .. } => None,
    }),
    (Metric::rates("tcp.bbr.bw", "BBR's estimate of the bottleneck's bandwidth"), |tcp| match tcp.cc {
        CcInfo::Bbr { bbr_bw, .. } => Some(bbr_bw as f64 * 8.0),
        CcInfo::Plain | CcInfo::Dctcp { .. } => None,
    }),
    (Metric::times("tcp.bbr.min_rtt", "BBR's estimate of the propagation time"), |tcp| match tcp.cc {
        CcInfo::Bbr { bbr_min_rtt, .. } => measured(bbr_min_rtt),
        CcInfo::Plain | CcInfo::Dctcp { .. } => None,
    }),
    (Metric::numbers("tcp.bbr.pacing_gain", "BBR's pacing gain: 1.25, 0.75 and six times 1 while it probes"), |tcp| {
        match tcp.cc {
            CcInfo::Bbr { bbr_pacing_gain, .. } => Some(f64::from(bbr_pacing_gain) / 256.0),
            CcInfo::Plain | CcInfo::Dctcp { .. } => None,
        }
    }),
    (Metric::numbers("tcp.bbr.cwnd_gain", "BBR's window gain"), |tcp| match tcp.cc {
        CcInfo::Bbr { bbr_cwnd_gain, .. } => Some(f64::from(bbr_cwnd_gain) / 256.0),
        CcInfo::Plain | CcInfo::Dctcp { .. } => None,
    }),
];

/// What is recorded of a connection by its growth since it was last looked at: a metric a line.
const GROWTHS: [Reading<Info, u32>; 3] = [
    (
        Metric::counter(
            "tcp.reductions",
            "congestion signals answered: one for each fast recovery, ECN episode, or time-out outside of one; of BBR those \
             it was told",
        ),
        |tcp| tcp.reductions,
    ),
    (Metric::counter("tcp.retransmits", "segments sent again"), |tcp| tcp.tcpi_total_retrans),
    (Metric::counter("tcp.timeouts", "expiries of the retransmission timer"), |tcp| tcp.tcpi_total_rto.into()),
];

/// What is recorded of the queue before each port that has a rate: a metric a line.
const QUEUES: [Reading<Occupancy, f64>; 2] = [
    (
        Metric::sizes("queue.*", "bytes that wait before a port that has a rate: `r1.queue.eth1`").of(Star::Port),
        |queued| queued.bytes as f64,
    ),
    (
        Metric::numbers("backlog.*", "packets that wait before such a port: `r1.backlog.eth1`").of(Star::Port),
        |queued| queued.packets as f64,
    ),
];

/// What is looked at.
pub(crate) fn metrics() -> impl Iterator<Item = Metric> {
    let levels = LEVELS.iter().map(|(metric, _)| *metric);
    levels.chain(GROWTHS.iter().map(|(metric, _)| *metric)).chain(QUEUES.iter().map(|(metric, _)| *metric))
}

fn micros(micros: u32) -> f64 {
    f64::from(micros) / 1e6
}

/// A time that is the largest there is as long as nothing was measured.
fn measured(time: u32) -> Option<f64> {
    (time != u32::MAX).then(|| micros(time))
}

/// How often, where an expectation wants a gauge and the file does not say.
const USUAL: Duration = Duration::from_millis(10);

/// Whether `name`, as programs and services record, is recorded here.
pub(crate) fn is_gauge(name: &str) -> bool {
    metrics().any(|metric| metric.is(name))
}

/// What is looked at from time to time, and how often.
pub(crate) struct Watched<'a> {
    pub(crate) layout: Layout<'a>,
    /// The nodes.
    pub(crate) nodes: BTreeSet<usize>,
    /// How often, where the file says.
    pub(crate) every: Option<Duration>,
    pub(crate) stop: Instant,
}

impl Watched<'_> {
    /// Looks at them in `world`.
    pub(crate) fn watch(self, world: &mut World, places: &Rc<Whereabouts>) {
        let Self { layout, nodes, every, stop } = self;
        let gauges: Vec<Gauge> = nodes.into_iter().filter_map(|node| Gauge::new(layout, places, node)).collect();
        if !gauges.is_empty() {
            let every = every.unwrap_or(USUAL);
            let agent = world.add_agent(Round { gauges, places: places.clone(), every, stop });
            world.at(Instant::ZERO + every, Action::Call(Call { agent, message: 0 }));
        }
    }
}

/// All gauges of a world.
struct Round {
    gauges: Vec<Gauge>,
    places: Rc<Whereabouts>,
    every: Duration,
    stop: Instant,
}

impl Agent for Round {
    fn call(&mut self, call: Call, world: &mut World) {
        let now = world.now();
        for gauge in &mut self.gauges {
            gauge.look(world, &self.places, now);
        }
        let next = now + self.every;
        if next < self.stop {
            world.at(next, Action::Call(call));
        }
    }
}

/// One node under observation.
struct Gauge {
    node: usize,
    recorder: Recorder,
    /// By connection what was counted when it was last looked at.
    counted: BTreeMap<SocketId, Counted>,
    queues: Vec<Queue>,
}

/// What had grown how far, in the order of [`GROWTHS`].
type Counted = [u32; GROWTHS.len()];

/// A queue with the names of its series, in the order of [`QUEUES`].
struct Queue {
    link: LinkId,
    heading: Heading,
    names: [String; QUEUES.len()],
}

impl Gauge {
    fn new(lab: Layout<'_>, places: &Whereabouts, node: usize) -> Option<Self> {
        let recorder = places.recorders[node].clone()?;
        let queue = |(number, port): (usize, &Port)| {
            let link = port.link?;
            let way = usize::from(lab.links[link].ends[0].node != node);
            // Without a rate nothing ever waits.
            places.cables[link][way].medium.rate?;
            Some(Queue {
                link: places.links[link],
                heading: if way == 0 { Heading::AToB } else { Heading::BToA },
                names: QUEUES.each_ref().map(|(metric, _)| metric.name.replace('*', &format!("eth{number}"))),
            })
        };
        let queues = lab.nodes[node].ports.iter().enumerate().filter_map(queue).collect();
        Some(Self { node, recorder, counted: BTreeMap::new(), queues })
    }

    fn look(&mut self, world: &mut World, places: &Whereabouts, now: Instant) {
        for queue in &self.queues {
            if let Some(queued) = world.queue_use(queue.link, queue.heading) {
                for (name, (_, read)) in queue.names.iter().zip(QUEUES) {
                    self.recorder.record(now, name, read(&queued.now));
                }
            }
        }
        let station = places.stations[self.node];
        let connections = world.station::<Host>(station).map(|host| host.connections(now)).unwrap_or_default();
        self.counted.retain(|id, _| connections.iter().any(|(other, _)| other == id));
        for (id, info) in &connections {
            let before = self.counted.entry(*id).or_default();
            connection(&self.recorder, now, info, before);
        }
    }
}

/// What a moment of one connection adds to the series of its node.
fn connection(recorder: &Recorder, now: Instant, info: &Info, before: &mut Counted) {
    for (metric, read) in LEVELS {
        if let Some(value) = read(info) {
            recorder.record(now, metric.name, value);
        }
    }
    let counted = GROWTHS.each_ref().map(|(_, read)| read(info));
    // After a crash another connection may go by the same number.
    if counted.iter().zip(&*before).any(|(now, before)| now < before) {
        *before = Counted::default();
    }
    for ((metric, _), (grown, before)) in GROWTHS.iter().zip(counted.iter().zip(&*before)) {
        if grown > before {
            recorder.record(now, metric.name, f64::from(grown - before));
        }
    }
    *before = counted;
}
