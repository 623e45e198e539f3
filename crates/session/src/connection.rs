//! One end of a session over one TCP connection: TPKT, COTP and the session protocol machine above each other.

use bytes::{Bytes, BytesMut};
use septet_core::Instant;

use crate::cotp::{self, Cotp};
use crate::spm::{self, Event, Misuse, Request, Spm};
use crate::tpkt;

/// What one end wants.
#[derive(Clone, Default, Debug)]
pub struct Config {
    /// Of the transport.
    pub transport: cotp::Config,
    /// Of the session.
    pub session: spm::Config,
}

/// Octets for the TCP connection, or its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transmit {
    /// Octets to be written.
    Bytes(Bytes),
    /// All is written; the connection is to be closed.
    Close,
}

/// One end of a session over a TCP connection that stands.
///
/// ```
/// use septet_core::Instant;
/// use septet_session::spdu::Units;
/// use septet_session::spm::{Acceptance, Event, Proposal, Request};
/// use septet_session::{Config, Connection, Transmit};
///
/// let now = Instant::ZERO;
/// let (mut a, mut b) = (Connection::new(Config::default()), Connection::new(Config::default()));
/// let carry = |from: &mut Connection, to: &mut Connection| {
///     while let Some(Transmit::Bytes(bytes)) = from.poll_transmit() {
///         to.receive(now, &bytes);
///     }
/// };
/// let units = Units::DUPLEX;
/// a.request(now, Request::Connect(Proposal { units, ..Proposal::default() })).unwrap();
/// for _ in 0..2 {
///     carry(&mut a, &mut b);
///     carry(&mut b, &mut a);
/// }
/// assert!(matches!(b.poll_event(), Some(Event::Connect(_))));
/// b.request(now, Request::Accept(Acceptance { units, ..Acceptance::default() })).unwrap();
/// carry(&mut b, &mut a);
/// assert!(matches!(a.poll_event(), Some(Event::Accepted(_))));
/// a.request(now, Request::Data("hello".into())).unwrap();
/// carry(&mut a, &mut b);
/// assert_eq!(b.poll_event(), Some(Event::Data("hello".into())));
/// ```
#[derive(Debug)]
pub struct Connection {
    decoder: tpkt::Decoder,
    transport: Cotp,
    session: Spm,
    /// Octets that wait to be written: many packets at once, as a call of the system costs more than its octets.
    leaving: BytesMut,
    open: Open,
    close: Close,
    /// The TCP connection has ended, and why.
    ended: Option<String>,
    /// The time that it was told last.
    now: Instant,
}

/// Whether the TCP connection is still used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Open {
    Yes,
    No,
}

/// Whether the TCP connection is to be closed after what waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Close {
    No,
    Wanted,
    Told,
}

impl Connection {
    /// An end of a TCP connection on which nothing was sent yet; whoever asks to connect is the initiator.
    pub fn new(config: Config) -> Self {
        Self {
            decoder: tpkt::Decoder::default(),
            transport: Cotp::new(config.transport),
            session: Spm::new(config.session),
            leaving: BytesMut::new(),
            open: Open::Yes,
            close: Close::No,
            ended: None,
            now: Instant::ZERO,
        }
    }

    /// The session protocol machine: its state, tokens, units and variables.
    pub fn session(&self) -> &Spm {
        &self.session
    }

    /// A request or response of the user.
    ///
    /// # Errors
    /// Why it cannot be; nothing was sent then.
    pub fn request(&mut self, now: Instant, request: Request) -> Result<(), Misuse> {
        self.session.request(now, request)?;
        self.settle(now);
        Ok(())
    }

    /// Takes octets of the TCP connection. They are read as far as the first event; the rest is once
    /// [`poll_event`](Self::poll_event) has given that away, so that who answers it answers in the state that it tells of.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if self.open == Open::Yes && self.ended.is_none() {
            self.now = now;
            self.decoder.push(bytes);
            self.read_on();
        }
    }

    /// The TCP connection has ended: why, in words. What came before is read first.
    pub fn closed(&mut self, now: Instant, why: &str) {
        self.now = now;
        self.ended.get_or_insert_with(|| why.to_owned());
        self.read_on();
    }

    /// Reads what came until there is an event.
    fn read_on(&mut self) {
        while !self.session.has_event() {
            let next = if self.open == Open::Yes { self.decoder.poll() } else { Ok(None) };
            match next {
                Ok(Some(tpdu)) => self.transport.receive(tpdu),
                Err(wrong) => self.transport.on_invalid(&wrong, Bytes::new()),
                Ok(None) => {
                    if let Some(why) = &self.ended {
                        self.open = Open::No;
                        self.transport.network_closed(why);
                        self.settle(self.now);
                    }
                    return;
                }
            }
            self.settle(self.now);
        }
    }

    /// When [`on_timeout`](Self::on_timeout) must be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout()
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn on_timeout(&mut self, now: Instant) {
        self.session.on_timeout(now);
        self.settle(now);
    }

    /// What is to be written to the TCP connection.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if !self.leaving.is_empty() {
            return Some(Transmit::Bytes(self.leaving.split().freeze()));
        }
        if self.close != Close::Wanted {
            return None;
        }
        self.close = Close::Told;
        Some(Transmit::Close)
    }

    /// Octets that wait to be written. Who asks for more while these are many fills memory.
    pub fn backlog(&self) -> usize {
        self.leaving.len()
    }

    /// What came that is no packet of ISO transport, in words: the connection ends by it, and before it stands no event
    /// tells of it.
    pub fn fault(&self) -> Option<&str> {
        self.transport.fault()
    }

    /// What the user is to be told.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.read_on();
        self.session.poll_event()
    }

    /// Carries what one storey has for the other until both are quiet.
    fn settle(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.session.poll_transmit() {
                match output {
                    spm::Output::Connect => self.transport.connect(),
                    spm::Output::Respond => self.transport.accept(),
                    spm::Output::Data(mut head, information) => {
                        // TSDU in one piece: the head is a few octets before the data.
                        head.extend_from_slice(&information);
                        self.transport.send(head.into());
                    }
                    spm::Output::Disconnect => self.transport.disconnect(),
                }
            } else if let Some(event) = self.transport.poll_event() {
                match event {
                    cotp::Event::Connect => self.session.transport_opened(now),
                    cotp::Event::Connected => self.session.transport_connected(now),
                    cotp::Event::Data(tsdu) => self.session.receive(now, &tsdu),
                    cotp::Event::Disconnected(why) => self.session.transport_closed(now, &why),
                }
            } else {
                break;
            }
        }
        while let Some(output) = self.transport.poll_transmit() {
            match output {
                cotp::Output::Tpdu(header, data) => {
                    self.leaving.extend_from_slice(&tpkt::header(header.len() + data.len()));
                    self.leaving.extend_from_slice(&header);
                    self.leaving.extend_from_slice(&data);
                }
                cotp::Output::Close => {
                    if self.open == Open::Yes {
                        self.close = Close::Wanted;
                    }
                    self.open = Open::No;
                }
            }
        }
    }
}
