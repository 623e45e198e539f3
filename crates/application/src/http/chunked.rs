//! Takes a chunked body apart (RFC 9112 §7.1). The content is counted, not kept.

/// A line of the framing longer than this is refused: extensions and trailers are allowed, but not without end.
const MAX_LINE: usize = 8 * 1024;

/// The framing is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// Follows a chunked body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Decoder {
    state: State,
    /// Bytes of content seen.
    pub(super) content: u64,
    /// Bytes of the line that is being read.
    line: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// In the size of a chunk, with what it is so far.
    Size {
        size: u64,
        digits: u8,
    },
    /// In what follows the size on its line.
    Extension {
        size: u64,
    },
    /// In the content, with so much to come.
    Content(u64),
    /// Before the line end that follows the content.
    ContentEnd,
    /// At the beginning of a trailer line.
    Trailer,
    /// In a trailer line.
    TrailerLine,
    Done,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { state: State::Size { size: 0, digits: 0 }, content: 0, line: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes bytes, and says how many belong to the body.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut used = 0;
        while used < bytes.len() && !self.is_done() {
            if let State::Content(left) = self.state {
                let n = left.min((bytes.len() - used) as u64);
                used += n as usize;
                self.content += n;
                self.state = if n == left { State::ContentEnd } else { State::Content(left - n) };
                continue;
            }
            self.state = self.step(bytes[used])?;
            used += 1;
        }
        Ok(used)
    }

    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        self.line = if byte == b'\n' { 0 } else { self.line + 1 };
        if self.line > MAX_LINE {
            return Err(Malformed);
        }
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, _) => match (char::from(byte).to_digit(16), byte) {
                (Some(_), _) if digits >= 15 => return Err(Malformed),
                (Some(digit), _) => State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 },
                (None, b';' | b' ' | b'\t' | b'\r') if digits > 0 => State::Extension { size },
                (None, b'\n') if digits > 0 => after_size(size),
                _ => return Err(Malformed),
            },
            (State::Extension { size }, b'\n') => after_size(size),
            (State::Extension { size }, _) => State::Extension { size },
            (State::ContentEnd, b'\r') => State::ContentEnd,
            (State::ContentEnd, b'\n') => State::Size { size: 0, digits: 0 },
            (State::ContentEnd, _) => return Err(Malformed),
            (State::Trailer, b'\r') => State::Trailer,
            (State::Trailer, b'\n') => State::Done,
            (State::TrailerLine, b'\n') => State::Trailer,
            (State::Trailer | State::TrailerLine, _) => State::TrailerLine,
            (state @ (State::Content(_) | State::Done), _) => state,
        })
    }
}

fn after_size(size: u64) -> State {
    if size == 0 { State::Trailer } else { State::Content(size) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Content, bytes used, and whether it is done.
    fn decode(text: &str) -> Result<(u64, usize, bool), Malformed> {
        let mut d = Decoder::new();
        let used = d.feed(text.as_bytes())?;
        Ok((d.content, used, d.is_done()))
    }

    #[test]
    fn bodies() {
        assert_eq!(decode("5\r\nhello\r\n0\r\n\r\nGET"), Ok((5, 15, true)));
        assert_eq!(decode("5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n"), Ok((15, 40, true)));
        assert_eq!(decode("5\nhello\n0\n\n"), Ok((5, 11, true)));
        assert_eq!(decode("5\r\nhel"), Ok((3, 6, false)));
        for bad in ["\r\n", "x\r\n", "-5\r\n", "5\r\nhelloX", "1000000000000000\r\n"] {
            assert_eq!(decode(bad), Err(Malformed), "{bad}");
        }
        assert_eq!(decode(&format!("5;{}", "x".repeat(MAX_LINE))), Err(Malformed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn pieces_make_no_difference(
            sizes in proptest::collection::vec(1usize..40, 0..6),
            cut in 1usize..20,
            noise in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut body = String::new();
            for n in &sizes {
                body.push_str(&format!("{n:x}\r\n{}\r\n", "z".repeat(*n)));
            }
            body.push_str("0\r\n\r\n");
            let mut d = Decoder::new();
            let mut used = 0;
            for piece in body.as_bytes().chunks(cut) {
                used += d.feed(piece).unwrap();
            }
            prop_assert!(d.is_done() && used == body.len());
            prop_assert_eq!(d.content, sizes.iter().sum::<usize>() as u64);
            let _ = Decoder::new().feed(&noise);
        }
    }
}
