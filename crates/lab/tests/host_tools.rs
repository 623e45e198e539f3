//! The host tools print as the originals do.

use septet_lab::{BuildOptions, Lab};

/// Each command with what it printed, standard output before standard error.
const PRINTED: &[(&str, &str)] = &[
    (
        "ip addr",
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet6 ::1/128 scope host 
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast state UP group default qlen 1000
    link/ether 02:00:00:03:00:00 brd ff:ff:ff:ff:ff:ff
    inet 10.0.1.10/24 brd 10.0.1.255 scope global eth0
       valid_lft forever preferred_lft forever
",
    ),
    (
        "arping -c 2 b",
        "ARPING 10.0.1.11 from 10.0.1.10 eth0
Unicast reply from 10.0.1.11 [02:00:00:04:00:00]  0.022ms
Unicast reply from 10.0.1.11 [02:00:00:04:00:00]  0.022ms
Sent 2 probes (1 broadcast(s))
Received 2 response(s)
",
    ),
    (
        "arping -D b",
        "ARPING 10.0.1.11 from 0.0.0.0 eth0
Unicast reply from 10.0.1.11 [02:00:00:04:00:00]  0.022ms
Sent 1 probes (1 broadcast(s))
Received 1 response(s)
",
    ),
    (
        "ping -q -c 1 -W 1 10.0.1.77",
        "PING 10.0.1.77 (10.0.1.77) 56(84) bytes of data.

--- 10.0.1.77 ping statistics ---
1 packets transmitted, 0 received, 100% packet loss, time 0ms

",
    ),
    (
        "ip neigh",
        "10.0.1.77 dev eth0 INCOMPLETE 
",
    ),
    (
        "ip neighbor",
        "10.0.1.77 dev eth0 FAILED 
",
    ),
    ("ip neigh add 10.0.1.78 lladdr 02:00:00:00:00:07 dev eth0", ""),
    (
        "ip neigh add 10.0.1.78 lladdr 02:00:00:00:00:08 dev eth0",
        "RTNETLINK answers: File exists
",
    ),
    (
        "ip neigh show dev eth0 nud permanent",
        "10.0.1.78 lladdr 02:00:00:00:00:07 PERMANENT 
",
    ),
    ("ip addr add 10.0.1.200/24 dev eth0 valid_lft 10 preferred_lft 5", ""),
    (
        "ip -o -4 addr show eth0",
        "2: eth0    inet 10.0.1.10/24 brd 10.0.1.255 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0    inet 10.0.1.200/24 brd 10.0.1.255 scope global dynamic eth0\\       valid_lft 8sec preferred_lft 3sec
",
    ),
    (
        "ip addr add 10.0.1.10/24 dev eth0",
        "Error: ipv4: Address already assigned.
",
    ),
    (
        "ip addr del 10.0.1.55/24 dev eth0",
        "Error: ipv4: Address not found.
",
    ),
    (
        "ip addr show nope",
        "Cannot find device \"nope\"
",
    ),
    (
        "nc -z -v server 79-80",
        "nc: connect to server (10.0.2.10) port 79 (tcp) failed: Connection refused
Connection to server (10.0.2.10) 80 port [tcp/http] succeeded!
",
    ),
    (
        "nc --data hello server 7",
        "hello
",
    ),
    ("nc -z -u -v server 9", ""),
    (
        "tracepath -n server",
        " 1?: [LOCALHOST]                      pmtu 1500
 1:  10.0.1.1                                              0.054ms 
 1:  10.0.1.1                                              0.054ms 
 2:  10.0.1.1                                              0.054ms pmtu 1400
 2:  10.0.2.10                                            10.088ms reached
     Resume: pmtu 1400 hops 2 back 2 
",
    ),
    (
        "mtr --report -n -c 3 -i 0.1 server",
        "Start: 2026-01-01T00:00:38+0000
HOST: a                           Loss%   Snt   Last   Avg  Best  Wrst StDev
  1.|-- 10.0.1.1                   0.0%     3    0.0   0.0   0.0   0.0   0.0
  2.|-- 10.0.2.10                  0.0%     3   10.0  10.0  10.0  10.0   0.0
",
    ),
    ("ip link set eth0 down", ""),
    (
        "ip link show eth0",
        "2: eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc pfifo_fast state DOWN mode DEFAULT group default qlen 1000
    link/ether 02:00:00:03:00:00 brd ff:ff:ff:ff:ff:ff
",
    ),
];

