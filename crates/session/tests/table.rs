//! The state table as a table: every input in every state; and the machine, put into every state, does what it says.

#[allow(dead_code, reason = "each test uses its part")]
mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use common::Pair;
use septet_session::spdu::{Kind, Name, Resync, Serial, Setting, Spdu, Tokens, Units, build};
use septet_session::spm::table::{Input, Origin, State, rules};
use septet_session::spm::{Confirmation, Event, Request};
use septet_session::{cotp, tpkt};

/// `Sta04A` as `04A`.
fn short(state: State) -> String {
    format!("{state:?}").replace("Sta", "")
}

/// A row for each input: in which state, under which predicates, what is done, and the state after.
fn printed() -> String {
    let mut text = String::new();
    for input in Input::ALL {
        writeln!(text, "{}", input.as_str()).unwrap();
        for rule in rules(*input) {
            let from: Vec<String> = rule.from.iter().map(|s| short(*s)).collect();
            let when: Vec<String> = rule.when.iter().map(|g| format!("{g:?}")).collect();
            let does: Vec<String> = rule.does.iter().map(|a| format!("{a:?}")).collect();
            let (when, does) = (when.join(" & "), does.join(", "));
            let when = if when.is_empty() { String::new() } else { format!(" if {when}") };
            let does = if does.is_empty() { "nothing".to_owned() } else { does };
            let to = rule.to.map_or("the same".to_owned(), short);
            writeln!(text, "  {}{when}: {does}; {to}", from.join(" ")).unwrap();
        }
    }
    text
}

/// `SEPTET_BLESS=1` writes the file anew; what changes there is a change of the protocol.
#[test]
fn the_table_is_as_it_was_read_from_the_standard() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/state-table.txt");
    if std::env::var_os("SEPTET_BLESS").is_some() {
        std::fs::write(path, printed()).unwrap();
    }
    assert_eq!(printed(), std::fs::read_to_string(path).unwrap());
}

#[test]
fn every_input_has_its_rows_and_every_state_its_way_out() {
    for input in Input::ALL {
        assert!(!rules(*input).is_empty(), "{input:?} is never taken");
    }
    for state in State::ALL {
        let leads = |to: Option<State>| to.is_some_and(|to| to != state);
        let out = Input::ALL.iter().flat_map(|i| rules(*i)).any(|rule| rule.from.contains(&state) && leads(rule.to));
        assert!(out, "nothing leads out of {state:?}");
        let reached = Input::ALL.iter().flat_map(|i| rules(*i)).any(|rule| rule.to == Some(state));
        assert!(reached, "nothing leads to {state:?}");
    }
}

const NOTHING: Bytes = Bytes::new();
const UNITS: Units = Units(
    Units::HALF_DUPLEX.0
        | Units::MINOR.0
        | Units::MAJOR.0
        | Units::RESYNCHRONIZE.0
        | Units::ACTIVITY.0
        | Units::TYPED.0
        | Units::NEGOTIATED_RELEASE.0,
);

