//! Two endpoints joined by a wire in virtual time, with knobs for all that a network does to segments.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use septet_core::{Checksums, Frame, Instant, Rng, Seed, Trace};
use septet_transport::Ecn;
use septet_transport::tcp::{Config, Endpoint, Error, Meta, Options, SocketId, Transmit};

/// What the wire does, each way alike.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Bits a second; zero for no limit.
    pub rate: u64,
    pub delay: Duration,
    /// A random part on top, which reorders.
    pub jitter: Duration,
    pub loss: f64,
    pub duplicate: f64,
    /// The chance of being marked CE, where ECN-capable.
    pub mark: f64,
    pub mtu: u32,
    /// Packets that wait for the transmitter.
    pub queue: usize,
    /// Packets beyond which ECN-capable ones are marked; zero for never.
    pub mark_above: usize,
    /// Whether super-segments pass whole.
    pub gso: bool,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            rate: 0,
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            mark: 0.0,
            mtu: 1500,
            queue: usize::MAX,
            mark_above: 0,
            gso: false,
        }
    }
}

struct Flying {
    to: usize,
    meta: Meta,
    frame: Frame,
}

/// Looks at what an end sends, and says whether it may pass.
pub type Filter = Box<dyn FnMut(usize, &[u8]) -> bool>;

/// The pair: endpoint 0 is the client, endpoint 1 the server.
pub struct Pair {
    pub now: Instant,
    pub ends: [Endpoint; 2],
    pub wire: Wire,
    pub trace: Trace,
    pub addr: [SocketAddr; 2],
    flying: BTreeMap<(Instant, u64), Flying>,
    seq: u64,
    busy_until: [Instant; 2],
    queued: [Vec<Instant>; 2],
    rng: Rng,
    pub sent: u64,
    pub dropped: u64,
    /// A filter: returns whether the packet may pass.
    pub filter: Option<Filter>,
}

impl Pair {
    pub fn new(seed: u64, wire: Wire, configs: [Config; 2]) -> Self {
        let seed = Seed::new(seed);
        let [a, b] = configs;
        Self {
            now: Instant::from_millis(1),
            ends: [Endpoint::new(a, &mut seed.stream("client")), Endpoint::new(b, &mut seed.stream("server"))],
            wire,
            trace: Trace::off(),
            addr: ["10.0.0.1:0".parse().unwrap(), "10.0.0.2:80".parse().unwrap()],
            flying: BTreeMap::new(),
            seq: 0,
            busy_until: [Instant::ZERO; 2],
            queued: [Vec::new(), Vec::new()],
            rng: seed.stream("wire"),
            sent: 0,
            dropped: 0,
            filter: None,
        }
    }

    pub fn linux(seed: u64, wire: Wire) -> Self {
        Self::new(seed, wire, [Config::linux(), Config::linux()])
    }

    pub fn listen(&mut self, backlog: usize, options: &Options) -> SocketId {
        self.ends[1].listen(self.addr[1], backlog, options).unwrap()
    }

    pub fn connect(&mut self, options: &Options) -> SocketId {
        let (now, mtu) = (self.now, self.wire.mtu);
        let id = self.ends[0].connect(now, self.addr[0], self.addr[1], mtu, options, &mut self.trace).unwrap();
        self.flush();
        id
    }

    /// Connects and accepts.
    pub fn established(&mut self, options: &Options) -> (SocketId, SocketId) {
        let listener = self.listen(8, options);
        let client = self.connect(options);
        for _ in 0..10_000 {
            if let Ok((server, _)) = self.ends[1].accept(listener)
                && self.ends[0].state(client).unwrap().is_synchronized()
            {
                return (client, server);
            }
            self.step();
        }
        panic!("not established");
    }

    pub fn write(&mut self, end: usize, id: SocketId, data: &[u8]) -> Result<usize, Error> {
        let n = self.ends[end].write(self.now, id, data, &mut self.trace);
        self.flush();
        n
    }

    pub fn read(&mut self, end: usize, id: SocketId, out: &mut [u8]) -> Result<usize, Error> {
        let n = self.ends[end].read(self.now, id, out, &mut self.trace);
        self.flush();
        n
    }

    pub fn close(&mut self, end: usize, id: SocketId) {
        let _ = self.ends[end].close(self.now, id, &mut self.trace);
        self.flush();
    }

    /// Puts what the endpoints have to say onto the wire.
    pub fn flush(&mut self) {
        for from in 0..2 {
            while let Some(t) = self.ends[from].poll_transmit(self.now, &mut self.trace) {
                self.launch(from, t);
            }
        }
    }

    fn launch(&mut self, from: usize, t: Transmit) {
        let size = usize::from(t.frame.segment_size);
        if size == 0 || self.wire.gso {
            return self.launch_one(from, t.src, t.dst, t.ecn, t.frame);
        }
        for frame in septet_transport::tcp::split(&t.frame, t.src, t.dst) {
            self.launch_one(from, t.src, t.dst, t.ecn, frame);
        }
    }

