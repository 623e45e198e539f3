//! One direction of a link: a queue, a transmitter, a channel, and the frames in flight.
//!
//! Behind a drop-tail queue everything about a frame is known the moment it is handed in: when its transmission
//! begins and ends, what the channel does to it, when it arrives. So there is no event for the end of a transmission,
//! and who waits is derived from the times of departure. Other disciplines decide at the moment of transmission and
//! have an event for it ([`Direction::next_transmit`]). Either way only the head of what is in flight is an event.

use core::time::Duration;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use septet_core::{Carrier, DropReason, Fate, Frame, Instant, Tally};

use crate::channel::{Channel, Outcome, Turn};
use crate::context::{Heading, LinkContext};
use crate::egress::{Egress, Original};
use crate::line::{Line, later};
use crate::queue::{Dequeue, Limit, Occupancy};
use crate::{Medium, Meter, Order};

/// Hears what becomes of frames. It must not change their bytes.
pub trait Observer {
    /// The first bit of `frame` leaves at `at`, now or later, and this becomes of it. Where bits are flipped on the way,
    /// `frame` is what arrives and `whole` what leaves.
    fn launched(&mut self, at: Instant, frame: &mut Frame, whole: Option<&Frame>, fate: Fate);

    /// The frame never left.
    fn dropped(&mut self, frame: &Frame, reason: DropReason);

    /// What was launched for later than now has not happened after all; those frames are launched or dropped anew.
    fn recalled(&mut self);

    /// The frame was in flight and will not arrive.
    fn lost(&mut self, frame: &Frame, reason: DropReason);
}

/// What a direction counts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Frames whose transmission began.
    pub packets: u64,
    /// Their bytes; preamble and FCS are not counted.
    pub bytes: u64,
    /// Frames of these in which bits were flipped.
    pub damaged: u64,
    /// Frames that did not arrive, whether or not they left.
    pub drops: Tally,
}

/// The state machine of one direction. What every frame touches lies together; the rest is behind one pointer.
#[derive(Debug)]
pub struct Direction {
    /// In the order of arrival; `frame.ingress` is when.
    flights: VecDeque<Flight>,
    /// When the transmitter may begin with the next frame.
    free_at: Instant,
    line: Line,
    channel: Channel,
    egress: Egress,
    /// Frames that began or, behind drop-tail, will, and their bytes.
    packets: u64,
    bytes: u64,
    carrier: Carrier,
    order: Order,
    transparent: bool,
    heading: Heading,
    rest: ColdSlot,
}

#[derive(Debug)]
struct Flight {
    /// When its first bit leaves.
    start: Instant,
    frame: Frame,
}

/// What is seldom touched: little more than a name until a frame first waits or meets with misfortune.
#[derive(Debug)]
enum ColdSlot {
    Fresh(Arc<LinkContext>),
    Cold(Box<Cold>),
}

/// What is touched when a frame waits or meets with misfortune, and when the medium changes.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(crate) meter: Meter,
    damaged: u64,
    drops: Tally,
    /// Frames behind drop-tail that have not begun and whose fate is not simply to pass, as they were before it struck.
    originals: VecDeque<Original>,
    context: Arc<LinkContext>,
}

impl ColdSlot {
    fn context(&self) -> &Arc<LinkContext> {
        match self {
            Self::Fresh(context) => context,
            Self::Cold(cold) => &cold.context,
        }
    }

    fn get(&self) -> Option<&Cold> {
        match self {
            Self::Fresh(_) => None,
            Self::Cold(cold) => Some(cold),
        }
    }

    /// To be changed; made where there is none.
    fn cold(&mut self) -> &mut Cold {
        if let Self::Fresh(context) = self {
            *self = Self::Cold(Box::new(Cold {
                meter: Meter::default(),
                damaged: 0,
                drops: Tally::default(),
                originals: VecDeque::new(),
                context: context.clone(),
            }));
        }
        let Self::Cold(cold) = self else { unreachable!("just made") };
        cold
    }

    fn meter(&mut self) -> &mut Meter {
        &mut self.cold().meter
    }
}

