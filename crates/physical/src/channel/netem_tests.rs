use super::*;
use crate::{Ratio, settings::Setting};

fn ratio(value: f64) -> Setting {
    Setting::Ratio(Ratio::new(value).unwrap())
}

/// The effect called `name`, applied to `n` frames that leave a millisecond apart with 10 ms of delay.
fn run(name: &str, settings: Settings, n: u64) -> Vec<(Duration, Fate, u32, Vec<u8>)> {
    let spec = EffectSpec::new(name, settings).unwrap();
    let mut effect = (spec.kind.build)(&spec.settings, Seed::new(8).stream(name)).unwrap();
    let one = |i| {
        let mut frame = Frame::new(0, &[0; 100]);
        let (start, delay) = (Instant::from_millis(i), Duration::from_millis(10));
        let mut transit = Transit { start, frame: &mut frame, delay, fate: Fate::Passed, copies: 0 };
        effect.apply(&mut transit);
        let Transit { delay, fate, copies, .. } = transit;
        (delay, fate, copies, frame.bytes().to_vec())
    };
    (0..n).map(one).collect()
}

#[test]
fn loss_and_duplicate_hit_their_ratio() {
    let s = || Settings::new().with("ratio", ratio(0.1));
    let lost = run("loss", s(), 20_000).iter().filter(|r| r.1 == Fate::Lost(DropReason::Loss)).count();
    let twice = run("duplicate", s(), 20_000).iter().filter(|r| r.2 == 1).count();
    // Binomial: 2000, deviation 42; five deviations either way.
    assert!((1790..=2210).contains(&lost) && (1790..=2210).contains(&twice), "{lost} {twice}");
}

#[test]
fn corruption_is_one_bit_and_leaves_the_check_sequence_right() {
    for (_, fate, _, bytes) in run("corrupt", Settings::new().with("ratio", ratio(1.0)), 100) {
        assert_eq!(fate, Fate::Damaged(1));
        assert_eq!(bytes.iter().map(|b| b.count_ones()).sum::<u32>(), 1);
    }
}

#[test]
fn reordering_lets_each_gapth_frame_go_at_once() {
    let s = Settings::new().with("ratio", ratio(1.0)).with("gap", Setting::Count(5));
    let early: Vec<usize> =
        run("reorder", s, 20).iter().enumerate().filter(|(_, r)| r.0.is_zero()).map(|(i, _)| i).collect();
    assert_eq!(early, [4, 9, 14, 19]);
}

#[test]
fn the_limit_loses_what_is_too_much() {
    // 10 ms of delay and one frame a millisecond: ten at once.
    let lost = |limit| {
        let s = Settings::new().with("packets", Setting::Count(limit));
        run("limit", s, 100).iter().filter(|r| r.1 == Fate::Lost(DropReason::Queue)).count()
    };
    assert_eq!(lost(10), 0);
    // Four at once: four of every ten pass.
    assert_eq!(lost(4), 60);
}

#[test]
fn jitter_stays_around_the_delay() {
    let s = Settings::new().with("jitter", Setting::Duration(Duration::from_millis(2)));
    let delays: Vec<f64> = run("delay", s, 10_000).iter().map(|r| r.0.as_secs_f64() * 1e3).collect();
    assert!(delays.iter().all(|d| (8.0..=12.0).contains(d)));
    let mean = delays.iter().sum::<f64>() / 1e4;
    assert!((mean - 10.0).abs() < 0.06, "{mean}");
}

#[test]
fn effects_refuse_what_makes_no_sense() {
    for (name, settings) in [
        ("loss", Settings::new()),
        ("gemodel", Settings::new()),
        ("rate", Settings::new()),
        ("limit", Settings::new().with("packets", Setting::Count(0))),
        ("delay", Settings::new().with("distribution", Setting::Word("cauchy".into()))),
        ("symbols", Settings::new().with("phy", Setting::Word("token-ring".into()))),
        ("slot", Settings::new()),
    ] {
        assert!(EffectSpec::new(name, settings).is_err(), "{name}");
    }
}
