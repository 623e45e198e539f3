//! Sockets in the shape of `std::net`.

mod address;
mod listener;
mod stream;
mod udp;

pub use address::{ToAddresses, lookup_host};
pub(crate) use listener::Inner as ListenerInner;
pub use listener::{Incoming, ListenOptions, ReuseAddress, TcpListener};
pub use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
pub(crate) use stream::Inner as StreamInner;
pub use stream::TcpStream;
pub(crate) use udp::Inner as UdpInner;
pub use udp::UdpSocket;

use core::time::Duration;
use std::io;

use septet_posix::{Errno, Process, Reply, Request};

use crate::call;
use crate::descriptor::{Descriptor, Shared};

const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;
const SOCK_STREAM: i32 = 1;
const SOCK_DGRAM: i32 = 2;
const SOL_SOCKET: i32 = 1;
const SO_REUSEADDR: i32 = 2;
const SO_ERROR: i32 = 4;
const SO_BROADCAST: i32 = 6;
const SO_LINGER: i32 = 13;
const SO_RCVTIMEO: i32 = 20;
const SO_SNDTIMEO: i32 = 21;
const SOL_TCP: i32 = 6;
const TCP_NODELAY: i32 = 1;
const MSG_PEEK: i32 = 2;
const F_SETFL: i32 = 4;
const O_NONBLOCK: i32 = 0o4000;

/// The most of a datagram or of a stream that one call takes.
const MOST: usize = 1 << 20;

fn family(address: &SocketAddr) -> i32 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// Makes a socket and does with it what `then` does at each of the addresses, until it is done at one.
fn at_any<T>(addresses: &[SocketAddr], mut then: impl FnMut(&SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses");
    for address in addresses {
        match then(address) {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What several kinds of socket do alike on a simulated host.
impl Descriptor {
    fn open(process: &Shared, address: &SocketAddr, kind: i32) -> io::Result<Self> {
        process.socket(family(address), kind)
    }

    fn connect(&self, to: SocketAddr) -> io::Result<()> {
        self.perform(Request::Connect { fd: self.fd(), to: Some(to) }).map(drop)
    }

    fn perform(&self, request: Request) -> io::Result<Reply> {
        call::perform(self.process(), request)
    }

    /// Receives at most as much as `buf` takes; copies it there, and tells how much it was and who sent it.
    fn receive(&self, buf: &mut [u8], flags: i32) -> io::Result<(usize, Option<SocketAddr>)> {
        match self.perform(Request::Receive { fd: self.fd(), max: buf.len().min(MOST), flags })? {
            Reply::Data { data, from, .. } => {
                buf[..data.len()].copy_from_slice(&data);
                Ok((data.len(), from))
            }
            _ => Err(Errno::EINVAL.into()),
        }
    }

    fn send(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        let data = data[..data.len().min(MOST)].to_vec();
        match self.perform(Request::Send { fd: self.fd(), data, flags: 0, to })? {
            Reply::Number(sent) => Ok(sent as usize),
            _ => Err(Errno::EINVAL.into()),
        }
    }

    fn set(&self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        self.call("setsockopt", |process, fd| process.set_option(fd, level, name, value))
    }

    fn set_switch(&self, level: i32, name: i32, on: bool) -> io::Result<()> {
        self.set(level, name, &i32::from(on).to_le_bytes())
    }

    fn get(&self, level: i32, name: i32) -> io::Result<Vec<u8>> {
        self.call("getsockopt", |process, fd| process.get_option(fd, level, name))
    }

    fn get_number(&self, level: i32, name: i32) -> io::Result<i32> {
        let value = self.get(level, name)?;
        Ok(value.first_chunk::<4>().map_or(0, |four| i32::from_le_bytes(*four)))
    }

    /// `SO_ERROR`
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(match self.get_number(SOL_SOCKET, SO_ERROR)? {
            0 => None,
            number => Some(Errno(number).into()),
        })
    }

    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        self.call("fcntl", |process, fd| process.fcntl(fd, F_SETFL, if on { O_NONBLOCK } else { 0 })).map(drop)
    }

    fn set_timeout(&self, name: i32, time: Option<Duration>) -> io::Result<()> {
        if time.is_some_and(|time| time.is_zero()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a 0 duration timeout"));
        }
        let time = time.unwrap_or_default();
        // As the standard library has it, what is less than a microsecond is one.
        let micros = if time.is_zero() { 0 } else { time.subsec_micros().max(u32::from(time.as_secs() == 0)) };
        let mut value = time.as_secs().to_le_bytes().to_vec();
        value.extend(u64::from(micros).to_le_bytes());
        self.set(SOL_SOCKET, name, &value)
    }

    fn timeout(&self, name: i32) -> io::Result<Option<Duration>> {
        let value = self.get(SOL_SOCKET, name)?;
        let part = |at: usize| value.get(at..at + 8).and_then(|p| p.try_into().ok()).map_or(0, u64::from_le_bytes);
        let time = Duration::from_secs(part(0)) + Duration::from_micros(part(8));
        Ok((!time.is_zero()).then_some(time))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.call("getsockname", Process::local_addr)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.call("getpeername", Process::peer_addr)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => 0,
            Shutdown::Write => 1,
            Shutdown::Both => 2,
        };
        self.call("shutdown", |process, fd| process.shutdown(fd, how))
    }
}