/// A pair whose first end is in `state`; none where only a moment between two calls is.
fn in_state(state: State) -> Option<Pair> {
    let activity = || {
        let mut pair = Pair::connected(UNITS, Tokens::NONE);
        pair.ask(0, Request::ActivityStart("a".into(), NOTHING));
        pair
    };
    // The other end has all tokens, and an activity.
    let other = || {
        let mut pair = Pair::connected(UNITS, UNITS.tokens());
        pair.ask(1, Request::ActivityStart("a".into(), NOTHING));
        pair
    };
    let connect = || Request::Connect(septet_session::spm::Proposal { units: UNITS, ..Default::default() });
    let resync = || Request::Resynchronize(Resync::Restart, Some(Serial::new(1).unwrap()), Setting::INITIATOR, NOTHING);
    let mut pair = match state {
        State::Sta01 => Pair::new(Default::default(), Default::default()),
        State::Sta01B => {
            let mut pair = Pair::new(Default::default(), Default::default());
            pair.ask_silently(0, connect());
            pair
        }
        State::Sta02A => {
            let mut pair = Pair::new(Default::default(), Default::default());
            pair.ask(0, connect());
            pair
        }
        State::Sta01C | State::Sta08 => {
            let mut pair = Pair::new(Default::default(), Default::default());
            let mut caller = cotp::Cotp::new(cotp::Config::default());
            caller.connect();
            let Some(cotp::Output::Tpdu(request, _)) = caller.poll_transmit() else { panic!() };
            pair.ends[0].receive(pair.now, &[&tpkt::header(request.len())[..], &request].concat());
            if state == State::Sta08 {
                let connect = Spdu::new(Kind::Connect)
                    .with_octet(Name::VersionNumber, 2)
                    .with(Name::SessionRequirements, UNITS.0.to_be_bytes().to_vec());
                hear(&mut pair, &connect);
            }
            pair
        }
        State::Sta713 => activity(),
        State::Sta03 | State::Sta09 => {
            let releases = usize::from(state == State::Sta09);
            let there = if releases == 1 { UNITS.tokens() } else { Tokens::NONE };
            let mut pair = Pair::connected(UNITS, there);
            pair.ask(releases, Request::Release(NOTHING));
            pair
        }
        State::Sta04A => {
            let mut pair = activity();
            pair.ask(0, Request::SyncMajor(NOTHING));
            pair
        }
        State::Sta04B => {
            let mut pair = activity();
            pair.ask(0, Request::ActivityEnd(NOTHING));
            pair
        }
        State::Sta05A => {
            let mut pair = activity();
            pair.ask(0, resync());
            pair
        }
        State::Sta05B => {
            let mut pair = activity();
            pair.ask(0, Request::ActivityInterrupt(0));
            pair
        }
        State::Sta05C => {
            let mut pair = activity();
            pair.ask(0, Request::ActivityDiscard(0));
            pair
        }
        State::Sta10A => {
            let mut pair = other();
            pair.ask(1, Request::SyncMajor(NOTHING));
            pair
        }
        State::Sta10B => {
            let mut pair = other();
            pair.ask(1, Request::ActivityEnd(NOTHING));
            pair
        }
        State::Sta11A => {
            let mut pair = other();
            pair.ask(1, resync());
            pair
        }
        State::Sta11B => {
            let mut pair = other();
            pair.ask(1, Request::ActivityInterrupt(0));
            pair
        }
        State::Sta11C => {
            let mut pair = other();
            pair.ask(1, Request::ActivityDiscard(0));
            pair
        }
        State::Sta16 => {
            let mut pair = activity();
            pair.ask_silently(0, Request::Abort(NOTHING));
            pair
        }
        State::Sta18 => {
            let mut pair = Pair::connected(UNITS, Tokens::NONE);
            pair.ask_silently(0, Request::GiveControl);
            pair
        }
    };
    while pair.ends[0].poll_transmit().is_some() {}
    pair.events = Default::default();
    while pair.ends[0].poll_event().is_some() {}
    Some(pair)
}

/// The first end hears an SPDU.
fn hear(pair: &mut Pair, spdu: &Spdu) {
    let tsdu = build(std::slice::from_ref(spdu));
    let tpdu = cotp::tpdu::Tpdu::Data { bytes: tsdu.into(), last: cotp::tpdu::Last::Yes }.build();
    pair.ends[0].receive(pair.now, &[&tpkt::header(tpdu.len())[..], &tpdu].concat());
}

