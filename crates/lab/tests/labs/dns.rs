//! The labs about recursive resolvers.

use super::{holds, misses};

#[test]
fn a_resolver_asks_from_the_root_down_and_then_its_cache() {
    holds("dns-recursion", &[]);
    // Without its cache it would have to ask; nor would there be anything stale.
    let missed = misses("dns-recursion", "root = \"root\"", "root = \"root\"\ncache = 1");
    assert_eq!(missed, ["root", "shop", "cached", "soon", "stale"]);
    assert_eq!(misses("dns-recursion", "root = \"root\"", "root = \"root\"\nstale = \"0s\""), ["stale"]);
    assert_eq!(
        misses("dns-recursion", "test = \"NS ns.test.\"", ""),
        ["root", "shop", "cached", "first", "soon", "stale"]
    );
}

#[test]
fn where_udp_is_blocked_tcp_is_tried() {
    holds("dns-no-answer", &[]);
    let both = misses("dns-no-answer", "drop udp dport 53", "drop dport 53");
    assert_eq!(both, ["answered", "tcp", "habit"]);
}

#[test]
fn a_lossy_link_makes_the_resolver_repeat() {
    holds("dns-timeout", &[]);
    assert_eq!(misses("dns-timeout", "delay 10ms loss 30%", "delay 10ms"), ["lost", "repeats", "waited"]);
}

#[test]
fn who_is_off_the_path_must_guess() {
    holds("dns-poisoning", &[]);
    // Either of the two is enough against a hundred answers.
    for random in ["ports = 5353\n", "ids = \"sequential\"\n"] {
        assert_eq!(misses("dns-poisoning", random, ""), ["safe", "fooled", "asked"]);
    }
    // Who guesses within what the other leaves to guess is as good as on the path.
    let missed =
        misses("dns-poisoning", "root = \"root\"\n\n", "root = \"root\"\nports = 5353\nids = \"sequential\"\n\n");
    assert!(!missed.contains(&"fooled".to_owned()), "{missed:?}");
}
