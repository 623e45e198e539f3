//! Why a test failed: what went wrong, on which host, at which virtual time.

use core::fmt;

use septet_core::Instant;

/// Why a world could not be played to a good end.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure(Box<Inner>);

#[derive(Clone, PartialEq, Debug)]
struct Inner {
    host: Option<String>,
    at: Instant,
    what: What,
}

/// What went wrong.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum What {
    /// A program panicked.
    Panic {
        /// What it panicked with.
        words: String,
        /// Where, as `src/kv.rs:41:9`.
        place: Option<String>,
    },
    /// A program ended with an error.
    Error(String),
    /// Clients had not ended when the world stopped.
    Unfinished(Vec<String>),
    /// An expectation of the lab does not hold.
    Expectation {
        /// Its name.
        name: String,
        /// What it says.
        text: String,
        /// What was found.
        found: String,
    },
    /// What was to hold always does not.
    Invariant {
        /// Its name.
        name: String,
        /// What was found.
        found: String,
    },
    /// Time does not go on.
    Storm(String),
    /// The lab is not valid, or could not be built.
    Lab(String),
}

impl Failure {
    pub(crate) fn of(host: Option<String>, at: Instant, what: What) -> Self {
        Self(Box::new(Inner { host, at, what }))
    }

    /// The host whose program it was; `None` where it was none's.
    pub fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// The virtual time.
    pub fn at(&self) -> Instant {
        self.0.at
    }

    /// What went wrong.
    pub fn what(&self) -> &What {
        &self.0.what
    }

    /// Whether `other` is the same mistake, perhaps at another time and with other numbers.
    pub fn is_like(&self, other: &Self) -> bool {
        use What::{Error, Expectation, Invariant, Lab, Panic, Storm, Unfinished};
        let same_host = self.0.host == other.0.host;
        match (&self.0.what, &other.0.what) {
            // One assertion of a program that runs on several hosts is one mistake.
            (Panic { place: Some(a), .. }, Panic { place: Some(b), .. }) => a == b,
            (Panic { words: a, .. }, Panic { words: b, .. }) => plain(a) == plain(b),
            (Error(a), Error(b)) => same_host && plain(a) == plain(b),
            (Unfinished(_), Unfinished(_)) | (Storm(_), Storm(_)) => true,
            (Expectation { name: a, .. }, Expectation { name: b, .. })
            | (Invariant { name: a, .. }, Invariant { name: b, .. }) => a == b,
            (Lab(a), Lab(b)) => a == b,
            _ => false,
        }
    }
}

/// A text without its numbers.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { host, at, what } = &*self.0;
        let host = host.as_deref().unwrap_or("the test");
        match what {
            What::Panic { words, place } => {
                write!(f, "the program on `{host}` panicked at {at} s: {words}")?;
                place.as_ref().map_or(Ok(()), |place| write!(f, " ({place})"))
            }
            What::Error(error) => write!(f, "the program on `{host}` failed at {at} s: {error}"),
            What::Unfinished(hosts) => {
                let hosts = hosts.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>().join(", ");
                write!(f, "still running when the world stopped at {at} s: {hosts}; a later `stop`?")
            }
            What::Expectation { name, text, found } => {
                write!(f, "`{name}` does not hold at {at} s: {text}; found {found}")
            }
            What::Invariant { name, found } => write!(f, "`{name}` does not hold at {at} s: {found}"),
            What::Storm(words) | What::Lab(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Failure {}
