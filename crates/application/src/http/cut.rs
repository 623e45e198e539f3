//! How an answer breaks off on purpose.

use core::fmt;
use std::io;

/// How an answer breaks off. Over HTTP/2 both ends of a connection are a reset of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more comes.
    Stall,
}

impl Cut {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Reset => "reset",
            Self::Stall => "stall",
        }
    }
}

impl Cut {
    /// How an answer breaks off whose body failed with `error`, where that was on purpose.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer breaks off on purpose")
    }
}

impl std::error::Error for Cut {}

impl From<Cut> for io::Error {
    fn from(cut: Cut) -> Self {
        let kind = if cut == Cut::Reset { io::ErrorKind::ConnectionReset } else { io::ErrorKind::ConnectionAborted };
        Self::new(kind, cut)
    }
}
