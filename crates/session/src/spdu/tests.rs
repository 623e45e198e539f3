//! Every SPDU, and what is none.

use super::*;
use proptest::prelude::*;

#[test]
fn rows_stand_in_the_order_of_the_kinds() {
    for (n, form) in FORMS.iter().enumerate() {
        assert_eq!(form.kind as usize, n, "{}", form.name);
        assert!(form.must.iter().all(|name| form.may.contains(name)), "{}", form.name);
        // What one SPDU has must be told apart by number and group.
        for (n, name) in form.may.iter().enumerate() {
            let same = |other: &&Name| (other.code(), other.group()) == (name.code(), name.group());
            assert_eq!(form.may.iter().position(|other| same(&other)), Some(n), "{}: {name:?}", form.name);
        }
    }
}

#[test]
fn numbers_are_those_of_the_standard() {
    // X.225 §8.3, by their short names.
    let numbers = "CN 13 OA 16 CDO 15 AC 14 RF 12 FN 9 DN 10 NF 8 AB 25 AA 26 DT 1 EX 5 TD 33 CD 61 CDA 62 GT 1 PT 2 GTC 21 \
                   GTA 22 MIP 49 MIA 50 MAP 41 AE 41 MAA 42 RS 53 RA 34 PR 7 ER 0 ED 48 AS 45 AR 29 AI 25 AIA 26 AD 57 ADA 58";
    let words: Vec<&str> = numbers.split_whitespace().collect();
    assert_eq!(words.len(), FORMS.len() * 2);
    for (form, row) in FORMS.iter().zip(words.chunks(2)) {
        assert_eq!([form.short.to_owned(), form.si.to_string()], [row[0], row[1]]);
    }
}

#[test]
fn a_connect_has_its_groups() {
    let spdu = Spdu::new(Kind::Connect)
        .with_user_data(Bytes::from_static(b"hi"))
        .with(Name::SessionRequirements, vec![0x00, 0x48])
        .with_octet(Name::VersionNumber, 2)
        .with_octet(Name::ProtocolOptions, 0);
    let bytes = [13, 16, 5, 6, 19, 1, 0, 22, 1, 2, 20, 2, 0, 0x48, 193, 2, b'h', b'i'];
    assert_eq!(build(std::slice::from_ref(&spdu)), bytes);
    assert_eq!(parse(&Bytes::copy_from_slice(&bytes)).unwrap(), std::slice::from_ref(&spdu));
    assert_eq!(spdu.units(), Some(Units::MINOR | Units::ACTIVITY));
}

#[test]
fn the_end_of_an_activity_is_a_major_point_without_type() {
    let number = Serial::new(12).unwrap();
    let end = Spdu::new(Kind::ActivityEnd).with_serial(number);
    let major = Spdu::new(Kind::MajorSyncPoint).with_octet(Name::SyncType, 1).with_serial(number);
    for spdu in [end, major] {
        assert_eq!(parse(&build(std::slice::from_ref(&spdu)).into()).unwrap()[1], spdu);
    }
}

#[test]
fn faults_have_their_place() {
    let why = |bytes: &'static [u8]| parse(&Bytes::from_static(bytes)).unwrap_err().to_string();
    assert_eq!(why(&[]), "octet 0 of a TSDU: it is empty");
    assert_eq!(why(&[99, 0]), "octet 0 of a SPDU: no SPDU first in a TSDU has the number 99");
    assert_eq!(why(&[1, 0, 13, 0]), "octet 2 of a SPDU: no SPDU after one of category 0 has the number 13");
    assert_eq!(why(&[13]), "octet 0 of a SPDU: its length is missing");
    assert_eq!(why(&[13, 255, 0]), "octet 0 of a SPDU: its length is missing");
    assert_eq!(why(&[10, 5, 193]), "octet 0 of a SPDU: it is longer than what holds it");
    assert_eq!(why(&[10, 3, 193, 9, 0]), "octet 2 of a DISCONNECT SPDU: it is longer than what holds it");
    assert_eq!(why(&[10, 2, 77, 0]), "octet 2 of a DISCONNECT SPDU: it has no parameter 77");
    assert_eq!(why(&[25, 0]), "octet 0 of a ABORT SPDU: Transport Disconnect is missing");
    assert_eq!(
        why(&[1, 0, 50, 3, 42, 1, b'x']),
        "octet 4 of a MINOR SYNC ACK SPDU: Serial Number is no number in digits"
    );
    assert_eq!(
        why(&[1, 0, 50, 2, 42, 0]),
        "octet 4 of a MINOR SYNC ACK SPDU: Serial Number is 0 octets long, not 1 to 6"
    );
    assert_eq!(why(&[9, 6, 17, 1, 1, 17, 1, 1]), "octet 5 of a FINISH SPDU: Transport Disconnect comes twice");
    assert_eq!(why(&[10, 0, 10, 0]), "octet 2 of a TSDU: an SPDU more than may stand there");
    // A CONNECT may propose what only later versions know.
    assert_eq!(parse(&Bytes::from_static(&[13, 3, 99, 1, 0])).unwrap(), [Spdu::new(Kind::Connect)]);
}

fn value(name: Name) -> BoxedStrategy<Vec<u8>> {
    let lengths = name.lengths();
    match name {
        Name::SerialNumber | Name::OldSerialNumber | Name::InitialSerialNumber | Name::SecondInitialSerialNumber => {
            (0_u32..=999_999).prop_map(|n| n.to_string().into_bytes()).boxed()
        }
        Name::ResyncType => (0_u8..3).prop_map(|n| vec![n]).boxed(),
        _ => {
            let most = *lengths.end().min(&700);
            proptest::collection::vec(any::<u8>(), *lengths.start()..=most).boxed()
        }
    }
}

fn any_spdu() -> impl Strategy<Value = Spdu> {
    (0..FORMS.len()).prop_flat_map(|n| {
        let form = &FORMS[n];
        let values: Vec<_> = form.may.iter().map(|name| value(*name)).collect();
        let there = proptest::collection::vec(any::<bool>(), form.may.len());
        let information = proptest::collection::vec(any::<u8>(), 0..400);
        (values, there, information).prop_map(move |(values, there, information)| {
            let mut spdu = Spdu::new(form.kind);
            for ((name, value), there) in form.may.iter().zip(values).zip(there) {
                if there || form.must.contains(name) {
                    spdu = spdu.with(*name, value);
                }
            }
            if form.information == Information::Follows { spdu.with_information(information.into()) } else { spdu }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_built_is_read_again(spdu in any_spdu()) {
        let tsdu: Bytes = build(std::slice::from_ref(&spdu)).into();
        let mut found = parse(&tsdu).unwrap();
        prop_assert_eq!(found.pop(), Some(spdu.clone()));
        let led = spdu.kind.form().category == Category::Two;
        prop_assert_eq!(found, if led { vec![Spdu::new(Kind::GiveTokens)] } else { vec![] });
    }

    #[test]
    fn what_is_read_is_built_again(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(found) = parse(&bytes.into()) {
            prop_assert_eq!(parse(&build(&found).into()).unwrap(), found);
        }
    }

    #[test]
    fn settings_are_read_as_they_are_written(octet in any::<u8>()) {
        let setting = Setting::from_octet(octet);
        prop_assert_eq!(Setting::from_octet(setting.octet()), setting);
    }
}
