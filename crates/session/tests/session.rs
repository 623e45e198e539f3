//! Sessions from their beginning to their end, both ends of them.

#[allow(dead_code, reason = "each test uses its part")]
mod common;

use core::time::Duration;

use bytes::Bytes;
use common::{Pair, packets};
use septet_session::spdu::{Resync, Serial, Setting, Tokens, Units, refusal};
use septet_session::spm::table::State;
use septet_session::spm::{Acceptance, Activity, Confirmation, Event, Proposal, Request};
use septet_session::{Config, Transmit, cotp, spm};

const NOTHING: Bytes = Bytes::new();

fn serial(n: u32) -> Serial {
    Serial::new(n).unwrap()
}

const ALL: Units = Units(
    Units::HALF_DUPLEX.0
        | Units::MINOR.0
        | Units::MAJOR.0
        | Units::RESYNCHRONIZE.0
        | Units::ACTIVITY.0
        | Units::TYPED.0
        | Units::NEGOTIATED_RELEASE.0,
);

#[test]
fn units_are_those_that_both_name() {
    let mut pair = Pair::new(Config::default(), Config::default());
    let units = Units::HALF_DUPLEX | Units::DUPLEX | Units::MINOR | Units::TYPED;
    pair.ask(0, Request::Connect(Proposal { units, serial: serial(5), user_data: "hi".into(), ..Proposal::default() }));
    let Event::Connect(proposal) = pair.next(1) else { panic!() };
    assert_eq!((proposal.units, proposal.serial, &proposal.user_data[..]), (units, serial(5), &b"hi"[..]));
    let both = pair.try_ask(1, Request::Accept(Acceptance { units, ..Acceptance::default() })).unwrap_err();
    assert_eq!(both.to_string(), "S-CONNECT (accept) response: of half duplex and duplex one must be chosen");
    let units = Units::DUPLEX | Units::MINOR | Units::MAJOR;
    pair.ask(1, Request::Accept(Acceptance { units, serial: serial(5), ..Acceptance::default() }));
    let Event::Accepted(acceptance) = pair.next(0) else { panic!() };
    assert_eq!(acceptance.units, Units::DUPLEX | Units::MINOR);
    for end in &pair.ends {
        assert_eq!(end.session().units(), Units::DUPLEX | Units::MINOR);
        assert_eq!(end.session().variables().v_m, serial(5));
    }
    let typed = pair.try_ask(0, Request::TypedData("x".into())).unwrap_err();
    assert_eq!(typed.to_string(), "S-TYPED-DATA request: the functional unit typed data was not agreed");
}

#[test]
fn a_refusal_says_why() {
    let mut pair = Pair::new(Config::default(), Config::default());
    pair.ask(0, Request::Connect(Proposal { units: Units::DUPLEX, ..Proposal::default() }));
    pair.next(1);
    pair.ask(1, Request::Refuse("the disk is full".into()));
    assert_eq!(pair.next(0), Event::Refused(refusal::USER, "the disk is full".into()));
    assert_eq!(pair.ends[1].session().state(), State::Sta01, "who was refused closed the transport");
}

#[test]
fn a_selector_that_nobody_has_is_refused() {
    let selector = |s: &'static str| Config {
        session: spm::Config { selector: s.into(), ..spm::Config::default() },
        ..Config::default()
    };
    let mut pair = Pair::new(Config::default(), selector("mail"));
    let called = "files".into();
    pair.ask(0, Request::Connect(Proposal { units: Units::DUPLEX, called, ..Proposal::default() }));
    assert_eq!(pair.next(0), Event::Refused(refusal::SELECTOR, NOTHING));
}

