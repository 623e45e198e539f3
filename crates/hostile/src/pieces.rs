//! Cuts an input into pieces, so that a fuzzer changes one thing without moving all that follows.

/// The pieces of `bytes`: each has two octets that say what it is, one for its length, and that many octets.
pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let [what, wait, len, tail @ ..] = rest else { return None };
        let (content, after) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = after;
        Some(Piece { what: *what, wait: *wait, content })
    })
    .take(200)
}

/// One step of an input.
pub(crate) struct Piece<'a> {
    pub(crate) what: u8,
    pub(crate) wait: u8,
    pub(crate) content: &'a [u8],
}
