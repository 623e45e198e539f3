//! HDLC-like framing for octet-synchronous and asynchronous serial lines, RFC 1662: flags, octet stuffing, FCS-16 and
//! FCS-32.
//!
//! What is framed starts with the address field. [`encode`] gives the octets on the line from flag to flag; a
//! [`Decoder`] takes them in pieces of any size.

use core::fmt;

use septet_core::DropReason;

use crate::check::crc::{CRC_16_X25, CRC_32, Crc};

/// §3.1: "Each frame begins and ends with a Flag Sequence".
pub const FLAG: u8 = 0x7e;
/// §4.2: the Control Escape octet.
pub const ESCAPE: u8 = 0x7d;
const FLIP: u8 = 0x20;

/// Which frame check sequence closes a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fcs {
    /// Two octets; the default of RFC 1662.
    #[default]
    Sixteen,
    /// Four octets.
    ThirtyTwo,
}

impl Fcs {
    const fn crc(self) -> &'static Crc {
        match self {
            Self::Sixteen => &CRC_16_X25,
            Self::ThirtyTwo => &CRC_32,
        }
    }
}

/// The async-control-character map: which of the 32 control characters must be escaped (§7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accm(pub u32);

impl Accm {
    /// All, as before LCP has agreed on something else.
    pub const ALL: Self = Self(u32::MAX);
    /// None, as on a synchronous line.
    pub const NONE: Self = Self(0);

    const fn has(self, octet: u8) -> bool {
        octet < 32 && self.0 >> octet & 1 == 1
    }
}

/// Why octets between two flags are no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// The frame check sequence does not match.
    Fcs,
    /// §4.3: fewer than four octets between flags with a 16-bit FCS.
    TooShort,
    /// A Control Escape directly before the flag: the sender gave the frame up.
    Aborted,
    /// Longer than the decoder takes.
    TooLong,
}

impl Invalid {
    /// The reason as counters name it.
    pub const fn reason(self) -> DropReason {
        match self {
            Self::Fcs => DropReason::Fcs,
            Self::TooShort | Self::Aborted => DropReason::Runt,
            Self::TooLong => DropReason::Giant,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fcs => "the frame check sequence does not match",
            Self::TooShort => "too short to be a frame",
            Self::Aborted => "given up by its sender",
            Self::TooLong => "longer than can be received",
        })
    }
}

impl std::error::Error for Invalid {}

/// The octets on the line of a frame that holds `body` (address, control, …): flag, stuffed body and FCS, flag.
///
/// ```
/// use septet_datalink::hdlc::{Accm, Fcs, encode};
/// assert_eq!(encode(&[0x7e, 0x11], Fcs::Sixteen, Accm::NONE)[..4], [0x7e, 0x7d, 0x5e, 0x11]);
/// assert_eq!(encode(&[0x7e, 0x11], Fcs::Sixteen, Accm::ALL)[..5], [0x7e, 0x7d, 0x5e, 0x7d, 0x31]);
/// ```
pub fn encode(body: &[u8], fcs: Fcs, accm: Accm) -> Vec<u8> {
    let crc = fcs.crc();
    let check = crc.of(body).to_le_bytes();
    let mut line = Vec::with_capacity(body.len() + body.len() / 16 + 8);
    line.push(FLAG);
    for &octet in body.iter().chain(&check[..crc.octets()]) {
        // §4.2: "each Flag Sequence, Control Escape octet, and any octet which is flagged in the sending ACCM".
        if octet == FLAG || octet == ESCAPE || accm.has(octet) {
            line.extend([ESCAPE, octet ^ FLIP]);
        } else {
            line.push(octet);
        }
    }
    line.push(FLAG);
    line
}

/// The one frame in `line` as those see it who look on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peeked {
    /// Its body, without the frame check.
    pub body: Vec<u8>,
    /// Which frame check sequence fits; `None` where none does, since bits were flipped.
    pub fcs: Option<Fcs>,
}

