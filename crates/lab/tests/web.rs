//! What curl does about servers that are silent, refuse, or fail for a while; from the lab file to the expectation.

use septet_lab::{BuildOptions, Lab};

/// Plays a lab in which these hosts run what the text says; its expectations hold.
fn holds(text: &str) {
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|e| panic!("{e}"));
    let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    assert!(!outcome.verdicts.is_empty());
    for verdict in &outcome.verdicts {
        assert!(verdict.held, "{verdict}");
    }
}

#[test]
fn the_second_address_gets_the_other_half_of_the_time() {
    holds(
        r#"
[lab]
stop = "20s"
[topology]
links = ["c -- r", "r -- silent", "r -- alive, names"]
[router.r]
[host.silent]
[host.alive.http]
[host.names.dns]
zones = { "x.test" = { www = ["silent", "alive"] } }
[host.c]
run = [
    "at 1s: curl -s http://www.x.test/ --connect-timeout 4",
    "at 8s: curl -s http://www.x.test/ -m 2",
]
[faults]
script = ["500ms..20s: loss 100% on r->silent"]
[expect]
half = "c.http.ok == 2 and 1.9s < max(c.http.time.connect) < 2.2s"
less = "0.9s < min(c.http.time.connect) < 1.1s"
"#,
    );
}

#[test]
fn only_silent_addresses_are_a_timeout() {
    holds(
        r#"
[lab]
stop = "20s"
[topology]
links = ["c -- r", "r -- a, b, names"]
[router.r]
[host.a]
[host.b]
[host.names.dns]
zones = { "x.test" = { www = ["a", "b"] } }
[host.c]
run = ["at 1s: curl -s http://www.x.test/ --connect-timeout 4"]
[faults]
script = ["500ms..20s: loss 100% on r->a", "500ms..20s: loss 100% on r->b"]
[expect]
late = "c.http.exit.28 == 1 and 4.9s < last(c.program.curl.exit) < 5.1s"
"#,
    );
}

#[test]
fn a_refused_connection_is_tried_again_where_the_command_says_so() {
    holds(
        r#"
[lab]
stop = "60s"
[topology]
links = ["c, d -- s -- web"]
[switch.s]
[host.web.http]
[host.c]
run = ["at 1s: curl -s http://web:81/ --retry 3", "then: curl -s http://web:81/ --retry 3 --retry-connrefused"]
[host.d]
run = ["at 1s: curl -s http://web:81/ --retry 3 --retry-connrefused --retry-delay 2 --retry-max-time 5"]
[expect]
doubled = "c.http.exit.7 == 2 and c.http.retries == 3 and 7.9s < last(c.program.curl.exit) < 8.1s"
bounded = "d.http.exit.7 == 1 and d.http.retries == 2 and 4.9s < last(d.program.curl.exit) < 5.1s"
"#,
    );
}

#[test]
fn statuses_and_exit_codes() {
    holds(
        r#"
[lab]
stop = "60s"
[topology]
links = ["c, d, e -- s -- web"]
[switch.s]
[host.web.http]
answers = ["/500: 500", "/late: after 5s", "first 2 /shy: 503 with retry-after 4"]
[host.c]
run = ["at 1s: curl -s http://web/500", "then: curl -s -f http://web/500", "then: curl -s --fail-with-body http://web/500"]
[host.d]
run = ["at 1s: curl -s -m 2 http://web/late --retry 1", "then: curl -s http://web/late http://nowhere.test/"]
[host.e]
run = ["at 1s: curl -s -f http://web/shy --retry 5"]
[expect]
fails = "c.http.exit.22 == 2 and c.http.status.500 == 3 and sum(c.http.bytes) > 0"
late  = "d.http.exit.28 == 1 and d.http.retries == 1 and d.http.ok == 1 and d.http.exit.6 == 1"
shy   = "e.http.ok == 1 and e.http.retries == 2 and 8.9s < last(e.program.curl.exit) < 9.1s"
served = "web.http.answers.503 == 2 and web.http.answers.500 == 3"
"#,
    );
}

#[test]
fn an_answer_that_will_not_do_is_shown_in_its_place() {
    let text = "[topology]\nlinks = [\"c -- web\"]\n[host.c]\n[host.web.http]\nanswers = [\"/x: 503 fro 30%\"]\n";
    let mistakes = format!("{:?}", Lab::parse("lab.toml", text).unwrap_err());
    assert!(mistakes.contains("`fro` is no part of an answer"), "{mistakes}");
}

#[test]
fn a_server_compresses_for_who_takes_it() {
    let text = r#"
[lab]
stop = "20s"
[topology]
links = ["c -- web"]
[host.web.http]
body = "200kb"
compress = ["br", "gzip"]
[host.c]
run = [
    "at 1s: curl -s http://web/",
    "at 2s: curl -s --compressed http://web/",
    "at 3s: curl -s --compressed -H 'Accept-Encoding: gzip;q=1, br;q=0.5' http://web/",
    "at 4s: curl -s --compressed --repeat 3 http://web/",
    "at 5s: curl -s -H 'Accept-Encoding: identity;q=0' http://web/",
    "at 6s: curl -s -I --compressed http://web/",
]
[expect]
all  = "c.http.ok == 7"
none = "web.http.answers.406 == 1"
"#;
    holds(text);
    let lab = Lab::parse("lab.toml", text).unwrap_or_else(|e| panic!("{e}"));
    let outcome = lab.build(&BuildOptions::default()).unwrap().finish().unwrap();
    let (_, web) = outcome.recorders.iter().find(|(name, _)| name == "web").unwrap();
    let sent: Vec<f64> = web.series("http.sent").unwrap().samples().iter().map(|sample| sample.value).collect();
    assert_eq!(sent[0], 204_800.0, "who does not ask gets it as it is");
    assert!(sent[1] < 180_000.0 && sent[2] < 180_000.0 && sent[1] != sent[2], "brotli, then gzip: {sent:?}");
    assert_eq!(sent[3..6], [sent[1]; 3]);
    let wrong = format!("{:?}", Lab::parse("lab.toml", &text.replace("\"br\"", "\"gzp\"")).unwrap_err());
    assert!(wrong.contains("no content coding is called `gzp` (did you mean `gzip`?)"), "{wrong}");
}
