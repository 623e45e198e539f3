//! What is found in a table, against a list that is searched from end to end.

use proptest::prelude::*;

use super::*;
use crate::route::NextHop;

fn route(prefix: &str, target: Target, metric: u32) -> Route {
    Route::new(prefix.parse().unwrap(), target, Origin::Static).metric(metric)
}

fn find(t: &Table, dst: &str, down: &[Iface]) -> Option<Target> {
    t.lookup(dst.parse().unwrap(), |i| !down.contains(&i)).map(|r| r.target.clone())
}

#[test]
fn longest_prefix_then_metric_then_what_is_up() {
    let via = |i, s: &str| Target::Via(i, s.parse().unwrap());
    let mut t = Table::default();
    t.add(route("0.0.0.0/0", via(0, "10.0.0.1"), 10));
    t.add(route("0.0.0.0/0", via(1, "10.1.0.1"), 5));
    t.add(route("10.1.0.0/16", Target::Link(1), 0));
    t.add(route("10.1.0.7/32", Target::Local, 0));
    t.add(route("fd00::/8", Target::Link(1), 0));
    assert_eq!(find(&t, "10.1.0.7", &[]), Some(Target::Local));
    assert_eq!(find(&t, "10.1.0.8", &[]), Some(Target::Link(1)));
    assert_eq!(find(&t, "10.1.0.8", &[1]), Some(via(0, "10.0.0.1")));
    assert_eq!(find(&t, "9.9.9.9", &[]), Some(via(1, "10.1.0.1")));
    assert_eq!(find(&t, "9.9.9.9", &[0, 1]), None);
    assert_eq!(find(&t, "fd00::1", &[]), Some(Target::Link(1)));
    assert!(t.remove(&route("0.0.0.0/0", via(1, "10.1.0.1"), 5)));
    assert!(!t.remove(&route("0.0.0.0/0", via(1, "10.1.0.1"), 5)));
    assert_eq!(find(&t, "9.9.9.9", &[]), Some(via(0, "10.0.0.1")));
    t.add(route("9.0.0.0/8", Target::Unreachable, 0));
    assert_eq!(find(&t, "9.9.9.9", &[]), Some(Target::Unreachable));
    assert_eq!(t.iter().count(), 5);
}

#[test]
fn distance_comes_before_metric() {
    let via = |s: &str| Target::Via(0, s.parse().unwrap());
    let p: Prefix = "10.0.0.0/8".parse().unwrap();
    let mut t = Table::default();
    t.add(Route::new(p, via("10.0.0.3"), Origin::Rip).metric(1));
    t.add(Route::new(p, via("10.0.0.2"), Origin::Ospf).metric(20));
    assert_eq!(find(&t, "10.9.9.9", &[]), Some(via("10.0.0.2")));
    t.add(Route::new(p, via("10.0.0.1"), Origin::Static).metric(4096));
    assert_eq!(find(&t, "10.9.9.9", &[]), Some(via("10.0.0.1")));
    assert!(t.withdraw(Origin::Static, &[p]));
    assert!(!t.withdraw(Origin::Static, &[p]));
    assert_eq!(find(&t, "10.9.9.9", &[]), Some(via("10.0.0.2")));
}

#[test]
fn a_set_of_one_origin_is_replaced() {
    let at = |p: &str, s: &str| Route::new(p.parse().unwrap(), Target::Via(0, s.parse().unwrap()), Origin::Ospf);
    let mut t = Table::default();
    t.add(route("10.1.0.0/16", Target::Link(0), 0));
    assert!(t.replace(Origin::Ospf, vec![at("10.1.0.0/16", "10.0.0.1"), at("10.2.0.0/16", "10.0.0.1")]));
    assert_eq!(t.iter().count(), 3);
    assert!(!t.replace(Origin::Ospf, vec![at("10.2.0.0/16", "10.0.0.1"), at("10.1.0.0/16", "10.0.0.1")]));
    assert!(t.replace(Origin::Ospf, vec![at("10.2.0.0/16", "10.0.0.2")]));
    let left: Vec<Route> = t.iter().collect();
    assert_eq!(left, [route("10.1.0.0/16", Target::Link(0), 0), at("10.2.0.0/16", "10.0.0.2")]);
}

#[test]
fn several_next_hops_need_one_that_is_up() {
    let hop = |iface, s: &str| NextHop { iface, gateway: s.parse().unwrap() };
    let both = Target::through(vec![hop(1, "10.1.0.1"), hop(0, "10.0.0.1"), hop(0, "10.0.0.1")]).unwrap();
    assert_eq!(both, Target::Spread([hop(0, "10.0.0.1"), hop(1, "10.1.0.1")].into()));
    let mut t = Table::default();
    t.add(route("10.9.0.0/16", both.clone(), 0));
    assert_eq!(find(&t, "10.9.0.1", &[0]), Some(both));
    assert_eq!(find(&t, "10.9.0.1", &[0, 1]), None);
    assert_eq!(Target::through(vec![]), None);
}

/// A change of a table, or a question.
#[derive(Clone, Debug)]
enum Step {
    Add(Route),
    Remove(proptest::sample::Index),
    Withdraw(proptest::sample::Index),
    Find(IpAddr, u8),
}

