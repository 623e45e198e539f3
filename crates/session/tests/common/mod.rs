//! Two ends of a session, and the stream between them.

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::Instant;
use septet_session::spdu::{Setting, Tokens, Units};
use septet_session::spm::{Acceptance, Event, Misuse, Proposal, Request};
use septet_session::{Config, Connection, Transmit};

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) ends: [Connection; 2],
    pub(crate) events: [VecDeque<Event>; 2],
    /// Every packet that was written: by whom.
    pub(crate) wire: Vec<(usize, Vec<u8>)>,
    closed: [bool; 2],
}

/// The packets in what was written at once.
pub(crate) fn packets(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let [_, _, high, low, ..] = *rest else { return None };
        let (packet, after) = rest.split_at(usize::from(u16::from_be_bytes([high, low])));
        rest = after;
        Some(packet)
    })
}

impl Pair {
    pub(crate) fn new(a: Config, b: Config) -> Self {
        Self {
            now: Instant::from_millis(1),
            ends: [Connection::new(a), Connection::new(b)],
            events: Default::default(),
            wire: Vec::new(),
            closed: [false; 2],
        }
    }

    /// One that is connected with these units; the second end has `there`.
    pub(crate) fn connected(units: Units, there: Tokens) -> Self {
        let mut pair = Self::new(Config::default(), Config::default());
        pair.connect(units, Setting { responder: there, choice: Tokens::NONE });
        pair
    }

    pub(crate) fn connect(&mut self, units: Units, tokens: Setting) {
        self.ask(0, Request::Connect(Proposal { units, tokens, ..Proposal::default() }));
        assert!(matches!(self.next(1), Event::Connect(_)));
        self.ask(1, Request::Accept(Acceptance { units, ..Acceptance::default() }));
        assert!(matches!(self.next(0), Event::Accepted(_)));
    }

    pub(crate) fn try_ask(&mut self, end: usize, request: Request) -> Result<(), Misuse> {
        self.ends[end].request(self.now, request)?;
        self.carry();
        Ok(())
    }

    pub(crate) fn ask(&mut self, end: usize, request: Request) -> &mut Self {
        let shown = format!("{request:?}");
        self.try_ask(end, request).unwrap_or_else(|e| panic!("end {end}, {shown}: {e}"));
        self
    }

    /// Asks without carrying anything, so that what both ends say crosses.
    pub(crate) fn ask_silently(&mut self, end: usize, request: Request) {
        self.ends[end].request(self.now, request).unwrap();
    }

    pub(crate) fn next(&mut self, end: usize) -> Event {
        self.events[end].pop_front().unwrap_or_else(|| panic!("end {end} was told nothing"))
    }

    /// Carries what both have to say until they are quiet; of what crosses, each is written before the other arrives.
    pub(crate) fn carry(&mut self) {
        loop {
            let mut arrived: [Vec<u8>; 2] = Default::default();
            let mut closes = [false; 2];
            for from in 0..2 {
                while let Some(event) = self.ends[from].poll_event() {
                    self.events[from].push_back(event);
                }
                while let Some(transmit) = self.ends[from].poll_transmit() {
                    match transmit {
                        Transmit::Bytes(bytes) => {
                            arrived[1 - from].extend_from_slice(&bytes);
                            self.wire.extend(packets(&bytes).map(|packet| (from, packet.to_vec())));
                        }
                        Transmit::Close => closes[from] = true,
                    }
                }
            }
            if arrived.iter().all(Vec::is_empty) && closes == [false; 2] {
                return;
            }
            for (end, bytes) in self.ends.iter_mut().zip(arrived) {
                end.receive(self.now, &bytes);
            }
            if closes != [false; 2] {
                self.closed = [self.closed[0] || closes[0], self.closed[1] || closes[1]];
                for end in &mut self.ends {
                    end.closed(self.now, "the connection was closed");
                }
            }
        }
    }

    pub(crate) fn closed(&self) -> [bool; 2] {
        self.closed
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        for end in 0..2 {
            if self.ends[end].poll_timeout().is_some_and(|at| at <= self.now) {
                self.ends[end].on_timeout(self.now);
            }
        }
        self.carry();
    }
}
