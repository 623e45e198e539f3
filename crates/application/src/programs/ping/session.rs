//! One run of `ping`: when requests leave, and what becomes of each, by the rules of iputils' `ping_common.c`.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use septet_core::{Instant, Storey};
use septet_network::ip::SendError;
use septet_socket::{EchoReply, IcmpSocket, IpOptions, NetExt, Unreached};

use super::options::{Options, Pace};
use super::record::{Recorded, Shown};
use super::words::{describe, shortest, triplet};
use crate::programs::Context;
use crate::programs::names::Names;

/// iputils' MAXWAIT: how long the last replies are waited for when there was none to measure by.
const LINGER: Duration = Duration::from_secs(10);
/// iputils' MIN_INTERVAL_MS: how soon the next request leaves where none is to be waited for and no reply comes.
const FLOOD: Duration = Duration::from_millis(10);
/// How far two requests are apart at least.
const LEAST: Duration = Duration::from_micros(1);
/// The most requests that are remembered.
const REMEMBERED: usize = 10_000;
/// Bytes of payload from which on it holds the time that it was sent: `sizeof(struct timeval)`.
const TIMED: usize = 16;

/// What has happened so far.
pub(super) struct Session<'a> {
    context: &'a Context,
    options: &'a Options,
    names: Names,
    destination: IpAddr,
    numeric: bool,
    begun: Instant,
    sent: u64,
    last_sent: Option<Instant>,
    /// How long it is to the next request, which changes under `-A`.
    interval: Duration,
    /// The time that was saved up for requests, as far as it was not spent.
    tokens: Duration,
    /// The last request of which is known what became of it.
    acknowledged: u64,
    /// The most requests that were under way at once.
    pipe: u64,
    /// When each unanswered request left, by its number.
    waiting: BTreeMap<u64, Instant>,
    answered: BTreeMap<u64, Instant>,
    received: u64,
    duplicates: u64,
    errors: u64,
    /// Eight times the mean of the last round trips, in microseconds.
    smoothed: u64,
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
    /// What routers recorded so far.
    recorded: Recorded,
}

/// A reply that came.
struct Echo {
    from: IpAddr,
    seq: u16,
    ttl: u8,
    len: usize,
    options: IpOptions,
}

