//! A program's output on its way to the control socket.

use std::sync::Arc;

use septet_application::programs::Console;
use tokio::sync::mpsc;

/// A piece of output. What is not UTF-8 is replaced: a line of JSON cannot carry it.
#[derive(Debug)]
pub(super) enum Piece {
    Out(String),
    Err(String),
}

/// The console that sends pieces.
pub(super) struct Stream(mpsc::UnboundedSender<Piece>);

impl Stream {
    /// A console and where its output comes out. The programs print as fast as the lab's clock lets them, and the
    /// reader is the control socket; what waits is bounded by what a program prints.
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Piece>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self(sender)), receiver)
    }

    fn send(&self, piece: Piece) {
        // The reader has gone, and the program soon will.
        let _ = self.0.send(piece);
    }
}

impl Console for Stream {
    fn out(&self, bytes: &[u8]) {
        self.send(Piece::Out(String::from_utf8_lossy(bytes).into_owned()));
    }

    fn err(&self, bytes: &[u8]) {
        self.send(Piece::Err(String::from_utf8_lossy(bytes).into_owned()));
    }
}
