//! The end that receives: takes up what is offered, confirms what is kept, and gives a whole file its name.

use core::time::Duration;

use bytes::Bytes;
use septet_core::Instant;

use super::inbox::{Inbox, Taken, failed};
use super::journal::{Mark, Record, Stage};
use super::message::{Answer, Offer, Told};
use super::{Digest, UNITS};
use crate::spdu::Serial;
use crate::spm::{Acceptance, Event, Request};
use crate::{Config, Connection, Transmit};

/// So long at most a sender whose data arrive hears nothing.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// So much time's points at most are lost with the power. To write each to the disk at once would take longer than the
/// network; what is in the system's memory outlives the process.
const UNSAFE: Duration = Duration::from_secs(1);

/// What became of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// A file is taken, from this octet on.
    Begun {
        /// Which.
        offer: Offer,
        /// Where it goes on; nought at its beginning.
        from: u64,
    },
    /// A point was confirmed: so many octets are kept.
    Kept(u64),
    /// The file is whole and has its name.
    Whole {
        /// Which.
        offer: Offer,
        /// Its digest.
        digest: Digest,
    },
    /// The transport broke before that; so many octets are kept.
    Broken {
        /// How many.
        kept: u64,
        /// Why, in words.
        why: String,
    },
    /// It was refused, or cannot go on.
    Failed(String),
}

/// One connection of a sender.
#[derive(Debug)]
pub struct Receiver {
    connection: Connection,
    inbox: Inbox,
    /// How long nothing may come.
    patience: Duration,
    heard: Instant,
    /// When the sender was last told that something arrived.
    told: Instant,
    current: Option<Current>,
    arrivals: Vec<Arrival>,
    over: Over,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    No,
    Yes,
}

#[derive(Debug)]
struct Current {
    offer: Offer,
    owner: u64,
    /// The activity is in progress.
    begun: bool,
    /// The last point that was confirmed.
    kept: Serial,
    /// The last that outlives a loss of power, and when it was written.
    safe: Mark,
    written: Instant,
    /// How many octets are in the file.
    at: u64,
    hasher: blake3::Hasher,
    whole: Option<Digest>,
}

impl Receiver {
    /// A connection that a sender opened; nothing was read of it yet. It ends where nothing comes for `patience`.
    pub fn new(now: Instant, inbox: Inbox, patience: Duration) -> Self {
        let connection = Connection::new(Config::default());
        Self { connection, inbox, patience, heard: now, told: now, current: None, arrivals: Vec::new(), over: Over::No }
    }

