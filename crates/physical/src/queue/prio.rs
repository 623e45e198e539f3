//! Strict priority: what is of a higher class leaves first. IEEE 802.1Q §8.6.8.1 ("strict priority algorithm"); tc's prio.
//!
//! The priority of a frame is what [`Lens::priority`] reads: the priority code point of its tag.

use std::sync::Arc;

use septet_core::{Frame, Instant};

use super::{Dequeue, Discipline, DropTail, Dropped, Occupancy, Queue};
use crate::Lens;
use crate::settings::{InvalidSetting, Kind, Parameter};

/// The table's entry.
pub const DISCIPLINE: Discipline = Discipline {
    name: "prio",
    help: "strict priority by the tag's priority (IEEE 802.1Q), each band first in, first out with the limit for itself",
    parameters: &[Parameter { name: "bands", kind: Kind::Count, help: "how many classes there are, 1 to 8 (8)" }],
    build: |b| {
        let bands = b.settings.count("bands").unwrap_or(8);
        let Some(classes) = usize::try_from(bands).ok().and_then(|bands| CLASSES.get(bands.checked_sub(1)?)) else {
            return Err(InvalidSetting::new("bands", format!("{bands} is not between 1 and 8")));
        };
        let bands = (0..bands).map(|_| DropTail::new(b.limit)).collect();
        Ok(Box::new(Prio { bands, classes, lens: Arc::clone(&b.lens) }))
    },
};

/// Table 8-5, "Recommended priority to traffic class mappings": by the number of classes, the class of each priority. With
/// six classes and more, priority 1 (background) is below 0 (best effort).
const CLASSES: [[usize; 8]; 8] = [
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 1, 1, 1, 1],
    [0, 0, 0, 0, 1, 1, 2, 2],
    [0, 0, 1, 1, 2, 2, 3, 3],
    [0, 0, 1, 1, 2, 3, 4, 4],
    [1, 0, 2, 2, 3, 4, 5, 5],
    [1, 0, 2, 3, 4, 5, 6, 6],
    [1, 0, 2, 3, 4, 5, 6, 7],
];

/// Classes of which the higher goes first.
struct Prio {
    /// By class, the lowest first.
    bands: Vec<DropTail>,
    classes: &'static [usize; 8],
    lens: Arc<dyn Lens>,
}

impl Queue for Prio {
    fn enqueue(&mut self, now: Instant, frame: Frame, dropped: &mut Dropped) {
        let class = self.classes[usize::from(self.lens.priority(&frame) & 7)];
        self.bands[class].enqueue(now, frame, dropped);
    }

    fn dequeue(&mut self, now: Instant, dropped: &mut Dropped) -> Dequeue {
        for band in self.bands.iter_mut().rev() {
            match band.dequeue(now, dropped) {
                Dequeue::Empty => {}
                other => return other,
            }
        }
        Dequeue::Empty
    }

    fn occupancy(&self) -> Occupancy {
        let mut sum = Occupancy::default();
        for band in &self.bands {
            let Occupancy { packets, bytes } = band.occupancy();
            sum.packets += packets;
            sum.bytes += bytes;
        }
        sum
    }

    fn clear(&mut self) -> Vec<Frame> {
        self.bands.iter_mut().rev().flat_map(Queue::clear).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Marked;
    use crate::queue::{Limit, QueueSpec};
    use crate::settings::{Setting, Settings};
    use septet_core::{DropReason, Seed};

    /// The first octet is the priority.
    struct First;

    impl Lens for First {
        fn flow(&self, _: &Frame) -> u64 {
            0
        }
        fn mark(&self, _: &mut Frame) -> Marked {
            Marked::No
        }
        fn priority(&self, frame: &Frame) -> u8 {
            frame.bytes()[0]
        }
    }

    fn prio(bands: u64, limit: u64) -> Box<dyn Queue> {
        let settings = Settings::new().with("bands", Setting::Count(bands));
        let spec = QueueSpec::new("prio", Limit::Packets(limit), settings).unwrap();
        spec.build(Seed::new(1).stream("q"), Arc::new(First))
    }

    /// What comes out of a queue that gets frames of these priorities, and how many were dropped.
    fn order(bands: u64, limit: u64, priorities: &[u8]) -> (Vec<u8>, usize) {
        let (mut queue, mut dropped) = (prio(bands, limit), Dropped::new());
        for priority in priorities {
            queue.enqueue(Instant::ZERO, Frame::new(0, &[*priority; 60]), &mut dropped);
        }
        assert_eq!(queue.occupancy().packets as usize, priorities.len() - dropped.len());
        assert!(dropped.iter().all(|(_, reason)| *reason == DropReason::Queue));
        let mut out = Vec::new();
        while let Dequeue::Frame(frame) = queue.dequeue(Instant::ZERO, &mut dropped) {
            out.push(frame.bytes()[0]);
        }
        (out, dropped.len())
    }

    #[test]
    fn the_higher_class_leaves_first_and_background_last() {
        assert_eq!(order(8, 9, &[0, 1, 5, 7, 0, 5, 6]), (vec![7, 6, 5, 5, 0, 0, 1], 0));
        assert_eq!(order(2, 9, &[0, 7, 3, 4]), (vec![7, 4, 0, 3], 0));
        assert_eq!(order(1, 9, &[0, 7, 3]), (vec![0, 7, 3], 0));
    }

    #[test]
    fn a_full_class_takes_no_room_from_others() {
        assert_eq!(order(8, 2, &[0, 0, 0, 5]), (vec![5, 0, 0], 1));
    }

    #[test]
    fn the_number_of_bands_is_bounded() {
        for bands in [0, 9] {
            let settings = Settings::new().with("bands", Setting::Count(bands));
            assert!(QueueSpec::new("prio", Limit::default(), settings).is_err());
        }
    }
}
