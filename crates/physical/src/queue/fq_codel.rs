//! FlowQueue-CoDel, RFC 8290: deficit round robin over flows, new flows first, CoDel in each.

use std::collections::VecDeque;
use std::sync::Arc;

use septet_core::{DropReason, Frame, Instant};

use super::codel::{self, Ecn, Law, Parameters, Stamped};
use super::{Build, Dequeue, Discipline, Dropped, Limit, Occupancy, Queue};
use crate::Lens;
use crate::settings::{InvalidSetting, Kind, Parameter};

/// The table's entry.
pub const DISCIPLINE: Discipline = Discipline {
    name: "fq_codel",
    help: "flow queueing with CoDel in each flow, RFC 8290",
    parameters: &PARAMETERS,
    build: |b| Ok(Box::new(FqCoDel::build(b)?)),
};

const PARAMETERS: [Parameter; 7] = {
    let [target, interval, mtu, ce_threshold, ecn] = *codel::PARAMETERS else { panic!("CoDel has five settings") };
    [
        target,
        interval,
        mtu,
        ce_threshold,
        ecn,
        Parameter { name: "flows", kind: Kind::Count, help: "queues that flows are hashed to (1024)" },
        Parameter { name: "quantum", kind: Kind::Bytes, help: "bytes a flow may send a round (1514)" },
    ]
};

/// §4.1.3 and Linux: at most this many packets are dropped from the fattest flow in one go.
const DROP_BATCH: u32 = 64;

/// FlowQueue-CoDel.
pub struct FqCoDel {
    limit: Limit,
    parameters: Parameters,
    lens: Arc<dyn Lens>,
    quantum: i64,
    /// §4.1.1: "a random number selected at initialization time" that goes into the hash.
    perturbation: u64,
    flows: Vec<Flow>,
    new_flows: VecDeque<u32>,
    old_flows: VecDeque<u32>,
    occupancy: Occupancy,
}

#[derive(Debug, Default)]
struct Flow {
    queue: Stamped,
    law: Law,
    /// `credits`: bytes left in this round.
    deficit: i64,
    listed: bool,
}

/// Which of the two lists a flow stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    New,
    Old,
}

impl FqCoDel {
    fn build(b: &Build<'_>) -> Result<Self, InvalidSetting> {
        let flows = b.settings.count("flows").unwrap_or(1024);
        if !(1..=65_536).contains(&flows) {
            return Err(InvalidSetting::new("flows", "must be between 1 and 65536"));
        }
        let quantum = b.settings.bytes("quantum").unwrap_or(1514);
        if !(1..=1 << 20).contains(&quantum) {
            return Err(InvalidSetting::new("quantum", "must be between 1 byte and 1 MiB"));
        }
        Ok(Self {
            limit: b.limit,
            // On by default, as in Linux; §5.2.7 leaves it to the operator.
            parameters: Parameters::from_settings(b, Ecn::Mark)?,
            lens: Arc::clone(&b.lens),
            quantum: quantum as i64,
            perturbation: b.rng.clone().next_u64(),
            flows: (0..flows).map(|_| Flow::default()).collect(),
            new_flows: VecDeque::new(),
            old_flows: VecDeque::new(),
            occupancy: Occupancy::default(),
        })
    }

    /// The queue of `frame`'s flow.
    fn classify(&self, frame: &Frame) -> u32 {
        // splitmix64's finaliser over hash and perturbation.
        let mut x = self.lens.flow(frame) ^ self.perturbation;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        ((u128::from(x) * self.flows.len() as u128) >> 64) as u32
    }

    /// §4.1.3: "drop packets from the head of the queue with the largest current byte count" until half of it is gone or
    /// a batch is full.
    fn drop_from_fattest(&mut self, dropped: &mut Dropped) {
        let Some(flow) = self.flows.iter_mut().max_by_key(|flow| flow.queue.bytes()) else { return };
        let enough = flow.queue.bytes() / 2;
        let mut gone = 0;
        for _ in 0..DROP_BATCH {
            let Some((_, frame)) = flow.queue.pop() else { break };
            gone += frame.len() as u64;
            self.occupancy.remove(frame.len());
            dropped.push((frame, DropReason::Queue));
            if gone >= enough {
                break;
            }
        }
    }

    fn over_limit(&self) -> bool {
        match self.limit {
            Limit::Packets(n) => self.occupancy.packets > n,
            Limit::Bytes(n) => self.occupancy.bytes > n,
        }
    }
}

impl Queue for FqCoDel {
    fn enqueue(&mut self, now: Instant, frame: Frame, dropped: &mut Dropped) {
        let index = self.classify(&frame);
        self.occupancy.add(frame.len());
        let flow = &mut self.flows[index as usize];
        flow.queue.push(now, frame);
        if !flow.listed {
            // §4.1: "if it is not currently active, it is added to the end of the list of new queues, and its deficit is
            // initiated to the configured quantum".
            flow.listed = true;
            flow.deficit = self.quantum;
            self.new_flows.push_back(index);
        }
        while self.over_limit() {
            self.drop_from_fattest(dropped);
        }
    }

