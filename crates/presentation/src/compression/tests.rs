//! Data there and back, however they are cut; what is broken, too much, or somebody else's.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn text() -> Vec<u8> {
    (0..4000).flat_map(|n: u32| format!("line {n}, {}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect()
}

/// Bytes that nothing makes smaller.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    core::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

/// What comes out, in pieces of `cut` in and `room` out.
fn in_pieces(coding: Coding, data: &[u8], cut: usize, room: usize, limits: Limits) -> Result<Vec<u8>, Fault> {
    let mut decoder = Decoder::new(coding, limits);
    let (mut out, mut buffer) = (Vec::new(), vec![0; room]);
    for mut piece in data.chunks(cut).chain([&[][..]]) {
        loop {
            let step = decoder.step(piece, &mut buffer)?;
            out.extend_from_slice(&buffer[..step.written]);
            piece = &piece[step.read..];
            if piece.is_empty() && step.written < room {
                break;
            }
        }
    }
    decoder.finish()?;
    Ok(out)
}

fn faulty(coding: Coding, data: &[u8]) -> String {
    let fault = decompress(coding, data, Limits::default()).unwrap_err().to_string();
    assert_eq!(
        in_pieces(coding, data, 1, 7, Limits::default()).unwrap_err().to_string().split(": ").last(),
        fault.split(": ").last()
    );
    fault
}

#[test]
fn what_goes_in_comes_out() {
    for coding in Coding::ALL {
        for octets in [vec![], vec![0], text(), noise(300_000), vec![b'x'; 1 << 20]] {
            let packed = compress(coding, &octets);
            let out = decompress(coding, &packed, Limits::NONE).unwrap_or_else(|e| panic!("{e}"));
            assert!(out == octets, "{coding:?} of {} octets", octets.len());
            assert!(
                packed.len() < octets.len() + octets.len() / 100 + 64,
                "{coding:?}: {} of {}",
                packed.len(),
                octets.len()
            );
        }
        let (packed, all) = (compress(coding, &text()), text());
        assert!(packed.len() * 2 < all.len(), "{coding:?} makes {} of {}", packed.len(), all.len());
        for (cut, room) in [(1, 1), (3, 1000), (1000, 3), (packed.len() - 1, 64)] {
            assert!(
                in_pieces(coding, &packed, cut, room, Limits::default()) == Ok(all.clone()),
                "{coding:?} {cut} {room}"
            );
        }
        assert_eq!(compress(coding, &text()), packed, "the same again");
    }
}

#[test]
fn a_flush_gives_all_that_was_pushed() {
    for coding in Coding::ALL {
        let (mut encoder, mut decoder) = (Encoder::new(coding), Decoder::new(coding, Limits::default()));
        for n in 0..20 {
            let said = format!("message {n} ").repeat(n * 100 + 1);
            let (mut packed, mut out) = (Vec::new(), vec![0; said.len() + 1]);
            encoder.push(said.as_bytes(), &mut packed);
            encoder.flush(&mut packed);
            let step = decoder.step(&packed, &mut out).unwrap();
            assert_eq!(&out[..step.written], said.as_bytes(), "{coding:?} {n}");
        }
        let mut end = Vec::new();
        encoder.finish(&mut end);
        assert_eq!(decoder.step(&end, &mut [0; 8]).unwrap(), Step { read: end.len(), written: 0 });
        decoder.finish().unwrap();
    }
}

#[test]
fn what_is_cut_off_is_not_taken_for_whole() {
    for coding in Coding::ALL {
        let packed = compress(coding, &text());
        for len in [1, 2, 5, 12, packed.len() / 2, packed.len() - 5, packed.len() - 1] {
            let fault = decompress(coding, &packed[..len], Limits::default()).unwrap_err();
            assert_eq!((fault.what, fault.offset), (What::Truncated, len as u64), "{coding:?} at {len}");
        }
        // Something behind it is not of it.
        assert!(decompress(coding, &[&packed[..], b"more"].concat(), Limits::default()).is_err(), "{coding:?}");
        let fault: std::io::Error = decompress(coding, &packed[..9], Limits::default()).unwrap_err().into();
        assert_eq!(fault.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn what_is_damaged_is_told() {
    // Those with checksums find any bit.
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
        let packed = compress(coding, b"some octets that are not long, not long at all");
        for bit in 0..packed.len() * 8 {
            // gzip's time and system are of no account here.
            if coding == Coding::Gzip && (4 * 8..10 * 8).contains(&bit) {
                continue;
            }
            let mut damaged = packed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let out = decompress(coding, &damaged, Limits::default());
            assert!(
                out.is_err() || out == Ok(b"some octets that are not long, not long at all".to_vec()),
                "{coding:?}: bit {bit}"
            );
        }
    }
    assert_eq!(faulty(Coding::Gzip, b"hello"), "byte 0 of the gzip data: this is no gzip");
    assert_eq!(faulty(Coding::Zstd, b"hello"), "byte 0 of the zstd data: this is no zstd");
    assert!(faulty(Coding::Brotli, &[0xff; 40]).ends_with("of the br data: this is no brotli"));
    assert!(faulty(Coding::Deflate, &[0xff; 40]).contains("of the deflate data: this is no deflate"));
    let mut sum = compress(Coding::Gzip, b"x");
    let at = sum.len() - 8;
    sum[at] ^= 1;
    assert!(faulty(Coding::Gzip, &sum).ends_with("its checksum is wrong"));
    assert!(faulty(Coding::Gzip, b"\x1f\x8b\x08\xe0......").ends_with("its header has flags that there are not"));
}

#[test]
fn a_bomb_is_refused() {
    let much = vec![0; 17 << 20];
    for coding in Coding::ALL {
        let packed = compress(coding, &much);
        let ratio = much.len() / packed.len();
        let fault = decompress(coding, &packed, Limits::default()).unwrap_err();
        assert_eq!(fault.what, What::Bomb(200), "{coding:?}, {ratio} times");
        let small = Limits { output: 1000, ..Limits::default() };
        let fault = decompress(coding, &packed, small).unwrap_err();
        assert_eq!(fault.what, What::TooLarge(1000), "{coding:?}");
        assert!(decompress(coding, &compress(coding, &[7; 1000]), small).is_ok(), "{coding:?}: it is exactly enough");
    }
    // A block of four octets that are 128 KB, and again: nothing of it is kept.
    let block = [((128 * 1024) << 3 | 2_u32).to_le_bytes()[..3].to_vec(), vec![0]].concat();
    let bomb = [&b"\x28\xb5\x2f\xfd\0\x58"[..], &block.repeat(1000)].concat();
    let fault = decompress(Coding::Zstd, &bomb, Limits::default()).unwrap_err();
    assert_eq!(fault.what, What::Bomb(200));
    // A window of 2 GB, of which nobody has so much as begun to write.
    let fault = decompress(Coding::Zstd, b"\x28\xb5\x2f\xfd\0\xa8\0\0\0", Limits::NONE).unwrap_err();
    assert_eq!(fault.what, What::Malformed("it wants a window of more than 8 MB"));
}

#[test]
fn deflate_is_read_as_browsers_do() {
    let mut bare = deflate::Encoder::bare();
    let mut packed = Vec::new();
    encoder::Encode::push(&mut bare, &text(), &mut packed);
    encoder::Encode::finish(&mut bare, &mut packed);
    assert!(decompress(Coding::Deflate, &packed, Limits::default()) == Ok(text()));
    assert!(in_pieces(Coding::Deflate, &packed, 1, 1, Limits::default()) == Ok(text()));
    // What is sent has zlib's frame, as RFC 9110 has it.
    assert_eq!(compress(Coding::Deflate, b"x")[0], 0x78);
}

#[test]
fn gzip_has_members_and_fields() {
    let two = [compress(Coding::Gzip, b"one "), compress(Coding::Gzip, b"two")].concat();
    assert_eq!(decompress(Coding::Gzip, &two, Limits::default()).unwrap(), b"one two");
    // Extra field, name, comment and a checksum of the header.
    let plain = compress(Coding::Gzip, b"named");
    let mut header = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03".to_vec();
    header.extend(b"\x04\0abcdname\0a comment\0");
    let sum = (crc32fast::hash(&header) as u16).to_le_bytes();
    let whole = [&header[..], &sum, &plain[10..]].concat();
    assert_eq!(in_pieces(Coding::Gzip, &whole, 1, 9, Limits::default()).unwrap(), b"named");
    let wrong = [&header[..], &[sum[0] ^ 1, sum[1]], &plain[10..]].concat();
    assert!(faulty(Coding::Gzip, &wrong).ends_with("the checksum of its header is wrong"));
}

#[test]
fn zstd_has_frames_and_frames_to_skip() {
    let frames =
        [compress(Coding::Zstd, b"one "), b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), compress(Coding::Zstd, b"two")]
            .concat();
    assert_eq!(in_pieces(Coding::Zstd, &frames, 1, 9, Limits::default()).unwrap(), b"one two");
    assert_eq!(decompress(Coding::Zstd, &frames, Limits::default()).unwrap(), b"one two");
}

#[test]
fn codings_are_found_by_their_names() {
    assert_eq!(Coding::find("GZip"), Some(Coding::Gzip));
    assert_eq!(Coding::find("x-gzip"), Some(Coding::Gzip));
    assert_eq!(Coding::find("compress"), None);
    for coding in Coding::ALL {
        assert_eq!(Coding::find(coding.name()), Some(coding));
    }
}

proptest! {
    #[test]
    fn any_octets_come_back_however_they_are_cut(
        octets in proptest::collection::vec(any::<u8>(), 0..300), cut in 1_usize..40, room in 1_usize..40, n in 0_usize..4,
    ) {
        let coding = Coding::ALL[n];
        let mut encoder = Encoder::new(coding);
        let mut packed = Vec::new();
        for piece in octets.chunks(cut) {
            encoder.push(piece, &mut packed);
            if room % 2 == 0 {
                encoder.flush(&mut packed);
            }
        }
        encoder.finish(&mut packed);
        prop_assert_eq!(in_pieces(coding, &packed, cut, room, Limits::NONE), Ok(octets));
    }

    #[test]
    fn nothing_breaks_it(
        bytes in proptest::collection::vec(any::<u8>(), 0..100), from in 0_usize..60, cut in 1_usize..20, n in 0_usize..4,
    ) {
        let coding = Coding::ALL[n];
        // Something that begins well.
        let good = compress(coding, b"what begins well, begins well, and ends as it likes");
        let data = [&good[..from.min(good.len())], &bytes].concat();
        let limits = Limits { output: 1 << 20, ..Limits::default() };
        let whole = decompress(coding, &data, limits);
        let pieces = in_pieces(coding, &data, cut, 64, limits);
        prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
            prop_assert_eq!(whole, pieces);
        }
    }
}

/// A judge's output; where it is missing the test says so loudly, unless `SEPTET_REQUIRE_JUDGES=1`.
fn judge(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none_or(|v| v != "1"), "{program} is required: {e}");
            eprintln!("SKIPPED: {program} cannot be run: {e}");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

const PYTHON_DEFLATE: &str = "import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read(), 9))";
const PYTHON_INFLATE: &str = "import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))";

#[test]
fn others_read_what_we_write_and_we_what_they_write() {
    let judges: [(Coding, &str, &[&str], &[&str]); 5] = [
        (Coding::Gzip, "gzip", &["-9"], &["-d"]),
        (Coding::Deflate, "python3", &["-c", PYTHON_DEFLATE], &["-c", PYTHON_INFLATE]),
        (Coding::Brotli, "brotli", &["-c"], &["-dc"]),
        (Coding::Zstd, "zstd", &["-c"], &["-dc"]),
        (Coding::Zstd, "zstd", &["-c", "-19", "--no-check"], &["-dc"]),
    ];
    for (coding, program, pack, unpack) in judges {
        for octets in [vec![], b"x".to_vec(), text(), noise(200_000), vec![0; 1 << 20]] {
            let Some(theirs) = judge(program, pack, &octets) else { break };
            assert!(decompress(coding, &theirs, Limits::NONE).unwrap() == octets, "{program}, {}", octets.len());
            assert!(
                judge(program, unpack, &compress(coding, &octets)).unwrap() == octets,
                "{program}, {}",
                octets.len()
            );
        }
    }
}
