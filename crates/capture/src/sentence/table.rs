//! The table of sentences: one line a kind of event. A new kind needs a line here only to be told well; without one
//! it is told by its name and fields.

use super::{Facing, Weight};

/// How one kind of event is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// The kind.
    pub kind: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// Which way the event faces, and the fields that may name its peer.
    pub peer: Option<(Facing, &'static [&'static str])>,
    /// The sentence, as a template; the first whose fields are all there is taken.
    pub texts: &'static [&'static str],
}

/// All kinds that are told by a sentence of their own, sorted.
pub const TELLINGS: &[Telling] = &[];

pub(super) fn find(kind: &str) -> Option<&'static Telling> {
    TELLINGS.binary_search_by_key(&kind, |t| t.kind).ok().map(|i| &TELLINGS[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_well_formed() {
        for pair in TELLINGS.windows(2) {
            assert!(pair[0].kind < pair[1].kind, "{} comes after {}", pair[0].kind, pair[1].kind);
        }
        for telling in TELLINGS {
            for text in telling.texts {
                assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
                assert_eq!(text.matches('[').count(), text.matches(']').count(), "{text}");
            }
        }
    }
}