    fn dequeue(&mut self, now: Instant, dropped: &mut Dropped) -> Dequeue {
        loop {
            let (list, index) = match (self.new_flows.front(), self.old_flows.front()) {
                (Some(&index), _) => (List::New, index),
                (None, Some(&index)) => (List::Old, index),
                (None, None) => return Dequeue::Empty,
            };
            let flow = &mut self.flows[index as usize];
            let rotate = |new: &mut VecDeque<u32>, old: &mut VecDeque<u32>| {
                if list == List::New {
                    new.pop_front()
                } else {
                    old.pop_front()
                };
            };
            if flow.deficit <= 0 {
                // §4.2: "the scheduler increases its credits by quantum and puts it at the end of the list of old queues".
                flow.deficit += self.quantum;
                rotate(&mut self.new_flows, &mut self.old_flows);
                self.old_flows.push_back(index);
                continue;
            }
            let before = dropped.len();
            let frame = flow.law.deque(now, &mut flow.queue, &self.parameters, &*self.lens, dropped);
            for (frame, _) in &dropped[before..] {
                self.occupancy.remove(frame.len());
            }
            let Some(frame) = frame else {
                // §4.2: an empty new queue moves to the old ones, so that it can't starve them; an empty old one leaves.
                rotate(&mut self.new_flows, &mut self.old_flows);
                if list == List::New && !self.old_flows.is_empty() {
                    self.old_flows.push_back(index);
                } else {
                    flow.listed = false;
                }
                continue;
            };
            flow.deficit -= frame.len() as i64;
            self.occupancy.remove(frame.len());
            return Dequeue::Frame(frame);
        }
    }

    fn occupancy(&self) -> Occupancy {
        self.occupancy
    }

    fn clear(&mut self) -> Vec<Frame> {
        let order: Vec<u32> = self.new_flows.drain(..).chain(self.old_flows.drain(..)).collect();
        self.occupancy = Occupancy::default();
        let mut frames = Vec::new();
        for index in order {
            let flow = &mut self.flows[index as usize];
            flow.listed = false;
            flow.law = Law::default();
            frames.extend(flow.queue.drain());
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::QueueSpec;
    use crate::settings::{Setting, Settings};
    use crate::{Lens, Marked};
    use septet_core::Seed;

    /// The flow is the first byte.
    struct FirstByte;
    impl Lens for FirstByte {
        fn flow(&self, frame: &Frame) -> u64 {
            u64::from(frame.bytes()[0])
        }
        fn mark(&self, _: &mut Frame) -> Marked {
            Marked::No
        }
    }

    fn queue(limit: Limit, settings: Settings) -> Box<dyn Queue> {
        let spec = QueueSpec::new("fq_codel", limit, settings).unwrap();
        spec.build(Seed::new(3).stream("q"), Arc::new(FirstByte))
    }

    fn send(queue: &mut dyn Queue, flow: u8, len: usize) -> usize {
        let mut bytes = vec![0; len];
        bytes[0] = flow;
        let mut dropped = Dropped::new();
        queue.enqueue(Instant::ZERO, Frame::new(0, &bytes), &mut dropped);
        dropped.len()
    }

    fn next(queue: &mut dyn Queue) -> Option<u8> {
        match queue.dequeue(Instant::ZERO, &mut Dropped::new()) {
            Dequeue::Frame(frame) => Some(frame.bytes()[0]),
            _ => None,
        }
    }

    #[test]
    fn flows_share_by_bytes_and_not_by_packets() {
        let mut queue = queue(Limit::Packets(10_000), Settings::new());
        for _ in 0..100 {
            send(&mut *queue, 1, 1500);
            for _ in 0..3 {
                send(&mut *queue, 2, 500);
            }
        }
        let order: Vec<u8> = (0..200).filter_map(|_| next(&mut *queue)).collect();
        let big = order.iter().filter(|&&flow| flow == 1).count();
        assert!((47..=53).contains(&big), "{big} of 200");
    }

    #[test]
    fn a_new_flow_goes_first() {
        let mut queue = queue(Limit::Packets(10_000), Settings::new());
        for _ in 0..50 {
            send(&mut *queue, 1, 1500);
        }
        for _ in 0..3 {
            assert_eq!(next(&mut *queue), Some(1));
        }
        send(&mut *queue, 9, 100);
        assert_eq!(next(&mut *queue), Some(9));
    }

    #[test]
    fn the_fattest_flow_pays() {
        let mut queue = queue(Limit::Packets(40), Settings::new().with("flows", Setting::Count(1024)));
        for _ in 0..3 {
            send(&mut *queue, 2, 1500);
        }
        let dropped: usize = (0..60).map(|_| send(&mut *queue, 1, 1500)).sum();
        assert!(dropped >= 20);
        let order: Vec<u8> = core::iter::from_fn(|| next(&mut *queue)).collect();
        assert_eq!(order.iter().filter(|&&flow| flow == 2).count(), 3);
        assert_eq!(queue.occupancy(), Occupancy::default());
    }

    #[test]
    fn refuses_nonsense() {
        for settings in
            [Settings::new().with("flows", Setting::Count(0)), Settings::new().with("quantum", Setting::Bytes(0))]
        {
            assert!(QueueSpec::new("fq_codel", Limit::default(), settings).is_err());
        }
    }
}
