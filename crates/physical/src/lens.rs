//! How storey 1 reads what the storeys above wrote, without knowing them.

use septet_core::Frame;

/// Whether a congestion mark could be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marked {
    /// The packet now says that it experienced congestion.
    Yes,
    /// The packet's flow does not understand marks; drop it instead.
    No,
}

/// Reads, marks and splits packets for storey 1; given by whoever knows the storeys above.
pub trait Lens: Send + Sync {
    /// A number that is the same for all packets of one flow (RFC 8290 §4.1.1 hashes the 5-tuple).
    fn flow(&self, frame: &Frame) -> u64;

    /// Sets Congestion Experienced (RFC 3168 §5) where the packet's flow is ECN-capable.
    fn mark(&self, frame: &mut Frame) -> Marked;

    /// The frame's priority, 0 to 7: the priority code point of its 802.1Q tag where it has one.
    fn priority(&self, frame: &Frame) -> u8 {
        let _ = frame;
        0
    }

    /// What splits super-segments ([`Frame::segment_size`]) into the frames that a wire carries, as a network card
    /// does (TSO); `None` where nothing can.
    fn splitter(&self) -> Option<Splitter> {
        None
    }
}

/// Splits a super-segment and hands on each of its frames in order.
pub type Splitter = fn(Frame, &mut dyn FnMut(Frame));

/// Sees one flow and can mark nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind;

impl Lens for Blind {
    fn flow(&self, _: &Frame) -> u64 {
        0
    }

    fn mark(&self, _: &mut Frame) -> Marked {
        Marked::No
    }
}
