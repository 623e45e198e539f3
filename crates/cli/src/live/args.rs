//! The command line of what puts a lab on the wall clock.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use septet_live::ForwardSpec;

use super::frame::dns::Dns;
use super::frame::flags::Flags;
use super::frame::http::Http;
use crate::report::StoryLength;

#[derive(Debug, Subcommand)]
pub(crate) enum LiveCommand {
    /// Put a lab on the wall clock, and let real programs into it
    Up(UpArgs),
    /// Run a program on a host of a running lab: a built-in one, or a real one in the host's place
    Exec(ExecArgs),
    /// Run a built-in program on this machine's own network
    Program {
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
        argv: Vec<String>,
    },
    /// Send a file so that it arrives whole and once, however often the connection breaks
    Send {
        /// The file, the host that runs `septet receive`, and options: `septet send -- --help` has them
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "FILE HOST[:PORT]")]
        argv: Vec<String>,
    },
    /// Take files from `septet send` into a directory
    Receive {
        /// The directory, and options: `septet receive -- --help` has them
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "DIR")]
        argv: Vec<String>,
    },
    /// Say lines to another and hear his, at once or in turns
    Chat {
        /// The host, or -l to listen, and options: `septet chat -- --help` has them
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "HOST[:PORT]|-l")]
        argv: Vec<String>,
    },
    /// Let a fault happen in a running lab, now
    Fault(FaultArgs),
    /// Undo a fault of a running lab
    Undo(UndoArgs),
    /// Open a port forward into a running lab
    Forward(ForwardArgs),
    /// Say how a running lab is, or which labs run
    Status(StatusArgs),
    /// End a running lab
    Stop(StopArgs),
    /// Serve HTTP and more on this machine's sockets, or by our own TCP/IP straight on a TAP interface
    Serve(Box<ServeArgs>),
    /// Maps the users and groups of a namespace from outside
    #[command(name = "__map", hide = true)]
    Map { pid: u32 },
    /// The first process of a namespace
    #[command(name = "__init", hide = true)]
    Init {
        #[arg(last = true)]
        argv: Vec<String>,
    },
}

impl LiveCommand {
    /// The command line of the built-in program that it runs on this machine's own network, where it is one.
    pub(crate) fn program(&self) -> Option<Vec<String>> {
        let (name, argv) = match self {
            Self::Program { argv } => return Some(argv.clone()),
            Self::Send { argv } => ("send", argv),
            Self::Receive { argv } => ("receive", argv),
            Self::Chat { argv } => ("chat", argv),
            _ => return None,
        };
        Some(core::iter::once(name.to_owned()).chain(argv.iter().cloned()).collect())
    }
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The lab file
    pub(crate) lab: PathBuf,
    /// Keep what comes out in this directory: ca.pem at once; summary.json, metrics.csv and the lab at the end
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Let programs of this machine reach a host of the lab (repeat)
    #[arg(short, long, value_name = "[tcp:|udp:][ADDR:]PORT:HOST:PORT[@FROM]")]
    pub(crate) forward: Vec<ForwardSpec>,
    /// Let a TAP interface of this machine take the place of a host (repeat); needs CAP_NET_ADMIN
    #[arg(long, value_name = "HOST=IF", value_parser = tap)]
    pub(crate) tap: Vec<(String, String)>,
    /// What the other commands call this lab, instead of the lab's own name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The seed of every random stream, instead of the lab's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// When it ends, instead of the lab's `stop`: a time as `90s`, or `never`
    #[arg(long, value_name = "TIME")]
    pub(crate) stop: Option<String>,
    /// End with exit code 4 at the first event that is later than this, as `20ms`: the machine does not keep up
    #[arg(long, value_name = "TIME", value_parser = max_lag)]
    pub(crate) max_lag: Option<Duration>,
    /// Keep every packet in DIR/trace.pcapng and every event in DIR/events too, of all ports or of these; each packet where
    /// it is first seen, or with `all` at each port that it passes
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', num_args = 0.., require_equals = true, requires = "output")]
    pub(crate) capture: Option<Vec<String>>,
    /// How much is told while it runs
    #[arg(long, value_enum, default_value_t = StoryLength::None)]
    pub(crate) story: StoryLength,
    /// Print nothing but what goes wrong
    #[arg(short, long, conflicts_with = "story")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The lab; not needed where only one runs
    #[arg(long)]
    pub(crate) lab: Option<String>,
    /// Take the real program where a built-in one has the same name
    #[arg(long)]
    pub(crate) real: bool,
    /// The host
    pub(crate) host: String,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) argv: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FaultArgs {
    /// The lab
    pub(crate) lab: String,
    /// In the words of `[faults] script`, without a time: "loss 5% on r1--r2"
    pub(crate) fault: String,
}