    fn launch_one(&mut self, from: usize, src: std::net::IpAddr, dst: std::net::IpAddr, mut ecn: Ecn, frame: Frame) {
        self.sent += 1;
        if let Some(filter) = &mut self.filter
            && !filter(from, frame.bytes())
        {
            self.dropped += 1;
            return;
        }
        assert!(
            self.wire.gso || frame.len() + 20 <= self.wire.mtu as usize,
            "{} bytes exceed the MTU",
            frame.len() + 20
        );
        let now = self.now;
        self.queued[from].retain(|t| *t > now);
        if self.queued[from].len() >= self.wire.queue || self.rng.chance(self.wire.loss) {
            self.dropped += 1;
            return;
        }
        let over = self.wire.mark_above > 0 && self.queued[from].len() >= self.wire.mark_above;
        if ecn == Ecn::Ect0 && (over || self.rng.chance(self.wire.mark)) {
            ecn = Ecn::Ce;
        }
        let mut at = self.now;
        let nanos = (frame.len() as u64 + 20) * 8_000_000_000;
        if let Some(nanos) = nanos.checked_div(self.wire.rate) {
            at = at.max(self.busy_until[from]) + Duration::from_nanos(nanos);
            self.busy_until[from] = at;
            self.queued[from].push(at);
        }
        at += self.wire.delay;
        let copies = if self.rng.chance(self.wire.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let jitter = Duration::from_nanos(self.rng.below(self.wire.jitter.as_nanos() as u64 + 1));
            let meta = Meta { src, dst, ecn, ttl: 64, mtu: self.wire.mtu };
            let mut frame = frame.clone();
            frame.checksums = Checksums::Unverified;
            self.seq += 1;
            self.flying.insert((at + jitter, self.seq), Flying { to: 1 - from, meta, frame });
        }
    }

    /// Packets that wait for the transmitter of `end`.
    pub fn backlog(&self, end: usize) -> usize {
        self.queued[end].iter().filter(|t| **t > self.now).count()
    }

    /// When something happens next.
    pub fn next(&mut self) -> Option<Instant> {
        let flight = self.flying.keys().next().map(|k| k.0);
        [flight, self.ends[0].poll_timeout(), self.ends[1].poll_timeout()].into_iter().flatten().min()
    }

    /// Lets the next thing happen; whether there was one.
    pub fn step(&mut self) -> bool {
        self.flush();
        let Some(at) = self.next() else { return false };
        self.now = self.now.max(at);
        self.trace.set_scene(self.now, Default::default());
        if self.flying.keys().next().is_some_and(|k| k.0 <= self.now) {
            let (_, f) = self.flying.pop_first().unwrap();
            let _ = self.ends[f.to].receive(self.now, &f.meta, f.frame, &mut self.trace);
        }
        for end in &mut self.ends {
            end.on_timeout(self.now, &mut self.trace);
        }
        self.flush();
        true
    }

    /// Prints what was traced, for a person who looks into a failure.
    pub fn print_trace(&mut self) {
        for record in self.trace.drain() {
            if let septet_core::Record::Event(e) = record {
                let fields: Vec<String> = e.fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
                println!("{} {} {}", e.at, e.kind, fields.join(" "));
            }
        }
    }

    pub fn run_until(&mut self, until: Instant) {
        self.flush();
        while self.next().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = self.now.max(until);
    }

    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }
}

/// Moves `data` from the client to the server and closes; returns what arrived and how it ended.
pub fn transfer(pair: &mut Pair, data: &[u8], limit: Duration) -> (Vec<u8>, Result<(), Error>) {
    let options = Options::default();
    let listener = pair.listen(8, &options);
    let client = pair.connect(&options);
    let mut server = None;
    let (mut written, mut got) = (0, Vec::new());
    let mut closed = false;
    let until = pair.now + limit;
    let mut buf = vec![0; 65_536];
    loop {
        if server.is_none() {
            server = pair.ends[1].accept(listener).ok().map(|(id, _)| id);
        }
        while written < data.len() {
            match pair.write(0, client, &data[written..]) {
                Ok(n) => written += n,
                Err(Error::WouldBlock) => break,
                Err(e) => return (got, Err(e)),
            }
        }
        if written == data.len() && !closed {
            closed = true;
            pair.close(0, client);
        }
        if let Some(id) = server {
            loop {
                match pair.read(1, id, &mut buf) {
                    Ok(0) => {
                        pair.close(1, id);
                        return (got, Ok(()));
                    }
                    Ok(n) => got.extend_from_slice(&buf[..n]),
                    Err(Error::WouldBlock) => break,
                    Err(e) => return (got, Err(e)),
                }
            }
        }
        if !closed && let Ok(Some(e)) = pair.ends[0].take_error(client) {
            return (got, Err(e));
        }
        if pair.now > until {
            panic!("hang: {} of {} bytes after {:?}", got.len(), data.len(), limit);
        }
        if !pair.step() {
            // An orphan that gave up has nobody left to tell; the server waits for ever, as it would anywhere.
            if closed && pair.ends[0].mib().abort_on_timeout == 1 {
                return (got, Err(Error::TimedOut));
            }
            pair.print_trace();
            let info = pair.ends[0].info(pair.now, client);
            panic!(
                "nothing will ever happen at {}: {} of {} bytes, {info:?}\n{:?}\n{:?}",
                pair.now,
                got.len(),
                data.len(),
                pair.ends[0].connection(client),
                server.map(|s| pair.ends[1].info(pair.now, s))
            );
        }
    }
}
