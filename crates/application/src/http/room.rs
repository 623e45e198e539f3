//! Whether a stream has said that there is room again: who is polled for another reason may find a little, of which the
//! stream had too little to tell, and that is no sign that the far end has taken anything.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

/// Wakes the task that writes, and remembers that the stream did.
pub(super) struct Room {
    told: Arc<Told>,
    waker: Waker,
}

struct Told {
    task: Mutex<Waker>,
    told: AtomicBool,
}

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.told.store(true, Ordering::Relaxed);
        self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Default for Room {
    fn default() -> Self {
        let told = Arc::new(Told { task: Mutex::new(Waker::noop().clone()), told: AtomicBool::new(false) });
        Self { waker: told.clone().into(), told }
    }
}

impl Room {
    /// What the stream is to wake for the task of `cx`.
    pub(super) fn waker(&self, cx: &Context<'_>) -> &Waker {
        self.told.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(cx.waker());
        &self.waker
    }

    /// Whether the stream has said so since this was asked last.
    pub(super) fn is_told(&self) -> bool {
        self.told.told.swap(false, Ordering::Relaxed)
    }
}
