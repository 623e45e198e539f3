//! `chat`: says lines to another, who says lines back, over an ISO session: both at once, or in turns by the data token.

use core::pin::pin;
use core::time::Duration;
use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use futures_util::future::{Either, select};
use septet_core::{Instant, Metric, Storey};
use septet_session::spdu::{Setting, Tokens, Units};
use septet_session::spm::{Acceptance, Event, Misuse as Wrong, Proposal, Request};
use septet_session::{Config, Connection, Transmit};
use septet_socket::{BoxFuture, ListenOptions, NetExt, NetRef, TcpOptions, TcpStream};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::names::Names;
use super::session_line::{End, Line, PORT, State};
use super::{Context, Input, Lasts, Misuse, Needs, Program, Transport, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Chat;

impl Program for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn summary(&self) -> &'static str {
        "says lines to another and hears his, at once or in turns (ISO session)"
    }

    fn usage(&self) -> &'static str {
        "Usage: chat [options] <host>[:<port>]
       chat [options] -l
 -4, -6               Only to addresses of this version of IP
 --half-duplex        In turns: only who has the data token speaks
 -l                   Listen instead, for one other after another
 --line <text>        Say this, when it is this end's turn (repeat)
 --pause <time>       So long from one line of this end to the next (1s)
 -p, --port <port>    The port (1102)
 --quiet <time>       End when nothing was said for so long (5s), and the standard input has ended
Without --line it says the lines of its standard input: in a lab the text behind `<<<` at the end of the line.
"
    }

    fn reads_input(&self) -> bool {
        true
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(match options.host {
            Some(host) => Needs { hosts: vec![host], ..Needs::default() },
            // It waits until somebody calls.
            None => Needs { listens: Some((Transport::Tcp, options.port)), lasts: Lasts::Forever, ..Needs::default() },
        })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            let options = match Options::parse(&args) {
                Ok(options) => options,
                Err(e) => return complain(&context, "chat", &e, 2),
            };
            let said = Said::new(&context, &options);
            let ended = match &options.host {
                Some(host) => call(&context, &options, said, host).await,
                None => answer(&context, &options, said).await,
            };
            match ended {
                Ok(()) => 0,
                Err(why) => complain(&context, "chat", &why, 1),
            }
        })
    }
}

struct Options {
    host: Option<String>,
    port: u16,
    family: Family,
    half_duplex: bool,
    lines: VecDeque<String>,
    pause: Duration,
    quiet: Duration,
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    flag(' ', "half-duplex"),
    flag('l', ""),
    value(' ', "line"),
    value(' ', "pause"),
    value('p', "port"),
    value(' ', "quiet"),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            host: None,
            port: PORT,
            family: Family::Any,
            half_duplex: false,
            lines: VecDeque::new(),
            pause: Duration::from_secs(1),
            quiet: Duration::from_secs(5),
        };
        let mut listen = false;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.host.is_none() && !listen => {
                    let (host, port) = args::host_and_port(&word, options.port)?;
                    (options.host, options.port) = (Some(host), port);
                }
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) => match name.as_str() {
                    "half-duplex" => options.half_duplex = true,
                    "l" => listen = true,
                    other => options.family = args::family(other).unwrap_or(options.family),
                },
                Arg::Value(name, text) => match name.as_str() {
                    "line" => options.lines.push_back(text),
                    "pause" => options.pause = args::span("--pause", &text)?,
                    "quiet" => options.quiet = args::span("--quiet", &text)?,
                    _ => options.port = args::port("--port", &text)?,
                },
            }
            Ok(())
        })?;
        if options.host.is_none() != listen {
            return Err(ArgError::Missing("either a host or -l").into());
        }
        Ok(options)
    }

    fn units(&self) -> Units {
        if self.half_duplex { Units::HALF_DUPLEX } else { Units::DUPLEX }
    }
}

/// What this end has to say.
struct Said {
    lines: VecDeque<String>,
    /// Where further ones come from, until there are no more.
    typed: Option<Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>>,
}

impl Said {
    fn new(context: &Context, options: &Options) -> Self {
        let (mut lines, mut typed) = (options.lines.clone(), None);
        if lines.is_empty() {
            match context.console.input() {
                Input::Nothing => {}
                Input::Text(text) => lines.extend(text.lines().map(str::to_owned)),
                Input::Live(input) => typed = Some(BufReader::new(input).lines()),
            }
        }
        Self { lines, typed }
    }

    /// The next line that somebody types, which is asked for when those before it are said; none at the end of all.
    async fn next(&mut self) -> io::Result<Option<String>> {
        match &mut self.typed {
            Some(typed) if self.lines.is_empty() => typed.next_line().await,
            _ => core::future::pending().await,
        }
    }
}

async fn call(context: &Context, options: &Options, mut said: Said, host: &str) -> Result<(), String> {
    let names = Names::new(context.net.clone());
    let connected = names.connect(host, options.port, options.family, &TcpOptions::default()).await;
    let (stream, _) = connected.map_err(|e| io::Error::from(e).to_string())?;
    talk(context, options, &mut said, stream).await
}

