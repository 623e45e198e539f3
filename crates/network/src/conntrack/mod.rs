//! Connection tracking: which packets belong together, as Linux's `nf_conntrack` sees it from between the ends.
//!
//! A [`Tracker`] holds the conversations that it has seen, bounded in number and each with a time at which it is forgotten.
//! A packet is [taken](Tracker::take) where it comes in; a conversation that it begins is remembered only when the packet
//! [got through](Tracker::confirm), so that what is dropped leaves no trace.

mod direction;
pub mod listing;
pub mod tcp;
mod timeouts;
mod tuple;

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeSet, BinaryHeap};

use hashbrown::HashMap;
use septet_core::{FixedState, Frame, Instant};
use septet_wire::packet::Packet;
use septet_wire::{protocol, tcp as wire};

pub use direction::Direction;
pub use timeouts::Timeouts;
pub use tuple::{Ends, Seen, Tuple, Verify};

/// `nf_conntrack_max` of a machine with 1 to 4 GiB of memory.
pub const MAX: usize = 65_536;

/// As Linux: a stream is what still goes on after so long.
const STREAM_AFTER: Duration = Duration::from_secs(2);

/// What a packet is to its conversation: `ct state`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// It belongs to none, and begins none.
    Invalid,
    /// It begins one, or no answer was seen yet.
    New,
    /// Both ends were heard.
    Established,
    /// It is an ICMP error about a packet of one.
    Related,
    /// It is not tracked.
    Untracked,
}

/// Names a conversation of a [`Tracker`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Id {
    index: u32,
    generation: u32,
}

/// Whether addresses of a conversation are translated.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Translated {
    /// The source of its first packet: SNAT.
    pub source: bool,
    /// The destination of its first packet: DNAT.
    pub destination: bool,
    /// The destination, because a mapping of address translation stands there for somebody inside.
    pub inbound: bool,
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What packets look like when they come in: in the first one's direction, and the answers to what was made of it.
    pub tuples: [Tuple; 2],
    /// What is translated.
    pub translated: Translated,
    /// Packets each way.
    pub packets: [u64; 2],
    /// Octets of IP each way.
    pub bytes: [u64; 2],
    answered: bool,
    assured: bool,
    protocol: Protocol,
    since: Instant,
    expires: Instant,
    /// When the heap next asks for it.
    armed: Instant,
    /// In the order in which they came.
    number: u64,
}

#[derive(Clone, Debug)]
enum Protocol {
    Tcp(tcp::Track),
    Udp,
    Icmp,
    Other,
}

impl Connection {
    /// What a packet that comes in one direction becomes when all is translated.
    pub fn translation(&self, direction: Direction) -> Tuple {
        self.tuples[direction.other() as usize].inverted()
    }

    /// Whether an answer was seen.
    pub const fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether it must not make way for others when the table is full.
    pub const fn is_assured(&self) -> bool {
        self.assured
    }

    /// When it is forgotten, unless something is heard of it.
    pub const fn expires(&self) -> Instant {
        self.expires
    }

    /// The state of TCP; `None` for other protocols.
    pub fn tcp_state(&self) -> Option<tcp::State> {
        match &self.protocol {
            Protocol::Tcp(track) => Some(track.state()),
            _ => None,
        }
    }
}

/// The conversation of the packet in hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// None.
    None,
    /// One that its packet begins and that is not remembered yet.
    Begun,
    /// A remembered one.
    Known(Id),
}

/// What was found out about the packet in hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// What it is to its conversation.
    pub state: State,
    /// Which way it goes there.
    pub direction: Direction,
    /// The conversation.
    pub of: Of,
    /// Why it is invalid; empty where it is not.
    pub why: &'static str,
}

impl Found {
    /// Before any packet.
    pub const NOTHING: Self = Self { state: State::Untracked, direction: Direction::Original, of: Of::None, why: "" };

    fn invalid(why: &'static str) -> Self {
        Self { state: State::Invalid, why, ..Self::NOTHING }
    }
}

