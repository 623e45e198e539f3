//! Messages apart and together, what is wrong with them, and what Python's `email` says.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::charset::Charset;

fn taken(message: &str) -> Entity {
    read(message.replace('\n', "\r\n").as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}: {message}"))
}

fn wrong(message: &str) -> String {
    read(message.as_bytes(), &Limits::default()).expect_err(message).to_string()
}

const NESTED: &str = "From: =?UTF-8?B?6rmA7LKg7IiY?= <kim@seoul.test>
Subject: =?iso-8859-1?Q?caf=E9?=
 =?utf-8?q?_=EB=B3=B4=EA=B3=A0=EC=84=9C?= and
 more
Content-Type: multipart/mixed; boundary=\"outer\"

for nobody
--outer
Content-Type: multipart/alternative; boundary=outer-inner

--outer-inner
Content-Type: text/plain; charset=euc-kr
Content-Transfer-Encoding: base64

sKGz
qg==
--outer-inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>=EA=B0=80 soft=
ly
--outer-inner--
--outer  
Content-Type: application/octet-stream
Content-Disposition: attachment; filename*0*=utf-8'ko'%EA%B7%B8; filename*1*=%EB%A6%BC; filename*2=.gif
Content-Transfer-Encoding: base64

R0lG
--outer
Content-Type: message/rfc822

Subject: within

text
--outer--
after
";

#[test]
fn a_message_is_taken_apart() {
    let entity = taken(NESTED);
    assert_eq!(entity.kind, "multipart/mixed");
    assert_eq!(entity.field("SUBJECT"), Some("café 보고서 and more"));
    assert_eq!(entity.field("from"), Some("김철수 <kim@seoul.test>"));
    let [alternative, file, message] = entity.parts() else { panic!("{entity:#?}") };
    let [plain, html] = alternative.parts() else { panic!("{alternative:#?}") };
    assert_eq!((&plain.kind[..], plain.parameter("charset")), ("text/plain", Some("euc-kr")));
    assert_eq!(plain.text().unwrap(), "가나");
    assert_eq!(html.text().unwrap(), "<p>가 softly");
    assert_eq!((file.name(), file.octets()), (Some("그림.gif"), &b"GIF"[..]));
    let Content::Message(within) = &message.content else { panic!("{message:#?}") };
    assert_eq!((within.field("subject"), within.octets()), (Some("within"), &b"text"[..]));
    assert_eq!(NESTED.replace('\n', "\r\n").find("Subject: within"), Some(within.offset));
    // With bare line feeds it is the same.
    let bare = read(NESTED.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(bare.parts()[0].parts()[0].text().unwrap(), "가나");
}

#[test]
fn what_is_not_said_is_text_in_ascii() {
    let entity = taken("Subject: x\n\nhello\n");
    assert_eq!((&entity.kind[..], entity.text().unwrap()), ("text/plain", "hello\r\n".to_owned()));
    let entity = read("\r\ncaf\u{e9}".as_bytes(), &Limits::default()).unwrap();
    assert_eq!(entity.text().unwrap_err(), "line 1, column 4 (byte 3): the octet 0xc3 there is no US-ASCII");
    let digest = taken("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nx\n--b--\n");
    assert_eq!(digest.parts()[0].kind, "message/rfc822");
    // RFC 2045 §6.7: "any trailing white space on a line must be deleted".
    let printable = taken("Content-Transfer-Encoding: quoted-printable\n\na=20 \t\nb \n");
    assert_eq!(printable.octets(), b"a \r\nb\r\n");
    // EBCDIC travels by mail, too.
    let ebcdic = taken("Content-Type: text/plain; charset=ibm037\nContent-Transfer-Encoding: base64\n\nyImTkw==\n");
    assert_eq!(ebcdic.text().unwrap(), "Hill");
}

#[test]
fn what_is_wrong_has_its_place() {
    for (message, why) in [
        ("Subject: x\nno field\n\n", "line 2 (byte 11): a field should stand here, as `Name: value`, or an empty line"),
        (" goes on\n\n", "line 1 (byte 0): a field should stand here, as `Name: value`, or an empty line"),
        ("Content-Transfer-Encoding: base64\n\nQUJD\nQ!==\n", "line 4 (byte 41): this is no base64"),
        (
            "Content-Transfer-Encoding: base64\n\nQUI=QUI=\n",
            "line 3 (byte 39): something stands behind the end of the base64",
        ),
        ("Content-Transfer-Encoding: base64\n\nQUI\n", "line 4 (byte 39): the base64 ends in the middle"),
        (
            "Content-Transfer-Encoding: quoted-printable\n\na=3Db\nc=4g\n",
            "line 4 (byte 52): two hexadecimal digits should stand behind this `=`",
        ),
        ("Content-Transfer-Encoding: rot13\n\nx", "line 1 (byte 0): nobody knows the transfer encoding `rot13`"),
        ("Content-Type: text\n\n", "line 1 (byte 0): its type should be a type and a subtype, as `text/plain`"),
        ("Content-Type: multipart/mixed\n\n", "line 1 (byte 0): a multipart should say its boundary"),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n",
            "line 6 (byte 50): the parts from byte 43 on should end with `--b--`",
        ),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b--\n", "line 3 (byte 43): a multipart should have a part"),
        (
            "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b--\n",
            "line 1 (byte 0): `base64` around parts is forbidden",
        ),
    ] {
        assert_eq!(wrong(message), why, "{message}");
    }
}

