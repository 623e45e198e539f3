//! Packet sockets: what a program hears and says on a link below storey 3.

use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::io;

use septet_core::{Checksums, Frame, Trace};
use septet_datalink::ethernet::{EtherType, Header, MacAddr};
use septet_network::Iface;
use septet_socket::Taken;

use super::errors::switched_off;
use super::inbox::Inbox;
use super::slots::{SlotId, Slots};

/// What a socket hears of its link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hears {
    /// What the card takes for its host.
    Own,
    /// What is between others too.
    All,
}

#[derive(Debug)]
struct Socket {
    iface: Iface,
    protocol: EtherType,
    hears: Hears,
    inbox: Inbox<Header>,
}

/// All packet sockets of one host.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    sockets: Slots<Socket>,
    open: u32,
    outgoing: Option<Box<Outgoing>>,
}

/// What waits to leave.
#[derive(Debug, Default)]
struct Outgoing(VecDeque<(Iface, MacAddr, EtherType, Frame)>);

impl Packets {
    pub(crate) fn open(&mut self, iface: Iface, protocol: EtherType, hears: Hears) -> SlotId {
        self.open += 1;
        self.sockets.insert(Socket { iface, protocol, hears, inbox: Inbox::default() })
    }

    pub(crate) fn close(&mut self, id: SlotId) {
        self.open -= u32::from(self.sockets.remove(id).is_some());
    }

    /// Closes all sockets. Who waits for one from outside of the host finds it gone.
    pub(crate) fn wipe(&mut self) {
        self.sockets.iter_mut().for_each(|socket| socket.inbox.wake());
        self.sockets.clear();
        self.outgoing = None;
        self.open = 0;
    }

    /// Whether there is any socket.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Gives a packet to all sockets that it is for: `frame` begins behind the link header.
    pub(crate) fn take(&mut self, iface: Iface, header: &Header, frame: &Frame) {
        for socket in self.sockets.iter_mut() {
            if (socket.iface, socket.protocol) == (iface, header.ether_type) {
                socket.inbox.put(*header, frame.clone());
            }
        }
    }

    /// Gives a packet between others to those who hear all; tells whether anybody does.
    pub(crate) fn overhear(&mut self, iface: Iface, header: &Header, frame: &Frame) -> bool {
        let mut is_heard = false;
        for socket in self.sockets.iter_mut().filter(|socket| socket.hears == Hears::All) {
            if (socket.iface, socket.protocol) == (iface, header.ether_type) {
                socket.inbox.put(*header, frame.clone());
                is_heard = true;
            }
        }
        is_heard
    }

    pub(crate) fn poll_receive(
        &mut self,
        cx: &Context<'_>,
        id: SlotId,
        buf: &mut [u8],
        trace: &mut Trace,
    ) -> Poll<io::Result<Taken>> {
        let Some(socket) = self.sockets.get_mut(id) else { return Poll::Ready(Err(switched_off())) };
        let taken = socket.inbox.poll_take(cx, buf, trace);
        taken.map(|(header, len)| Ok(Taken { len, from: header.source, to: header.destination }))
    }

    /// Lets a packet leave when the host runs next.
    pub(crate) fn send(&mut self, id: SlotId, packet: &[u8], to: MacAddr, trace: &Trace) -> io::Result<()> {
        let socket = self.sockets.get(id).ok_or_else(switched_off)?;
        let mut frame = Frame::new(Frame::HEADROOM, packet);
        // Whoever builds packets by hand answers for their checksums.
        frame.checksums = Checksums::Unverified;
        frame.cause = trace.cause();
        self.outgoing.get_or_insert_default().0.push_back((socket.iface, to, socket.protocol, frame));
        Ok(())
    }

    /// The interface of a socket.
    pub(crate) fn iface(&self, id: SlotId) -> io::Result<Iface> {
        Ok(self.sockets.get(id).ok_or_else(switched_off)?.iface)
    }

    /// Whether anything waits to leave.
    #[inline]
    pub(crate) fn has_outgoing(&self) -> bool {
        self.outgoing.as_ref().is_some_and(|outgoing| !outgoing.0.is_empty())
    }

    pub(crate) fn next_outgoing(&mut self) -> Option<(Iface, MacAddr, EtherType, Frame)> {
        self.outgoing.as_mut()?.0.pop_front()
    }
}
