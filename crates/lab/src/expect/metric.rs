//! The names that expectations may ask for: what programs record, what nodes count, what links know.

use crate::units::Dimension;

/// Something that programs and services record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// Its name behind the node's: `http.ok`. In a family a `*` stands for what differs: `http.status.*`,
    /// `backend.*.requests`.
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    pub(crate) doc: &'static str,
}

/// How a metric is read where it stands without a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MetricKind {
    /// The sum of its samples.
    Counter(Dimension),
    /// Not at all: a function must say which of its samples are meant.
    Series(Dimension),
}

/// How the samples under a name are read as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// By their sum: a counter.
    Sum,
    /// Each for itself: a series.
    Each,
}

impl Reading {
    /// That of a metric by its name behind the node's; what is not known is a series.
    pub fn of(name: &str) -> Self {
        match find(name).map(|m| m.kind) {
            Some(MetricKind::Counter(_)) => Self::Sum,
            Some(MetricKind::Series(_)) | None => Self::Each,
        }
    }
}

/// The metric called `name`. Of what programs of one's own record, the end of the name says what it counts: `.time`
/// seconds, `.bytes` bytes.
pub(crate) fn find(name: &str) -> Option<Metric> {
    let known = known(name)?;
    let own = match name.rsplit('.').next() {
        _ if known.name != OWN => return Some(*known),
        Some("time") => Dimension::Time,
        Some("bytes") => Dimension::Size,
        _ => Dimension::Number,
    };
    let kind = if own == Dimension::Time { MetricKind::Series(own) } else { MetricKind::Counter(own) };
    Some(Metric { kind, ..*known })
}

/// The family of what programs of one's own record.
const OWN: &str = "app.*";

fn known(name: &str) -> Option<&'static Metric> {
    let is = |m: &&Metric| match m.name.split_once('*') {
        Some((start, end)) => name.len() > start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => m.name == name,
    };
    // A full name goes before a family that it would belong to.
    METRICS.iter().find(|m| m.name == name).or_else(|| METRICS.iter().find(is))
}

/// What is known of links.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LinkMetric {
    /// Frames put on the wire.
    Sent,
    /// Bytes of the frames put on the wire.
    Bytes,
    /// Frames that did not arrive, whatever the reason.
    Drops,
    /// Frames that the queue did not take.
    QueueDrops,
    /// Frames about which a filter had something to say.
    Filtered,
    /// Frames that the channel lost.
    Lost,
    /// Frames that arrived with flipped bits.
    Damaged,
    /// The share of frames put on the wire that the channel lost.
    LossRatio,
    /// The most that ever waited.
    QueueMost(Amount),
    /// What waited in the mean over time.
    QueueMean(Amount),
    /// The share of its rate that a direction used.
    Utilization,
}

/// How the content of a queue is counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Amount {
    /// In bytes.
    Bytes,
    /// In packets.
    Packets,
}

const fn counter(name: &'static str, doc: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter(Dimension::Number), doc }
}

const fn bytes(name: &'static str, doc: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter(Dimension::Size), doc }
}

const fn sizes(name: &'static str, doc: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Series(Dimension::Size), doc }
}

const fn rates(name: &'static str, doc: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Series(Dimension::Rate), doc }
}

const fn numbers(name: &'static str, doc: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Series(Dimension::Number), doc }
}

const fn times(name: &'static str, doc: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Series(Dimension::Time), doc }
}

