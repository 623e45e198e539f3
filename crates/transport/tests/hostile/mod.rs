//! Two endpoints over a wire that the input bytes command: it loses, repeats, reorders, delays, rewrites with valid
//! checksums, lies about windows and forges segments and ICMP errors, while applications write, read, close and change
//! options. A fuzz target and a test that replays its corpus share it.
//!
//! Whatever the bytes say: what is read is what was written or an error says why not, memory is bounded, nothing storms
//! or hangs, the sender keeps to its windows, and at the end no flow is left.
#![allow(unreachable_pub, reason = "a test binary and a fuzz target share it")]

mod apps;
mod input;
mod segments;
mod watch;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use septet_core::{Checksums, EventId, Frame, Instant, Seed, Trace};
use septet_transport::tcp::{
    Config, EcnMode, Endpoint, Gro, Meta, MtuProbing, Options, SocketId, TwReuse, controller_names, split,
};
use septet_transport::{Ecn, IcmpError, Trouble};

use apps::App;
use input::Input;
use watch::Watch;

/// What the input may command, so that a run is short.
const COMMANDS: usize = 600;
/// Segments that an end may send at one moment without being asked again. A window of the smallest segments is less.
const BURST: usize = 20_000;
/// Old segments kept to be replayed.
const MEMORY: usize = 16;
/// No flow outlives both its applications by more than this: time-outs of orphans, persist and TIME-WAIT included.
const PATIENCE: Duration = Duration::from_secs(8 * 3600);

/// Whether the events of a run are printed, for a person who looks into a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Show {
    Nothing,
    #[allow(dead_code, reason = "only tests print")]
    Events,
}

/// Plays `bytes`; panics with a sentence where something does not hold.
pub fn play(bytes: &[u8], show: Show) {
    let mut input = Input::new(bytes);
    let mut world = Hostile::new(&mut input, show);
    for _ in 0..COMMANDS {
        let Some(command) = input.next() else { break };
        world.command(command, &mut input);
        world.check();
    }
    world.settle();
}

pub(crate) struct Flying {
    pub(crate) to: usize,
    pub(crate) meta: Meta,
    pub(crate) frame: Frame,
    pub(crate) sent_at: Instant,
}

/// What the wire did that an honest one cannot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Lies {
    /// Loss, disorder, repetition, delay, small windows: TCP has to cope.
    None,
    /// Acknowledgments or errors: a transfer may fail, but what arrives is right.
    OfProgress,
    /// Sequence numbers, data or flags: what arrives may be the liar's.
    OfContent,
}

pub(crate) struct Hostile {
    pub(crate) now: Instant,
    pub(crate) ends: [Endpoint; 2],
    pub(crate) trace: Trace,
    pub(crate) listeners: [SocketId; 2],
    pub(crate) addr: [SocketAddr; 2],
    pub(crate) mtu: u32,
    pub(crate) apps: [Vec<App>; 2],
    wire: VecDeque<Flying>,
    seen: VecDeque<Flying>,
    delay: Duration,
    pub(crate) lies: Lies,
    gso: bool,
    merge: bool,
    sent: u64,
    watch: Watch,
    is_shown: bool,
}

/// Whether anything was left to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Advance {
    Done,
    Idle,
}

impl Hostile {
    fn new(input: &mut Input<'_>, show: Show) -> Self {
        let is_shown = show == Show::Events;
        let seed = Seed::new(u64::from(input.byte()));
        let v6 = input.byte() & 1 == 1;
        let ip = |end: u8| -> IpAddr {
            if v6 { [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end].into() } else { [10, 0, 0, end].into() }
        };
        let mtu = [1500, 1500, 1280, 576, 9000, 1500, 65_535, 296][usize::from(input.byte() & 7)];
        let mtu = if v6 { mtu.max(1280) } else { mtu };
        let delay = Duration::from_micros(1 << (input.byte() % 20));
        let knobs = input.byte();
        let configs = [config(input, knobs & 1 != 0), config(input, knobs & 1 != 0)];
        let mut ends = configs.map(|c| Endpoint::new(c, &mut seed.stream("end")));
        let addr = [SocketAddr::new(ip(1), 80), SocketAddr::new(ip(2), 80)];
        let backlog = usize::from(knobs >> 5 & 3);
        let mut listening = |end: usize| {
            let options = apps::options(input);
            let id = ends[end].listen(addr[end], backlog, &options);
            id.unwrap_or_else(|_| ends[end].listen(addr[end], backlog, &Options::default()).unwrap())
        };
        let listeners = [listening(0), listening(1)];
        let mut world = Self {
            now: Instant::from_millis(1),
            ends,
            trace: if knobs & 2 != 0 || is_shown { Trace::on() } else { Trace::off() },
            is_shown,
            listeners,
            addr,
            mtu,
            apps: Default::default(),
            wire: VecDeque::new(),
            seen: VecDeque::new(),
            delay,
            lies: Lies::None,
            gso: knobs & 1 != 0,
            merge: knobs & 4 != 0,
            sent: 0,
            watch: Watch::default(),
        };
        world.connect(0, addr[1], 0, input);
        world
    }

