//! The firewall of a host or router: a [`Filter`] that tracks connections, translates addresses and asks rules, in netfilter's
//! order.
//!
//! | hook | what happens, in this order |
//! |---|---|
//! | prerouting | the conversation is found; its destination is translated; the rules |
//! | input | the rules; the conversation is remembered |
//! | forward | the rules |
//! | output | the conversation is found; its destination is translated back; the rules |
//! | postrouting | the rules; the source is translated; the conversation is remembered |

pub mod listing;
pub mod rule;
mod tell;
mod translate;

use std::collections::BTreeMap;
use std::sync::Arc;

use septet_core::{DropReason, Frame, Instant, Metric, Recorder, Rng, Trace};
use septet_wire::packet::Packet;

use crate::conntrack::listing::Line;
use crate::conntrack::{self, Confirmed, Found, Of, State, Timeouts, Tracker, Verify};
use crate::counters::Counters;
use crate::filter::{End, Filter, Headers, Hook, Passage, Sense, Verdict};
use crate::nat::rewrite;
use crate::nat::{self, Nat};
use crate::route::Iface;
use rule::{Action, Bucket, Face, Policy, Ruleset, Step, Test};

/// What a firewall is made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Its rules.
    pub rules: Ruleset,
    /// How it translates addresses, where it does.
    pub nat: Option<nat::Config>,
    /// How long conversations are remembered.
    pub timeouts: Timeouts,
    /// How many: `nf_conntrack_max`.
    pub connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { rules: Ruleset::default(), nat: None, timeouts: Timeouts::default(), connections: conntrack::MAX }
    }
}

/// What was counted at one place.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Their octets.
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, len: usize) {
        self.packets += 1;
        self.bytes += len as u64;
    }
}

/// A firewall that runs.
#[derive(Debug)]
pub struct Firewall {
    config: Arc<Config>,
    tracks: bool,
    tracker: Tracker,
    nat: Nat,
    /// The packet in hand.
    found: Found,
    /// Where it came in.
    came: Option<Iface>,
    /// What the rules counted: by chain and rule.
    counts: Vec<Vec<Count>>,
    named: Vec<Count>,
    /// Where named counters are recorded, and under which names: packets and octets.
    recorder: Option<Recorder>,
    names: Vec<[String; 2]>,
    /// What is left of their limits: by chain, rule and statement.
    buckets: BTreeMap<(usize, usize, usize), Bucket>,
}

/// What named counters record.
pub const METRICS: &[Metric] = &[
    Metric::counter("firewall.*.packets", "packets that a counter of the firewall counted: `counter name web`"),
    Metric::bytes("firewall.*.bytes", "their bytes, IP's header counted"),
];

/// Under which names a named counter is recorded, in the order of [`METRICS`].
fn names(counter: &str) -> [String; 2] {
    [0, 1].map(|metric: usize| METRICS[metric].name.replace('*', counter))
}

/// How many chains may lead to one another: netfilter's jump stack is 16.
pub const DEPTH: usize = 16;

impl Firewall {
    /// One that has seen nothing yet. What it chooses at random it draws from `rng`.
    pub fn new(config: Arc<Config>, rng: Rng) -> Self {
        let tracks = config.nat.is_some() || config.rules.needs_tracking();
        let counts = config.rules.chains.iter().map(|chain| vec![Count::default(); chain.rules.len() + 1]).collect();
        Self {
            tracks,
            tracker: Tracker::new(config.timeouts.clone(), config.connections),
            nat: Nat::new(config.nat.clone().unwrap_or_default(), rng),
            found: Found::NOTHING,
            came: None,
            counts,
            named: vec![Count::default(); config.rules.counters.len()],
            recorder: None,
            names: config.rules.counters.iter().map(|name| names(name)).collect(),
            buckets: BTreeMap::new(),
            config,
        }
    }