#[test]
fn half_duplex_goes_by_the_token() {
    let mut pair = Pair::connected(Units::HALF_DUPLEX, Tokens::NONE);
    pair.ask(0, Request::Data("one".into()));
    assert_eq!(pair.next(1), Event::Data("one".into()));
    let refused = pair.try_ask(1, Request::Data("two".into())).unwrap_err();
    assert_eq!(refused.to_string(), "S-DATA request: the data token is not at this end of it");
    pair.ask(1, Request::PleaseTokens(Tokens::DATA, "my turn".into()));
    assert_eq!(pair.next(0), Event::TokensAsked(Tokens::DATA, "my turn".into()));
    pair.ask(0, Request::GiveTokens(Tokens::DATA));
    assert_eq!(pair.next(1), Event::TokensGiven(Tokens::DATA));
    pair.ask(1, Request::Data("two".into()));
    assert_eq!(pair.next(0), Event::Data("two".into()));
    assert!(pair.try_ask(0, Request::Data("three".into())).is_err());
    // Only who has all tokens may end.
    assert!(pair.try_ask(0, Request::Release(NOTHING)).is_err());
    pair.ask(1, Request::Release(NOTHING));
    assert_eq!(pair.next(0), Event::Release(NOTHING));
    pair.ask(0, Request::ReleaseConfirm("bye".into()));
    assert_eq!(pair.next(1), Event::Released("bye".into()));
    assert_eq!(pair.closed(), [false, true]);
    assert!(pair.ends.iter().all(|end| end.session().state() == State::Sta01));
}

#[test]
fn typed_data_need_no_token() {
    let mut pair = Pair::connected(Units::HALF_DUPLEX | Units::TYPED, Tokens::NONE);
    pair.ask(1, Request::TypedData("psst".into()));
    assert_eq!(pair.next(0), Event::TypedData("psst".into()));
}

#[test]
fn the_called_user_chooses_what_was_left_to_it() {
    let mut pair = Pair::new(Config::default(), Config::default());
    let units = Units::HALF_DUPLEX | Units::MINOR | Units::MAJOR;
    let tokens = Setting { responder: Tokens::MINOR, choice: Tokens::DATA | Tokens::MAJOR };
    pair.ask(0, Request::Connect(Proposal { units, tokens, ..Proposal::default() }));
    pair.next(1);
    let tokens = Setting { responder: Tokens::DATA, choice: Tokens::NONE };
    pair.ask(1, Request::Accept(Acceptance { units, tokens, ..Acceptance::default() }));
    assert_eq!(pair.ends[0].session().tokens(), Tokens::MAJOR);
    assert_eq!(pair.ends[1].session().tokens(), Tokens::DATA | Tokens::MINOR);
}

#[test]
fn minor_points_are_confirmed_up_to_one() {
    let mut pair = Pair::connected(Units::DUPLEX | Units::MINOR, Tokens::NONE);
    for n in 0..3 {
        pair.ask(0, Request::SyncMinor(Confirmation::Explicit, NOTHING));
        assert_eq!(pair.next(1), Event::SyncMinor(serial(n), Confirmation::Explicit, NOTHING));
    }
    pair.ask(1, Request::SyncMinorConfirm(serial(1), "as far as here".into()));
    assert_eq!(pair.next(0), Event::SyncMinorConfirmed(serial(1), "as far as here".into()));
    let twice = pair.try_ask(1, Request::SyncMinorConfirm(serial(1), NOTHING)).unwrap_err();
    assert!(twice.why.contains("the serial number 1 is not valid: V(A) is 2, V(M) 3"), "{twice}");
    assert!(pair.try_ask(0, Request::SyncMinorConfirm(serial(2), NOTHING)).is_err(), "they are not its own to confirm");
}

