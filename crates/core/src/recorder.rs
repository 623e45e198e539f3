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

/// All observations under one name, in the order of time.
#[derive(Clone, Default, Debug)]
pub struct Series(Vec<Sample>);

impl Series {
    /// The observations.
    pub fn samples(&self) -> &[Sample] {
        &self.0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The sum of the values: for a counter, its reading.
    pub fn sum(&self) -> f64 {
        self.0.iter().map(|s| s.value).sum()
    }
}

/// One node's counters and series, shared by its programs. A name is `protocol.what`: `http.ok`, `http.time`.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<BTreeMap<String, Series>>>);

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records `value` under `name`. Counters record 1.
    pub fn record(&self, at: Instant, name: &str, value: f64) {
        let mut map = self.lock();
        let sample = Sample { at, value };
        match map.get_mut(name) {
            Some(series) => series.0.push(sample),
            None => {
                map.insert(name.to_owned(), Series(vec![sample]));
            }
        }
    }

    /// A copy of the series called `name`.
    pub fn series(&self, name: &str) -> Option<Series> {
        self.lock().get(name).cloned()
    }

    /// The names in use, sorted.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Series>> {
        // A panic elsewhere cannot leave a half-written series: pushing is the last step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.names()).finish()
    }
}
