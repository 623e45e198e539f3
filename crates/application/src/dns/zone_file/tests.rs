use proptest::prelude::*;

use super::*;

const HEAD: &str = "$TTL 1h\n@ SOA ns hostmaster 7 1d 2h 4w 5m\n@ NS ns\n";

fn read(text: &str, files: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let files = Memory(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect());
    let zone = read_zone("x.test", "x.zone", text.as_bytes(), &mut |name| files.read(name));
    let zone = zone.map_err(|e| e.to_string())?;
    Ok(zone.records().map(|r| format!("{} {} {} {}", r.name.to_ascii(), r.ttl, r.record_type(), r.data)).collect())
}

#[track_caller]
fn reads(text: &str, want: &[&str]) {
    let records = read(&format!("{HEAD}{text}"), &[]).unwrap();
    let rest: Vec<&str> = records.iter().map(String::as_str).filter(|r| !r.starts_with("x.test. 3600 ")).collect();
    assert_eq!(rest, want, "{text}");
}

#[test]
fn what_rfc_1035_allows() {
    reads("www A 192.0.2.1\n", &["www.x.test. 3600 A 192.0.2.1"]);
    reads("www 60 IN A 192.0.2.1", &["www.x.test. 60 A 192.0.2.1"]);
    reads("www in 1m A 192.0.2.1\r\n", &["www.x.test. 60 A 192.0.2.1"]);
    reads("www\tA (192.0.2.1 ; first\n)\n\tAAAA ::1\n", &["www.x.test. 3600 A 192.0.2.1", "www.x.test. 3600 AAAA ::1"]);
    reads(
        "$ORIGIN sub\nw A 1.2.3.4\n$ORIGIN x.test.\nv A 1.2.3.5\n",
        &["w.sub.x.test. 3600 A 1.2.3.4", "v.x.test. 3600 A 1.2.3.5"],
    );
    reads("$TTL 1w2d\nt 0 TXT \"a \\\"b\\\" ; c\" d\\032e \\;f\n", &["t.x.test. 0 TXT a \"b\" ; cd e;f"]);
    reads("mx MX 10 mail.other.test.\n", &["mx.x.test. 3600 MX 10 mail.other.test."]);
    reads("_s._tcp SRV 1 2 80 www\n", &["_s._tcp.x.test. 3600 SRV 1 2 80 www.x.test."]);
    reads("odd TYPE65280 \\# 3 0A0b 0C\n", &["odd.x.test. 3600 Unknown CgsM"]);
    reads("odd CLASS1 TYPE1 \\# 4 0A000001\n", &["odd.x.test. 3600 A 10.0.0.1"]);
    reads("caa CAA 0 issue \"ca.test\"\n", &["caa.x.test. 3600 CAA 0 issue \"ca.test\""]);
    // What is escaped is no dot between labels.
    let records = read(&format!("{HEAD}a\\.b A 1.2.3.4\n"), &[]).unwrap();
    assert!(records.iter().any(|r| r.ends_with("A 1.2.3.4") && r.contains("b.x.test.")), "{records:?}");
    for text in [
        "n NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@x!\" .\n",
        "h HINFO PC \"Linux 6\"\n",
        "s SSHFP 1 1 0123456789abcdef0123456789abcdef01234567\n",
        "t TLSA 3 1 1 0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcdef\n",
        "d DS 1 8 2 0123\n",
        "k DNSKEY 256 3 8 AwEAAQ==\n",
        "r RP a b\n",
        "u URI 10 1 \"https://x.test/\"\n",
        "h HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1 ipv6hint=::1 key7=\"a b\"\n",
        "c CERT PGP 0 0 AwEAAQ==\n",
        "d DNAME y.test.\n",
    ] {
        assert_eq!(read(&format!("{HEAD}{text}"), &[]).map(|r| r.len()), Ok(3), "{text}");
    }
}

#[test]
fn a_time_to_live_has_three_sources() {
    let text = "@ SOA ns hostmaster 7 1d 2h 4w 5m\n@ NS ns\nw 60 A 1.2.3.4\nv A 1.2.3.5\n";
    let records = read(text, &[]).unwrap();
    assert_eq!(records[0].split(' ').nth(1), Some("300"), "the SOA's own minimum");
    assert!(records.contains(&"v.x.test. 60 A 1.2.3.5".to_owned()), "the last that was stated: {records:?}");
    let none = read("@ NS ns\n", &[]).unwrap_err();
    assert!(none.starts_with("x.zone:1:3: nobody says how long"), "{none}");
}