    /// The same, which records what its named counters count.
    #[must_use]
    pub fn recording(self, recorder: &Recorder) -> Self {
        Self { recorder: Some(recorder.clone()), ..self }
    }

    /// The connections that it remembers.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// The mappings of its address translation.
    pub fn nat(&self) -> &Nat {
        &self.nat
    }

    /// What its rules counted: chain, rule as it is written, count. What the policy of a chain decided on stands behind its
    /// rules, under no text.
    pub fn counts(&self) -> impl Iterator<Item = (&str, &str, Count)> {
        let chains = self.config.rules.chains.iter().zip(&self.counts);
        chains.flat_map(|(chain, counts)| {
            let texts = chain.rules.iter().map(|rule| rule.text.as_str()).chain(core::iter::once(""));
            texts.zip(counts).map(|(text, count)| (chain.name.as_str(), text, *count))
        })
    }

    /// What a named counter counted.
    pub fn count(&self, name: &str) -> Option<Count> {
        let at = self.config.rules.counters.iter().position(|counter| counter == name)?;
        self.named.get(at).copied()
    }

    /// Finds the conversation of a packet that comes in or is sent.
    fn track(&mut self, at: &mut Passage<'_>, packet: &Packet, frame: &Frame) {
        self.came = at.input;
        if !self.tracks {
            self.found = Found::NOTHING;
            return;
        }
        self.found = match (at.hook, at.input) {
            // What the host sends to itself was followed when it was sent.
            (Hook::Prerouting, None) => self.tracker.recall(at.now, packet, frame),
            (Hook::Prerouting, Some(_)) => self.tracker.take(at.now, packet, frame, Verify::Yes),
            _ => self.tracker.take(at.now, packet, frame, Verify::No),
        };
        self.let_all_go(at.now);
        if self.found.state == State::Invalid {
            at.counters.conntrack_invalid += 1;
        }
    }

    /// The packet got through: its conversation is remembered.
    fn confirm(&mut self, at: &mut Passage<'_>, frame: &mut Frame) -> Verdict {
        let of = self.found.of;
        if of == Of::Begun {
            self.tell_apart(at.now);
        }
        let (confirmed, other) = self.tracker.confirm(at.now, of);
        self.let_all_go(at.now);
        match confirmed {
            Confirmed::Already => return Verdict::Accept,
            Confirmed::Now(_) => {}
            Confirmed::Instead(_) => {
                at.counters.conntrack_early_drops += 1;
                if let Some(gone) = other {
                    tell::early_drop(&gone, frame, at.trace);
                    self.let_go(at.now, &gone);
                }
            }
            Confirmed::Full | Confirmed::Clash => {
                at.counters.conntrack_drops += 1;
                let why = if confirmed == Confirmed::Full {
                    "the table of connections is full"
                } else {
                    "another connection has the same ends"
                };
                tell::dropped("conntrack.drop", at, frame, "", DropReason::Conntrack, why);
                return Verdict::Drop(DropReason::Conntrack);
            }
        }
        if let Confirmed::Now(id) | Confirmed::Instead(id) = confirmed {
            self.found.of = Of::Known(id);
            at.counters.conntrack_new += 1;
            self.hold(at, Of::Known(id), frame);
        }
        Verdict::Accept
    }

    /// Asks the chain at a hook.
    fn ask(&mut self, at: &mut Passage<'_>, frame: &mut Frame) -> Verdict {
        let Some(&(_, chain)) = self.config.rules.base.iter().find(|(hook, _)| *hook == at.hook) else {
            return Verdict::Accept;
        };
        let config = self.config.clone();
        let headers = Headers::of_packet(frame.bytes());
        let policy = config.rules.chains[chain].policy;
        let decided = self.walk(&config.rules, chain, at, &headers, frame, 0);
        let (action, told) = match decided {
            Walk::Decided(action, text) => (action, text),
            Walk::On => {
                let rules = config.rules.chains[chain].rules.len();
                self.counts[chain][rules].add(headers.len);
                match policy {
                    Policy::Accept => (Action::Accept, String::new()),
                    Policy::Drop => (Action::Drop, "policy drop".to_owned()),
                }
            }
        };
        match action {
            Action::Drop => {
                at.counters.firewall_drops += 1;
                tell::dropped("firewall.drop", at, frame, &told, DropReason::Firewall, "a rule of the firewall");
                Verdict::Drop(DropReason::Firewall)
            }
            Action::Reject(how) => {
                at.counters.firewall_rejects += 1;
                tell::rejected(at, frame, &told, how);
                Verdict::Reject(how)
            }
            _ => Verdict::Accept,
        }
    }

