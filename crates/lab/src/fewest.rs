//! From a run that fails to less that still does: the fewest of a list, by delta debugging (Zeller and Hildebrandt, "Simplifying
//! and Isolating Failure-Inducing Input", 2002), and the earliest end.

use septet_core::Instant;

/// The fewest of `all` with which `holds` still says yes: none of those left can be missed. It is asked for parts of `all`, in
/// their order, and `all` itself is taken to hold.
///
/// ```
/// let mut asked = 0;
/// let fewest = septet_lab::fewest(&[1, 2, 3, 4, 5, 6, 7, 8], |part| {
///     asked += 1;
///     part.contains(&3) && part.contains(&6)
/// });
/// assert_eq!(fewest, [3, 6]);
/// assert!(asked < 40);
/// ```
pub fn fewest<T: Clone>(all: &[T], mut holds: impl FnMut(&[T]) -> bool) -> Vec<T> {
    if all.is_empty() || holds(&[]) {
        return Vec::new();
    }
    let mut left = all.to_vec();
    let mut parts = 2;
    while left.len() > 1 {
        let size = left.len().div_ceil(parts);
        let pieces: Vec<&[T]> = left.chunks(size).collect();
        let but = |index: usize| -> Vec<T> {
            let others = pieces.iter().enumerate().filter(|(other, _)| *other != index);
            others.flat_map(|(_, piece)| piece.iter().cloned()).collect()
        };
        if let Some(piece) = pieces.iter().find(|piece| holds(piece)) {
            (left, parts) = (piece.to_vec(), 2);
        } else if let Some(fewer) =
            (pieces.len() > 2).then(|| (0..pieces.len()).map(but).find(|rest| holds(rest))).flatten()
        {
            (left, parts) = (fewer, (parts - 1).max(2));
        } else if parts >= left.len() {
            break;
        } else {
            parts = (parts * 2).min(left.len());
        }
    }
    left
}

/// The earliest end before `stop` with which `fails` says yes, as halving finds it: in whole milliseconds, and to one part of
/// `parts` of `stop`. `None` where it finds none.
///
/// ```
/// use septet_core::Instant;
/// let at = Instant::from_millis;
/// assert_eq!(septet_lab::earliest(at(10_000), 100, |stop| stop >= at(1234)), Some(at(1250)));
/// assert_eq!(septet_lab::earliest(at(10_000), 100, |_| false), None);
/// ```
pub fn earliest(stop: Instant, parts: u64, mut fails: impl FnMut(Instant) -> bool) -> Option<Instant> {
    let (mut good, mut bad, grain) = (0, stop.as_nanos(), (stop.as_nanos() / parts).max(1_000_000));
    let mut found = None;
    while bad - good > grain {
        let middle = (good + (bad - good) / 2) / 1_000_000 * 1_000_000;
        if middle <= good {
            break;
        }
        let at = Instant::from_nanos(middle);
        if fails(at) {
            (bad, found) = (middle, Some(at));
        } else {
            good = middle;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_missed() {
        let all: Vec<u32> = (0..64).collect();
        for wanted in [vec![], vec![0], vec![63], vec![7, 8], vec![0, 31, 63], vec![5, 6, 7, 8, 40], all.clone()] {
            let mut asked = 0;
            let found = fewest(&all, |part| {
                asked += 1;
                wanted.iter().all(|w| part.contains(w))
            });
            assert_eq!(found, wanted);
            assert!(asked <= 64 * 64 + 3 * 64, "{asked} questions for {wanted:?}");
        }
    }
}
