//! Counters and series that expectations are asked about.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Instant;

/// One observation: when, and how much.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// When it was made.
    pub at: Instant,
    /// The value, in seconds, bytes or as a bare count.
    pub value: f64,
}

/// All observations under one name, in the order of time. A clone shares them: it is as they were when it was made.
#[derive(Clone, Default, Debug)]
pub struct Series {
    samples: Arc<Vec<Sample>>,
    /// Number and sum of the observations that were let go.
    gone: (usize, f64),
}

impl Series {
    /// The observations, the latest of them where only so many are kept.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.gone.0 + self.samples.len()
    }

    /// The sum of all values: for a counter, its reading.
    pub fn sum(&self) -> f64 {
        self.gone.1 + self.samples.iter().map(|s| s.value).sum::<f64>()
    }

    /// Lets the older half go where there are `most`.
    fn trim(&mut self, most: usize) {
        if self.samples.len() >= most {
            let half = self.samples.len().div_ceil(2);
            let older = Arc::make_mut(&mut self.samples).drain(..half);
            self.gone = older.fold(self.gone, |(n, sum), s| (n + 1, sum + s.value));
        }
    }
}

impl FromIterator<Sample> for Series {
    /// The samples must come in the order of time.
    fn from_iter<I: IntoIterator<Item = Sample>>(samples: I) -> Self {
        Self { samples: Arc::new(samples.into_iter().collect()), gone: (0, 0.0) }
    }
}

/// One node's counters and series, shared by its programs. A name is `protocol.what`: `http.ok`, `http.time`.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    series: BTreeMap<String, Series>,
    /// How many observations of each series are kept; zero for all.
    most: usize,
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records `value` under `name`. Counters record 1.
    pub fn record(&self, at: Instant, name: &str, value: f64) {
        let Book { series: map, most } = &mut *self.lock();
        let sample = Sample { at, value };
        match map.get_mut(name) {
            Some(series) => {
                if *most > 0 {
                    series.trim(*most);
                }
                // Copied only where somebody holds what was recorded so far.
                Arc::make_mut(&mut series.samples).push(sample);
            }
            None => {
                map.insert(name.to_owned(), Series::from_iter([sample]));
            }
        }
    }

    /// From now on keeps the latest observations of each series alone, at most `most` and at least half as many: a live
    /// lab has no end that would bound them. Counts and sums stay those of all.
    pub fn keep_latest(&self, most: usize) {
        self.lock().most = most;
    }

    /// The series called `name`, as it is now; what was recorded is shared and not copied.
    pub fn series(&self, name: &str) -> Option<Series> {
        self.lock().series.get(name).cloned()
    }

    /// The names in use, sorted.
    pub fn names(&self) -> Vec<String> {
        self.lock().series.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // A panic elsewhere cannot leave a half-written series: pushing is the last step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_stays_as_it_was() {
        let recorder = Recorder::new();
        recorder.record(Instant::ZERO, "x", 1.0);
        let held = recorder.series("x").unwrap();
        let again = recorder.series("x").unwrap();
        assert!(core::ptr::eq(held.samples(), again.samples()), "the samples were copied");
        recorder.record(Instant::from_secs(1), "x", 2.0);
        assert_eq!((held.sum(), recorder.series("x").unwrap().sum()), (1.0, 3.0));
    }

    #[test]
    fn what_is_let_go_still_counts() {
        let recorder = Recorder::new();
        recorder.keep_latest(8);
        for i in 1..=100u32 {
            recorder.record(Instant::from_secs(i.into()), "x", i.into());
        }
        let series = recorder.series("x").unwrap();
        assert_eq!((series.count(), series.sum()), (100, 5050.0));
        assert!((4..=8).contains(&series.samples().len()), "{}", series.samples().len());
        assert_eq!(series.samples().last().unwrap().value, 100.0);
    }
}
