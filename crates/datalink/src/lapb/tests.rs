//! Two ends joined by a line that loses what it is told to.

use super::*;
use proptest::prelude::*;
use septet_core::{Rng, Seed};

/// Whether the line loses this frame of this end.
type Loses = Box<dyn FnMut(usize, &LapbFrame<'_>) -> bool>;

struct Pair {
    now: Instant,
    ends: [Link; 2],
    /// Frames on the line, by arrival; towards the end of this index.
    line: [VecDeque<(Instant, Frame)>; 2],
    free: [Instant; 2],
    delivered: [Vec<Vec<u8>>; 2],
    downs: Vec<DownReason>,
    seen: Vec<(Role, Control)>,
    steps: u32,
    drop: Loses,
}

const FRAME: Duration = Duration::from_millis(10);

impl Pair {
    fn new(arq: Arq, modulo: Modulo, window: u8) -> Self {
        let end =
            |side| Link::new(Config { side, modulo, window, arq, t1: Duration::from_millis(300), ..Config::default() });
        let mut pair = Self {
            now: Instant::from_millis(1),
            ends: [end(Side::Dte), end(Side::Dce)],
            line: Default::default(),
            free: [Instant::ZERO; 2],
            delivered: Default::default(),
            downs: Vec::new(),
            seen: Vec::new(),
            steps: 0,
            drop: Box::new(|_, _| false),
        };
        let now = pair.now;
        pair.ends[0].connect(now);
        pair
    }

    fn send(&mut self, end: usize, n: u32) {
        for i in 0..n {
            self.ends[end].send(Frame::new(8, &i.to_be_bytes())).unwrap();
        }
    }

    /// Plays until nothing more is due, or `end`.
    fn run(&mut self, millis: u64) -> &mut Self {
        let end = self.now + Duration::from_millis(millis);
        loop {
            for i in 0..2 {
                while self.free[i] <= self.now
                    && let Some(body) = self.ends[i].poll_transmit(self.now)
                {
                    let frame = LapbFrame::parse(body.bytes(), self.ends[i].config.modulo).unwrap();
                    let to = 1 - i;
                    let role = if frame.address == self.ends[to].config.side.address() {
                        Role::Command
                    } else {
                        Role::Response
                    };
                    self.seen.push((role, frame.control));
                    self.free[i] = self.now + FRAME;
                    if !(self.drop)(i, &frame) {
                        self.line[to].push_back((self.now + FRAME + Duration::from_millis(20), body));
                    }
                }
                while let Some(event) = self.ends[i].poll_event() {
                    match event {
                        Event::Deliver(info) => self.delivered[i].push(info.bytes().to_vec()),
                        Event::Down(reason) => self.downs.push(reason),
                        Event::Up | Event::Repeated { .. } => {}
                    }
                }
            }
            let arrival = self.line.iter().filter_map(|line| line.front().map(|(at, _)| *at)).min();
            let timers = self.ends.iter().filter_map(Link::poll_timeout).min();
            let free = (0..2).filter(|&i| self.ends[i].wants_line()).map(|i| self.free[i]).min();
            let Some(next) = [arrival, timers, free].into_iter().flatten().min() else { return self };
            if next > end {
                self.now = end;
                return self;
            }
            self.steps += 1;
            assert!(self.steps < 1_000_000, "no progress at {}: {:?}", self.now, self.ends);
            self.now = self.now.max(next);
            for i in 0..2 {
                while self.line[i].front().is_some_and(|(at, _)| *at <= self.now)
                    && let Some((_, body)) = self.line[i].pop_front()
                {
                    let _ = self.ends[i].receive(self.now, body);
                }
                if self.ends[i].poll_timeout().is_some_and(|at| at <= self.now) {
                    self.ends[i].on_timeout(self.now);
                }
            }
        }
    }

    fn assert_delivered(&self, end: usize, n: u32) {
        let expected: Vec<_> = (0..n).map(|i| i.to_be_bytes().to_vec()).collect();
        assert_eq!(self.delivered[end].len(), expected.len());
        assert_eq!(self.delivered[end], expected);
    }

    fn count(&self, control: impl Fn(&Control) -> bool) -> usize {
        self.seen.iter().filter(|(_, c)| control(c)).count()
    }
}

#[test]
fn sets_up_sends_and_disconnects() {
    let mut p = Pair::new(Arq::GoBackN, Modulo::Eight, 7);
    p.send(0, 20);
    p.send(1, 5);
    p.run(2000);
    p.assert_delivered(1, 20);
    p.assert_delivered(0, 5);
    assert_eq!(p.seen[..2], [(Role::Command, Control::Sabm), (Role::Response, Control::Ua)]);
    let now = p.now;
    p.ends[0].disconnect(now);
    p.run(1000);
    assert_eq!(p.downs, [DownReason::Peer, DownReason::Local]);
    assert_eq!(p.ends[0].counters().repeated, 0);
}

#[test]
fn go_back_n_repeats_everything_from_the_lost_frame_on() {
    let mut p = Pair::new(Arq::GoBackN, Modulo::Eight, 7);
    let mut lost = false;
    p.drop =
        Box::new(move |_, f| matches!(f.control, Control::I { ns: 2, .. }) && !core::mem::replace(&mut lost, true));
    p.send(0, 12);
    p.run(3000);
    p.assert_delivered(1, 12);
    assert_eq!(p.count(|c| matches!(c, Control::Rej { nr: 2 })), 1);
    let (sent, delivered) = (p.ends[0].counters(), p.ends[1].counters());
    assert_eq!((sent.repeated, sent.timeouts), (delivered.discarded + 1, 0), "{sent:?} {delivered:?}");
    assert!(sent.repeated > 1);
}

#[test]
fn selective_repeat_repeats_the_lost_frame_alone() {
    let mut p = Pair::new(Arq::SelectiveRepeat, Modulo::OneTwentyEight, 64);
    let mut lost = [false; 128];
    p.drop = Box::new(move |_, f| match f.control {
        Control::I { ns: ns @ (2 | 3 | 9), .. } => !core::mem::replace(&mut lost[usize::from(ns)], true),
        _ => false,
    });
    p.send(0, 40);
    p.run(3000);
    p.assert_delivered(1, 40);
    assert_eq!(p.seen[0].1, Control::Sabme);
    assert_eq!(p.count(|c| matches!(c, Control::Srej { .. })), 3);
    assert_eq!(p.ends[0].counters(), Counters { sent: 43, repeated: 3, ..Counters::default() });
}

#[test]
fn stop_and_wait_has_one_frame_in_flight() {
    let mut p = Pair::new(Arq::StopAndWait, Modulo::Eight, 7);
    p.send(0, 5);
    p.run(1000);
    p.assert_delivered(1, 5);
    let flow: Vec<bool> = p.seen[2..].iter().map(|(_, c)| matches!(c, Control::I { .. })).collect();
    assert_eq!(flow, [true, false].repeat(5));
}

#[test]
fn a_busy_end_is_waited_for() {
    let mut p = Pair::new(Arq::GoBackN, Modulo::Eight, 7);
    p.run(200);
    p.ends[1].set_readiness(Readiness::Busy);
    p.run(100);
    p.send(0, 10);
    p.run(2000);
    assert_eq!(p.delivered[1].len(), 0);
    assert!(p.count(|c| matches!(c, Control::Rnr { .. })) >= 2, "polled while busy: {:?}", p.seen);
    p.ends[1].set_readiness(Readiness::Ready);
    p.run(2000);
    p.assert_delivered(1, 10);
    assert_eq!(p.downs, []);
}

#[test]
fn gives_up_after_n2_attempts() {
    let mut p = Pair::new(Arq::GoBackN, Modulo::Eight, 7);
    p.run(200);
    p.drop = Box::new(|_, _| true);
    p.send(0, 1);
    p.run(10_000);
    assert_eq!(p.downs, [DownReason::NoAnswer]);
    // The first and N2 more.
    assert_eq!(p.count(|c| matches!(c, Control::I { .. })), 11);
}

#[test]
fn an_impossible_acknowledgement_is_rejected_and_the_link_reset() {
    let mut p = Pair::new(Arq::GoBackN, Modulo::Eight, 7);
    p.run(200);
    let forged = LapbFrame { address: 0x03, control: Control::Rr { nr: 5 }, pf: Pf::Clear, info: &[] };
    let now = p.now;
    p.ends[0].receive(now, Frame::new(0, &forged.build(Modulo::Eight))).unwrap();
    p.run(1000);
    assert!(p.count(|c| *c == Control::Frmr) == 1 && p.ends.iter().all(Link::is_connected), "{:?}", p.seen);
    p.send(0, 3);
    p.run(1000);
    p.assert_delivered(1, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_lost_arrives_once_and_in_order(seed in any::<u64>(), percent in 0u32..35, scheme in 0usize..3) {
        let arq = Arq::ALL[scheme];
        for modulo in [Modulo::Eight, Modulo::OneTwentyEight] {
            let mut p = Pair::new(arq, modulo, arq.largest_window(modulo));
            for end in &mut p.ends {
                end.config.n2 = 1000;
            }
            let mut rng: Rng = Seed::new(seed).stream("line");
            p.drop = Box::new(move |_, _| rng.chance(f64::from(percent) / 100.0));
            p.send(0, 60);
            p.send(1, 30);
            p.run(600_000);
            p.assert_delivered(1, 60);
            p.assert_delivered(0, 30);
            prop_assert!(p.downs.is_empty());
        }
    }

    #[test]
    fn any_frames_are_taken_without_panic(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6), 0..60),
    ) {
        let mut p = Pair::new(Arq::SelectiveRepeat, Modulo::Eight, 4);
        p.send(0, 20);
        p.run(200);
        for (i, mut frame) in frames.into_iter().enumerate() {
            if let Some(address) = frame.first_mut() {
                *address = if *address & 1 == 1 { 1 } else { 3 };
            }
            let now = p.now;
            let _ = p.ends[i % 2].receive(now, Frame::new(0, &frame));
            p.run(20);
            let in_flight = p.ends[0].sender.in_flight();
            prop_assert!(in_flight <= 4);
        }
    }
}
