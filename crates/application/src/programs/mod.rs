//! The client programs: each in a file of its own and on one line of the table.
//!
//! They take the flags of the originals and print in the originals' shape, and they count what they see in the host's
//! recorder under names that `docs/metrics.md` lists.
//!
//! ```
//! use septet_application::programs;
//! assert!(programs::find("curl").is_some());
//! assert_eq!(programs::split("curl -H 'Host: a' b").unwrap(), ["curl", "-H", "Host: a", "b"]);
//! ```

mod args;
mod arping;
mod arpspoof;
mod arrivals;
mod chat;
mod conntrack;
mod console;
mod curl;
mod dhclient;
mod dig;
mod dns_forge;
mod eavesdrop;
mod gauge;
mod hop;
mod io_client;
mod io_server;
mod ip;
mod iperf3;
mod keys_receive;
mod keys_send;
mod mtr;
mod names;
mod nc;
mod nft;
mod octets;
mod pace;
mod ping;
mod receive;
mod send;
mod session_line;
mod stream;
mod syn;
mod tcp_echo;
mod tcp_send;
mod tcp_sink;
mod text_receive;
mod text_send;
mod tracepath;
mod traceroute;
mod udp_echo;
mod udp_send;
mod udp_sink;
mod words;

use core::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use septet_core::{Metric, Storey};
use septet_presentation::ca::TrustStore;
use septet_session::transfer::{Files, Source};
use septet_socket::{BoxFuture, NetExt, NetRef};

pub use console::{Captured, Console, Discard, Input};
pub use words::{Unclosed, split};

/// Every program.
pub static PROGRAMS: &[&dyn Program] = &[
    &arping::Arping,
    &arpspoof::Arpspoof,
    &chat::Chat,
    &conntrack::Conntrack,
    &curl::Curl,
    &dhclient::Dhclient,
    &dig::Dig,
    &dns_forge::DnsForge,
    &eavesdrop::Eavesdrop,
    &io_client::IoClient,
    &io_server::IoServer,
    &ip::Ip,
    &iperf3::Iperf3,
    &keys_receive::KeysReceive,
    &keys_send::KeysSend,
    &mtr::Mtr,
    &nc::Nc,
    &nft::Nft,
    &ping::Ping,
    &receive::Receive,
    &send::Send,
    &stream::Stream,
    &tcp_echo::TcpEcho,
    &tcp_send::TcpSend,
    &tcp_sink::TcpSink,
    &text_receive::TextReceive,
    &text_send::TextSend,
    &tracepath::Tracepath,
    &traceroute::Traceroute,
    &udp_echo::UdpEcho,
    &udp_send::UdpSend,
    &udp_sink::UdpSink,
];

/// A client program.
pub trait Program: Send + Sync {
    /// What it is called on a command line.
    fn name(&self) -> &'static str;

    /// What it does, in a few words.
    fn summary(&self) -> &'static str;

    /// Its arguments, as `--help` prints them.
    fn usage(&self) -> &'static str;

    /// What it records, beside what looking names up does.
    fn metrics(&self) -> &'static [Metric];

    /// Reads the arguments after its name without running, and tells what it will ask of its host.
    ///
    /// # Errors
    /// What is wrong with them, as [`run`](Self::run) would say when it is too late.
    fn check(&self, args: &[String]) -> Result<Needs, Misuse>;

    /// Whether it reads standard input: only then `<<<` means something behind it.
    fn reads_input(&self) -> bool {
        false
    }

    /// Runs with the arguments after its name, and gives its exit status.
    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8>;
}

/// What a program asks of its host and its network.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Needs {
    /// The port that it takes for itself.
    pub listens: Option<(Transport, u16)>,
    /// Whether it ends by itself.
    pub lasts: Lasts,
    /// The hosts that it is to reach, by name or address.
    pub hosts: Vec<String>,
    /// The name of a congestion controller.
    pub congestion: Option<String>,
    /// The files that hold the certificate that it shows, and the key.
    pub certificates: Vec<String>,
}

/// Whether a program ends by itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Lasts {
    /// It does.
    #[default]
    Ends,
    /// It serves until its host goes.
    Forever,
}

/// Whose ports are meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Transport {
    /// TCP's.
    Tcp,
    /// UDP's.
    Udp,
}

/// What is wrong with a program's arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misuse {
    /// Which argument, counted from zero; none where something is missing.
    pub place: Option<usize>,
    /// What, in words.
    pub reason: String,
    /// The options that there are, where the argument is one that there is not.
    pub options: Vec<String>,
}

impl Misuse {
    fn of<E: fmt::Display>(wrong: &args::At<E>, options: Vec<String>) -> Self {
        Self { place: wrong.place, reason: wrong.to_string(), options }
    }

    /// What is wrong with arguments that are read by the table `specs`.
    fn by(wrong: &args::At<args::ArgError>, specs: &[args::Spec]) -> Self {
        Self::of(wrong, if wrong.error.unknown().is_some() { args::written(specs) } else { Vec::new() })
    }
}

