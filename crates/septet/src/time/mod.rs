//! Time in tokio's shape: inside a simulation it is the simulated host's, outside it is tokio's own.
//!
//! ```
//! use core::time::Duration;
//! use septet::time::{Instant, interval, sleep, timeout};
//!
//! let mut world = septet::test::World::new();
//! world.client("patient", async {
//!     let begun = Instant::now();
//!     sleep(Duration::from_secs(30)).await;
//!     assert_eq!(begun.elapsed(), Duration::from_secs(30));
//!     assert!(timeout(Duration::from_millis(5), core::future::pending::<()>()).await.is_err());
//!     let mut ticks = interval(Duration::from_secs(1));
//!     ticks.tick().await;
//!     ticks.tick().await;
//!     Ok(())
//! });
//! world.run()?;
//! # Ok::<(), septet::test::Failure>(())
//! ```
//!
//! A host's clock may [go wrong](crate::test::World::skew): [`SystemTime`](system_time) then jumps, and where it drifts, what
//! the host takes for a second is shorter or longer than one.

mod clock;
mod instant;
mod interval;
mod sleep;
mod timeout;

pub use clock::{system_time, unix_time};
pub use core::time::Duration;
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Timeout, timeout, timeout_at};

/// What goes wrong with time.
pub mod error {
    pub use super::timeout::Elapsed;
}
