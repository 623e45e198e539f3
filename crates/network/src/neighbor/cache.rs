//! The cache itself: its entries, the states of RFC 4861 §7.3.2 and the timings of Linux.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use septet_core::{EventId, FixedState, Frame, Instant, Rng};
use septet_datalink::ethernet::MacAddr;

use crate::route::Iface;

type Map<K, V> = hashbrown::HashMap<K, V, FixedState>;

/// `retrans_time_ms`: between two solicitations.
pub const RETRANS: Duration = Duration::from_secs(1);
/// `mcast_solicit` and `ucast_solicit`: solicitations before giving up.
pub const SOLICITATIONS: u8 = 3;
/// `delay_first_probe_time`: how long a stale entry is used before it is probed.
pub const DELAY_FIRST_PROBE: Duration = Duration::from_secs(5);
/// RFC 4861 §6.2.1: AdvReachableTime is at most an hour; Linux takes no less than a tenth of a second for it, and a hundredth
/// between two questions.
const REACHABLE_MAX: Duration = Duration::from_secs(3600);
const REACHABLE_MIN: Duration = Duration::from_millis(100);
const RETRANS_MIN: Duration = Duration::from_millis(10);
/// `base_reachable_time_ms`; each cache takes 0.5 to 1.5 times of it, drawn at random.
pub const BASE_REACHABLE: Duration = Duration::from_secs(30);
/// `locktime`: within this time after a change another answer does not change the link address again.
pub const LOCKTIME: Duration = Duration::from_secs(1);
/// `gc_stale_time`: unused for so long, an entry may go.
const GC_STALE: Duration = Duration::from_secs(60);
/// `gc_thresh1`: below so many entries none is collected.
const GC_MIN: usize = 128;
/// Packets that wait for one link address: `unres_qlen`.
pub const QUEUE: usize = 101;
/// So many entries are looked through faster than the address that is looked for is hashed.
const FEW: usize = 4;
/// Entries of one host; beyond, the one unused for longest goes.
const ENTRIES: usize = 16_384;

/// How sure the cache is of an entry: `ip neighbour`'s words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Asked for, not answered yet.
    Incomplete,
    /// Known to be right.
    Reachable,
    /// Right as far as known; to be probed if used.
    Stale,
    /// Stale and used: waits a while for a hint from above before it probes.
    Delay,
    /// Being asked, at its own address, whether it is still there.
    Probe,
    /// Did not answer.
    Failed,
    /// Set by hand.
    Permanent,
}

#[derive(Debug)]
struct Index(Map<(Iface, IpAddr), u32>);

/// Names an entry; good until [`Cache::epoch`] changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborId(pub(super) u32);

/// Whose packet waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// This host's own.
    Local,
    /// Another's, on its way through.
    Forwarded,
}

/// A packet that waits for its next hop's link address.
#[derive(Debug)]
pub struct Waiting {
    /// The packet, from its IP header on.
    pub packet: Frame,
    /// Whose it is.
    pub origin: Origin,
}

/// A question to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Solicit {
    /// On this interface.
    pub iface: Iface,
    /// Who has this address?
    pub target: IpAddr,
    /// To this link address alone, where one is known; to all otherwise.
    pub to: Option<MacAddr>,
    /// Which try it is, from one.
    pub attempt: u8,
    /// The event that made it necessary.
    pub cause: EventId,
}

/// What to do with a packet for an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Output {
    /// Send it there.
    Send(MacAddr),
    /// Let it wait; where there is a question, send that.
    Wait(Option<Solicit>),
}

/// How a link address became known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// An answer to our question.
    Answer,
    /// The neighbour asked us something: it will want an answer soon.
    Question,
    /// Said to all without being asked.
    Gratuitous,
}

/// What the timer found.
#[derive(Debug)]
pub enum Due {
    /// Ask (again).
    Solicit(Solicit),
    /// Nobody answers: these packets cannot go.
    Failed {
        /// On this interface.
        iface: Iface,
        /// The address that nobody has.
        addr: IpAddr,
        /// The last question.
        cause: EventId,
        /// What waited.
        waiting: VecDeque<Waiting>,
    },
}

