//! The end that sends: offers the file over each connection that it gets, and goes on where the other end has it.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use septet_core::Instant;

use super::message::{Answer, Id, Offer, Told};
use super::receiver::offset;
use super::{Digest, UNITS, hash};
use crate::spdu::{Serial, Setting};
use crate::spm::{Confirmation, Event, Proposal, Request};
use crate::{Config, Connection, Transmit};

/// Octets of a data unit: many enough that its headers, 11 octets, are nothing beside them; few enough that one arrives
/// within a peer's patience on any line.
const CHUNK: usize = 16 * 1024;
/// So much may wait to be written before the file is read on.
const BACKLOG: usize = 8 * CHUNK;
/// So many points lie in what may be sent before it is confirmed.
const POINTS: u64 = 4;
/// So many connections in a row over which the file is taken and nothing confirmed are enough.
const MOST_IDLE: u32 = 10;

/// What can be told of a file without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Its length in octets.
    pub size: u64,
    /// When it was changed, in whatever unit.
    pub changed: u64,
}

/// A file that is sent.
pub trait Source: Send {
    /// Its length and time of change, now.
    ///
    /// # Errors
    /// Those of the file system.
    fn stamp(&mut self) -> io::Result<Stamp>;

    /// Reads octets from `offset` on, and tells how many; nought at the end.
    ///
    /// # Errors
    /// Those of the file system.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn stamp(&mut self) -> io::Result<Stamp> {
        (**self).stamp()
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buf)
    }
}

/// Why a file was not sent, for good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The other end will not have it.
    Refused(String),
    /// The file changed while it was sent.
    Changed,
    /// The file cannot be read.
    Unreadable(String),
    /// The other end confirms nothing.
    Unconfirmed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "the other end refused: {why}"),
            Self::Changed => f.write_str("the file changed while it was sent; what had arrived of it was thrown away"),
            Self::Unreadable(why) => write!(f, "the file cannot be read: {why}"),
            Self::Unconfirmed => f.write_str("the other end takes the file and confirms nothing"),
        }
    }
}

impl std::error::Error for Failure {}

/// How far it is, and what it took.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// Octets that the other end has confirmed.
    pub confirmed: u64,
    /// Octets of the file that were sent, those that were sent again included.
    pub sent: u64,
    /// Octets that were sent again.
    pub again: u64,
    /// How often it went on at a synchronization point, after a break or a restart of either end.
    pub resumed: u32,
    /// How often it began anew, as no point was confirmed, or the other end has lost what it had.
    pub restarted: u32,
    /// Points that were confirmed.
    pub points: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// There is no connection.
    Idle,
    /// The offer is out.
    Offered,
    /// The activity is in progress.
    Sending,
    /// The end of the activity is to be confirmed.
    Ending,
    /// What arrived is to be thrown away.
    Discarding,
    /// The session ends.
    Releasing,
}

/// The transfer of one file, over one connection after another.
pub struct Sender<S> {
    source: S,
    stamp: Stamp,
    offer: Offer,
    /// Octets that may be sent and not confirmed.
    window: u64,
    patience: Duration,
    connection: Option<Connection>,
    phase: Phase,
    /// When something was last confirmed or answered.
    heard: Instant,
    idle: u32,
    /// The next octet to be sent, and the furthest that ever was.
    at: u64,
    furthest: u64,
    /// The next point.
    next: Serial,
    hasher: blake3::Hasher,
    /// The hash up to each point that was not confirmed.
    marks: BTreeMap<Serial, blake3::Hasher>,
    digest: Option<Digest>,
    progress: Progress,
    /// Over how many connections the activity began or went on.
    begun: u32,
    last: String,
    outcome: Option<Result<(), Failure>>,
}

impl<S> fmt::Debug for Sender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("offer", &self.offer).field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl<S: Source> Sender<S> {
    /// A file, to be called `name` at the other end. At most `checkpoint` octets are sent again after a break; a connection
    /// on which nothing is confirmed for `patience` is given up.
    ///
    /// # Errors
    /// Where the file cannot be looked at.
    pub fn new(mut source: S, name: &str, checkpoint: u64, patience: Duration) -> io::Result<Self> {
        let stamp = source.stamp()?;
        // There are 999,999 serial numbers, and the end of the activity has one.
        let least = stamp.size / 900_000 + 1;
        let step = (checkpoint / POINTS).clamp(1, 1 << 28).max(least);
        let step = u32::try_from(step).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let offer =
            Offer { id: Id::of(name, stamp.size, stamp.changed), size: stamp.size, step, name: name.to_owned() };
        Ok(Self {
            source,
            stamp,
            offer,
            window: u64::from(step) * POINTS,
            patience,
            connection: None,
            phase: Phase::Idle,
            heard: Instant::ZERO,
            idle: 0,
            at: 0,
            furthest: 0,
            next: Serial::default().next(),
            hasher: blake3::Hasher::new(),
            marks: BTreeMap::new(),
            digest: None,
            progress: Progress::default(),
            begun: 0,
            last: String::new(),
            outcome: None,
        })
    }

