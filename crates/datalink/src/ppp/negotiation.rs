//! One control protocol at work: the automaton with its counters, timer and packets.

use core::time::Duration;
use std::collections::VecDeque;

use septet_core::Instant;

use super::automaton::{Action, Event, State, step};
use super::packet::{Code, Packet, options, push};

/// What a control protocol negotiates.
pub(super) trait Options {
    /// The options of the next Configure-Request.
    fn request(&self) -> Vec<u8>;

    /// What the other end asks for.
    fn judge(&mut self, kind: u8, value: &[u8]) -> Verdict;

    /// The other end's request, all of whose options were acceptable, is in force: it may begin to send by it.
    fn granted(&mut self, asked: &[(u8, &[u8])]);

    /// The other end would rather have this value.
    fn suggested(&mut self, kind: u8, value: &[u8]);

    /// The other end does not want this option at all.
    fn refused(&mut self, kind: u8);
}

/// What is thought of an option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Acceptable,
    /// This value would be.
    Rather(Vec<u8>),
    /// No value would be.
    Unacceptable,
}

/// What a layer tells the one above or below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal {
    Up,
    Down,
    Started,
    Finished,
}

/// §4.6's timers and counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) restart: Duration,
    pub(super) max_terminate: u32,
    pub(super) max_configure: u32,
    pub(super) max_failure: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // "Restart timer … default 3 seconds", "Max-Terminate 2", "Max-Configure 10", "Max-Failure 5".
        Self { restart: Duration::from_secs(3), max_terminate: 2, max_configure: 10, max_failure: 5 }
    }
}

/// A control protocol.
#[derive(Debug)]
pub(super) struct Negotiation<O> {
    pub(super) options: O,
    limits: Limits,
    state: State,
    restart_count: u32,
    timer: Option<Instant>,
    /// Identifier of the last Configure- or Terminate-Request.
    identifier: u8,
    requested: Vec<u8>,
    /// Configure-Naks sent without a Configure-Ack between.
    failures: u32,
    /// Packets for the line.
    pub(super) packets: VecDeque<Vec<u8>>,
    pub(super) signals: VecDeque<Signal>,
}

/// What the packet that is being handled leads to, beside the event.
#[derive(Default)]
struct Answer {
    /// For sca, scn: code, identifier and options.
    configure: Option<(Code, u8, Vec<u8>)>,
    /// For sta.
    terminate: Option<u8>,
    /// For scj.
    rejected: Vec<u8>,
    /// For ser.
    echo: Option<(u8, Vec<u8>)>,
}

