//! COTP class 0, the transport protocol that ISO session stands on (X.224, RFC 1006): one connection of one network
//! connection, TSDUs of any length in DT TPDUs.
//!
//! [`Cotp`] is one end, sans-IO: TPDUs and requests go in; TPDUs, events and the wish to close come out.

mod table;
pub mod tpdu;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::malformed::Malformed;
use crate::tpkt;
use table::{Action, step};
pub use table::{Event as TableEvent, State};
use tpdu::{DATA_HEADER, Last, Terms, Tpdu};

/// X.224 §13.5.3: "reason not specified".
pub const REASON_NOT_SPECIFIED: u8 = 0;
/// X.224 §13.5.3: "session entity not attached to TSAP".
pub const NOT_ATTACHED: u8 = 2;
/// X.224 §13.5.3: "connection negotiation failed (i.e. proposed classes not supported)".
pub const NEGOTIATION_FAILED: u8 = 128 + 2;
/// X.224 §13.12.3: "invalid TPDU type".
const INVALID_TPDU_TYPE: u8 = 2;

/// What one end wants.
#[derive(Clone, Debug)]
pub struct Config {
    /// This end's reference: any number but nought.
    pub reference: u16,
    /// Its TSAP.
    pub local: Bytes,
    /// The TSAP that it calls, where it calls one.
    pub remote: Bytes,
    /// The power of two that a TPDU may measure, 7 to 13; none for 65,531 octets.
    pub size: Option<u8>,
    /// The longest TSDU that is put together, in octets.
    pub max_tsdu: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { reference: 1, local: Bytes::new(), remote: Bytes::new(), size: None, max_tsdu: 1 << 20 }
    }
}

/// What the storey above is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// T-CONNECT indication: [`Cotp::accept`] or [`Cotp::disconnect`] answers.
    Connect,
    /// T-CONNECT confirm.
    Connected,
    /// T-DATA indication: a TSDU.
    Data(Bytes),
    /// T-DISCONNECT indication: why, in words.
    Disconnected(String),
}

/// What is to be given to the storey below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// A TPDU: its header, and the data after it.
    Tpdu(Vec<u8>, Bytes),
    /// The network connection is to be closed after what was sent.
    Close,
}

/// One end of a transport connection.
#[derive(Debug)]
pub struct Cotp {
    config: Config,
    state: State,
    terms: Terms,
    /// The longest TPDU, header and data.
    tpdu: usize,
    partial: BytesMut,
    fault: Option<String>,
    outputs: VecDeque<Output>,
    events: VecDeque<Event>,
}