#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The lab
    pub(crate) lab: String,
    /// The number that `septet fault` printed
    pub(crate) id: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ForwardArgs {
    /// The lab
    pub(crate) lab: String,
    /// As for `septet up --forward`
    #[arg(value_name = "[tcp:|udp:][ADDR:]PORT:HOST:PORT[@FROM]")]
    pub(crate) forward: ForwardSpec,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The lab; without it all that run are listed
    pub(crate) lab: Option<String>,
    /// Print one JSON object a lab instead of words
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// The lab
    pub(crate) lab: String,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub(crate) service: Option<ServiceCommand>,
    #[command(flatten)]
    pub(crate) frame: FrameArgs,
    #[command(flatten)]
    pub(crate) tap: TapArgs,
    /// Serve on this machine's own sockets: what `--config` does where no `--tap` is given
    #[arg(long, requires = "config", conflicts_with = "tap")]
    pub(crate) sockets: bool,
    /// Serve a small page over HTTP on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) http: Option<u16>,
    /// Take bytes and drop them on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) sink: Option<u16>,
    /// Give bytes for as long as the other side takes them on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) source: Option<u16>,
    /// Send back what comes on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) echo: Option<u16>,
    /// Connect to a sink and give it bytes
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) send: Option<SocketAddr>,
    /// How many bytes `--source` and `--send` give before they close
    #[arg(long, value_name = "N")]
    pub(crate) bytes: Option<u64>,
}

/// What `septet serve` asks of every service.
#[derive(Debug, Args)]
pub(crate) struct FrameArgs {
    /// Serve what the tables of this file say, by the keys of services in lab files: [http], [dns], [balancer]
    #[arg(long, value_name = "FILE", visible_alias = "services")]
    pub(crate) config: Option<PathBuf>,
    /// Look for mistakes, and serve nothing: exit code 3 where there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// How what happens is told on stderr, an event a line
    #[arg(long, value_enum, default_value_t = LogForm::Text, value_name = "FORM")]
    pub(crate) log: LogForm,
    /// Tell everything that the services note, too
    #[arg(long)]
    pub(crate) log_all: bool,
    /// Tell Prometheus what is counted, at http://ADDR:PORT/metrics
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Become this user when everything is open that needs root
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// How long connections may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = septet_lab::parse_time)]
    pub(crate) grace: Duration,
    /// Write the certificate that clients of the TLS services must trust, which have no certificate of their own, into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// How events are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum LogForm {
    /// A time, a word for how grave it is, the event, and `name=value`
    Text,
    /// A JSON object
    Json,
}

/// Our own TCP/IP on a TAP interface.
#[derive(Debug, Args)]
pub(crate) struct TapArgs {
    /// The TAP interface, made where it is missing (septet0)
    #[arg(long, value_name = "IF")]
    pub(crate) tap: Option<String>,
    /// Our address and the bits of its prefix
    #[arg(long, default_value = "10.7.7.2/24", value_name = "ADDR/BITS")]
    pub(crate) address: septet_network::Cidr,
    /// The address that the kernel gets on the interface; none: it is configured already
    #[arg(long, value_name = "ADDR")]
    pub(crate) kernel: Option<IpAddr>,
    /// Our default gateway
    #[arg(long, value_name = "ADDR")]
    pub(crate) gateway: Option<IpAddr>,
    /// A name server to ask, and the next one where it does not answer
    #[arg(long, value_name = "ADDR")]
    pub(crate) name_server: Vec<IpAddr>,
    /// The largest packet
    #[arg(long, default_value_t = 1500)]
    pub(crate) mtu: u32,
    /// Leave checksums and segmentation to nobody: plain frames of one MTU
    #[arg(long)]
    pub(crate) plain: bool,
    /// The congestion controller
    #[arg(long, value_name = "NAME")]
    pub(crate) congestion: Option<String>,
}

/// One service, by flags or by a file: a line and a file of `frame/` each.
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Serve files and pages over HTTP
    Http(ServiceArgs<Http>),
    /// Answer for zones, and keep copies of others'
    Dns(ServiceArgs<Dns>),
}

impl ServiceCommand {
    pub(crate) fn parts(&self) -> (&dyn Flags, &FrameArgs, &TapArgs) {
        match self {
            Self::Http(args) => args.parts(),
            Self::Dns(args) => args.parts(),
        }
    }
}

/// The flags of a service, and those of all.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs<F: Args> {
    #[command(flatten)]
    flags: F,
    #[command(flatten)]
    frame: FrameArgs,
    #[command(flatten)]
    tap: TapArgs,
}

impl<F: Args + Flags> ServiceArgs<F> {
    fn parts(&self) -> (&dyn Flags, &FrameArgs, &TapArgs) {
        (&self.flags, &self.frame, &self.tap)
    }
}

fn tap(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((host, interface)) if !host.is_empty() && !interface.is_empty() => {
            Ok((host.to_owned(), interface.to_owned()))
        }
        _ => Err("expected HOST=IF, as in web1=tap0".to_owned()),
    }
}

/// Later than this is no question of accuracy any more.
const LATEST: Duration = Duration::from_secs(60);

fn max_lag(text: &str) -> Result<Duration, String> {
    let lag = septet_lab::parse_time(text)?;
    if lag.is_zero() {
        return Err("every event is a little late; expected more than nought, as in 20ms".to_owned());
    }
    if lag > LATEST {
        return Err(format!("expected {} s at most, as in 20ms", LATEST.as_secs()));
    }
    Ok(lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_that_means_nothing_is_refused() {
        assert_eq!(max_lag("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(max_lag("60s"), Ok(LATEST));
        for text in ["0s", "0ms", "61s", "1000h", "20", "-1ms", "never", "", "99999999999999999999s"] {
            assert!(max_lag(text).is_err(), "{text}");
        }
    }
}
