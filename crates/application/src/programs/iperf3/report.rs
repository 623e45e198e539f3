//! What is printed, and what the recorder hears.

use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use septet_core::{Instant, Storey};
use septet_socket::NetExt;
use serde::Serialize;

use super::options::Options;
use super::protocol::{Cookie, Results, StreamResult, Transport, stream_id};
use super::stream::{Count, Meter};
use crate::programs::Context;

/// Which way this end's load goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    Sent,
    Received,
}

/// Keeps the time of a test and tells what happens.
pub(super) struct Report<'a> {
    context: &'a Context,
    options: &'a Options,
    direction: Direction,
    begun: Instant,
    last: Instant,
    ended: Option<Instant>,
    before: Vec<Count>,
    theirs: Results,
    document: Document,
}

impl<'a> Report<'a> {
    pub(super) fn new(context: &'a Context, options: &'a Options, direction: Direction) -> Self {
        let now = context.net.now();
        let before = vec![Count::default(); options.params.streams as usize];
        let mut document = Document::default();
        document.start.version = "iperf 3.12 (septet)";
        Self {
            context,
            options,
            direction,
            begun: now,
            last: now,
            ended: None,
            before,
            theirs: Results::default(),
            document,
        }
    }

    pub(super) fn connecting(&mut self, host: &str, port: u16) {
        self.print(format!("Connecting to host {host}, port {port}\n"));
        self.document.start.connecting_to = Some(Place { host: host.to_owned(), port });
    }

    pub(super) fn accepted(&mut self, client: SocketAddr) {
        self.print(format!("Accepted connection from {}, port {}\n", client.ip(), client.port()));
        self.document.start.accepted_connection = Some(Place { host: client.ip().to_string(), port: client.port() });
    }

    pub(super) fn cookie(&mut self, cookie: &Cookie) {
        self.document.start.cookie = cookie.text();
    }

    pub(super) fn connected(&mut self, local: Option<SocketAddr>, remote: Option<SocketAddr>) {
        let (Some(local), Some(remote)) = (local, remote) else { return };
        let socket = socket_number(self.document.start.connected.len());
        self.print(format!(
            "[{socket:3}] local {} port {} connected to {} port {}\n",
            local.ip(),
            local.port(),
            remote.ip(),
            remote.port()
        ));
        self.document.start.connected.push(Connected {
            socket,
            local_host: local.ip().to_string(),
            local_port: local.port(),
            remote_host: remote.ip().to_string(),
            remote_port: remote.port(),
        });
    }

    pub(super) fn started(&mut self) {
        let now = self.context.net.now();
        (self.begun, self.last) = (now, now);
        let params = &self.options.params;
        let unix = self.context.net.unix_time();
        self.document.start.timestamp =
            Timestamp { time: httpdate::fmt_http_date(UNIX_EPOCH + unix), timesecs: unix.as_secs() };
        self.document.start.test_start = TestStart {
            protocol: if params.transport == Transport::Tcp { "TCP" } else { "UDP" },
            num_streams: params.streams,
            blksize: params.block,
            omit: 0,
            duration: params.time.as_secs_f64(),
            bytes: params.bytes,
            blocks: 0,
            reverse: params.reverse.into(),
            tos: 0,
            target_bitrate: params.rate,
        };
        self.context.net.trace(Storey::Application, "iperf3.start", |f| {
            f.set("way", if self.direction == Direction::Sent { "sent" } else { "received" });
            f.set("streams", params.streams);
        });
        self.heading();
    }

    fn heading(&self) {
        let more = match (self.options.params.transport, self.direction) {
            (Transport::Tcp, _) => "",
            (Transport::Udp, Direction::Sent) => "         Total Datagrams",
            (Transport::Udp, Direction::Received) => "         Jitter    Lost/Total Datagrams",
        };
        self.print(format!("[ ID] Interval           Transfer     Bitrate{more}\n"));
    }

