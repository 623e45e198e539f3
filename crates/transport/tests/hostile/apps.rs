//! The applications at both ends: what they write is a known stream, so that what is read can be held against it.

use std::net::SocketAddr;
use std::time::Duration;

use septet_core::synthetic;
use septet_transport::tcp::{
    Cork, Error, Follows, Keepalive, Linger, Nodelay, Options, Quickack, Shutdown, SocketId, SocketOption, State,
    controller_names,
};

use super::input::Input;
use super::{Hostile, Lies};

/// What one socket may write in a run, in bytes.
const MOST: u64 = 300_000;
/// How many sockets an end may open.
const SOCKETS: usize = 6;

/// The stream that end `end` writes begins here in the synthetic one: the two differ.
fn origin(end: usize) -> u64 {
    [0, 4099][end]
}

/// A socket and what its application knows of it.
pub(crate) struct App {
    pub(crate) id: SocketId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) written: u64,
    pub(crate) read: u64,
    pub(crate) eof: bool,
    pub(crate) shut: bool,
    /// Reading was shut: what still comes is nobody's.
    pub(crate) deaf: bool,
    pub(crate) error: Option<Error>,
}

impl App {
    fn new(id: SocketId, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { id, local, remote, written: 0, read: 0, eof: false, shut: false, deaf: false, error: None }
    }

    /// Both directions have ended, or an error says why not.
    pub(crate) fn is_through(&self) -> bool {
        self.error.is_some() || (self.shut && (self.eof || self.deaf))
    }
}

/// Options that a socket starts with.
pub(crate) fn options(input: &mut Input<'_>) -> Options {
    let mut options = Options::default();
    let bits = input.byte();
    if bits & 1 != 0 {
        options.nodelay = Nodelay::On;
    }
    if bits & 2 != 0 {
        options.receive_buffer = Some(1 << (8 + input.byte() % 12));
    }
    if bits & 4 != 0 {
        options.send_buffer = Some(1 << (8 + input.byte() % 12));
    }
    if bits & 8 != 0 {
        options.max_segment = Some(input.word() % 32_768);
    }
    if bits & 16 != 0 {
        options.window_clamp = Some(u32::from(input.word()));
    }
    if bits & 32 != 0 {
        options.user_timeout = Some(Duration::from_millis(u64::from(input.word())));
    }
    if bits & 64 != 0 {
        options.keepalive = Keepalive::On;
        options.keep_idle = Some(Duration::from_secs(u64::from(input.byte())));
        options.keep_interval = Some(Duration::from_millis(u64::from(input.word())));
        options.keep_count = Some(input.byte());
    }
    if bits & 128 != 0 {
        let names: Vec<_> = controller_names().collect();
        options.congestion = input.index(names.len()).map(|i| names[i].into());
    }
    options
}

impl Hostile {
    pub(crate) fn connect(&mut self, end: usize, to: SocketAddr, port: u16, input: &mut Input<'_>) {
        let options = options(input);
        if self.apps[end].len() >= SOCKETS {
            return;
        }
        let from = SocketAddr::new(self.addr[end].ip(), port);
        if let Ok(id) = self.ends[end].connect(self.now, from, to, self.mtu, &options, &mut self.trace) {
            let local = self.ends[end].local_addr(id).unwrap();
            self.apps[end].push(App::new(id, local, to));
        }
        self.flush();
    }

    /// A simultaneous open.
    pub(crate) fn connect_both(&mut self, input: &mut Input<'_>) {
        let ports = [1001, 1002];
        for end in 0..2 {
            self.connect(end, SocketAddr::new(self.addr[1 - end].ip(), ports[1 - end]), ports[end], input);
        }
    }

    pub(crate) fn accept(&mut self, end: usize) {
        if let Ok((id, remote)) = self.ends[end].accept(self.listeners[end]) {
            let local = self.ends[end].local_addr(id).unwrap();
            self.apps[end].push(App::new(id, local, remote));
        }
    }

    pub(crate) fn accept_all(&mut self) {
        for end in 0..2 {
            self.accept(end);
        }
    }

