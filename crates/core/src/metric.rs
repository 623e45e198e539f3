//! What is recorded, declared by who records it: the one list behind expectations, `septet list` and the documents.

/// A name under which a [`Recorder`](crate::Recorder) hears something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// The name behind the node's: `http.ok`. In a family a `*` stands for what differs: `http.status.*`,
    /// `backend.*.requests`.
    pub name: &'static str,
    /// How its samples are read where no function says which of them are meant.
    pub reading: Reading,
    /// What its values count.
    pub unit: Unit,
    /// What it means, in a few words.
    pub doc: &'static str,
}

/// How the samples under a name are read as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// By their sum: a counter.
    Sum,
    /// Each for itself: a series.
    Each,
}

/// What the values under a name count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Things, or shares of a whole.
    Number,
    /// Seconds.
    Time,
    /// Bytes.
    Size,
    /// Bits a second.
    Rate,
}

impl Metric {
    /// Things that are counted.
    pub const fn counter(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Sum, unit: Unit::Number, doc }
    }

    /// Bytes that are added up.
    pub const fn bytes(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Sum, unit: Unit::Size, doc }
    }

    /// Sizes, in bytes, each for itself.
    pub const fn sizes(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Size, doc }
    }

    /// Rates, in bits a second.
    pub const fn rates(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Rate, doc }
    }

    /// Numbers, each for itself.
    pub const fn numbers(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Number, doc }
    }

    /// Times, in seconds.
    pub const fn times(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Time, doc }
    }

    /// Whether `name` is one that it stands for.
    pub fn is(&self, name: &str) -> bool {
        match self.name.split_once('*') {
            Some((start, end)) => {
                name.len() > start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
            }
            None => self.name == name,
        }
    }
}
