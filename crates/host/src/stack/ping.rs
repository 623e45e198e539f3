//! ICMP echo sockets, as Linux's ping sockets: the identifier is theirs as a port would be.

use core::task::{Context, Poll};
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;

use hashbrown::HashMap;
use septet_core::{Checksums, FixedState, Frame, Rng, Trace};
use septet_network::Iface;
use septet_network::icmp::{self, HEADER_LEN, Message};
use septet_network::icmpv6;
use septet_network::ip::{DEFAULT_TTL, DontFragment, Report, are_options_valid};
use septet_network::ipv4::{self, protocol};
use septet_socket::{Broadcast, EchoReply, IpOptions, MtuDiscovery, Unreached};

use super::errors::switched_off;
use super::inbox::Inbox;
use super::slots::{SlotId, Slots};

/// The largest echo payload.
const fn max_payload(to: IpAddr) -> usize {
    match to {
        // The length of IPv4 counts its header, that of IPv6 does not.
        IpAddr::V4(_) => 65_535 - 20 - HEADER_LEN,
        IpAddr::V6(_) => 65_535 - HEADER_LEN,
    }
}

#[derive(Debug)]
struct Socket {
    ident: u16,
    sending: Sending,
    /// Replies and errors.
    inbox: Inbox<EchoReply>,
}

/// How a socket sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) dont_fragment: DontFragment,
    /// The address that requests come from, where it was set.
    pub(crate) source: Option<IpAddr>,
    /// The interface that they leave by, where it was set.
    pub(crate) by: Option<Iface>,
    pub(crate) options: IpOptions,
    pub(crate) broadcast: Broadcast,
}

/// With Linux's defaults.
const SENDING: Sending = Sending {
    ttl: DEFAULT_TTL,
    tos: 0,
    dont_fragment: DontFragment::IfItFits,
    source: None,
    by: None,
    options: IpOptions::NONE,
    broadcast: Broadcast::Denied,
};

/// All ICMP echo sockets of one host.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    sockets: Slots<Socket>,
    idents: Option<Box<Idents>>,
}

/// Whose an identifier is.
#[derive(Debug, Default)]
struct Idents(HashMap<u16, SlotId, FixedState>);

impl Pings {
    pub(crate) fn open(&mut self, rng: &mut Rng) -> io::Result<SlotId> {
        let start = rng.next_u32() as u16;
        let idents = &mut self.idents.get_or_insert_default().0;
        let ident = (0..=u16::MAX).map(|i| start.wrapping_add(i)).find(|i| *i != 0 && !idents.contains_key(i));
        let ident = ident.ok_or(io::ErrorKind::AddrInUse)?;
        let socket = Socket { ident, sending: SENDING, inbox: Inbox::default() };
        let id = self.sockets.insert(socket);
        idents.insert(ident, id);
        Ok(id)
    }

    /// Closes all sockets. Who waits for one from outside of the host finds it gone.
    pub(crate) fn wipe(&mut self) {
        self.sockets.iter_mut().for_each(|socket| socket.inbox.wake());
        self.sockets.clear();
        self.idents = None;
    }

    pub(crate) fn close(&mut self, id: SlotId) {
        if let (Some(socket), Some(idents)) = (self.sockets.remove(id), &mut self.idents) {
            idents.0.remove(&socket.ident);
        }
    }

    pub(crate) fn set_ttl(&mut self, id: SlotId, ttl: u8) -> io::Result<()> {
        if ttl == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.sending_mut(id)?.ttl = ttl;
        Ok(())
    }

    pub(crate) fn set_tos(&mut self, id: SlotId, tos: u8) -> io::Result<()> {
        self.sending_mut(id)?.tos = tos;
        Ok(())
    }

    pub(crate) fn set_source(&mut self, id: SlotId, source: IpAddr) -> io::Result<()> {
        self.sending_mut(id)?.source = Some(source);
        Ok(())
    }

    pub(crate) fn set_device(&mut self, id: SlotId, by: Iface) -> io::Result<()> {
        self.sending_mut(id)?.by = Some(by);
        Ok(())
    }

