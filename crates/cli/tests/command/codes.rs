//! `septet convert` and `septet sniff`, as filters and as people call them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::{Ended, run, scratch, septet};

/// What a command makes of its standard input: exit code, stdout, stderr.
fn fed(command: &mut Command, input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // It may end before it has read all.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

fn converted(arguments: &[&str], input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    fed(septet().arg("convert").args(arguments), input)
}

fn iconv(from: &str, to: &str, input: &[u8]) -> Option<(bool, Vec<u8>)> {
    if let Err(e) = Command::new("iconv").arg("--version").output() {
        assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none_or(|v| v != "1"), "iconv is required: {e}");
        eprintln!("SKIPPED: iconv cannot be run: {e}");
        return None;
    }
    let (code, out, _) = fed(Command::new("iconv").args(["-f", from, "-t", to]), input);
    Some((code == Some(0), out))
}

#[test]
fn every_octet_of_every_page_is_what_iconv_says() {
    let all: Vec<u8> = (0..=255).collect();
    for page in ["037", "273", "500", "1047", "1140"] {
        let (ours, theirs) = (format!("cp{page}"), format!("IBM{page}"));
        let Some((true, text)) = iconv(&theirs, "UTF-8", &all) else { return };
        assert_eq!(converted(&["--from", &ours], &all), (Some(0), text.clone(), String::new()), "{ours}");
        assert_eq!(converted(&["--to", &ours], &text), (Some(0), all.clone(), String::new()), "{ours}");
    }
    let between = iconv("IBM1047", "IBM500", &all).unwrap();
    assert_eq!(between.0, converted(&["-f", "cp1047", "-t", "cp500"], &all).0 == Some(0));
    let ascii: Vec<u8> = (0..128).collect();
    for (from, to) in [("us-ascii", "cp500"), ("cp500", "us-ascii"), ("iso-8859-1", "utf-16be"), ("euc-kr", "utf-16le")]
    {
        let input = if from == "cp500" { converted(&["-t", from], &ascii).1 } else { ascii.clone() };
        let (done, out) =
            iconv(if from == "cp500" { "IBM500" } else { from }, if to == "cp500" { "IBM500" } else { to }, &input)
                .unwrap();
        assert_eq!(
            (Some(0), out),
            {
                let (code, out, _) = converted(&["-f", from, "-t", to], &input);
                (code, out)
            },
            "{from} {to} {done}"
        );
    }
}

#[test]
fn what_cannot_be_converted_is_told_with_its_place() {
    let text = "caf\u{e9}\nprice: 5 \u{20ac}\n".as_bytes();
    let (code, out, err) = converted(&["--to", "cp037"], text);
    assert_eq!(code, Some(1));
    assert_eq!(err, "septet: standard input: line 2, column 10 (byte 15): cp037 has no '€' (U+20AC)\n");
    // What stood before it was written.
    assert_eq!(converted(&["--from", "cp037"], &out).1, "caf\u{e9}\nprice: 5 ".as_bytes());
    let (code, out, _) = converted(&["--to", "latin1", "--unmappable", "escape"], text);
    assert_eq!((code, &out[..]), (Some(0), &b"caf\xe9\nprice: 5 \\u{20ac}\n"[..]));
    let (code, out, _) = converted(&["--to", "latin1", "--unmappable", "replace"], text);
    assert_eq!((code, &out[..]), (Some(0), &b"caf\xe9\nprice: 5 ?\n"[..]));
    let (code, _, err) = converted(&["--from", "euc-kr"], b"\xb0\xa1\n\xb0");
    assert_eq!(code, Some(1));
    assert_eq!(err, "septet: standard input: line 2, column 1 (byte 3): the octet 0xb0 there is no EUC-KR\n");
}

#[test]
fn lines_of_a_mainframe_end_in_nel() {
    let ebcdic = [0xc8, 0x89, 0x15, 0x5a, 0x15];
    assert_eq!(converted(&["--from", "cp1047", "--nel", "line-feed"], &ebcdic).1, b"Hi\n!\n");
    assert_eq!(converted(&["--to", "cp1047", "--nel", "line-feed"], b"Hi\n!\n").1, ebcdic);
    assert_eq!(converted(&["-f", "latin1", "-t", "cp1047", "--nel", "line-feed"], b"Hi\n!\n").1, ebcdic);
    assert_eq!(converted(&["--from", "cp1047"], &ebcdic).1, "Hi\u{85}!\u{85}".as_bytes());
    let (code, _, err) = converted(&["--from", "latin1", "--nel", "line-feed"], b"");
    assert_eq!(code, Some(2));
    assert!(err.contains("neither ISO-8859-1 nor UTF-8 is"), "{err}");
}