#[test]
fn there_are_bounds() {
    let nested = |depth: usize| "Content-Type: message/rfc822\n\n".repeat(depth) + "Subject: x\n\n";
    assert!(read(nested(16).as_bytes(), &Limits::default()).is_ok());
    assert!(wrong(&nested(17)).ends_with("parts are nested more than 16 deep"));
    assert!(wrong(&nested(100_000)).ends_with("parts are nested more than 16 deep"));
    let wide = format!("Content-Type: multipart/mixed; boundary=b\n\n{}--b--\n", "--b\n\n".repeat(1000));
    assert!(wrong(&wide).ends_with("there are more than 1000 parts"));
    assert!(wrong(&format!("{}\n", "X: y\n".repeat(60_000))).ends_with("its fields have more than 262144 bytes"));
    let small = Limits { size: 10, ..Limits::default() };
    assert_eq!(
        read(&[b'\n'; 11], &small).unwrap_err().to_string(),
        "line 11 (byte 10): the message has more than 10 bytes"
    );
}

fn message(text: &str, octets: &[u8]) -> Message {
    let plain = Part::Text { subtype: "plain".to_owned(), charset: Charset::UTF_8, text: text.to_owned() };
    let html = Part::Text { subtype: "html".to_owned(), charset: Charset::UTF_8, text: format!("<p>{text}</p>") };
    let file =
        Part::Octets { kind: "image/gif".to_owned(), name: "그림 (1).gif".to_owned(), octets: octets.to_vec() };
    let alternative = Part::Multipart { subtype: "alternative".to_owned(), parts: vec![plain, html] };
    Message {
        from: Mailbox::new("김철수", "kim@seoul.test"),
        to: vec![Mailbox::new("Anna \"A\" Müller", "anna@berlin.test"), Mailbox::new("", "bob@london.test")],
        subject: "보고서 about a café, which is long enough to be folded into several lines of the header".to_owned(),
        date: 1_700_000_000,
        id: "1@seoul.test".to_owned(),
        boundary: "b".to_owned(),
        body: Part::Multipart { subtype: "mixed".to_owned(), parts: vec![alternative, file] },
    }
}

#[test]
fn a_message_is_put_together_the_same_each_time() {
    let message = message("가나다\r\nand =_b_1 too\r\n", &[0, 255, 10, 13]);
    let written = message.write().unwrap();
    assert_eq!(written, message.write().unwrap());
    let text = String::from_utf8(written.clone()).unwrap();
    assert!(text.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"), "{text}");
    assert!(text.contains("Message-ID: <1@seoul.test>\r\n"), "{text}");
    // The first boundary stands in the text.
    assert!(text.contains("boundary=\"=_b_2\""), "{text}");
    assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 78), "{text}");
    let entity = read(&written, &Limits::default()).unwrap();
    assert_eq!(entity.field("subject"), Some(&message.subject[..]));
    assert_eq!(entity.parts()[0].parts()[0].text().unwrap(), "가나다\r\nand =_b_1 too\r\n");
    assert_eq!(entity.parts()[1].name(), Some("그림 (1).gif"));
    assert_eq!(entity.parts()[1].octets(), [0, 255, 10, 13]);
}

