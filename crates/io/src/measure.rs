//! Measures a style: a server in a process of its own, so many connections to it, so many requests.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::client::Clients;
use crate::outcome::{Figures, Outcome};
use crate::server::Usage;
use crate::{Protocol, Style, limits};

/// What is measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Numbers of connections.
    pub connections: Vec<usize>,
    /// Requests over all connections of a measurement together, two over each at least.
    pub requests: usize,
}

/// Measures every style with every protocol at all numbers of connections, and hands each outcome on as soon as it is known. `server`
/// gives the command that runs [`serve`](crate::serve).
///
/// What the machine does not allow is an outcome too, and the others are measured all the same.
pub fn measure(plan: &Plan, server: impl Fn(&Style, Protocol) -> io::Result<Command>, mut each: impl FnMut(Outcome)) {
    for protocol in Protocol::ALL {
        for style in crate::STYLES {
            for &connections in &plan.connections {
                let requests = plan.requests.max(2 * connections);
                let figures = server(style, protocol)
                    .and_then(|command| one(command, protocol, connections, requests))
                    .map_err(|e| e.to_string());
                each(Outcome { style: style.name, protocol, connections, requests, figures });
            }
        }
    }
}

fn one(command: Command, protocol: Protocol, connections: usize, requests: usize) -> io::Result<Figures> {
    let room = limits::raise()?;
    if connections as u64 > room {
        let why = format!("a process may have descriptors for {room} connections here (RLIMIT_NOFILE)");
        return Err(io::Error::other(why));
    }
    let mut server = Server::start(command)?;
    let asked = Clients::connect(server.port, connections, protocol).and_then(|mut clients| {
        // Every connection is accepted and known before anything counts.
        clients.ask(connections)?;
        let before = server.usage()?;
        let answers = clients.ask(requests)?;
        Ok((before, answers, server.usage()?))
    });
    let (before, answers, after) = asked.map_err(|e| server.why(e))?;
    let (median, p99) = (answers.within(0.5), answers.within(0.99));
    Ok(Figures {
        took: answers.took,
        cpu: after.cpu.saturating_sub(before.cpu),
        voluntary: after.voluntary.saturating_sub(before.voluntary),
        involuntary: after.involuntary.saturating_sub(before.involuntary),
        rss: after.rss,
        median,
        p99,
    })
}

/// A server's process, which ends with this.
#[derive(Debug)]
struct Server {
    process: Child,
    out: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(mut command: Command) -> io::Result<Self> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = piped.spawn()?;
        let out = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut server = Self { process, out: BufReader::new(out), port: 0 };
        let line = server.line();
        server.port = line.and_then(|line| line.parse().map_err(io::Error::other)).map_err(|e| server.why(e))?;
        Ok(server)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.out.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim().to_owned()),
        }
    }

    fn usage(&mut self) -> io::Result<Usage> {
        let input = self.process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(b"\n")?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// What went wrong, in the words of the server where it has ended.
    fn why(&mut self, error: io::Error) -> io::Error {
        // An error of its own ends it at once; one that still runs has nothing to say.
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            return error;
        }
        let mut said = String::new();
        let read = self.process.stderr.take().map(|mut err| err.read_to_string(&mut said));
        match said.lines().last() {
            Some(line) if matches!(read, Some(Ok(_))) => io::Error::other(line.to_owned()),
            _ => error,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
