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
    /// What the `*` of a family stands for.
    pub star: Star,
}

/// What the `*` in the name of a family of metrics stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Star {
    /// A word without dots.
    Word,
    /// A number, `404`.
    Number,
    /// A port of the node, `eth0`.
    Port,
    /// Whatever somebody called it.
    Anything,
}

impl Star {
    /// Whether `text` is one.
    fn is(self, text: &str) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match self {
            Self::Word => !text.is_empty() && !text.contains('.'),
            Self::Number => is_number(text),
            Self::Port => text.strip_prefix("eth").is_some_and(is_number),
            Self::Anything => !text.is_empty(),
        }
    }
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
        Self { name, reading: Reading::Sum, unit: Unit::Number, doc, star: Star::Word }
    }

    /// Bytes that are added up.
    pub const fn bytes(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Sum, unit: Unit::Size, doc, star: Star::Word }
    }

    /// Sizes, in bytes, each for itself.
    pub const fn sizes(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Size, doc, star: Star::Word }
    }

    /// Rates, in bits a second.
    pub const fn rates(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Rate, doc, star: Star::Word }
    }

    /// Numbers, each for itself.
    pub const fn numbers(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Number, doc, star: Star::Word }
    }

    /// Times, in seconds.
    pub const fn times(name: &'static str, doc: &'static str) -> Self {
        Self { name, reading: Reading::Each, unit: Unit::Time, doc, star: Star::Word }
    }

    /// The same, the `*` of whose name stands for what `star` says; without this it is a word.
    pub const fn of(self, star: Star) -> Self {
        Self { star, ..self }
    }

    /// What the `*` stands for in `name`; `None` where it is none of this family, or this is no family.
    pub fn star_of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (start, end) = self.name.split_once('*')?;
        name.strip_prefix(start)?.strip_suffix(end).filter(|text| self.star.is(text))
    }

    /// Whether `name` is one that it stands for.
    pub fn is(&self, name: &str) -> bool {
        self.name == name && !name.contains('*') || self.star_of(name).is_some()
    }
}

/// Declares a struct of counters, one a line: its field, the name that expectations ask for, and what it means. What is
/// counted and what is declared are then one list.
///
/// ```
/// septet_core::counters! {
///     /// What a hub counts.
///     pub struct Counters {
///         frames = "hub_frames", "frames that a hub repeated";
///         collisions = "hub_collisions", "collisions at a hub";
///     }
/// }
/// let mut counters = Counters::default();
/// counters.frames += 1;
/// assert_eq!(counters.get("hub_frames"), Some(1));
/// assert_eq!(Counters::METRICS[1].name, "hub_collisions");
/// ```
#[macro_export]
macro_rules! counters {
    ($(#[$meta:meta])* $vis:vis struct $Counters:ident {
        $($field:ident = $name:literal, $doc:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Default, Debug)]
        $vis struct $Counters {
            $(#[doc = $doc] $vis $field: u64,)*
        }

        #[allow(dead_code)]
        impl $Counters {
            /// Nothing counted yet.
            $vis const ZERO: Self = Self { $($field: 0,)* };

            /// What they are called and mean, in the order in which they are shown.
            $vis const METRICS: &'static [$crate::Metric] = &[$($crate::Metric::counter($name, $doc),)*];

            /// Name and reading of each.
            $vis fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$(($name, self.$field),)*].into_iter()
            }

            /// The reading of the one called `name`.
            $vis fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $($name => Some(self.$field),)*
                    _ => None,
                }
            }

            /// Shows `see` name and reading of each.
            $vis fn show(&self, see: &mut dyn FnMut(&'static str, u64)) {
                $(see($name, self.$field);)*
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_what_it_says() {
        let status = Metric::counter("http.status.*", "answers").of(Star::Number);
        assert!(status.is("http.status.404") && !status.is("http.status.ok") && !status.is("http.status."));
        assert!(!status.is("http.status.*") && !status.is("http.status"));
        let requests = Metric::counter("backend.*.requests", "requests");
        assert!(requests.is("backend.web1.requests") && !requests.is("backend.requests"));
        assert!(!requests.is("backend.a.b.requests") && !requests.is("backend..requests"));
        let queue = Metric::sizes("queue.*", "bytes that wait").of(Star::Port);
        assert_eq!((queue.star_of("queue.eth12"), queue.star_of("queue.wlan0")), (Some("eth12"), None));
        let own = Metric::counter("app.*", "own").of(Star::Anything);
        assert!(own.is("app.orders.late") && !own.is("app."));
        assert!(Metric::counter("http.ok", "ok").is("http.ok"));
    }
}
