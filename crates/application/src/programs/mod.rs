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
mod arrivals;
mod console;
mod curl;
mod dig;
mod gauge;
mod iperf3;
mod names;
mod pace;
mod ping;
mod tcp_echo;
mod tcp_send;
mod tcp_sink;
mod traceroute;
mod udp_echo;
mod udp_send;
mod udp_sink;
mod words;

use core::fmt;
use std::sync::Arc;

use septet_core::Storey;
use septet_presentation::ca::TrustStore;
use septet_socket::{BoxFuture, NetExt, NetRef};

pub use console::{Captured, Console, Discard};
pub use words::{Unclosed, split};

/// Every program.
pub static PROGRAMS: &[&dyn Program] = &[
    &curl::Curl,
    &dig::Dig,
    &iperf3::Iperf3,
    &ping::Ping,
    &tcp_echo::TcpEcho,
    &tcp_send::TcpSend,
    &tcp_sink::TcpSink,
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

    /// Runs with the arguments after its name, and gives its exit status.
    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8>;
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
        let Some(program) = find(&name) else {
            context.console.err(format!("{name}: command not found\n").as_bytes());
            return 127;
        };
        let net = context.net.clone();
        let begun = net.now();
        net.trace(Storey::Application, "program.start", |f| {
            f.set("command", line.clone());
        });
        let help = command.iter().any(|a| a == "--help");
        let code = if help {
            context.console.out(program.usage().as_bytes());
            0
        } else {
            program.run(context, command).await
        };
        net.observe(&format!("program.{name}.exit"), code.into());
        net.trace(Storey::Application, "program.exit", |f| {
            f.set("command", line).set("status", code).set("took", net.now() - begun);
        });
        code
    })
}