    /// When the next report is due.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        (!self.options.interval.is_zero()).then(|| self.last + self.options.interval)
    }

    /// Reports the interval, where it is over.
    pub(super) fn tick(&mut self, meters: &[Meter]) {
        if self.next_tick().is_some_and(|tick| self.context.net.now() >= tick) {
            self.interval(meters);
        }
    }

    /// The load has stopped; the rest of an interval is reported.
    pub(super) fn stopped(&mut self, meters: &[Meter]) {
        let now = self.context.net.now();
        self.ended = Some(now);
        if now > self.last {
            self.interval(meters);
        }
    }

    fn interval(&mut self, meters: &[Meter]) {
        let net = &self.context.net;
        let now = net.now();
        let (from, to) = ((self.last - self.begun).as_secs_f64(), (now - self.begun).as_secs_f64());
        self.last = now;
        let mut streams = Vec::new();
        for (i, meter) in meters.iter().enumerate() {
            let count = meter.read();
            let delta = difference(&count, &self.before[i]);
            self.before[i] = count;
            streams.push((Span::new(Some(i), from, to, &delta, self.direction == Direction::Sent), delta));
        }
        let mut sum = Count::default();
        streams.iter().for_each(|(_, d)| add(&mut sum, d));
        let name = if self.direction == Direction::Sent { "iperf3.sent" } else { "iperf3.received" };
        net.observe(name, sum.bytes as f64);
        let total = Span::new(None, from, to, &sum, self.direction == Direction::Sent);
        for (span, delta) in &streams {
            self.line(span, delta, self.direction, "");
        }
        if streams.len() > 1 {
            self.line(&total, &sum, self.direction, "");
            self.print("- - - - - - - - - - - - - - - - - - - - - - - - -\n".to_owned());
        }
        if self.options.json {
            self.document
                .intervals
                .push(Interval { streams: streams.into_iter().map(|(s, _)| s).collect(), sum: total });
        }
    }

    pub(super) fn theirs(&mut self, results: Results) {
        self.theirs = results;
    }

    /// How long the load was carried.
    pub(super) fn seconds(&self) -> f64 {
        (self.ended.unwrap_or(self.last) - self.begun).as_secs_f64()
    }

    /// Reports the whole test.
    pub(super) fn finish(&mut self, meters: &[Meter]) {
        if meters.len() == 1 {
            self.print("- - - - - - - - - - - - - - - - - - - - - - - - -\n".to_owned());
        }
        let more = match self.options.params.transport {
            Transport::Tcp => "",
            Transport::Udp => "         Jitter    Lost/Total Datagrams",
        };
        self.print(format!("[ ID] Interval           Transfer     Bitrate{more}\n"));
        let (mut sent, mut received) = (Count::default(), Count::default());
        let (mut sent_for, mut received_for) = (0.0f64, 0.0f64);
        for (i, meter) in meters.iter().enumerate() {
            let ours = (meter.read(), self.seconds());
            let theirs =
                self.theirs.streams.iter().find(|s| s.id == stream_id(i)).map_or_else(Default::default, of_results);
            let ((a, a_for), (b, b_for)) =
                if self.direction == Direction::Sent { (ours, theirs) } else { (theirs, ours) };
            add(&mut sent, &a);
            add(&mut received, &b);
            (sent_for, received_for) = (sent_for.max(a_for), received_for.max(b_for));
            let (sender, receiver) =
                (Span::new(Some(i), 0.0, a_for, &a, true), Span::new(Some(i), 0.0, b_for, &b, false));
            self.line(&sender, &a, Direction::Received, "sender");
            self.line(&receiver, &b, Direction::Received, "receiver");
            self.document.end.streams.push(Ends { sender, receiver });
        }
        let (sum_sent, sum_received) =
            (Span::new(None, 0.0, sent_for, &sent, true), Span::new(None, 0.0, received_for, &received, false));
        if meters.len() > 1 {
            self.line(&sum_sent, &sent, Direction::Received, "sender");
            self.line(&sum_received, &received, Direction::Received, "receiver");
        }
        let net = &self.context.net;
        net.observe("iperf3.bitrate", sum_received.bits_per_second);
        if self.options.params.transport == Transport::Udp {
            net.observe("iperf3.jitter", received.jitter);
            net.observe("iperf3.lost", received.lost.max(0) as f64);
        }
        net.trace(Storey::Application, "iperf3.end", |f| {
            f.set("sent", sent.bytes).set("received", received.bytes);
            f.set("bits_per_second", sum_received.bits_per_second as u64);
        });
        (self.document.end.sum_sent, self.document.end.sum_received) = (Some(sum_sent), Some(sum_received));
        if self.options.json {
            self.context.console.out(to_json(&self.document).as_bytes());
        } else if matches!(self.options.side, super::options::Side::Client(_)) {
            self.print("\niperf Done.\n".to_owned());
        }
    }

    fn line(&self, span: &Span, count: &Count, shown: Direction, end: &str) {
        let id = span.socket.map_or_else(|| "SUM".to_owned(), |s| format!("{s:3}"));
        let mut text = format!(
            "[{id}] {:6.2}-{:<6.2} sec  {}Bytes  {}bits/sec",
            span.start,
            span.end,
            scaled(count.bytes as f64, 1024.0),
            scaled(span.bits_per_second, 1000.0),
        );
        match (self.options.params.transport, shown) {
            (Transport::Tcp, _) => text.push_str(&format!("                  {end}")),
            (Transport::Udp, Direction::Sent) => text.push_str(&format!("  {}  {end}", count.packets)),
            (Transport::Udp, Direction::Received) => text.push_str(&format!(
                "  {:.3} ms  {}/{} ({}%)  {end}",
                count.jitter * 1e3,
                count.lost.max(0),
                count.packets,
                two_digits(span.lost_percent.unwrap_or(0.0)),
            )),
        }
        text.push('\n');
        self.print(text);
    }

    fn print(&self, text: String) {
        if !self.options.json {
            self.context.console.out(text.as_bytes());
        }
    }
}

/// The original shows the numbers of its descriptors: 5, 7, 9, …
fn socket_number(index: usize) -> u32 {
    5 + 2 * index as u32
}

fn difference(now: &Count, before: &Count) -> Count {
    Count {
        bytes: now.bytes - before.bytes,
        packets: now.packets.saturating_sub(before.packets),
        lost: now.lost - before.lost,
        out_of_order: now.out_of_order - before.out_of_order,
        ..*now
    }
}

