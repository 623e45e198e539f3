//! Faults begin, overlap, end, and are the cause of what follows.

use septet_capture::Shared;
use septet_core::{Carrier, Event, EventId, Instant, Interest, Monitor};
use septet_engine::Heading;
use septet_lab::{BuildOptions, Lab, Run, Standing};

const LAB: &str = r#"
[lab]
stop = "20s"
[media]
wan = { rate = "10mbit", delay = "10ms" }
[topology]
links = ["a -- r : wan", "r -- b"]
[router.r]
[host.a]
[host.b]
"#;

fn run(script: &str) -> Run {
    let lab = Lab::parse("lab.toml", &format!("{LAB}[faults]\nscript = [{script}]\n")).unwrap();
    lab.build(&BuildOptions::default()).unwrap()
}

/// Loss and delay from a to r, whether the link has a carrier, and whether b is on, at each time.
fn states(run: &mut Run, times: &[u64]) -> Vec<(f64, u128, bool, bool)> {
    let link = run.link(0).unwrap();
    let b = run.station(run.lab().node("b").unwrap()).unwrap();
    let mut states = Vec::new();
    for at in times {
        run.world.run_until(Instant::from_millis(*at)).unwrap();
        let medium = run.world.medium(link, Heading::AToB).unwrap();
        let carrier = run.world.carrier(link) == Carrier::Up;
        states.push((medium.loss.get(), medium.delay.as_millis(), carrier, run.world.is_on(b)));
    }
    states
}

