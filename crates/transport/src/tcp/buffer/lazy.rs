//! State that only a busy connection has: boxed when first written, given back to a pool when it rests.

use core::cell::RefCell;
use core::fmt;
use core::ops::{Deref, DerefMut};
use std::thread::LocalKey;

/// Boxes kept for the next busy connection.
pub(crate) type Pool<T> = RefCell<Vec<Box<T>>>;

/// How many boxes of a kind a thread keeps.
const KEPT: usize = 1024;

/// What can be left away while it is as it began.
pub(crate) trait Resting: Default + 'static {
    /// Itself at rest, to be read where there is no box.
    const REST: &'static Self;

    /// The pool of the current thread.
    fn pool() -> &'static LocalKey<Pool<Self>>;

    /// Goes back to rest; memory of moderate size may be kept.
    fn rest(&mut self);
}

/// A `T` that takes no room while it rests. Reading never makes one; writing does.
pub(crate) struct Lazy<T: Resting>(Option<Box<T>>);

impl<T: Resting> Lazy<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Gives the box back; everything in it is forgotten.
    pub(crate) fn release(&mut self) {
        if let Some(mut old) = self.0.take() {
            old.rest();
            // Where the thread is ending the pool is gone, and the box goes to the allocator.
            let _ = T::pool().try_with(|pool| {
                let mut pool = pool.borrow_mut();
                if pool.len() < KEPT {
                    pool.push(old);
                }
            });
        }
    }

    fn make() -> Box<T> {
        T::pool().try_with(|pool| pool.borrow_mut().pop()).ok().flatten().unwrap_or_default()
    }
}

impl<T: Resting> Deref for Lazy<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Some(boxed) => boxed,
            None => T::REST,
        }
    }
}

impl<T: Resting> DerefMut for Lazy<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(Self::make)
    }
}

impl<T: Resting + fmt::Debug> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

impl<T: Resting> Drop for Lazy<T> {
    fn drop(&mut self) {
        self.release();
    }
}

/// Implements [`Resting::pool`] for a type.
macro_rules! pool {
    ($ty:ty) => {
        fn pool() -> &'static std::thread::LocalKey<$crate::tcp::buffer::Pool<Self>> {
            thread_local! {
                static POOL: $crate::tcp::buffer::Pool<$ty> = const { core::cell::RefCell::new(Vec::new()) };
            }
            &POOL
        }
    };
}
pub(crate) use pool;
