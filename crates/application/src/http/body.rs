//! Bodies made from their length alone: content that is generated, not stored.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use septet_core::Seed;

use super::answers::Cut;
use super::gate::Passed;

/// The pattern repeats after this many bytes: a prime, so that a piece that is lost or sent twice (pieces tend to be
/// powers of two) shifts what follows visibly.
const PERIOD: usize = 65_521;

/// Text whose byte at each offset is fixed: the same at every server, in every run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    left: Range<u64>,
}

impl Pattern {
    /// The bytes at these offsets.
    pub fn new(range: Range<u64>) -> Self {
        Self { left: range }
    }

    /// Takes the next piece, of at most `max` bytes.
    pub fn next(&mut self, max: usize) -> Option<Bytes> {
        let from = (self.left.start % PERIOD as u64) as usize;
        let left = usize::try_from(self.left.end.saturating_sub(self.left.start)).unwrap_or(usize::MAX);
        let len = left.min(PERIOD - from).min(max);
        if len == 0 {
            return None;
        }
        self.left.start += len as u64;
        Some(period().slice(from..from + len))
    }
}

/// One period: lines of 63 printable characters.
fn period() -> &'static Bytes {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut rng = Seed::new(0).stream("http pattern");
        let mut text = Vec::with_capacity(PERIOD);
        while text.len() < PERIOD {
            let line_ends = text.len() % 64 == 63;
            text.push(if line_ends { b'\n' } else { b'!' + rng.below(94) as u8 });
        }
        text.into()
    })
}

/// What a response carries.
#[derive(Default)]
pub(super) struct Payload {
    source: Source,
    /// After how many more bytes it breaks off, and how.
    cut: Option<(u64, Cut)>,
    /// Who breaks the connection; without, the body ends in an error.
    breaker: Option<Passed>,
}

#[derive(Default)]
enum Source {
    Pattern(Pattern),
    Bytes(Bytes),
    #[default]
    Empty,
}

impl Payload {
    pub(super) fn pattern(range: Range<u64>) -> Self {
        Self { source: Source::Pattern(Pattern::new(range)), ..Self::default() }
    }

    pub(super) fn bytes(bytes: Bytes) -> Self {
        Self { source: Source::Bytes(bytes), ..Self::default() }
    }

    /// Breaks off after `bytes`.
    pub(super) fn cut(&mut self, bytes: u64, cut: Cut) {
        self.cut = Some((bytes, cut));
    }

    pub(super) fn break_through(&mut self, passed: &Passed) {
        if self.cut.is_some() {
            self.breaker = Some(passed.clone());
        }
    }

    /// The next piece, of at most `max` bytes.
    fn take(&mut self, max: usize) -> Option<Bytes> {
        match &mut self.source {
            Source::Pattern(pattern) => pattern.next(max),
            Source::Bytes(bytes) if !bytes.is_empty() => Some(bytes.split_to(bytes.len().min(max))),
            Source::Bytes(_) | Source::Empty => None,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let max = match this.cut {
            Some((0, Cut::Stall)) => return Poll::Pending,
            Some((0, cut)) => {
                return match &this.breaker {
                    Some(passed) => {
                        // What has been sent must leave first, and then nobody polls this body again.
                        passed.cut(cut);
                        Poll::Pending
                    }
                    None => Poll::Ready(Some(Err(cut.into()))),
                };
            }
            Some((left, _)) => usize::try_from(left).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let piece = this.take(max);
        if let (Some((left, _)), Some(piece)) = (&mut this.cut, &piece) {
            *left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|b| Ok(Frame::data(b))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.source {
            Source::Pattern(p) => p.left.end.saturating_sub(p.left.start),
            Source::Bytes(b) => b.len() as u64,
            Source::Empty => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(range: Range<u64>, max: usize) -> Vec<u8> {
        let mut p = Pattern::new(range);
        core::iter::from_fn(|| p.next(max)).flatten().collect()
    }

    #[test]
    fn a_range_is_a_piece_of_the_whole_however_it_is_cut() {
        let whole = all(0..200_000, usize::MAX);
        assert_eq!(whole.len(), 200_000);
        assert_eq!(all(0..200_000, 999), whole);
        assert_eq!(all(65_000..140_000, 4_096), whole[65_000..140_000]);
        assert!(whole.iter().all(|b| *b == b'\n' || b.is_ascii_graphic()));
        assert_ne!(whole[..4_096], whole[65_536..65_536 + 4_096]);
    }
}