/// SPDUs of each kind that can come, as they would be right somewhere.
fn spdus() -> Vec<(Input, Spdu)> {
    let n = |n| Serial::new(n).unwrap();
    let tokens = |kind, tokens: Tokens| Spdu::new(kind).with_octet(Name::TokenItem, tokens.0);
    vec![
        (Input::Cn, Spdu::new(Kind::Connect).with_octet(Name::VersionNumber, 2)),
        (Input::CnUnacceptable, Spdu::new(Kind::Connect).with_octet(Name::VersionNumber, 1)),
        (Input::Ac, Spdu::new(Kind::Accept).with(Name::SessionRequirements, UNITS.0.to_be_bytes().to_vec())),
        (Input::Rf, Spdu::new(Kind::Refuse).with_octet(Name::Reason, 0)),
        (Input::Dt, Spdu::new(Kind::DataTransfer).with_information("x".into())),
        (Input::Td, Spdu::new(Kind::TypedData).with_information("x".into())),
        (Input::Gt, tokens(Kind::GiveTokens, Tokens::DATA)),
        (Input::Pt, tokens(Kind::PleaseTokens, Tokens::DATA)),
        (Input::Gtc, Spdu::new(Kind::GiveTokensConfirm)),
        (Input::Gta, Spdu::new(Kind::GiveTokensAck)),
        (Input::Mip, Spdu::new(Kind::MinorSyncPoint).with_serial(n(1))),
        (Input::Mia, Spdu::new(Kind::MinorSyncAck).with_serial(n(1))),
        (Input::Map, Spdu::new(Kind::MajorSyncPoint).with_octet(Name::SyncType, 1).with_serial(n(1))),
        (Input::Maa, Spdu::new(Kind::MajorSyncAck).with_serial(n(1))),
        (Input::Rs, Spdu::new(Kind::Resynchronize).with_octet(Name::ResyncType, 0).with_serial(n(1))),
        (Input::Ra, Spdu::new(Kind::ResynchronizeAck).with_serial(n(1))),
        (Input::As, Spdu::new(Kind::ActivityStart).with(Name::ActivityIdentifier, "a")),
        (
            Input::Ar,
            Spdu::new(Kind::ActivityResume)
                .with(Name::OldActivityIdentifier, "a")
                .with(Name::OldSerialNumber, "1")
                .with(Name::ActivityIdentifier, "b"),
        ),
        (Input::Ai, Spdu::new(Kind::ActivityInterrupt)),
        (Input::Aia, Spdu::new(Kind::ActivityInterruptAck)),
        (Input::Ad, Spdu::new(Kind::ActivityDiscard)),
        (Input::Ada, Spdu::new(Kind::ActivityDiscardAck)),
        (Input::Ae, Spdu::new(Kind::ActivityEnd).with_serial(n(1))),
        (Input::Fn, Spdu::new(Kind::Finish)),
        (Input::Dn, Spdu::new(Kind::Disconnect)),
        (Input::Nf, Spdu::new(Kind::NotFinished)),
        (Input::Ab, Spdu::new(Kind::Abort).with_octet(Name::TransportDisconnect, 1)),
        (Input::Aa, Spdu::new(Kind::AbortAccept)),
        (Input::Invalid, Spdu::new(Kind::Expedited)),
    ]
}

