//! One thread that waits for all connections at once: epoll names those that are ready.

use std::collections::HashMap;
use std::io;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use super::pending::{Life, Pending};
use crate::Protocol;

const LISTENER: Token = Token(0);
/// How many that are ready are heard of at once.
const EVENTS: usize = 1024;

pub(super) fn serve(listener: std::net::TcpListener, protocol: Protocol) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut events, mut connections, mut next) = (Events::with_capacity(EVENTS), HashMap::new(), LISTENER.0);
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() != LISTENER {
                // Edge-triggered: what is ready is read until nothing is left.
                let over = |c: &mut Pending<_>| c.visit() == Life::Over;
                if connections.get_mut(&event.token()).is_some_and(over) {
                    connections.remove(&event.token());
                }
                continue;
            }
            loop {
                let mut stream = match listener.accept() {
                    Ok((stream, _)) => stream,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                };
                stream.set_nodelay(true)?;
                next += 1;
                poll.registry().register(&mut stream, Token(next), Interest::READABLE | Interest::WRITABLE)?;
                connections.insert(Token(next), Pending::new(stream, protocol));
            }
        }
    }
}