#[test]
fn a_major_point_stops_its_sender_until_it_is_confirmed() {
    let mut pair = Pair::connected(Units::DUPLEX | Units::MINOR | Units::MAJOR, Tokens::NONE);
    pair.ask(0, Request::SyncMinor(Confirmation::Optional, NOTHING));
    pair.next(1);
    pair.ask(0, Request::SyncMajor(NOTHING));
    assert_eq!(pair.next(1), Event::SyncMajor(serial(1), NOTHING));
    let early = pair.try_ask(0, Request::Data("early".into())).unwrap_err();
    assert_eq!(early.to_string(), "S-DATA request: not in this state: waits for MAJOR SYNC ACK");
    // The minor point before it may still be confirmed, the major one not that way.
    assert!(pair.try_ask(1, Request::SyncMinorConfirm(serial(1), NOTHING)).is_err());
    pair.ask(1, Request::SyncMinorConfirm(serial(0), NOTHING));
    assert_eq!(pair.next(0), Event::SyncMinorConfirmed(serial(0), NOTHING));
    pair.ask(1, Request::SyncMajorConfirm(NOTHING));
    assert_eq!(pair.next(0), Event::SyncMajorConfirmed(serial(1), NOTHING));
    for end in &pair.ends {
        let v = end.session().variables();
        assert_eq!((v.v_a, v.v_m, v.v_r), (serial(2), serial(2), serial(2)));
    }
}

#[test]
fn a_restart_goes_back_to_a_point_and_drops_what_is_on_its_way() {
    let mut pair = Pair::connected(Units::DUPLEX | Units::MINOR | Units::RESYNCHRONIZE, Tokens::NONE);
    for _ in 0..3 {
        pair.ask(0, Request::SyncMinor(Confirmation::Optional, NOTHING));
        pair.next(1);
    }
    pair.ask_silently(0, Request::Data("on its way".into()));
    let tokens = Setting { responder: Tokens::MINOR, choice: Tokens::NONE };
    pair.ask(1, Request::Resynchronize(Resync::Restart, Some(serial(1)), tokens, NOTHING));
    assert_eq!(pair.next(0), Event::Resynchronize(Resync::Restart, serial(1), NOTHING));
    assert!(pair.events[1].is_empty(), "what was on its way is dropped");
    pair.ask(0, Request::ResynchronizeConfirm(Setting::INITIATOR, NOTHING));
    assert_eq!(pair.next(1), Event::Resynchronized(serial(1), NOTHING));
    assert_eq!(pair.ends[1].session().tokens(), Tokens::MINOR);
    pair.ask(1, Request::SyncMinor(Confirmation::Optional, NOTHING));
    assert_eq!(pair.next(0), Event::SyncMinor(serial(1), Confirmation::Optional, NOTHING));
}

/// However many segments had arrived, the others are dropped with them, and what is said next is heard alone.
#[test]
fn segments_on_their_way_are_dropped_together() {
    let config = || Config { session: spm::Config { max_tsdu: 100, ..spm::Config::default() }, ..Config::default() };
    for arrived in 0..4 {
        let mut pair = Pair::new(config(), config());
        pair.connect(Units::DUPLEX | Units::MINOR | Units::RESYNCHRONIZE, Setting::INITIATOR);
        pair.ask_silently(0, Request::Data(vec![b'x'; 300].into()));
        let Some(Transmit::Bytes(segments)) = pair.ends[0].poll_transmit() else { panic!() };
        let late = packets(&segments).take(arrived).map(<[u8]>::len).sum();
        pair.ends[1].receive(pair.now, &segments[..late]);
        pair.ask_silently(1, Request::Resynchronize(Resync::Abandon, None, Setting::INITIATOR, NOTHING));
        pair.ends[1].receive(pair.now, &segments[late..]);
        pair.carry();
        assert!(matches!(pair.next(0), Event::Resynchronize(Resync::Abandon, ..)), "after {arrived} segments");
        pair.ask(0, Request::ResynchronizeConfirm(Setting::INITIATOR, NOTHING));
        assert!(matches!(pair.next(1), Event::Resynchronized(..)), "after {arrived} segments");
        pair.ask(0, Request::Data("next".into()));
        assert_eq!(pair.next(1), Event::Data("next".into()), "after {arrived} segments");
    }
}