    pub(crate) fn write(&mut self, end: usize, input: &mut Input<'_>) {
        let Some(i) = input.index(self.apps[end].len()) else { return };
        let app = &mut self.apps[end][i];
        let how = input.byte();
        let want = match how & 3 {
            0 => u64::from(input.byte()),
            1 => u64::from(input.word()),
            2 => 1,
            _ => 20_000,
        };
        let want = want.min(MOST - app.written);
        let mut bytes = vec![0; want as usize];
        synthetic::fill(origin(end) + app.written, &mut bytes);
        let (now, id, trace, endpoint) = (self.now, app.id, &mut self.trace, &mut self.ends[end]);
        let done = match how >> 2 & 3 {
            0 => endpoint.write(now, id, &bytes, trace).map(|n| n as u64),
            1 => endpoint
                .write_with(now, id, &bytes, [Follows::More, Follows::Record][usize::from(how >> 4 & 1)], trace)
                .map(|n| n as u64),
            2 => endpoint.write_bytes(now, id, bytes.into(), trace).map(|n| n as u64),
            _ => endpoint.write_synthetic(now, id, origin(end) + app.written, want, trace),
        };
        match done {
            Ok(n) => {
                assert!(n <= want, "{n} bytes written of {want}");
                app.written += n;
            }
            Err(Error::WouldBlock | Error::NotConnected) => {}
            Err(Error::BrokenPipe) if app.shut => {}
            Err(e) => app.error = app.error.or(Some(e)),
        }
        self.flush();
    }

    pub(crate) fn read(&mut self, end: usize, input: &mut Input<'_>) {
        let Some(i) = input.index(self.apps[end].len()) else { return };
        let how = input.byte();
        self.read_some(end, i, how, usize::from(how) * 100);
        self.flush();
    }

    /// Whether there was something.
    fn read_some(&mut self, end: usize, i: usize, how: u8, most: usize) -> bool {
        let app = &mut self.apps[end][i];
        let (now, id, trace, endpoint) = (self.now, app.id, &mut self.trace, &mut self.ends[end]);
        let mut buf = vec![0; most];
        let result = match how & 3 {
            0 => endpoint.discard(now, id, most, trace).map(|n| (n, None)),
            1 => endpoint
                .take_frame(now, id, trace)
                .map(|f| f.map_or((0, None), |f| (f.len(), Some(f.bytes().to_vec())))),
            2 => {
                let peeked = endpoint.peek(id, &mut buf[..most / 2]).map(|n| buf[..n].to_vec());
                peeked.and_then(|peeked| {
                    let n = endpoint.read(now, id, &mut buf, trace)?;
                    assert!(buf[..n].starts_with(&peeked), "what was peeked at is not what is read");
                    Ok((n, Some(buf[..n].to_vec())))
                })
            }
            _ => endpoint.read(now, id, &mut buf, trace).map(|n| (n, Some(buf[..n].to_vec()))),
        };
        match result {
            Ok((0, _)) => {
                // An empty read says nothing but of a stream that has ended.
                app.eof |= most > 0 && !app.deaf;
                false
            }
            Ok((n, bytes)) => {
                assert!(!app.eof || app.deaf || self.lies == Lies::OfContent, "{n} bytes behind the end of the stream");
                if let Some(bytes) = bytes
                    && self.lies < Lies::OfContent
                {
                    let at = origin(1 - end) + app.read;
                    assert!(
                        synthetic::matches(at, &bytes),
                        "end {end} reads bytes that are not those written, at {}",
                        app.read
                    );
                }
                app.read += n as u64;
                true
            }
            Err(Error::WouldBlock | Error::NotConnected) => false,
            Err(e) => {
                app.error = app.error.or(Some(e));
                false
            }
        }
    }

    pub(crate) fn read_all(&mut self) {
        for end in 0..2 {
            for i in 0..self.apps[end].len() {
                while self.read_some(end, i, 3, 16_384) {}
                if let Ok(Some(e)) = self.ends[end].take_error(self.apps[end][i].id) {
                    self.apps[end][i].error.get_or_insert(e);
                }
            }
        }
        self.flush();
    }

    pub(crate) fn shut_all(&mut self) {
        for end in 0..2 {
            for app in self.apps[end].iter_mut().filter(|a| !a.shut && a.error.is_none()) {
                let uncork = SocketOption::Cork(Cork::Off);
                let _ = self.ends[end].set_option(self.now, app.id, uncork, &mut self.trace);
                app.shut = self.ends[end].shutdown(self.now, app.id, Shutdown::Write, &mut self.trace).is_ok();
            }
        }
        self.flush();
    }

    pub(crate) fn shutdown(&mut self, end: usize, input: &mut Input<'_>) {
        let Some(i) = input.index(self.apps[end].len()) else { return };
        let app = &mut self.apps[end][i];
        let how = [Shutdown::Read, Shutdown::Write, Shutdown::Both, Shutdown::Write][usize::from(input.byte() & 3)];
        if self.ends[end].shutdown(self.now, app.id, how, &mut self.trace).is_ok() {
            app.deaf |= how != Shutdown::Write;
            app.shut |= how != Shutdown::Read;
        }
        self.flush();
    }

