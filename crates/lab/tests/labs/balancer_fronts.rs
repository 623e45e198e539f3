//! The labs about what a balancer does with requests and connections.

use septet_lab::with_setting;

use super::{holds, play, read};

/// The names of the expectations that fail where the key at `path` has this value.
fn fails(name: &str, path: &str, value: &str) -> Vec<String> {
    let outcome = play(name, &with_setting(&read(name), path, value).unwrap());
    outcome.verdicts.iter().filter(|v| !v.held).map(|v| v.name.clone()).collect()
}

#[test]
fn balancer_sticky() {
    holds("balancer-sticky", &[]);
    // Nobody brings back a cookie that goes over TLS only.
    let plain = fails("balancer-sticky", "host.stuck.balancer.sticky.secure", "true");
    assert!(plain.contains(&"returned".to_owned()), "{plain:?}");
}
