use super::*;
use crate::{Ratio, settings::Setting};

fn ratio(value: f64) -> Setting {
    Setting::Ratio(Ratio::new(value).unwrap())
}

/// Delay, fate, copies and bytes of a frame.
type Passage = (Duration, Fate, u32, Vec<u8>);

/// The effect called `name`, applied to `n` frames that leave a millisecond apart with 10 ms of delay.
fn run(name: &str, settings: Settings, n: u64) -> Vec<Passage> {
    let spec = EffectSpec::new(name, settings).unwrap();
    let mut effect = (spec.kind.build)(&spec.settings, Seed::new(8).stream(name)).unwrap();
    let one = |i| {
        let mut frame = Frame::new(0, &[0; 100]);
        let (start, delay) = (Instant::from_millis(i), Duration::from_millis(10));
        let mut transit = Transit { start, frame: &mut frame, delay, fate: Fate::Passed, copies: 0, turn: Turn::Waits };
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

/// Mean, deviation and correlation of each value with the last.
fn moments(x: &[f64]) -> (f64, f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let lag = x.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / (n - 1.0) / variance;
    (mean, variance.sqrt(), lag)
}

#[test]
fn delays_have_the_mean_deviation_and_correlation_of_their_distribution() {
    // Deviations in units of the jitter, as in the test of the distributions. Netem's correlated numbers are a moving average
    // with weights ρ and 1 − ρ, so their deviation is smaller by sqrt((1 − ρ)/(1 + ρ)), and so is that of a uniform delay.
    for (name, deviation, rho) in [
        ("uniform", 0.577, 0.0),
        ("normal", 1.0, 0.0),
        ("pareto", 0.821, 0.0),
        ("paretonormal", 0.664, 0.0),
        ("uniform", 0.577, 0.25),
        ("uniform", 0.577, 0.8),
    ] {
        let settings = Settings::new()
            .with("jitter", Setting::Duration(Duration::from_millis(2)))
            .with("correlation", ratio(rho))
            .with("distribution", Setting::Word(name.into()));
        let delays: Vec<f64> = run("delay", settings, 60_000).iter().map(|r| r.0.as_secs_f64() * 1e3).collect();
        let (mean, sd, lag) = moments(&delays);
        let expected = 2.0 * deviation * ((1.0 - rho) / (1.0 + rho)).sqrt();
        assert!((mean - 10.0).abs() < 0.15, "{name} {rho}: mean {mean}");
        assert!((sd / expected - 1.0).abs() < 0.03, "{name} {rho}: deviation {sd}, not {expected}");
        assert!((lag - rho).abs() < 0.02, "{name} {rho}: correlation {lag}");
    }
}

#[test]
fn correlated_losses_come_in_runs() {
    let lost = |rho| {
        let settings = Settings::new().with("ratio", ratio(0.3)).with("correlation", ratio(rho));
        let lost: Vec<bool> = run("loss", settings, 60_000).iter().map(|r| r.1 != Fate::Passed).collect();
        let both = lost.windows(2).filter(|w| w[0] && w[1]).count() as f64;
        let share = lost.iter().filter(|&&l| l).count() as f64;
        (share / lost.len() as f64, both / share)
    };
    // Independent: one after a loss is lost as often as any other.
    let (share, after) = lost(0.0);
    assert!((share - 0.3).abs() < 0.01 && (after - 0.3).abs() < 0.015, "{share} {after}");
    let (share, after) = lost(0.5);
    assert!(after > share + 0.2, "{share} {after}");
}

#[test]
fn corruption_and_reordering_hit_their_ratio() {
    let hit = |name, more: fn(Settings) -> Settings, hit: fn(&Passage) -> bool| {
        let settings = more(Settings::new().with("ratio", ratio(0.25)));
        run(name, settings, 20_000).iter().filter(|r| hit(r)).count()
    };
    // Binomial: 5000, deviation 61; five deviations either way.
    let corrupted = hit("corrupt", |s| s, |r| matches!(r.1, Fate::Damaged(1)));
    let early = hit("reorder", |s| s, |r| r.0.is_zero());
    assert!((4690..=5310).contains(&corrupted) && (4690..=5310).contains(&early), "{corrupted} {early}");
    // With a gap of five the first four after one that overtook may not: the mean distance is 4 + 1/0.25.
    let gapped = hit("reorder", |s| s.with("gap", Setting::Count(5)), |r| r.0.is_zero());
    assert!((2400..=2600).contains(&gapped), "{gapped}");
}

#[test]
fn the_rate_spaces_frames_out_with_overheads_and_cells() {
    // 100 bytes and 20 of overhead in cells of 48, each with 5 more: 3 cells, 159 bytes, at 1272 bytes a second.
    let settings = Settings::new()
        .with("rate", Setting::Rate(septet_core::Rate::from_bits_per_sec(159 * 8 * 8).unwrap()))
        .with("packetoverhead", Setting::Bytes(20))
        .with("cellsize", Setting::Bytes(48))
        .with("celloverhead", Setting::Bytes(5));
    let leaves: Vec<u128> =
        run("rate", settings, 10).iter().enumerate().map(|(i, r)| r.0.as_millis() + i as u128).collect();
    assert!(leaves.windows(2).all(|w| w[1] - w[0] == 125), "{leaves:?}");
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
