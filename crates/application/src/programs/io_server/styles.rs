//! The styles in which servers are written: straight code, as it would stand over the standard library.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};

use septet_face::net::{TcpListener, TcpStream};
use septet_face::poll::{Event, Interest, Poll, Trigger};
use septet_face::thread;
use septet_socket::{NetExt as _, NetRef};

use super::Options;

/// In which style a server is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// One thread, which serves one client until that goes.
    Blocking,
    /// A thread for each client.
    Threads,
    /// One thread, which asks each socket in turn whether it has anything.
    NonBlocking,
    /// One thread, which waits for all sockets at once.
    EventLoop,
}

/// The styles by name.
pub(super) const STYLES: &[(&str, Style)] = &[
    ("blocking", Style::Blocking),
    ("threads", Style::Threads),
    ("non-blocking", Style::NonBlocking),
    ("event-loop", Style::EventLoop),
];

/// Serves until the host goes.
pub(super) fn serve(net: &NetRef, options: &Options) -> io::Result<()> {
    let listener = TcpListener::bind(net.everywhere(options.port))?;
    match options.style {
        Style::Blocking => one_at_a_time(net, options, &listener),
        Style::Threads => a_thread_each(net, options, &listener),
        Style::NonBlocking => in_turn(net, options, &listener),
        Style::EventLoop => whoever_is_ready(net, options, &listener),
    }
}

fn accepted(net: &NetRef) {
    net.count("io.accepted");
}

/// Reads requests and answers them until the client goes; each call waits.
fn converse(net: &NetRef, options: &Options, mut stream: TcpStream) {
    let mut request = vec![0; options.size];
    loop {
        match stream.read_exact(&mut request) {
            Ok(()) => {}
            Err(end) if end.kind() == ErrorKind::UnexpectedEof => return,
            Err(_) => return broken(net),
        }
        work(options);
        if stream.write_all(&request).is_err() {
            return broken(net);
        }
        net.count("io.served");
    }
}

fn work(options: &Options) {
    if !options.work.is_zero() {
        thread::work(options.work);
    }
}

fn broken(net: &NetRef) {
    net.count("io.broken");
}

fn one_at_a_time(net: &NetRef, options: &Options, listener: &TcpListener) -> io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        accepted(net);
        converse(net, options, stream);
    }
    Ok(())
}

fn a_thread_each(net: &NetRef, options: &Options, listener: &TcpListener) -> io::Result<()> {
    for (number, stream) in (1..).zip(listener.incoming()) {
        let stream = stream?;
        accepted(net);
        let (net, options) = (net.clone(), options.clone());
        thread::Builder::new().name(format!("thread {number}")).spawn(move || converse(&net, &options, stream))?;
    }
    Ok(())
}

/// A client of a server that waits for none of them.
struct Client {
    stream: TcpStream,
    /// As much of a request as has come.
    request: Vec<u8>,
    got: usize,
    /// As much of its answer as has left.
    left: usize,
}

/// How far a client could be served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing was there, or there was no room.
    None,
    Some,
    /// It has gone.
    Gone,
}

impl Client {
    fn new(stream: TcpStream, options: &Options) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, request: vec![0; options.size], got: 0, left: 0 })
    }

    /// Does what can be done at once.
    fn serve(&mut self, net: &NetRef, options: &Options) -> Progress {
        let mut progress = Progress::None;
        loop {
            let all = self.request.len();
            let done = if self.got < all {
                (&self.stream).read(&mut self.request[self.got..])
            } else {
                (&self.stream).write(&self.request[self.left..])
            };
            match done {
                Ok(0) => return Progress::Gone,
                Ok(n) if self.got < all => {
                    self.got += n;
                    if self.got == all {
                        work(options);
                    }
                }
                Ok(n) => {
                    self.left += n;
                    if self.left == all {
                        (self.got, self.left) = (0, 0);
                        net.count("io.served");
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return progress,
                Err(_) => {
                    broken(net);
                    return Progress::Gone;
                }
            }
            progress = Progress::Some;
        }
    }
}

/// Asks every socket, and does something else for a while where none has anything.
fn in_turn(net: &NetRef, options: &Options, listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut clients: Vec<Client> = Vec::new();
    loop {
        let mut idle = true;
        match listener.accept() {
            Ok((stream, _)) => {
                accepted(net);
                clients.push(Client::new(stream, options)?);
                idle = false;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        clients.retain_mut(|client| {
            let progress = client.serve(net, options);
            idle &= progress == Progress::None;
            progress != Progress::Gone
        });
        if idle {
            thread::work(options.pause);
        }
    }
}

/// The listener's key; clients have those above.
const LISTENER: u64 = 0;

/// Waits for whatever is ready.
fn whoever_is_ready(net: &NetRef, options: &Options, listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let poll = Poll::new()?;
    poll.add(listener, LISTENER, Interest::Read, Trigger::Level)?;
    let mut clients: BTreeMap<u64, Client> = BTreeMap::new();
    let mut next = LISTENER;
    loop {
        for Event { key, .. } in poll.wait(256, None)? {
            if key != LISTENER {
                // Edges are told once: a client is served until it would block.
                if clients.get_mut(&key).is_some_and(|client| client.serve(net, options) == Progress::Gone) {
                    clients.remove(&key);
                }
                continue;
            }
            // All that wait are taken: one a turn would let a burst of clients wait for those that are served meanwhile.
            loop {
                match listener.accept() {
                    Ok((stream, _)) => {
                        accepted(net);
                        next += 1;
                        let client = Client::new(stream, options)?;
                        poll.add(&client.stream, next, Interest::Both, Trigger::Edge)?;
                        clients.insert(next, client);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
