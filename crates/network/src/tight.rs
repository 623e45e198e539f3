//! Lists that are kept tight, as there may be a million of them, or one with a million entries.

/// Appends to a list that is kept tight: most hosts have a handful of routes, and some routers a million.
pub(crate) fn push_tight<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(2));
    }
    list.push(item);
}