/// Talks with one after another.
async fn answer(context: &Context, options: &Options, mut said: Said) -> Result<(), String> {
    let net = &context.net;
    let in_words = |e: io::Error| format!("port {}: {e}", options.port);
    let listener = net.listen(net.everywhere(options.port), ListenOptions::default()).map_err(in_words)?;
    let lines = said.lines.clone();
    loop {
        let (stream, _) = listener.accept().await.map_err(in_words)?;
        // What was given is said to each, what is typed to whoever is there.
        said.lines = lines.clone();
        if let Err(why) = talk(context, options, &mut said, stream).await {
            context.console.err(format!("chat: {why}\n").as_bytes());
        }
    }
}

impl End for Connection {
    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.receive(now, bytes);
    }

    fn closed(&mut self, now: Instant, why: &str) {
        self.closed(now, why);
    }

    fn poll_transmit(&mut self, _: Instant) -> Option<Transmit> {
        self.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn on_timeout(&mut self, now: Instant) {
        self.on_timeout(now);
    }
}

/// How long the other end may take to begin a session, or to agree to one.
const PATIENCE: Duration = Duration::from_secs(30);

/// A conversation.
struct Talk<'a> {
    context: &'a Context,
    connection: Connection,
    options: &'a Options,
    stands: bool,
    /// When this end may say its next line.
    due: Instant,
    /// When anything was said last.
    last: Instant,
    /// Since when this end has asked for the token.
    asked: Option<Instant>,
    /// The other end has asked for it.
    wanted: bool,
    ending: bool,
    ended: Option<Result<(), String>>,
}

async fn talk(context: &Context, options: &Options, said: &mut Said, stream: TcpStream) -> Result<(), String> {
    let net = &context.net;
    let begun = net.now();
    let mut talk = Talk {
        context,
        connection: Connection::new(Config::default()),
        options,
        stands: false,
        due: begun,
        last: begun,
        asked: None,
        wanted: false,
        ending: false,
        ended: None,
    };
    let mut line = Line::new(net, stream);
    if options.host.is_some() {
        let proposal = Proposal { units: options.units(), tokens: Setting::INITIATOR, ..Proposal::default() };
        talk.ask(Request::Connect(proposal)).map_err(|e| e.to_string())?;
    }
    loop {
        let until = talk.go_on(said).map_err(|e| e.to_string())?;
        let until = if talk.stands { until } else { Some(begun + PATIENCE) };
        let stepped = {
            let (step, typed) = (pin!(line.step(&mut talk.connection, until)), pin!(said.next()));
            match select(step, typed).await {
                Either::Left((state, _)) => Ok(state),
                Either::Right((typed, _)) => Err(typed),
            }
        };
        let state = match stepped {
            Ok(state) => state,
            Err(Ok(Some(text))) => {
                said.lines.push_back(text);
                continue;
            }
            // It ends like any that has nothing more to say.
            Err(Ok(None)) => {
                (said.typed, talk.last) = (None, net.now());
                continue;
            }
            Err(Err(e)) => return Err(format!("standard input: {e}")),
        };
        while let Some(event) = talk.connection.poll_event() {
            talk.hear(event).map_err(|e| e.to_string())?;
        }
        if state == State::Closed {
            return talk.ended.unwrap_or_else(|| Err("the connection ended within the conversation".to_owned()));
        }
        if !talk.stands && talk.ended.is_none() && net.now() >= begun + PATIENCE {
            return Err(format!("nobody spoke of a session within {} s", PATIENCE.as_secs()));
        }
    }
}

