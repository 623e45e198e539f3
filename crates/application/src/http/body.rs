//! Bodies: of bytes that are held, of a pattern that is generated and not stored, or of what something else brings.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use septet_core::Seed;
use septet_socket::Elapsed;

use super::cut::Cut;

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

/// The body of a request or a response: its bytes as they come, and the trailers behind them.
#[derive(Default)]
pub struct Body {
    source: Source,
    /// After how many more bytes it breaks off, and how.
    cut: Option<(u64, Cut)>,
}

#[derive(Default)]
enum Source {
    Pattern(Pattern),
    Bytes(Bytes),
    Several(VecDeque<Body>),
    Other(Pin<Box<dyn hyper::body::Body<Data = Bytes, Error = io::Error> + Send>>),
    #[default]
    Empty,
}

impl Body {
    /// What another body brings.
    pub fn new(body: impl hyper::body::Body<Data = Bytes, Error = io::Error> + Send + 'static) -> Self {
        Self { source: Source::Other(Box::pin(body)), cut: None }
    }

    /// What a pattern holds.
    pub fn pattern(range: Range<u64>) -> Self {
        Self { source: Source::Pattern(Pattern::new(range)), cut: None }
    }

    /// One behind the other.
    pub(super) fn several(bodies: Vec<Self>) -> Self {
        Self { source: Source::Several(bodies.into()), cut: None }
    }

    /// The same, but that it breaks off after `bytes`.
    #[must_use]
    pub fn cut(self, bytes: u64, cut: Cut) -> Self {
        Self { cut: Some((bytes, cut)), ..self }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { source: Source::Bytes(bytes), cut: None }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let max = match this.cut {
            Some((0, Cut::Stall)) => return Poll::Pending,
            Some((0, cut)) => return Poll::Ready(Some(Err(cut.into()))),
            Some((left, _)) => usize::try_from(left).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let piece = match &mut this.source {
            Source::Pattern(pattern) => pattern.next(max),
            Source::Bytes(bytes) if !bytes.is_empty() => Some(bytes.split_to(bytes.len().min(max))),
            Source::Bytes(_) | Source::Empty => None,
            Source::Several(bodies) => loop {
                let Some(first) = bodies.front_mut() else { break None };
                match ready!(Pin::new(first).poll_frame(cx)) {
                    None => drop(bodies.pop_front()),
                    // A piece of it that has gone cannot be put back: only what is not cut is of several.
                    Some(Ok(frame)) => {
                        if let Ok(mut data) = frame.into_data() {
                            break Some(data.split_to(data.len().min(max)));
                        }
                    }
                    failed => return Poll::Ready(failed),
                }
            },
            Source::Other(body) => match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(mut data) => Some(data.split_to(data.len().min(max))),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            },
        };
        if let (Some((left, _)), Some(piece)) = (&mut this.cut, &piece) {
            *left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|b| Ok(Frame::data(b))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Other(body) => body.is_end_stream(),
            _ => self.size_hint().exact() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.source {
            Source::Pattern(p) => p.left.end.saturating_sub(p.left.start),
            Source::Bytes(b) => b.len() as u64,
            Source::Several(bodies) => {
                let lens: Option<u64> = bodies.iter().map(|body| body.size_hint().exact()).sum();
                return lens.map_or_else(SizeHint::default, SizeHint::with_exact);
            }
            Source::Empty => 0,
            Source::Other(body) => return body.size_hint(),
        })
    }
}

impl core::fmt::Debug for Body {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Body").field("len", &hyper::body::Body::size_hint(self)).finish_non_exhaustive()
    }
}

/// Why hyper's body broke off; `TimedOut` where the peer was too slow.
pub(super) fn failed(e: hyper::Error) -> io::Error {
    let source = std::error::Error::source(&e).and_then(|s| s.downcast_ref::<io::Error>());
    let elapsed = source.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<Elapsed>());
    io::Error::new(if elapsed { io::ErrorKind::TimedOut } else { io::ErrorKind::Other }, e)
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