impl<O: Options> Negotiation<O> {
    pub(super) fn new(options: O) -> Self {
        Self {
            options,
            limits: Limits::default(),
            state: State::Initial,
            restart_count: 0,
            timer: None,
            identifier: 0,
            requested: Vec::new(),
            failures: 0,
            packets: VecDeque::new(),
            signals: VecDeque::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn is_opened(&self) -> bool {
        self.state == State::Opened
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        if self.timer.is_some_and(|at| at <= now) {
            self.timer = None;
            let event = if self.restart_count > 0 { Event::ToPlus } else { Event::ToMinus };
            self.on_event(now, event);
        }
    }

    /// An event without a packet.
    pub(super) fn on_event(&mut self, now: Instant, event: Event) {
        self.apply(now, event, Answer::default());
    }

    /// A packet that came in. `None` for one that is no business of the automaton: Protocol-Reject, Echo-Reply,
    /// Discard-Request, and answers that match no request.
    pub(super) fn on_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        let Packet { code, identifier, data } = *packet;
        match code {
            Code::ConfigureRequest => {
                let Ok(asked) = options(data) else { return };
                let (verdict, answer) = self.judge(&asked);
                let event = if verdict == Code::ConfigureAck { Event::RcrPlus } else { Event::RcrMinus };
                if verdict == Code::ConfigureAck {
                    self.options.granted(&asked);
                }
                let answer = if verdict == Code::ConfigureAck { data.to_vec() } else { answer };
                self.apply(now, event, Answer { configure: Some((verdict, identifier, answer)), ..Answer::default() });
            }
            // §5.2: identifier and options must match those of the last request; otherwise "silently discarded".
            Code::ConfigureAck if identifier == self.identifier && data == self.requested => {
                self.on_event(now, Event::Rca);
            }
            Code::ConfigureNak | Code::ConfigureReject if identifier == self.identifier => {
                let Ok(named) = options(data) else { return };
                for (kind, value) in named {
                    match code {
                        Code::ConfigureNak => self.options.suggested(kind, value),
                        _ => self.options.refused(kind),
                    }
                }
                self.on_event(now, Event::Rcn);
            }
            Code::TerminateRequest => {
                self.apply(now, Event::Rtr, Answer { terminate: Some(identifier), ..Answer::default() });
            }
            Code::TerminateAck => self.on_event(now, Event::Rta),
            Code::CodeReject => {
                // §5.6: the rejection of a code without which nothing works is catastrophic.
                let event = if data.first().is_some_and(|&c| c <= 7) { Event::RxjMinus } else { Event::RxjPlus };
                self.on_event(now, event);
            }
            Code::EchoRequest => {
                let echo = Some((identifier, data.to_vec()));
                self.apply(now, Event::Rxr, Answer { echo, ..Answer::default() });
            }
            Code::Unknown(_) => {
                self.apply(now, Event::Ruc, Answer { rejected: packet.build(), ..Answer::default() });
            }
            _ => {}
        }
    }

    /// Rejects first, then suggestions, as §5.4 demands.
    fn judge(&mut self, asked: &[(u8, &[u8])]) -> (Code, Vec<u8>) {
        let (mut naks, mut rejects) = (Vec::new(), Vec::new());
        for &(kind, value) in asked {
            match self.options.judge(kind, value) {
                Verdict::Acceptable => {}
                // §4.6, Max-Failure: "any further Configure-Nak packets for peer requested options are converted to
                // Configure-Reject packets".
                Verdict::Rather(_) if self.failures >= self.limits.max_failure => push(&mut rejects, kind, value),
                Verdict::Rather(better) => push(&mut naks, kind, &better),
                Verdict::Unacceptable => push(&mut rejects, kind, value),
            }
        }
        if !rejects.is_empty() {
            return (Code::ConfigureReject, rejects);
        }
        if !naks.is_empty() {
            self.failures += 1;
            return (Code::ConfigureNak, naks);
        }
        self.failures = 0;
        (Code::ConfigureAck, Vec::new())
    }

    fn apply(&mut self, now: Instant, event: Event, mut answer: Answer) {
        let (actions, next) = step(self.state, event);
        self.state = next;
        for action in actions {
            match action {
                Action::Tlu => self.signals.push_back(Signal::Up),
                Action::Tld => self.signals.push_back(Signal::Down),
                Action::Tls => self.signals.push_back(Signal::Started),
                Action::Tlf => self.signals.push_back(Signal::Finished),
                Action::Irc => {
                    let terminating = actions.contains(&Action::Str);
                    self.restart_count =
                        if terminating { self.limits.max_terminate } else { self.limits.max_configure };
                }
                Action::Zrc => {
                    self.restart_count = 0;
                    self.timer = Some(now + self.limits.restart);
                }
                Action::Scr => {
                    self.identifier = self.identifier.wrapping_add(1);
                    self.requested = self.options.request();
                    self.restart_count = self.restart_count.saturating_sub(1);
                    self.timer = Some(now + self.limits.restart);
                    self.push(Code::ConfigureRequest, self.identifier, &self.requested.clone());
                }
                Action::Sca | Action::Scn => {
                    if let Some((code, identifier, options)) = answer.configure.take() {
                        self.push(code, identifier, &options);
                    }
                }
                Action::Str => {
                    self.identifier = self.identifier.wrapping_add(1);
                    self.restart_count = self.restart_count.saturating_sub(1);
                    self.timer = Some(now + self.limits.restart);
                    self.push(Code::TerminateRequest, self.identifier, &[]);
                }
                Action::Sta => {
                    let identifier = answer.terminate.unwrap_or(self.identifier);
                    self.push(Code::TerminateAck, identifier, &[]);
                }
                Action::Scj => {
                    self.identifier = self.identifier.wrapping_add(1);
                    self.push(Code::CodeReject, self.identifier, &answer.rejected);
                }
                Action::Ser => {
                    if let Some((identifier, data)) = answer.echo.take() {
                        self.push(Code::EchoReply, identifier, &data);
                    }
                }
            }
        }
        // The restart timer runs in the states that wait for an answer, and no others.
        if !matches!(self.state, State::Closing | State::Stopping | State::ReqSent | State::AckRcvd | State::AckSent) {
            self.timer = None;
        }
    }

    fn push(&mut self, code: Code, identifier: u8, data: &[u8]) {
        self.packets.push_back(Packet { code, identifier, data }.build());
    }
}