impl Direction {
    /// An idle direction with carrier.
    pub fn new(medium: &Medium, context: &Arc<LinkContext>, heading: Heading) -> Self {
        Self {
            flights: VecDeque::new(),
            free_at: Instant::ZERO,
            line: Line::new(medium),
            channel: Channel::new(medium, |what| context.stream(heading, what)),
            egress: Egress::new(medium, context, heading),
            packets: 0,
            bytes: 0,
            carrier: Carrier::Up,
            order: medium.order,
            transparent: medium.is_transparent(),
            heading,
            rest: ColdSlot::Fresh(context.clone()),
        }
    }

    /// Hands `frame` to the queue.
    // Inlined, as all on a frame's way are that hand it on whole: it is copied at each call.
    #[inline]
    pub fn send(&mut self, now: Instant, frame: Frame, observer: &mut impl Observer) {
        if self.carrier == Carrier::Down {
            return self.refuse(&frame, DropReason::Carrier, observer);
        }
        if frame.segment_size > 0 && !self.transparent {
            return self.refuse(&frame, DropReason::Giant, observer);
        }
        if frame.is_empty() {
            return self.signal(now, frame);
        }
        match &mut self.egress {
            Egress::Tail(tail) => {
                if tail.is_waited_for() {
                    tail.settle(now, self.rest.meter());
                }
                let start = if self.free_at <= now {
                    tail.begin(frame.len());
                    now
                } else {
                    if !tail.admits(frame.len()) {
                        return self.refuse(&frame, DropReason::Queue, observer);
                    }
                    tail.wait(now, self.free_at, frame.len(), self.rest.meter());
                    self.free_at
                };
                self.launch(now, start, frame, observer);
            }
            Egress::Managed(managed) => {
                self.rest.meter().advance(now, managed.queue.occupancy());
                managed.queue.enqueue(now, frame, &mut managed.dropped);
                let mut waiting = managed.queue.occupancy();
                self.report_dropped(observer);
                if self.free_at <= now {
                    self.transmit(now, observer);
                    waiting = self.waiting(now);
                }
                self.rest.meter().grown(now, waiting);
            }
        }
    }