#[test]
fn text_travels_in_its_own_character_set() {
    let ebcdic = Charset::find("cp1140").unwrap();
    for text in ["", "5", "5 \u{20ac}", "5 \u{20ac}\nand more, on a line that is longer than fits into one of base64\n"]
    {
        let part = Part::Text { subtype: "plain".to_owned(), charset: ebcdic, text: text.to_owned() };
        let entity = read(&Message { body: part, ..message("", b"") }.write().unwrap(), &Limits::default()).unwrap();
        assert_eq!(entity.parameter("charset"), Some("IBM01140"));
        assert_eq!(entity.text().unwrap(), text.replace('\n', "\u{85}"));
    }
    let part = Part::Text { subtype: "plain".to_owned(), charset: ebcdic, text: "a가".to_owned() };
    let wrong = Message { body: part, ..message("", b"") }.write().unwrap_err();
    assert_eq!(wrong.to_string(), "line 1, column 2 (byte 1): cp1140 has no '가' (U+AC00)");
}

#[test]
fn nothing_is_smuggled_into_a_header() {
    let mut evil = message("x", b"");
    evil.from.address = "a@b\r\nBcc: c@d".to_owned();
    assert!(evil.write().is_err());
    let mut evil = message("x", b"");
    evil.subject = "x\r\nBcc: c@d".to_owned();
    evil.to[0].name = "x\r\nBcc: c@d".to_owned();
    let entity = read(&evil.write().unwrap(), &Limits::default()).unwrap();
    assert_eq!(entity.field("bcc"), None);
    let empty = Part::Multipart { subtype: "mixed".to_owned(), parts: Vec::new() };
    assert_eq!(
        Message { body: empty, ..message("", b"") }.write().unwrap_err().to_string(),
        "a multipart should have a part"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(text in "(\\PC|\r\n){0,60}", octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let written = message(&text, &octets).write().unwrap();
        let entity = read(&written, &Limits::default()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(entity.parts()[1].octets(), &octets[..]);
        prop_assert_eq!(entity.parts()[0].parts()[0].text().unwrap(), text);
    }

    #[test]
    fn nothing_breaks_it(at in 0_usize..1200, with in any::<u8>(), cut in 0_usize..1200) {
        let mut octets = NESTED.as_bytes().to_vec();
        let len = octets.len();
        octets[at % len] = with;
        octets.truncate(cut.max(at % len));
        if let Err(fault) = read(&octets, &Limits::default()) {
            prop_assert!(fault.offset <= octets.len() && fault.line > 0);
        }
    }
}

/// What Python's `email` finds in a message: kinds, names and octets, one line a part.
const PYTHON: &str = r#"
import sys, email, email.policy
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
print(message["subject"])
for part in message.walk():
    if part.is_multipart():
        print(part.get_content_type())
    else:
        print(part.get_content_type(), part.get_filename() or "", part.get_payload(decode=True).hex())
"#;

/// The same of ours.
fn told(entity: &Entity, out: &mut String) {
    match &entity.content {
        Content::Octets(octets) => {
            let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            out.push_str(&format!("{} {} {hex}\n", entity.kind, entity.name().unwrap_or_default()));
        }
        Content::Parts(parts) => {
            out.push_str(&format!("{}\n", entity.kind));
            parts.iter().for_each(|part| told(part, out));
        }
        Content::Message(message) => {
            out.push_str(&format!("{}\n", entity.kind));
            told(message, out);
        }
    }
}

#[test]
fn python_finds_the_same() {
    for message in
        [NESTED.replace('\n', "\r\n").into_bytes(), message("가나다\r\n", &[0, 255, 10, 13]).write().unwrap()]
    {
        let child = Command::new("python3")
            .args(["-c", PYTHON])
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(e) => {
                assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none_or(|v| v != "1"), "python3 is required: {e}");
                eprintln!("SKIPPED: python3 cannot be run: {e}");
                return;
            }
        };
        child.stdin.take().unwrap().write_all(&message).unwrap();
        let theirs = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let entity = read(&message, &Limits::default()).unwrap();
        let mut ours = format!("{}\n", entity.field("subject").unwrap_or_default());
        told(&entity, &mut ours);
        assert_eq!(ours, theirs);
    }
}
