//! Multicast in labs: who hears what, by which links, and what is wrong with a route.

use septet_lab::{BuildOptions, Lab};

/// Holds the lab's expectations, and then again with `without` taken out, when one of them must fail.
#[track_caller]
fn holds(text: &str, without: &str) {
    let play = |text: &str| {
        let lab = Lab::parse("lab.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        lab.build(&BuildOptions::default()).unwrap().finish().unwrap()
    };
    for verdict in &play(text).verdicts {
        assert!(verdict.held, "{}: {} ({})", verdict.name, verdict.text, verdict.found_in_words());
    }
    assert!(text.contains(without), "{without}");
    assert!(!play(&text.replace(without, "")).ok(), "it holds without {without}");
}

/// Two routers stand between the same two networks, and each would pass on what the other has: what comes back where it did
/// not come from is not taken for new.
#[test]
fn what_comes_from_the_wrong_side_is_not_passed_on() {
    let lab = |from: &str| {
        format!(
            r#"
[lab]
stop = "5s"
[topology]
links = ["near -- source, r1, r2", "far -- r1, r2, m"]
[switch.near]
[switch.far]
[router.r1]
multicast = ["239.1.1.1 {from} to far"]
[router.r2]
multicast = ["239.1.1.1 {from} to near"]
[host.source]
run = ["at 1s: stream 239.1.1.1:5004 --ttl 9 --for 1s"]
[host.m]
run = ["stream --listen 239.1.1.1:5004 --for 4s"]
[expect]
once = "m.stream.received == 50 and m.stream.duplicates == 0"
back = "sent(r2->near) == 0"
"#
        )
    };
    let text = lab("");
    let outcome = Lab::parse("lab.toml", &text).unwrap().build(&BuildOptions::default()).unwrap().finish().unwrap();
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{}: {} ({})", verdict.name, verdict.text, verdict.found_in_words());
    }
    // Where `r2` is told to take what comes from that side, it goes round.
    let text = text.replace("239.1.1.1  to near", "239.1.1.1 from far to near");
    let outcome = Lab::parse("lab.toml", &text).unwrap().build(&BuildOptions::default()).unwrap().finish().unwrap();
    assert!(!outcome.ok());
}

#[test]
fn a_threshold_of_hops_bounds_how_far_a_group_reaches() {
    holds(
        r#"
[lab]
stop = "5s"
[topology]
links = ["source -- r1 -- near, far"]
[router.r1]
multicast = ["239.0.0.0/8 from source to near, far ttl 16"]
[host.source]
run = ["at 1s: stream 239.1.1.1:5004 --ttl 15 --for 1s", "at 1s: stream 239.1.1.2:5004 --ttl 16 --for 1s"]
[host.near]
run = ["stream --listen 239.1.1.1:5004 --for 4s"]
[host.far]
[expect]
near = "near.stream.received == 50"
far  = "sent(r1->far) == 50"
"#,
        " ttl 16",
    );
}

#[test]
fn a_source_specific_member_gets_what_that_source_sends_alone() {
    holds(
        r#"
[lab]
stop = "6s"
[topology]
links = ["a, b -- r1 -- m"]
[router.r1]
multicast = ["232.1.1.1 to members"]
[host.a]
run = ["at 1s: stream 232.1.1.1:5004 --ttl 5 --for 1s"]
[host.b]
run = ["at 1s: stream 232.1.1.1:5004 --ttl 5 --for 1s"]
[host.m]
run = ["stream --listen 232.1.1.1:5004 --from a --for 4s"]
[expect]
heard = "m.stream.received == 50"
quiet = "sent(r1->m, after = 900ms, before = 3s) == 50"
"#,
        " --from a",
    );
}

#[test]
fn version_6_goes_the_same_ways() {
    holds(
        r#"
[lab]
ip = "6"
stop = "12s"
[topology]
links = ["source -- r1 -- s1 -- m, deaf"]
[switch.s1]
snooping = { unknown = "routers" }
[router.r1]
multicast = ["ff1e::7 from source to members"]
querier = { last_member = "500ms" }
[host.source]
run = ["at 4s: stream [ff1e::7]:5004 --ttl 5 --for 4s"]
[host.m]
run = ["at 3s: stream --listen [ff1e::7]:5004 --for 3s"]
[host.deaf]
[expect]
heard = "m.stream.received == 100"
deaf  = "sent(s1->deaf, after = 4.1s, before = 5.9s) == 0"
leave = "max(m.stream.leave) <= 1.1s"
after = "sent(r1->s1, after = 7.7s, before = 7.9s) == 0"
"#,
        "snooping = { unknown = \"routers\" }\n",
    );
}

#[test]
fn each_vlan_has_members_of_its_own() {
    holds(
        r#"
[lab]
stop = "4s"
[topology]
links = ["s1 -- a, b, c, r1"]
[switch.s1]
snooping = true
vlans = { a = 10, b = 10, c = 20 }
trunks = "r1"
[router.r1]
querier = true
[host.a]
run = ["at 1s: stream 239.1.1.1:5004 --for 1s"]
[host.b]
run = ["stream --listen 239.1.1.1:5004"]
[host.c]
run = ["stream --listen 239.1.1.1:5004"]
[expect]
heard = "b.stream.received == 50"
other = "count(c.stream.jitter) == 0"
asked = "sent(r1->s1) >= 2"
"#,
        "querier = true\n",
    );
}

#[test]
fn mistakes_in_routes_are_shown_in_place() {
    let first = |routes: &str| {
        let text = format!(
            "[topology]\nlinks = [\"a -- r1 -- b\", \"b -- c\"]\n[router.r1]\n{routes}\n[router.b]\n[host.a]\n[host.c]\n"
        );
        let mistakes = Lab::parse("lab.toml", &text).expect_err(routes);
        let first = mistakes.iter().next().unwrap();
        first.reason().to_owned()
    };
    let route = |route: &str| first(&format!("multicast = [\"{route}\"]"));
    assert_eq!(route("10.0.0.1 to b"), "`10.0.0.1` is not a multicast group");
    assert_eq!(route("224.0.0.5 to b"), "no router passes 224.0.0.5 on: 224.0.0.0/24 stays on its link");
    assert_eq!(route("239.1.1.1 from a"), "it is not said whither");
    assert_eq!(route("239.1.1.1 to c"), "`r1` has no link to `c`");
    assert_eq!(route("239.1.1.1 to nobody"), "no node is called `nobody`");
    assert_eq!(route("239.1.1.1 from nobody to b"), "no node is called `nobody`");
    assert_eq!(route("239.1.1.1 to b ttl 256"), "`256` is not a time to live");
    assert_eq!(route("239.1.1.1 to b c"), "`c` says nothing here");
    assert_eq!(
        first("multicast = [\"239.1.1.1 to members\"]\nquerier = false"),
        "a route goes `to members`, and a router that does not ask knows of none"
    );
    assert_eq!(
        first("querier = { interval = \"5s\", response = \"5s\" }"),
        "answers within 5s to queries every 5s overlap"
    );
}
