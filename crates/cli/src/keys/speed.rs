//! How many bytes a second each way of closing and opening takes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use septet_presentation::keys::{Agreement, Cipher, RSA_BITS, RsaPrivate, Signer, SymmetricKey, verify};

use super::random::random;
use crate::exit::Failure;

/// A piece of a symmetric cipher's text; TLS has no longer record.
const PIECE: usize = 16 * 1024;
/// What one block of RSA has room for.
const BLOCK: usize = 190;

/// What was measured.
struct Measured {
    what: String,
    /// How often a second.
    rate: f64,
    /// Bytes of text each time; none where a key is all that comes of it.
    bytes: Option<usize>,
}

/// Does something over and over for so long.
fn measure(long: Duration, what: &str, bytes: Option<usize>, mut work: impl FnMut()) -> Measured {
    let begun = Instant::now();
    let mut times = 0_u32;
    while times == 0 || begun.elapsed() < long {
        work();
        times += 1;
    }
    Measured { what: what.to_owned(), rate: f64::from(times) / begun.elapsed().as_secs_f64(), bytes }
}

pub(super) fn speed(long: Duration, json: bool) -> Result<String, Failure> {
    let mut random = random()?;
    let mut measured = Vec::new();
    let text = vec![0x5a; PIECE];
    for (name, cipher) in Cipher::ALL {
        let mut octets = [0; 32];
        random(&mut octets);
        let key = SymmetricKey::new(cipher, &octets);
        let mut number = 0_u64;
        measured.push(measure(long, &format!("{name}, sealing"), Some(PIECE), || {
            number += 1;
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            drop(black_box(key.seal(nonce, &text)));
        }));
        let sealed = key.seal([0xff; 12], &text);
        let open = || drop(black_box(key.open(&sealed)));
        measured.push(measure(long, &format!("{name}, opening"), Some(PIECE), open));
    }
    let private = RsaPrivate::generate(&mut random);
    let public = private.public();
    let closed = public.close(&mut random, &text[..BLOCK]);
    let name = format!("RSA-{RSA_BITS} with OAEP");
    let close = || drop(black_box(public.close(&mut random, &text[..BLOCK])));
    measured.push(measure(long, &format!("{name}, closing"), Some(BLOCK), close));
    let open = || drop(black_box(private.open(&mut random, &closed)));
    measured.push(measure(long, &format!("{name}, opening"), Some(BLOCK), open));
    let share = Agreement::of([1; 32]).share();
    let agree = || {
        black_box(Agreement::of([2; 32]).agree(share));
    };
    measured.push(measure(long, "X25519, agreeing on a key", None, agree));
    let signer = Signer::of(&[3; 32]);
    let (of, signature) = (signer.public(), signer.sign(&text[..64]));
    let sign = || {
        black_box(signer.sign(&text[..64]));
    };
    measured.push(measure(long, "Ed25519, signing", None, sign));
    let check = || {
        black_box(verify(&of, &text[..64], &signature));
    };
    measured.push(measure(long, "Ed25519, checking", None, check));
    Ok(if json { lines(&measured) } else { table(&measured) })
}

fn table(measured: &[Measured]) -> String {
    let mut out = format!("{:<28} {:>16} {:>16}\n", "", "a second", "bytes a second");
    for Measured { what, rate, bytes } in measured {
        let throughput = bytes.map_or("-".to_owned(), |bytes| grouped(rate * bytes as f64));
        let _ = writeln!(out, "{what:<28} {:>16} {throughput:>16}", grouped(*rate));
    }
    out
}

fn lines(measured: &[Measured]) -> String {
    let line = |m: &Measured| {
        let bytes = m.bytes.map(|bytes| m.rate * bytes as f64);
        serde_json::json!({ "format": 1, "what": m.what, "per_second": m.rate, "bytes_per_second": bytes }).to_string()
    };
    measured.iter().map(|m| line(m) + "\n").collect()
}

/// `1,234,567`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
