//! ISO session takes any octets: as SPDUs, as TPDUs, as the stream of a connection, and as what a sender of files says.

use core::time::Duration;
use std::sync::Arc;

use septet_core::Instant;
use septet_session::spdu::{self, Setting, Tokens, Units};
use septet_session::spm::{Acceptance, Event, Request};
use septet_session::transfer::{Files, Id, Inbox, Memory, Offer, Overwrite, Receiver};
use septet_session::{Config, Connection, Transmit, cotp, tpkt};

use crate::pieces::pieces;

/// A TSDU: what is read of it is built and read again.
pub fn spdu(bytes: &[u8]) {
    if let Ok(found) = spdu::parse(&bytes.to_vec().into()) {
        assert!(!found.is_empty() && found.len() <= 2);
        let built = spdu::build(&found);
        assert_eq!(spdu::parse(&built.into()).as_ref(), Ok(&found), "built and read again");
    }
}

/// A TPDU, alone and on a connection that stands.
pub fn cotp(bytes: &[u8]) {
    if let Ok(tpdu) = cotp::tpdu::Tpdu::parse(&bytes.to_vec().into()) {
        assert_eq!(cotp::tpdu::Tpdu::parse(&tpdu.build().into()).as_ref(), Ok(&tpdu), "built and read again");
    }
    let mut end = cotp::Cotp::new(cotp::Config { max_tsdu: 10_000, ..cotp::Config::default() });
    for piece in pieces(bytes) {
        match piece.what % 8 {
            0 => end.connect(),
            1 => end.accept(),
            2 => end.send(piece.content.to_vec().into()),
            3 => end.disconnect(),
            _ => end.receive(piece.content.to_vec().into()),
        }
        while let Some(event) = end.poll_event() {
            assert!(!matches!(event, cotp::Event::Data(tsdu) if tsdu.len() > 10_000), "a TSDU over its bound");
        }
        while let Some(output) = end.poll_transmit() {
            if let cotp::Output::Tpdu(header, data) = output {
                let tpdu = [header, data.to_vec()].concat();
                assert!(cotp::tpdu::Tpdu::parse(&tpdu.into()).is_ok(), "what is sent is well formed");
            }
        }
    }
}

/// The units of a session, by an octet.
fn units(octet: u8) -> Units {
    let mut units = if octet & 1 == 0 { Units::DUPLEX } else { Units::HALF_DUPLEX };
    let more =
        [Units::MINOR, Units::MAJOR, Units::RESYNCHRONIZE, Units::ACTIVITY, Units::TYPED, Units::NEGOTIATED_RELEASE];
    for (n, unit) in more.into_iter().enumerate() {
        if octet & 2 << n != 0 {
            units = units | unit;
        }
    }
    units
}

/// The stream of a connection whose user answers as it should, and asks for things of its own.
pub fn session(bytes: &[u8]) {
    let mut now = Instant::from_millis(1);
    let mut end = Connection::new(Config::default());
    // The transport stands, so that what follows is heard by the session.
    let request = cotp::tpdu::Tpdu::ConnectionRequest(cotp::tpdu::Terms { source: 1, ..Default::default() }, 0).build();
    end.receive(now, &framed(&request));
    for piece in pieces(bytes) {
        now += Duration::from_millis(u64::from(piece.wait).pow(2));
        match piece.what % 4 {
            0 => end.receive(now, piece.content),
            1 | 2 => {
                let tsdu = piece.content.to_vec().into();
                let tpdu = cotp::tpdu::Tpdu::Data { bytes: tsdu, last: cotp::tpdu::Last::Yes }.build();
                end.receive(now, &framed(&tpdu));
            }
            _ => {
                if let Some(request) = own(piece.content) {
                    let _ = end.request(now, request);
                }
            }
        }
        let mut events = 0;
        while let Some(event) = end.poll_event() {
            events += 1;
            assert!(events < 1000, "one piece makes no storm");
            if let Some(answer) = answer(&event) {
                let _ = end.request(now, answer);
            }
        }
        if end.poll_timeout().is_some_and(|at| at <= now) {
            end.on_timeout(now);
        }
        assert!(end.poll_timeout().is_none_or(|at| at > now), "a timer does not let time go on");
        let mut stream = tpkt::Decoder::default();
        while let Some(transmit) = end.poll_transmit() {
            if let Transmit::Bytes(bytes) = transmit {
                stream.push(&bytes);
            }
        }
        while let Some(tpdu) = stream.poll().expect("what is sent are packets") {
            let parsed = cotp::tpdu::Tpdu::parse(&tpdu).expect("what is sent is well formed");
            if let cotp::tpdu::Tpdu::Data { bytes, .. } = parsed {
                spdu::parse(&bytes).expect("what is sent are SPDUs");
            }
        }
        let session = end.session();
        assert!(session.units().tokens().has(session.tokens()), "a token that there is not");
    }
}

fn framed(tpdu: &[u8]) -> Vec<u8> {
    [&tpkt::header(tpdu.len())[..], tpdu].concat()
}