#[test]
fn a_window_undoes_itself() {
    let mut run = run(r#""5s..7s: loss 20% delay 50ms on a--r""#);
    let calm = (0.0, 10, true, true);
    assert_eq!(states(&mut run, &[4999, 5000, 6999, 7000]), [calm, (0.2, 50, true, true), (0.2, 50, true, true), calm]);
}

#[test]
fn faults_that_overlap_add_up() {
    let mut run = run(r#""1s..4s: loss 20% on a--r", "2s..6s: delay 50ms on a->r", "3s..5s: loss 1% on a--r""#);
    let seen: Vec<_> = states(&mut run, &[1500, 2500, 3500, 4500, 5500, 6500]).iter().map(|s| (s.0, s.1)).collect();
    assert_eq!(seen, [(0.2, 10), (0.2, 50), (0.01, 50), (0.01, 50), (0.0, 50), (0.0, 10)]);
}

#[test]
fn cuts_and_flaps() {
    let mut run = run(r#""1s..3s: cut a--r", "2s..4s: cut r--a", "10s..12s: flap a--r every 1s down 200ms""#);
    let seen: Vec<_> = states(&mut run, &[500, 1500, 3500, 4500, 10_100, 10_300, 11_100, 11_300, 12_100])
        .iter()
        .map(|s| s.2)
        .collect();
    assert_eq!(seen, [true, false, false, true, false, true, false, true, true]);
}

#[test]
fn crashes_and_restarts() {
    let mut run = run(r#""1s: crash b", "2s: restart b", "3s..5s: crash b", "4s: crash b", "6s: restore b""#);
    let seen: Vec<_> = states(&mut run, &[500, 1500, 2500, 4500, 5500, 6500]).iter().map(|s| s.3).collect();
    assert_eq!(seen, [true, false, true, false, false, true], "the second crash outlives the first");
}

#[test]
fn restore_ends_what_is_in_effect() {
    let mut run = run(r#""1s..9s: loss 20% on a--r", "2s: cut a--r", "3s: restore a--r""#);
    assert_eq!(states(&mut run, &[2500, 3500, 9500])[1..], [(0.0, 10, true, true); 2]);
}

#[test]
fn a_fault_may_come_while_it_runs() {
    let mut run = run("");
    run.world.run_until(Instant::from_secs(5)).unwrap();
    let fault = run.lab().fault("1s..9s: loss 5% on a--r").unwrap();
    let id = run.inject(&fault);
    let seen: Vec<_> = states(&mut run, &[5500, 6500]).iter().map(|s| s.0).collect();
    assert_eq!(seen, [0.0, 0.05]);
    assert!(run.cancel(id));
    assert!(!run.cancel(id), "it has ended");
    assert_eq!(states(&mut run, &[7000])[0].0, 0.0);
    assert!(run.lab().fault("loss 5% on a--z").is_err());
}

/// The faults that are not over, with their numbers.
fn listed(run: &mut Run, millis: u64) -> Vec<(u64, String, Standing)> {
    run.world.run_until(Instant::from_millis(millis)).unwrap();
    run.faults().into_iter().map(|(id, text, standing)| (id.number(), text, standing)).collect()
}

#[test]
fn the_board_tells_what_is_in_force_and_what_is_to_come() {
    let mut run = run(r#""1s..2s: loss 20% on a--r", "1s: cut a--r", "3s: restart b", "3s: restore a--r""#);
    let pending = |at| Standing::Pending { at: Instant::from_secs(at) };
    let until = |at: Option<u64>| Standing::InForce { until: at.map(Instant::from_secs) };
    let loss = "loss 20% on a--r".to_owned();
    let cut = "cut a--r".to_owned();
    let moments = [(3, "restart b".to_owned(), pending(3)), (4, "restore a--r".to_owned(), pending(3))];
    let all = |first: Vec<_>| first.into_iter().chain(moments.clone()).collect::<Vec<_>>();
    assert_eq!(listed(&mut run, 500), all(vec![(1, loss.clone(), pending(1)), (2, cut.clone(), pending(1))]));
    assert_eq!(listed(&mut run, 1500), all(vec![(1, loss, until(Some(2))), (2, cut.clone(), until(None))]));
    assert_eq!(listed(&mut run, 2500), all(vec![(2, cut, until(None))]));
    assert_eq!(listed(&mut run, 3500), [], "restored, and what happens in a moment does not last");
}

#[test]
fn a_fault_that_is_to_come_can_be_called_off() {
    let mut run = run("");
    let fault = run.lab().fault("1s..9s: loss 5% on a--r").unwrap();
    let id = run.inject(&fault);
    assert!(run.cancel(id) && !run.cancel(id));
    assert_eq!(listed(&mut run, 2000), []);
    assert_eq!(states(&mut run, &[2500])[0].0, 0.0, "it came all the same");
}

#[derive(Default)]
struct Events(Vec<Event>);

impl Monitor for Events {
    fn interest(&self) -> Interest {
        Interest::Events
    }

    fn event(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

#[test]
fn a_fault_is_the_cause_of_what_follows() {
    let mut run = run(r#""1s..3s: cut a--r", "5s..7s: crash b""#);
    let events = Shared::new(Events::default());
    run.world.add_monitor(events.clone());
    run.play().unwrap();
    let events = events.with(|e| std::mem::take(&mut e.0));
    let find = |kind: &str, after: u64| {
        events
            .iter()
            .find(|e| e.kind == kind && e.at >= Instant::from_secs(after))
            .unwrap_or_else(|| panic!("no {kind}"))
    };
    let chain = |event: &Event| -> Vec<&str> {
        let mut kinds = vec![event.kind];
        let mut cause = event.cause;
        while cause != EventId::NONE {
            let event = events.iter().find(|e| e.id == cause).unwrap();
            kinds.push(event.kind);
            cause = event.cause;
        }
        kinds
    };
    assert_eq!(chain(find("link.down", 1)), ["link.down", "fault.cut"]);
    assert_eq!(chain(find("link.up", 3)), ["link.up", "fault.end", "fault.cut"]);
    assert_eq!(chain(find("power.off", 5)), ["power.off", "fault.crash"]);
    assert_eq!(chain(find("power.on", 7)), ["power.on", "fault.end", "fault.crash"]);
    assert_eq!(find("fault.cut", 0).field("fault").unwrap().to_string(), "cut a--r");
}

#[test]
fn clocks_are_wrong_while_it_lasts_and_add_up() {
    let mut run = run(
        r#""1s..4s: skew +5s on a", "2s..3s: skew -7s on a, b", "5s..15s: drift 100000ppm on b", "6s: wipe b", "7s: restore b""#,
    );
    let [a, b] = ["a", "b"].map(|name| run.station(run.lab().node(name).unwrap()).unwrap());
    for host in [a, b] {
        // Who does nothing does not look at the clock.
        let net = run.world.station::<septet_host::Host>(host).unwrap().net();
        let ticking = net.clone();
        drop(net.spawn(Box::pin(async move {
            for tick in 1.. {
                ticking.sleep_until(Instant::from_millis(tick * 500)).await;
            }
        })));
    }
    let off = |run: &mut Run, host, millis: u64| {
        run.world.run_until(Instant::from_millis(millis)).unwrap();
        let right = run.lab().epoch.as_millis() as i64 + millis as i64;
        run.world.station::<septet_host::Host>(host).unwrap().net().unix_time().as_millis() as i64 - right
    };
    let seen: Vec<i64> = [500, 1500, 2500, 3500, 4500].map(|at| off(&mut run, a, at)).into();
    assert_eq!(seen, [0, 5000, -2000, 5000, 0]);
    // A tenth too fast for two seconds; what was gained is kept.
    assert_eq!([off(&mut run, b, 5500), off(&mut run, b, 6500), off(&mut run, b, 9000)], [50, 150, 200]);
}

#[test]
fn a_client_whose_clock_is_wrong_takes_a_certificate_for_outdated() {
    let asked = |fault: &str| {
        let lab = format!(
            "[lab]\nstop = \"5s\"\n[topology]\nlinks = [\"a -- web\"]\n[host.web.http]\nlisten = \"https://web.lab\"\n\
             [host.a]\nrun = [\"at 1s: curl https://web.lab/\"]\n[faults]\nscript = [\"{fault}\"]\n"
        );
        let outcome = Lab::parse("lab.toml", &lab).unwrap().build(&BuildOptions::default()).unwrap().finish().unwrap();
        let (_, recorder) = outcome.recorders.iter().find(|(name, _)| name == "a").unwrap();
        recorder.series("http.ok").map_or(0, |series| series.count())
    };
    assert_eq!(asked("500ms: skew +1s on a"), 1);
    assert_eq!(asked("500ms: skew +40000000s on a"), 0, "some 463 days, and it is good for 397");
}

#[test]
fn what_is_wrong_with_a_clock_fault_is_told() {
    let lab = Lab::parse("lab.toml", LAB).unwrap();
    let told = |text: &str| lab.fault(text).unwrap_err().iter().next().unwrap().reason().to_owned();
    assert_eq!(told("skew soon on a"), "`soon` is not a time");
    assert_eq!(told("skew +5s a"), "whose clock?");
    assert_eq!(told("drift 5% on a"), "`5%` is no rate of a clock");
    assert_eq!(told("drift 2000000ppm on a"), "`2000000ppm` is no rate of a clock");
    assert!(lab.fault("wipe a, b").is_ok() && lab.fault("drift -5ppm on r").is_ok());
}
