//! A connection of which nobody waits for: what one visit to it does.

use std::io::{self, Read, Write};

use super::BUFFER;
use crate::Protocol;
use crate::session::Session;

/// Whether a connection goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Life {
    On,
    Over,
}

#[derive(Debug)]
pub(super) struct Pending<S> {
    pub(super) stream: S,
    session: Session,
    /// What is to be said, and how much of it was.
    out: Vec<u8>,
    said: usize,
}

impl<S: Read + Write> Pending<S> {
    pub(super) fn new(stream: S, protocol: Protocol) -> Self {
        Self { stream, session: Session::new(protocol), out: Vec::new(), said: 0 }
    }

    /// Reads and writes until the kernel has nothing more to give or takes nothing more: `EWOULDBLOCK`.
    pub(super) fn visit(&mut self) -> Life {
        self.go_on().unwrap_or(Life::Over)
    }

    fn go_on(&mut self) -> io::Result<Life> {
        loop {
            while self.said < self.out.len() {
                match self.stream.write(&self.out[self.said..]) {
                    Ok(len) => self.said += len,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Life::On),
                    Err(e) => return Err(e),
                }
            }
            self.out.clear();
            self.said = 0;
            let mut buffer = [0; BUFFER];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Life::Over),
                Ok(len) => self.session.hear(&buffer[..len], &mut self.out),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Life::On),
                Err(e) => return Err(e),
            }
        }
    }
}
