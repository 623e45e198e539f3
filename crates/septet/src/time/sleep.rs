//! Waiting for a moment.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use pin_project_lite::pin_project;
use septet_engine::executor::Timer;
use septet_host::Here;

use super::{Instant, clock};

/// Waits until `deadline`.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     use septet::time::{Duration, Instant, sleep_until};
///     let begun = Instant::now();
///     sleep_until(begun + Duration::from_secs(3)).await;
///     assert_eq!(begun.elapsed(), Duration::from_secs(3));
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Outside of a simulation and of tokio's runtime.
pub fn sleep_until(deadline: Instant) -> Sleep {
    let kind = match Here::current() {
        Some(here) => Kind::Here { timer: timer(&here, deadline), host: here },
        None => Kind::Real { sleep: tokio::time::sleep_until(deadline.into_tokio()) },
    };
    Sleep { deadline, is_elapsed: false, kind }
}

/// Waits for `duration`.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     use septet::time::{Duration, Instant, sleep};
///     let begun = Instant::now();
///     sleep(Duration::from_millis(250)).await;
///     assert_eq!(begun.elapsed(), Duration::from_millis(250));
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Outside of a simulation and of tokio's runtime.
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now().checked_add(duration).unwrap_or_else(Instant::far_future))
}

fn timer(here: &Here, deadline: Instant) -> Timer {
    here.sleep_until(clock::when(here, deadline.own()))
}

pin_project! {
    /// A future that waits for a moment; see [`sleep`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Sleep {
        deadline: Instant,
        is_elapsed: bool,
        #[pin]
        kind: Kind,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind {
        Here { timer: Timer, host: Here },
        Real { #[pin] sleep: tokio::time::Sleep },
    }
}

impl Sleep {
    /// When it completes.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it has completed.
    pub fn is_elapsed(&self) -> bool {
        match &self.kind {
            Kind::Here { host, .. } => self.is_elapsed || clock::shown(host) >= self.deadline.own(),
            Kind::Real { sleep } => sleep.is_elapsed(),
        }
    }

    /// Lets it complete at another moment.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.project();
        (*this.deadline, *this.is_elapsed) = (deadline, false);
        match this.kind.project() {
            KindProj::Here { timer, host } => *timer = self::timer(host, deadline),
            KindProj::Real { sleep } => sleep.reset(deadline.into_tokio()),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        match this.kind.project() {
            KindProj::Here { timer, host } => loop {
                if Pin::new(&mut *timer).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // A clock that was slowed down meanwhile has not got there yet.
                if *this.is_elapsed || clock::shown(host) >= this.deadline.own() {
                    *this.is_elapsed = true;
                    return Poll::Ready(());
                }
                *timer = self::timer(host, *this.deadline);
            },
            KindProj::Real { sleep } => sleep.poll(cx),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish()
    }
}
