//! `io-server`: answers requests over TCP in one of the styles in which servers are written, on blocking or non-blocking
//! sockets.

mod styles;

use core::time::Duration;
use std::sync::LazyLock;

use septet_core::Metric;
use septet_socket::{BoxFuture, cpu};

use super::args::{self, Arg, ArgError, At, Spec, value};
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

use styles::{STYLES, Style};

/// The program.
pub(super) struct IoServer;

impl Program for IoServer {
    fn name(&self) -> &'static str {
        "io-server"
    }

    fn summary(&self) -> &'static str {
        "answers requests of io-client: blocking, a thread a client, non-blocking, or with an event loop"
    }

    fn usage(&self) -> &'static str {
        "Usage: io-server [options] <port>
 --style <style>       blocking (one client at a time), threads (a thread for each client), non-blocking (asks each
                       socket in turn), event-loop (waits for all of them at once) (blocking)
 --size <bytes>        The size of a request and of its answer (64)
 --work <time>         What a request takes to be answered, on a core of the host (0)
 --pause <time>        non-blocking: the other work that is done where no socket has anything (1ms)
"
    }

    fn metrics(&self) -> &'static [Metric] {
        static ALL: LazyLock<Vec<Metric>> = LazyLock::new(|| [METRICS, septet_face::METRICS, cpu::METRICS].concat());
        &ALL
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs { listens: Some((Transport::Tcp, options.port)), lasts: Lasts::Forever, ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            let options = match Options::parse(&args) {
                Ok(options) => options,
                Err(e) => return complain(&context, "io-server", &e, 2),
            };
            let net = context.net.clone();
            let server = septet_face::start(&context.net, "io-server", move || styles::serve(&net, &options));
            let ended = match server {
                Ok(server) => server.await,
                Err(e) => return complain(&context, "io-server", &e, 1),
            };
            match ended {
                Ok(Ok(())) => 0,
                Ok(Err(e)) => complain(&context, "io-server", &e, 1),
                Err(failure) => complain(&context, "io-server", &failure, 101),
            }
        })
    }
}

#[derive(Clone)]
struct Options {
    port: u16,
    style: Style,
    size: usize,
    work: Duration,
    pause: Duration,
}

const SPECS: &[Spec] = &[value(' ', "style"), value(' ', "size"), value(' ', "work"), value(' ', "pause")];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let (mut port, mut style, mut size) = (None, Style::Blocking, 64);
        let (mut work, mut pause) = (Duration::ZERO, Duration::from_millis(1));
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if port.is_none() => port = Some(args::port("port", &word)?),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(_) => {}
                Arg::Value(name, text) => match name.as_str() {
                    "style" => {
                        let found = STYLES.iter().find(|(name, _)| *name == text);
                        style = found.map(|(_, style)| *style).ok_or_else(|| {
                            args::bad("--style", &text, "blocking, threads, non-blocking or event-loop")
                        })?;
                    }
                    "size" => size = args::buffer("--size", &text)?,
                    "work" => work = args::duration("--work", &text)?,
                    _ => pause = args::span("--pause", &text)?,
                },
            }
            Ok(())
        })?;
        let port = port.ok_or(ArgError::Missing("the port"))?;
        Ok(Self { port, style, size, work, pause })
    }
}

/// What it records beside its calls.
const METRICS: &[Metric] = &[
    Metric::counter("io.accepted", "connections that `io-server` took"),
    Metric::counter("io.served", "requests that `io-server` answered"),
    Metric::counter("io.broken", "connections of `io-server` and `io-client` that broke"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_that_there_is_not_is_refused_in_place() {
        let check = |line: &str| IoServer.check(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(check("--style event-loop 80").unwrap().listens, Some((Transport::Tcp, 80)));
        let wrong = check("80 --style async").unwrap_err();
        assert!(wrong.reason.contains("event-loop"), "{wrong:?}");
        assert!(check("80 --size 0").is_err());
        assert!(check("80 --pause 0").is_err());
        assert!(check("").is_err());
    }
}