/// Addresses of few distinct bits, so that prefixes nest.
fn addresses(v6: bool) -> impl Strategy<Value = IpAddr> {
    let sparse = |bits: u32| bits & 0xc0c1_c3c1;
    (any::<u32>(), any::<u32>()).prop_map(move |(high, low)| {
        if v6 {
            let bits = u128::from(sparse(high)) << 96 | u128::from(low & 0x8000_0101) << 40 | u128::from(low & 1);
            Ipv6Addr::from_bits(bits).into()
        } else {
            Ipv4Addr::from_bits(sparse(high)).into()
        }
    })
}

fn steps(v6: bool) -> impl Strategy<Value = Vec<Step>> {
    let targets = prop_oneof![
        Just(Target::Unreachable),
        (0u16..3).prop_map(Target::Link),
        (0u16..3, 0u8..30).prop_map(|(i, g)| Target::Via(i, Ipv4Addr::new(10, 0, 0, g).into())),
    ];
    let origins = prop_oneof![Just(Origin::Static), Just(Origin::Ospf), Just(Origin::Rip)];
    let width = if v6 { 128u8 } else { 32 };
    let add = (addresses(v6), 0..=width, targets, 0u32..3, origins).prop_map(|(addr, len, target, metric, origin)| {
        Step::Add(Route::new(Prefix::new(addr, len).unwrap(), target, origin).metric(metric))
    });
    let step = prop_oneof![
        4 => add,
        2 => any::<proptest::sample::Index>().prop_map(Step::Remove),
        1 => any::<proptest::sample::Index>().prop_map(Step::Withdraw),
        4 => (addresses(v6), 0u8..8).prop_map(|(dst, down)| Step::Find(dst, down)),
    ];
    proptest::collection::vec(step, 0..400)
}

/// Takes the steps with a table and with a list.
fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut table = Table::default();
    let mut list: Vec<Route> = Vec::new();
    for step in steps {
        match step {
            Step::Add(route) => {
                table.add(route.clone());
                list.push(route);
            }
            Step::Remove(index) if !list.is_empty() => {
                let route = list.remove(index.index(list.len()));
                prop_assert!(table.remove(&route));
            }
            Step::Withdraw(index) if !list.is_empty() => {
                let Route { prefix, origin, .. } = list[index.index(list.len())];
                list.retain(|r| r.prefix != prefix || r.origin != origin);
                prop_assert!(table.withdraw(origin, &[prefix]));
            }
            Step::Remove(_) | Step::Withdraw(_) => prop_assert!(table.is_empty()),
            Step::Find(dst, down) => {
                let up = |i: Iface| down >> i & 1 == 0;
                let fits = list.iter().filter(|r| r.prefix.contains(dst) && r.target.is_usable(up));
                let rank = |r: &&Route| (core::cmp::Reverse(r.prefix.prefix_len()), r.distance, r.metric);
                let best = fits.min_by_key(rank).map(|r| (r.prefix.prefix_len(), r.distance, r.metric));
                let found = table.lookup(dst, up);
                prop_assert_eq!(found.map(|f| (f.prefix_len(), f.distance(), f.metric())), best);
                let known = |f: Found<'_>| {
                    let prefix = Prefix::new(dst, f.prefix_len()).unwrap();
                    list.iter().any(|r| r.prefix == prefix && r.target == *f.target && r.origin == f.origin())
                };
                prop_assert!(found.is_none_or(known));
            }
        }
    }
    let mut left: Vec<Route> = table.iter().collect();
    let key = |r: &Route| (r.prefix, r.distance, r.metric, r.origin, r.target.clone());
    left.sort_by_key(key);
    list.sort_by_key(key);
    prop_assert_eq!(&left, &list);
    prop_assert_eq!(table.len(), list.len());
    // Nothing is left of what was removed.
    for route in &list {
        prop_assert!(table.remove(route));
    }
    prop_assert!(table.is_empty());
    let any = |addr: &str| table.lookup(addr.parse().unwrap(), |_| true);
    prop_assert_eq!((any("1.1.1.1"), any("::1")), (None, None));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn finds_what_a_list_finds_v4(steps in steps(false)) {
        play(steps)?;
    }

    #[test]
    fn finds_what_a_list_finds_v6(steps in steps(true)) {
        play(steps)?;
    }
}

/// A router of the whole Internet must not pay for it after it is gone, and a host with a few routes not at all.
#[test]
fn memory_follows_the_number_of_routes() {
    let route = |n: u32| {
        let prefix = Prefix::new(Ipv4Addr::from_bits(n << 12).into(), 24).unwrap();
        Route::new(prefix, Target::Via(0, Ipv4Addr::new(10, 0, 0, n as u8).into()), Origin::Bgp)
    };
    let mut t = Table::default();
    for n in 0..4 {
        t.add(route(n));
    }
    assert!(t.bytes() < 512, "{} octets for 4 routes", t.bytes());
    for n in 4..100_000 {
        t.add(route(n));
    }
    assert!(t.bytes() < 100_000 * 64 + (4 << 20), "{} octets for 100,000 routes", t.bytes());
    // Routes that come and go leave nothing behind.
    let before = t.bytes();
    for n in 0..200_000 {
        t.add(route(100_000 + n));
        assert!(t.remove(&route(100_000 + n)));
    }
    assert!(t.bytes() <= before * 3 / 2, "{} octets after {before}", t.bytes());
}
