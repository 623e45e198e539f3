//! A stream whose bytes are compressed on their way, and decompressed where they arrive.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Coding, Decoder, Encoder, Limits};

/// So much is read at a time, and no more than this is kept for a stream that takes nothing.
const PIECE: usize = 16 * 1024;

/// A stream above another: what is written to it goes compressed to the other, what the other brings is decompressed.
///
/// A flush sends on all that was written; the end of writing (`shutdown`) ends the compressed data before it ends the other.
#[derive(Debug)]
pub struct Compressed<S> {
    inner: S,
    decoder: Decoder,
    /// What was read and not yet decompressed.
    arrived: Vec<u8>,
    taken: usize,
    ended: bool,
    encoder: Encoder,
    /// What was compressed and not yet written.
    leaving: Vec<u8>,
    written: usize,
    state: State,
}

/// How far the writing side is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing was pushed since the last flush.
    Flushed,
    Pushed,
    Finished,
}

impl<S> Compressed<S> {
    /// One above `inner`, both ways by `coding`, and how much may come out of what arrives.
    pub fn new(inner: S, coding: Coding, limits: Limits) -> Self {
        Self {
            inner,
            decoder: Decoder::new(coding, limits),
            arrived: Vec::new(),
            taken: 0,
            ended: false,
            encoder: Encoder::new(coding),
            leaving: Vec::new(),
            written: 0,
            state: State::Flushed,
        }
    }

    /// The other stream.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Compressed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let step = this.decoder.step(&this.arrived[this.taken..], buf.initialize_unfilled())?;
            this.taken += step.read;
            if step.written > 0 {
                buf.advance(step.written);
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                this.decoder.finish()?;
                return Poll::Ready(Ok(()));
            }
            this.arrived.resize(PIECE, 0);
            this.taken = 0;
            let mut piece = ReadBuf::new(&mut this.arrived);
            let read = Pin::new(&mut this.inner).poll_read(cx, &mut piece);
            let filled = piece.filled().len();
            this.arrived.truncate(filled);
            ready!(read)?;
            this.ended = filled == 0;
        }
    }
}

impl<S: AsyncWrite + Unpin> Compressed<S> {
    /// Writes what is compressed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.leaving.len() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.leaving[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        self.leaving.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Compressed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        let piece = &bytes[..bytes.len().min(PIECE)];
        this.encoder.push(piece, &mut this.leaving);
        this.state = State::Pushed;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state == State::Pushed {
            this.encoder.flush(&mut this.leaving);
            this.state = State::Flushed;
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state != State::Finished {
            this.encoder.finish(&mut this.leaving);
            this.state = State::Finished;
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}