impl fmt::Debug for dyn Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a program runs in.
#[derive(Clone)]
pub struct Context {
    /// The network of its host.
    pub net: NetRef,
    /// Where its output goes.
    pub console: Arc<dyn Console>,
    /// Whose certificates it believes where the command line names none.
    pub trust: TrustStore,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("host", &self.net.hostname()).finish_non_exhaustive()
    }
}

/// What running any program records.
pub const METRICS: &[Metric] = &[Metric::counter("program.*.exit", "exit statuses of programs: `program.curl.exit`")];

/// The program called `name`.
pub fn find(name: &str) -> Option<&'static dyn Program> {
    crate::http::prime();
    PROGRAMS.iter().copied().find(|p| p.name() == name)
}

/// Says on standard error what went wrong, and gives the exit status back.
fn complain(context: &Context, program: &str, what: &dyn fmt::Display, code: u8) -> u8 {
    context.console.err(format!("{program}: {what}\n").as_bytes());
    code
}

/// Takes what stands behind `<<<` off the end of a program's arguments: as a shell does, it becomes the standard input, with an
/// end of line.
///
/// # Errors
/// Where the program reads none, where no text follows, or where something follows that.
pub fn take_input(program: &dyn Program, args: &mut Vec<String>) -> Result<Option<String>, Misuse> {
    const HERE: &str = "<<<";
    let Some(at) = args.iter().position(|word| word.starts_with(HERE)) else { return Ok(None) };
    let misuse = |place, reason: String| Misuse { place, reason, options: Vec::new() };
    if !program.reads_input() {
        return Err(misuse(Some(at), "reads no standard input".to_owned()));
    }
    let (text, len) = match (&args[at][HERE.len()..], args.get(at + 1)) {
        ("", Some(text)) => (text.clone(), 2),
        ("", None) => return Err(misuse(None, "a text is missing behind `<<<`".to_owned())),
        (text, _) => (text.to_owned(), 1),
    };
    if at + len < args.len() {
        return Err(misuse(Some(at + len), "`<<<` and its text come last".to_owned()));
    }
    args.truncate(at);
    Ok(Some(text + "\n"))
}

/// A console that remembers the last complaint, why a program failed, and has the input that stood on the command line.
struct Heard {
    console: Arc<dyn Console>,
    input: Option<String>,
    last: Mutex<Vec<u8>>,
}

impl Heard {
    /// The most of a line that is remembered.
    const MOST: usize = 400;

    fn last(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (!last.is_empty()).then(|| String::from_utf8_lossy(&last).trim().to_owned())
    }
}

impl Console for Heard {
    fn out(&self, bytes: &[u8]) {
        self.console.out(bytes);
    }

    fn err(&self, bytes: &[u8]) {
        let line = bytes.trim_ascii_end().rsplit(|b| *b == b'\n').next().unwrap_or_default();
        if !line.is_empty() {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.clear();
            last.extend_from_slice(&line[..line.len().min(Self::MOST)]);
        }
        self.console.err(bytes);
    }

    fn input(&self) -> Input {
        self.input.clone().map_or_else(|| self.console.input(), Input::Text)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn io::Write + Send>> {
        self.console.create(path)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.console.read(path)
    }

    fn directory(&self, path: &str) -> io::Result<Arc<dyn Files>> {
        self.console.directory(path)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Source>> {
        self.console.open(path)
    }

    fn columns(&self) -> Option<u16> {
        self.console.columns()
    }
}

/// Runs a command: its first word names the program. The trace hears of the start and the end.
///
/// As in a shell, 127 is the exit status where there is no such program.
pub fn launch(context: Context, mut command: Vec<String>) -> BoxFuture<'static, u8> {
    Box::pin(async move {
        let line = command.join(" ");
        if command.is_empty() {
            return 0;
        }
        let name = command.remove(0);
        let program = find(&name);
        let input = program.map_or(Ok(None), |program| take_input(program, &mut command));
        let (input, refused) = match input {
            Ok(input) => (input, None),
            Err(misuse) => (None, Some(misuse.reason)),
        };
        let heard = Arc::new(Heard { console: context.console.clone(), input, last: Mutex::default() });
        let context = Context { console: heard.clone(), ..context };
        let net = context.net.clone();
        let begun = net.now();
        net.trace(Storey::Application, "program.start", |f| {
            f.set("command", line.clone());
        });
        let help = command.iter().any(|a| a == "--help");
        let code = match program {
            None => {
                context.console.err(format!("{name}: command not found\n").as_bytes());
                127
            }
            Some(_) if refused.is_some() && !help => complain(&context, &name, &refused.unwrap_or_default(), 2),
            Some(program) if help => {
                context.console.out(program.usage().as_bytes());
                0
            }
            Some(program) => program.run(context, command).await,
        };
        net.observe(&format!("program.{name}.exit"), code.into());
        net.trace(Storey::Application, "program.exit", |f| {
            f.set("command", line).set("status", code).set("took", net.now() - begun);
            if code != 0
                && let Some(why) = heard.last()
            {
                f.set("why", why);
            }
        });
        code
    })
}
