//! Straight code that waits, as a future: a program on a stack of its own, which is left where it waits and gone on with
//! where it was left.
//!
//! A [`Coroutine`] is a future as any other: whoever polls it decides when it goes on, so that it is as deterministic as its
//! executor. Code that runs in it [waits](wait) for other futures without being `async` itself.
//!
//! ```
//! use core::task::{Context, Poll, Waker};
//! use septet_coroutine::{Coroutine, DEFAULT_STACK, wait};
//!
//! let mut turns = 0;
//! let program = Coroutine::new(DEFAULT_STACK, std::rc::Rc::new(()), move || {
//!     // Pending once, then ready.
//!     let third = core::future::poll_fn(move |_| {
//!         turns += 1;
//!         if turns == 2 { Poll::Ready(turns) } else { Poll::Pending }
//!     });
//!     wait(third).unwrap() + 40
//! });
//! let mut program = Box::pin(program.unwrap());
//! let mut cx = Context::from_waker(Waker::noop());
//! assert!(program.as_mut().poll(&mut cx).is_pending());
//! assert!(matches!(program.as_mut().poll(&mut cx), Poll::Ready(Ok(42))));
//! ```

mod coroutine;
mod current;

pub use coroutine::{Coroutine, DEFAULT_STACK, LEAST_STACK, Panicked};
pub use current::{CannotWait, is_running, local, wait};
