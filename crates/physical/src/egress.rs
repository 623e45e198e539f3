//! What stands in front of the transmitter: drop-tail derived from times of departure, or a discipline proper.

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;

use septet_core::{Fate, Frame, Instant, Rng};

use crate::context::{Heading, LinkContext};
use crate::queue::{Dropped, Limit, Occupancy, Queue, QueueSpec};
use crate::{Lens, Medium, Meter};

#[derive(Debug)]
pub(crate) enum Egress {
    Tail(Tail),
    Managed(Box<Managed>),
}

/// Drop-tail without a queue: who waits is whoever has not left.
#[derive(Debug)]
pub(crate) struct Tail {
    limit: Limit,
    waiting: VecDeque<Waiting>,
    occupancy: Occupancy,
    /// The length of the frame that began last.
    on_wire: u32,
}

/// A frame as it was before its fate struck.
#[derive(Debug)]
pub(crate) struct Original {
    pub(crate) start: Instant,
    pub(crate) frame: Frame,
    pub(crate) fate: Fate,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    start: Instant,
    len: u32,
}

/// A discipline that decides when the transmitter is free.
pub(crate) struct Managed {
    pub(crate) spec: QueueSpec,
    pub(crate) queue: Box<dyn Queue>,
    /// The discipline lets nothing go before.
    pub(crate) not_before: Instant,
    /// The length of the frame that began last.
    pub(crate) on_wire: u32,
    pub(crate) dropped: Dropped,
}

impl Egress {
    /// What `medium` asks for, empty.
    pub(crate) fn new(medium: &Medium, context: &LinkContext, heading: Heading) -> Self {
        if medium.queue.is_drop_tail() {
            return Self::Tail(Tail::new(medium.queue.limit()));
        }
        let rng = context.stream(heading, "queue");
        Self::Managed(Box::new(Managed::new(&medium.queue, rng, context.lens.clone())))
    }

    pub(crate) fn on_wire(&self) -> u32 {
        match self {
            Self::Tail(tail) => tail.on_wire,
            Self::Managed(managed) => managed.on_wire,
        }
    }

    pub(crate) fn begin(&mut self, len: u32) {
        match self {
            Self::Tail(tail) => tail.on_wire = len,
            Self::Managed(managed) => managed.on_wire = len,
        }
    }
}

impl Tail {
    pub(crate) fn new(limit: Limit) -> Self {
        Self { limit, waiting: VecDeque::new(), occupancy: Occupancy::default(), on_wire: 0 }
    }

    pub(crate) fn admits(&self, len: usize) -> bool {
        self.limit.admits(self.occupancy, len)
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        self.occupancy
    }

    /// Whether a frame waits, or did when last looked at.
    #[inline]
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A frame begins at once.
    pub(crate) fn begin(&mut self, len: usize) {
        self.on_wire = len as u32;
    }

    /// A frame will begin at `start`, and waits until then.
    pub(crate) fn wait(&mut self, now: Instant, start: Instant, len: usize, meter: &mut Meter) {
        meter.advance(now, self.occupancy);
        self.occupancy.add(len);
        meter.grown(now, self.occupancy);
        self.waiting.push_back(Waiting { start, len: len as u32 });
    }

    /// Lets those leave whose time has come.
    #[inline]
    pub(crate) fn settle(&mut self, now: Instant, meter: &mut Meter) {
        while let Some(&Waiting { start, len }) = self.waiting.front()
            && start <= now
        {
            self.waiting.pop_front();
            meter.advance(start, self.occupancy);
            self.occupancy.remove(len as usize);
            self.on_wire = len;
        }
    }

    /// What waits at `now`, the length of the frame on the wire, and when that ends.
    pub(crate) fn at(&self, now: Instant, free_at: Instant) -> (Occupancy, u32, Instant) {
        let (mut occupancy, mut on_wire) = (self.occupancy, self.on_wire);
        for &Waiting { start, len } in &self.waiting {
            if start > now {
                return (occupancy, on_wire, start);
            }
            occupancy.remove(len as usize);
            on_wire = len;
        }
        (occupancy, on_wire, free_at)
    }

    /// When at most `bytes` wait or are on the wire.
    pub(crate) fn room_at(&self, bytes: u64, free_at: Instant) -> Instant {
        let (mut sum, mut at) = (0, free_at);
        for &Waiting { start, len } in self.waiting.iter().rev() {
            sum += u64::from(len);
            if sum > bytes {
                break;
            }
            at = start;
        }
        at
    }

    /// Forgets everyone who waits, and tells when the first would have begun and how much there was.
    pub(crate) fn clear(&mut self) -> Option<(Instant, Occupancy)> {
        let first = self.waiting.front()?.start;
        self.waiting.clear();
        Some((first, core::mem::take(&mut self.occupancy)))
    }
}

impl Managed {
    pub(crate) fn new(spec: &QueueSpec, rng: Rng, lens: Arc<dyn Lens>) -> Self {
        Self {
            spec: spec.clone(),
            queue: spec.build(rng, lens),
            not_before: Instant::ZERO,
            on_wire: 0,
            dropped: Dropped::new(),
        }
    }
}

impl fmt::Debug for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Managed").field("spec", &self.spec).finish_non_exhaustive()
    }
}