/// What the programs and services record, by the node that they run on.
pub(crate) static METRICS: &[Metric] = &[
    counter("http.ok", "requests answered with a status below 400 and a whole body"),
    counter("http.error", "requests without such an answer"),
    counter("http.retries", "requests tried again"),
    counter("http.corrupt", "bodies that did not match their digest"),
    counter("http.status.*", "answers with this status"),
    counter("http.exit.*", "failures by curl's exit status"),
    bytes("http.bytes", "bytes of bodies received"),
    times("http.time", "from the start of a request to the last byte of its answer"),
    times("http.time.lookup", "from the start of a request until the name was known"),
    times("http.time.connect", "from the start of a request until the connection stood"),
    times("http.time.handshake", "from the start of a request until TLS stood"),
    times("http.time.first_byte", "from the start of a request to the first byte of its answer"),
    counter("http.connections", "connections that a server took"),
    counter("http.requests", "requests that a server took"),
    counter("http.answers.*", "answers of a server with this status"),
    counter("http.refused", "requests that a server refused before it looked for a page"),
    counter("http.handshake_failed", "TLS handshakes that failed at a server"),
    bytes("http.received", "bytes of bodies that a server received"),
    bytes("http.sent", "bytes of bodies that a server sent"),
    counter("dns.ok", "lookups that a server answered"),
    counter("dns.error", "lookups without an answer"),
    counter("dns.retries", "questions asked again"),
    counter("dns.ignored", "answers that fit no question"),
    times("dns.time", "from a question to its answer"),
    counter("dns.queries", "questions that a name server took"),
    counter("dns.failed", "questions that a name server could not answer"),
    counter("balancer.connections", "connections that a balancer took"),
    counter("balancer.requests", "requests that a balancer took"),
    counter("balancer.refused", "connections and requests that no backend took"),
    counter("balancer.retries", "connections and requests given to another backend, after one failed"),
    counter("balancer.handshake_failed", "TLS handshakes that failed at a balancer"),
    counter("balancer.up", "backends that came back"),
    counter("balancer.down", "backends that went"),
    counter("balancer.checks.ok", "health checks that went well"),
    counter("balancer.checks.failed", "health checks that failed"),
    bytes("balancer.bytes", "bytes passed on"),
    counter("backend.*.requests", "requests that a balancer gave to this backend: `lb.backend.web1.requests`"),
    counter("backend.*.connections", "connections that a balancer opened to this backend"),
    counter("backend.*.failed", "connections and requests at which this backend failed"),
    bytes("backend.*.bytes", "bytes passed on for this backend"),
    times("backend.*.time", "from a request to the head of this backend's response"),
    counter("dns.code.*", "answers with this response code"),
    counter("ping.sent", "echo requests sent"),
    counter("ping.ok", "echo replies received"),
    counter("ping.lost", "echo requests without a reply"),
    counter("ping.error", "errors that came instead of a reply"),
    times("ping.time", "round-trip times"),
    counter("traceroute.sent", "probes sent"),
    counter("traceroute.ok", "probes answered"),
    times("traceroute.time", "round-trip times to the routers on the way"),
    bytes("iperf3.sent", "bytes that a sender of iperf3 sent"),
    bytes("iperf3.received", "bytes that a receiver of iperf3 received"),
    rates("iperf3.bitrate", "once a test: the rate at the receiver"),
    times("iperf3.jitter", "once a test over UDP: the jitter"),
    counter("iperf3.lost", "datagrams that a test over UDP lost"),
    counter("iperf3.error", "streams of iperf3 that broke"),
    bytes("send.bytes", "bytes that `tcp-send` and `udp-send` handed to the network"),
    counter("send.ok", "transfers of `tcp-send` that ended well"),
    counter("send.error", "transfers that broke, datagrams that could not leave"),
    times(
        "send.time",
        "from connecting to the other end's close; from a datagram of `udp-send --receive` to its answer",
    ),
    bytes("send.received", "bytes that came back to `tcp-send --receive` and `udp-send --receive`"),
    counter("sink.connections", "connections that `tcp-sink` took"),
    counter("sink.ok", "connections of `tcp-sink` that were closed in order"),
    counter("sink.error", "connections of `tcp-sink` that broke"),
    counter("sink.corrupt", "connections of `tcp-sink --check` with other bytes than were sent"),
    bytes("sink.bytes", "bytes that `tcp-sink` and `udp-sink` read"),
    times("sink.time", "how long `tcp-sink` read a connection"),
    counter("sink.datagrams", "datagrams that `udp-sink` got"),
    counter("sink.late", "datagrams that came after a later one"),
    counter("sink.duplicates", "datagrams that had come before"),
    counter("sink.lost", "datagrams that are missing at the end"),
    times("sink.delay", "from a datagram's sender to its receiver"),
    counter("echo.connections", "connections that `tcp-echo` took"),
    counter("echo.error", "connections of `tcp-echo` that broke, datagrams that `udp-echo` could not send back"),
    counter("echo.datagrams", "datagrams that `udp-echo` got"),
    bytes("echo.bytes", "bytes that `tcp-echo` and `udp-echo` sent back"),
    sizes("tcp.cwnd", "the congestion window of each connection, looked at every `lab.sample`, as all below"),
    sizes("tcp.ssthresh", "the slow start threshold, once there is one"),
    sizes("tcp.flight", "bytes sent and neither acknowledged nor held to be lost"),
    sizes("tcp.window", "the window that the peer offers"),
    times("tcp.rtt", "the smoothed round-trip time"),
    times("tcp.min_rtt", "the least round-trip time of late"),
    times("tcp.rto", "the retransmission timeout"),
    rates("tcp.delivery_rate", "the rate at which data was last delivered"),
    rates("tcp.pacing_rate", "the rate that segments are spaced by, or would be"),
    numbers("tcp.dctcp.alpha", "DCTCP's estimate of the share that is marked"),
    rates("tcp.bbr.bw", "BBR's estimate of the bottleneck's bandwidth"),
    times("tcp.bbr.min_rtt", "BBR's estimate of the propagation time"),
    numbers("tcp.bbr.pacing_gain", "BBR's pacing gain: 1.25, 0.75 and six times 1 while it probes"),
    numbers("tcp.bbr.cwnd_gain", "BBR's window gain"),
    counter("tcp.reductions", "congestion signals answered: fast recoveries, ECN, time-outs; of BBR those it was told"),
    counter("tcp.retransmits", "segments sent again"),
    counter("tcp.timeouts", "retransmission time-outs"),
    sizes("queue.*", "bytes that wait before a port: `r1.queue.eth1`"),
    numbers("backlog.*", "packets that wait before a port: `r1.backlog.eth1`"),
    counter("service.failed.*", "services that could not run"),
    counter(OWN, "what programs of your own record; `app.….time` in seconds, `app.….bytes` in bytes"),
    counter("program.*", "exit statuses of programs: `program.curl.exit`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..i].iter().all(|m| m.name != metric.name), "{}", metric.name);
            assert!(!metric.doc.is_empty());
        }
    }

    #[test]
    fn families_and_their_exceptions() {
        assert_eq!(find("http.status.404").unwrap().name, "http.status.*");
        assert_eq!(find("http.time.connect").unwrap().name, "http.time.connect");
        assert_eq!(find("app.order.time").unwrap().kind, MetricKind::Series(Dimension::Time));
        assert_eq!(find("app.orders").unwrap().kind, MetricKind::Counter(Dimension::Number));
        assert_eq!(find("backend.web1.requests").unwrap().name, "backend.*.requests");
        assert!(find("backend.requests").is_none() && find("backend.web1.okay").is_none());
        assert!(find("http.status.").is_none() && find("http.okay").is_none());
    }
}
