//! What a host has sent to itself, until it comes.

use std::collections::VecDeque;

use septet_core::{Frame, Instant};

/// Packets on their way from a host to itself, in the order in which they come. Most hosts never send any, and take no room
/// for them.
#[derive(Debug, Default)]
pub(super) struct Loopback(Option<Box<Queue>>);

#[derive(Debug, Default)]
struct Queue(VecDeque<(Instant, Frame)>);

impl Loopback {
    /// Lets a packet come at `at`, which is not before the last of those that are on their way.
    pub(super) fn push(&mut self, at: Instant, frame: Frame) {
        self.0.get_or_insert_default().0.push_back((at, frame));
    }

    /// When the next one comes.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.as_ref()?.0.front().map(|&(at, _)| at)
    }

    /// The next one that has come by `now`, and when.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Instant, Frame)> {
        self.0.as_mut()?.0.pop_front_if(|(at, _)| *at <= now)
    }
}