fn answer(event: &Event) -> Option<Request> {
    let nothing = bytes::Bytes::new;
    Some(match event {
        Event::Connect(proposal) => {
            let both = proposal.units.has(Units::HALF_DUPLEX | Units::DUPLEX);
            let units = if both { Units(proposal.units.0 & !Units::HALF_DUPLEX.0) } else { proposal.units };
            Request::Accept(Acceptance { units, ..Acceptance::default() })
        }
        Event::SyncMinor(serial, ..) => Request::SyncMinorConfirm(*serial, nothing()),
        Event::SyncMajor(..) => Request::SyncMajorConfirm(nothing()),
        Event::Resynchronize(..) => Request::ResynchronizeConfirm(Setting::INITIATOR, nothing()),
        Event::ActivityInterrupt(_) => Request::ActivityInterruptConfirm,
        Event::ActivityDiscard(_) => Request::ActivityDiscardConfirm,
        Event::ActivityEnd(..) => Request::ActivityEndConfirm(nothing()),
        Event::Release(_) => Request::ReleaseConfirm(nothing()),
        Event::TokensAsked(tokens, _) => Request::GiveTokens(*tokens),
        _ => return None,
    })
}

/// Something that a user may ask for, by the octets of a piece.
fn own(content: &[u8]) -> Option<Request> {
    let [what, more @ ..] = content else { return None };
    let data = bytes::Bytes::copy_from_slice(more);
    Some(match what % 12 {
        0 => Request::Data(data),
        1 => Request::TypedData(data),
        2 => Request::GiveTokens(Tokens(more.first().copied().unwrap_or(1)) & Tokens::ALL),
        3 => Request::PleaseTokens(Tokens::ALL, data),
        4 => Request::SyncMinor(septet_session::spm::Confirmation::Explicit, data),
        5 => Request::SyncMajor(data),
        6 => Request::ActivityStart(data.slice(..data.len().min(6)), bytes::Bytes::new()),
        7 => Request::ActivityEnd(data),
        8 => Request::ActivityInterrupt(0),
        9 => Request::Resynchronize(septet_session::spdu::Resync::Abandon, None, Setting::INITIATOR, data),
        10 => Request::Release(data),
        _ => Request::Abort(data),
    })
}

/// A sender of files that says what it likes: what is kept stays within its bounds, and a file has its name once it is
/// whole, which only the right digest makes it.
pub fn transfer(bytes: &[u8]) {
    let files = Memory::with_room(100_000);
    files.put("own", "untouched");
    let inbox = Inbox::new(Arc::new(files.clone()), Overwrite::No);
    let patience = Duration::from_secs(30);
    let mut now = Instant::from_millis(1);
    let mut receiver = Receiver::new(now, inbox.clone(), patience);
    let mut sender = Connection::new(Config::default());
    let mut offered = Id::default();
    for piece in pieces(bytes) {
        now += Duration::from_millis(u64::from(piece.wait).pow(2));
        match piece.what % 8 {
            0 => {
                receiver = Receiver::new(now, inbox.clone(), patience);
                sender = Connection::new(Config::default());
                let name = String::from_utf8_lossy(piece.content).into_owned();
                let size = u64::from(piece.what) * 16;
                let id = Id::of(&name, size, 0);
                offered = id;
                let user_data = if piece.what & 0x80 == 0 {
                    Offer { id, size, step: 64, name }.build()
                } else {
                    piece.content.to_vec().into()
                };
                let proposal =
                    septet_session::spm::Proposal { units: units(0b0001_0010), user_data, ..Default::default() };
                let _ = sender.request(now, Request::Connect(proposal));
            }
            1 => {
                let id = if piece.content.is_empty() { &offered.0[..] } else { piece.content };
                let id = id[..id.len().min(6)].to_vec();
                let _ = sender.request(now, Request::ActivityStart(id.into(), bytes::Bytes::new()));
            }
            2 => receiver.receive(now, piece.content),
            3 => receiver.closed(now, "closed"),
            _ => {
                if let Some(request) = own(piece.content) {
                    let _ = sender.request(now, request);
                }
            }
        }
        for _ in 0..4 {
            while let Some(transmit) = sender.poll_transmit() {
                if let Transmit::Bytes(bytes) = transmit {
                    receiver.receive(now, &bytes);
                }
            }
            while let Some(transmit) = receiver.poll_transmit() {
                if let Transmit::Bytes(bytes) = transmit {
                    sender.receive(now, &bytes);
                }
            }
            while sender.poll_event().is_some() {}
            while receiver.poll_arrival().is_some() {}
        }
        if receiver.poll_timeout().is_some_and(|at| at <= now) {
            receiver.on_timeout(now);
        }
    }
    assert_eq!(files.get("own").as_deref(), Some(&b"untouched"[..]));
    let names = files.list().expect("memory lists");
    assert!(names.len() <= 400, "{} files", names.len());
    assert!(names.iter().all(|name| !name.contains('/')), "{names:?}");
}
