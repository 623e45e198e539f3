//! Queues in front of a transmitter: the trait, the table of disciplines, and the limit they share.
//!
//! A new discipline is one file beside [`drop_tail`] and one line in [`DISCIPLINES`].

use core::fmt;
use std::sync::Arc;

use septet_core::{Bytes, DropReason, Frame, Instant, Rng};

use crate::settings::{InvalidSetting, Parameter, Settings};
use crate::{Blind, Lens};

pub mod codel;
pub mod drop_tail;
pub mod fq_codel;
pub mod prio;
pub mod red;
pub mod tbf;

pub use drop_tail::DropTail;

/// Every discipline there is.
pub static DISCIPLINES: &[Discipline] = &[
    drop_tail::DISCIPLINE,
    red::DISCIPLINE,
    codel::DISCIPLINE,
    fq_codel::DISCIPLINE,
    tbf::DISCIPLINE,
    prio::DISCIPLINE,
];

/// A queue discipline by name.
#[derive(Clone, Copy, Debug)]
pub struct Discipline {
    /// Its name in a lab file, as `tc` spells it.
    pub name: &'static str,
    /// What it is, in one line, with the document it follows.
    pub help: &'static str,
    /// The settings it understands.
    pub parameters: &'static [Parameter],
    /// Builds one; its settings were checked against `parameters`.
    pub build: fn(&Build<'_>) -> Result<Box<dyn Queue>, InvalidSetting>,
}

/// What a discipline is built from.
#[derive(Debug)]
pub struct Build<'a> {
    /// The bound on what may wait.
    pub limit: Limit,
    /// The discipline's own settings.
    pub settings: &'a Settings,
    /// Its own stream of random numbers.
    pub rng: Rng,
    /// How it reads and marks packets.
    pub lens: Arc<dyn Lens>,
}

impl fmt::Debug for dyn Lens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lens")
    }
}

/// A bound on what may wait, the frame on the wire not counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// At most this many frames.
    Packets(u64),
    /// At most this many bytes, frame check sequences not counted.
    Bytes(u64),
}

impl Limit {
    /// Whether a frame of `len` bytes may join what waits.
    pub fn admits(self, waiting: Occupancy, len: usize) -> bool {
        match self {
            Self::Packets(n) => waiting.packets < n,
            Self::Bytes(n) => waiting.bytes + len as u64 <= n,
        }
    }
}

impl Default for Limit {
    fn default() -> Self {
        // Linux's default txqueuelen of an Ethernet device.
        Self::Packets(1000)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packets(n) => write!(f, "{n} packets"),
            Self::Bytes(n) => Bytes(*n).fmt(f),
        }
    }
}

/// How much waits, the frame on the wire not counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Occupancy {
    /// Frames.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Occupancy {
    /// One frame of `len` bytes more.
    pub fn add(&mut self, len: usize) {
        self.packets += 1;
        self.bytes += len as u64;
    }

    /// One frame of `len` bytes less.
    pub fn remove(&mut self, len: usize) {
        self.packets -= 1;
        self.bytes -= len as u64;
    }
}

/// What [`Queue::dequeue`] gives.
#[derive(Debug)]
#[must_use]
pub enum Dequeue {
    /// This frame is next on the wire.
    Frame(Frame),
    /// Nothing waits.
    Empty,
    /// Something waits, but may not leave before this time.
    NotBefore(Instant),
}

/// Frames that a discipline drops, with the reason.
pub type Dropped = Vec<(Frame, DropReason)>;

/// A queue discipline that decides what leaves, and when, at the moment of transmission.
pub trait Queue {
    /// Takes `frame` in, or puts it, or another one in its stead, into `dropped`.
    fn enqueue(&mut self, now: Instant, frame: Frame, dropped: &mut Dropped);

    /// The next frame for the transmitter, which is idle; frames given up on the way go into `dropped`.
    fn dequeue(&mut self, now: Instant, dropped: &mut Dropped) -> Dequeue;

    /// How much waits.
    fn occupancy(&self) -> Occupancy;

    /// Takes everything out, in the order in which it would leave.
    fn clear(&mut self) -> Vec<Frame>;
}

/// Which queue stands in front of a transmitter.
#[derive(Clone, Debug)]
pub struct QueueSpec {
    discipline: &'static Discipline,
    limit: Limit,
    settings: Settings,
}

impl QueueSpec {
    /// A first-in first-out queue that drops what does not fit.
    pub const fn drop_tail(limit: Limit) -> Self {
        Self { discipline: &drop_tail::DISCIPLINE, limit, settings: Settings::new() }
    }

    /// The discipline called `name` in [`DISCIPLINES`].
    ///
    /// # Errors
    /// A setting that the discipline does not understand or refuses; `queue` itself where there is no such name.
    pub fn new(name: &str, limit: Limit, settings: Settings) -> Result<Self, InvalidSetting> {
        let Some(discipline) = DISCIPLINES.iter().find(|d| d.name == name) else {
            let names: Vec<_> = DISCIPLINES.iter().map(|d| d.name).collect();
            return Err(InvalidSetting::new("queue", format!("`{name}` is none of {}", names.join(", "))));
        };
        settings.check(discipline.parameters)?;
        let rng = septet_core::Seed::new(0).stream("");
        (discipline.build)(&Build { limit, settings: &settings, rng, lens: Arc::new(Blind) })?;
        Ok(Self { discipline, limit, settings })
    }

    /// The discipline's name.
    pub fn name(&self) -> &'static str {
        self.discipline.name
    }

    /// The bound on what may wait.
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// Whether it is the plain first-in first-out queue.
    pub fn is_drop_tail(&self) -> bool {
        self.discipline.name == drop_tail::DISCIPLINE.name
    }

    pub(crate) fn build(&self, rng: Rng, lens: Arc<dyn Lens>) -> Box<dyn Queue> {
        let build = Build { limit: self.limit, settings: &self.settings, rng, lens };
        // The same settings were built once in `new`; should they not build now, the plain queue stands in.
        (self.discipline.build)(&build).unwrap_or_else(|_| Box::new(DropTail::new(self.limit)))
    }
}

impl Default for QueueSpec {
    fn default() -> Self {
        Self::drop_tail(Limit::default())
    }
}

impl PartialEq for QueueSpec {
    fn eq(&self, other: &Self) -> bool {
        let Self { discipline, limit, settings } = self;
        discipline.name == other.discipline.name && *limit == other.limit && *settings == other.settings
    }
}