impl Cotp {
    /// An end without connection.
    pub fn new(config: Config) -> Self {
        let tpdu = largest(config.size);
        Self {
            config,
            state: State::Closed,
            terms: Terms::default(),
            tpdu,
            partial: BytesMut::new(),
            fault: None,
            outputs: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// T-CONNECT request.
    pub fn connect(&mut self) {
        self.step(TableEvent::TconReq, Bytes::new(), "");
    }

    /// T-CONNECT response.
    pub fn accept(&mut self) {
        self.step(TableEvent::TconResp, Bytes::new(), "");
    }

    /// T-DISCONNECT request.
    pub fn disconnect(&mut self) {
        self.step(TableEvent::TdisReq, Bytes::new(), "");
    }

    /// T-DATA request: a TSDU, cut where it must be. Nothing is sent where there is no connection.
    pub fn send(&mut self, tsdu: Bytes) {
        self.step(TableEvent::TdtReq, tsdu, "");
    }

    /// The network connection is gone.
    pub fn network_closed(&mut self, why: &str) {
        self.step(TableEvent::NdisInd, Bytes::new(), why);
    }

    /// Takes a TPDU.
    pub fn receive(&mut self, bytes: Bytes) {
        match Tpdu::parse(&bytes) {
            Ok(tpdu) => self.on_tpdu(tpdu, bytes),
            Err(wrong) => self.on_invalid(&wrong, bytes),
        }
    }

    /// Takes note that what came is no TPDU.
    pub fn on_invalid(&mut self, wrong: &Malformed, bytes: Bytes) {
        let why = wrong.to_string();
        self.step(TableEvent::Invalid, bytes, &why);
        self.fault.get_or_insert(why);
    }

    /// What came that is no TPDU, in words.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// What is to be sent.
    pub fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the storey above is to be told.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn on_tpdu(&mut self, tpdu: Tpdu, raw: Bytes) {
        match tpdu {
            Tpdu::ConnectionRequest(terms, class) => {
                let known =
                    self.config.local.is_empty() || terms.called.is_empty() || terms.called == self.config.local;
                if self.state != State::Closed {
                    return self.step(TableEvent::Cr, raw, "a CR TPDU on a connection that stands");
                }
                self.terms = Terms { destination: terms.source, ..terms };
                // §6.5.4: each class but 4 may be answered by class 0, which every other falls back to.
                if !known || class > 4 {
                    return self.step(TableEvent::CrUnacceptable, raw, "");
                }
                self.tpdu = largest(self.terms.size).min(largest(self.config.size));
                self.step(TableEvent::Cr, raw, "");
            }
            Tpdu::ConnectionConfirm(terms, class) => {
                let asked = largest(self.config.size);
                let granted = largest(terms.size);
                if class != 0 || terms.destination != self.config.reference || (terms.size.is_some() && granted > asked)
                {
                    let why = "the CC TPDU is none of what was asked";
                    return self.step(TableEvent::CcUnacceptable, raw, why);
                }
                if self.state == State::Wfcc {
                    self.tpdu = if terms.size.is_some() { granted } else { asked };
                    self.terms = terms;
                }
                self.step(TableEvent::Cc, raw, "a CC TPDU that nobody asked for");
            }
            Tpdu::DisconnectRequest { reason, .. } => {
                let why = match reason {
                    REASON_NOT_SPECIFIED => "the other end refused the transport connection".to_owned(),
                    NOT_ATTACHED => "nobody is attached to the TSAP that was called".to_owned(),
                    NEGOTIATION_FAILED => "the other end does not know class 0".to_owned(),
                    other => format!("the other end refused the transport connection, reason {other}"),
                };
                self.step(TableEvent::Dr, raw, &why);
            }
            Tpdu::Data { bytes, last } => self.on_data(bytes, last, raw),
            Tpdu::Error { cause, .. } => {
                self.step(TableEvent::Er, raw, &format!("the other end found a TPDU in error, cause {cause}"));
            }
        }
    }

    fn on_data(&mut self, bytes: Bytes, last: Last, raw: Bytes) {
        if self.state != State::Open {
            return self.step(TableEvent::Dt, raw, "a DT TPDU before the connection stands");
        }
        if self.partial.len() + bytes.len() > self.config.max_tsdu {
            let why = format!("a TSDU of over {} octets", self.config.max_tsdu);
            return self.step(TableEvent::Invalid, raw, &why);
        }
        let whole = match last {
            Last::No => return self.partial.extend_from_slice(&bytes),
            Last::Yes if self.partial.is_empty() => bytes,
            Last::Yes => {
                self.partial.extend_from_slice(&bytes);
                self.partial.split().freeze()
            }
        };
        self.step(TableEvent::Dt, whole, "");
    }

    /// Does what the table says. `bytes` are the data, or what came.
    fn step(&mut self, event: TableEvent, bytes: Bytes, why: &str) {
        let Some((actions, next)) = step(self.state, event) else { return };
        self.state = next;
        for action in actions {
            match action {
                Action::SendCr => {
                    let terms = Terms {
                        source: self.config.reference,
                        destination: 0,
                        size: self.config.size,
                        calling: self.config.local.clone(),
                        called: self.config.remote.clone(),
                    };
                    self.control(&Tpdu::ConnectionRequest(terms, 0));
                }
                Action::SendCc => {
                    let terms = Terms {
                        source: self.config.reference,
                        size: self.terms.size.map(|size| size.min(self.config.size.unwrap_or(13))),
                        ..self.terms.clone()
                    };
                    self.control(&Tpdu::ConnectionConfirm(terms, 0));
                }
                Action::SendDr => {
                    let reason = if event == TableEvent::CrUnacceptable { NOT_ATTACHED } else { REASON_NOT_SPECIFIED };
                    self.control(&Tpdu::DisconnectRequest { destination: self.terms.destination, source: 0, reason });
                }
                Action::SendDt => self.cut(bytes.clone()),
                Action::SendEr => {
                    let invalid = bytes.slice(..bytes.len().min(16));
                    let destination = self.terms.destination;
                    self.control(&Tpdu::Error { destination, cause: INVALID_TPDU_TYPE, invalid });
                }
                Action::TconInd => self.events.push_back(Event::Connect),
                Action::TconConf => self.events.push_back(Event::Connected),
                Action::TdtInd => self.events.push_back(Event::Data(bytes.clone())),
                Action::TdisInd => self.events.push_back(Event::Disconnected(why.to_owned())),
                Action::NdisReq => self.outputs.push_back(Output::Close),
            }
        }
    }

    fn control(&mut self, tpdu: &Tpdu) {
        self.outputs.push_back(Output::Tpdu(tpdu.build(), Bytes::new()));
    }

    fn cut(&mut self, mut tsdu: Bytes) {
        loop {
            let piece = tsdu.split_to(tsdu.len().min(self.tpdu - DATA_HEADER));
            let last = if tsdu.is_empty() { Last::Yes } else { Last::No };
            let header = Tpdu::Data { bytes: Bytes::new(), last }.build();
            self.outputs.push_back(Output::Tpdu(header, piece));
            if last == Last::Yes {
                return;
            }
        }
    }
}

/// The longest TPDU by the size that was agreed.
fn largest(size: Option<u8>) -> usize {
    size.map_or(tpkt::MAX_TPDU, |power| 1 << power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(a: Config, b: Config) -> [Cotp; 2] {
        [Cotp::new(a), Cotp::new(b)]
    }

    /// Carries TPDUs until both are quiet; who wanted to close.
    fn carry(ends: &mut [Cotp; 2]) -> [bool; 2] {
        let mut closed = [false; 2];
        loop {
            let mut quiet = true;
            for from in 0..2 {
                while let Some(output) = ends[from].poll_transmit() {
                    quiet = false;
                    match output {
                        Output::Tpdu(mut header, data) => {
                            header.extend_from_slice(&data);
                            ends[1 - from].receive(header.into());
                        }
                        Output::Close => {
                            closed[from] = true;
                            ends[1 - from].network_closed("closed");
                        }
                    }
                }
            }
            if quiet {
                return closed;
            }
        }
    }

    #[test]
    fn a_tsdu_is_cut_to_the_size_that_both_take() {
        let small = Config { size: Some(7), ..Config::default() };
        let mut ends = pair(Config { size: Some(9), ..Config::default() }, small);
        ends[0].connect();
        carry(&mut ends);
        assert_eq!(ends[1].poll_event(), Some(Event::Connect));
        ends[1].accept();
        carry(&mut ends);
        assert_eq!(ends[0].poll_event(), Some(Event::Connected));
        let tsdu = Bytes::from(vec![7; 1000]);
        ends[0].send(tsdu.clone());
        let mut pieces = 0;
        while let Some(Output::Tpdu(mut header, data)) = ends[0].poll_transmit() {
            assert!(header.len() + data.len() <= 128);
            pieces += 1;
            header.extend_from_slice(&data);
            ends[1].receive(header.into());
        }
        assert_eq!((pieces, ends[1].poll_event()), (8, Some(Event::Data(tsdu))));
    }

    #[test]
    fn who_is_not_there_is_not_reached() {
        let mut ends = pair(
            Config { remote: Bytes::from_static(b"files"), ..Config::default() },
            Config { local: Bytes::from_static(b"chat"), ..Config::default() },
        );
        ends[0].connect();
        carry(&mut ends);
        let why = "nobody is attached to the TSAP that was called".to_owned();
        assert_eq!(ends[0].poll_event(), Some(Event::Disconnected(why)));
        assert_eq!(ends[0].state(), State::Closed);
    }

    #[test]
    fn a_tsdu_without_end_is_bounded() {
        let mut ends = pair(Config::default(), Config { max_tsdu: 1000, ..Config::default() });
        ends[0].connect();
        carry(&mut ends);
        ends[1].accept();
        carry(&mut ends);
        ends[0].send(vec![0; 1001].into());
        assert_eq!(carry(&mut ends), [true, true]);
        assert_eq!(ends[1].poll_event(), Some(Event::Connect));
        assert_eq!(ends[1].poll_event(), Some(Event::Disconnected("a TSDU of over 1000 octets".to_owned())));
    }
}