    /// When the next frame in flight arrives.
    #[inline]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.flights.front().map(|f| f.frame.ingress)
    }

    /// Takes the next frame out that has arrived by `now`; its `ingress` says when.
    #[inline]
    pub fn arrive(&mut self, now: Instant) -> Option<Frame> {
        if self.next_arrival()? > now {
            return None;
        }
        self.flights.pop_front().map(|f| f.frame)
    }

    /// The frames in flight, in the order of arrival; of each, `ingress` says when it arrives.
    pub fn in_flight(&self) -> impl Iterator<Item = &Frame> {
        self.flights.iter().map(|f| &f.frame)
    }

    /// Takes in a frame that is in flight already and arrives when its `ingress` says: it was sent on a direction of which
    /// this one is the end in another part of the world.
    pub fn accept(&mut self, frame: Frame) {
        self.fly(Flight { start: frame.ingress, frame }, 0, Turn::Overtakes);
    }

    /// Forgets what is in flight, where it is told elsewhere that it is lost.
    pub fn forget_flights(&mut self) {
        self.flights.clear();
    }

    /// No frame that is sent from now on arrives earlier than this after its first bit left.
    pub fn least_delay(&self) -> Duration {
        self.channel.least_delay()
    }

    /// When [`transmit`](Self::transmit) must be called. `None` while nothing waits, and always behind drop-tail.
    #[inline]
    pub fn next_transmit(&self) -> Option<Instant> {
        match &self.egress {
            Egress::Managed(m) if m.queue.occupancy().packets > 0 => Some(self.free_at.max(m.not_before)),
            _ => None,
        }
    }

    /// Begins the transmissions that are due.
    pub fn transmit(&mut self, now: Instant, observer: &mut impl Observer) {
        while self.free_at <= now
            && let Egress::Managed(managed) = &mut self.egress
        {
            self.rest.meter().advance(now, managed.queue.occupancy());
            let next = managed.queue.dequeue(now, &mut managed.dropped);
            let frame = match next {
                Dequeue::Frame(frame) => {
                    managed.on_wire = frame.len() as u32;
                    Some(frame)
                }
                Dequeue::Empty => None,
                Dequeue::NotBefore(at) => {
                    // A time that is not later would be asked for again at once, for ever.
                    managed.not_before = at.max(now + Duration::from_nanos(1));
                    None
                }
            };
            self.report_dropped(observer);
            let Some(frame) = frame else { return };
            self.launch(now, now, frame, observer);
        }
    }

    /// Changes the medium. Frames that have begun keep what the old one did to them, but what is left of the one on the
    /// wire goes out at the new rate; those that have not begin under the new one, those that its queue does not admit
    /// are dropped.
    pub fn set_medium(&mut self, now: Instant, medium: &Medium, observer: &mut impl Observer) {
        let keeps_queue = matches!(&self.egress, Egress::Managed(m) if m.spec == medium.queue);
        let recalled = if keeps_queue { Vec::new() } else { self.recall(now, observer) };
        self.set_line(now, medium);
        self.order = medium.order;
        let (context, heading) = (self.rest.context(), self.heading);
        self.channel.set(medium, |what| context.stream(heading, what));
        self.transparent = medium.is_transparent();
        if !keeps_queue {
            let on_wire = self.egress.on_wire();
            self.egress = Egress::new(medium, context, heading);
            self.egress.begin(on_wire);
        }
        for frame in recalled {
            self.send(now, frame, observer);
        }
    }

    /// Changes the rate; what is left of the frame on the wire takes its time by the new one.
    fn set_line(&mut self, now: Instant, medium: &Medium) {
        let new = self.line.renewed(medium);
        let old = core::mem::replace(&mut self.line, new);
        let end = old.end_before(self.free_at);
        if end <= now || self.line.keeps_time_of(&old) {
            return;
        }
        let renewed = self.line.rest_of(now, end, &old);
        self.free_at = self.line.free(renewed);
        // It is the last that began; where it was lost there may be none in flight.
        let Some(start) = self.flights.iter().map(|f| f.start).filter(|start| *start <= now).max() else { return };
        let is_it = |f: &Flight| f.start == start && old.takes(start, f.frame.len()).is_none_or(|at| at == end);
        let (on_wire, others): (Vec<_>, Vec<_>) = core::mem::take(&mut self.flights).into_iter().partition(is_it);
        self.flights = others.into();
        for mut flight in on_wire {
            flight.frame.ingress = renewed + flight.frame.ingress.saturating_since(end);
            self.fly(flight, 0, Turn::Waits);
        }
    }

    /// Takes the carrier away: what waits is dropped for `reason`, and what is sent from now on has no carrier.
    pub fn stop(&mut self, now: Instant, reason: DropReason, observer: &mut impl Observer) {
        if self.carrier == Carrier::Down {
            return;
        }
        self.carrier = Carrier::Down;
        for frame in self.recall(now, observer) {
            self.refuse(&frame, reason, observer);
        }
    }

    /// Loses what is in flight for `reason`, to its last bit.
    pub fn sever(&mut self, now: Instant, reason: DropReason, observer: &mut impl Observer) {
        for flight in self.flights.drain(..) {
            self.rest.cold().drops.add(reason);
            observer.lost(&flight.frame, reason);
        }
        self.free_at = self.free_at.min(now);
    }

    /// Gives the carrier back.
    pub fn resume(&mut self) {
        self.carrier = Carrier::Up;
    }

    /// Whether there is a carrier.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Whether super-segments pass whole.
    pub fn is_transparent(&self) -> bool {
        self.transparent
    }

    /// Bytes that wait, with those of the frame whose transmission has not ended.
    pub fn backlog(&self, now: Instant) -> usize {
        let (waiting, on_wire, free) = match &self.egress {
            Egress::Tail(tail) => tail.at(now, self.free_at),
            Egress::Managed(m) => (m.queue.occupancy(), m.on_wire, self.free_at),
        };
        waiting.bytes as usize + if now < free { on_wire as usize } else { 0 }
    }

    /// What waits at `now`, the frame on the wire not counted.
    pub fn waiting(&self, now: Instant) -> Occupancy {
        match &self.egress {
            Egress::Tail(tail) => tail.at(now, self.free_at).0,
            Egress::Managed(m) => m.queue.occupancy(),
        }
    }

    /// The earliest time at which [`backlog`](Self::backlog) may have fallen to `bytes`: exact behind drop-tail if
    /// nothing more is sent, the end of the transmission under way elsewhere.
    pub fn room_at(&self, now: Instant, bytes: usize) -> Instant {
        if self.backlog(now) <= bytes {
            return now;
        }
        match &self.egress {
            Egress::Tail(tail) => tail.room_at(bytes as u64, self.free_at),
            Egress::Managed(m) if self.free_at <= now => m.not_before,
            Egress::Managed(_) => self.free_at,
        }
    }

    /// The counters as of `now`.
    pub fn counters(&self, now: Instant) -> Counters {
        let mut counters = Counters { packets: self.packets, bytes: self.bytes, ..Counters::default() };
        if let Some(cold) = self.rest.get() {
            (counters.damaged, counters.drops) = (cold.damaged, cold.drops.clone());
        }
        if let Egress::Tail(tail) = &self.egress {
            let waiting = tail.at(now, self.free_at).0;
            counters.packets -= waiting.packets;
            counters.bytes -= waiting.bytes;
            let originals = self.rest.get().into_iter().flat_map(|cold| &cold.originals);
            for original in originals.filter(|o| o.start > now) {
                take_back(original.fate, &mut counters.damaged, &mut counters.drops);
            }
        }
        counters
    }

    /// The statistics of the queue as of `now`.
    pub fn meter(&mut self, now: Instant) -> &Meter {
        if let Egress::Tail(tail) = &mut self.egress {
            tail.settle(now, self.rest.meter());
        }
        let waiting = self.waiting(now);
        self.rest.meter().advance(now, waiting);
        self.rest.meter()
    }

    /// Watches whether what waits stays within `bound`, from `from` on and before `until`. Returns the number under
    /// which [`Meter::violation`] knows it.
    pub fn watch(&mut self, now: Instant, bound: Limit, from: Instant, until: Instant) -> usize {
        self.meter(now);
        let waiting = self.waiting(now);
        self.rest.meter().watch(now, bound, from, until, waiting)
    }

    /// Counts a frame that somebody beside the cable lets go no further.
    pub fn count_drop(&mut self, reason: DropReason) {
        self.rest.cold().drops.add(reason);
    }

    fn refuse(&mut self, frame: &Frame, reason: DropReason, observer: &mut impl Observer) {
        self.rest.cold().drops.add(reason);
        observer.dropped(frame, reason);
    }

    fn report_dropped(&mut self, observer: &mut impl Observer) {
        if let Egress::Managed(managed) = &mut self.egress {
            for (frame, reason) in managed.dropped.drain(..) {
                self.rest.cold().drops.add(reason);
                observer.dropped(&frame, reason);
            }
        }
    }

    /// A signal of a shared line takes no time and meets no chance; it only travels.
    #[cold]
    fn signal(&mut self, now: Instant, mut frame: Frame) {
        frame.ingress = later(now, self.channel.delay());
        self.fly(Flight { start: now, frame }, 0, Turn::Overtakes);
    }

    #[inline]
    fn launch(&mut self, now: Instant, start: Instant, mut frame: Frame, observer: &mut impl Observer) {
        let end = self.line.end(start, frame.len());
        self.free_at = self.line.free(end);
        self.packets += 1;
        self.bytes += frame.len() as u64;
        if let Some(delay) = self.channel.only_delays() {
            frame.ingress = later(end, delay);
            observer.launched(start, &mut frame, None, Fate::Passed);
            self.fly(Flight { start, frame }, span(start, end), Turn::Waits);
        } else {
            self.launch_into_chance(now, start, end, frame, observer);
        }
    }

    #[inline(never)]
    fn launch_into_chance(
        &mut self,
        now: Instant,
        start: Instant,
        end: Instant,
        mut frame: Frame,
        observer: &mut impl Observer,
    ) {
        let whole = frame.clone();
        let Outcome { delay, fate, copies, turn } = self.channel.pass(start, &mut frame);
        frame.ingress = end + delay;
        observer.launched(start, &mut frame, Some(&whole), fate);
        match fate {
            Fate::Passed => {}
            Fate::Damaged(_) => self.rest.cold().damaged += 1,
            Fate::Lost(reason) => self.rest.cold().drops.add(reason),
        }
        // Should the medium change before the frame leaves, its fate is drawn again, for the frame as it was.
        if fate != Fate::Passed && start > now {
            let originals = &mut self.rest.cold().originals;
            while originals.front().is_some_and(|o| o.start <= now) {
                originals.pop_front();
            }
            originals.push_back(Original { start, frame: whole, fate });
        }
        if !matches!(fate, Fate::Lost(_)) {
            for _ in 0..copies {
                self.fly(Flight { start, frame: frame.clone() }, span(start, end), turn);
            }
            self.fly(Flight { start, frame }, span(start, end), turn);
        }
    }

    /// Puts a frame, which took `span` nanoseconds to send, among those in flight, in the order of arrival; of equals the
    /// first to leave is first.
    #[inline]
    fn fly(&mut self, mut flight: Flight, span: u64, turn: Turn) {
        let arrival = flight.frame.ingress;
        match self.flights.back() {
            // As netem with a rate: the last frame's time to send is where this one's begins.
            Some(last)
                if self.order == Order::Kept && turn == Turn::Waits && later(last.frame.ingress, span) > arrival =>
            {
                flight.frame.ingress = later(last.frame.ingress, span);
                self.flights.push_back(flight);
            }
            Some(last) if last.frame.ingress > arrival => {
                let at = self.flights.partition_point(|f| f.frame.ingress <= arrival);
                self.flights.insert(at, flight);
            }
            _ => self.flights.push_back(flight),
        }
    }

    /// Takes back the frames that have not begun, in the order in which they would.
    fn recall(&mut self, now: Instant, observer: &mut impl Observer) -> Vec<Frame> {
        let tail = match &mut self.egress {
            Egress::Managed(managed) => {
                self.rest.meter().advance(now, managed.queue.occupancy());
                return managed.queue.clear();
            }
            Egress::Tail(tail) => tail,
        };
        tail.settle(now, self.rest.meter());
        self.rest.meter().advance(now, tail.occupancy());
        let Some((first, waiting)) = tail.clear() else { return Vec::new() };
        observer.recalled();
        self.free_at = first;
        self.line.rewind(first);
        self.packets -= waiting.packets;
        self.bytes -= waiting.bytes;
        // In the order in which they would have begun. Several may begin at once, with one delivery opportunity: those keep
        // the order in which they lie here.
        let mut frames: Vec<(Instant, Frame)> = Vec::new();
        let mut known = BTreeMap::new();
        for flight in core::mem::take(&mut self.flights) {
            let Flight { start, frame } = flight;
            if start <= now {
                self.flights.push_back(Flight { start, frame });
            } else if let Entry::Vacant(place) = known.entry((start, frame.id)) {
                // Copies of one frame are one.
                place.insert(frames.len());
                frames.push((start, frame));
            }
        }
        let Cold { damaged, drops, originals, .. } = self.rest.cold();
        for Original { start, frame, fate } in originals.drain(..).filter(|o| o.start > now) {
            take_back(fate, damaged, drops);
            match known.get(&(start, frame.id)) {
                Some(&at) => frames[at].1 = frame,
                None => frames.push((start, frame)),
            }
        }
        frames.sort_by_key(|(start, _)| *start);
        frames.into_iter().map(|(_, frame)| frame).collect()
    }
}

/// The nanoseconds from `start` to `end`.
#[inline]
fn span(start: Instant, end: Instant) -> u64 {
    end.as_nanos().saturating_sub(start.as_nanos())
}

fn take_back(fate: Fate, damaged: &mut u64, drops: &mut Tally) {
    match fate {
        Fate::Passed => {}
        Fate::Damaged(_) => *damaged -= 1,
        Fate::Lost(reason) => drops.take_back(reason),
    }
}

#[cfg(test)]
#[path = "direction_tests.rs"]
mod tests;
