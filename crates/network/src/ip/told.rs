//! What frames carry of their reasons, and what is told of those that go no further.

use septet_core::{DropReason, EventId, Frame, Out, Storey, Trace};

use septet_wire::{ipv4, ipv6};

/// Says why a datagram goes no further.
pub(super) fn drop_frame(frame: &Frame, why: DropReason, out: &mut Out<'_>) {
    drop_at(frame, why, out.trace);
}

/// The same where nothing can be sent.
pub(super) fn drop_at(frame: &Frame, why: DropReason, trace: &mut Trace) {
    trace.emit(Storey::Network, "ip.drop", cause_of(frame), |f| {
        if let Ok(header) = ipv4::Header::parse(frame.bytes()) {
            f.set("src", header.src).set("dst", header.dst);
        } else if let Ok(header) = ipv6::Header::of_quote(frame.bytes()) {
            f.set("src", header.src).set("dst", header.dst);
        }
        f.set("why", why).set("frame", frame.id);
    });
}

/// Puts the events that lead to a frame into it.
pub(super) fn with_cause(mut frame: Frame, cause: EventId) -> Frame {
    if cause != EventId::NONE || cause_of(&frame) == EventId::NONE {
        frame.cause = cause;
    }
    frame
}

/// The event that a frame carries as its reason, or `none` where it has none.
pub(super) fn cause_of(frame: &Frame) -> EventId {
    frame.cause
}