/// What the main loop wakes up for.
enum Woken {
    TimeToSend,
    Reply(io::Result<EchoReply>),
    Over,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        context: &'a Context,
        options: &'a Options,
        names: Names,
        destination: IpAddr,
        numeric: bool,
    ) -> Self {
        Self {
            context,
            options,
            names,
            destination,
            numeric,
            begun: context.net.now(),
            sent: 0,
            last_sent: None,
            interval: options.interval.unwrap_or_default(),
            tokens: Duration::ZERO,
            acknowledged: 0,
            pipe: 0,
            waiting: BTreeMap::new(),
            answered: BTreeMap::new(),
            received: 0,
            duplicates: 0,
            errors: 0,
            smoothed: 0,
            sum: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: 0.0,
            recorded: Recorded::default(),
        }
    }

    pub(super) async fn drive(&mut self, socket: &IcmpSocket) {
        let net = &self.context.net;
        let mut buf = vec![0; self.options.size.max(64)];
        loop {
            let all_sent = self.options.count.is_some_and(|c| self.sent >= c);
            if all_sent && self.received + self.errors >= self.sent {
                return;
            }
            let over = match (all_sent, self.options.deadline) {
                (_, Some(deadline)) => Some(self.begun + deadline),
                (true, None) => Some(self.last_sent.unwrap_or(self.begun) + self.linger()),
                (false, None) => None,
            };
            let next = (!all_sent).then(|| net.now() + self.pause());
            let woken = {
                let mut over = over.map(|at| net.sleep_until(at));
                let mut send = next.map(|at| net.sleep_until(at));
                let mut reply = pin!(socket.receive(&mut buf));
                core::future::poll_fn(|cx| {
                    // Replies first, so that one that comes at the deadline still counts.
                    if let Poll::Ready(reply) = reply.as_mut().poll(cx) {
                        return Poll::Ready(Woken::Reply(reply));
                    }
                    let fires = |timer: &mut Option<septet_socket::Sleep>, cx: &mut core::task::Context<'_>| {
                        timer.as_mut().is_some_and(|t| core::pin::Pin::new(t).poll(cx).is_ready())
                    };
                    if fires(&mut over, cx) {
                        return Poll::Ready(Woken::Over);
                    }
                    if fires(&mut send, cx) { Poll::Ready(Woken::TimeToSend) } else { Poll::Pending }
                })
                .await
            };
            match woken {
                Woken::Over => return,
                Woken::TimeToSend => self.send(socket).await,
                Woken::Reply(Ok(EchoReply::Reply { from, seq, ttl, len, options })) => {
                    self.reply(socket, Echo { from, seq, ttl, len, options }).await;
                }
                Woken::Reply(Ok(EchoReply::Error { seq, error })) => self.error(seq, error).await,
                Woken::Reply(Err(e)) => self.print_error(&format!("ping: recvmsg: {e}\n")),
            }
        }
    }

    /// How long it is until the next request may leave: iputils' `pinger`, which saves up the time that goes by, as much as
    /// `-l` requests need.
    fn pause(&self) -> Duration {
        let Some(last) = self.last_sent else { return Duration::ZERO };
        let since = self.context.net.now() - last;
        if self.interval.is_zero() {
            // "Case of unlimited flood is special; if we see no reply, they are limited to 100pps"
            let under_way = self.sent - self.acknowledged;
            return match under_way {
                n if n >= self.options.preload => FLOOD.saturating_sub(since),
                // A reply that takes no time, from the host itself, makes no endless moment.
                0 => LEAST.saturating_sub(since),
                _ => Duration::ZERO,
            };
        }
        self.interval.saturating_sub(self.saved(since))
    }

    fn saved(&self, since: Duration) -> Duration {
        (since + self.tokens).min(self.most(self.options.preload))
    }

    fn most(&self, requests: u64) -> Duration {
        self.interval.saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX))
    }

    /// How long the last replies are waited for: as iputils, twice the longest round trip, or `-W` where there was none.
    fn linger(&self) -> Duration {
        if self.received == 0 {
            return self.options.linger.unwrap_or(LINGER);
        }
        Duration::try_from_secs_f64(2.0 * self.max / 1e3).unwrap_or(LINGER).max(self.interval)
    }

    async fn send(&mut self, socket: &IcmpSocket) {
        let net = &self.context.net;
        let now = net.now();
        self.tokens = match self.last_sent {
            None => self.most(self.options.preload - 1),
            Some(last) => self.saved(now - last).saturating_sub(self.interval),
        };
        if self.options.shows.outstanding && self.sent > 0 && !self.answered.contains_key(&self.sent) {
            let line = format!("{}no answer yet for icmp_seq={}\n", self.time(), self.sent as u16);
            self.print(&line);
        }
        self.sent += 1;
        let seq = self.sent as u16;
        self.last_sent = Some(now);
        self.waiting.insert(self.sent, now);
        let payload = self.payload();
        net.count("ping.sent");
        net.trace(Storey::Application, "ping.request", |f| {
            f.set("to", self.destination).set("seq", seq);
        });
        match socket.send(self.destination, seq, &payload).await {
            Ok(()) if self.is_flooding() => self.print("."),
            Ok(()) => {}
            Err(e) => {
                self.waiting.remove(&self.sent);
                self.errors += 1;
                net.count("ping.error");
                self.fails(seq, &format!("cannot be sent: {e}"));
                let too_long = e.get_ref().and_then(|inner| inner.downcast_ref()).and_then(|e| match e {
                    SendError::MessageTooLong { mtu } => Some(*mtu),
                    _ => None,
                });
                self.print_error(&match too_long {
                    Some(mtu) => format!("ping: local error: message too long, mtu={mtu}\n"),
                    None => format!("ping: sendmsg: {e}\n"),
                });
            }
        }
        // More than this many are not waited for: the oldest count as lost.
        while self.waiting.len() > REMEMBERED {
            self.waiting.pop_first();
        }
    }

    /// What a request carries: iputils' pattern, where each byte is its offset, or the one that was asked for.
    fn payload(&self) -> Vec<u8> {
        match &self.options.pattern[..] {
            [] => (0..self.options.size).map(|i| i as u8).collect(),
            pattern => pattern.iter().copied().cycle().take(self.options.size).collect(),
        }
    }

    /// Whether dots are shown instead of lines.
    fn is_flooding(&self) -> bool {
        self.options.pace == Pace::Flood && !self.options.shows.quiet
    }

    /// The last request that has this number on the wire.
    fn number(&self, seq: u16) -> u64 {
        self.sent.saturating_sub((self.sent as u16).wrapping_sub(seq).into())
    }

    /// iputils' `acknowledge`: what became of a request is known.
    fn acknowledge(&mut self, number: u64) {
        let behind = self.sent - number;
        if behind > 0x7fff {
            return;
        }
        self.pipe = self.pipe.max(behind + 1);
        self.acknowledged = self.acknowledged.max(number);
    }

    async fn reply(&mut self, socket: &IcmpSocket, Echo { from, seq, ttl, len, options }: Echo) {
        let net = &self.context.net;
        let now = net.now();
        let number = self.number(seq);
        let (sent, duplicate) = match (self.waiting.remove(&number), self.answered.get(&number)) {
            (Some(sent), _) => (sent, ""),
            (None, Some(sent)) => (*sent, " (DUP!)"),
            (None, None) => return,
        };
        let millis = (now - sent).as_secs_f64() * 1e3;
        if duplicate.is_empty() {
            self.acknowledge(number);
            self.answered.insert(number, sent);
            if self.answered.len() > REMEMBERED {
                self.answered.pop_first();
            }
            self.measure(now - sent);
            net.count("ping.ok");
            net.observe("ping.time", millis / 1e3);
            net.trace(Storey::Application, "ping.reply", |f| {
                f.set("from", from).set("seq", seq).set("ttl", ttl).set("took", now - sent);
            });
        } else {
            self.duplicates += 1;
        }
        if self.options.shows.quiet {
            return;
        }
        if self.is_flooding() {
            return self.print("\u{8} \u{8}");
        }
        let who = self.who(from).await;
        let ident = match self.options.shows.ident {
            true => socket.ident().map(|ident| format!(" ident={ident}")).unwrap_or_default(),
            false => String::new(),
        };
        let took = if self.options.size >= TIMED { format!(" time={} ms", triplet(millis)) } else { String::new() };
        let bell = if self.options.shows.bell { "\u{7}" } else { "" };
        let mut line = format!(
            "{}{} bytes from {who}: icmp_seq={seq}{ident} ttl={ttl}{took}{duplicate}{bell}",
            self.time(),
            len + 8
        );
        for shown in self.recorded.show(&options) {
            line += &match shown {
                Shown::Text(text) => text,
                Shown::Address(address) => self.who(address.into()).await,
            };
        }
        self.print(&(line + "\n"));
    }

    fn measure(&mut self, took: Duration) {
        let millis = took.as_secs_f64() * 1e3;
        self.received += 1;
        self.sum += millis;
        self.squares += millis * millis;
        self.min = self.min.min(millis);
        self.max = self.max.max(millis);
        let micros = took.as_micros() as u64;
        self.smoothed = match self.smoothed {
            0 => micros * 8,
            smoothed => smoothed + micros - smoothed / 8,
        };
        if self.options.pace == Pace::Adaptive {
            // iputils' `update_interval`, in whole milliseconds.
            self.interval = Duration::from_millis((self.smoothed / 8 + 500) / 1000);
        }
    }

    async fn error(&mut self, seq: u16, error: Unreached) {
        let number = self.number(seq);
        if self.waiting.remove(&number).is_none() {
            return;
        }
        self.acknowledge(number);
        self.errors += 1;
        self.context.net.count("ping.error");
        let what = describe(error.trouble, error.reporter);
        self.context.net.trace(Storey::Application, "ping.failed", |f| {
            f.set("from", error.reporter).set("seq", seq).set("why", what.clone());
        });
        if self.is_flooding() {
            self.print("\u{8}E");
        } else if !self.options.shows.quiet {
            let who = self.who(error.reporter).await;
            let line = format!("{}From {who} icmp_seq={seq} {what}\n", self.time());
            self.print(&line);
        }
    }

    fn fails(&self, seq: u16, why: &str) {
        self.context.net.trace(Storey::Application, "ping.failed", |f| {
            f.set("to", self.destination).set("seq", seq).set("why", why.to_owned());
        });
    }

    /// What `-D` puts before a line.
    fn time(&self) -> String {
        if !self.options.shows.time {
            return String::new();
        }
        let now = self.context.net.unix_time();
        format!("[{}.{:06}] ", now.as_secs(), now.subsec_micros())
    }

    async fn who(&mut self, ip: IpAddr) -> String {
        match if self.numeric { None } else { self.names.name(ip).await } {
            Some(name) => format!("{name} ({ip})"),
            None => ip.to_string(),
        }
    }

    pub(super) fn summary(&self) -> u8 {
        for (number, sent) in &self.waiting {
            let waited = self.context.net.now() - *sent;
            self.fails(*number as u16, &format!("no reply within {:.3} s", waited.as_secs_f64()));
        }
        let took = self.last_sent.unwrap_or(self.begun) - self.begun;
        let lost = self.sent.saturating_sub(self.received);
        self.context.net.observe("ping.lost", lost as f64);
        let mut text = format!(
            "\n--- {} ping statistics ---\n{} packets transmitted, {} received",
            self.options.destination, self.sent, self.received
        );
        if self.duplicates > 0 {
            text.push_str(&format!(", +{} duplicates", self.duplicates));
        }
        if self.errors > 0 {
            text.push_str(&format!(", +{} errors", self.errors));
        }
        if self.sent > 0 {
            let percent = lost as f64 * 100.0 / self.sent as f64;
            text.push_str(&format!(", {}% packet loss, time {}ms", shortest(percent), took.as_millis()));
        }
        text.push('\n');
        text.push_str(&self.figures(took).join(", "));
        text.push('\n');
        self.print(&text);
        // ping(8): "If ping does not receive any reply packets at all it will exit with code 1. If a packet count and
        // deadline are both specified, and fewer than count packets are received by the time the deadline has
        // arrived, it will also exit with code 1."
        let short = matches!((self.options.count, self.options.deadline), (Some(c), Some(_)) if self.received < c);
        u8::from(self.received == 0 || short)
    }

    /// The last line of the statistics.
    fn figures(&self, took: Duration) -> Vec<String> {
        let mut figures = Vec::new();
        if self.received > 0 && self.options.size >= TIMED {
            let mean = self.sum / self.received as f64;
            let mdev = (self.squares / self.received as f64 - mean * mean).max(0.0).sqrt();
            figures.push(format!("rtt min/avg/max/mdev = {:.3}/{mean:.3}/{:.3}/{mdev:.3} ms", self.min, self.max));
        }
        if self.pipe > 1 {
            figures.push(format!("pipe {}", self.pipe));
        }
        let is_paced = self.interval.is_zero() || self.options.pace != Pace::Even;
        if self.received > 0 && is_paced && self.sent > 1 {
            let gap = took.as_micros() as u64 / (self.sent - 1);
            let mean = self.smoothed / 8;
            figures.push(format!("ipg/ewma {}.{:03}/{}.{:03} ms", gap / 1000, gap % 1000, mean / 1000, mean % 1000));
        }
        figures
    }

    pub(super) fn print(&self, text: &str) {
        self.context.console.out(text.as_bytes());
    }

    fn print_error(&self, text: &str) {
        self.context.console.err(text.as_bytes());
    }
}
