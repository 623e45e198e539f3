//! `iperf3`: measures how much goes through, speaking the original's control protocol.

mod client;
mod options;
mod protocol;
mod report;
mod server;
mod stream;

use core::fmt;
use septet_core::Metric;
use std::io;

use septet_core::Storey;
use septet_socket::{BoxFuture, NetExt};

use super::{Context, Lasts, Misuse, Needs, Program, Transport};
use options::{Options, SPECS, Side};

/// The program.
pub(super) struct Iperf3;

impl Program for Iperf3 {
    fn name(&self) -> &'static str {
        "iperf3"
    }

    fn summary(&self) -> &'static str {
        "measures throughput"
    }

    fn usage(&self) -> &'static str {
        "Usage: iperf3 -s [options]
       iperf3 -c <host> [options]
 -p, --port <port>       Port of the server (5201)
 -i, --interval <s>      Seconds between two reports (1); 0 for none
 -J, --json              Report as JSON
 -4, --version4          IPv4 only
 -6, --version6          IPv6 only
Server:
 -1, --one-off           End after one test
Client:
 -u, --udp               UDP instead of TCP
 -b, --bitrate <n>[KMG]  Bits a second (1M for UDP, unlimited for TCP)
 -t, --time <s>          Seconds to send for (10); 0 for ever
 -n, --bytes <n>[KMG]    Bytes to send, instead of -t
 -l, --length <n>[KMG]   Size of a block (128K for TCP, 1448 for UDP)
 -P, --parallel <n>      Streams at once
 -R, --reverse           The server sends
 -C, --congestion <name> Congestion controller
 -N, --no-delay          Send without waiting for a full segment
 -w, --window <n>[KMG]   Socket buffers
     --connect-timeout <ms>
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(match options.side {
            Side::Server => Needs {
                listens: Some((Transport::Tcp, options.port)),
                lasts: if options.one_off { Lasts::Ends } else { Lasts::Forever },
                ..Needs::default()
            },
            Side::Client(host) => Needs {
                hosts: vec![host],
                congestion: options.tcp.congestion.map(|name| name.to_string()),
                ..Needs::default()
            },
        })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            let options = match Options::parse(&args) {
                Ok(options) => options,
                Err(e) => {
                    context.console.err(format!("iperf3: parameter error - {e}\n").as_bytes());
                    return 1;
                }
            };
            let outcome = match &options.side {
                Side::Server => server::run(&context, &options).await,
                Side::Client(host) => client::run(&context, &options, host).await,
            };
            if let Err(e) = &outcome {
                context.net.trace(Storey::Application, "iperf3.failed", |f| {
                    if let Side::Client(host) = &options.side {
                        f.set("to", format!("{host}:{}", options.port));
                    }
                    f.set("why", e.to_string());
                });
            }
            match outcome {
                Ok(()) => 0,
                Err(e) if options.json => {
                    context.console.out(report::error_json(&e.to_string()).as_bytes());
                    // The original reports the error in the document and ends well.
                    0
                }
                Err(e) => {
                    context.console.err(format!("iperf3: error - {e}\n").as_bytes());
                    1
                }
            }
        })
    }
}

/// Why a test failed, in the original's words.
#[derive(Debug)]
enum TestError {
    Resolve(String),
    Connect(io::Error),
    Listen(io::Error),
    Stream(io::Error),
    Control(io::Error),
    Busy,
    Closed,
    ServerEnded,
    Server(i32),
    Nonsense(String),
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(why) => f.write_str(why),
            Self::Connect(e) => write!(f, "unable to connect to server: {e}"),
            Self::Listen(e) => write!(f, "unable to start listener for connections: {e}"),
            Self::Stream(e) => write!(f, "unable to connect stream: {e}"),
            Self::Control(e) => write!(f, "control socket failed: {e}"),
            Self::Busy => f.write_str("the server is busy running a test. try again later"),
            Self::Closed => f.write_str("control socket has closed unexpectedly"),
            Self::ServerEnded => f.write_str("the server has terminated"),
            Self::Server(code) => write!(f, "the server reports error {code}"),
            Self::Nonsense(what) => write!(f, "received an unknown control message: {what}"),
        }
    }
}

impl TestError {
    fn control(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Control(e),
        }
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::bytes("iperf3.sent", "bytes that a sender sent, in each interval"),
    Metric::bytes("iperf3.received", "bytes that a receiver received, in each interval"),
    Metric::rates("iperf3.bitrate", "once a test: the rate at the receiver"),
    Metric::times("iperf3.jitter", "once a test over UDP: the jitter"),
    Metric::counter("iperf3.lost", "once a test over UDP: the datagrams lost"),
    Metric::counter("iperf3.error", "streams that broke"),
];
