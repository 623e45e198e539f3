//! Controlled Delay (CoDel), RFC 8289: drops by how long packets waited, not by how many wait.
//!
//! [`Law`] is the pseudo-code of §5; FQ-CoDel runs one for each flow.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use septet_core::{DropReason, Frame, Instant};

use super::{Build, Dequeue, Discipline, Dropped, Limit, Occupancy, Queue};
use crate::settings::{InvalidSetting, Kind, Parameter};
use crate::{Lens, Marked};

/// The table's entry.
pub const DISCIPLINE: Discipline = Discipline {
    name: "codel",
    help: "Controlled Delay, RFC 8289",
    parameters: PARAMETERS,
    build: |b| Ok(Box::new(CoDel::new(b.limit, Parameters::from_settings(b, Ecn::Ignore)?, Arc::clone(&b.lens)))),
};

/// The settings of the control law, which FQ-CoDel shares.
pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter { name: "target", kind: Kind::Duration, help: "acceptable standing delay (5ms)" },
    Parameter { name: "interval", kind: Kind::Duration, help: "a round-trip time of the slowest flow (100ms)" },
    Parameter { name: "mtu", kind: Kind::Bytes, help: "nothing is dropped while no more than this waits (1514)" },
    Parameter { name: "ce_threshold", kind: Kind::Duration, help: "mark every packet that waited longer (never)" },
    ECN,
];

/// Shared by every discipline that can mark.
pub(super) const ECN: Parameter = Parameter {
    name: "ecn",
    kind: Kind::Word(&["on", "off"]),
    help: "mark instead of dropping where a flow allows it",
};

/// Whether to mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ecn {
    /// Set Congestion Experienced instead of dropping.
    Mark,
    /// Drop.
    Ignore,
}

impl Ecn {
    pub(super) fn from_settings(build: &Build<'_>, default: Self) -> Self {
        match build.settings.word("ecn") {
            Some("on") => Self::Mark,
            Some(_) => Self::Ignore,
            None => default,
        }
    }
}

/// What a network's operator may set.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// RFC 8289 §4.3: "TARGET … is the setpoint".
    pub target: Duration,
    /// §4.2: "on the order of a worst-case RTT".
    pub interval: Duration,
    /// `maxpacket_`: the interface's MTU.
    pub max_packet: u64,
    /// Mark whatever waited longer than this, beside the control law.
    pub ce_threshold: Option<Duration>,
    /// Whether to mark.
    pub ecn: Ecn,
}

impl Parameters {
    pub(super) fn from_settings(b: &Build<'_>, ecn: Ecn) -> Result<Self, InvalidSetting> {
        let interval = b.settings.duration("interval").unwrap_or(Duration::from_millis(100));
        if interval.is_zero() {
            return Err(InvalidSetting::new("interval", "must be longer than zero"));
        }
        Ok(Self {
            target: b.settings.duration("target").unwrap_or(Duration::from_millis(5)),
            interval,
            max_packet: b.settings.bytes("mtu").unwrap_or(1514),
            ce_threshold: b.settings.duration("ce_threshold"),
            ecn: Ecn::from_settings(b, ecn),
        })
    }
}

/// A first-in first-out queue whose frames know when they came.
#[derive(Debug, Default)]
pub(super) struct Stamped {
    frames: VecDeque<(Instant, Frame)>,
    bytes: u64,
}

impl Stamped {
    pub(super) fn push(&mut self, now: Instant, frame: Frame) {
        self.bytes += frame.len() as u64;
        self.frames.push_back((now, frame));
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, Frame)> {
        let (at, frame) = self.frames.pop_front()?;
        self.bytes -= frame.len() as u64;
        Some((at, frame))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Frame> + '_ {
        self.bytes = 0;
        self.frames.drain(..).map(|(_, frame)| frame)
    }
}

/// The state of RFC 8289 §5.3, by its names.
#[derive(Debug, Default)]
pub(super) struct Law {
    first_above_time: Option<Instant>,
    drop_next: Instant,
    count: u32,
    lastcount: u32,
    dropping: bool,
}

/// A frame that `dodequeue` took, and whether the sojourn time says that it may be dropped.
struct Taken {
    frame: Frame,
    sojourn: Duration,
    ok_to_drop: bool,
}

