//! tshark decodes each SPDU as what it is, over COTP, TPKT and TCP port 102.

#[allow(dead_code, reason = "each test uses its part")]
mod common;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "../../capture/tests/judge/mod.rs"]
mod judge;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use common::Pair;
use septet_session::spdu::{Category, FORMS, Information, Name, Serial, Setting, Spdu, Tokens, Units, build};
use septet_session::spm::{Confirmation, Request};
use septet_session::{cotp, tpkt};

/// A capture of one TCP connection to port 102, a packet for each piece: who wrote it, and what.
fn capture(name: &str, pieces: &[(usize, Vec<u8>)]) -> PathBuf {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    // LINKTYPE_RAW: it begins with the IP header.
    file.extend(101_u32.to_le_bytes());
    let ports = [40_000_u16, 102];
    let mut sent = [1_u32, 1];
    for (n, (from, bytes)) in pieces.iter().enumerate() {
        let mut tcp = Vec::new();
        tcp.extend(ports[*from].to_be_bytes());
        tcp.extend(ports[1 - from].to_be_bytes());
        tcp.extend(sent[*from].to_be_bytes());
        tcp.extend(sent[1 - from].to_be_bytes());
        tcp.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(bytes);
        sent[*from] += bytes.len() as u32;
        let mut ip = vec![0x45, 0];
        ip.extend((20 + tcp.len() as u16).to_be_bytes());
        ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        ip.extend([10, 0, 0, 1 + *from as u8, 10, 0, 0, 2 - *from as u8]);
        ip.extend(tcp);
        file.extend((n as u32).to_le_bytes());
        file.extend([0; 4]);
        for _ in 0..2 {
            file.extend((ip.len() as u32).to_le_bytes());
        }
        file.extend(ip);
    }
    let path = std::env::temp_dir().join(format!("septet-session-{}-{name}.pcap", std::process::id()));
    std::fs::write(&path, file).unwrap();
    path
}

/// tshark guesses what COTP carries, and takes what follows TYPED DATA and EXPEDITED for another SPDU: its first octet must
/// be the number of one, or all of it is "data".
const INFORMATION: &str = "1st";

/// What tshark prints. Without T.125, which would guess first what COTP carries, and takes some SPDUs for its own; and
/// without ISO presentation, which is not what is carried here.
fn tshark(path: &Path, arguments: &[&str]) -> Option<Vec<Vec<String>>> {
    judge::tshark(path, &[&["--disable-protocol", "t125", "--disable-protocol", "pres"], arguments].concat())
}

/// A transport connection that stands, and then these TSDUs of the first end.
fn over_transport(tsdus: &[Vec<u8>]) -> Vec<(usize, Vec<u8>)> {
    let mut ends = [cotp::Cotp::new(cotp::Config::default()), cotp::Cotp::new(cotp::Config::default())];
    let mut pieces = Vec::new();
    let mut flush = |ends: &mut [cotp::Cotp; 2], from: usize| {
        while let Some(cotp::Output::Tpdu(header, data)) = ends[from].poll_transmit() {
            let tpdu = [header, data.to_vec()].concat();
            pieces.push((from, [&tpkt::header(tpdu.len())[..], &tpdu].concat()));
            ends[1 - from].receive(tpdu.into());
        }
    };
    ends[0].connect();
    flush(&mut ends, 0);
    ends[1].accept();
    flush(&mut ends, 1);
    for tsdu in tsdus {
        ends[0].send(tsdu.clone().into());
        flush(&mut ends, 0);
    }
    pieces
}

/// An SPDU of each kind with all of its parameters.
fn full(n: usize) -> Spdu {
    let form = &FORMS[n];
    let mut spdu = Spdu::new(form.kind);
    for name in form.may.iter().copied() {
        let value: Bytes = match name {
            Name::SerialNumber | Name::OldSerialNumber | Name::InitialSerialNumber => "12".into(),
            Name::SecondInitialSerialNumber => "13".into(),
            Name::UserData | Name::SyncUserData => "data".into(),
            // One of the two is sent, never both.
            Name::ExtendedUserData | Name::DataOverflow => continue,
            Name::VersionNumber | Name::RefusedVersion => vec![2].into(),
            Name::SessionRequirements => vec![0x04, 0x79].into(),
            Name::Reason => vec![0].into(),
            Name::Reflect => vec![1, 2, 3].into(),
            Name::ActivityIdentifier | Name::OldActivityIdentifier => "act".into(),
            Name::Enclosure => vec![3].into(),
            Name::SyncType => vec![1].into(),
            Name::ProtocolOptions | Name::TokenSetting | Name::ResyncTokenSetting | Name::ResyncType => vec![0].into(),
            Name::TsduMaximumSize => vec![0x10, 0, 0x10, 0].into(),
            Name::UpperLimitSerialNumber => vec![6].into(),
            _ => vec![1; *name.lengths().end().min(&3)].into(),
        };
        spdu = spdu.with(name, value);
    }
    if form.information == Information::Follows { spdu.with_information(INFORMATION.into()) } else { spdu }
}