fn add(sum: &mut Count, count: &Count) {
    sum.bytes += count.bytes;
    sum.packets += count.packets;
    sum.lost += count.lost;
    sum.out_of_order += count.out_of_order;
    sum.jitter = sum.jitter.max(count.jitter);
}

fn of_results(result: &StreamResult) -> (Count, f64) {
    let count = Count {
        bytes: result.bytes,
        packets: result.packets,
        lost: result.errors,
        jitter: result.jitter,
        ..Count::default()
    };
    (count, result.end_time - result.start_time)
}

/// Four characters and a unit, as the original prints amounts: ` 412 M`, `1.72 G`.
fn scaled(value: f64, step: f64) -> String {
    let mut value = value;
    let mut units = ["", "K", "M", "G", "T"].into_iter().peekable();
    let mut unit = units.next().unwrap_or_default();
    while value >= step
        && let Some(next) = units.next()
    {
        value /= step;
        unit = next;
    }
    match value {
        v if v < 9.995 => format!("{v:4.2} {unit}"),
        v if v < 99.95 => format!("{v:4.1} {unit}"),
        v => format!("{v:4.0} {unit}"),
    }
}

/// `%.2g`, as far as a percentage needs it.
fn two_digits(percent: f64) -> String {
    let digits = match percent {
        p if p == 0.0 || p >= 9.95 => 0,
        p if p >= 0.995 => 1,
        p if p >= 0.0995 => 2,
        _ => 3,
    };
    let text = format!("{percent:.digits$}");
    if digits > 0 { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A whole document that only says what went wrong.
pub(super) fn error_json(error: &str) -> String {
    let mut document = Document { error: Some(error.to_owned()), ..Document::default() };
    document.start.version = "iperf 3.12 (septet)";
    to_json(&document)
}

fn to_json(document: &Document) -> String {
    serde_json::to_string_pretty(document).map(|t| t + "\n").unwrap_or_default()
}

#[derive(Serialize, Default)]
struct Document {
    start: Start,
    intervals: Vec<Interval>,
    end: End,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize, Default)]
struct Start {
    connected: Vec<Connected>,
    version: &'static str,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    connecting_to: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_connection: Option<Place>,
    cookie: String,
    test_start: TestStart,
}

#[derive(Serialize)]
struct Connected {
    socket: u32,
    local_host: String,
    local_port: u16,
    remote_host: String,
    remote_port: u16,
}

#[derive(Serialize, Default)]
struct Timestamp {
    time: String,
    timesecs: u64,
}

#[derive(Serialize)]
struct Place {
    host: String,
    port: u16,
}

#[derive(Serialize, Default)]
struct TestStart {
    protocol: &'static str,
    num_streams: u32,
    blksize: usize,
    omit: u32,
    duration: f64,
    bytes: u64,
    blocks: u64,
    reverse: u32,
    tos: u32,
    target_bitrate: u64,
}

#[derive(Serialize)]
struct Interval {
    streams: Vec<Span>,
    sum: Span,
}

#[derive(Serialize, Default)]
struct End {
    streams: Vec<Ends>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum_sent: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum_received: Option<Span>,
}

#[derive(Serialize)]
struct Ends {
    sender: Span,
    receiver: Span,
}

/// What went through in a span of time.
#[derive(Serialize)]
struct Span {
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<u32>,
    start: f64,
    end: f64,
    seconds: f64,
    bytes: u64,
    bits_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_packets: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_percent: Option<f64>,
    omitted: bool,
    sender: bool,
}

impl Span {
    fn new(stream: Option<usize>, start: f64, end: f64, count: &Count, sender: bool) -> Self {
        let seconds = end - start;
        let udp = count.packets > 0;
        Self {
            socket: stream.map(socket_number),
            start,
            end,
            seconds,
            bytes: count.bytes,
            bits_per_second: if seconds > 0.0 { count.bytes as f64 * 8.0 / seconds } else { 0.0 },
            jitter_ms: udp.then_some(count.jitter * 1e3),
            lost_packets: udp.then_some(count.lost.max(0)),
            packets: udp.then_some(count.packets),
            lost_percent: udp.then(|| count.lost.max(0) as f64 * 100.0 / count.packets as f64),
            omitted: false,
            sender,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_the_original_prints_them() {
        for (bytes, text) in [
            (0.0, "0.00 "),
            (1024.0, "1.00 K"),
            (10_485_760.0, "10.0 M"),
            (432_013_312.0, " 412 M"),
            (1_279_262.0, "1.22 M"),
        ] {
            assert_eq!(scaled(bytes, 1024.0), text);
        }
        assert_eq!(scaled(1_720_000_000.0, 1000.0), "1.72 G");
        assert_eq!(scaled(999_700.0, 1000.0), "1000 K");
        for (percent, text) in [(0.0, "0"), (5.128, "5.1"), (12.3, "12"), (100.0, "100"), (0.256, "0.26"), (2.0, "2")] {
            assert_eq!(two_digits(percent), text);
        }
    }
}
