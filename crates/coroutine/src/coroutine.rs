//! A program on a stack of its own.

use core::any::Any;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use corosensei::CoroutineResult;
use corosensei::stack::DefaultStack;

use crate::current::{self, Place};

/// The size of a stack, in bytes, where nobody says another. It is room that is set aside: memory is taken page by page as
/// the stack grows.
pub const DEFAULT_STACK: usize = 256 * 1024;

/// The smallest stack: what a socket's call and a line of the trace need.
pub const LEAST_STACK: usize = 64 * 1024;

type Inner<T> = corosensei::Coroutine<Waker, (), Result<T, Box<dyn Any + Send>>, DefaultStack>;

/// A program as a future. It stays on the thread on which it was made.
///
/// A panic in it is what it comes to. Where it is dropped before it is over, its stack is unwound, so that what it holds is
/// dropped. A stack that overflows ends the process, as the stack of a thread does; behind each there is a page that no
/// program can write to.
pub struct Coroutine<T> {
    inner: Option<Inner<T>>,
}

/// A program ended with a panic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Panicked {
    /// What it said.
    pub message: String,
}

impl Panicked {
    /// What a panic with this payload says.
    pub fn of(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self { message: text.unwrap_or_else(|| "no message".to_owned()) }
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)
    }
}

impl std::error::Error for Panicked {}

impl<T: 'static> Coroutine<T> {
    /// A program that has not begun, with so many bytes of stack; no fewer than [`LEAST_STACK`]. What is given as `local` its
    /// code can ask for, see [`local`](crate::local).
    ///
    /// # Errors
    /// There is no memory for the stack, or the process may not have more of them: each takes two of what Linux counts in
    /// `vm.max_map_count`.
    pub fn new(stack: usize, local: Rc<dyn Any>, body: impl FnOnce() -> T + 'static) -> io::Result<Self> {
        let stack = DefaultStack::new(stack.max(LEAST_STACK))?;
        let inner = Inner::with_stack(stack, move |yielder, waker| {
            current::begin(yielder, waker, local);
            panic::catch_unwind(AssertUnwindSafe(body))
        });
        Ok(Self { inner: Some(inner) })
    }
}

impl<T> Future for Coroutine<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.inner.as_mut().expect("a program that is over is not gone on with");
        let outer = current::enter(Place::Outside);
        let result = inner.resume(cx.waker().clone());
        drop(current::enter(outer));
        match result {
            CoroutineResult::Yield(()) => Poll::Pending,
            CoroutineResult::Return(result) => {
                // The stack goes before what waits for the program goes on.
                self.inner = None;
                Poll::Ready(result.map_err(|payload| Panicked::of(&*payload)))
            }
        }
    }
}

impl<T> Drop for Coroutine<T> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            // What never began has nothing to unwind: what it was given is dropped, that is all.
            let outer = current::enter(if inner.started() { Place::Ending } else { Place::Outside });
            drop(inner);
            current::enter(outer);
        }
    }
}

impl<T> fmt::Debug for Coroutine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine").field("is_over", &self.inner.is_none()).finish()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use core::future::poll_fn;

    use super::*;
    use crate::{CannotWait, is_running, local, wait};

    fn coroutine<T: 'static>(body: impl FnOnce() -> T + 'static) -> Pin<Box<Coroutine<T>>> {
        Box::pin(Coroutine::new(LEAST_STACK, Rc::new(7u32), body).unwrap())
    }

    fn poll<T>(program: &mut Pin<Box<Coroutine<T>>>) -> Poll<Result<T, Panicked>> {
        program.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Pending once.
    fn pause() -> Result<(), CannotWait> {
        let mut asked = false;
        wait(poll_fn(move |_| if core::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }))
    }

    #[test]
    fn programs_take_turns_each_where_it_was_left() {
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut programs: Vec<_> = (0..3)
            .map(|name| {
                let log = log.clone();
                coroutine(move || {
                    for turn in 0..2 {
                        log.borrow_mut().push((name, turn, *local::<u32>().unwrap()));
                        pause().unwrap();
                        assert!(is_running());
                    }
                    name
                })
            })
            .collect();
        for _ in 0..2 {
            programs.iter_mut().for_each(|p| assert!(poll(p).is_pending()));
        }
        assert!(!is_running());
        assert_eq!(*log.borrow(), [(0, 0, 7), (1, 0, 7), (2, 0, 7), (0, 1, 7), (1, 1, 7), (2, 1, 7)]);
        let ends: Vec<_> = programs.iter_mut().map(poll).collect();
        assert_eq!(ends, [0, 1, 2].map(|name| Poll::Ready(Ok(name))));
    }

    #[test]
    fn a_program_that_drives_another_is_itself_again_afterwards() {
        let mut outer = coroutine(|| {
            let mut inner = coroutine(|| {
                pause().unwrap();
                5
            });
            assert!(poll(&mut inner).is_pending());
            pause().unwrap();
            let inner = wait(inner).unwrap().unwrap();
            pause().unwrap();
            inner
        });
        assert!(poll(&mut outer).is_pending());
        assert!(poll(&mut outer).is_pending());
        assert_eq!(poll(&mut outer), Poll::Ready(Ok(5)));
    }

    #[test]
    fn a_panic_is_what_the_program_comes_to() {
        let mut program = coroutine(|| -> u32 {
            pause().unwrap();
            "none".parse().expect("a value")
        });
        assert!(poll(&mut program).is_pending());
        assert_eq!(
            poll(&mut program),
            Poll::Ready(Err(Panicked { message: "a value: ParseIntError { kind: InvalidDigit }".into() }))
        );
    }

    /// Counts its drops, and tries to wait in them.
    struct Holds(Rc<Cell<u32>>);

    impl Drop for Holds {
        fn drop(&mut self) {
            assert_eq!(pause(), Err(CannotWait));
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn what_is_dropped_halfway_lets_go_of_what_it_holds() {
        let dropped = Rc::new(Cell::new(0));
        let (begun, unbegun) = (Holds(dropped.clone()), Holds(dropped.clone()));
        let mut waiting = coroutine(move || {
            let _held = begun;
            // Nothing that catches the unwinding goes on either.
            let _ = panic::catch_unwind(|| pause().unwrap());
            let _ = pause();
            unreachable!("it was dropped");
        });
        let asleep = coroutine(move || drop(unbegun));
        assert!(poll(&mut waiting).is_pending());
        drop(waiting);
        assert_eq!(dropped.get(), 1);
        drop(asleep);
        assert_eq!(dropped.get(), 2);
    }

    #[test]
    fn only_a_running_program_waits() {
        assert_eq!(pause(), Err(CannotWait));
        assert_eq!(wait(core::future::ready(3)), Ok(3));
        assert!(local::<u32>().is_none());
    }

    #[test]
    fn a_program_dropped_by_another_leaves_that_running() {
        let mut outer = coroutine(|| {
            let mut inner = coroutine(|| pause().unwrap());
            assert!(poll(&mut inner).is_pending());
            drop(inner);
            pause().unwrap();
            1
        });
        assert!(poll(&mut outer).is_pending());
        assert_eq!(poll(&mut outer), Poll::Ready(Ok(1)));
    }
}