#[test]
fn each_spdu_is_decoded_as_what_it_is() {
    let tsdus: Vec<Vec<u8>> = (0..FORMS.len()).map(|n| build(&[full(n)])).collect();
    let path = capture("spdus", &over_transport(&tsdus));
    let fields = ["-T", "fields", "-e", "frame.protocols", "-e", "ses.type", "-e", "_ws.col.Info"];
    let Some(lines) = tshark(&path, &fields) else { return };
    assert_eq!(lines.len(), FORMS.len() + 2, "CR, CC, and a packet for each");
    assert!(lines[0][2].contains("CR TPDU") && lines[1][2].contains("CC TPDU"), "{:?}", &lines[..2]);
    for (form, line) in FORMS.iter().zip(&lines[2..]) {
        // tshark looks for it by the number 0x2000, which no octet has.
        if form.short == "ER" {
            continue;
        }
        assert!(line[0].ends_with("tpkt:cotp:ses") || line[0].contains("tpkt:cotp:ses:"), "{}: {line:?}", form.name);
        let led = if form.category == Category::Two { "1," } else { "" };
        assert_eq!(line[1], format!("{led}{}", form.si), "{}: {line:?}", form.name);
    }
    let wrong = tshark(&path, &["-Y", "_ws.malformed || _ws.expert.severity == error"]).unwrap();
    assert_eq!(wrong, Vec::<Vec<String>>::new());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn parameters_are_read_as_they_are_meant() {
    let serial = Serial::new(42).unwrap();
    let tsdus = [
        build(&[full(0)]),
        build(&[Spdu::new(septet_session::spdu::Kind::MinorSyncPoint).with_serial(serial)]),
        build(&[Spdu::new(septet_session::spdu::Kind::GiveTokens)
            .with_octet(Name::TokenItem, (Tokens::DATA | Tokens::MAJOR).0)]),
        build(&[full(FORMS.iter().position(|form| form.short == "AR").unwrap())]),
    ];
    let path = capture("parameters", &over_transport(&tsdus));
    let fields = [
        "ses.half_duplex",
        "ses.duplex",
        "ses.minor_resynchronize",
        "ses.activity_management",
        "ses.serial_number",
        "ses.data_token",
        "ses.major.token",
        "ses.release_token",
        "ses.activity_identifier",
        "ses.proposed_tsdu_maximum_size_i2r",
    ];
    let mut arguments = vec!["-Y", "ses", "-T", "fields"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    let Some(lines) = tshark(&path, &arguments) else { return };
    let shown: Vec<String> = lines.iter().map(|line| line.join(" ")).collect();
    assert_eq!(shown[0], "1 0 1 1      4096");
    assert_eq!(shown[1].trim(), "42");
    assert_eq!(shown[2].trim(), "1 1 0");
    assert!(shown[3].contains("12") && shown[3].contains("616374,616374"), "{}", shown[3]);
    std::fs::remove_file(path).unwrap();
}

/// A session as the machines play it, segments and all.
#[test]
fn a_whole_session_is_decoded() {
    let nothing = Bytes::new();
    let mut pair = Pair::new(Default::default(), Default::default());
    let units = Units::HALF_DUPLEX | Units::MINOR | Units::ACTIVITY | Units::RESYNCHRONIZE | Units::TYPED;
    pair.connect(units, Setting::INITIATOR);
    pair.ask(0, Request::ActivityStart("a".into(), "a file".into()));
    pair.ask(0, Request::Data(vec![b'x'; 3000].into()));
    pair.ask(0, Request::SyncMinor(Confirmation::Explicit, nothing.clone()));
    pair.ask(1, Request::SyncMinorConfirm(Serial::new(1).unwrap(), nothing.clone()));
    pair.ask(1, Request::TypedData(INFORMATION.into()));
    pair.ask(1, Request::PleaseTokens(Tokens::DATA, nothing.clone()));
    pair.ask(0, Request::ActivityEnd(nothing.clone()));
    pair.ask(1, Request::ActivityEndConfirm(nothing.clone()));
    pair.ask(0, Request::Release(nothing.clone()));
    pair.ask(1, Request::ReleaseConfirm(nothing));
    let path = capture("session", &pair.wire);
    let Some(lines) = tshark(&path, &["-Y", "ses", "-T", "fields", "-e", "ses.type"]) else { return };
    let types: Vec<&str> = lines.iter().map(|line| line[0].as_str()).collect();
    assert_eq!(types, ["13", "14", "1,45", "1,1", "1,49", "1,50", "33", "2", "1,41", "1,42", "9", "10"]);
    let wrong = tshark(&path, &["-Y", "_ws.malformed || _ws.expert.severity == error"]).unwrap();
    assert_eq!(wrong, Vec::<Vec<String>>::new());
    std::fs::remove_file(path).unwrap();
}
