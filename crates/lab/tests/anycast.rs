//! One address at several places: where it is reached, and where it cannot be.

use septet_lab::{BuildOptions, Lab};

fn parse(text: &str) -> Result<Lab, Vec<(String, Option<String>)>> {
    Lab::parse("lab.toml", text)
        .map_err(|mistakes| mistakes.iter().map(|m| (m.reason().to_owned(), m.mend().map(str::to_owned))).collect())
}

/// Two hosts with one address, each behind a router of its own; a third router is nearer to the second.
const ANYCAST: &str = r#"[lab]
stop = "20s"
[topology]
links = ["ns1 -- r1", "ns2 -- r2", "r1 -- r2", "r2 -- r3", "busan -- r1", "seoul -- r3"]
[router."r[1..3]"]
[host.ns1]
address = "192.0.2.53/24"
[host.ns2]
address = "192.0.2.53/24"
[host.busan]
run = ["at 1s: ping -c 3 ns1", "at 5s: ping -c 2 ns2"]
[host.seoul]
run = ["at 1s: ping -c 4 ns1"]
[expect]
nearest = "ns1.IcmpInEchos == 5 and ns2.IcmpInEchos == 4"
heard = "sum(busan.ping.ok) == 5 and sum(seoul.ping.ok) == 4"
"#;

#[test]
fn one_address_on_two_links_is_reached_where_it_is_nearest() {
    let run = parse(ANYCAST).unwrap().build(&BuildOptions::default()).unwrap().finish().unwrap();
    assert!(run.verdicts.iter().all(|verdict| verdict.held), "{:?}", run.verdicts);
    // Of IPv6 too.
    let six = ANYCAST.replace("192.0.2.53/24", "2001:db8:53::53/64").replace("stop =", "ip = \"6\"\nstop =");
    let six = six.replace("IcmpInEchos", "Icmp6InEchos");
    let run = parse(&six).unwrap().build(&BuildOptions::default()).unwrap().finish().unwrap();
    assert!(run.verdicts.iter().all(|verdict| verdict.held), "{:?}", run.verdicts);
}

#[test]
fn one_address_at_two_places_that_cannot_be_told_apart_is_a_mistake() {
    let one_link = "[topology]\nlinks = [\"c, a, b -- s\"]\n[switch.s]\n[host.c]\n[host.a]\naddress = \"10.0.1.100/24\"\n\
                    [host.b]\naddress = \"10.0.1.100/24\"\n";
    let mistakes = parse(one_link).unwrap_err();
    assert_eq!(mistakes[0].0, "`a` eth0 and `b` eth0 both have the address 10.0.1.100");
    assert!(mistakes[0].1.as_deref().unwrap().contains("ip address add 10.0.1.100/24 dev eth0"), "{mistakes:?}");
    // A router on both links, and networks that only overlap.
    let both = "[topology]\nlinks = [\"a -- r\", \"b -- r\"]\n[router.r]\n[host.a]\naddress = \"10.0.1.100/24\"\n\
                [host.b]\naddress = \"10.0.1.100/24\"\n";
    let mistakes = parse(both).unwrap_err();
    assert!(mistakes[0].0.starts_with("10.0.1.0/24 would be the network of `r` eth"), "{mistakes:?}");
    let mistakes = parse(&ANYCAST.replacen("192.0.2.53/24", "192.0.2.53/25", 1)).unwrap_err();
    assert!(mistakes.iter().any(|(reason, _)| reason.contains("overlaps")), "{mistakes:?}");
    // What a range says of all is never meant.
    let ranged = "[topology]\nlinks = [\"h1 -- r1\", \"h2 -- r2\", \"r1 -- r2\"]\n[router.\"r[1..2]\"]\n[host.\"h[1..2]\"]\n\
                  address = \"10.0.9.100/24\"\n";
    assert!(parse(ranged).unwrap_err()[0].0.contains("both have the address"));
}
