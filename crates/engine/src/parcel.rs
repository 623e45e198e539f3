//! What crosses from one part of a world into another: a frame on its way, with nothing of the thread that sent it.

use septet_core::{Checksums, EventId, Frame, FrameId, Instant, Label};

/// A frame that is in flight between stations of two parts. Unlike a [`Frame`], whose buffer belongs to its thread, it may
/// be sent to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// The direction of a link on which it is in flight: twice the link's number, and one more from its second end.
    pub path: u32,
    /// When its last bit arrives.
    pub at: Instant,
    /// Its bytes; a signal of a shared line has none.
    pub bytes: Vec<u8>,
    /// Its name.
    pub id: FrameId,
    /// The event that made it.
    pub cause: EventId,
    /// The FCS as it will be received, where bit errors touched it.
    pub fcs: Option<u32>,
    /// The payload size of each segment of a super-segment; otherwise zero.
    pub segment_size: u16,
    /// Whether the checksums inside are known to be right.
    pub checksums: Checksums,
}

impl Parcel {
    /// What is to be known elsewhere of a frame in flight on `path`, whose `ingress` is when it arrives.
    pub fn new(path: u32, frame: &Frame) -> Self {
        let &Label { id, cause, ingress, fcs, segment_size, checksums, .. } = &**frame;
        Self { path, at: ingress, bytes: frame.bytes().to_vec(), id, cause, fcs, segment_size, checksums }
    }

    /// The frame, in a buffer of this thread.
    pub fn frame(&self) -> Frame {
        let Self { path: _, at, bytes, id, cause, fcs, segment_size, checksums } = self;
        let mut frame = Frame::new(Frame::HEADROOM, bytes);
        (frame.id, frame.cause, frame.ingress, frame.fcs) = (*id, *cause, *at, *fcs);
        (frame.segment_size, frame.checksums) = (*segment_size, *checksums);
        frame
    }
}

const _: () = {
    const fn can_be_sent<T: Send>() {}
    can_be_sent::<Parcel>();
};
