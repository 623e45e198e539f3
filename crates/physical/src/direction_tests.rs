//! One direction with explicit times. 1 Mbit/s and bare framing: a byte takes 8 µs.

use core::time::Duration;

use proptest::prelude::*;
use septet_core::{Rate, Seed};

use super::*;
use crate::egress::Managed;
use crate::queue::QueueSpec;
use crate::{Blind, Framing, Ratio};

#[derive(Default, Debug, PartialEq)]
struct Seen {
    launched: Vec<(u64, u64, Fate)>,
    dropped: Vec<(u64, DropReason)>,
    lost: Vec<(u64, DropReason)>,
    recalls: usize,
}

impl Observer for Seen {
    fn launched(&mut self, at: Instant, frame: &mut Frame, whole: Option<&Frame>, fate: Fate) {
        let whole = whole.unwrap_or(frame);
        assert_eq!((whole.fcs, whole.id), (None, frame.id), "it leaves whole, whatever becomes of it");
        self.launched.push((at.as_micros(), frame.id.0, fate));
    }
    fn dropped(&mut self, frame: &Frame, reason: DropReason) {
        self.dropped.push((frame.id.0, reason));
    }
    fn recalled(&mut self) {
        self.recalls += 1;
    }
    fn lost(&mut self, frame: &Frame, reason: DropReason) {
        self.lost.push((frame.id.0, reason));
    }
}

fn medium(limit: Limit) -> Medium {
    Medium {
        rate: Rate::from_bits_per_sec(1_000_000),
        delay: Duration::from_millis(1),
        framing: Framing::BARE,
        queue: QueueSpec::drop_tail(limit),
        ..Medium::default()
    }
}

fn direction(medium: &Medium) -> Direction {
    let context = LinkContext { name: "t".into(), seed: Seed::new(7), lens: Arc::new(Blind) };
    Direction::new(medium, &Arc::new(context), Heading::AToB)
}

/// The same behind a queue proper.
fn managed(medium: &Medium) -> Direction {
    let mut direction = direction(medium);
    let rng = Seed::new(0).stream("unused");
    direction.egress = Egress::Managed(Box::new(Managed::new(&medium.queue, rng, Arc::new(Blind))));
    direction
}

fn frame(id: u64, len: usize) -> Frame {
    let mut frame = Frame::new(0, &vec![id as u8; len]);
    frame.id = septet_core::FrameId(id);
    frame
}

fn us(n: u64) -> Instant {
    Instant::from_micros(n)
}

fn arrivals(d: &mut Direction) -> Vec<(u64, u64)> {
    core::iter::from_fn(|| d.arrive(Instant::FAR_FUTURE)).map(|f| (f.ingress.as_micros(), f.id.0)).collect()
}

#[test]
fn frames_follow_one_another_and_the_full_queue_drops() {
    let mut d = direction(&medium(Limit::Packets(2)));
    let mut seen = Seen::default();
    for id in 1..=4 {
        d.send(us(0), frame(id, 100), &mut seen);
    }
    assert_eq!(seen.dropped, [(4, DropReason::Queue)]);
    assert_eq!((d.backlog(us(0)), d.waiting(us(0)).packets), (300, 2));
    assert_eq!((d.backlog(us(800)), d.waiting(us(800)).packets), (200, 1));
    d.send(us(800), frame(5, 100), &mut seen);
    assert_eq!(d.backlog(us(3199)), 100);
    assert_eq!(d.backlog(us(3200)), 0);
    assert_eq!(seen.launched.iter().map(|l| l.0).collect::<Vec<_>>(), [0, 800, 1600, 2400]);
    assert_eq!(d.next_arrival(), Some(us(1800)));
    assert!(d.arrive(us(1799)).is_none());
    assert_eq!(arrivals(&mut d), [(1800, 1), (2600, 2), (3400, 3), (4200, 5)]);
}