/// What an entry became.
#[derive(Debug)]
pub struct Learned {
    /// When the first question was asked, where packets had to wait for it.
    pub asked: Option<Instant>,
    /// What waited, to be sent now.
    pub waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
pub(super) struct Entry {
    iface: Iface,
    addr: IpAddr,
    pub(super) mac: MacAddr,
    pub(super) state: State,
    pub(super) solicitations: u8,
    /// Reachable: when it becomes stale. Incomplete, Delay, Probe: when the timer fires.
    pub(super) timer: Instant,
    pub(super) updated: Instant,
    used: Instant,
    pub(super) confirmed: Instant,
    pub(super) asked: Instant,
    cause: EventId,
    pub(super) waiting: VecDeque<Waiting>,
}

/// How long a neighbour is believed in, and how long is waited for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Of what `reachable` was drawn.
    base: Duration,
    pub(super) reachable: Duration,
    retrans: Duration,
}

/// RFC 4861 §6.3.2: "a uniformly distributed random value between MIN_RANDOM_FACTOR and MAX_RANDOM_FACTOR times
/// BaseReachableTime".
fn drawn(base: Duration, rng: &mut Rng) -> Duration {
    let base = base.as_nanos() as u64;
    Duration::from_nanos(base / 2 + rng.below(base))
}

/// One host's neighbours.
#[derive(Debug)]
pub struct Cache {
    /// Where the entry of an address is, where there are more than [`FEW`].
    index: Option<Box<Index>>,
    pub(super) entries: Vec<Entry>,
    timers: BinaryHeap<Reverse<(Instant, u32)>>,
    own: Timing,
    /// What routers said of the neighbours of IPv6 on their links; most hosts hear nothing.
    told: Box<[(Iface, Timing)]>,
    collect_at: usize,
    epoch: u32,
}