#[test]
fn an_abandon_goes_on_after_all_points() {
    let mut pair = Pair::connected(Units::DUPLEX | Units::MINOR | Units::RESYNCHRONIZE, Tokens::NONE);
    pair.ask(0, Request::SyncMinor(Confirmation::Optional, NOTHING));
    pair.next(1);
    pair.ask(1, Request::Resynchronize(Resync::Abandon, None, Setting::INITIATOR, NOTHING));
    assert_eq!(pair.next(0), Event::Resynchronize(Resync::Abandon, serial(1), NOTHING));
    pair.ask(0, Request::ResynchronizeConfirm(Setting::INITIATOR, NOTHING));
    assert_eq!(pair.next(1), Event::Resynchronized(serial(1), NOTHING));
    assert_eq!(pair.ends[0].session().variables().v_r, serial(0));
}

/// Of two that cross one wins, the same at both ends.
#[test]
fn resynchronizations_that_cross_have_one_winner() {
    let cases = [
        ((Resync::Restart, 1), (Resync::Restart, 0), 1),
        ((Resync::Restart, 0), (Resync::Restart, 1), 0),
        ((Resync::Restart, 1), (Resync::Restart, 1), 0),
        ((Resync::Restart, 0), (Resync::Abandon, 2), 1),
        ((Resync::Set, 9), (Resync::Restart, 0), 0),
        ((Resync::Set, 9), (Resync::Abandon, 2), 1),
        ((Resync::Abandon, 2), (Resync::Abandon, 2), 0),
    ];
    for (a, b, winner) in cases {
        let mut pair = Pair::connected(Units::DUPLEX | Units::MINOR | Units::RESYNCHRONIZE, Tokens::NONE);
        for _ in 0..2 {
            pair.ask(0, Request::SyncMinor(Confirmation::Optional, NOTHING));
            pair.next(1);
        }
        for (end, (resync, n)) in [a, b].into_iter().enumerate() {
            pair.ask_silently(end, Request::Resynchronize(resync, Some(serial(n)), Setting::INITIATOR, NOTHING));
        }
        pair.carry();
        assert!(pair.events[winner].is_empty(), "{a:?} against {b:?}");
        assert!(matches!(pair.next(1 - winner), Event::Resynchronize(resync, ..) if resync == [a, b][winner].0));
        pair.ask(1 - winner, Request::ResynchronizeConfirm(Setting::INITIATOR, NOTHING));
        assert!(matches!(pair.next(winner), Event::Resynchronized(..)));
        assert_eq!(
            pair.ends[0].session().variables(),
            &spm::variables::Variables {
                v_sc: pair.ends[0].session().variables().v_sc,
                ..*pair.ends[1].session().variables()
            }
        );
    }
}

#[test]
fn an_activity_is_interrupted_and_goes_on() {
    let mut pair = Pair::connected(ALL, Tokens::NONE);
    assert!(pair.try_ask(0, Request::SyncMinor(Confirmation::Explicit, NOTHING)).is_err(), "outside of an activity");
    pair.ask(0, Request::ActivityStart("a1".into(), NOTHING));
    assert_eq!(pair.next(1), Event::ActivityStart("a1".into(), NOTHING));
    assert_eq!(pair.ends[1].session().activity(), Activity::InProgress);
    pair.ask(0, Request::SyncMinor(Confirmation::Explicit, NOTHING));
    assert_eq!(pair.next(1), Event::SyncMinor(serial(1), Confirmation::Explicit, NOTHING));
    assert!(pair.try_ask(0, Request::Release(NOTHING)).is_err(), "an activity is in progress");
    pair.ask(0, Request::ActivityInterrupt(0));
    assert_eq!(pair.next(1), Event::ActivityInterrupt(0));
    pair.ask(1, Request::ActivityInterruptConfirm);
    assert_eq!(pair.next(0), Event::ActivityInterrupted);
    assert_eq!(pair.ends[0].session().tokens(), ALL.tokens());
    let resume =
        Request::ActivityResume { id: "a2".into(), old: "a1".into(), serial: serial(1), user_data: "again".into() };
    pair.ask(0, resume);
    let told =
        Event::ActivityResume { id: "a2".into(), old: "a1".into(), serial: serial(1), user_data: "again".into() };
    assert_eq!(pair.next(1), told);
    pair.ask(0, Request::SyncMinor(Confirmation::Explicit, NOTHING));
    assert_eq!(pair.next(1), Event::SyncMinor(serial(2), Confirmation::Explicit, NOTHING));
    pair.ask(0, Request::ActivityEnd("all".into()));
    assert_eq!(pair.next(1), Event::ActivityEnd(serial(3), "all".into()));
    pair.ask(1, Request::ActivityEndConfirm("whole".into()));
    assert_eq!(pair.next(0), Event::ActivityEnded(serial(3), "whole".into()));
    assert_eq!(pair.ends[1].session().activity(), Activity::None);
    // Outside of activities all tokens go at once.
    pair.ask(0, Request::GiveControl);
    assert_eq!(pair.next(1), Event::ControlGiven);
    assert_eq!(pair.ends[0].session().tokens(), Tokens::NONE);
    pair.ask(1, Request::ActivityStart("b".into(), NOTHING));
    assert_eq!(pair.next(0), Event::ActivityStart("b".into(), NOTHING));
    pair.ask(1, Request::ActivityDiscard(5));
    assert_eq!(pair.next(0), Event::ActivityDiscard(5));
    pair.ask(0, Request::ActivityDiscardConfirm);
    assert_eq!(pair.next(1), Event::ActivityDiscarded);
}

