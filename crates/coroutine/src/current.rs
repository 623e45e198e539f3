//! The coroutine whose code runs now, and how that code waits.

use core::any::Any;
use core::cell::RefCell;
use core::fmt;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;
use std::{io, panic, thread};

/// By what a coroutine is suspended; it is resumed with who is to be woken when it can go on.
pub(crate) type Yielder = corosensei::Yielder<Waker, ()>;

/// What the code that runs on this thread runs in.
pub(crate) enum Place {
    /// In no coroutine.
    Outside,
    /// In one that can be suspended.
    Running(Running),
    /// In one that is being dropped: what is on its stack is dropped, and it waits for nothing any more.
    Ending,
}

/// A coroutine that runs.
pub(crate) struct Running {
    /// Valid while the coroutine is neither over nor suspended.
    yielder: *const Yielder,
    waker: Waker,
    local: Rc<dyn Any>,
}

thread_local! {
    static PLACE: RefCell<Place> = const { RefCell::new(Place::Outside) };
}

/// Changes what this thread's code runs in; gives back what it ran in before.
pub(crate) fn enter(place: Place) -> Place {
    // Where the thread is ending there is nothing left to run in.
    PLACE.try_with(|current| current.replace(place)).unwrap_or(Place::Outside)
}

/// The coroutine of `yielder` begins to run.
pub(crate) fn begin(yielder: &Yielder, waker: Waker, local: Rc<dyn Any>) {
    enter(Place::Running(Running { yielder, waker, local }));
}

/// This code cannot wait: it does not run in a coroutine, or in one that is being dropped or panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CannotWait;

impl fmt::Display for CannotWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only a running program can wait")
    }
}

impl std::error::Error for CannotWait {}

impl From<CannotWait> for io::Error {
    fn from(why: CannotWait) -> Self {
        Self::other(why)
    }
}

/// Whether the calling code runs in a coroutine, and can wait.
pub fn is_running() -> bool {
    PLACE.try_with(|place| matches!(*place.borrow(), Place::Running(_))).unwrap_or(false)
}

/// What was given to the coroutine in which the calling code runs, where that is a `T`.
pub fn local<T: 'static>() -> Option<Rc<T>> {
    let local = PLACE.try_with(|place| match &*place.borrow() {
        Place::Running(running) => Some(running.local.clone()),
        Place::Outside | Place::Ending => None,
    });
    local.ok().flatten()?.downcast().ok()
}

/// Waits for a future: the calling coroutine is left here until that is ready.
///
/// Where the coroutine is being dropped meanwhile, this does not return: the stack is unwound from here.
///
/// # Errors
/// The future is not ready, and the calling code is in no coroutine that could be left. A coroutine that panics, or is being
/// dropped, is not left by what its destructors do.
pub fn wait<F: Future>(future: F) -> Result<F::Output, CannotWait> {
    let mut future = pin!(future);
    loop {
        let waker = PLACE.try_with(|place| match &*place.borrow() {
            Place::Running(running) => Some(running.waker.clone()),
            Place::Outside | Place::Ending => None,
        });
        let waker = waker.ok().flatten();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return Ok(value);
        }
        suspend()?;
    }
}

/// Leaves the running coroutine; returns when it is resumed.
fn suspend() -> Result<(), CannotWait> {
    if thread::panicking() {
        return Err(CannotWait);
    }
    let running = match enter(Place::Outside) {
        Place::Running(running) => running,
        Place::Outside => return Err(CannotWait),
        Place::Ending => {
            enter(Place::Ending);
            // Whoever caught the unwinding of a coroutine that is dropped is unwound again.
            panic::resume_unwind(Box::new(CannotWait));
        }
    };
    let Running { yielder, local, .. } = running;
    let waker = resumed(yielder);
    enter(Place::Running(Running { yielder, waker, local }));
    Ok(())
}

#[allow(unsafe_code)]
fn resumed(yielder: *const Yielder) -> Waker {
    // SAFETY: the pointer was taken from the place of the code that runs. `begin` puts it there on the coroutine's own stack,
    // and so does `suspend` when it goes on. It is taken out again before the coroutine is left: here by `suspend`, at its end
    // by `Coroutine::poll`, which puts its own place back as soon as the coroutine has returned to it, and by
    // `Coroutine::drop`. So it is there only while the coroutine runs, on this thread, and its yielder, which lies at the base
    // of its stack, lives as long as that.
    unsafe { &*yielder }.suspend(())
}