    /// Asks the rules of a chain, one after another.
    fn walk(
        &mut self,
        rules: &Ruleset,
        chain: usize,
        at: &mut Passage<'_>,
        headers: &Headers,
        frame: &mut Frame,
        depth: usize,
    ) -> Walk {
        let Some(asked) = rules.chains.get(chain).filter(|_| depth <= DEPTH) else { return Walk::On };
        for (number, rule) in asked.rules.iter().enumerate() {
            let Some(action) = self.fits(rules, (chain, number), at, headers, frame) else { continue };
            match action {
                Action::Continue => {}
                Action::Return => return Walk::On,
                Action::Jump(to) => {
                    if let decided @ Walk::Decided(..) = self.walk(rules, to, at, headers, frame, depth + 1) {
                        return decided;
                    }
                }
                Action::Goto(to) => return self.walk(rules, to, at, headers, frame, depth + 1),
                action => return Walk::Decided(action, rule.text.clone()),
            }
        }
        Walk::On
    }

    /// Goes through the statements of a rule as far as the packet fits; gives what the rule does with it.
    fn fits(
        &mut self,
        rules: &Ruleset,
        (chain, number): (usize, usize),
        at: &mut Passage<'_>,
        headers: &Headers,
        frame: &mut Frame,
    ) -> Option<Action> {
        let rule = &rules.chains[chain].rules[number];
        let mut counted = false;
        for (place, step) in rule.steps.iter().enumerate() {
            let action = match step {
                Step::Match(test) if self.holds(test, at, headers) => continue,
                Step::Match(_) => return None,
                Step::Limit(limit) => {
                    let bucket = self.buckets.entry((chain, number, place)).or_insert_with(|| limit.bucket(at.now));
                    if !limit.fits(bucket, at.now, headers.len) {
                        return None;
                    }
                    continue;
                }
                Step::Count | Step::CountAs(_) => {
                    if let Step::CountAs(name) = step {
                        self.named[*name].add(headers.len);
                        if let Some(recorder) = &self.recorder {
                            let [packets, bytes] = &self.names[*name];
                            recorder.record(at.now, packets, 1.0);
                            recorder.record(at.now, bytes, headers.len as f64);
                        }
                    }
                    self.counts[chain][number].add(headers.len);
                    counted = true;
                    continue;
                }
                Step::Log(prefix) => {
                    tell::logged(at, headers, frame, prefix, &rule.text);
                    continue;
                }
                Step::Do(action) => Some(action),
                Step::Map(map) => map.iter().find(|(test, _)| self.holds(test, at, headers)).map(|(_, action)| action),
            };
            if let Some(action) = action {
                // A rule that does not say where it counts counts what it decides on.
                if !counted {
                    self.counts[chain][number].add(headers.len);
                }
                return Some(action.clone());
            }
        }
        None
    }

