//! The table of sentences: one line a kind of event. A new kind needs a line here only to be told well; without one
//! it is told by its name and fields.

use septet_core::Event;

use super::Facing::{self, From, To};
use super::Weight::{self, Headline, Moment, Tick};

/// How one kind of event is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// The kind.
    pub kind: &'static str,
    /// Only events whose field has this value; an empty name stands for all.
    pub when: (&'static str, &'static str),
    /// How much it matters.
    pub weight: Weight,
    /// Which way the event faces its peer.
    pub facing: Facing,
    /// The sentence, as a template; the first whose fields are all there is taken.
    pub texts: &'static [&'static str],
}

const fn all(kind: &'static str, weight: Weight, facing: Facing, texts: &'static [&'static str]) -> Telling {
    Telling { kind, when: ("", ""), weight, facing, texts }
}

const fn when(
    kind: &'static str,
    field: &'static str,
    value: &'static str,
    weight: Weight,
    facing: Facing,
    texts: &'static [&'static str],
) -> Telling {
    Telling { kind, when: (field, value), weight, facing, texts }
}

/// All kinds that are told by a sentence of their own, sorted; of several lines of one kind the first that fits is
/// taken.
#[rustfmt::skip]
pub const TELLINGS: &[Telling] = &[
    all("link.damage", Moment, To, &["{bits} bits flip in a frame of {len} bytes[ — {why}]"]),
    all("link.down", Headline, To, &["the cable is dead[ — {why}]"]),
    all("link.drop", Moment, To, &["a frame of {len} bytes is dropped before the wire[ — {why}]"]),
    all("link.lost", Moment, To, &["a frame of {len} bytes is lost[ — {why}]"]),
    all("link.up", Headline, To, &["the cable carries a signal again[ — {why}]"]),
    when("tls.alert", "way", "received", Moment, From, &["TLS alert: {description}[ — {why}]"]),
    all("tls.alert", Moment, To, &["TLS alert: {description}[ — {why}]"]),
    when("tls.certificate", "way", "received", Moment, From, &["certificate for {name} received[, {why}]"]),
    all("tls.certificate", Moment, To, &["certificate chain of {certificates}, {bytes} bytes"]),
    when("tls.client-hello", "way", "received", Tick, From, &["ClientHello received"]),
    all("tls.client-hello", Moment, To, &["ClientHello[ for {name}][, offers {versions}][, ALPN {alpn}]"]),
    all("tls.finished", Moment, To, &["TLS is up: {version}, {suite}[, ALPN {alpn}], after {took}[ — {why}]"]),
    when("tls.server-hello", "way", "received", Tick, From, &["ServerHello received"]),
    all("tls.server-hello", Moment, To, &["ServerHello[: {version}][, {suite}]"]),
];

/// How `event` is told: the lines of its kind that fit it.
pub(super) fn find(event: &Event) -> impl Iterator<Item = &'static Telling> + '_ {
    let first = TELLINGS.partition_point(|t| t.kind < event.kind);
    TELLINGS[first..].iter().take_while(|t| t.kind == event.kind).filter(|t| {
        let (field, value) = t.when;
        field.is_empty() || event.field(field).is_some_and(|v| v.to_string() == value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_and_well_formed() {
        for pair in TELLINGS.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            assert!(a.kind < b.kind || a.kind == b.kind && !a.when.0.is_empty(), "{} after {}", b.kind, a.kind);
        }
        for text in TELLINGS.iter().flat_map(|t| t.texts) {
            assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
            assert_eq!(text.matches('[').count(), text.matches(']').count(), "{text}");
        }
    }
}
