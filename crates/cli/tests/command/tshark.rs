//! What tshark says of the captures of all labs.

use std::path::Path;
use std::process::Command;

use crate::{root, run, scratch};

/// Whether tshark is there. Where it is not the test says so and passes, unless `SEPTET_REQUIRE_JUDGES=1`.
fn judged() -> bool {
    let there = Command::new("tshark").arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        let required = std::env::var_os("SEPTET_REQUIRE_JUDGES").is_some_and(|v| v == "1");
        assert!(!required, "tshark is not installed and SEPTET_REQUIRE_JUDGES=1");
        eprintln!("SKIPPED: tshark is not installed, so nobody judged");
    }
    there
}

fn tshark(capture: &Path, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("tshark").arg("-n").arg("-r").arg(capture).args(arguments).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    let complaints: Vec<_> = err.lines().filter(|l| !l.is_empty() && !l.contains("Running as user \"root\"")).collect();
    assert!(complaints.is_empty(), "{capture:?}: {complaints:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

const CHECKS: [&str; 6] =
    ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"];

/// Bad, and not marked as damaged on the line. A segment that an ICMP error quotes is cut to 576 bytes with it (RFC 1812
/// §4.3.2.3); tshark sums up what is there and calls it bad.
const BAD: &str = "frame.packet_flags_crc_error == 0 && (_ws.malformed || ip.checksum.status == Bad || \
                   udp.checksum.status == Bad || icmp.checksum.status == Bad || icmpv6.checksum.status == Bad || \
                   tcp.checksum.status == Bad && !icmp && !icmpv6)";

/// tshark takes what an ISO session carries for ISO presentation or T.125; in a lab it is neither.
const OURS: [&str; 4] = ["--disable-protocol", "pres", "--disable-protocol", "t125"];

#[test]
fn sessions_are_decoded_as_what_they_are() {
    if !judged() {
        return;
    }
    let lab = root().join("labs/session-turns.toml");
    let out = scratch("tshark-session");
    let ended = run(["run".as_ref(), lab.as_os_str(), "-q".as_ref(), "-o".as_ref(), out.as_os_str()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let fields = ["-Y", "ses", "-T", "fields", "-e", "ses.type"];
    // Several share a segment.
    let segments = tshark(&out.join("trace.pcapng"), &[&OURS[..], &fields].concat());
    let types: Vec<&str> = segments.iter().flat_map(|segment| segment.split(',')).collect();
    // CONNECT, ACCEPT; data, PLEASE TOKENS and GIVE TOKENS in between; FINISH, DISCONNECT.
    assert_eq!((&types[..2], &types[types.len() - 2..]), (&["13", "14"][..], &["9", "10"][..]));
    for (kind, least) in [("1", 14), ("2", 4)] {
        assert!(types.iter().filter(|t| **t == kind).count() >= least, "{kind}: {types:?}");
    }
}

#[test]
fn nothing_in_any_lab_is_malformed() {
    if !judged() {
        return;
    }
    for entry in std::fs::read_dir(root().join("labs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        // A sweep is many runs, of which none keeps a capture.
        if std::fs::read_to_string(&path).unwrap().contains("\n[sweep]\n") {
            continue;
        }
        let out = scratch(&format!("tshark-{}", path.file_stem().unwrap().display()));
        let ended = run(["run".as_ref(), path.as_os_str(), "-q".as_ref(), "-o".as_ref(), out.as_os_str()]);
        assert_eq!(ended.code, Some(0), "{path:?}: {ended:?}");
        let bad = tshark(&out.join("trace.pcapng"), &[&CHECKS[..], &OURS, &["-Y", BAD]].concat());
        assert!(bad.is_empty(), "{path:?}: {:#?}", &bad[..bad.len().min(5)]);
        // What tshark takes for sent again was sent again.
        let untrue = format!("({SENT_AGAIN}) && !(frame.comment contains \"tcp.retransmit\") && {UNDAMAGED}");
        let untrue = tshark(&out.join("trace.pcapng"), &["-Y", &untrue]);
        assert!(untrue.is_empty(), "{path:?}: {} false warnings, {:#?}", untrue.len(), &untrue[..untrue.len().min(5)]);
    }
}

/// What tshark says of a connection of which frames are missing, or come twice.
const WARNINGS: &str = "tcp.analysis.out_of_order || tcp.analysis.retransmission || tcp.analysis.lost_segment || \
                        tcp.analysis.ack_lost_segment || tcp.analysis.duplicate_ack";
/// What it says of a segment that carries what it has seen before.
const SENT_AGAIN: &str = "tcp.analysis.out_of_order || tcp.analysis.retransmission";
/// Sequence numbers are not to be believed of what bit errors have touched.
const UNDAMAGED: &str = "frame.packet_flags_crc_error == 0";

#[test]
fn where_nothing_is_lost_or_overtaken_tshark_warns_of_nothing() {
    if !judged() {
        return;
    }
    let dir = scratch("whole");
    let path = crate::lab(
        &dir,
        r#"
[lab]
stop = "9s"
[media]
wan = { rate = "20mbit", delay = "9ms" }
[topology]
links = ["client -- s1", "s1 -- r1", "r1 -- r2 : wan", "r2 -- server"]
[switch.s1]
[router.r1]
[router.r2]
[host.client]
run = ["at 1s: curl http://server/ --repeat 3"]
[host.server.http]
body = "90kb"
"#,
    );
    let frames = |capture: &[&str], filter: &str| {
        let base = ["run".as_ref(), path.as_os_str(), "-q".as_ref(), "-o".as_ref(), dir.as_os_str()];
        let ended = run(base.into_iter().chain(capture.iter().map(|c| c.as_ref())));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        tshark(&dir.join("trace.pcapng"), &["-Y", filter]).len()
    };
    assert_eq!(frames(&[], WARNINGS), 0);
    assert_eq!(frames(&[], "http.response.code == 200"), 3);
    // Each port by itself has nothing to warn of either, nor has a router that passes everything on.
    for port in ["client", "r1:eth1", "r1"] {
        assert_eq!(frames(&["--capture", port], WARNINGS), 0, "{port}");
        assert_eq!(frames(&["--capture", port], "http.response.code == 200"), 3, "{port}");
    }
    // All ports at once are asked for by name, and show each segment eight times.
    let (once, all) = (frames(&[], "tcp"), frames(&["--capture", "all"], "tcp"));
    assert_eq!(all, once * 8);
    assert!(frames(&["--capture", "all"], WARNINGS) > 100, "this is what the test is about");
}

#[test]
fn what_is_lost_further_on_is_shown_where_it_is_lost() {
    if !judged() {
        return;
    }
    let dir = scratch("lost");
    let path = crate::lab(
        &dir,
        r#"
[lab]
stop = "20s"
[topology]
links = ["client -- s", "s -- server : rate 10mbit delay 5ms loss 5%"]
[switch.s]
[host.client]
run = ["at 1s: curl http://server/ --repeat 9"]
[host.server.http]
body = "90kb"
"#,
    );
    let ended = run(["run".as_ref(), path.as_os_str(), "-q".as_ref(), "-o".as_ref(), dir.as_os_str()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let count = |filter: &str| tshark(&dir.join("trace.pcapng"), &["-Y", filter]).len();
    // The server's frames are lost on their first link, the client's on their second.
    let lost = |port| format!("frame.comment contains \"lost: \" && frame.interface_name == \"{port}\"");
    assert!(count(&lost("server eth0")) > 10 && count(&lost("s eth1")) > 5);
    let truly = "frame.comment contains \"tcp.retransmit\" && !(frame.comment contains \"lost: \" && frame.interface_name == \"s eth1\")";
    let sent_again = count(truly);
    assert_eq!((count(SENT_AGAIN), count(&format!("({SENT_AGAIN}) && !({truly})"))), (sent_again, 0));
}

#[test]
fn https_is_readable_from_the_capture_alone() {
    if !judged() {
        return;
    }
    let out = scratch("decrypted");
    let ended = run(["run".as_ref(), "labs/shop.toml".as_ref(), "-q".as_ref(), "-o".as_ref(), out.as_os_str()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let capture = out.join("trace.pcapng");
    let count = |filter: &str| tshark(&capture, &["-Y", filter]).len();
    let requests = count("tls && http2.headers.method == GET && frame.interface_name == \"client eth0\"");
    let responses = count("tls && http2.headers.status == 200 && frame.interface_name == \"lb eth0\"");
    assert!(requests >= 195 && responses >= 195, "{requests} requests, {responses} responses");
    let pem = std::fs::read_to_string(out.join("ca.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
}

#[test]
fn bit_errors_are_bad_where_they_are_marked_and_nowhere_else() {
    if !judged() {
        return;
    }
    let dir = scratch("noise");
    let path = crate::lab(
        &dir,
        r#"
[lab]
stop = "60s"
[topology]
links = ["client -- server : rate 10mbit delay 5ms ber 3e-6"]
[host.client]
run = ["at 1s: curl http://server.lab/ --repeat 20 --interval 1s"]
[host.server.http]
body = "20kb"
[expect]
served = "client.http.ok == 20"
"#,
    );
    let ended = run(["run".as_ref(), path.as_os_str(), "-q".as_ref(), "-o".as_ref(), dir.as_os_str()]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
    let capture = dir.join("trace.pcapng");
    let checked = |filter| tshark(&capture, &[&CHECKS[..], &["-o", "eth.check_fcs:TRUE", "-Y", filter]].concat()).len();
    let marked = checked("frame.packet_flags_crc_error == 1");
    assert!(marked >= 5, "{marked} damaged frames");
    assert_eq!(checked("eth.fcs.status == Bad"), marked);
    assert_eq!(checked("frame.packet_flags_crc_error == 1 && frame.comment contains \"damaged\""), marked);
    assert_eq!(checked(BAD), 0);
    assert_eq!(checked("http.response.code == 200"), 20);
}
