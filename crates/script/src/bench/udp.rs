//! UDP sockets on the bench, and what a host does with a datagram that nobody takes.

use std::net::{IpAddr, SocketAddr};

use septet_core::{DropReason, EventId, Frame};
use septet_transport::udp::{self, Error, Meta, SocketId};

use super::ip::Arrival;
use super::socket::{AF_INET, Object, POLLIN, POLLOUT};
use super::{Bench, Errno, Fd};

/// A UDP socket.
#[derive(Debug)]
pub(super) struct UdpSocket {
    family: i32,
    /// Absent until it is bound, connected or sends.
    id: Option<SocketId>,
}

impl From<Error> for Errno {
    fn from(error: Error) -> Self {
        Self(error.errno())
    }
}

impl UdpSocket {
    pub(super) fn new(family: i32) -> Self {
        Self { family, id: None }
    }

    fn unspecified(&self) -> SocketAddr {
        let ip = if self.family == AF_INET { IpAddr::from([0; 4]) } else { IpAddr::from([0u16; 8]) };
        SocketAddr::new(ip, 0)
    }
}

impl Bench {
    fn udp_socket(&mut self, fd: Fd) -> Result<&mut UdpSocket, Errno> {
        match self.object_mut(fd)? {
            Object::Udp(socket) => Ok(socket),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// The socket at its ephemeral port, where it has none yet.
    fn udp_id(&mut self, fd: Fd) -> Result<SocketId, Errno> {
        let socket = self.udp_socket(fd)?;
        if let Some(id) = socket.id {
            return Ok(id);
        }
        let unspecified = socket.unspecified();
        self.bind_udp(fd, unspecified)?;
        self.udp_socket(fd)?.id.ok_or(Errno::EBADF)
    }

    pub(super) fn bind_udp(&mut self, fd: Fd, address: SocketAddr) -> Result<(), Errno> {
        if self.udp_socket(fd)?.id.is_some() {
            return Err(Errno::EINVAL);
        }
        let id = self.udp.bind(address, &mut self.udp_ports)?;
        self.udp_socket(fd)?.id = Some(id);
        Ok(())
    }

    pub(super) fn connect_udp(&mut self, fd: Fd, to: Option<SocketAddr>) -> Result<(), Errno> {
        let to = to.ok_or(Errno::EINVAL)?;
        let id = self.udp_id(fd)?;
        let source = self.local_for(to.ip());
        Ok(self.udp.connect(id, to, source)?)
    }

    pub(super) fn close_udp(&mut self, socket: &UdpSocket) {
        if let Some(id) = socket.id {
            // A socket that was just taken from its descriptor is there.
            let _ = self.udp.close(id);
        }
    }

    pub(super) fn send_udp(&mut self, fd: Fd, data: &[u8], to: Option<SocketAddr>) -> Result<usize, Errno> {
        let id = self.udp_id(fd)?;
        let (local4, local6) = (self.local4, self.local6);
        let way = |dst: IpAddr, bound: Option<IpAddr>| match bound {
            Some(bound) => Ok::<_, Error>(bound),
            None => Ok(if dst.is_ipv4() { local4 } else { local6 }),
        };
        let sent = self.udp.send(id, data, to, way, EventId::NONE, &mut self.trace)?;
        let udp::Transmit { src, dst, ecn, frame, .. } = sent;
        self.send(frame, src, dst, udp::wire::PROTOCOL, ecn.bits());
        self.udp.sent(id, data.len())?;
        Ok(data.len())
    }

    /// The next datagram, as much of it as fits; `None` where there is none.
    pub(super) fn receive_from_udp(&mut self, fd: Fd, max: usize) -> Option<Result<Vec<u8>, Errno>> {
        let id = match self.udp_id(fd) {
            Ok(id) => id,
            Err(errno) => return Some(Err(errno)),
        };
        match self.udp.recv(id) {
            Ok(received) => {
                let bytes = received.frame.bytes();
                Some(Ok(bytes[..bytes.len().min(max)].to_vec()))
            }
            Err(Error::WouldBlock) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    pub(super) fn take_udp_error(&mut self, fd: Fd) -> i32 {
        let id = self.udp_socket(fd).ok().and_then(|s| s.id);
        id.and_then(|id| self.udp.take_error(id).ok().flatten()).map_or(0, |e| e.errno())
    }

    pub(super) fn udp_addr(&mut self, fd: Fd) -> Result<SocketAddr, Errno> {
        let socket = self.udp_socket(fd)?;
        let unspecified = socket.unspecified();
        let id = socket.id;
        Ok(id.and_then(|id| self.udp.local_addr(id).ok()).unwrap_or(unspecified))
    }

    pub(super) fn udp_events(&self, socket: &UdpSocket) -> i16 {
        let Some(id) = socket.id else { return POLLOUT };
        let mut events = POLLOUT;
        if self.udp.is_readable(id).unwrap_or(false) {
            events |= POLLIN;
        }
        events
    }

    pub(super) fn receive_udp(&mut self, arrival: Arrival) {
        let Arrival { src, dst, ecn, ttl, frame, .. } = arrival;
        let meta = Meta { src, dst, cast: udp::Cast::Unicast, ecn, ttl };
        if let Err(udp::Refused { why: DropReason::NoSocket, frame }) = self.udp.receive(&meta, frame, &mut self.trace)
            && !dst.is_multicast()
        {
            // RFC 1122 §4.1.3.1: "If a datagram arrives addressed to a UDP port for which there is no pending LISTEN call,
            // UDP SHOULD send an ICMP Port Unreachable message."
            self.send_unreachable(src, dst, &quote(&frame, src, dst, ttl));
        }
    }

    fn send_unreachable(&mut self, to: IpAddr, from: IpAddr, quoted: &[u8]) {
        let mut frame = Frame::new(Frame::HEADROOM, quoted);
        let (kind, code, protocol) = if to.is_ipv4() { (3, 3, 1) } else { (1, 4, 58) };
        frame.push(8).copy_from_slice(&[kind, code, 0, 0, 0, 0, 0, 0]);
        let mut sum = septet_core::checksum::Sum::new().bytes(frame.bytes());
        if let (IpAddr::V6(from), IpAddr::V6(to)) = (from, to) {
            sum = sum.bytes(&from.octets()).bytes(&to.octets()).word(58).dword(frame.len() as u32);
        }
        frame.header_mut(8)[2..4].copy_from_slice(&sum.finish().to_be_bytes());
        self.send(frame, from, to, protocol, 0);
    }
}

/// The datagram with its IP header, as an ICMP error quotes it: as much as keeps the error within 576 octets (RFC 1812
/// §4.3.2.3), or within 1280 (RFC 4443 §2.4).
fn quote(datagram: &Frame, src: IpAddr, dst: IpAddr, ttl: u8) -> Vec<u8> {
    let mut whole = Frame::new(Frame::HEADROOM, datagram.bytes());
    super::ip::depart(&mut whole, &super::ip::Departure { src, dst, protocol: 17, tos: 0, ttl, id: 0 });
    let most = if src.is_ipv4() { 576 - 28 } else { 1280 - 48 };
    whole.truncate(most);
    whole.bytes().to_vec()
}