    fn holds(&self, test: &Test, at: &Passage<'_>, headers: &Headers) -> bool {
        let face = |iface: Option<u16>, inside: bool| match iface {
            Some(number) => Some(Face::Number(number)),
            None => inside.then_some(Face::Loopback),
        };
        let (holds, sense) = match test {
            Test::Packet(clause) => (clause.condition.fits(headers), clause.sense),
            Test::Input(faces, sense) => {
                let came_in = matches!(at.hook, Hook::Prerouting | Hook::Input);
                (face(at.input, came_in).is_some_and(|face| faces.contains(&face)), *sense)
            }
            Test::Output(faces, sense) => {
                let goes_out = matches!(at.hook, Hook::Output | Hook::Postrouting);
                (face(at.output, goes_out).is_some_and(|face| faces.contains(&face)), *sense)
            }
            Test::State(states, sense) => (states.contains(&self.found.state), *sense),
            Test::Direction(direction, sense) => {
                let is_known = self.found.of != Of::None;
                (is_known && self.found.direction == *direction, *sense)
            }
            Test::Translated(ends, sense) => {
                let translated = self.tracker.get(self.found.of).map(|c| c.translated).unwrap_or_default();
                let is = |end: &End| match end {
                    End::Source => translated.source,
                    End::Destination => translated.destination,
                    End::Either => translated.source || translated.destination,
                };
                (ends.iter().any(is), *sense)
            }
            Test::Own(end, sense) => {
                let own = |addr: Option<std::net::IpAddr>| addr.is_some_and(|addr| at.own.is_own(addr));
                let holds = match end {
                    End::Source => own(headers.src),
                    End::Destination => own(headers.dst),
                    End::Either => own(headers.src) || own(headers.dst),
                };
                (holds, *sense)
            }
        };
        holds == (sense == Sense::Is)
    }
}

/// Where a chain's rules led.
enum Walk {
    /// One decided: what, and how it is written.
    Decided(Action, String),
    /// None did.
    On,
}

impl Filter for Firewall {
    fn ruleset(&self) -> String {
        self.listing()
    }

    fn connections(&self, now: Instant) -> Vec<Line> {
        self.tracker.lines(now)
    }

    fn pass(&mut self, at: &mut Passage<'_>, frame: &mut Frame) -> Verdict {
        if matches!(at.hook, Hook::Prerouting | Hook::Output) {
            let Some(packet) = Packet::read(frame.bytes()) else { return Verdict::Accept };
            self.track(at, &packet, frame);
            match self.destination(at, frame) {
                Verdict::Accept => self.translate(at.now, rewrite::End::Destination, frame),
                verdict => return verdict,
            }
        }
        match self.ask(at, frame) {
            Verdict::Accept => {}
            verdict => return verdict,
        }
        match at.hook {
            Hook::Postrouting => match self.source(at, frame) {
                Verdict::Accept => {}
                verdict => return verdict,
            },
            Hook::Input => {}
            Hook::Prerouting | Hook::Forward | Hook::Output => return Verdict::Accept,
        }
        let verdict = self.confirm(at, frame);
        if verdict == Verdict::Accept {
            self.translate(at.now, rewrite::End::Source, frame);
        }
        verdict
    }

    fn wants_whole(&self) -> bool {
        self.tracks
    }

    // netfilter's `nf_nat_icmp_reply_translation`: "Redirects on non-null nats must be dropped, else they'll start talking to
    // each other without our translation".
    fn translates(&self) -> bool {
        let translated = self.tracker.get(self.found.of).map(|c| c.translated).unwrap_or_default();
        let undecided = self.config.nat.is_some() && self.found.of == Of::Begun;
        undecided || translated.source || translated.destination
    }

    fn deadline(&self) -> Option<Instant> {
        [self.tracker.deadline(), self.nat.deadline()].into_iter().flatten().min()
    }

    fn on_deadline(&mut self, now: Instant, counters: &mut Counters, trace: &mut Trace) {
        while let Some(gone) = self.tracker.expire(now) {
            counters.conntrack_expired += 1;
            self.let_go(now, &gone);
        }
        while let Some((protocol, inside, outside)) = self.nat.expire(now) {
            tell::unmapped(protocol, inside, outside, trace);
        }
    }
}

#[cfg(test)]
mod tests;