    /// What is offered.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// How far it is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The digest of the file, once all of it was read.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Whether it has a connection.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Why the last connection ended, in words.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// What became of it; none while another connection is wanted or this one goes on.
    pub fn outcome(&self) -> Option<&Result<(), Failure>> {
        self.outcome.as_ref().filter(|_| self.connection.is_none())
    }

    /// A TCP connection to the other end stands.
    pub fn connected(&mut self, now: Instant) {
        if self.outcome.is_some() {
            return;
        }
        let mut connection = Connection::new(Config::default());
        let user_data = self.offer.build();
        let proposal = Proposal { units: UNITS, tokens: Setting::INITIATOR, user_data, ..Proposal::default() };
        let asked = connection.request(now, Request::Connect(proposal));
        debug_assert!(asked.is_ok(), "{asked:?}");
        self.connection = Some(connection);
        self.phase = Phase::Offered;
        self.heard = now;
    }

    /// Takes octets of the connection.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if let Some(connection) = &mut self.connection {
            connection.receive(now, bytes);
        }
        self.settle(now);
    }

    /// The connection has ended.
    pub fn closed(&mut self, now: Instant, why: &str) {
        if let Some(connection) = &mut self.connection {
            connection.closed(now, why);
            why.clone_into(&mut self.last);
        }
        self.settle(now);
        self.drop_connection();
    }

    /// When [`on_timeout`](Self::on_timeout) must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let connection = self.connection.as_ref()?;
        Some(connection.poll_timeout().map_or(self.heard + self.patience, |at| at.min(self.heard + self.patience)))
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn on_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.on_timeout(now);
        }
        self.settle(now);
        if self.connection.is_some() && self.heard + self.patience <= now {
            "the other end confirms nothing any more".clone_into(&mut self.last);
            self.idle += u32::from(matches!(self.phase, Phase::Sending | Phase::Ending));
            self.drop_connection();
            if self.idle >= MOST_IDLE {
                self.outcome.get_or_insert(Err(Failure::Unconfirmed));
            }
        }
    }

    /// What is to be written: the file is read as far as it may be sent. After [`Transmit::Close`], or where there is no
    /// connection any more, the TCP connection is to be closed.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        while self.pump(now) {}
        let transmit = self.connection.as_mut()?.poll_transmit()?;
        if transmit == Transmit::Close {
            self.drop_connection();
        }
        Some(transmit)
    }

    /// Reads the file on, where it may; whether something is to be written then.
    fn pump(&mut self, now: Instant) -> bool {
        let full = self.connection.as_ref().is_none_or(|c| c.backlog() >= BACKLOG);
        if self.phase != Phase::Sending || full {
            return false;
        }
        match self.send_on(now) {
            Ok(more) => more,
            Err(failure) => {
                self.give_up(now, failure);
                true
            }
        }
    }

    fn send_on(&mut self, now: Instant) -> Result<bool, Failure> {
        let step = u64::from(self.offer.step);
        let unreadable = |e: io::Error| Failure::Unreadable(e.to_string());
        if self.at == self.offer.size {
            if self.source.stamp().map_err(unreadable)? != self.stamp {
                return Err(Failure::Changed);
            }
            let digest = *self.hasher.finalize().as_bytes();
            self.digest = Some(digest);
            self.phase = Phase::Ending;
            return Ok(self.ask(now, Request::ActivityEnd(Bytes::copy_from_slice(&digest))));
        }
        let point = offset(&self.offer, self.next);
        let limit = point.min(self.offer.size).min(self.progress.confirmed + self.window);
        if self.at >= limit {
            return Ok(false);
        }
        let mut chunk = vec![0; CHUNK.min(usize::try_from(limit - self.at).unwrap_or(CHUNK))];
        let n = self.source.read_at(self.at, &mut chunk).map_err(unreadable)?;
        if n == 0 {
            return Err(Failure::Changed);
        }
        chunk.truncate(n);
        self.hasher.update(&chunk);
        self.progress.sent += n as u64;
        self.progress.again += self.furthest.saturating_sub(self.at).min(n as u64);
        self.at += n as u64;
        self.furthest = self.furthest.max(self.at);
        let mut sent = self.ask(now, Request::Data(chunk.into()));
        if self.at == point && self.at < self.offer.size {
            self.marks.insert(self.next, self.hasher.clone());
            sent = self.ask(now, Request::SyncMinor(Confirmation::Explicit, Bytes::new()));
            self.next = self.next.next();
            debug_assert_eq!(point % step, 0);
        }
        Ok(sent)
    }

    fn ask(&mut self, now: Instant, request: Request) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        let result = connection.request(now, request);
        debug_assert!(result.is_ok(), "{result:?}");
        result.is_ok()
    }

    fn settle(&mut self, now: Instant) {
        while let Some(event) = self.connection.as_mut().and_then(Connection::poll_event) {
            self.on_event(now, event);
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Accepted(acceptance) => match Answer::parse(&acceptance.user_data) {
                Ok(Answer::From(serial)) if offset(&self.offer, serial) <= self.offer.size => self.begin(now, serial),
                Ok(Answer::Whole) => self.done(now),
                Ok(Answer::From(serial)) => {
                    self.refused(now, format!("it has point {serial}, and the file is not that long"));
                }
                Err(why) => self.refused(now, why),
            },
            Event::Refused(_, told) => {
                self.told(&Told::parse(&told));
                self.drop_connection();
            }
            Event::UserAbort(told) => {
                self.phase = Phase::Releasing;
                self.told(&Told::parse(&told));
            }
            Event::ProviderAbort(why) => {
                self.phase = Phase::Releasing;
                if self.last.is_empty() || !why.is_empty() {
                    self.last = why;
                }
            }
            Event::SyncMinorConfirmed(serial, _) => self.confirmed(now, serial),
            Event::ActivityEnded(..) => {
                self.progress.confirmed = self.offer.size;
                self.done(now);
            }
            Event::ActivityDiscarded => {
                self.phase = Phase::Releasing;
                self.ask(now, Request::Release(Bytes::new()));
            }
            Event::TypedData(_) => self.heard = now,
            Event::Released(_) => {}
            other => self.refused(now, format!("nobody expects this in a transfer: {other:?}")),
        }
    }

    /// Begins or goes on at a point.
    fn begin(&mut self, now: Instant, serial: Serial) {
        let from = offset(&self.offer, serial);
        self.hasher = match self.marks.get(&serial) {
            Some(hasher) => hasher.clone(),
            None => match self.hash_to(from) {
                Ok(hasher) => hasher,
                Err(failure) => return self.give_up(now, failure),
            },
        };
        self.marks.retain(|mark, _| *mark == serial);
        if serial > Serial::default() {
            self.progress.resumed += 1;
        } else if self.begun > 0 {
            self.progress.restarted += 1;
        }
        self.begun += 1;
        self.at = from;
        self.furthest = self.furthest.max(from);
        self.next = serial.next();
        self.progress.confirmed = from;
        self.heard = now;
        let id = Bytes::copy_from_slice(&self.offer.id.0);
        self.phase = Phase::Sending;
        let request = if serial == Serial::default() {
            Request::ActivityStart(id, Bytes::new())
        } else {
            Request::ActivityResume { id: id.clone(), old: id, serial, user_data: Bytes::new() }
        };
        self.ask(now, request);
    }

    fn hash_to(&mut self, end: u64) -> Result<blake3::Hasher, Failure> {
        hash(end, |at, buf| self.source.read_at(at, buf)).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Failure::Changed,
            _ => Failure::Unreadable(e.to_string()),
        })
    }

    fn confirmed(&mut self, now: Instant, serial: Serial) {
        self.heard = now;
        self.idle = 0;
        self.progress.points += 1;
        self.progress.confirmed = offset(&self.offer, serial);
        self.marks.retain(|mark, _| *mark >= serial);
    }

    fn done(&mut self, now: Instant) {
        self.heard = now;
        self.progress.confirmed = self.offer.size;
        self.outcome = Some(Ok(()));
        self.phase = Phase::Releasing;
        self.ask(now, Request::Release(Bytes::new()));
    }

    /// What the other end said why it will not or cannot.
    fn told(&mut self, told: &Told) {
        told.why().clone_into(&mut self.last);
        if let Told::Never(why) = told {
            self.outcome.get_or_insert(Err(Failure::Refused(why.clone())));
        }
    }

    fn refused(&mut self, now: Instant, why: String) {
        self.outcome.get_or_insert(Err(Failure::Refused(why)));
        self.phase = Phase::Releasing;
        if let Some(connection) = &mut self.connection {
            let _ = connection.request(now, Request::Abort(Bytes::new()));
        }
    }

    /// The file itself is at fault: what arrived of it is thrown away.
    fn give_up(&mut self, now: Instant, failure: Failure) {
        self.outcome = Some(Err(failure));
        self.phase = Phase::Discarding;
        let Some(connection) = &mut self.connection else { return };
        if connection.request(now, Request::ActivityDiscard(0)).is_err() {
            let told = Told::Later("the sender cannot go on".to_owned());
            let _ = connection.request(now, Request::Abort(told.build()));
        }
    }

    fn drop_connection(&mut self) {
        self.connection = None;
        self.phase = Phase::Idle;
    }
}