    fn command(&mut self, command: u8, input: &mut Input<'_>) {
        let end = usize::from(command >> 7);
        match command & 0x1f {
            0..=3 => self.deliver(1 + usize::from(command & 3) * 3),
            4 => drop(self.wire.pop_front()),
            5 => self.wire.truncate(self.wire.len() / 2),
            6 => self.duplicate(input),
            7 => self.reorder(input),
            8 => self.rewrite(input),
            9 => self.replay(input),
            10 => self.forge(end, input),
            11 => self.raw(end, input),
            12 => self.icmp(end, input),
            13 => self.mark(),
            14 => self.pass(Duration::from_micros(1 << (input.byte() % 28))),
            15 => self.next_timer(),
            16 => self.converse(1 + usize::from(input.byte() & 63)),
            17..=19 => self.write(end, input),
            20..=22 => self.read(end, input),
            23 => self.shutdown(end, input),
            24 => self.close(end, input),
            25 => self.set_option(end, input),
            26 => self.connect(end, self.addr[1 - end], 0, input),
            27 => self.connect_both(input),
            28 => self.accept(end),
            29 => self.change_mtu(input),
            30 => self.merge_and_deliver(),
            _ => self.delay = Duration::from_micros(1 << (input.byte() % 20)),
        }
    }

    /// Puts what an end has to say onto the wire.
    pub(crate) fn flush(&mut self) {
        for from in 0..2 {
            for n in 0.. {
                let before = self.watch.before(&self.ends[from], &self.apps[from]);
                let Some(t) = self.ends[from].poll_transmit(self.now, &mut self.trace) else { break };
                self.watch.after(&self.ends[from], &self.apps[from], &before);
                self.watch.window(self.now, from, &self.ends[from], &self.apps[from], &t);
                assert!(n < BURST, "end {from} sends without end at {}", self.now);
                let size = if t.frame.segment_size == 0 { t.frame.len() } else { usize::from(t.frame.segment_size) };
                assert!(self.gso || t.frame.segment_size == 0, "a super-segment without GSO");
                assert!(size <= 65_535, "{size} bytes in a segment");
                self.sent += 1;
                let meta = Meta { src: t.src, dst: t.dst, ecn: t.ecn, ttl: 64, mtu: self.mtu };
                let pieces =
                    if self.gso && t.frame.len() % 2 == 0 { vec![t.frame] } else { split(&t.frame, t.src, t.dst) };
                for mut frame in pieces {
                    frame.checksums = Checksums::Unverified;
                    self.wire.push_back(Flying { to: 1 - from, meta, frame, sent_at: self.now });
                }
            }
            while self.ends[from].poll_event().is_some() {}
        }
        if self.trace.is_on() {
            for record in self.trace.drain() {
                if self.is_shown {
                    println!("{record:?}");
                }
            }
        }
    }

