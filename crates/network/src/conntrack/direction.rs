//! The two ways through a conversation.

/// Which way a packet goes in its conversation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Direction {
    /// As the first packet went.
    Original,
    /// As its answers do.
    Reply,
}

impl Direction {
    /// The other way.
    pub const fn other(self) -> Self {
        match self {
            Self::Original => Self::Reply,
            Self::Reply => Self::Original,
        }
    }
}