#[test]
fn names_are_listed_and_corrected() {
    let listed = run(["convert", "--list"]).out;
    for name in ["cp037", "cp1140", "US-ASCII", "EUC-KR", "Shift_JIS", "UTF-16LE"] {
        assert!(listed.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
    let Ended { code, err, .. } = run(["convert", "--from", "cp1074"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("do you mean `cp1047`?") && err.contains("--list"), "{err}");
    let Ended { code, err, .. } = run(["convert", "--from", "cp037", "no-such-file"]);
    assert_eq!((code, &err[..]), (Some(4), "septet: cannot read no-such-file: No such file or directory\n"));
}

/// A filter gives what it has, while more may come; and it ends when nobody reads.
#[test]
fn a_filter_streams() {
    let mut child =
        septet().args(["convert", "-f", "cp037"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut answer = [0; 2];
    stdin.write_all(&[0xc8, 0x89]).unwrap();
    stdout.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"Hi");
    drop(stdout);
    // Until the pipe breaks, or the process would be there for ever.
    while stdin.write_all(&[0xc8; 4096]).is_ok() {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // Far more than it may keep, cut within characters.
    let much = "한글 ".repeat(300_000);
    let (code, out, _) = converted(&["--to", "euc-kr"], much.as_bytes());
    assert_eq!((code, out.len()), (Some(0), 5 * 300_000));
    assert_eq!(converted(&["--from", "euc-kr"], &out).1, much.as_bytes());
}

#[test]
fn files_are_told_by_their_first_octets() {
    let dir = scratch("sniff");
    let file = |name: &str, content: &[u8]| {
        fs::write(dir.join(name), content).unwrap();
        dir.join(name).display().to_string()
    };
    let (png, page) = (file("a.txt", b"\x89PNG\r\n\x1a\n..."), file("b.png", b"\n <html lang=ko>"));
    let (late, empty) = (file("late", &[&[b'a'; 1445][..], &[0]].concat()), file("empty", b""));
    let ended = run(["sniff", &png, &page, "no-such-file", &late, &empty]);
    let expected = format!("{png}: image/png\n{page}: text/html\n{late}: text/plain\n{empty}: text/plain\n");
    assert_eq!((ended.code, ended.out), (Some(4), expected));
    assert_eq!(ended.err, "septet: cannot read no-such-file: No such file or directory\n");
    let ended = run(["sniff", "--json", &png]);
    let object: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(object["type"], "image/png");
    assert_eq!(object["file"], png);
    // Only the header is read: what is behind it is there for others.
    assert_eq!(fed(septet().args(["sniff", "-"]), b"Rar!\x1a\x07\0...").1, b"-: application/x-rar-compressed\n");
}

#[test]
fn what_a_server_says_counts() {
    let dir = scratch("sniff-said");
    let page = dir.join("page").display().to_string();
    fs::write(&page, "<html>").unwrap();
    let said = |arguments: &[&str]| {
        let ended = run(["sniff", &page].iter().chain(arguments).copied());
        ended.out.trim_end().rsplit(' ').next().unwrap_or_default().to_owned()
    };
    assert_eq!(said(&["--content-type", "Text/Plain"]), "text/plain");
    assert_eq!(said(&["--content-type", "*/*"]), "text/html");
    assert_eq!(said(&["--nosniff"]), "text/plain");
    fs::write(&page, "GIF89a\0").unwrap();
    assert_eq!(said(&["--content-type", "text/plain; charset=UTF-8"]), "application/octet-stream");
    assert_eq!(said(&["--content-type", "text/plain; charset=utf-8"]), "text/plain");
    assert_eq!(said(&["--content-type", "image/png"]), "image/gif");
    assert_eq!(said(&["--content-type", "image/png", "--nosniff"]), "image/png");
    assert_eq!(run(["sniff", &page, "--content-type", "png"]).code, Some(2));
}
