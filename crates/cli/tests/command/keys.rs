//! `septet keys`.

use serde_json::Value;

use crate::run;

#[test]
fn the_demonstration_says_what_is_read_of_each() {
    let ended = run(["keys", "demo", "Under the clock."]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let parts: Vec<&str> = ended.out.trim_end().split("\n\n").collect();
    let read = |part: &str, who: &str| {
        let line = part.lines().find(|line| line.contains(who)).unwrap_or_else(|| panic!("no {who} in {part}"));
        line.contains("Under the clock.")
    };
    let expected =
        [("symmetric", true, true), ("public", false, true), ("hybrid", false, true), ("agreement", false, false)];
    assert_eq!(parts.len(), expected.len(), "{}", ended.out);
    for (part, (name, at_once, later)) in parts.iter().zip(expected) {
        assert!(part.starts_with(&format!("{name}: ")), "{part}");
        assert!(read(part, "bob reads"), "{part}");
        assert_eq!(read(part, "who heard it all"), at_once, "{part}");
        assert_eq!(read(part, "with bob's private key"), later, "{part}");
    }
}

#[test]
fn speeds_are_printed() {
    let ended = run(["keys", "speed", "--time", "1", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |what: &str| lines.iter().find(|line| line["what"].as_str().unwrap().starts_with(what)).unwrap();
    for what in ["AES-256-GCM", "ChaCha20-Poly1305", "RSA-2048 with OAEP, opening"] {
        assert!(of(what)["bytes_per_second"].as_f64().unwrap() > 0.0, "{what}");
    }
    assert!(of("X25519")["per_second"].as_f64().unwrap() > 0.0);
    assert!(run(["keys", "speed", "--time", "1"]).out.contains("bytes a second"));
}
