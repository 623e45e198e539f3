//! Signals on a line that several stations share: someone begins to send, and ceases to.
//!
//! On a full-duplex cable a frame is one event, when its last bit is in. Where stations must hear each other before
//! that, a sender puts signals on the line around its frame. A signal travels like a frame but is none: it has no
//! bytes, is neither counted nor captured, and no channel loses it.

use septet_core::Frame;

/// What a line begins or ceases to carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Energy: a preamble, a frame, or jam.
    On,
    /// Silence.
    Off,
}

impl Signal {
    /// The signal as it travels.
    pub fn to_frame(self) -> Frame {
        let mut frame = Frame::empty(0);
        frame.fcs = match self {
            Self::On => Some(0),
            Self::Off => None,
        };
        frame
    }

    /// The signal that `frame` is, or `None` where it is a frame.
    pub fn of(frame: &Frame) -> Option<Self> {
        match (frame.is_empty(), frame.fcs) {
            (false, _) => None,
            (true, Some(_)) => Some(Self::On),
            (true, None) => Some(Self::Off),
        }
    }
}
