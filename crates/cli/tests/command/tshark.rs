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
                   udp.checksum.status == Bad || icmp.checksum.status == Bad || \
                   tcp.checksum.status == Bad && !icmp)";

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
        let out = scratch(&format!("tshark-{}", path.file_stem().unwrap().display()));
        let ended = run(["run".as_ref(), path.as_os_str(), "-q".as_ref(), "-o".as_ref(), out.as_os_str()]);
        assert_eq!(ended.code, Some(0), "{path:?}: {ended:?}");
        let bad = tshark(&out.join("trace.pcapng"), &[&CHECKS[..], &["-Y", BAD]].concat());
        assert!(bad.is_empty(), "{path:?}: {:#?}", &bad[..bad.len().min(5)]);
    }
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
