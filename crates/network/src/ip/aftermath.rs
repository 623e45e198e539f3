//! What is left behind of a frame that storey 3 has taken.

/// Whether there is more to do because of a frame that storey 3 has taken. Most frames pass through a router and leave
/// nothing there; whoever keeps in mind when the host is next to be called need not think again after those.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aftermath {
    /// Nothing: it was passed on, or nobody here had a use for it. Nothing waits for those above, and nothing is due that
    /// was not before.
    None,
    /// Something may be.
    Some,
}
