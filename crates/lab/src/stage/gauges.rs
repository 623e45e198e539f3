//! What is looked at from time to time while a lab runs: TCP's connections and the queues before links.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use septet_core::{Instant, Metric, Recorder};
use septet_engine::{Heading, LinkId, World};
use septet_host::Host;
use septet_transport::tcp::{CcInfo, Info, SocketId};

use crate::lab::Lab;
use crate::model::node::Port;
use crate::run::Places;

/// What is looked at.
pub(crate) const METRICS: &[Metric] = &[
    Metric::sizes("tcp.cwnd", "the congestion window of each connection, looked at every `lab.sample`, as all below"),
    Metric::sizes("tcp.ssthresh", "the slow start threshold, once there is one"),
    Metric::sizes("tcp.flight", "bytes sent and neither acknowledged nor held to be lost"),
    Metric::sizes("tcp.window", "the window that the peer offers"),
    Metric::times("tcp.rtt", "the smoothed round-trip time"),
    Metric::times("tcp.min_rtt", "the least round-trip time of late"),
    Metric::times("tcp.rto", "the retransmission timeout"),
    Metric::rates("tcp.delivery_rate", "the rate at which data was last delivered"),
    Metric::rates("tcp.pacing_rate", "the rate that segments are spaced by, or would be"),
    Metric::numbers("tcp.dctcp.alpha", "DCTCP's estimate of the share that is marked"),
    Metric::rates("tcp.bbr.bw", "BBR's estimate of the bottleneck's bandwidth"),
    Metric::times("tcp.bbr.min_rtt", "BBR's estimate of the propagation time"),
    Metric::numbers("tcp.bbr.pacing_gain", "BBR's pacing gain: 1.25, 0.75 and six times 1 while it probes"),
    Metric::numbers("tcp.bbr.cwnd_gain", "BBR's window gain"),
    Metric::counter(
        "tcp.reductions",
        "congestion signals answered: fast recoveries, ECN, time-outs; of BBR those it was told",
    ),
    Metric::counter("tcp.retransmits", "segments sent again"),
    Metric::counter("tcp.timeouts", "retransmission time-outs"),
    Metric::sizes("queue.*", "bytes that wait before a port: `r1.queue.eth1`"),
    Metric::numbers("backlog.*", "packets that wait before a port: `r1.backlog.eth1`"),
];

/// How often, where an expectation wants a gauge and the file does not say.
const USUAL: Duration = Duration::from_millis(10);

/// What begins the names of these metrics.
const TCP: &str = "tcp.";
const QUEUE: &str = "queue.";
const BACKLOG: &str = "backlog.";

/// Whether `name`, as programs and services record, is recorded here.
pub(crate) fn is_gauge(name: &str) -> bool {
    [TCP, QUEUE, BACKLOG].iter().any(|family| name.starts_with(family))
}

/// Looks at `world` from time to time, for what `lab` or its expectations want.
pub(crate) fn watch(world: &mut World, lab: &Lab, places: &Rc<Places>) {
    let asked: BTreeSet<usize> = lab
        .expectations
        .iter()
        .flat_map(|e| e.series())
        .filter(|series| is_gauge(&series.name))
        .flat_map(|series| series.nodes.iter().copied())
        .collect();
    let wanted = |node: usize| lab.sample.is_some() || asked.contains(&node);
    let nodes = (0..lab.nodes.len()).filter(|node| wanted(*node));
    let gauges: Vec<Gauge> = nodes.filter_map(|node| Gauge::new(lab, places, node)).collect();
    if !gauges.is_empty() {
        let every = lab.sample.unwrap_or(USUAL);
        let round = Round { gauges, places: places.clone(), every, stop: lab.stop };
        world.at(Instant::ZERO + every, move |world| round.look(world));
    }
}

/// All gauges of a world.
struct Round {
    gauges: Vec<Gauge>,
    places: Rc<Places>,
    every: Duration,
    stop: Instant,
}