impl Law {
    /// §5.5: the next frame to send; what is given up goes into `dropped`.
    pub(super) fn deque(
        &mut self,
        now: Instant,
        queue: &mut Stamped,
        parameters: &Parameters,
        lens: &dyn Lens,
        dropped: &mut Dropped,
    ) -> Option<Frame> {
        let mut taken = self.dodequeue(now, queue, parameters);
        let ok = |taken: &Option<Taken>| taken.as_ref().is_some_and(|t| t.ok_to_drop);
        let mark = |taken: &mut Option<Taken>| match taken {
            Some(t) if parameters.ecn == Ecn::Mark => lens.mark(&mut t.frame) == Marked::Yes,
            _ => false,
        };
        let mut drop = |taken: Option<Taken>| dropped.extend(taken.map(|t| (t.frame, DropReason::Aqm)));
        if self.dropping {
            if !ok(&taken) {
                // "sojourn time below TARGET - leave drop state"
                self.dropping = false;
            }
            // "Time for the next drop. Drop current packet and dequeue next." A mark ends the loop, since the packet
            // leaves.
            while now >= self.drop_next && self.dropping {
                self.count = self.count.saturating_add(1);
                if mark(&mut taken) {
                    self.drop_next = control_law(self.drop_next, parameters.interval, self.count);
                    break;
                }
                drop(taken.take());
                taken = self.dodequeue(now, queue, parameters);
                if ok(&taken) {
                    self.drop_next = control_law(self.drop_next, parameters.interval, self.count);
                } else {
                    self.dropping = false;
                }
            }
        } else if ok(&taken) {
            if !mark(&mut taken) {
                drop(taken.take());
                taken = self.dodequeue(now, queue, parameters);
            }
            self.dropping = true;
            // "If min went above TARGET close to when it last went below, assume that the drop rate that controlled the
            // queue on the last cycle is a good starting point to control it now."
            let delta = self.count.saturating_sub(self.lastcount);
            self.count = 1;
            if delta > 1 && now.saturating_since(self.drop_next) < parameters.interval * 16 {
                self.count = delta;
            }
            self.drop_next = control_law(now, parameters.interval, self.count);
            self.lastcount = self.count;
        }
        let mut taken = taken?;
        if parameters.ce_threshold.is_some_and(|threshold| taken.sojourn > threshold) {
            lens.mark(&mut taken.frame);
        }
        Some(taken.frame)
    }

    /// §5.4: takes a frame and watches the sojourn time.
    fn dodequeue(&mut self, now: Instant, queue: &mut Stamped, parameters: &Parameters) -> Option<Taken> {
        let Some((came, frame)) = queue.pop() else {
            // "queue is empty - we can't be above TARGET"
            self.first_above_time = None;
            return None;
        };
        let sojourn = now.saturating_since(came);
        let ok_to_drop = if sojourn < parameters.target || queue.bytes() <= parameters.max_packet {
            // "went below - stay below for at least INTERVAL"
            self.first_above_time = None;
            false
        } else {
            let first = *self.first_above_time.get_or_insert(now + parameters.interval);
            now >= first
        };
        Some(Taken { frame, sojourn, ok_to_drop })
    }
}

/// §5.4: "t + INTERVAL / sqrt(count)".
fn control_law(t: Instant, interval: Duration, count: u32) -> Instant {
    let nanos = interval.as_nanos() as f64 / libm::sqrt(f64::from(count));
    t + Duration::from_nanos(nanos as u64)
}

/// CoDel over a first-in first-out queue.
pub struct CoDel {
    limit: Limit,
    parameters: Parameters,
    lens: Arc<dyn Lens>,
    law: Law,
    queue: Stamped,
    occupancy: Occupancy,
}

impl CoDel {
    /// An empty queue that holds up to `limit`.
    pub fn new(limit: Limit, parameters: Parameters, lens: Arc<dyn Lens>) -> Self {
        let (law, queue, occupancy) = (Law::default(), Stamped::default(), Occupancy::default());
        Self { limit, parameters, lens, law, queue, occupancy }
    }
}

impl Queue for CoDel {
    fn enqueue(&mut self, now: Instant, frame: Frame, dropped: &mut Dropped) {
        if self.limit.admits(self.occupancy, frame.len()) {
            self.occupancy.add(frame.len());
            self.queue.push(now, frame);
        } else {
            dropped.push((frame, DropReason::Queue));
        }
    }

