use std::collections::BTreeMap;

use septet_core::Seed;

use super::*;

const NAMES: [&str; 10] = ["web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8", "web9", "web10"];

fn build(policy: &str, seed: u64) -> Box<dyn Policy> {
    (find(policy).unwrap().build)(&|| Seed::new(seed).stream("balancer"))
}

fn asked(client: u32) -> Asked {
    Asked { client: (client.to_be_bytes(), 4000).into(), now: Instant::ZERO }
}

fn candidates(open: &[(usize, usize)]) -> Vec<Candidate<'static>> {
    open.iter().map(|&(index, open)| Candidate { index, name: NAMES[index], weight: 1, open }).collect()
}

fn weighted(weights: &[u32]) -> Vec<Candidate<'static>> {
    weights
        .iter()
        .enumerate()
        .map(|(index, &weight)| Candidate { index, name: NAMES[index], weight, open: 0 })
        .collect()
}

fn picks(policy: &str, rounds: &[&[(usize, usize)]]) -> Vec<usize> {
    let mut policy = build(policy, 0);
    let pick = |open: &&[(usize, usize)]| {
        let c = candidates(open);
        c[policy.pick(&asked(1), &c).position].index
    };
    rounds.iter().map(pick).collect()
}

/// How many of so many clients get each.
fn shares(policy: &mut dyn Policy, among: &[Candidate<'_>], clients: u32) -> BTreeMap<usize, u32> {
    let mut counts: BTreeMap<usize, u32> = among.iter().map(|c| (c.index, 0)).collect();
    for client in 0..clients {
        *counts.get_mut(&among[policy.pick(&asked(client), among).position].index).unwrap() += 1;
    }
    counts
}

#[test]
fn round_robin_goes_on_where_it_was_when_a_backend_is_away() {
    let all: &[_] = &[(0, 0), (1, 0), (2, 0)];
    let without_1: &[_] = &[(0, 0), (2, 0)];
    assert_eq!(picks("round-robin", &[all, all, all, all]), [0, 1, 2, 0]);
    assert_eq!(picks("round-robin", &[all, without_1, without_1, all]), [0, 2, 0, 1]);
}

#[test]
fn weighted_round_robin_is_smooth() {
    let mut policy = build("weighted-round-robin", 0);
    let among = weighted(&[5, 1, 1]);
    let turns: Vec<_> = (0..14).map(|n| policy.pick(&asked(n), &among).position).collect();
    assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
    // In any window as long as the weights together each has its share.
    let mut policy = build("weighted-round-robin", 0);
    let among = weighted(&[7, 3, 2, 1]);
    let turns: Vec<_> = (0..130).map(|n| policy.pick(&asked(n), &among).position).collect();
    for window in turns.windows(13) {
        assert_eq!([0, 1, 2, 3].map(|i| window.iter().filter(|t| **t == i).count()), [7, 3, 2, 1]);
    }
}

#[test]
fn least_connections_takes_turns_among_equals() {
    let equal: &[_] = &[(0, 1), (1, 1), (2, 1)];
    let busy: &[_] = &[(0, 5), (1, 2), (2, 3)];
    assert_eq!(picks("least-connections", &[equal, equal, equal, busy]), [0, 1, 2, 1]);
}

#[test]
fn least_connections_heeds_weights() {
    let mut policy = build("least-connections", 0);
    let mut among = weighted(&[4, 1]);
    // Nothing is ever closed: who weighs four times as much has four times as many.
    for _ in 0..100 {
        let position = policy.pick(&asked(0), &among).position;
        among[position].open += 1;
    }
    assert_eq!(among.iter().map(|c| c.open).collect::<Vec<_>>(), [80, 20]);
    // Everything is closed at once: turns by weight.
    let counts = shares(&mut *policy, &weighted(&[4, 1]), 100);
    assert_eq!(counts[&0], 80);
}

#[test]
fn what_is_drawn_is_drawn_by_weight() {
    for policy in ["random", "two-choices"] {
        let counts = shares(&mut *build(policy, 3), &weighted(&[6, 3, 1]), 100_000);
        // Two that are drawn by weight without one coming back: the heavy one is the first draw here, for all are idle.
        for (index, want) in [(0, 60_000), (1, 30_000), (2, 10_000)] {
            assert!(counts[&index].abs_diff(want) < 700, "{policy}: {counts:?}");
        }
    }
}

#[test]
fn two_choices_never_leave_one_far_ahead() {
    // Balls into bins: one choice leaves the fullest of ten some 3 sqrt(n) above the mean, two leave it a few above.
    let most = |policy: &str| {
        let mut policy = build(policy, 11);
        let mut among = candidates(&(0..10).map(|i| (i, 0)).collect::<Vec<_>>());
        for _ in 0..10_000 {
            let position = policy.pick(&asked(0), &among).position;
            among[position].open += 1;
        }
        among.iter().map(|c| c.open).max().unwrap() - 1000
    };
    assert!(most("two-choices") <= 5, "{}", most("two-choices"));
    assert!(most("random") > 20, "{}", most("random"));
}

#[test]
fn latency_prefers_the_quick_and_tries_the_slow_again() {
    let mut policy = build("latency", 0);
    let among = candidates(&[(0, 0), (1, 0)]);
    let at = |ms: u64| Asked { now: Instant::ZERO + Duration::from_millis(ms), ..asked(1) };
    // Each is tried before one is preferred.
    let first = policy.pick(&at(0), &among).position;
    policy.observed(first, Duration::from_millis(if first == 0 { 50 } else { 5 }), at(1).now);
    let second = policy.pick(&at(1), &among).position;
    assert_ne!(first, second);
    policy.observed(second, Duration::from_millis(if second == 0 { 50 } else { 5 }), at(2).now);
    assert_eq!(policy.pick(&at(2), &among).position, 1);
    // Ten times as slow is as good as nine more open.
    assert_eq!(policy.pick(&at(2), &candidates(&[(0, 0), (1, 8)])).position, 1);
    assert_eq!(policy.pick(&at(2), &candidates(&[(0, 0), (1, 10)])).position, 0);
    // The quick one goes on being asked; what is known of the slow one fades.
    let mut tried = None;
    for ms in (10..60_000).step_by(10) {
        if policy.pick(&at(ms), &among).position == 0 {
            tried = Some(ms);
            break;
        }
        policy.observed(1, Duration::from_millis(5), at(ms).now);
    }
    assert!(tried.is_some_and(|ms| (15_000..35_000).contains(&ms)), "{tried:?}");
}

/// How many of a thousandth of clients get another backend when one of ten leaves, beside those of the one that left.
fn moved(policy: &str) -> u32 {
    let all = candidates(&(0..10).map(|i| (i, 0)).collect::<Vec<_>>());
    let without = candidates(&(0..10).filter(|i| *i != 4).map(|i| (i, 0)).collect::<Vec<_>>());
    let mut policy = build(policy, 0);
    let mut moved = 0;
    for client in 0..10_000 {
        let before = all[policy.pick(&asked(client), &all).position].index;
        let after = without[policy.pick(&asked(client), &without).position].index;
        moved += u32::from(before != 4 && before != after);
        // And they come back.
        assert_eq!(all[policy.pick(&asked(client), &all).position].index, before);
    }
    moved
}

#[test]
fn when_a_backend_leaves_its_own_clients_move_and_few_others() {
    assert_eq!(moved("source-hash"), 0);
    assert_eq!(moved("ring"), 0);
    // The paper's figure 12: under 2 % with a table that is a hundred times the backends and more.
    let moved = moved("maglev");
    assert!(moved > 0 && moved < 300, "{moved}");
}

#[test]
fn hashes_share_out_evenly_and_by_weight() {
    let ten = candidates(&(0..10).map(|i| (i, 0)).collect::<Vec<_>>());
    for (policy, within) in [("source-hash", 400), ("maglev", 400), ("ring", 2500)] {
        let counts = shares(&mut *build(policy, 0), &ten, 100_000);
        assert!(counts.values().all(|n| n.abs_diff(10_000) < within), "{policy}: {counts:?}");
        let counts = shares(&mut *build(policy, 0), &weighted(&[6, 3, 1]), 100_000);
        for (index, want) in [(0, 60_000), (1, 30_000), (2, 10_000)] {
            assert!(counts[&index].abs_diff(want) < within, "{policy}: {counts:?}");
        }
    }
    // Maglev's promise is of the places: no backend has more than one in a hundred above another.
    let mut places = [0_u32; 10];
    for client in 0..1_000_000 {
        places[build_place(client)] += 1;
    }
    let (most, least) = (places.iter().max().unwrap(), places.iter().min().unwrap());
    assert!(f64::from(*most) / f64::from(*least) < 1.02, "{places:?}");
}

/// The same backend as [`shares`] would find, with the table made once.
fn build_place(client: u32) -> usize {
    thread_local! {
        static MAGLEV: std::cell::RefCell<Box<dyn Policy>> = std::cell::RefCell::new(build("maglev", 0));
    }
    let ten = candidates(&(0..10).map(|i| (i, 0)).collect::<Vec<_>>());
    MAGLEV.with_borrow_mut(|policy| policy.pick(&asked(client), &ten).position)
}

#[test]
fn a_ring_bounds_the_load_of_one_popular_address() {
    let mut policy = build("ring", 0);
    let mut among = candidates(&(0..4).map(|i| (i, 0)).collect::<Vec<_>>());
    for opened in 1..=1000_usize {
        let position = policy.pick(&asked(7), &among).position;
        among[position].open += 1;
        let bound = (opened * 5).div_ceil(4 * 4);
        assert!(among.iter().all(|c| c.open <= bound), "{opened}: {among:?}");
    }
    // Without others the popular one keeps its backend.
    let idle = candidates(&(0..4).map(|i| (i, 0)).collect::<Vec<_>>());
    let first = policy.pick(&asked(7), &idle).position;
    assert!((0..100).all(|_| policy.pick(&asked(7), &idle).position == first));
}

#[test]
fn every_policy_picks_one_of_any_candidates() {
    for entry in POLICIES {
        for seed in 0..4 {
            let mut rng = Seed::new(seed).stream("worlds");
            let mut policy = build(entry.name, seed);
            for n in 0..30 {
                let mut among = candidates(&(0..10).filter(|_| rng.chance(0.6)).map(|i| (i, 0)).collect::<Vec<_>>());
                for candidate in &mut among {
                    candidate.open = rng.below(5) as usize;
                    candidate.weight = 1 + rng.below(256) as u32;
                }
                if !among.is_empty() {
                    assert!(policy.pick(&asked(n), &among).position < among.len(), "{}", entry.name);
                    policy.observed(rng.below(10) as usize, Duration::from_micros(rng.below(10_000)), Instant::ZERO);
                }
            }
        }
    }
}
