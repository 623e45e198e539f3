//! What no pattern tells: MP4, WebM and MP3 without a tag (WHATWG MIME Sniffing §6.2.1 to §6.2.3).

/// §6.2.1: whether it has the signature of MP4.
pub(super) fn is_mp4(input: &[u8]) -> bool {
    let Some(size) = input.first_chunk::<4>().map(|size| u32::from_be_bytes(*size) as usize) else { return false };
    if input.len() < 12 || input.len() < size || !size.is_multiple_of(4) || &input[4..8] != b"ftyp" {
        return false;
    }
    // The major brand, then those that it is compatible with; the version between them is none.
    let mp4 = |at: usize| input.get(at..at + 3) == Some(b"mp4");
    mp4(8) || (16..size).step_by(4).any(mp4)
}

/// §6.2.2: whether it has the signature of WebM: Matroska whose document type is "webm".
pub(super) fn is_webm(input: &[u8]) -> bool {
    if !input.starts_with(b"\x1a\x45\xdf\xa3") {
        return false;
    }
    // The document type stands where its identifier does, or where that only seems to.
    (4..input.len().min(38)).filter(|at| input[*at..].starts_with(b"\x42\x82")).any(|at| {
        let Some(first) = input.get(at + 2) else { return false };
        // A variable-length number: as many octets as there are noughts before its first one, and one more.
        let number = (first.leading_zeros() as usize + 1).min(8);
        let start = at + 2 + number;
        if start + 4 >= input.len() {
            return false;
        }
        let padded = input[start..].iter().take_while(|octet| **octet == 0).count();
        input[start + padded..].starts_with(b"webm")
    })
}

/// The standard's text has these two in each other's place; then no file of MPEG 1 would be found.
const MPEG1: [usize; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG2: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const FREQUENCIES: [usize; 3] = [44_100, 48_000, 32_000];

/// §6.2.3: whether two headers of MP3 frames stand where they should.
pub(super) fn is_mp3(input: &[u8]) -> bool {
    let Some(size) = frame(input) else { return false };
    size >= 4 && input.get(size..).is_some_and(|rest| frame(rest).is_some())
}

/// How long the frame is whose header stands first: "match an mp3 header", "parse an mp3 frame", "compute an mp3 frame
/// size".
fn frame(input: &[u8]) -> Option<usize> {
    let [0xff, second, third, _, ..] = *input else { return None };
    let layer = second >> 1 & 3;
    // Layer III is 1.
    if second & 0xe0 != 0xe0 || layer != 1 {
        return None;
    }
    let (rate, frequency) = (usize::from(third >> 4), usize::from(third >> 2 & 3));
    let version = second >> 3 & 3;
    let rates = if version & 1 == 1 { &MPEG1 } else { &MPEG2 };
    let (rate, frequency) = (rates.get(rate)? * 1000, FREQUENCIES.get(frequency)?);
    let scale = if version == 1 { 72 } else { 144 };
    Some(rate * scale / frequency + usize::from(third >> 1 & 1))
}