    /// Time passes, and timers expire in their order.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.pass_to(self.now + span);
    }

    fn pass_to(&mut self, until: Instant) {
        let mut same = 0;
        while let Some(at) = self.due().filter(|at| *at <= until) {
            same = if at <= self.now { same + 1 } else { 0 };
            assert!(same < 1000, "timers do not advance at {}", self.now);
            self.now = self.now.max(at);
            self.trace.set_scene(self.now, Default::default());
            for end in 0..2 {
                self.ends[end].on_timeout(self.now, &mut self.trace);
            }
            self.flush();
        }
        self.now = self.now.max(until);
        self.trace.set_scene(self.now, Default::default());
    }

    fn due(&mut self) -> Option<Instant> {
        [self.ends[0].poll_timeout(), self.ends[1].poll_timeout()].into_iter().flatten().min()
    }

    fn next_timer(&mut self) {
        if let Some(at) = self.due() {
            self.pass_to(at);
        }
    }

    pub(crate) fn hand_over(&mut self, f: Flying) {
        let _ = self.ends[f.to].receive(self.now, &f.meta, f.frame, &mut self.trace);
        self.flush();
    }

    fn deliver(&mut self, most: usize) {
        for _ in 0..most {
            let Some(next) = self.wire.front() else { break };
            self.pass_to(next.sent_at + self.delay);
            let Some(f) = self.wire.pop_front() else { break };
            self.seen.push_front(Flying { to: f.to, meta: f.meta, frame: f.frame.clone(), sent_at: f.sent_at });
            self.seen.truncate(MEMORY);
            self.hand_over(f);
            self.check();
        }
    }

    /// All that flies arrives in one batch, merged as a network card would.
    fn merge_and_deliver(&mut self) {
        if !self.merge {
            return self.deliver(4);
        }
        let mut gro = [Gro::new(), Gro::new()];
        let mut out = Vec::new();
        for f in self.wire.drain(..) {
            let to = f.to;
            let _ = gro[to].push(f.meta, f.frame, |meta, frame| out.push((to, meta, frame)));
        }
        for (to, gro) in gro.iter_mut().enumerate() {
            gro.flush(|meta, frame| out.push((to, meta, frame)));
        }
        for (to, meta, frame) in out {
            self.hand_over(Flying { to, meta, frame, sent_at: self.now });
        }
    }

    fn duplicate(&mut self, input: &mut Input<'_>) {
        if let Some(i) = input.index(self.wire.len()) {
            let f = &self.wire[i];
            let copy = Flying { to: f.to, meta: f.meta, frame: f.frame.clone(), sent_at: f.sent_at };
            self.wire.push_back(copy);
        }
    }

    fn reorder(&mut self, input: &mut Input<'_>) {
        if let Some(i) = input.index(self.wire.len())
            && let Some(f) = self.wire.remove(i)
        {
            self.wire.push_front(f);
        }
    }

    fn replay(&mut self, input: &mut Input<'_>) {
        if let Some(i) = input.index(self.seen.len()) {
            let f = &self.seen[i];
            let copy = Flying { to: f.to, meta: f.meta, frame: f.frame.clone(), sent_at: f.sent_at };
            self.hand_over(copy);
        }
    }

    fn mark(&mut self) {
        if let Some(f) = self.wire.front_mut()
            && f.meta.ecn != Ecn::NotEct
        {
            f.meta.ecn = Ecn::Ce;
        }
    }

    fn change_mtu(&mut self, input: &mut Input<'_>) {
        self.mtu = [1500, 1280, 1400, 9000][usize::from(input.byte() & 3)];
    }

    fn icmp(&mut self, to: usize, input: &mut Input<'_>) {
        let Some(i) = input.index(self.apps[to].len()) else { return };
        let app = &self.apps[to][i];
        let (local, remote) = (app.local, app.remote);
        let seq = self.ends[to].connection(app.id).map_or(0, |c| c.flight().snd_una as u32);
        let trouble = match input.byte() & 7 {
            0 => Trouble::NoRoute,
            1 => Trouble::HostUnreachable,
            2 => Trouble::ProtocolUnreachable,
            3 => Trouble::PortUnreachable,
            4 => Trouble::Prohibited,
            5 => Trouble::HopLimit,
            6 => Trouble::Header { fault: septet_transport::HeaderFault::Field, at: 0 },
            _ => Trouble::TooBig { mtu: u32::from(input.word()) },
        };
        let error = IcmpError {
            reporter: local.ip(),
            local,
            remote,
            seq: seq.wrapping_add_signed(i32::from(input.byte() as i8) * 16),
            trouble,
            cause: EventId::NONE,
        };
        self.lies = self.lies.max(Lies::OfProgress);
        self.ends[to].icmp_error(self.now, &error, &mut self.trace);
        self.flush();
    }

    /// An honest wire and willing applications for a while.
    fn converse(&mut self, steps: usize) {
        for _ in 0..steps {
            self.accept_all();
            self.read_all();
            if self.advance() == Advance::Idle {
                break;
            }
        }
    }

    /// Lets what comes next happen: a segment arrives, or a timer expires.
    fn advance(&mut self) -> Advance {
        match (self.wire.front().map(|f| f.sent_at + self.delay), self.due()) {
            (Some(at), due) if due.is_none_or(|due| at <= due) => self.deliver(1),
            (_, Some(due)) => self.pass_to(due),
            _ => return Advance::Idle,
        }
        self.check();
        Advance::Done
    }

    /// From now on all is well: every byte arrives or an error says why not, and every flow ends.
    fn settle(&mut self) {
        self.settle_until(|world| world.apps.iter().flatten().all(App::is_through), Duration::from_secs(3600));
        for end in 0..2 {
            for n in 0..self.apps[end].len() {
                self.finish(end, n);
            }
            let _ = self.ends[end].close(self.now, self.listeners[end], &mut self.trace);
        }
        self.apps = Default::default();
        self.flush();
        self.settle_until(|world| world.ends.iter().all(|e| e.flow_count() == 0), PATIENCE);
        for (end, endpoint) in self.ends.iter().enumerate() {
            assert!(endpoint.flow_count() == 0, "end {end} keeps {} flows", endpoint.flow_count());
        }
    }

    fn settle_until(&mut self, done: impl Fn(&Self) -> bool, patience: Duration) {
        let until = self.now + patience;
        let (began, sent, mut timeouts) = (self.now, self.sent, self.timeouts());
        // Twice the data in the smallest segments with an ACK for each.
        let mut quiet = 40_000;
        let mut resent = 0;
        while !done(self) && self.now < until {
            self.accept_all();
            self.read_all();
            self.shut_all();
            if self.advance() == Advance::Idle {
                break;
            }
            // A time-out whose first segment was SACKed takes the peer to have reneged, and sends all that is in flight
            // anew, in the pieces into which the smallest MSS cuts it, with an ACK for each: a peer that was robbed of
            // data by a forged ACK never gets on, and the flow ends with R2: 15 time-outs, and no flow stalls often.
            if self.timeouts() > timeouts {
                timeouts = self.timeouts();
                resent += 1;
                let flows = self.apps.iter().map(Vec::len).sum::<usize>();
                if resent <= 50 * flows {
                    quiet += 4 * self.outstanding() / u64::from(Config::linux().min_snd_mss);
                }
            }
            let allowed = quiet + 10 * (self.now - began).as_secs();
            assert!(self.sent - sent < allowed, "a storm of {} segments at {}", self.sent - sent, self.now);
        }
    }

    /// Retransmission time-outs so far.
    fn timeouts(&self) -> u64 {
        self.ends.iter().map(|e| e.mib().timeouts).sum()
    }

    /// Bytes that were sent and are not acknowledged.
    fn outstanding(&self) -> u64 {
        let flights = self
            .ends
            .iter()
            .zip(&self.apps)
            .flat_map(|(end, apps)| apps.iter().filter_map(|app| end.connection(app.id).ok().map(|c| c.flight())));
        flights.map(|f| f.snd_nxt - f.snd_una).sum()
    }

    fn check(&mut self) {
        for end in 0..2 {
            for app in &self.apps[end] {
                self.watch.connection(end, &self.ends[end], app, self.now);
            }
            let flows = self.ends[end].flow_count();
            assert!(flows < 2000, "end {end} holds {flows} flows");
        }
    }
}

