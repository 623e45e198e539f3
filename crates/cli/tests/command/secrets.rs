//! What must be a secret is one where the network is real, whatever the seed; and nobody else may read what is kept of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::{run, scratch};

const LAB: &str = r#"
[lab]
name = "secrets"
seed = 7
stop = "600ms"
[topology]
links = ["a -- b"]
[host.a]
run = ["at 50ms: curl https://b.lab/ -o /dev/null", "at 50ms: dig @b b.lab"]
[host.b.dns]
zones = { "x.test" = { www = "b" } }
[host.b.http]
listen = ["https://b.lab"]
"#;

/// What a stranger who knew the seed would like to know: initial sequence numbers, timestamps and ports as the wire shows
/// them, identifiers of DNS, the keys of TLS, and the authority's certificate.
fn secrets(dir: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let mut kept: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for block in blocks(&fs::read(dir.join("trace.pcapng")).unwrap()) {
        match block {
            Block::Frame(frame) => {
                let Some(tcp) = frame.get(34..).filter(|_| frame[12..14] == [8, 0] && frame[23] == 6) else { continue };
                if tcp[13] & 2 != 0 {
                    kept.entry("initial sequence number").or_default().push(format!("{:?}", &tcp[4..8]));
                    kept.entry("port").or_default().push(format!("{:?}", &tcp[0..4]));
                    // MSS, SACK permitted, then the timestamps.
                    kept.entry("timestamp").or_default().push(format!("{:?}", &tcp[28..32]));
                }
            }
            Block::Secrets(text) => kept.entry("TLS").or_default().push(text),
        }
    }
    for line in fs::read_to_string(dir.join("events")).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        if event["kind"] == "dns.query" {
            kept.entry("DNS identifier").or_default().push(event["fields"]["id"].to_string());
        }
    }
    kept.entry("authority").or_default().push(fs::read_to_string(dir.join("ca.pem")).unwrap());
    kept
}

enum Block {
    Frame(Vec<u8>),
    Secrets(String),
}

/// The packets and secrets of a pcapng file in this machine's order of octets.
fn blocks(mut bytes: &[u8]) -> Vec<Block> {
    let word = |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut found = Vec::new();
    while bytes.len() >= 12 {
        let (block, rest) = bytes.split_at(word(bytes, 4) as usize);
        match word(block, 0) {
            6 => found.push(Block::Frame(block[28..28 + word(block, 20) as usize].to_vec())),
            10 => found.push(Block::Secrets(String::from_utf8_lossy(&block[16..]).into_owned())),
            _ => {}
        }
        bytes = rest;
    }
    found
}

fn play(how: &[&str], dir: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let lab = dir.with_extension("toml");
    fs::write(&lab, LAB).unwrap();
    let arguments = how.iter().map(OsStr::new).chain([lab.as_os_str(), OsStr::new("-o"), dir.as_os_str()]);
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mode = fs::metadata(dir.join("trace.pcapng")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a capture with the keys of TLS is for its owner");
    let kept = secrets(dir);
    assert_eq!(kept.len(), 6, "not everything was seen: {kept:?}");
    kept
}

#[test]
fn in_virtual_time_a_seed_gives_everything() {
    let dir = scratch("secrets-virtual");
    let [one, two] = ["one", "two"].map(|name| play(&["run", "--story", "none"], &dir.join(name)));
    assert_eq!(one, two);
}

#[test]
fn two_live_labs_of_one_seed_share_no_secret() {
    let dir = scratch("secrets-live");
    let [one, two] = ["one", "two"].map(|name| {
        let lab = format!("secrets-{name}-{}", std::process::id());
        play(&["up", "--story", "none", "--capture", "--name", &lab], &dir.join(name))
    });
    for (what, values) in &one {
        // The client may meet a port again by chance; all of them it does not.
        assert_ne!(values, &two[what], "{what} is the same in two processes");
    }
}