#[test]
fn each_prints_what_the_original_would() {
    // Two seconds lie between them: a neighbour that does not answer is given up after three.
    let run: Vec<String> =
        (0..).zip(PRINTED).map(|(n, (command, _))| format!("'at {}s: {command}'", 2 + 2 * n)).collect();
    let text = format!(
        r#"
[lab]
stop = "100s"
[topology]
links = ["s1 -- r1, a, b", "r1 -- server : delay 5ms mtu 1400"]
[switch.s1]
[router.r1]
[host.a]
run = [{}]
[host.b]
[host.server]
run = "tcp-echo 7"
[host.server.http]
"#,
        run.join(", ")
    );
    let lab = Lab::parse("lab.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    let outputs: Vec<_> = run.outputs().into_iter().filter(|output| output.node == 2).collect();
    assert_eq!(outputs.len(), PRINTED.len());
    for (output, (command, wanted)) in outputs.iter().zip(PRINTED) {
        let printed = output.console.output() + &output.console.errors();
        assert_eq!(printed, *wanted, "{command}");
    }
}

/// Plays a lab; what its programs print, by their command lines.
fn printed(text: &str) -> impl Fn(&str) -> String + use<> {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|e| panic!("{e}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    let all: Vec<(String, String)> = run
        .outputs()
        .into_iter()
        .map(|output| {
            let line = run.lab().nodes[output.node].commands()[output.command].line.clone();
            (line, output.console.output() + &output.console.errors())
        })
        .collect();
    move |line| all.iter().find(|(of, _)| of == line).map(|(_, text)| text.clone()).expect("it was run")
}

#[test]
fn the_loopback_and_the_interfaces_of_vlans_count_as_linux_has_them() {
    let printed = printed(
        r#"
[lab]
stop = "10s"
[topology]
links = ["s -- a, b, r"]
[switch.s]
vlans = { a = 10, b = 20 }
trunks = "r"
[router.r]
run = ["at 5s: ip -s link", "at 6s: ip -s link show eth0.10", "at 7s: ip -s addr show lo", "at 8s: ip -s -o addr show lo"]
[host.a]
run = ["at 1s: ping -q -c 3 b", "at 5s: ping -q -c 2 127.0.0.1", "at 8s: ip -s link show lo"]
[host.b]
"#,
    );
    // Linux 6.18 prints so of its own after as many: each echo once on its way out and once on its way in.
    let lo = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    RX:  bytes packets errors dropped  missed   mcast           
           336       4      0       0       0       0 
    TX:  bytes packets errors dropped carrier collsns           
           336       4      0       0       0       0 
";
    assert_eq!(printed("ip -s link show lo"), lo);
    // The question for the address and three echoes: what comes in counts from behind the tag on, what goes out with the link
    // header, but not the tag.
    let first = "3: eth0.10@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default \
                 qlen 1000
    link/ether 02:00:00:02:00:00 brd ff:ff:ff:ff:ff:ff
    RX:  bytes packets errors dropped  missed   mcast           
           298       4      0       0       0       0 
    TX:  bytes packets errors dropped carrier collsns           
           336       4      0       0       0       0 
";
    assert_eq!(printed("ip -s link show eth0.10"), first);
    let all = printed("ip -s link");
    assert!(all.starts_with(&lo.replace("336       4", "  0       0")), "{all}");
    assert!(all.contains(first), "{all}");
    assert_eq!(all.matches("RX:  bytes").count(), 4, "{all}");
    // Both VLANs together are what crossed the cable.
    let eth0 = all.split("2: eth0:").nth(1).unwrap();
    let row = |at: usize| eth0.lines().nth(at).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!((row(3), row(5)), ("8".to_owned(), "8".to_owned()), "{all}");
    let addresses = printed("ip -s addr show lo");
    assert!(addresses.contains("inet6 ::1/128") && addresses.contains("TX:  bytes packets"), "{addresses}");
    assert!(!printed("ip -s -o addr show lo").contains("TX:"));
}

#[test]
fn what_the_card_in_a_port_counts_is_part_of_what_the_interface_did() {
    let printed = printed(
        r#"
[lab]
stop = "8s"
[media]
line = { rate = "10mbit", delay = "500ns" }
[topology]
links = ["hub -- a, b, c, d : line"]
[hub.hub]
[host.a]
run = ["at 1s: curl http://b/ -o /dev/null", "at 7s: ip -s -s link show eth0"]
[host.b.http]
body = "300kb"
[host.c]
run = ["at 1s: curl http://d/ -o /dev/null"]
[host.d.http]
body = "300kb"
[expect]
"#,
    );
    let text = printed("ip -s -s link show eth0");
    let rows: Vec<Vec<u64>> =
        text.lines().map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect()).collect();
    // RX, RX errors, TX, TX errors, each below its heads.
    let (received, bad, sent) = (&rows[3], &rows[5], &rows[7]);
    assert!(sent[5] > 0, "it met collisions: {text}");
    assert!(bad[0] > 10 && received[2] >= bad[0], "who does not talk hears what a collision leaves: {text}");
}

/// Programs of `a` and of `server`, with a router between them; what each printed, standard output before standard error.
fn between(a: &[&str], server: &[&str]) -> Vec<(String, String)> {
    let list = |commands: &[&str]| commands.iter().map(|command| format!("'{command}'")).collect::<Vec<_>>().join(", ");
    let text = format!(
        r#"
[lab]
stop = "60s"
[topology]
links = ["a -- r1", "r1 -- server : delay 5ms", "r1 -- ns"]
[router.r1]
[host.a]
run = [{}]
[host.server]
run = [{}]
[host.ns.dns]
"#,
        list(a),
        list(server)
    );
    let lab = Lab::parse("lab.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    let said = |output: septet_lab::Output| {
        let line = run.lab().nodes[output.node].commands()[output.command].line.clone();
        (line, output.console.output() + &output.console.errors())
    };
    run.outputs().into_iter().map(said).collect()
}

#[test]
fn names_stand_beside_addresses_where_both_are_wanted() {
    let said =
        between(&["at 1s: ping -R -c 1 server", "at 3s: tracepath -b server", "at 20s: tracepath -n -b server"], &[]);
    let [(_, ping), (_, both), (_, numeric)] = &said[..] else { panic!("{said:?}") };
    let route = "RR: \ta.lab (10.0.1.10)\n\tr1.lab (10.0.2.1)\n\tserver.lab (10.0.2.10)\n\tserver.lab (10.0.2.10)\n\tr1.lab (10.0.1.1)\n\ta.lab (10.0.1.10)\n\n";
    assert!(ping.contains(route), "{ping}");
    assert!(both.contains(" 1:  r1.lab (10.0.1.1)  ") && both.contains(" 2:  server.lab (10.0.2.10)  "), "{both}");
    assert!(
        numeric.contains(" 1:  10.0.1.1 (r1.lab)  ") && numeric.contains(" 2:  10.0.2.10 (server.lab)  "),
        "{numeric}"
    );
}

#[test]
fn nc_that_listens_on_udp_speaks_with_the_first_who_comes() {
    let said = between(
        &[
            "at 1s: nc -u -w 2 server 9000 <<< one",
            "at 5s: nc -u -w 2 server 9000 <<< stranger",
            "at 9s: nc -u -w 2 server 9001 <<< two",
            "at 12s: nc -u -w 2 server 9001 <<< three",
        ],
        &["nc -v -n -l -u -q 30 9000 <<< welcome", "nc -l -u -k 9001"],
    );
    let of = |line: &str| said.iter().find(|(of, _)| of == line).map(|(_, text)| text.as_str()).unwrap();
    assert_eq!(of("nc -u -w 2 server 9000 <<< one"), "welcome\n");
    assert_eq!(of("nc -u -w 2 server 9000 <<< stranger"), "");
    let listener = of("nc -v -n -l -u -q 30 9000 <<< welcome");
    assert!(
        listener.starts_with("one\nBound on ") && listener.contains("\nConnection received on 10.0.1.10 "),
        "{listener}"
    );
    assert!(!listener.contains("stranger"), "{listener}");
    // With `-k` everybody is heard.
    assert_eq!(of("nc -l -u -k 9001"), "two\nthree\n");
}

#[test]
fn what_options_forbid_is_said_before_anything_is_sent() {
    for (line, why) in [
        ("ping -R -T tsonly b", "only one of -T or -R may be used"),
        ("ping -T now b", "`now` is not tsonly, tsandaddr or tsprespec"),
        ("ping -T tsprespec b", "the node whose time is asked for is missing"),
        ("mtr -u -T b", "only one of --udp or --tcp may be used"),
        ("traceroute -s b a", "`b` is not an address of this host"),
        ("tracepath -Z b", "option -Z: is unknown"),
    ] {
        let text = format!("[lab]\n[topology]\nlinks = [\"a -- b\"]\n[host.b]\n[host.a]\nrun = [\"{line}\"]\n");
        let mistakes = Lab::parse("lab.toml", &text).unwrap_err();
        assert!(mistakes.iter().any(|mistake| mistake.reason().contains(why)), "{line}: {mistakes:?}");
    }
}