fn requests() -> Vec<(Input, Request)> {
    let one = Serial::new(1).unwrap();
    let units = UNITS;
    vec![
        (Input::SconReq, Request::Connect(septet_session::spm::Proposal { units, ..Default::default() })),
        (Input::SconRspAccept, Request::Accept(septet_session::spm::Acceptance { units, ..Default::default() })),
        (Input::SconRspReject, Request::Refuse(NOTHING)),
        (Input::SdtReq, Request::Data("x".into())),
        (Input::StdReq, Request::TypedData("x".into())),
        (Input::SgtReq, Request::GiveTokens(Tokens::DATA)),
        (Input::SptReq, Request::PleaseTokens(Tokens::DATA, NOTHING)),
        (Input::ScgReq, Request::GiveControl),
        (Input::SsynMinorReq, Request::SyncMinor(Confirmation::Explicit, NOTHING)),
        (Input::SsynMinorRsp, Request::SyncMinorConfirm(one, NOTHING)),
        (Input::SsynMajorReq, Request::SyncMajor(NOTHING)),
        (Input::SsynMajorRsp, Request::SyncMajorConfirm(NOTHING)),
        (Input::SrsynReq, Request::Resynchronize(Resync::Restart, Some(one), Setting::INITIATOR, NOTHING)),
        (Input::SrsynRsp, Request::ResynchronizeConfirm(Setting::INITIATOR, NOTHING)),
        (Input::SactsReq, Request::ActivityStart("b".into(), NOTHING)),
        (Input::SactrReq, Request::ActivityResume { id: "b".into(), old: "a".into(), serial: one, user_data: NOTHING }),
        (Input::SactiReq, Request::ActivityInterrupt(0)),
        (Input::SactiRsp, Request::ActivityInterruptConfirm),
        (Input::SactdReq, Request::ActivityDiscard(0)),
        (Input::SactdRsp, Request::ActivityDiscardConfirm),
        (Input::SacteReq, Request::ActivityEnd(NOTHING)),
        (Input::SacteRsp, Request::ActivityEndConfirm(NOTHING)),
        (Input::SrelReq, Request::Release(NOTHING)),
        (Input::SrelRspAccept, Request::ReleaseConfirm(NOTHING)),
        (Input::SrelRspReject, Request::ReleaseReject(NOTHING)),
        (Input::SuabReq, Request::Abort(NOTHING)),
    ]
}

/// The states in which an input has rows, and those after.
fn rows(input: Input, from: State) -> BTreeSet<State> {
    rules(input).iter().filter(|rule| rule.from.contains(&from)).map(|rule| rule.to.unwrap_or(from)).collect()
}

#[test]
fn every_spdu_in_every_state() {
    let spdus = spdus();
    let peers = Input::ALL.iter().filter(|i| i.origin() == Origin::Peer).count();
    assert_eq!(spdus.len(), peers, "each has an SPDU here");
    let mut taken = BTreeSet::new();
    // Before the transport stands none can come.
    for state in State::ALL.into_iter().filter(|s| !matches!(s, State::Sta01 | State::Sta01B)) {
        for (input, spdu) in &spdus {
            let Some(mut pair) = in_state(state) else { continue };
            assert_eq!(pair.ends[0].session().state(), state);
            hear(&mut pair, spdu);
            let after = pair.ends[0].session().state();
            let told: Vec<Event> = std::iter::from_fn(|| pair.ends[0].poll_event()).collect();
            let aborted = matches!(told[..], [Event::ProviderAbort(_)]) && *input != Input::Ab;
            let allowed = &rows(*input, state) | &rows(Input::Invalid, state);
            if aborted {
                assert_eq!(after, State::Sta16, "{input:?} in {state:?}");
            } else {
                assert!(allowed.contains(&after), "{input:?} in {state:?} led to {after:?}: {told:?}");
                taken.insert((*input, state));
            }
            assert!(aborted || !allowed.is_empty(), "{input:?} in {state:?}");
        }
    }
    assert!(taken.len() > 130, "{}", taken.len());
}

#[test]
fn every_request_in_every_state() {
    let requests = requests();
    assert_eq!(requests.len(), Input::ALL.iter().filter(|i| i.origin() == Origin::User).count());
    let mut taken = BTreeSet::new();
    for state in State::ALL {
        for (input, request) in &requests {
            let Some(mut pair) = in_state(state) else { continue };
            assert_eq!(pair.ends[0].session().state(), state);
            let result = pair.ends[0].request(pair.now, request.clone());
            let after = pair.ends[0].session().state();
            let sent = pair.ends[0].poll_transmit().is_some();
            match result {
                Err(misuse) => {
                    assert_eq!((after, sent), (state, false), "{misuse}");
                    assert!(!misuse.why.is_empty() && misuse.input == *input);
                }
                Ok(()) => {
                    assert!(sent, "{input:?} in {state:?} sent nothing");
                    assert!(rows(*input, state).contains(&after), "{input:?} in {state:?} led to {after:?}");
                    taken.insert((*input, state));
                }
            }
        }
    }
    assert!(taken.len() > 50, "{}", taken.len());
}