/// What became of a conversation that was to be remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confirmed {
    /// It was remembered before, or need not be.
    Already,
    /// It is now.
    Now(Id),
    /// It is, and another that no answer had come for went for it.
    Instead(Id),
    /// The table is full.
    Full,
    /// Another has the same ends.
    Clash,
}

/// All conversations that a node has seen.
#[derive(Debug)]
pub struct Tracker {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_tuple: HashMap<Tuple, (u32, Direction), FixedState>,
    due: BinaryHeap<Reverse<(Instant, Id)>>,
    /// Those that may make way, the oldest first.
    unassured: BTreeSet<(u64, u32)>,
    begun: Option<Connection>,
    /// Those that gave way to others with the same ends.
    gone: Vec<Connection>,
    timeouts: Timeouts,
    max: usize,
    count: usize,
    numbered: u64,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    connection: Option<Connection>,
}

impl Tracker {
    /// One that remembers at most `max` conversations.
    pub fn new(timeouts: Timeouts, max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_tuple: HashMap::default(),
            due: BinaryHeap::new(),
            unassured: BTreeSet::new(),
            begun: None,
            gone: Vec::new(),
            timeouts,
            max: max.max(1),
            count: 0,
            numbered: 0,
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All that are remembered, in no order that means anything but the same in every run.
    pub fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().filter_map(|slot| slot.connection.as_ref())
    }

    /// The conversation of a packet.
    pub fn get(&self, of: Of) -> Option<&Connection> {
        match of {
            Of::None => None,
            Of::Begun => self.begun.as_ref(),
            Of::Known(id) => self.slot(id)?.connection.as_ref(),
        }
    }

    /// The same, to be changed. What [`Of::Known`] has is found by its ends, which must stay.
    pub fn get_mut(&mut self, of: Of) -> Option<&mut Connection> {
        match of {
            Of::None => None,
            Of::Begun => self.begun.as_mut(),
            Of::Known(Id { index, generation }) => {
                let slot = self.slots.get_mut(index as usize).filter(|slot| slot.generation == generation)?;
                slot.connection.as_mut()
            }
        }
    }

    fn slot(&self, id: Id) -> Option<&Slot> {
        self.slots.get(id.index as usize).filter(|slot| slot.generation == id.generation)
    }

    /// Whether packets with these ends belong to a conversation.
    pub fn knows(&self, now: Instant, tuple: &Tuple) -> bool {
        self.find(now, tuple).is_some()
    }

    fn find(&self, now: Instant, tuple: &Tuple) -> Option<(Id, Direction)> {
        let &(index, direction) = self.by_tuple.get(tuple)?;
        let slot = &self.slots[index as usize];
        let is_live = slot.connection.as_ref().is_some_and(|c| c.expires > now);
        is_live.then_some((Id { index, generation: slot.generation }, direction))
    }

    /// Finds out what a packet is, and follows it.
    pub fn take(&mut self, now: Instant, packet: &Packet, frame: &Frame, verify: Verify) -> Found {
        self.begun = None;
        match Seen::of(packet, frame, verify) {
            Seen::Untracked => Found::NOTHING,
            Seen::Invalid(why) => Found::invalid(why),
            Seen::Error(inner) => self.take_error(now, packet, &inner),
            Seen::Flow(tuple) => self.take_flow(now, packet, frame, tuple),
        }
    }

    /// Finds out what a packet is that this host sends to itself and that was followed when it was sent.
    pub fn recall(&mut self, now: Instant, packet: &Packet, frame: &Frame) -> Found {
        self.begun = None;
        match Seen::of(packet, frame, Verify::No) {
            Seen::Untracked => Found::NOTHING,
            Seen::Invalid(why) => Found::invalid(why),
            Seen::Error(inner) => self.take_error(now, packet, &inner),
            Seen::Flow(tuple) => match self.find(now, &tuple) {
                Some((id, direction)) => self.found(id, direction),
                None => Found::invalid("no conversation knows it"),
            },
        }
    }

    fn found(&self, id: Id, direction: Direction) -> Found {
        let of = Of::Known(id);
        let answered = self.get(of).is_some_and(|c| c.answered);
        let state = if answered { State::Established } else { State::New };
        Found { state, direction, of, why: "" }
    }