#[test]
fn a_discard_wins_over_a_resynchronization() {
    let mut pair = Pair::connected(ALL, Tokens::NONE);
    pair.ask(0, Request::ActivityStart("a".into(), NOTHING));
    pair.next(1);
    pair.ask_silently(0, Request::ActivityDiscard(0));
    pair.ask_silently(1, Request::Resynchronize(Resync::Abandon, None, Setting::INITIATOR, NOTHING));
    pair.carry();
    assert!(pair.events[0].is_empty());
    assert_eq!(pair.next(1), Event::ActivityDiscard(0));
    pair.ask(1, Request::ActivityDiscardConfirm);
    assert_eq!(pair.next(0), Event::ActivityDiscarded);
}

#[test]
fn a_negotiated_release_can_be_refused() {
    let mut pair = Pair::connected(Units::DUPLEX | Units::NEGOTIATED_RELEASE, Tokens::NONE);
    pair.ask(0, Request::Release(NOTHING));
    pair.next(1);
    pair.ask(1, Request::ReleaseReject("not yet".into()));
    assert_eq!(pair.next(0), Event::ReleaseRejected("not yet".into()));
    pair.ask(1, Request::Data("one more".into()));
    assert_eq!(pair.next(0), Event::Data("one more".into()));
}

#[test]
fn releases_that_cross_both_end() {
    let mut pair = Pair::connected(Units::DUPLEX, Tokens::NONE);
    pair.ask_silently(0, Request::Release("a".into()));
    pair.ask_silently(1, Request::Release("b".into()));
    pair.carry();
    assert_eq!((pair.next(0), pair.next(1)), (Event::Release("b".into()), Event::Release("a".into())));
    assert!(pair.try_ask(1, Request::ReleaseConfirm(NOTHING)).is_err(), "who opened the transport answers first");
    pair.ask(0, Request::ReleaseConfirm(NOTHING));
    assert_eq!(pair.next(1), Event::Released(NOTHING));
    pair.ask(1, Request::ReleaseConfirm(NOTHING));
    assert_eq!(pair.next(0), Event::Released(NOTHING));
    assert!(pair.ends.iter().all(|end| end.session().state() == State::Sta01));
}

#[test]
fn an_abort_tells_whose_it_is() {
    let mut pair = Pair::connected(Units::DUPLEX, Tokens::NONE);
    pair.ask(0, Request::Abort("enough".into()));
    assert_eq!(pair.next(1), Event::UserAbort("enough".into()));
    assert_eq!(pair.closed(), [false, true]);
    assert_eq!(pair.ends[0].session().state(), State::Sta01);
}