impl Talk<'_> {
    fn net(&self) -> &NetRef {
        &self.context.net
    }

    fn ask(&mut self, request: Request) -> Result<(), Wrong> {
        let now = self.net().now();
        self.connection.request(now, request)
    }

    fn has_token(&self) -> bool {
        !self.connection.session().units().has(Units::HALF_DUPLEX)
            || self.connection.session().tokens().has(Tokens::DATA)
    }

    /// Says what is due; when it is to be called again.
    fn go_on(&mut self, said: &mut Said) -> Result<Option<Instant>, Wrong> {
        let now = self.net().now();
        if !self.stands || self.ending {
            return Ok(None);
        }
        if !self.has_token() {
            let due = !said.lines.is_empty() && self.due <= now;
            match self.asked {
                None if due || self.is_over(now, said) => self.ask_for_token(now)?,
                // Who has it says nothing, and does not give it.
                Some(asked) if now >= self.last.max(asked) + self.options.quiet => {
                    self.ending = true;
                    self.ended = Some(Err(format!("the other end keeps the token, {:?} now", self.options.quiet)));
                    self.ask(Request::Abort(Bytes::new()))?;
                    return Ok(None);
                }
                _ => {}
            }
            return Ok(self.next(now, said));
        }
        if self.due <= now
            && let Some(text) = said.lines.pop_front()
        {
            self.say(now, &text)?;
        }
        if self.wanted {
            self.give(now)?;
        } else if self.is_over(now, said) {
            self.ending = true;
            self.ask(Request::Release(Bytes::new()))?;
            return Ok(None);
        }
        Ok(self.next(now, said))
    }

    /// When there will be something to do.
    fn next(&self, now: Instant, said: &Said) -> Option<Instant> {
        let at = match self.asked {
            Some(asked) => self.last.max(asked) + self.options.quiet,
            None if said.lines.is_empty() => self.last + self.options.quiet,
            None => self.due,
        };
        Some(at).filter(|at| *at > now)
    }

    /// Whether the one who called has nothing more to say, and nobody has said anything for long enough.
    fn is_over(&self, now: Instant, said: &Said) -> bool {
        let has_said_all = said.lines.is_empty() && said.typed.is_none();
        self.options.host.is_some() && has_said_all && now >= self.last + self.options.quiet
    }

    fn say(&mut self, now: Instant, text: &str) -> Result<(), Wrong> {
        self.ask(Request::Data(Bytes::copy_from_slice(text.as_bytes())))?;
        (self.last, self.due) = (now, now + self.options.pause);
        self.net().count("chat.said");
        self.net().trace(Storey::Session, "chat.said", |f| {
            f.set("text", text.to_owned());
        });
        self.context.console.out(format!("> {text}\n").as_bytes());
        Ok(())
    }

    fn ask_for_token(&mut self, now: Instant) -> Result<(), Wrong> {
        self.ask(Request::PleaseTokens(Tokens::DATA, Bytes::new()))?;
        self.asked = Some(now);
        self.net().trace(Storey::Session, "chat.token-asked", |_| {});
        self.context.console.out(b"  (asks for the token)\n");
        Ok(())
    }

    fn give(&mut self, now: Instant) -> Result<(), Wrong> {
        self.wanted = false;
        self.last = self.last.max(now);
        self.ask(Request::GiveTokens(Tokens::DATA))?;
        self.net().trace(Storey::Session, "chat.token-given", |_| {});
        self.context.console.out(b"  (gives the token)\n");
        Ok(())
    }

    fn hear(&mut self, event: Event) -> Result<(), Wrong> {
        let now = self.net().now();
        match event {
            Event::Connect(proposal) => {
                let both = proposal.units & (Units::HALF_DUPLEX | Units::DUPLEX);
                // Whoever listens takes what is proposed; of both, turns only where it was told so.
                let units = if both.has(Units::HALF_DUPLEX | Units::DUPLEX) { self.options.units() } else { both };
                self.ask(Request::Accept(Acceptance { units, ..Acceptance::default() }))?;
                self.begin(now, units);
            }
            Event::Accepted(acceptance) => self.begin(now, acceptance.units),
            Event::Data(text) => {
                self.last = now;
                self.net().count("chat.heard");
                let text = String::from_utf8_lossy(&text).into_owned();
                let shown: String = text.chars().filter(|c| !c.is_control()).collect();
                self.net().trace(Storey::Session, "chat.heard", |f| {
                    f.set("text", shown.clone());
                });
                self.context.console.out(format!("< {shown}\n").as_bytes());
            }
            Event::TokensAsked(..) => self.wanted = true,
            Event::TokensGiven(_) => {
                self.last = now;
                self.net().count("chat.token");
                if let Some(asked) = self.asked.take() {
                    self.net().observe("chat.waited", (now - asked).as_secs_f64());
                }
                self.net().trace(Storey::Session, "chat.token", |_| {});
                self.context.console.out(b"  (has the token)\n");
            }
            Event::Release(_) => {
                self.ending = true;
                self.ended = Some(Ok(()));
                self.ask(Request::ReleaseConfirm(Bytes::new()))?;
            }
            Event::Released(_) => self.ended = Some(Ok(())),
            Event::Refused(code, _) => self.ended = Some(Err(format!("the other end refused, code {code}"))),
            Event::UserAbort(_) => self.ended = Some(Err("the other end broke off".to_owned())),
            Event::ProviderAbort(why) => {
                self.ended.get_or_insert(Err(why));
            }
            // Units that were not agreed bring no others.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, now: Instant, units: Units) {
        self.stands = true;
        (self.due, self.last) = (now, now);
        let how = if units.has(Units::HALF_DUPLEX) { "in turns" } else { "both at once" };
        self.net().trace(Storey::Session, "chat.begun", |f| {
            f.set("how", how);
        });
        let token = if units.has(Units::DUPLEX) {
            ""
        } else if self.has_token() {
            "; the token is here"
        } else {
            "; the token is there"
        };
        self.context.console.out(format!("  ({how}{token})\n").as_bytes());
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("chat.said", "lines that `chat` said"),
    Metric::counter("chat.heard", "lines that it heard"),
    Metric::counter("chat.token", "times that the data token came to it"),
    Metric::times("chat.waited", "from asking for the data token to having it"),
];