    fn dequeue(&mut self, now: Instant, dropped: &mut Dropped) -> Dequeue {
        let before = dropped.len();
        let frame = self.law.deque(now, &mut self.queue, &self.parameters, &*self.lens, dropped);
        for (frame, _) in &dropped[before..] {
            self.occupancy.remove(frame.len());
        }
        match frame {
            Some(frame) => {
                self.occupancy.remove(frame.len());
                Dequeue::Frame(frame)
            }
            None => Dequeue::Empty,
        }
    }

    fn occupancy(&self) -> Occupancy {
        self.occupancy
    }

    fn clear(&mut self) -> Vec<Frame> {
        self.occupancy = Occupancy::default();
        self.queue.drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Blind;

    const MS: fn(u64) -> Instant = Instant::from_millis;

    fn parameters() -> Parameters {
        Parameters {
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
            max_packet: 1514,
            ce_threshold: None,
            ecn: Ecn::Ignore,
        }
    }

    fn codel() -> CoDel {
        CoDel::new(Limit::Packets(1000), parameters(), Arc::new(Blind))
    }

    /// Offers two packets for each one that leaves, one a millisecond, and tells when packets were dropped.
    fn overload(queue: &mut CoDel, from: u64, to: u64) -> Vec<u64> {
        let mut drops = Vec::new();
        for ms in from..to {
            let mut dropped = Dropped::new();
            for _ in 0..2 {
                queue.enqueue(MS(ms), Frame::new(0, &[0; 1500]), &mut dropped);
            }
            assert!(matches!(queue.dequeue(MS(ms), &mut dropped), Dequeue::Frame(_)));
            drops.extend(dropped.iter().map(|(_, reason)| (*reason == DropReason::Aqm).then_some(ms).unwrap()));
        }
        drops
    }

    #[test]
    fn drops_come_by_the_inverse_square_root() {
        let mut queue = codel();
        let drops = overload(&mut queue, 0, 900);
        // Sojourn exceeds 5 ms from 10 ms on (half of what comes leaves); 100 ms later the first drop; then
        // 100/√1, 100/√2, 100/√3, … after one another, each rounded up to the next departure.
        let first = drops[0];
        assert!((108..=112).contains(&first), "{drops:?}");
        let mut expected = first as f64;
        for (n, at) in drops.iter().enumerate().skip(1) {
            expected += 100.0 / (n as f64).sqrt();
            assert!((*at as f64 - expected).abs() <= 1.0, "drop {n} at {at}, not {expected:.1}: {drops:?}");
        }
        assert!(drops.len() > 10);
    }

    #[test]
    fn a_short_burst_is_left_alone() {
        let mut queue = codel();
        let mut dropped = Dropped::new();
        for _ in 0..50 {
            queue.enqueue(MS(0), Frame::new(0, &[0; 1500]), &mut dropped);
        }
        for ms in 0..50 {
            assert!(matches!(queue.dequeue(MS(ms), &mut dropped), Dequeue::Frame(_)));
        }
        assert!(dropped.is_empty());
        assert!(matches!(queue.dequeue(MS(51), &mut dropped), Dequeue::Empty));
    }

    #[test]
    fn the_last_packet_is_never_dropped() {
        let mut queue = codel();
        let mut dropped = Dropped::new();
        for ms in [0, 300, 600, 900] {
            queue.enqueue(MS(ms), Frame::new(0, &[0; 1500]), &mut dropped);
            assert!(matches!(queue.dequeue(MS(ms + 200), &mut dropped), Dequeue::Frame(_)));
        }
        assert!(dropped.is_empty());
    }

    #[test]
    fn marks_where_the_flow_allows_it() {
        struct Willing;
        impl Lens for Willing {
            fn flow(&self, _: &Frame) -> u64 {
                0
            }
            fn mark(&self, frame: &mut Frame) -> Marked {
                frame.bytes_mut()[0] = 3;
                Marked::Yes
            }
        }
        let mut queue =
            CoDel::new(Limit::Packets(1000), Parameters { ecn: Ecn::Mark, ..parameters() }, Arc::new(Willing));
        let (mut dropped, mut marks) = (Dropped::new(), 0);
        for ms in 0..900 {
            for _ in 0..2 {
                queue.enqueue(MS(ms), Frame::new(0, &[0; 1500]), &mut dropped);
            }
            let Dequeue::Frame(frame) = queue.dequeue(MS(ms), &mut dropped) else { panic!() };
            marks += u32::from(frame.bytes()[0] == 3);
        }
        assert!(dropped.is_empty());
        assert!(marks > 10, "{marks}");
    }
}