#[test]
fn counters_count_what_has_begun() {
    let mut d = direction(&medium(Limit::Packets(9)));
    for id in 1..=3 {
        d.send(us(0), frame(id, 100), &mut Seen::default());
    }
    assert_eq!(d.counters(us(0)).packets, 1);
    assert_eq!((d.counters(us(1600)).packets, d.counters(us(1600)).bytes), (3, 300));
}

#[test]
fn without_rate_nothing_waits() {
    let mut d = direction(&Medium { delay: Duration::from_micros(5), ..Medium::default() });
    for id in 1..=3 {
        d.send(us(1), frame(id, 100), &mut Seen::default());
    }
    assert_eq!(d.backlog(us(1)), 0);
    assert_eq!(arrivals(&mut d), [(6, 1), (6, 2), (6, 3)]);
}

#[test]
fn a_new_rate_holds_for_frames_that_have_not_begun_and_for_the_rest_of_the_one_that_has() {
    let mut d = direction(&medium(Limit::Packets(9)));
    let mut seen = Seen::default();
    for id in 1..=3 {
        d.send(us(0), frame(id, 100), &mut seen);
    }
    let fast = Medium { rate: Rate::from_bits_per_sec(8_000_000), ..medium(Limit::Packets(9)) };
    d.set_medium(us(100), &fast, &mut seen);
    assert_eq!(seen.recalls, 1);
    assert_eq!(arrivals(&mut d), [(1187, 1), (1287, 2), (1387, 3)]);
    assert_eq!(d.counters(us(5000)).packets, 3);
    assert_eq!(d.backlog(us(250)), 200);
}

#[test]
fn a_smaller_queue_drops_what_no_longer_fits() {
    let mut d = direction(&medium(Limit::Packets(9)));
    let mut seen = Seen::default();
    for id in 1..=4 {
        d.send(us(0), frame(id, 100), &mut seen);
    }
    d.set_medium(us(100), &medium(Limit::Packets(1)), &mut seen);
    assert_eq!(seen.dropped, [(3, DropReason::Queue), (4, DropReason::Queue)]);
    assert_eq!(arrivals(&mut d), [(1800, 1), (2600, 2)]);
}

#[test]
fn a_fate_is_drawn_again_where_the_medium_changes_first() {
    let lossy = Medium { loss: Ratio::ONE, ..medium(Limit::Packets(9)) };
    let mut d = direction(&lossy);
    let mut seen = Seen::default();
    for id in 1..=3 {
        d.send(us(0), frame(id, 100), &mut seen);
    }
    assert_eq!(d.next_arrival(), None);
    assert_eq!(d.counters(us(0)).drops.get(DropReason::Loss), 1, "two have not begun");
    d.set_medium(us(900), &medium(Limit::Packets(9)), &mut seen);
    assert_eq!(arrivals(&mut d), [(3400, 3)], "1 and 2 had begun");
    assert_eq!(d.counters(us(9000)).drops.get(DropReason::Loss), 2);
}

#[test]
fn flipped_bits_are_flipped_back_where_the_medium_changes_first() {
    let noisy = Medium { bit_errors: Ratio::new(0.01).unwrap(), ..medium(Limit::Packets(9)) };
    let mut d = direction(&noisy);
    for id in 1..=3 {
        d.send(us(0), frame(id, 100), &mut Seen::default());
    }
    d.set_medium(us(100), &medium(Limit::Packets(9)), &mut Seen::default());
    let damaged: Vec<_> = core::iter::from_fn(|| d.arrive(Instant::FAR_FUTURE)).map(|f| f.fcs.is_some()).collect();
    assert_eq!(damaged, [true, false, false]);
    assert_eq!(d.counters(us(9000)).damaged, 1);
}