    /// An error travels against the packet that it is about, and so as an answer to it would.
    fn take_error(&self, now: Instant, packet: &Packet, inner: &Tuple) -> Found {
        let Some((id, direction)) = self.find(now, &inner.inverted()) else {
            return Found::invalid("it is about a packet of no conversation");
        };
        let of = Of::Known(id);
        // Whoever reports an error tells the packet's sender.
        if self.get(of).is_none_or(|c| c.tuples[direction as usize].dst != packet.dst) {
            return Found::invalid("it is for another than sent the packet that it is about");
        }
        Found { state: State::Related, direction, of, why: "" }
    }

    fn take_flow(&mut self, now: Instant, packet: &Packet, frame: &Frame, tuple: Tuple) -> Found {
        if let Some((id, direction)) = self.find(now, &tuple) {
            match self.follow(now, id, direction, packet, frame) {
                Followed::Yes => return self.found(id, direction),
                Followed::Invalid(why) => return Found::invalid(why),
                Followed::Over => {
                    let over = self.remove(id);
                    self.gone.extend(over);
                }
            }
        }
        self.begin(now, packet, frame, tuple)
    }

    fn begin(&mut self, now: Instant, packet: &Packet, frame: &Frame, tuple: Tuple) -> Found {
        if !tuple.may_begin() {
            return Found::invalid("an answer that nobody asked for");
        }
        let upper = packet.upper(frame.bytes());
        let (protocol, timeout) = match tuple.protocol {
            protocol::TCP => {
                let Ok((header, at)) = wire::Header::parse(upper) else { return Found::invalid("cut short") };
                match tcp::Track::begin(&header, (upper.len() - at) as u32) {
                    Some(track) => {
                        let timeout = track.state().timeout(&self.timeouts).min(self.timeouts.tcp_unacknowledged);
                        (Protocol::Tcp(track), timeout)
                    }
                    None => return Found::invalid("a connection does not begin like this"),
                }
            }
            protocol::UDP => (Protocol::Udp, self.timeouts.udp),
            protocol::ICMP | protocol::ICMPV6 => (Protocol::Icmp, self.timeouts.icmp),
            _ => (Protocol::Other, self.timeouts.generic),
        };
        let expires = now + timeout;
        self.begun = Some(Connection {
            tuples: [tuple, tuple.inverted()],
            translated: Translated::default(),
            packets: [1, 0],
            bytes: [packet.len as u64, 0],
            answered: false,
            assured: false,
            protocol,
            since: now,
            expires,
            armed: expires,
            number: 0,
        });
        Found { state: State::New, direction: Direction::Original, of: Of::Begun, why: "" }
    }

    fn follow(&mut self, now: Instant, id: Id, direction: Direction, packet: &Packet, frame: &Frame) -> Followed {
        let Self { slots, timeouts, unassured, due, .. } = self;
        let Some(connection) = slots[id.index as usize].connection.as_mut() else { return Followed::Over };
        let answered = connection.answered || direction == Direction::Reply;
        let mut assured = false;
        let timeout = match &mut connection.protocol {
            Protocol::Tcp(track) => {
                let upper = packet.upper(frame.bytes());
                let Ok((header, at)) = wire::Header::parse(upper) else { return Followed::Invalid("cut short") };
                let before = track.state();
                match track.follow(direction, &header, (upper.len() - at) as u32, connection.answered, timeouts) {
                    tcp::Fit::Fits(timeout) => {
                        let was_open = matches!(before, tcp::State::SynRecv | tcp::State::Established);
                        assured = connection.answered && was_open && track.state() == tcp::State::Established;
                        Some(timeout)
                    }
                    tcp::Fit::Ignored => None,
                    tcp::Fit::Begins => return Followed::Over,
                    tcp::Fit::Invalid(why) => return Followed::Invalid(why),
                }
            }
            Protocol::Udp if answered && now.saturating_since(connection.since) > STREAM_AFTER => {
                assured = connection.answered;
                Some(timeouts.udp_stream)
            }
            Protocol::Udp => Some(timeouts.udp),
            Protocol::Icmp => Some(timeouts.icmp),
            Protocol::Other => {
                assured = connection.answered;
                Some(timeouts.generic)
            }
        };
        connection.answered = answered;
        connection.packets[direction as usize] += 1;
        connection.bytes[direction as usize] += packet.len as u64;
        if assured && !connection.assured {
            connection.assured = true;
            unassured.remove(&(connection.number, id.index));
        }
        if let Some(timeout) = timeout {
            connection.expires = now + timeout;
            if connection.expires < connection.armed {
                connection.armed = connection.expires;
                due.push(Reverse((connection.armed, id)));
            }
        }
        Followed::Yes
    }

