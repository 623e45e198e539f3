//! The states of RFC 9293 §3.3.2.

use core::fmt;

/// The state of a connection; the numbers are those of Linux's `tcpi_state`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum State {
    /// Data flows both ways.
    Established = 1,
    /// A SYN was sent, and is not yet answered.
    SynSent = 2,
    /// A SYN was received and answered with our own.
    SynReceived = 3,
    /// We closed first; our FIN is not yet acknowledged.
    FinWait1 = 4,
    /// We closed first; our FIN is acknowledged, and the peer may still send.
    FinWait2 = 5,
    /// Both ends are closed; old segments are given time to die out.
    TimeWait = 6,
    /// No connection.
    #[default]
    Closed = 7,
    /// The peer closed; we may still send.
    CloseWait = 8,
    /// The peer closed first; our FIN is not yet acknowledged.
    LastAck = 9,
    /// Waits for connections.
    Listen = 10,
    /// Both ends closed at once; our FIN is not yet acknowledged.
    Closing = 11,
}

impl State {
    /// Its name in the RFC.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::TimeWait => "TIME-WAIT",
            Self::Closed => "CLOSED",
            Self::CloseWait => "CLOSE-WAIT",
            Self::LastAck => "LAST-ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
        }
    }

    /// Whether both SYNs have been exchanged.
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, Self::SynSent | Self::SynReceived | Self::Listen | Self::Closed)
    }

    /// Whether data may still be written: our side is open.
    pub const fn may_send(self) -> bool {
        matches!(self, Self::Established | Self::CloseWait)
    }

    /// Whether we have closed, and our FIN, or what stands before it, is not yet acknowledged.
    pub const fn is_delivering(self) -> bool {
        matches!(self, Self::FinWait1 | Self::Closing | Self::LastAck)
    }

    /// Whether the peer may still send data.
    pub const fn may_receive(self) -> bool {
        matches!(self, Self::Established | Self::FinWait1 | Self::FinWait2)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