/// A personality of the input's making.
fn config(input: &mut Input<'_>, gso: bool) -> Config {
    let mut config = Config::linux();
    let names: Vec<_> = controller_names().collect();
    config.congestion_control = names[usize::from(input.byte()) % names.len()];
    let bits = u32::from(input.word());
    let bit = |n: u32| bits >> n & 1 == 0;
    config.sack = bit(0);
    config.timestamps = bit(1);
    config.window_scaling = bit(2);
    config.dsack = bit(3);
    config.rack = bit(4);
    config.tail_loss_probe = bit(5);
    config.frto = bit(6);
    config.reassembly = bit(7);
    config.moderate_rcvbuf = bit(8);
    config.slow_start_after_idle = bit(9);
    config.rfc1337 = !bit(10);
    config.abort_on_overflow = !bit(11);
    config.ecn = if bit(12) { EcnMode::Passive } else { EcnMode::Active };
    config.pmtu_discovery = bit(13);
    config.tw_reuse = if bit(14) { TwReuse::On } else { TwReuse::Off };
    config.syncookies = bit(15);
    let more = input.byte();
    config.mtu_probing =
        [MtuProbing::Off, MtuProbing::OnBlackHole, MtuProbing::Always, MtuProbing::Off][usize::from(more & 3)];
    config.max_syn_backlog = 1 << (more >> 2 & 7);
    config.initial_window = [10, 1, 2, 64][usize::from(more >> 5 & 3)];
    let sizes = input.byte();
    config.rmem[1] = [131_072, 4096, 2304, 65_536][usize::from(sizes & 3)];
    config.wmem[1] = [16_384, 4096, 131_072, 4608][usize::from(sizes >> 2 & 3)];
    config.rmem[2] = [6 << 20, 262_144, config.rmem[1], 1 << 20][usize::from(sizes >> 4 & 3)];
    config.comp_sack_nr = [44, 0, 1, 44][usize::from(sizes >> 6)];
    config.gso_max_size = if gso { 65_536 } else { 0 };
    config
}
