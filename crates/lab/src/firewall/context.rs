//! What a rule of a packet filter is read against.

use std::collections::BTreeMap;

use septet_language::document::Text;
use septet_network::filter::Hook;

use crate::model::layout::Layout;

/// What a rule is read against.
pub(super) struct Context<'a> {
    pub(super) lab: Layout<'a>,
    /// Whose rule it is.
    pub(super) node: usize,
    /// The hook of its chain; `None` in a chain of the user's own.
    pub(super) hook: Option<Hook>,
    /// The chains of the user's own, by name, with their places among all chains.
    pub(super) chains: &'a BTreeMap<String, usize>,
    /// Named sets.
    pub(super) sets: &'a BTreeMap<String, Text>,
}
