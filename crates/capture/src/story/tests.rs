use core::time::Duration;

use septet_core::{EventId, Fields, StationId};

use super::*;

fn names() -> Names {
    let mut names = Names::new();
    names.station(StationId(0), "client").station(StationId(1), "lb");
    names.address(StationId(1), septet_core::Port(0), "10.0.2.2".parse().unwrap());
    names
}

fn event(millis: u64, kind: &'static str, build: impl FnOnce(&mut Fields)) -> Event {
    let mut fields = Fields::default();
    build(&mut fields);
    Event {
        id: EventId(millis),
        at: Instant::from_millis(millis),
        station: StationId(0),
        storey: Storey::Application,
        kind,
        cause: EventId::NONE,
        fields,
    }
}

fn story(length: Length, style: Style, events: impl IntoIterator<Item = Event>) -> String {
    let mut story = Story::new(Vec::new(), names(), length, style);
    events.into_iter().for_each(|e| story.event(&e));
    String::from_utf8(story.finish().unwrap()).unwrap()
}

fn requests(n: u64) -> impl Iterator<Item = Event> {
    (1..=n).map(|i| {
        event(i * 100, "gopher.request", |f| {
            f.set("to", std::net::SocketAddr::from(([10, 0, 2, 2], 70))).set("took", Duration::from_millis(100 + i));
        })
    })
}

#[test]
fn repetition_is_folded() {
    assert_eq!(
        story(Length::Short, Style::default(), requests(200)),
        "    0.100000  client → lb        application   gopher request: to lb:70, took 101 ms\n\
         \x20   0.200000  client → lb                      gopher request: to lb:70, took 102 ms\n\
         \x20   0.300000  client → lb                      gopher request: to lb:70, took 103 ms\n\
         \x20   0.400000  client → lb                      … 197 more gopher.request until 20.000 s, p50 200 ms\n"
    );
}

#[test]
fn four_are_told_rather_than_folded() {
    assert_eq!(story(Length::Short, Style::default(), requests(4)).matches("gopher").count(), 4);
}

#[test]
fn all_is_all_and_a_narrow_terminal_cuts() {
    let style = Style { width: Some(70), paint: Paint::Plain };
    let text = story(Length::All, style, requests(5));
    assert_eq!(text.lines().count(), 5);
    assert!(text.lines().all(|l| unicode_width::UnicodeWidthStr::width(l) <= 70), "{text}");
    assert!(text.contains('…'));
}

#[test]
fn colours_only_when_asked_for() {
    assert!(!story(Length::Short, Style::default(), requests(1)).contains('\x1b'));
    assert!(story(Length::Short, Style { paint: Paint::Ansi, ..Style::default() }, requests(1)).contains("\x1b["));
}

#[test]
fn a_million_kinds_of_moments_still_fit_two_pages() {
    let many = (0..20_000u64).map(|i| {
        event(i, ["a.b", "c.d", "e.f"][(i % 3) as usize], |f| {
            f.set("to", format!("host{}", i % 7000));
        })
    });
    let text = story(Length::Short, Style::default(), many);
    assert!(text.lines().count() <= 200, "{}", text.lines().count());
    assert!(text.contains("more a.b until"));
}

#[test]
fn one_moment_is_never_folded() {
    // Thirteen changes, each for a reason of its own: one more than a sort may have.
    let reasons = "abcdefghijklm".chars();
    let events = reasons.zip(1..).map(|(reason, i)| {
        event(i, "tcp.state", |f| {
            f.set("from", "A").set("to", "B").set("why", reason.to_string());
        })
    });
    let told = story(Length::Short, Style::default(), events);
    assert!(!told.contains("more"), "{told}");
    assert!(told.contains("A → B — m"), "{told}");
}

#[test]
fn programs_that_start_again_and_again_fold_and_others_are_all_told() {
    let every = (0..300u64).flat_map(|i| {
        [("program.start", i * 10), ("program.exit", i * 10 + 1)].map(|(kind, at)| {
            event(at, kind, |f| {
                f.set("command", "ping -c 1 lb");
                if kind == "program.exit" {
                    f.set("status", u64::from(i == 77)).set("took", Duration::from_millis(1));
                }
            })
        })
    });
    let others = (0..20u64).map(|i| {
        event(5_000 + i, "program.start", |f| {
            f.set("command", format!("curl http://lb/{i}"));
        })
    });
    let told = story(Length::Short, Style::default(), every.chain(others));
    assert!(told.lines().count() < 35, "{told}");
    assert!(told.contains("… 297 more starts of programs (ping -c 1 lb)"), "{told}");
    assert!(told.contains("ends with status 1"), "the one that failed is told: {told}");
    assert!((0..20).all(|i| told.contains(&format!("runs: curl http://lb/{i}\n"))), "{told}");
}

#[test]
fn a_story_keeps_to_its_pages_whatever_happens() {
    let events = (0..5_000u64).map(|i| {
        event(i, "fault.cut", |f| {
            f.set("fault", format!("cut r{}--r2", i % 70))
                .set("to", std::net::IpAddr::from([10, 0, (i % 60) as u8, 2]));
        })
    });
    let told = story(Length::Short, Style::default(), events);
    assert!(told.lines().count() <= 100, "{told}");
}