#[test]
fn a_cut_loses_what_is_on_the_cable_and_drops_what_waits() {
    let mut d = direction(&medium(Limit::Packets(9)));
    let mut seen = Seen::default();
    for id in 1..=3 {
        d.send(us(0), frame(id, 100), &mut seen);
    }
    d.stop(us(900), DropReason::Carrier, &mut seen);
    d.sever(us(900), DropReason::Carrier, &mut seen);
    d.send(us(950), frame(4, 100), &mut seen);
    assert_eq!(seen.lost, [(1, DropReason::Carrier), (2, DropReason::Carrier)]);
    assert_eq!(seen.dropped, [(3, DropReason::Carrier), (4, DropReason::Carrier)]);
    assert_eq!((d.backlog(us(950)), d.next_arrival()), (0, None));
    d.resume();
    d.send(us(1000), frame(5, 100), &mut seen);
    assert_eq!(arrivals(&mut d), [(2800, 5)]);
}

#[test]
fn jitter_stays_in_its_bounds_and_reorders() {
    let jitter = Medium { jitter: Duration::from_micros(900), rate: None, ..medium(Limit::Packets(9)) };
    let mut d = direction(&jitter);
    for id in 0..1000 {
        d.send(us(id), frame(id, 10), &mut Seen::default());
    }
    let got = arrivals(&mut d);
    assert!(got.is_sorted_by_key(|(at, _)| *at));
    assert!(!got.is_sorted_by_key(|(_, id)| *id));
    assert!(got.iter().all(|(at, id)| (at - id).abs_diff(1000) <= 900));
    let mean = got.iter().map(|(at, id)| at - id).sum::<u64>() / 1000;
    // Deviation of the mean: 900 / sqrt(3) / sqrt(1000) = 16.4.
    assert!(mean.abs_diff(1000) < 80, "{mean}");
}

#[test]
fn loss_loses_its_share() {
    let mut d = direction(&Medium { loss: Ratio::new(0.1).unwrap(), ..Medium::default() });
    for id in 0..10_000 {
        d.send(us(id), frame(id, 10), &mut Seen::default());
    }
    let lost = 10_000 - arrivals(&mut d).len();
    // Deviation 30.
    assert!((850..=1150).contains(&lost), "{lost}");
    assert_eq!(d.counters(us(10_000)).drops.total(), lost as u64);
}

#[test]
fn room_is_foretold_to_the_nanosecond() {
    let mut d = direction(&medium(Limit::Packets(9)));
    for id in 1..=4 {
        d.send(us(0), frame(id, 100), &mut Seen::default());
    }
    assert_eq!(d.room_at(us(10), 400), us(10));
    for (mark, at) in [(399, 800), (300, 800), (250, 1600), (100, 2400), (99, 3200), (0, 3200)] {
        assert_eq!(d.room_at(us(10), mark), us(at), "{mark}");
        assert!(d.backlog(us(at)) <= mark && d.backlog(us(at - 1)) > mark);
    }
}

#[test]
fn the_meter_is_exact() {
    let mut d = direction(&medium(Limit::Packets(9)));
    let watch = d.watch(us(0), Limit::Bytes(150), Instant::ZERO, Instant::FAR_FUTURE);
    let late = d.watch(us(0), Limit::Bytes(150), us(500), us(600));
    let kept = d.watch(us(0), Limit::Bytes(150), us(800), Instant::FAR_FUTURE);
    for id in 1..=3 {
        d.send(us(id), frame(id, 100), &mut Seen::default());
    }
    // 2 waits from 2 to 801, 3 from 3 to 1601.
    let meter = d.meter(us(2000));
    assert_eq!((meter.most().packets, meter.most().bytes), (2, 200));
    assert_eq!(meter.mean_bytes(), (799.0 + 1598.0) * 100.0 / 2000.0);
    assert_eq!(meter.mean_packets(), (799.0 + 1598.0) / 2000.0);
    assert_eq!(meter.violation(watch).map(|v| (v.at, v.occupancy.bytes)), Some((us(3), 200)));
    assert_eq!(meter.violation(late).map(|v| v.at), Some(us(500)));
    assert_eq!(meter.violation(kept).map(|v| v.at), Some(us(800)));
    assert_eq!(d.watch(us(2000), Limit::Bytes(150), Instant::ZERO, Instant::FAR_FUTURE), 3);
    assert_eq!(d.meter(us(2000)).violation(3), None);
}