impl Round {
    fn look(mut self, world: &mut World) {
        let now = world.now();
        for gauge in &mut self.gauges {
            gauge.look(world, &self.places, now);
        }
        let next = now + self.every;
        if next < self.stop {
            world.at(next, move |world| self.look(world));
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

/// What of a connection is recorded by its growth.
#[derive(Clone, Copy, Default)]
struct Counted {
    reductions: u32,
    retransmits: u32,
    timeouts: u16,
}

/// A queue with the names of its series.
struct Queue {
    link: LinkId,
    heading: Heading,
    bytes: String,
    packets: String,
}

impl Gauge {
    fn new(lab: &Lab, places: &Places, node: usize) -> Option<Self> {
        let recorder = places.recorders[node].clone()?;
        let queue = |(number, port): (usize, &Port)| {
            let link = port.link?;
            let way = usize::from(lab.links[link].ends[0].node != node);
            // Without a rate nothing ever waits.
            places.cables[link][way].medium.rate?;
            Some(Queue {
                link: places.links[link],
                heading: if way == 0 { Heading::AToB } else { Heading::BToA },
                bytes: format!("{QUEUE}eth{number}"),
                packets: format!("{BACKLOG}eth{number}"),
            })
        };
        let queues = lab.nodes[node].ports.iter().enumerate().filter_map(queue).collect();
        Some(Self { node, recorder, counted: BTreeMap::new(), queues })
    }

    fn look(&mut self, world: &mut World, places: &Places, now: Instant) {
        for queue in &self.queues {
            if let Some(queued) = world.queue_use(queue.link, queue.heading) {
                self.recorder.record(now, &queue.bytes, queued.now.bytes as f64);
                self.recorder.record(now, &queue.packets, queued.now.packets as f64);
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
    let record = |name: &str, value: f64| recorder.record(now, name, value);
    record("tcp.cwnd", info.cwnd_bytes as f64);
    if let Some(ssthresh) = info.ssthresh_bytes {
        record("tcp.ssthresh", ssthresh as f64);
    }
    record("tcp.flight", info.flight_bytes as f64);
    record("tcp.window", f64::from(info.tcpi_snd_wnd));
    if info.tcpi_rtt > 0 {
        record("tcp.rtt", f64::from(info.tcpi_rtt) / 1e6);
        record("tcp.rto", f64::from(info.tcpi_rto) / 1e6);
    }
    if info.tcpi_min_rtt != u32::MAX {
        record("tcp.min_rtt", f64::from(info.tcpi_min_rtt) / 1e6);
    }
    if info.tcpi_delivery_rate > 0 {
        record("tcp.delivery_rate", info.tcpi_delivery_rate as f64 * 8.0);
    }
    if info.tcpi_pacing_rate != u64::MAX {
        record("tcp.pacing_rate", info.tcpi_pacing_rate as f64 * 8.0);
    }
    match info.cc {
        CcInfo::Plain => {}
        CcInfo::Dctcp { dctcp_alpha, dctcp_ab_ecn: _, dctcp_ab_tot: _ } => {
            record("tcp.dctcp.alpha", f64::from(dctcp_alpha) / 1024.0);
        }
        CcInfo::Bbr { bbr_bw, bbr_min_rtt, bbr_pacing_gain, bbr_cwnd_gain } => {
            record("tcp.bbr.bw", bbr_bw as f64 * 8.0);
            if bbr_min_rtt != u32::MAX {
                record("tcp.bbr.min_rtt", f64::from(bbr_min_rtt) / 1e6);
            }
            record("tcp.bbr.pacing_gain", f64::from(bbr_pacing_gain) / 256.0);
            record("tcp.bbr.cwnd_gain", f64::from(bbr_cwnd_gain) / 256.0);
        }
    }
    let counted =
        Counted { reductions: info.reductions, retransmits: info.tcpi_total_retrans, timeouts: info.tcpi_total_rto };
    // After a crash another connection may go by the same number.
    if counted.retransmits < before.retransmits {
        *before = Counted::default();
    }
    let grown = |name: &str, now: u32, before: u32| {
        if now > before {
            record(name, f64::from(now - before));
        }
    };
    grown("tcp.reductions", counted.reductions, before.reductions);
    grown("tcp.retransmits", counted.retransmits, before.retransmits);
    grown("tcp.timeouts", counted.timeouts.into(), before.timeouts.into());
    *before = counted;
}