#[test]
fn a_protocol_error_aborts_and_says_what() {
    let mut pair = Pair::connected(Units::DUPLEX, Tokens::NONE);
    // A MINOR SYNC POINT that nobody agreed to: TPKT, DT, GIVE TOKENS, MIP.
    let bytes = [3, 0, 0, 14, 2, 0xf0, 0x80, 1, 0, 49, 3, 42, 1, b'0'];
    pair.ends[1].receive(pair.now, &bytes);
    pair.carry();
    let why = "protocol error: MINOR SYNC POINT SPDU: the functional unit minor synchronize was not agreed";
    assert_eq!(pair.next(1), Event::ProviderAbort(why.to_owned()));
    assert_eq!(pair.next(0), Event::ProviderAbort("the other end found a protocol error".to_owned()));
}

#[test]
fn whoever_waits_for_the_end_of_the_transport_does_so_for_a_while() {
    let mut pair = Pair::connected(Units::DUPLEX, Tokens::NONE);
    pair.ask_silently(1, Request::Abort(NOTHING));
    // The other end never hears of it.
    while pair.ends[1].poll_transmit().is_some() {}
    assert_eq!(pair.ends[1].session().state(), State::Sta16);
    pair.wait(Duration::from_secs(10));
    assert_eq!(pair.ends[1].session().state(), State::Sta01);
    assert_eq!(pair.closed(), [false, true]);
}

#[test]
fn a_broken_transport_is_told() {
    let mut pair = Pair::connected(Units::DUPLEX, Tokens::NONE);
    pair.ends[0].closed(pair.now, "connection reset by peer");
    pair.carry();
    assert_eq!(pair.next(0), Event::ProviderAbort("connection reset by peer".to_owned()));
}

#[test]
fn long_data_travel_in_segments() {
    for (size, most) in [(None, 100), (Some(7), 0), (Some(8), 1000), (None, 0)] {
        let config = || Config {
            transport: cotp::Config { size, ..cotp::Config::default() },
            session: spm::Config { max_tsdu: most, ..spm::Config::default() },
        };
        let mut pair = Pair::new(config(), config());
        pair.connect(Units::DUPLEX | Units::TYPED, Setting::INITIATOR);
        let data = Bytes::from_iter((0..5000_u32).map(|n| n as u8));
        pair.ask(0, Request::Data(data.clone()));
        assert_eq!(pair.next(1), Event::Data(data.clone()));
        pair.ask(1, Request::TypedData(data.clone()));
        assert_eq!(pair.next(0), Event::TypedData(data));
        assert!(size.is_none_or(|size| pair.wire.iter().all(|(_, bytes)| bytes.len() <= (1 << size) + 4)));
    }
}

#[test]
fn data_without_end_are_bounded() {
    let config = |max_ssdu| Config {
        session: spm::Config { max_tsdu: 500, max_ssdu, ..spm::Config::default() },
        ..Config::default()
    };
    let mut pair = Pair::new(config(1 << 20), config(1000));
    pair.connect(Units::DUPLEX, Setting::INITIATOR);
    pair.ask(0, Request::Data(vec![0; 2000].into()));
    let why = "implementation restriction: data of over 1000 octets".to_owned();
    assert_eq!(pair.next(1), Event::ProviderAbort(why));
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    let mut pair = Pair::new(Config::default(), Config::default());
    let long = Proposal { units: Units::DUPLEX, user_data: vec![0; 10_241].into(), ..Proposal::default() };
    let refused = pair.try_ask(0, Request::Connect(long)).unwrap_err();
    assert_eq!(refused.why, "the user data is 10241 octets long, 10240 are the most");
    let unbuilt = Proposal { units: Units::DUPLEX | Units::EXCEPTIONS, ..Proposal::default() };
    let refused = pair.try_ask(0, Request::Connect(unbuilt)).unwrap_err();
    assert_eq!(refused.why, "not among the functional units here: kernel, exceptions");
}
