//! Waiting for something, but not for ever.

use core::fmt;
use core::future::IntoFuture;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use pin_project_lite::pin_project;

use super::{Instant, Sleep, sleep, sleep_until};

/// Runs `future` for at most `duration`.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     use septet::time::{Duration, sleep, timeout};
///     let quick = timeout(Duration::from_secs(2), async { 7 }).await;
///     assert_eq!(quick?, 7);
///     let slow = timeout(Duration::from_secs(2), sleep(Duration::from_secs(3))).await;
///     assert!(slow.is_err());
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Outside of a simulation and of tokio's runtime.
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout { value: future.into_future(), delay: sleep(duration) }
}

/// Runs `future` until `deadline` at the latest.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     use septet::time::{Duration, Instant, timeout_at};
///     let deadline = Instant::now() + Duration::from_secs(2);
///     assert!(timeout_at(deadline, core::future::pending::<()>()).await.is_err());
///     assert_eq!(Instant::now(), deadline);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Outside of a simulation and of tokio's runtime.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { value: future.into_future(), delay: sleep_until(deadline) }
}

pin_project! {
    /// A future with a bound on its time; see [`timeout`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Timeout<T> {
        #[pin]
        value: T,
        #[pin]
        delay: Sleep,
    }
}

impl<T> Timeout<T> {
    /// The future inside.
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// The future inside, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// The future inside.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: Future> Future for Timeout<T> {
    type Output = Result<T::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(value) = this.value.poll(cx) {
            return Poll::Ready(Ok(value));
        }
        this.delay.poll(cx).map(|()| Err(Elapsed(())))
    }
}

/// The time ran out first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(_: Elapsed) -> Self {
        io::ErrorKind::TimedOut.into()
    }
}