    pub(crate) fn set_options(&mut self, id: SlotId, options: IpOptions) -> io::Result<()> {
        if !are_options_valid(options.octets()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.sending_mut(id)?.options = options;
        Ok(())
    }

    pub(crate) fn set_broadcast(&mut self, id: SlotId, broadcast: Broadcast) -> io::Result<()> {
        self.sending_mut(id)?.broadcast = broadcast;
        Ok(())
    }

    pub(crate) fn ident(&self, id: SlotId) -> io::Result<u16> {
        Ok(self.sockets.get(id).ok_or_else(switched_off)?.ident)
    }

    /// How it sends.
    pub(crate) fn sending(&self, id: SlotId) -> io::Result<Sending> {
        Ok(self.sockets.get(id).ok_or_else(switched_off)?.sending)
    }

    fn sending_mut(&mut self, id: SlotId) -> io::Result<&mut Sending> {
        Ok(&mut self.sockets.get_mut(id).ok_or_else(switched_off)?.sending)
    }

    pub(crate) fn set_mtu_discovery(&mut self, id: SlotId, discovery: MtuDiscovery) -> io::Result<()> {
        self.sending_mut(id)?.dont_fragment = match discovery {
            MtuDiscovery::Dont => DontFragment::No,
            MtuDiscovery::Want => DontFragment::IfItFits,
            MtuDiscovery::Do => DontFragment::Yes,
        };
        Ok(())
    }

    /// Builds an echo request from an address to another.
    pub(crate) fn request(
        &self,
        id: SlotId,
        (src, dst): (IpAddr, IpAddr),
        seq: u16,
        payload: &[u8],
    ) -> io::Result<Frame> {
        let socket = self.sockets.get(id).ok_or_else(switched_off)?;
        if payload.len() > max_payload(dst) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut frame = Frame::new(Frame::HEADROOM, payload);
        let rest = u32::from(socket.ident) << 16 | u32::from(seq);
        match (src, dst) {
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let message = Message { icmp_type: icmpv6::kind::ECHO, code: 0, rest };
                icmpv6::push(&message, &mut frame, src, dst);
            }
            _ => Message { icmp_type: icmp::kind::ECHO, code: 0, rest }.push(&mut frame),
        }
        frame.checksums = Checksums::Good;
        Ok(frame)
    }

    pub(crate) fn poll_receive(
        &mut self,
        cx: &Context<'_>,
        id: SlotId,
        buf: &mut [u8],
        trace: &mut Trace,
    ) -> Poll<io::Result<EchoReply>> {
        let Some(socket) = self.sockets.get_mut(id) else { return Poll::Ready(Err(switched_off())) };
        socket.inbox.poll_take(cx, buf, trace).map(|(reply, _)| Ok(reply))
    }

    /// An echo came back.
    pub(crate) fn reply(&mut self, ident: u16, (from, seq, ttl): (IpAddr, u16, u8), header_len: usize, data: Frame) {
        let (len, options) = (data.len(), options_of(from, header_len, &data));
        self.give(ident, EchoReply::Reply { from, seq, ttl, len, options }, data);
    }

    /// An error about a request came.
    pub(crate) fn error(&mut self, report: &Report) {
        let Ok(quoted) = Message::parse(report.quote.bytes()) else { return };
        let echo = if report.protocol == protocol::ICMPV6 { icmpv6::kind::ECHO } else { icmp::kind::ECHO };
        if quoted.icmp_type != echo {
            return;
        }
        let Report { reporter, dst, trouble, .. } = *report;
        let error = Unreached { reporter, destination: SocketAddr::new(dst, 0), trouble };
        let mut nothing = Frame::empty(0);
        nothing.cause = report.quote.cause;
        self.give(quoted.ident(), EchoReply::Error { seq: quoted.seq(), error }, nothing);
    }

    fn give(&mut self, ident: u16, reply: EchoReply, data: Frame) {
        let id = self.idents.as_ref().and_then(|idents| idents.0.get(&ident));
        let Some(socket) = id.and_then(|id| self.sockets.get_mut(*id)) else { return };
        socket.inbox.put(reply, data);
    }
}

/// The options in the header before an echo reply's data.
fn options_of(from: IpAddr, header_len: usize, data: &Frame) -> IpOptions {
    if from.is_ipv6() || header_len == ipv4::HEADER_LEN {
        return IpOptions::NONE;
    }
    let mut packet = data.clone();
    packet.unpull(HEADER_LEN + header_len);
    IpOptions::new(&packet.bytes()[ipv4::HEADER_LEN..header_len]).unwrap_or(IpOptions::NONE)
}
