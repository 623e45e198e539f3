//! What hyper wants of a runtime, inside a simulation and outside: an executor, a timer, and its own traits to read and write.
//!
//! They are what `hyper_util::rt::{TokioExecutor, TokioTimer, TokioIo}` are to tokio.
//!
//! hyper's servers write the date of the machine's clock into each answer, which no seed reaches: build them with
//! `auto_date_header(false)`.

use core::pin::Pin;
use core::time::Duration;

use hyper::rt::{Executor, Timer};

pub use septet_application::http::Io as HostIo;

use crate::time::{Instant, Sleep, sleep, sleep_until};

/// Spawns as [`task::spawn`](crate::task::spawn) does.
#[derive(Clone, Copy, Default, Debug)]
pub struct HostExecutor;

impl<F> Executor<F> for HostExecutor
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        drop(crate::task::spawn(future));
    }
}

/// Counts the time of [`septet::time`](crate::time).
#[derive(Clone, Copy, Default, Debug)]
pub struct HostTimer;

impl Timer for HostTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(sleep_until(Instant::from_std(deadline)))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

impl hyper::rt::Sleep for Sleep {}
