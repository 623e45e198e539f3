//! When a balancer's backends may be chosen: how many at once, when they are proven, ejected, or all that there is.

use septet_lab::{BuildOptions, Lab, Outcome};

fn play(balancer: &str, servers: &str, client: &str, rest: &str) -> Outcome {
    let text = format!(
        r#"
[lab]
stop = "30s"
[topology]
links = ["c, lb, w[1..4] -- s"]
[switch.s]
[host.lb.balancer]
listen = "http://:80"
{balancer}
[host."w[1..4]".http]
{servers}
[host.c]
run = [{client}]
{rest}
"#
    );
    let lab = Lab::parse("lab.toml", &text).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(lab.warnings.is_empty(), "{:?}", lab.warnings);
    lab.build(&BuildOptions::default()).unwrap().finish().unwrap()
}

fn sum(outcome: &Outcome, node: &str, metric: &str) -> f64 {
    let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == node).unwrap();
    recorder.series(metric).map_or(0.0, |s| s.sum())
}

/// When each sample was recorded, in seconds, and its value.
fn samples(outcome: &Outcome, node: &str, metric: &str) -> Vec<(f64, f64)> {
    let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == node).unwrap();
    let series = recorder.series(metric).unwrap_or_else(|| panic!("{metric} was not recorded"));
    series.samples().iter().map(|s| (s.at.as_secs_f64(), s.value)).collect()
}

#[test]
fn a_full_backend_lets_clients_wait_in_their_order() {
    // Twelve requests at once for two servers that take 100 ms for each and may have two: four go at once.
    let client = r#""at 1s: curl http://lb/ --repeat 12 --interval 1us --parallel --fresh""#;
    let balancer = "to = \"w[1..2]:80\"\nmost = 2";
    let outcome = play(balancer, "think = \"100ms\"", client, "");
    assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "lb", "balancer.queued")), (12.0, 8.0));
    let times = samples(&outcome, "c", "http.time");
    for (round, of) in times.chunks(4).enumerate() {
        let least = 0.1 * (round + 1) as f64;
        assert!(of.iter().all(|(_, time)| (least..least + 0.02).contains(time)), "{times:?}");
    }
    assert!(samples(&outcome, "lb", "balancer.wait").windows(2).all(|pair| pair[0].1 <= pair[1].1 + 0.001));
    // As many as may wait do, and the others are told so at once.
    let short = play(&format!("{balancer}\nqueue = {{ most = 3 }}"), "think = \"100ms\"", client, "");
    assert_eq!((sum(&short, "c", "http.ok"), sum(&short, "c", "http.status.503")), (7.0, 5.0));
    assert_eq!(sum(&short, "lb", "balancer.queue.full"), 5.0);
    // Who waits for too long is told so then.
    let brief = play(&format!("{balancer}\nqueue = {{ timeout = \"150ms\" }}"), "think = \"100ms\"", client, "");
    assert_eq!((sum(&brief, "c", "http.ok"), sum(&brief, "lb", "balancer.queue.timeout")), (8.0, 4.0));
    // Without a bound nobody waits.
    let free = play("to = \"w[1..2]:80\"", "think = \"100ms\"", client, "");
    assert_eq!((sum(&free, "c", "http.ok"), sum(&free, "lb", "balancer.queued")), (12.0, 0.0));
}

#[test]
fn a_waiting_client_that_has_gone_takes_nobody_s_place() {
    let client = r#""at 1s: curl http://lb/ --repeat 3 --interval 1us --parallel --fresh --max-time 150ms",
        "at 1.01s: curl http://lb/ --max-time 2s""#;
    let outcome = play("to = \"w1:80\"\nmost = 1", "think = \"200ms\"", client, "");
    // The first three give up; what they held and waited for is the fourth's.
    assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "c", "http.exit.28")), (1.0, 3.0));
}

#[test]
fn a_backend_that_no_check_has_proven_gets_nothing() {
    // It answers checks with an error from the beginning, and serves clients.
    let sick = "answers = [\"/health: 500\"]";
    let client = r#""at 1ms: curl http://lb/ --repeat 200 --interval 20ms""#;
    let health = "health = { every = \"200ms\", path = \"/health\" }";
    let outcome = play(&format!("to = \"w[1..4]:80\"\n{health}"), sick, client, "");
    assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "c", "http.status.503")), (0.0, 200.0));
    for n in 1..=4 {
        assert_eq!(sum(&outcome, "lb", &format!("backend.w{n}.requests")), 0.0);
    }
    // Those that are well serve from their first check on, and who came before it waited.
    let well = play(&format!("to = \"w[1..4]:80\"\n{health}"), "think = \"20ms\"", client, "");
    assert_eq!((sum(&well, "c", "http.ok"), sum(&well, "c", "http.error")), (200.0, 0.0));
    assert!(sum(&well, "lb", "balancer.queued") >= 1.0);
    // With a threshold, all are asked that fell, as too few are well; but not before they fell.
    let panic = play(&format!("to = \"w[1..4]:80\"\n{health}\npanic = \"50%\""), sick, client, "");
    assert!(sum(&panic, "c", "http.ok") > 150.0, "{}", sum(&panic, "c", "http.ok"));
    assert!(samples(&panic, "c", "http.ok")[0].0 > 0.4, "three checks must fail first");
}

#[test]
fn clients_failures_eject_for_a_time_and_no_more_than_a_share() {
    // Two of four are not there.
    let client = r#""at 1s: curl http://lb/ --repeat 400 --interval 50ms""#;
    let faults = "[faults]\nscript = [\"500ms: crash w1, w2\"]";
    let failed = |balancer: &str| {
        let outcome = play(
            &format!("to = \"w[1..4]:80\"\nconnect_timeout = \"20ms\"\nretries = 4\n{balancer}"),
            "",
            client,
            faults,
        );
        let failed = sum(&outcome, "lb", "backend.w1.failed") + sum(&outcome, "lb", "backend.w2.failed");
        (sum(&outcome, "c", "http.ok"), failed)
    };
    // Twenty seconds: each fails a client every ten, or every two.
    assert_eq!(failed(""), (400.0, 4.0));
    let (served, often) = failed("eject = { time = \"2s\" }");
    assert!(served == 400.0 && (16.0..=20.0).contains(&often), "{often}");
    // Three failures in a row at first, and one more when the time is over: nothing has gone well since.
    assert_eq!(failed("eject = { after = 3 }"), (400.0, 8.0));
    // One of four may be passed over at once: the other goes on failing clients in its turn, more than may be tried again.
    let (served, bounded) = failed("eject = { share = \"25%\" }");
    assert!(served < 400.0 && bounded > 60.0, "{served} {bounded}");
}
