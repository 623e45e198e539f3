//! Tasks that end with their owner.

use septet_socket::{BoxFuture, NetRef, Spawned};

/// Aborts its task when dropped.
#[derive(Debug)]
pub(crate) struct Owned(Option<Spawned>);

/// Runs `future` beside the caller until it is done or the handle is dropped.
pub(crate) fn spawn(net: &NetRef, future: BoxFuture<'static, ()>) -> Owned {
    Owned(Some(net.spawn(future)))
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}
