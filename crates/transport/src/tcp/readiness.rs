//! What a socket is ready for, in the terms of `poll(2)`.

use core::ops::{BitOr, BitOrAssign};

/// What a call on the socket would find now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Readiness(u8);

impl Readiness {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// `POLLIN`: data, end of stream, an error, or a connection to accept.
    pub const READABLE: Self = Self(1);
    /// `POLLOUT`: room to write, or an error.
    pub const WRITABLE: Self = Self(2);
    /// `POLLRDHUP`: the peer sends no more.
    pub const READ_CLOSED: Self = Self(4);
    /// `POLLHUP`: neither direction is open.
    pub const HANGUP: Self = Self(8);
    /// `POLLERR`: [`take_error`](super::Endpoint::take_error) has one.
    pub const ERROR: Self = Self(16);

    /// Whether everything in `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a call to read or accept would not block.
    pub const fn is_readable(self) -> bool {
        self.0 & (Self::READABLE.0 | Self::ERROR.0 | Self::HANGUP.0) != 0
    }

    /// Whether a call to write would not block.
    pub const fn is_writable(self) -> bool {
        self.0 & (Self::WRITABLE.0 | Self::ERROR.0 | Self::HANGUP.0) != 0
    }

    /// Whether it is ready for nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Readiness {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, rhs: Self) {
        self.0 |= rhs.0;
    }
}