#[test]
fn files_include_others() {
    let hosts = ("hosts", "$ORIGIN far.x.test.\nw A 1.2.3.4\n");
    let text = format!("{HEAD}v A 1.2.3.5\n$INCLUDE hosts\n  A 1.2.3.6\n$INCLUDE more sub\nu A 1.2.3.7\n");
    let records = read(&text, &[hosts, ("more", "@ A 1.2.3.8\n")]).unwrap();
    for want in ["w.far.x.test. 3600 A 1.2.3.4", "v.x.test. 3600 A 1.2.3.6", "sub.x.test. 3600 A 1.2.3.8"] {
        assert!(records.contains(&want.to_owned()), "{want}: {records:?}");
    }
    assert!(records.contains(&"u.x.test. 3600 A 1.2.3.7".to_owned()), "the origin is the old one again");
    let missing = read(&format!("{HEAD}$INCLUDE no\n"), &[]).unwrap_err();
    assert!(missing.starts_with("x.zone:4:10: `no`: there is no such file"), "{missing}");
    let itself = read(&format!("{HEAD}$INCLUDE me\n"), &[("me", "$INCLUDE me\n")]).unwrap_err();
    assert!(itself.starts_with("me:1:10: a zone has at most"), "{itself}");
}

#[test]
fn mistakes_are_told_in_place() {
    for (text, want) in [
        ("www A 1.2.3\n", "x.zone:4:7: `1.2.3` is not an IPv4 address (192.0.2.1)"),
        ("www A\n", "x.zone:4:5: an IPv4 address is missing"),
        ("www A 1.2.3.4 5\n", "x.zone:4:15: `5` is left over"),
        ("www QQ 1\n", "x.zone:4:5: `QQ` is no type of record, class or time"),
        ("www 60\n", "x.zone:4:5: the record has no type"),
        ("www CH A 1.2.3.4\n", "x.zone:4:5: only the class IN is served"),
        ("www TXT \"a\nb A 1.2.3.4\n", "x.zone:4:9: the \" is never closed"),
        ("www TXT (a\nb A 1.2.3.4\n", "x.zone:4:9: the parenthesis is never closed"),
        ("www A 1.2.3.4)\n", "x.zone:4:14: a parenthesis that was not opened"),
        ("a..b A 1.2.3.4\n", "x.zone:4:1: `a..b` is no domain name: a label is empty"),
        ("www.y.test. A 1.2.3.4\n", "x.zone:4:1: `www.y.test.` does not lie in the zone"),
        ("@ SOA ns h 8 1 1 1 1\n", "x.zone:4:1: the zone has a SOA record already"),
        ("w CNAME v\nw A 1.2.3.4\n", "x.zone:5:1: `w.x.test.` has a CNAME"),
        ("w CNAME v\nw CNAME u\n", "x.zone:5:1: `w.x.test.` is an alias of something else already"),
        ("w TXT \\999\n", "x.zone:4:7: `\\999` has a bad escape"),
        ("w TYPE1 \\# 4 0a00\n", "x.zone:4:12: 4 bytes are announced, and 2 follow"),
        ("w TYPE1 \\# 2 0a00\n", "x.zone:4:3: this is no record of type A"),
        ("w A 1.2.3.4 ; fine\n$GENERATE 1-9 a A 1.2.3.$\n", "x.zone:5:1: the directive `$GENERATE` is not known"),
        ("w MX 70000 a\n", "x.zone:4:6: `70000` is not a number up to 65535"),
        ("w ANY a\n", "x.zone:4:3: `ANY` is no type"),
        ("w TYPE255 \\# 0\n", "x.zone:4:3: no zone holds records of type ANY"),
    ] {
        let error = read(&format!("{HEAD}{text}"), &[]).unwrap_err();
        assert!(error.starts_with(want), "{text}: {error}");
    }
    let empty = read("", &[]).unwrap_err();
    assert!(empty.starts_with("x.zone:1:1: the zone has no SOA record (@ SOA"), "{empty}");
    let blank = read(" A 1.2.3.4\n", &[]).unwrap_err();
    assert!(blank.starts_with("x.zone:1:2: a record without an owner"), "{blank}");
    let alone = read("$TTL 1\n@ SOA ns h 1 1 1 1 1\n", &[]).unwrap_err();
    assert!(alone.contains("the origin of the zone has no NS record"), "{alone}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_bytes_do_no_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "www ", "@ ", "A ", "1.2.3.4", "\n", " ", "(", ")", "\"", ";", "\\", "$TTL ", "$ORIGIN ", "$INCLUDE a", "TXT ",
                "TYPE7 ", "\\# ", "4 ", "HTTPS ", "alpn=", "IN ", "x.test.", "1h ", "MX 10 ", "SOA a b 1 2 3 4 5",
            ]),
            0..40,
        ),
    ) {
        let files = Memory([("a".to_owned(), b"$INCLUDE a\n".to_vec())].into());
        for text in [bytes, [HEAD, &words.concat()].concat().into_bytes()] {
            let _ = read_zone("x.test", "x.zone", &text, &mut |name| files.read(name));
        }
    }
}