/// The one frame in `line`, whatever its FCS, or `None` where there is none.
pub fn peek(line: &[u8]) -> Option<Peeked> {
    let start = line.iter().position(|&octet| octet != FLAG)?;
    let mut body = Vec::with_capacity(line.len());
    let mut octets = line[start..].iter().take_while(|&&octet| octet != FLAG);
    while let Some(&octet) = octets.next() {
        body.push(if octet == ESCAPE { octets.next()? ^ FLIP } else { octet });
    }
    // Of the two frame checks the one that fits is taken off.
    let fcs = [Fcs::ThirtyTwo, Fcs::Sixteen].into_iter().find(|fcs| fcs.crc().accepts(&body));
    body.truncate(body.len().saturating_sub(fcs.unwrap_or_default().crc().octets()));
    Some(Peeked { body, fcs })
}

/// Finds frames in the octets of a line.
#[derive(Debug)]
pub struct Decoder {
    fcs: Fcs,
    accm: Accm,
    max: usize,
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No flag yet, or the frame was too long: everything up to the next flag is skipped.
    Hunting,
    Inside,
    /// The octet before was a Control Escape.
    Escaped,
}

impl Decoder {
    /// A decoder that takes bodies of up to `max` octets.
    pub const fn new(fcs: Fcs, accm: Accm, max: usize) -> Self {
        Self { fcs, accm, max, buffer: Vec::new(), state: State::Hunting }
    }

    /// From the next frame on these hold.
    pub fn set(&mut self, fcs: Fcs, accm: Accm, max: usize) {
        (self.fcs, self.accm, self.max) = (fcs, accm, max);
    }

    /// Takes `line` and hands each frame's body, or what is wrong with it, to `found`.
    pub fn push(&mut self, line: &[u8], mut found: impl FnMut(Result<&[u8], Invalid>)) {
        for &octet in line {
            match (self.state, octet) {
                (State::Hunting, FLAG) => self.begin(),
                (State::Hunting, _) => {}
                (State::Escaped, FLAG) => {
                    found(Err(Invalid::Aborted));
                    self.begin();
                }
                (State::Inside, FLAG) => {
                    // "Two consecutive Flag Sequences constitute an empty frame, which is silently discarded."
                    if !self.buffer.is_empty() {
                        found(self.judge());
                    }
                    self.begin();
                }
                (State::Inside, ESCAPE) => self.state = State::Escaped,
                // §7.1: control characters in the receive map that come unescaped were put in by the line.
                (State::Inside, octet) if self.accm.has(octet) => {}
                (State::Inside | State::Escaped, octet) => {
                    let octet = if self.state == State::Escaped { octet ^ FLIP } else { octet };
                    self.state = State::Inside;
                    if self.buffer.len() >= self.max + self.fcs.crc().octets() {
                        found(Err(Invalid::TooLong));
                        self.state = State::Hunting;
                    } else {
                        self.buffer.push(octet);
                    }
                }
            }
        }
    }

    fn begin(&mut self) {
        self.buffer.clear();
        self.state = State::Inside;
    }

    fn is_lcp_with_default_check(&self) -> bool {
        self.buffer.starts_with(&[0xff, 0x03, 0xc0, 0x21]) && CRC_16_X25.accepts(&self.buffer)
    }

