//! Programs over ISO sessions: what ends a conversation and where its lines come from; when a file begins anew.

use septet_lab::{BuildOptions, Lab};

/// Plays `anna`, who calls `ben`; gives what each printed.
#[track_caller]
fn printed(anna: &str, ben: &str, rest: &str) -> (String, String) {
    let text = format!(
        r#"
[lab]
stop = "100s"
[topology]
links = ["anna -- ben : delay 50ms"]
[host.anna]
run = ["at 1s: chat ben {anna}"]
[host.ben]
run = ["chat -l {ben}"]
{rest}
"#
    );
    let lab = Lab::parse("lab.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    let mut run = lab.build(&BuildOptions::default()).unwrap();
    run.play().unwrap();
    let outputs = run.outputs();
    let of = |node: usize| {
        let all = outputs.iter().filter(|output| output.node == node);
        all.map(|output| output.console.output() + &output.console.errors()).collect::<String>()
    };
    (of(0), of(1))
}

#[test]
fn the_lines_are_those_of_the_standard_input_where_none_are_given() {
    let (anna, ben) = printed("<<< 'one\\ntwo'", "<<< three", "");
    assert!(ben.contains("< one\n") && ben.contains("< two\n"), "{ben}");
    assert!(anna.contains("> one\n") && anna.contains("> two\n") && anna.contains("< three\n"), "{anna}");
    let (anna, ben) = printed("--line four <<< five", "", "");
    assert!(anna.contains("> four") && ben.contains("< four") && !ben.contains("five"), "{anna}{ben}");
}

#[test]
fn who_listens_does_not_wait_for_ever_for_a_caller_who_says_nothing() {
    // Of the first call nothing but the handshake arrives; the second one finds who listens free again.
    let rest = "[faults]\nscript = [\"1s..40s: drop tcp psh on anna->ben\", \"1s..40s: drop tcp fin on anna->ben\"]";
    let text = "--line hello\", \"at 45s: chat ben --line again";
    let (anna, ben) = printed(text, "--line welcome", rest);
    assert!(ben.contains("chat: nobody spoke of a session within 30 s"), "{ben}");
    assert!(anna.contains("nobody spoke of a session within 30 s"), "{anna}");
    assert!(ben.contains("< again") && anna.contains("< welcome"), "{anna}{ben}");
}

#[test]
fn a_token_that_the_other_end_keeps_is_waited_for_as_long_as_quiet_lasts() {
    // The session stands at 1.35 s; what anna says then, the token that ben has asked for among it, is lost.
    let rest = "[faults]\nscript = [\"1.38s..90s: drop tcp psh on anna->ben\"]";
    let (_, ben) = printed(
        "--half-duplex --quiet 60s --line one",
        "--quiet 4s --pause 3s --line two --line three --line four",
        rest,
    );
    assert!(ben.contains("(asks for the token)"), "{ben}");
    assert!(ben.contains("the other end keeps the token"), "{ben}");
}

#[test]
fn a_file_goes_on_at_a_point_or_begins_anew_where_there_is_none() {
    // At 1 Mbit/s the first of the points, 128 KiB apart, is confirmed a second after the file has begun.
    let text = r#"
[lab]
stop = "60s"
[topology]
links = ["anna -- ben : delay 5ms rate 1mbit"]
[host.anna]
run = ["at 1s: send film ben --bytes 1m --checkpoint 512k"]
[host.ben]
run = ["receive inbox"]
[faults]
script = ["1.5s: reset anna->ben", "8s: reset anna->ben"]
[expect]
whole   = "anna.transfer.ok == 1 and anna.transfer.broken == 2"
anew    = "anna.transfer.anew == 1 and max(anna.transfer.anew, before = 8s) == 1"
resumed = "anna.transfer.resumed == 1 and first(anna.transfer.resumed) > 8s"
"#;
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|e| panic!("{e}"));
    let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    let missed: Vec<_> = outcome.verdicts.iter().filter(|verdict| !verdict.held).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
