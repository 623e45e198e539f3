//! First in, first out; what does not fit is dropped. `tc`'s pfifo and bfifo.
//!
//! A [`Direction`](crate::Direction) with this discipline needs no queue at all: it knows at once when each frame
//! will leave. The queue proper serves inside other disciplines, and as the measure of that shortcut in tests.

use std::collections::VecDeque;

use septet_core::{DropReason, Frame, Instant};

use super::{Dequeue, Discipline, Dropped, Limit, Occupancy, Queue};

/// The table's entry.
pub const DISCIPLINE: Discipline = Discipline {
    name: "drop-tail",
    help: "first in, first out; what does not fit is dropped (tc's pfifo, bfifo)",
    parameters: &[],
    build: |b| Ok(Box::new(DropTail::new(b.limit))),
};

/// A first-in first-out queue that drops what does not fit.
#[derive(Debug)]
pub struct DropTail {
    limit: Limit,
    frames: VecDeque<Frame>,
    occupancy: Occupancy,
}

impl DropTail {
    /// An empty queue that holds up to `limit`.
    pub fn new(limit: Limit) -> Self {
        Self { limit, frames: VecDeque::new(), occupancy: Occupancy::default() }
    }
}

impl Queue for DropTail {
    fn enqueue(&mut self, _: Instant, frame: Frame, dropped: &mut Dropped) {
        if self.limit.admits(self.occupancy, frame.len()) {
            self.occupancy.add(frame.len());
            self.frames.push_back(frame);
        } else {
            dropped.push((frame, DropReason::Queue));
        }
    }

    fn dequeue(&mut self, _: Instant, _: &mut Dropped) -> Dequeue {
        match self.frames.pop_front() {
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
        self.frames.drain(..).collect()
    }
}
