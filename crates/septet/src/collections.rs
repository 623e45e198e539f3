//! Hash maps and sets whose order a seed repeats.
//!
//! The standard library's are in another order in every process, and a program that goes through one is not repeatable. These
//! are the same types with another hasher: inside a simulation its secret is drawn from the world's seed, so that a run is
//! repeatable and another seed tries another order; outside it is the standard library's own.
//!
//! ```
//! use septet::collections::HashMap;
//! let mut map: HashMap<_, _> = HashMap::default();
//! map.insert("a", 1);
//! assert_eq!(map["a"], 1);
//! ```

use core::hash::{BuildHasher, Hasher};

use septet_core::FixedHasher;
use septet_host::Here;

/// A map; [`HashMap::default`](Default::default) makes one.
///
/// ```
/// use septet::collections::HashMap;
/// let mut sessions: HashMap<u32, &str> = HashMap::default();
/// sessions.insert(7, "open");
/// assert_eq!(sessions.get(&7), Some(&"open"));
/// ```
pub type HashMap<K, V, S = RandomState> = std::collections::HashMap<K, V, S>;

/// A set; [`HashSet::default`](Default::default) makes one.
///
/// ```
/// use septet::collections::HashSet;
/// let seen: HashSet<u32> = [1, 2, 2].into_iter().collect();
/// assert_eq!(seen.len(), 2);
/// ```
pub type HashSet<T, S = RandomState> = std::collections::HashSet<T, S>;

/// Builds the hashers of one map.
#[derive(Clone, Debug)]
pub struct RandomState(State);

#[derive(Clone, Debug)]
enum State {
    Seeded(u64),
    Std(std::collections::hash_map::RandomState),
}

impl RandomState {
    /// With a secret of its own.
    pub fn new() -> Self {
        Self(match Here::current() {
            Some(_) => State::Seeded(crate::rand::u64()),
            None => State::Std(std::collections::hash_map::RandomState::new()),
        })
    }
}

impl Default for RandomState {
    fn default() -> Self {
        Self::new()
    }
}

/// A hasher of a [`RandomState`].
#[derive(Clone, Debug)]
pub struct StateHasher(Either);

#[derive(Clone, Debug)]
enum Either {
    Seeded(FixedHasher),
    Std(std::hash::DefaultHasher),
}

impl BuildHasher for RandomState {
    type Hasher = StateHasher;

    fn build_hasher(&self) -> StateHasher {
        StateHasher(match &self.0 {
            State::Seeded(secret) => {
                let mut hasher = FixedHasher::default();
                hasher.write_u64(*secret);
                Either::Seeded(hasher)
            }
            State::Std(state) => Either::Std(state.build_hasher()),
        })
    }
}

impl Hasher for StateHasher {
    fn write(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Either::Seeded(hasher) => hasher.write(bytes),
            Either::Std(hasher) => hasher.write(bytes),
        }
    }

    fn finish(&self) -> u64 {
        match &self.0 {
            Either::Seeded(hasher) => hasher.finish(),
            Either::Std(hasher) => hasher.finish(),
        }
    }
}
