//! The end of a server: it takes no more connections, and those that it has end when they have answered what they were asked.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Whether a server is at its end. A clone tells of the same end.
#[derive(Clone, Debug)]
pub(super) struct Ending(
    /// Without a permit, so that whoever waits for one waits until it is closed; who waits is woken in order.
    Arc<Semaphore>,
);

impl Ending {
    /// One that has not come.
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Tells whoever waits for it.
    pub(super) fn tell(&self) {
        self.0.close();
    }

    /// Waits for it.
    pub(super) async fn come(&self) {
        drop(self.0.acquire().await);
    }
}