    /// The application lets go, gently or not; the peer's is on its own then.
    pub(crate) fn close(&mut self, end: usize, input: &mut Input<'_>) {
        let Some(i) = input.index(self.apps[end].len()) else { return };
        let app = self.apps[end].remove(i);
        let how = input.byte();
        self.lies = self.lies.max(Lies::OfProgress);
        let _ = match how & 3 {
            0 => self.ends[end].abort(self.now, app.id, &mut self.trace),
            1 => {
                let linger = SocketOption::Linger(Linger::Reset);
                let _ = self.ends[end].set_option(self.now, app.id, linger, &mut self.trace);
                self.ends[end].close(self.now, app.id, &mut self.trace)
            }
            _ => self.ends[end].close(self.now, app.id, &mut self.trace),
        };
        self.flush();
    }

    pub(crate) fn set_option(&mut self, end: usize, input: &mut Input<'_>) {
        let Some(i) = input.index(self.apps[end].len()) else { return };
        let id = self.apps[end][i].id;
        let names: Vec<_> = controller_names().collect();
        let option = match input.byte() % 16 {
            0 => SocketOption::Congestion(names[input.index(names.len()).unwrap_or(0)].into()),
            1 => SocketOption::Nodelay([Nodelay::Off, Nodelay::On][usize::from(input.byte() & 1)]),
            2 => SocketOption::Cork([Cork::On, Cork::Off][usize::from(input.byte() & 1)]),
            3 => SocketOption::SendBuffer(usize::from(input.word())),
            4 => SocketOption::ReceiveBuffer(usize::from(input.word())),
            5 => {
                let times = [
                    SocketOption::KeepIdle(Duration::from_secs(u64::from(input.byte()))),
                    SocketOption::KeepInterval(Duration::from_millis(u64::from(input.word()))),
                    SocketOption::KeepCount(input.byte()),
                ];
                // Of what makes no sense nothing is set.
                if times.iter().any(|option| option.check().is_err()) {
                    return;
                }
                for option in times {
                    let _ = self.ends[end].set_option(self.now, id, option, &mut self.trace);
                }
                SocketOption::Keepalive(Keepalive::On)
            }
            6 => SocketOption::Keepalive(Keepalive::Off),
            7 => SocketOption::UserTimeout(Duration::from_millis(u64::from(input.word()))),
            8 => SocketOption::Linger(Linger::Background),
            9 => SocketOption::Quickack([Quickack::On, Quickack::Off][usize::from(input.byte() & 1)]),
            10 => SocketOption::MaxSegment(input.word()),
            11 => SocketOption::Linger2(Duration::from_millis(u64::from(input.word()))),
            12 => SocketOption::WindowClamp(u32::from(input.word())),
            13 => SocketOption::NotsentLowat(u32::from(input.word())),
            14 => SocketOption::ReceiveLowat(u32::from(input.word())),
            _ => SocketOption::MaxPacingRate(10_000 * (1 + u64::from(input.word()))),
        };
        let _ = self.ends[end].set_option(self.now, id, option, &mut self.trace);
        self.flush();
    }

    /// The socket at the other end, unless the same addresses were used more than once.
    fn peer(&self, end: usize, app: &App) -> Option<&App> {
        let own = self.apps[end].iter().filter(|a| a.local == app.local && a.remote == app.remote).count();
        let mut peers = self.apps[1 - end].iter().filter(|p| p.local == app.remote && p.remote == app.local);
        peers.next().filter(|_| own == 1 && peers.next().is_none())
    }

    /// The verdict on a socket after an hour of good weather, and its end.
    pub(crate) fn finish(&mut self, end: usize, n: usize) {
        let app = &self.apps[end][n];
        let state = self.ends[end].state(app.id);
        if self.lies == Lies::None && app.error.is_none() {
            let peer = self.peer(end, app);
            // A peer that gives up by its user timeout tells nobody; whoever has had his FIN acknowledged before has
            // nothing to send that would find out: a half-open connection of RFC 9293 §3.5.1.
            let is_half_open = state == Ok(State::FinWait2) && peer.is_some_and(|p| p.error == Some(Error::TimedOut));
            // Without reassembly and timestamps hardly a segment gives an RTT, and the timeout may stay at two minutes.
            assert!(
                self.ends.iter().any(|e| !e.config().reassembly)
                    || app.is_through()
                    || is_half_open
                    || matches!(state, Ok(State::Closed)),
                "end {end}: neither an end nor an error after an hour: {state:?}, read {}, {:#?}",
                app.read,
                self.ends[end].connection(app.id)
            );
            if let Some(peer) = peer
                && app.eof
                && peer.error.is_none()
                && peer.shut
            {
                assert_eq!(app.read, peer.written, "end {end}: bytes read and written, without an error");
            }
        }
        let id = app.id;
        let _ = self.ends[end].close(self.now, id, &mut self.trace);
        self.flush();
    }
}
