//! What a world of ours keeps beside each of its hosts, for the programs there.

use core::any::Any;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use septet_core::Instant;
use septet_host::Here;

use crate::test::failure::{Failure, What};
use crate::test::wish::Wish;

/// Beside a host.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The host's name.
    pub(crate) host: String,
    /// What all hosts of the world tell whoever plays it.
    pub(crate) board: Arc<Board>,
}

/// What programs tell whoever plays the world.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// Whether there is anything.
    any: AtomicBool,
    told: Mutex<Told>,
}

/// What was told since it was last asked for.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// What went wrong.
    pub(crate) failures: Vec<Failure>,
    /// What is to happen to the world.
    pub(crate) wishes: Vec<Wish>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.lock().failures.push(failure);
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn wish(&self, wish: Wish) {
        self.lock().wishes.push(wish);
        self.any.store(true, Ordering::Release);
    }

    /// What was told since, where there is anything.
    #[inline]
    pub(crate) fn take(&self) -> Option<Told> {
        self.any.swap(false, Ordering::Acquire).then(|| core::mem::take(&mut *self.lock()))
    }
}

/// A panic that was caught.
pub(crate) struct Panic {
    /// What it was called with.
    pub(crate) payload: Box<dyn Any + Send>,
    /// Where it was, as `src/kv.rs:41:9`.
    pub(crate) place: Option<String>,
}

impl Panic {
    /// What it says.
    pub(crate) fn words(&self) -> String {
        words_of(&*self.payload)
    }

    /// It is heard by nobody: the world that the calling program is in has failed. Where nobody would be told it goes on.
    pub(crate) fn tell(self) {
        let Some(here) = Here::current() else { return };
        match here.beside::<Desk>() {
            Some(desk) => desk.board.fail(self.failure(&desk.host, here.now())),
            None => panic::resume_unwind(self.payload),
        }
    }

    /// The same as a failure of a program.
    pub(crate) fn failure(&self, host: &str, at: Instant) -> Failure {
        Failure::of(Some(host.to_owned()), at, What::Panic { words: self.words(), place: self.place.clone() })
    }
}

/// What a panic says.
pub(crate) fn words_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

thread_local! {
    /// Whether a panic that begins now is caught and told of as that of a program.
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the last of them was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Lets panics that are caught leave their place and say nothing on the terminal; all others do what they did before.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.try_with(Cell::get).unwrap_or(false) {
                let place = info.location().map(Location::to_string);
                let _ = PLACE.try_with(|last| last.replace(place));
            } else {
                before(info);
            }
        }));
    });
}

/// Calls `f`; its panic comes back with its place.
pub(crate) fn caught<R>(f: impl FnOnce() -> R) -> Result<R, Panic> {
    listen();
    let before = CATCHING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(before);
    result.map_err(|payload| Panic { payload, place: PLACE.with(RefCell::take) })
}

/// Runs a future to its end, or to its panic.
pub(crate) async fn watched<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => core::task::Poll::Ready(Err(panic)),
    })
    .await
}
