//! The clients: one thread asks over many connections, each of which has one question open at a time.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Protocol;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
const BUFFER: usize = 4096;

#[derive(Debug)]
pub(crate) struct Clients {
    poll: Poll,
    connections: Vec<Connection>,
    request: Vec<u8>,
    response: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// When it has asked, while an answer is to come.
    asked: Option<Instant>,
    /// Octets of the answer that have come.
    heard: usize,
}

/// What came of some questions.
#[derive(Debug)]
pub(crate) struct Answers {
    /// From the first question to the last answer.
    pub(crate) took: Duration,
    /// How long each took, the quickest first.
    pub(crate) times: Vec<Duration>,
}

impl Answers {
    /// The time within which this share of the answers came.
    pub(crate) fn within(&self, share: f64) -> Duration {
        let at = (self.times.len() as f64 * share).ceil() as usize;
        self.times.get(at.saturating_sub(1)).copied().unwrap_or_default()
    }
}

impl Clients {
    /// Opens so many connections to a port of this machine.
    pub(crate) fn connect(port: u16, count: usize, protocol: Protocol) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for at in 0..count {
            let stream = std::net::TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(at), Interest::READABLE)?;
            connections.push(Connection { stream, asked: None, heard: 0 });
        }
        Ok(Self { poll, connections, request: protocol.request(), response: protocol.response() })
    }

    /// Asks so many times over all connections together.
    pub(crate) fn ask(&mut self, total: usize) -> io::Result<Answers> {
        let start = Instant::now();
        let mut times = Vec::with_capacity(total);
        let mut left = total;
        for connection in &mut self.connections {
            if left > 0 {
                left -= 1;
                connection.ask(&self.request)?;
            }
        }
        let mut events = Events::with_capacity(1024);
        while times.len() < total {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            if events.is_empty() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}")));
            }
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                while let Some(took) = connection.hear(&self.response)? {
                    times.push(took);
                    if left == 0 {
                        break;
                    }
                    left -= 1;
                    connection.ask(&self.request)?;
                }
            }
        }
        let took = start.elapsed();
        times.sort_unstable();
        Ok(Answers { took, times })
    }
}

impl Connection {
    fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.asked = Some(Instant::now());
        self.heard = 0;
        // It is shorter than any buffer of the kernel, which is empty.
        self.stream.write_all(request)
    }

    /// Reads what there is; gives how long the answer took where it is whole now.
    fn hear(&mut self, response: &[u8]) -> io::Result<Option<Duration>> {
        let mut buffer = [0; BUFFER];
        loop {
            let len = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(e),
            };
            let Some(asked) = self.asked else { return Err(wrong("an answer to no question")) };
            if response.get(self.heard..self.heard + len) != Some(&buffer[..len]) {
                return Err(wrong("another answer than was asked for"));
            }
            self.heard += len;
            if self.heard == response.len() {
                self.asked = None;
                return Ok(Some(asked.elapsed()));
            }
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
