//! What may be set on a UDP socket.

use std::net::IpAddr;

use septet_wire::membership::Filter;

use super::{Endpoint, SocketId};
use crate::udp::{Error, GroupChange};

/// Whether a socket takes a super-datagram whole: `UDP_GRO`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Coalescing {
    /// It is split into its datagrams.
    #[default]
    Off,
    /// It is.
    On,
}

/// Whether what a socket sends to a group comes back to members on its host: `IP_MULTICAST_LOOP`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Looping {
    /// It does.
    #[default]
    On,
    /// Only others hear it.
    Off,
}

/// Whether a socket may send to all on a link: `SO_BROADCAST`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Broadcast {
    /// It fails with `EACCES`.
    #[default]
    Denied,
    /// It may.
    Allowed,
}

/// Which families a socket over IPv6 speaks: `IPV6_V6ONLY`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reach {
    /// IPv4 too.
    #[default]
    Both,
    /// Only the family of the address that it is bound to.
    OwnFamily,
}

impl Endpoint {
    /// Sets the time to live of unicast: `IP_TTL`.
    ///
    /// # Errors
    /// `BadSocket`; `InvalidInput` for zero.
    pub fn set_ttl(&mut self, id: SocketId, ttl: u8) -> Result<(), Error> {
        if ttl == 0 {
            return Err(Error::InvalidInput);
        }
        self.socket(id)?.ttl = Some(ttl);
        Ok(())
    }

    /// Sets the time to live of multicast, one at first: `IP_MULTICAST_TTL`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_multicast_ttl(&mut self, id: SocketId, ttl: u8) -> Result<(), Error> {
        self.socket(id)?.multicast_ttl = ttl;
        Ok(())
    }

    /// Sets which families the socket speaks: `IPV6_V6ONLY`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_reach(&mut self, id: SocketId, reach: Reach) -> Result<(), Error> {
        self.socket(id)?.reach = reach;
        Ok(())
    }

    /// Bounds the bytes that wait to be received: `SO_RCVBUF`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_receive_buffer(&mut self, id: SocketId, bytes: usize) -> Result<(), Error> {
        self.socket(id)?.receive_buffer = (2 * bytes).max(2304);
        Ok(())
    }

    /// Sets whether super-datagrams come whole: `UDP_GRO`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_coalescing(&mut self, id: SocketId, coalescing: Coalescing) -> Result<(), Error> {
        self.socket(id)?.coalescing = coalescing;
        Ok(())
    }

    /// Sets the interface by which multicast leaves: `IP_MULTICAST_IF`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_multicast_iface(&mut self, id: SocketId, iface: Option<u16>) -> Result<(), Error> {
        self.socket(id)?.multicast_iface = iface;
        Ok(())
    }

    /// The interface by which multicast leaves, where one is set.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn multicast_iface(&self, id: SocketId) -> Result<Option<u16>, Error> {
        Ok(self.sockets[self.index(id)?].multicast_iface)
    }

    /// Sets whether members on this host hear what this socket sends to a group: `IP_MULTICAST_LOOP`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_looping(&mut self, id: SocketId, looping: Looping) -> Result<(), Error> {
        self.socket(id)?.looping = looping;
        Ok(())
    }

    /// Sets whether the socket may send to all on a link: `SO_BROADCAST`.
    ///
    /// # Errors
    /// `BadSocket`.
    pub fn set_broadcast(&mut self, id: SocketId, broadcast: Broadcast) -> Result<(), Error> {
        self.socket(id)?.broadcast = broadcast;
        Ok(())
    }

    /// Refuses to send to all on a link, where that was not allowed. Which addresses do so is storey 3's to know.
    ///
    /// # Errors
    /// `BadSocket`, `Denied`.
    pub fn may_broadcast(&self, id: SocketId) -> Result<(), Error> {
        match self.sockets[self.index(id)?].broadcast {
            Broadcast::Allowed => Ok(()),
            Broadcast::Denied => Err(Error::Denied),
        }
    }

    /// Changes what the socket wants of a group on an interface; gives from whom it wanted it before, and from whom now, so
    /// that storey 3 can tell the routers.
    ///
    /// # Errors
    /// `BadSocket`; `InvalidInput` where `group` is not multicast, or where sources are named that go with the other mode;
    /// `AddrInUse` where it is joined already; `AddrNotAvailable` where what is taken back was not there.
    pub fn change_group(
        &mut self,
        id: SocketId,
        group: IpAddr,
        iface: u16,
        change: GroupChange,
    ) -> Result<(Filter, Filter), Error> {
        self.socket(id)?.groups.change(group, iface, change)
    }
}
