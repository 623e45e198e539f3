//! Which sights of a frame a capture holds: it passes many ports, and each of them could show it.
//!
//! tshark follows a TCP connection by addresses and ports alone. A segment that it sees a second time, further down its
//! way, is to it one that was sent again or came out of order. So a capture of all ports holds a frame where it is sent
//! first, unless all sights are asked for.

use std::collections::VecDeque;

use septet_core::FrameId;

/// Which sights of a frame are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sights {
    /// Each port where it is sent or received.
    #[default]
    All,
    /// The port that sends it first, and where it is lost or damaged later; there TCP is cut short, so that a reader does
    /// not take it for another segment.
    First,
}

/// What of a sight is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Show {
    /// All of it.
    Whole,
    /// What happens to a frame that was shown already.
    Again,
    /// Nothing.
    Nothing,
}

/// Octets of TCP that are kept of a frame shown already: the ports, and what a reader finds no sequence analysis in.
pub(super) const TCP_KEPT: usize = 8;

/// The frames that were seen, by their numbers, which count up as they are first sent.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The number of the first bit of `words`; whatever is below was seen.
    base: u64,
    words: VecDeque<u64>,
}

impl Seen {
    /// Words remembered: frames that wait in a queue while so many others are sent are taken for seen.
    const WORDS: usize = 1 << 16;

    /// Takes note of a frame, and tells whether it is the first time.
    pub(super) fn is_first(&mut self, frame: FrameId) -> bool {
        let Some(at) = frame.0.checked_sub(self.base) else { return false };
        let mut word = (at / 64) as usize;
        if word >= self.words.len() + Self::WORDS {
            // So far ahead that nothing of what is remembered still counts.
            self.words.clear();
            self.base = frame.0 / 64 * 64;
            word = 0;
        }
        while word >= self.words.len() {
            self.words.push_back(0);
        }
        let bit = 1 << (at % 64);
        let first = self.words[word] & bit == 0;
        self.words[word] |= bit;
        while self.words.len() > Self::WORDS || self.words.front() == Some(&u64::MAX) {
            self.words.pop_front();
            self.base += 64;
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_is_first_once() {
        let mut seen = Seen::default();
        for id in [0, 1, 3, 2, 200, 199, 64] {
            assert!(seen.is_first(FrameId(id)), "{id}");
            assert!(!seen.is_first(FrameId(id)), "{id} again");
        }
        for id in 0..10_000 {
            let known = [0, 1, 2, 3, 64, 199, 200].contains(&id);
            assert_eq!(seen.is_first(FrameId(id)), !known, "{id}");
        }
        assert!(seen.words.len() < 2, "what is complete is forgotten");
        assert!(seen.is_first(FrameId(1 << 40)));
        assert!(!seen.is_first(FrameId(5)));
        assert!(!seen.is_first(FrameId(1 << 40)));
        // One frame that never comes does not hold the others up for ever.
        for id in (1 << 40) + 2..(1 << 40) + 64 * (Seen::WORDS as u64 + 10) {
            assert!(seen.is_first(FrameId(id)), "{id}");
        }
        assert!(seen.words.len() <= Seen::WORDS);
    }
}