    /// Takes octets of the connection.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.heard = now;
        self.connection.receive(now, bytes);
        self.settle(now);
    }

    /// The connection has ended.
    pub fn closed(&mut self, now: Instant, why: &str) {
        self.connection.closed(now, why);
        self.settle(now);
        let why = self.connection.fault().unwrap_or(why).to_owned();
        self.end(Told::Later(why));
    }

    /// When [`on_timeout`](Self::on_timeout) must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let idle = (self.over == Over::No).then(|| self.heard + self.patience);
        [self.connection.poll_timeout(), idle].into_iter().flatten().min()
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn on_timeout(&mut self, now: Instant) {
        self.connection.on_timeout(now);
        if self.over == Over::No && self.heard + self.patience <= now {
            self.abort(now, Told::Later("nothing came any more".to_owned()));
        }
        self.settle(now);
    }

    /// What is to be written.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.connection.poll_transmit()
    }

    /// What happened since it was asked last.
    pub fn poll_arrival(&mut self) -> Option<Arrival> {
        if self.arrivals.is_empty() { None } else { Some(self.arrivals.remove(0)) }
    }

    fn settle(&mut self, now: Instant) {
        while let Some(event) = self.connection.poll_event() {
            if let Err(told) = self.on_event(now, event) {
                self.abort(now, told);
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) -> Result<(), Told> {
        match event {
            Event::Connect(proposal) => self.on_offer(now, &proposal.user_data),
            Event::ActivityStart(id, _) => self.begin(&id, Serial::default()),
            Event::ActivityResume { id, serial, .. } => self.begin(&id, serial),
            Event::Data(bytes) => self.on_data(now, &bytes),
            Event::SyncMinor(serial, ..) => self.on_point(now, serial),
            Event::ActivityEnd(_, digest) => self.on_end(now, &digest),
            Event::ActivityDiscard(_) => {
                if let Some(current) = self.current.take() {
                    let Current { offer, owner, .. } = current;
                    if self.inbox.owned(offer.id, owner) {
                        self.inbox.discard(offer.id).map_err(|e| failed(&e))?;
                    }
                    self.inbox.leave(offer.id, owner);
                }
                self.ask(now, Request::ActivityDiscardConfirm)?;
                self.over(Arrival::Failed("the sender gave the file up".to_owned()));
                Ok(())
            }
            Event::Release(_) => {
                self.ask(now, Request::ReleaseConfirm(Bytes::new()))?;
                self.end(Told::Later("the sender ended the session before the file".to_owned()));
                Ok(())
            }
            Event::UserAbort(told) => {
                self.end(Told::parse(&told));
                Ok(())
            }
            Event::ProviderAbort(why) => {
                self.end(Told::Later(why));
                Ok(())
            }
            other => Err(Told::Never(format!("nobody expects this in a transfer: {other:?}"))),
        }
    }

    fn on_offer(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Told> {
        let taken = match Offer::parse(bytes) {
            Ok(offer) => self.inbox.take(&offer),
            Err(why) => Err(Told::Never(why)),
        };
        let Taken { record: Record { offer, stage }, hasher, owner } = match taken {
            Ok(taken) => taken,
            Err(told) => {
                self.ask(now, Request::Refuse(told.build()))?;
                self.over(Arrival::Failed(told.why().to_owned()));
                return Ok(());
            }
        };
        let (mark, safe, answer, whole) = match stage {
            Stage::Kept(mark, safe) => (mark, safe, Answer::From(mark.serial), None),
            Stage::Whole(digest) => (Mark::default(), Mark::default(), Answer::Whole, Some(digest)),
        };
        let kept = mark.serial;
        let at = offset(&offer, kept);
        if whole.is_none() {
            // What came after the point is thrown away: it was never confirmed.
            self.inbox.files().truncate(&Record::part(offer.id), at).map_err(|e| failed(&e))?;
        }
        self.current = Some(Current { offer, owner, begun: false, kept, safe, written: now, at, hasher, whole });
        let user_data = answer.build();
        self.ask(now, Request::Accept(Acceptance { units: UNITS, user_data, ..Acceptance::default() }))
    }

    /// The transfer that goes on, as long as no other connection has taken it up.
    fn current(&mut self) -> Result<&mut Current, Told> {
        let inbox = &self.inbox;
        let current = self.current.as_mut().ok_or_else(|| Told::Never("no file was offered".to_owned()))?;
        if !inbox.owned(current.offer.id, current.owner) {
            return Err(Told::Later("another connection goes on with it".to_owned()));
        }
        Ok(current)
    }

    fn begin(&mut self, id: &[u8], serial: Serial) -> Result<(), Told> {
        let current = self.current()?;
        if *id != current.offer.id.0 || serial != current.kept || current.whole.is_some() {
            return Err(Told::Never("the activity is not what was agreed".to_owned()));
        }
        current.begun = true;
        let arrival = Arrival::Begun { offer: current.offer.clone(), from: current.at };
        self.arrivals.push(arrival);
        Ok(())
    }

    fn on_data(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Told> {
        let files = self.inbox.clone();
        let current = self.current()?;
        let end = current.at + bytes.len() as u64;
        if !current.begun || end > current.offer.size {
            return Err(Told::Never(format!("octet {end} of a file of {} came", current.offer.size)));
        }
        files.files().write_at(&Record::part(current.offer.id), current.at, bytes).map_err(|e| failed(&e))?;
        current.hasher.update(bytes);
        current.at = end;
        // Over a slow line it is far from one point to the next.
        if now.saturating_since(self.told) >= SIGN_OF_LIFE {
            self.told = now;
            self.ask(now, Request::TypedData(Bytes::copy_from_slice(&end.to_be_bytes())))?;
        }
        Ok(())
    }

    fn on_point(&mut self, now: Instant, serial: Serial) -> Result<(), Told> {
        let inbox = self.inbox.clone();
        let current = self.current()?;
        if current.at != offset(&current.offer, serial) {
            let Current { at, .. } = current;
            return Err(Told::Never(format!("point {serial} stands at octet {at}")));
        }
        // Only what is kept is confirmed.
        let mark = Mark { serial, digest: *current.hasher.finalize().as_bytes() };
        if now.saturating_since(current.written) >= UNSAFE {
            inbox.keep(&current.offer, mark).map_err(|e| failed(&e))?;
            (current.safe, current.written) = (mark, now);
        } else {
            inbox.note(&current.offer, mark, current.safe).map_err(|e| failed(&e))?;
        }
        current.kept = serial;
        let kept = current.at;
        self.arrivals.push(Arrival::Kept(kept));
        self.told = now;
        self.ask(now, Request::SyncMinorConfirm(serial, Bytes::new()))
    }

    fn on_end(&mut self, now: Instant, digest: &[u8]) -> Result<(), Told> {
        let inbox = self.inbox.clone();
        let current = self.current()?;
        let ours = *current.hasher.finalize().as_bytes();
        if current.at != current.offer.size || ours != digest {
            // Nothing of it can be trusted: another try begins at its beginning.
            let (at, size) = (current.at, current.offer.size);
            inbox.discard(current.offer.id).map_err(|e| failed(&e))?;
            current.kept = Serial::default();
            let why = if at == size {
                "the file that came is not the one that was sent: their digests differ".to_owned()
            } else {
                format!("the file ended after {at} octets of {size}")
            };
            return Err(Told::Later(why));
        }
        inbox.finish(&current.offer, ours).map_err(|e| failed(&e))?;
        current.whole = Some(ours);
        let arrival = Arrival::Whole { offer: current.offer.clone(), digest: ours };
        self.arrivals.push(arrival);
        self.ask(now, Request::ActivityEndConfirm(Bytes::new()))
    }

    fn ask(&mut self, now: Instant, request: Request) -> Result<(), Told> {
        self.connection.request(now, request).map_err(|e| Told::Later(e.to_string()))
    }

    fn abort(&mut self, now: Instant, told: Told) {
        let _ = self.connection.request(now, Request::Abort(told.build()));
        self.end(told);
    }

    /// The connection is over, and what was not whole is left for another.
    fn end(&mut self, told: Told) {
        let arrival = match self.current.take() {
            Some(current) => {
                self.inbox.leave(current.offer.id, current.owner);
                let kept = offset(&current.offer, current.kept);
                let why = told.why().to_owned();
                match (current.whole, told) {
                    (Some(_), _) => return self.over = Over::Yes,
                    (None, Told::Later(_)) => Arrival::Broken { kept, why },
                    (None, Told::Never(_)) => Arrival::Failed(why),
                }
            }
            None => Arrival::Failed(told.why().to_owned()),
        };
        self.over(arrival);
    }

    fn over(&mut self, arrival: Arrival) {
        if self.over == Over::No {
            self.arrivals.push(arrival);
        }
        self.over = Over::Yes;
    }
}

/// Where a point stands in the file.
pub(super) fn offset(offer: &Offer, serial: Serial) -> u64 {
    u64::from(serial.get()) * u64::from(offer.step)
}