    /// The packet in hand got through: what it begins is remembered.
    pub fn confirm(&mut self, now: Instant, of: Of) -> (Confirmed, Option<Connection>) {
        if of != Of::Begun {
            return (Confirmed::Already, None);
        }
        let Some(mut connection) = self.begun.take() else { return (Confirmed::Already, None) };
        if connection.tuples.iter().any(|tuple| self.knows(now, tuple)) {
            return (Confirmed::Clash, Some(connection));
        }
        // What has run out and was not collected yet.
        for tuple in connection.tuples {
            if let Some(&(index, _)) = self.by_tuple.get(&tuple) {
                let generation = self.slots[index as usize].generation;
                let over = self.remove(Id { index, generation });
                self.gone.extend(over);
            }
        }
        let mut gone = None;
        if self.count >= self.max {
            let Some(&(_, index)) = self.unassured.first() else { return (Confirmed::Full, Some(connection)) };
            let id = Id { index, generation: self.slots[index as usize].generation };
            gone = self.remove(id);
        }
        self.numbered += 1;
        connection.number = self.numbered;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, connection: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let id = Id { index, generation: slot.generation };
        self.by_tuple.insert(connection.tuples[0], (index, Direction::Original));
        self.by_tuple.insert(connection.tuples[1], (index, Direction::Reply));
        self.unassured.insert((connection.number, index));
        self.due.push(Reverse((connection.armed, id)));
        slot.connection = Some(connection);
        self.count += 1;
        self.tidy();
        (if gone.is_some() { Confirmed::Instead(id) } else { Confirmed::Now(id) }, gone)
    }

    /// Throws out the times of those that are gone, where they are more than those that are there.
    fn tidy(&mut self) {
        if self.due.len() <= 4 * self.count + 64 {
            return;
        }
        let live = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let armed = slot.connection.as_ref()?.armed;
            Some(Reverse((armed, Id { index: index as u32, generation: slot.generation })))
        });
        self.due = live.collect();
    }

    /// A conversation that gave way to another with the same ends. Ask until there is none after each packet.
    pub fn pop_gone(&mut self) -> Option<Connection> {
        self.gone.pop()
    }

    fn remove(&mut self, id: Id) -> Option<Connection> {
        let slot = self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?;
        let connection = slot.connection.take()?;
        for tuple in connection.tuples {
            if self.by_tuple.get(&tuple).is_some_and(|(index, _)| *index == id.index) {
                self.by_tuple.remove(&tuple);
            }
        }
        self.unassured.remove(&(connection.number, id.index));
        self.free.push(id.index);
        self.count -= 1;
        Some(connection)
    }

    /// When [`expire`](Self::expire) next has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Forgets one whose time has come. Call until it gives `None`.
    pub fn expire(&mut self, now: Instant) -> Option<Connection> {
        while let Some(&Reverse((at, id))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            let Some(connection) = self.get_mut(Of::Known(id)).filter(|c| c.armed == at) else { continue };
            if connection.expires <= now {
                return self.remove(id);
            }
            connection.armed = connection.expires;
            let again = Reverse((connection.armed, id));
            self.due.push(again);
        }
        None
    }
}

/// What became of a packet of a known conversation.
enum Followed {
    Yes,
    Invalid(&'static str),
    /// The conversation is over, and the packet begins another.
    Over,
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
