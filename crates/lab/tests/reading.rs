//! What a receiver does for its sender, as a lab shows it: a window that is kept, and ACKs that are not too many.

use septet_lab::{BuildOptions, Lab};

/// Plays a lab whose expectations must hold.
fn holds(text: &str) {
    let lab = Lab::parse("lab.toml", text).unwrap();
    let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    assert!(!outcome.verdicts.is_empty());
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{}: {:?}\n{text}", verdict.name, verdict.found);
    }
}

/// Writes that do not divide by the granularity of the window, to a reader that is slower than they come: it is the reader
/// that sets the pace, nothing is thrown away at the window's edge, and nothing is held to be lost.
#[test]
fn a_slow_reader_never_throws_away_what_it_allowed() {
    for (chunk, rate, read) in [(1275, 50, "256k"), (1000, 13_000, "64k"), (333, 2_000, "10k"), (1448, 700, "100k")] {
        let bytes = rate * 1000 / 8 * 20;
        holds(&format!(
            r#"
            [lab]
            name = "slow-reader"
            stop = "200s"

            [topology]
            links = ["a -- b : rate 100mbit delay 50us"]

            [host.a]
            run = ["tcp-send --no-delay --chunk {chunk} b 81 {bytes}"]

            [host.b]
            run = ["tcp-sink --read-rate {rate}kbit --chunk {read} 81"]

            [expect]
            all = "sum(b.sink.bytes) == {bytes}b"
            time = "max(b.sink.time) < 22s"
            repaired = "a.TcpExtTCPFastRetrans == 0"
            timeouts = "a.TcpExtTCPTimeouts == 0"
            trimmed = "b.TcpExtTCPRcvQDrop == 0"
            "#
        ));
    }
}

/// RFC 5681 §4.2: "an ACK SHOULD be generated for at least every second full-sized segment", and one for each is too many:
/// on the last of twenty answers as on the first.
#[test]
fn a_reader_that_keeps_up_acknowledges_every_second_segment() {
    holds(
        r#"
        [lab]
        name = "delayed-acks"
        stop = "60s"

        [topology]
        links = ["client -- server : rate 100mbit delay 5ms"]

        [host.client]
        run = ["at 1s: curl http://server/ --repeat 20 --interval 1s"]

        [host.server.http]
        body = "200kb"

        [expect]
        ok = "client.http.ok == 20"
        sent = "2800 <= server.TcpOutSegs <= 2900"
        acknowledged = "1400 <= client.TcpOutSegs <= 1900"
        "#,
    );
}