impl Cache {
    /// An empty cache.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            index: None,
            entries: Vec::new(),
            timers: BinaryHeap::new(),
            own: Timing { base: BASE_REACHABLE, reachable: drawn(BASE_REACHABLE, rng), retrans: RETRANS },
            told: Box::default(),
            collect_at: GC_MIN,
            epoch: 0,
        }
    }

    /// A router says how the neighbours on its link are timed; what is zero it does not say. RFC 4861 §6.3.4: "If the new value
    /// differs from the previous value, the host SHOULD re-compute its own ReachableTime value". Less than Linux takes
    /// nobody need.
    pub fn hear_timing(&mut self, iface: Iface, reachable: Duration, retrans: Duration, rng: &mut Rng) {
        if reachable.is_zero() && retrans.is_zero() {
            return;
        }
        let mut told = core::mem::take(&mut self.told).into_vec();
        let at = told.iter().position(|(on, _)| *on == iface).unwrap_or_else(|| {
            told.push((iface, self.own));
            told.len() - 1
        });
        let timing = &mut told[at].1;
        if !reachable.is_zero() && reachable != timing.base {
            timing.base = reachable;
            timing.reachable = drawn(reachable.clamp(REACHABLE_MIN, REACHABLE_MAX), rng);
        }
        if !retrans.is_zero() {
            timing.retrans = retrans.max(RETRANS_MIN);
        }
        self.told = told.into();
    }

    /// How long is waited for an answer of a neighbour of IPv6 on this link.
    pub fn retrans(&self, iface: Iface) -> Duration {
        self.timing(iface, IpAddr::V6(Ipv6Addr::UNSPECIFIED)).retrans
    }

    /// How a neighbour is timed.
    #[inline]
    pub(super) fn timing(&self, iface: Iface, addr: IpAddr) -> Timing {
        if self.told.is_empty() || addr.is_ipv4() {
            return self.own;
        }
        self.told.iter().find(|(on, _)| *on == iface).map_or(self.own, |(_, timing)| *timing)
    }

    #[inline]
    fn timing_of(&self, at: u32) -> Timing {
        let entry = &self.entries[at as usize];
        self.timing(entry.iface, entry.addr)
    }

    /// Changes whenever ids become invalid.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether there is an entry of `addr`.
    #[inline]
    pub fn has_entry(&self, iface: Iface, addr: IpAddr) -> bool {
        self.find(iface, addr).is_some()
    }

    #[inline]
    pub(super) fn find(&self, iface: Iface, addr: IpAddr) -> Option<u32> {
        match &self.index {
            None => self.entries.iter().position(|e| e.addr == addr && e.iface == iface).map(|at| at as u32),
            Some(index) => index.0.get(&(iface, addr)).copied(),
        }
    }

    /// The entry of `addr`, made where there is none. May invalidate ids.
    pub fn entry(&mut self, now: Instant, iface: Iface, addr: IpAddr) -> NeighborId {
        if let Some(at) = self.find(iface, addr) {
            return NeighborId(at);
        }
        if self.entries.len() >= self.collect_at {
            self.collect(now);
        }
        let at = self.entries.len() as u32;
        self.entries.push(Entry {
            iface,
            addr,
            mac: MacAddr([0; 6]),
            state: State::Failed,
            solicitations: 0,
            timer: Instant::ZERO,
            updated: now,
            used: now,
            confirmed: now,
            asked: now,
            cause: EventId::NONE,
            waiting: VecDeque::new(),
        });
        match &mut self.index {
            Some(index) => {
                index.0.insert((iface, addr), at);
            }
            None => self.index_anew(),
        }
        NeighborId(at)
    }

    fn index_anew(&mut self) {
        let places = || self.entries.iter().enumerate().map(|(i, e)| ((e.iface, e.addr), i as u32));
        self.index = (self.entries.len() > FEW).then(|| Box::new(Index(places().collect())));
    }

    /// Sets an entry by hand.
    pub fn set_permanent(&mut self, now: Instant, iface: Iface, addr: IpAddr, mac: MacAddr) {
        let NeighborId(at) = self.entry(now, iface, addr);
        let entry = &mut self.entries[at as usize];
        (entry.mac, entry.state) = (mac, State::Permanent);
    }

    /// Sets an entry by hand, whatever it was; gives what waited for it.
    pub fn set(&mut self, now: Instant, iface: Iface, addr: IpAddr, mac: MacAddr, state: State) -> VecDeque<Waiting> {
        let NeighborId(at) = self.entry(now, iface, addr);
        let reachable = self.timing(iface, addr).reachable;
        let entry = &mut self.entries[at as usize];
        (entry.mac, entry.state, entry.updated, entry.solicitations) = (mac, state, now, 0);
        if state == State::Reachable {
            (entry.timer, entry.confirmed) = (now + reachable, now);
        }
        core::mem::take(&mut entry.waiting)
    }

    /// Forgets an entry, one set by hand too; gives what waited for it.
    pub fn remove(&mut self, iface: Iface, addr: IpAddr) -> Option<VecDeque<Waiting>> {
        let at = self.find(iface, addr)?;
        let waiting = core::mem::take(&mut self.entries[at as usize].waiting);
        self.retain(|e| (e.iface, e.addr) != (iface, addr));
        Some(waiting)
    }

    /// The link address of an entry, where a packet may go there and nothing follows from it.
    #[inline]
    pub fn known(&mut self, now: Instant, id: NeighborId) -> Option<MacAddr> {
        let entry = &mut self.entries[id.0 as usize];
        let known = match entry.state {
            State::Reachable => now < entry.timer,
            State::Delay | State::Probe | State::Permanent => true,
            State::Incomplete | State::Stale | State::Failed => false,
        };
        known.then(|| {
            entry.used = now;
            entry.mac
        })
    }

    /// Where a packet for this entry goes now; `cause` is what made the packet.
    #[inline]
    pub fn output(&mut self, now: Instant, id: NeighborId, cause: EventId) -> Output {
        if let Some(mac) = self.known(now, id) {
            return Output::Send(mac);
        }
        let entry = &mut self.entries[id.0 as usize];
        entry.used = now;
        match entry.state {
            State::Delay | State::Probe | State::Permanent => Output::Send(entry.mac),
            State::Reachable | State::Stale => {
                // RFC 4861 §7.3.3: "The first time a node sends a packet to a neighbor whose entry is STALE, the sender
                // changes the state to DELAY and sets a timer to expire in DELAY_FIRST_PROBE_TIME seconds."
                (entry.state, entry.cause) = (State::Delay, cause);
                let mac = entry.mac;
                self.arm(id.0, now + DELAY_FIRST_PROBE);
                Output::Send(mac)
            }
            State::Incomplete => Output::Wait(None),
            State::Failed => {
                (entry.state, entry.solicitations, entry.asked, entry.cause) = (State::Incomplete, 1, now, cause);
                let solicit = Solicit { iface: entry.iface, target: entry.addr, to: None, attempt: 1, cause };
                self.arm(id.0, now + self.timing_of(id.0).retrans);
                Output::Wait(Some(solicit))
            }
        }
    }

    /// Lets a packet wait; gives back the oldest where too many do.
    pub fn enqueue(&mut self, id: NeighborId, waiting: Waiting) -> Option<Waiting> {
        let queue = &mut self.entries[id.0 as usize].waiting;
        // RFC 1122 §2.3.2.2: "The link layer SHOULD save (rather than discard) at least one (the latest) packet of each
        // set of packets destined to the same unresolved IP address".
        let dropped = if queue.len() >= QUEUE { queue.pop_front() } else { None };
        queue.push_back(waiting);
        dropped
    }

    /// Remembers the event of the question last sent, as the cause of what follows from it.
    pub fn asked(&mut self, iface: Iface, addr: IpAddr, event: EventId) {
        if let Some(at) = self.find(iface, addr) {
            self.entries[at as usize].cause = event;
        }
    }

    /// Takes note of a link address. `None` where the cache has no use for it.
    pub fn learn(
        &mut self,
        now: Instant,
        iface: Iface,
        addr: IpAddr,
        mac: MacAddr,
        evidence: Evidence,
    ) -> Option<Learned> {
        let known = self.find(iface, addr);
        let at = match (known, evidence) {
            (Some(at), _) => at,
            (None, Evidence::Question) => self.entry(now, iface, addr).0,
            // As Linux with `arp_accept` off: what nobody asked for makes no entry.
            (None, Evidence::Answer | Evidence::Gratuitous) => return None,
        };
        let reachable = self.timing(iface, addr).reachable;
        let entry = &mut self.entries[at as usize];
        if entry.state == State::Permanent {
            return None;
        }
        let had_address = !matches!(entry.state, State::Incomplete | State::Failed);
        let same = had_address && entry.mac == mac;
        if had_address && !same && evidence != Evidence::Gratuitous && now < entry.updated + LOCKTIME {
            return None;
        }
        if !same {
            (entry.mac, entry.updated) = (mac, now);
        }
        match evidence {
            Evidence::Answer => {
                (entry.state, entry.timer, entry.confirmed) = (State::Reachable, now + reachable, now);
            }
            Evidence::Question | Evidence::Gratuitous => {
                if !same {
                    entry.state = State::Stale;
                }
            }
        }
        entry.solicitations = 0;
        let waiting = core::mem::take(&mut entry.waiting);
        let asked = (!had_address && !waiting.is_empty()).then_some(entry.asked);
        Some(Learned { asked, waiting })
    }

    /// A storey above has proof that this neighbour lives (RFC 4861 §7.3.1).
    pub fn confirm(&mut self, now: Instant, id: NeighborId) {
        let reachable = self.timing_of(id.0).reachable;
        let entry = &mut self.entries[id.0 as usize];
        if matches!(entry.state, State::Reachable | State::Stale | State::Delay | State::Probe) {
            (entry.state, entry.timer, entry.confirmed) = (State::Reachable, now + reachable, now);
        }
    }

    /// A neighbour that was set by hand.
    pub fn permanent(&self, iface: Iface, addr: IpAddr) -> Option<NeighborId> {
        let at = self.find(iface, addr)?;
        (self.entries[at as usize].state == State::Permanent).then_some(NeighborId(at))
    }

    /// The state and link address of an entry, for `ip neighbour`.
    pub fn get(&self, now: Instant, iface: Iface, addr: IpAddr) -> Option<(State, MacAddr)> {
        let entry = &self.entries[self.find(iface, addr)? as usize];
        let state = if entry.state == State::Reachable && now >= entry.timer { State::Stale } else { entry.state };
        Some((state, entry.mac))
    }

    /// When an entry was last used, last confirmed and last changed: what `ip -s neigh` shows.
    pub fn ages(&self, iface: Iface, addr: IpAddr) -> Option<[Instant; 3]> {
        let entry = &self.entries[self.find(iface, addr)? as usize];
        Some([entry.used, entry.confirmed, entry.updated])
    }

    /// All entries in the order in which they were made: interface, address, state, link address.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (Iface, IpAddr, State, MacAddr)> {
        self.entries.iter().map(move |e| {
            let state = if e.state == State::Reachable && now >= e.timer { State::Stale } else { e.state };
            (e.iface, e.addr, state, e.mac)
        })
    }

    /// Forgets the neighbours on `iface`, as when its carrier goes, but not those that were set by hand, as Linux'
    /// `neigh_carrier_down`; gives back what waited.
    pub fn flush(&mut self, iface: Iface) -> Vec<Waiting> {
        let mut dropped = Vec::new();
        for entry in self.entries.iter_mut().filter(|e| e.iface == iface) {
            dropped.extend(core::mem::take(&mut entry.waiting));
        }
        self.retain(|e| e.iface != iface || e.state == State::Permanent);
        dropped
    }

    /// When [`on_timer`](Self::on_timer) next has something to do. It may be early.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the next thing that is due.
    pub fn on_timer(&mut self, now: Instant) -> Option<Due> {
        while let Some(&Reverse((at, index))) = self.timers.peek() {
            if at > now {
                return None;
            }
            self.timers.pop();
            let Some(entry) = self.entries.get_mut(index as usize).filter(|e| e.timer == at) else { continue };
            let (iface, addr, cause) = (entry.iface, entry.addr, entry.cause);
            let to = match entry.state {
                State::Incomplete => None,
                // RFC 4861 §7.3.3: "If the entry is still in the DELAY state when the timer expires, the entry's state
                // changes to PROBE."
                State::Delay => {
                    (entry.state, entry.solicitations) = (State::Probe, 0);
                    Some(entry.mac)
                }
                State::Probe => Some(entry.mac),
                _ => continue,
            };
            if entry.solicitations >= SOLICITATIONS {
                entry.state = State::Failed;
                let waiting = core::mem::take(&mut entry.waiting);
                return Some(Due::Failed { iface, addr, cause, waiting });
            }
            entry.solicitations += 1;
            let attempt = entry.solicitations;
            self.arm(index, now + self.timing_of(index).retrans);
            return Some(Due::Solicit(Solicit { iface, target: addr, to, attempt, cause }));
        }
        None
    }

    fn arm(&mut self, at: u32, when: Instant) {
        self.entries[at as usize].timer = when;
        self.timers.push(Reverse((when, at)));
    }

    /// Drops what is old; where that is not enough, the longest unused. Entries with packets waiting stay.
    fn collect(&mut self, now: Instant) {
        let idle =
            |e: &Entry| matches!(e.state, State::Stale | State::Failed | State::Reachable) && e.waiting.is_empty();
        self.retain(|e| !idle(e) || e.used + GC_STALE > now);
        if self.entries.len() >= ENTRIES {
            let mut used: Vec<Instant> = self.entries.iter().map(|e| e.used).collect();
            let (_, &mut median, _) = used.select_nth_unstable(ENTRIES / 2);
            self.retain(|e| e.state == State::Permanent || e.used > median);
        }
        self.collect_at = (self.entries.len() * 2).clamp(GC_MIN, ENTRIES);
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.entries.retain(keep);
        self.index_anew();
        let armed = |e: &Entry| matches!(e.state, State::Incomplete | State::Delay | State::Probe);
        let entries = self.entries.iter().enumerate().filter(|(_, e)| armed(e));
        self.timers = entries.map(|(i, e)| Reverse((e.timer, i as u32))).collect();
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_core::Seed;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    fn cache() -> Cache {
        Cache::new(&mut Seed::new(1).stream("t"))
    }

    fn addr() -> IpAddr {
        "10.0.0.9".parse().unwrap()
    }

    fn out(c: &mut Cache, at: Instant) -> Output {
        let id = c.entry(at, 0, addr());
        c.output(at, id, EventId::NONE)
    }

    fn wait(c: &mut Cache) -> Option<Waiting> {
        let id = c.entry(Instant::ZERO, 0, addr());
        c.enqueue(id, Waiting { packet: Frame::new(0, b"x"), origin: Origin::Local })
    }

    #[test]
    fn asks_three_times_and_fails_after_three_seconds() {
        let mut c = cache();
        let Output::Wait(Some(first)) = out(&mut c, Instant::ZERO) else { panic!() };
        assert_eq!((first.attempt, first.to), (1, None));
        wait(&mut c);
        assert_eq!(out(&mut c, Instant::from_millis(10)), Output::Wait(None));
        for n in 1..=2 {
            assert!(c.on_timer(Instant::from_millis(n * 1000 - 1)).is_none());
            let Some(Due::Solicit(s)) = c.on_timer(Instant::from_secs(n)) else { panic!() };
            assert_eq!(u64::from(s.attempt), n + 1);
        }
        assert_eq!(c.deadline(), Some(Instant::from_secs(3)));
        let Some(Due::Failed { waiting, .. }) = c.on_timer(Instant::from_secs(3)) else { panic!() };
        assert_eq!(waiting.len(), 1);
        assert_eq!(c.get(Instant::from_secs(3), 0, addr()).unwrap().0, State::Failed);
        assert!(matches!(out(&mut c, Instant::from_secs(4)), Output::Wait(Some(_))), "it is asked for anew");
    }

    #[test]
    fn answer_releases_what_waits_then_ages_to_probe() {
        let mut c = cache();
        let _ = out(&mut c, Instant::ZERO);
        for n in 0..QUEUE + 2 {
            assert_eq!(wait(&mut c).is_some(), n >= QUEUE);
        }
        let t = Instant::from_millis(3);
        let learned = c.learn(t, 0, addr(), MAC, Evidence::Answer).unwrap();
        assert_eq!((learned.waiting.len(), learned.asked), (QUEUE, Some(Instant::ZERO)));
        assert_eq!(out(&mut c, t), Output::Send(MAC));
        assert!(c.on_timer(Instant::from_secs(1)).is_none(), "the question's timer is void");
        let old = Instant::from_secs(50);
        assert_eq!(c.get(old, 0, addr()), Some((State::Stale, MAC)));
        assert_eq!(out(&mut c, old), Output::Send(MAC));
        assert_eq!(c.get(old, 0, addr()), Some((State::Delay, MAC)));
        for n in 0..3 {
            let Some(Due::Solicit(s)) = c.on_timer(Instant::from_secs(55 + n)) else { panic!("{n}") };
            assert_eq!(s.to, Some(MAC));
        }
        assert!(matches!(c.on_timer(Instant::from_secs(58)), Some(Due::Failed { .. })));
    }

    #[test]
    fn hint_from_above_spares_the_probe() {
        let mut c = cache();
        c.learn(Instant::ZERO, 0, addr(), MAC, Evidence::Question);
        assert_eq!(c.get(Instant::ZERO, 0, addr()), Some((State::Stale, MAC)));
        let _ = out(&mut c, Instant::from_secs(1));
        let id = c.entry(Instant::from_secs(2), 0, addr());
        c.confirm(Instant::from_secs(2), id);
        assert!(c.on_timer(Instant::from_secs(6)).is_none());
        assert_eq!(c.get(Instant::from_secs(6), 0, addr()), Some((State::Reachable, MAC)));
    }

    #[test]
    fn unasked_answers_make_no_entry_and_locktime_holds() {
        let other = MacAddr([2, 0, 0, 0, 0, 8]);
        let mut c = cache();
        assert!(c.learn(Instant::ZERO, 0, addr(), MAC, Evidence::Answer).is_none());
        assert!(c.learn(Instant::ZERO, 0, addr(), MAC, Evidence::Gratuitous).is_none());
        c.learn(Instant::ZERO, 0, addr(), MAC, Evidence::Question);
        assert!(c.learn(Instant::from_millis(999), 0, addr(), other, Evidence::Answer).is_none());
        assert!(c.learn(Instant::from_millis(999), 0, addr(), other, Evidence::Gratuitous).is_some());
        assert_eq!(c.get(Instant::from_secs(1), 0, addr()).unwrap().1, other);
    }

    #[test]
    fn flush_gives_back_what_waited() {
        let mut c = cache();
        let _ = out(&mut c, Instant::ZERO);
        wait(&mut c);
        let epoch = c.epoch();
        assert!(c.flush(1).is_empty());
        assert_eq!(c.flush(0).len(), 1);
        assert_ne!(c.epoch(), epoch);
        assert!(c.on_timer(Instant::from_secs(9)).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut c = cache();
        for i in 0..40_000u32 {
            let at = Instant::from_millis(u64::from(i));
            c.learn(at, 0, IpAddr::V4(i.into()), MAC, Evidence::Question);
        }
        assert!(c.entries.len() <= ENTRIES);
        let newest = IpAddr::V4(39_999.into());
        assert!(c.get(Instant::from_secs(40), 0, newest).is_some());
    }
}
