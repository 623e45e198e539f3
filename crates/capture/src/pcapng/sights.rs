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

/// The frames that were seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Of each station those that it was the first to send; of the world itself none.
    stations: Vec<Window>,
}

/// The frames of one station, by their numbers, which count up as they are first sent.
#[derive(Clone, Debug, Default)]
struct Window {
    /// The number of the first bit of `words`; whatever is below was seen.
    base: u64,
    words: VecDeque<u64>,
}

impl Seen {
    /// Takes note of a frame, and tells whether it is the first time.
    pub(super) fn is_first(&mut self, frame: FrameId) -> bool {
        let (station, number) = frame.parts();
        let at = station.0.wrapping_add(1) as usize;
        if at >= self.stations.len() {
            self.stations.resize(at + 1, Window::default());
        }
        self.stations[at].is_first(number)
    }
}

impl Window {
    /// Words remembered: frames that wait in a queue while the station sends so many others are taken for seen.
    const WORDS: usize = 1 << 12;

    /// Takes note of a frame, and tells whether it is the first time.
    fn is_first(&mut self, frame: u64) -> bool {
        let Some(at) = frame.checked_sub(self.base) else { return false };
        let mut word = (at / 64) as usize;
        if word >= self.words.len() + Self::WORDS {
            // So far ahead that nothing of what is remembered still counts.
            self.words.clear();
            self.base = frame / 64 * 64;
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
    use septet_core::StationId;

    use super::*;

    #[test]
    fn each_frame_is_first_once() {
        let mut seen = Seen::default();
        for station in [2, 0, 1].map(StationId) {
            let mut is_first = |n| seen.is_first(FrameId::new(station, n));
            for n in [0, 1, 3, 2, 200, 199, 64] {
                assert!(is_first(n), "{n}");
                assert!(!is_first(n), "{n} again");
            }
            for n in 0..10_000 {
                let known = [0, 1, 2, 3, 64, 199, 200].contains(&n);
                assert_eq!(is_first(n), !known, "{n}");
            }
            let far = 1 << 30;
            assert!(is_first(far));
            assert!(!is_first(5));
            assert!(!is_first(far));
        }
    }

    #[test]
    fn what_is_complete_is_forgotten_and_the_rest_is_bounded() {
        let mut window = Window::default();
        (0..10_000).for_each(|n| assert!(window.is_first(n), "{n}"));
        assert!(window.words.len() < 2);
        // One frame that never comes does not hold the others up for ever.
        for n in 10_001..10_000 + 64 * (Window::WORDS as u64 + 10) {
            assert!(window.is_first(n), "{n}");
        }
        assert!(window.words.len() <= Window::WORDS);
    }
}
