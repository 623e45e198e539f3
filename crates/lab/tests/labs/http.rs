//! What HTTP's connections cost: kept and new ones, one for all and six, cold and warm.

use super::{holds, play, read};

/// The expectations that fail where this takes the place of that.
fn failing(name: &str, that: &str, this: &str) -> Vec<String> {
    let text = read(name);
    assert!(text.contains(that), "{name} has no {that}");
    let outcome = play(name, &text.replace(that, this));
    outcome.verdicts.into_iter().filter(|verdict| !verdict.held).map(|verdict| verdict.name).collect()
}

#[test]
fn a_kept_connection_saves_a_round_trip_each() {
    holds("http-keep-alive", &[]);
    let fresh = failing("http-keep-alive", "--repeat 20 http://kept/", "--repeat 20 --fresh http://kept/");
    assert_eq!(fresh, ["one", "quick"]);
}

#[test]
fn what_is_lost_holds_up_all_of_one_connection() {
    holds("http-versions", &[]);
    let once_more =
        failing("http-versions", "--http2 --repeat 60 --parallel https://w4", "--http1.1 --repeat 60 https://w4");
    assert_eq!(once_more, Vec::<String>::new(), "one after the other over one connection is no quicker");
    let alone =
        failing("http-versions", "--http2 --repeat 60 --parallel https://w2", "--http1.1 --repeat 60 https://w2");
    assert_eq!(alone, ["clean"]);
    let without_loss = failing("http-versions", "loss = \"2%\"", "loss = \"0%\"");
    assert_eq!(without_loss, ["lossy"]);
}

#[test]
fn a_page_that_is_known_costs_round_trips_and_no_bytes() {
    holds("web-page", &[]);
    assert_eq!(failing("web-page", "BkkToAya", "another"), ["known", "bytes"]);
    assert_eq!(failing("web-page", "--repeat 30 http://w2/", "--repeat 30 --fresh http://w2/"), ["connections", "one"]);
}