    fn judge(&self) -> Result<&[u8], Invalid> {
        let crc = self.fcs.crc();
        match self.buffer.len().checked_sub(crc.octets()) {
            None | Some(0) => Err(Invalid::TooShort),
            // An end that starts anew knows of no agreement: its LCP comes with the default check (RFC 1570 §2.1).
            Some(_) if self.fcs == Fcs::ThirtyTwo && self.is_lcp_with_default_check() => {
                Ok(&self.buffer[..self.buffer.len() - CRC_16_X25.octets()])
            }
            Some(_) if !crc.accepts(&self.buffer) => Err(Invalid::Fcs),
            Some(n) => Ok(&self.buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(line: &[u8]) -> Vec<Result<Vec<u8>, Invalid>> {
        let mut decoder = Decoder::new(Fcs::Sixteen, Accm::NONE, 1500);
        let mut frames = Vec::new();
        decoder.push(line, |frame| frames.push(frame.map(<[u8]>::to_vec)));
        frames
    }

    #[test]
    fn a_shared_flag_separates_frames() {
        let (a, b) = (encode(b"\xff\x03ab", Fcs::Sixteen, Accm::NONE), encode(b"\xff\x03c", Fcs::Sixteen, Accm::NONE));
        let line = [&b"noise"[..], &a, &b[1..], &[FLAG, FLAG]].concat();
        assert_eq!(decode(&line), [Ok(b"\xff\x03ab".to_vec()), Ok(b"\xff\x03c".to_vec())]);
    }

    #[test]
    fn what_is_no_frame_says_why() {
        let mut line = encode(b"\xff\x03abc", Fcs::Sixteen, Accm::NONE);
        line[3] ^= 0x40;
        assert_eq!(decode(&line), [Err(Invalid::Fcs)]);
        assert_eq!(decode(&[FLAG, 1, 2, FLAG]), [Err(Invalid::TooShort)]);
        assert_eq!(decode(&[FLAG, 1, 2, 3, 4, ESCAPE, FLAG]), [Err(Invalid::Aborted)]);
        let long = encode(&[1; 1501], Fcs::Sixteen, Accm::NONE);
        assert_eq!(
            decode(&[&long[..], &encode(b"ok", Fcs::Sixteen, Accm::NONE)].concat()),
            [Err(Invalid::TooLong), Ok(b"ok".to_vec())]
        );
    }

    #[test]
    fn lcp_is_taken_with_the_default_check_after_another_was_agreed_on() {
        let mut decoder = Decoder::new(Fcs::ThirtyTwo, Accm::NONE, 1500);
        let mut frames = Vec::new();
        let (lcp, ip) = ([0xff, 3, 0xc0, 0x21, 1, 1, 0, 4], [0xff, 3, 0, 0x21, 1, 1, 0, 4]);
        for (body, fcs) in [(&lcp, Fcs::Sixteen), (&lcp, Fcs::ThirtyTwo), (&ip, Fcs::Sixteen)] {
            decoder.push(&encode(body, fcs, Accm::NONE), |frame| frames.push(frame.map(<[u8]>::to_vec)));
        }
        assert_eq!(frames, [Ok(lcp.to_vec()), Ok(lcp.to_vec()), Err(Invalid::Fcs)]);
    }

    #[test]
    fn control_characters_that_the_line_put_in_are_taken_out() {
        let mut line = encode(&[0xff, 3, 0x11], Fcs::Sixteen, Accm::ALL);
        line.insert(2, 0x13);
        let mut decoder = Decoder::new(Fcs::Sixteen, Accm::ALL, 1500);
        let mut frames = Vec::new();
        decoder.push(&line, |frame| frames.push(frame.map(<[u8]>::to_vec)));
        assert_eq!(frames, [Ok(vec![0xff, 3, 0x11])]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_body_comes_back(
            body in proptest::collection::vec(any::<u8>(), 1..200), map in any::<u32>(), cut in 1usize..20,
        ) {
            for fcs in [Fcs::Sixteen, Fcs::ThirtyTwo] {
                let line = encode(&body, fcs, Accm(map));
                prop_assert_eq!(line.iter().filter(|&&o| o == FLAG).count(), 2);
                let mut decoder = Decoder::new(fcs, Accm(map), 200);
                let mut frames = Vec::new();
                for piece in line.chunks(cut) {
                    decoder.push(piece, |frame| frames.push(frame.map(<[u8]>::to_vec)));
                }
                prop_assert_eq!(frames, [Ok(body.clone())]);
                prop_assert_eq!(peek(&line).unwrap().body, body.clone());
            }
        }

        #[test]
        fn any_octets_are_decoded_without_panic(line in proptest::collection::vec(any::<u8>(), 0..400)) {
            decode(&line);
            let _ = peek(&line);
        }
    }
}
