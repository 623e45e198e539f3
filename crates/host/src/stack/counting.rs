//! Who asks what ports counted.

use septet_core::Instant;
use septet_socket::admin::Counted;

use super::wakers::Wakers;

/// Who asked, and what was answered.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(super) asking: Wakers,
    pub(super) known: Option<(Instant, Vec<Counted>)>,
}