#[test]
fn a_super_segment_passes_only_where_nothing_counts_it() {
    let mut seen = Seen::default();
    let mut gso = frame(1, 4000);
    gso.segment_size = 1000;
    let mut perfect = direction(&Medium::default());
    perfect.send(us(0), gso.clone(), &mut seen);
    assert_eq!(perfect.flights.len(), 1);
    direction(&medium(Limit::Packets(9))).send(us(0), gso, &mut seen);
    assert_eq!(seen.dropped, [(1, DropReason::Giant)]);
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Send(usize),
    Wait(u64),
    Rate(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1usize..200).prop_map(Op::Send),
        4 => (1u64..3000).prop_map(Op::Wait),
        1 => (1u64..8).prop_map(Op::Rate),
    ]
}

/// Everything that can be seen of a direction: what it told, arrivals, backlogs, counters, the mean and most waiting.
type View = (Seen, Vec<(u64, u64)>, Vec<usize>, Counters, f64, Occupancy);

/// Plays the operations, delivering and transmitting in time.
fn play(mut d: Direction, limit: Limit, ops: &[Op]) -> View {
    let (mut seen, mut now, mut got, mut backlogs) = (Seen::default(), Instant::ZERO, Vec::new(), Vec::new());
    let until = |d: &mut Direction, seen: &mut Seen, got: &mut Vec<(u64, u64)>, to: Instant| {
        while let Some(at) = d.next_transmit().filter(|t| *t <= to) {
            d.transmit(at, seen);
        }
        while let Some(frame) = d.arrive(to) {
            got.push((frame.ingress.as_nanos(), frame.id.0));
        }
    };
    for (id, op) in ops.iter().enumerate() {
        match *op {
            Op::Send(len) => d.send(now, frame(id as u64, len), &mut seen),
            Op::Wait(n) => {
                now += Duration::from_micros(n);
                until(&mut d, &mut seen, &mut got, now);
            }
            Op::Rate(n) => {
                let m = Medium { rate: Rate::from_bits_per_sec(n * 1_000_000), ..medium(limit) };
                d.set_medium(now, &m, &mut seen);
            }
        }
        backlogs.push(d.backlog(now));
    }
    now += Duration::from_secs(1);
    until(&mut d, &mut seen, &mut got, now);
    let meter = d.meter(now);
    let (mean, most) = (meter.mean_bytes(), meter.most());
    seen.recalls = 0;
    (seen, got, backlogs, d.counters(now), mean, most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn foreknowledge_equals_deciding_at_transmission(ops in proptest::collection::vec(op(), 1..60), limit in 1u64..6) {
        // Without changes of rate even the order of what is seen is the same, but for the moment of telling.
        let ops: Vec<_> = ops.into_iter().filter(|o| !matches!(o, Op::Rate(_))).collect();
        let m = medium(Limit::Packets(limit));
        let fast = play(direction(&m), Limit::Packets(limit), &ops);
        let slow = play(managed(&m), Limit::Packets(limit), &ops);
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn a_change_of_rate_equals_deciding_at_transmission(ops in proptest::collection::vec(op(), 1..60), limit in 200u64..900) {
        // A queue of bytes that holds one frame at least: behind it an idle transmitter takes a frame through the queue.
        let limit = Limit::Bytes(limit);
        let (_, got, backlogs, counters, mean, most) = play(direction(&medium(limit)), limit, &ops);
        // Behind a queue proper nothing has to be called back.
        let slow = play(managed(&medium(limit)), limit, &ops);
        prop_assert_eq!((got, backlogs, counters, mean, most), (slow.1, slow.2, slow.3, slow.4, slow.5));
    }
}

#[test]
fn with_a_rate_that_netem_would_know_jitter_only_delays() {
    let kept = Medium { jitter: Duration::from_micros(900), order: Order::Kept, ..medium(Limit::Packets(1000)) };
    let mut d = direction(&kept);
    let mut seen = Seen::default();
    for id in 0..200 {
        d.send(us(id * 1000), frame(id, 100), &mut seen);
    }
    let arrivals = arrivals(&mut d);
    assert!(arrivals.windows(2).all(|w| w[0].1 < w[1].1), "a FIFO");
    // 800 µs for 100 bytes: none follows the one before it more closely.
    assert!(arrivals.windows(2).all(|w| w[1].0 - w[0].0 >= 800));
    assert!(arrivals.windows(2).any(|w| w[1].0 - w[0].0 > 1200), "and yet it jitters");
}

#[test]
fn only_reordering_goes_ahead_where_the_order_is_kept() {
    use crate::channel::EffectSpec;
    use crate::settings::{Setting, Settings};
    let settings = Settings::new().with("ratio", Setting::Ratio(Ratio::ONE)).with("gap", Setting::Count(3));
    let effects = vec![EffectSpec::new("reorder", settings).unwrap()];
    let kept = Medium { effects, order: Order::Kept, delay: Duration::from_millis(50), ..medium(Limit::Packets(9)) };
    let mut d = direction(&kept);
    for id in 1..=3 {
        d.send(us(0), frame(id, 100), &mut Seen::default());
    }
    assert_eq!(arrivals(&mut d), [(2_400, 3), (50_800, 1), (51_600, 2)]);
}

#[test]
fn what_is_left_of_the_frame_on_the_wire_goes_out_at_the_new_rate() {
    for managed_queue in [false, true] {
        let slow = Medium { rate: Rate::from_bits_per_sec(1_000), ..medium(Limit::Packets(9)) };
        let mut d = if managed_queue { managed(&slow) } else { direction(&slow) };
        let mut seen = Seen::default();
        // 0.8 s at 1 kbit/s, of which 0.2 s are over: 600 bits are left, which take 600 µs at 1 Mbit/s.
        d.send(us(0), frame(1, 100), &mut seen);
        d.send(us(0), frame(2, 100), &mut seen);
        d.set_medium(us(200_000), &medium(Limit::Packets(9)), &mut seen);
        while let Some(at) = d.next_transmit() {
            d.transmit(at, &mut seen);
        }
        assert_eq!(arrivals(&mut d), [(201_600, 1), (202_400, 2)], "{managed_queue}");
    }
    // And from fast to slow: half of 800 µs are left, at a thousandth of the rate.
    let mut d = direction(&medium(Limit::Packets(9)));
    let mut seen = Seen::default();
    d.send(us(0), frame(1, 100), &mut seen);
    d.set_medium(us(400), &Medium { rate: Rate::from_bits_per_sec(1_000), ..medium(Limit::Packets(9)) }, &mut seen);
    assert_eq!(arrivals(&mut d), [(401_400, 1)]);
}

#[test]
fn a_line_follows_its_trace_and_gives_back_what_it_took_for_frames_that_wait() {
    let trace = crate::DeliveryTrace::parse("1\n2\n3\n4\n10\n").unwrap();
    let line = Medium { rate: trace.mean_rate(), trace: Some(Arc::new(trace)), ..medium(Limit::Packets(9)) };
    let mut d = direction(&line);
    let mut seen = Seen::default();
    for id in 1..=4 {
        d.send(us(500), frame(id, 1504), &mut seen);
    }
    // Another delay, the same trace: the frames that wait begin anew with the opportunities that they had.
    d.set_medium(us(1_500), &Medium { delay: Duration::from_millis(2), ..line.clone() }, &mut seen);
    assert_eq!(arrivals(&mut d), [(2_000, 1), (3_000, 2), (5_000, 3), (6_000, 4)]);
    // Small packets share an opportunity, and so leave at one time.
    let mut d = direction(&line);
    for id in 1..=4 {
        d.send(us(0), frame(id, 752), &mut seen);
    }
    d.set_medium(us(500), &line, &mut seen);
    assert_eq!(
        arrivals(&mut d),
        [(2_000, 1), (3_000, 2), (3_000, 3), (4_000, 4)],
        "the rest of a shared one is given up"
    );
}
