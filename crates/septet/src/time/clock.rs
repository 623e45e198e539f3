//! What a host takes for the time.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use septet_core::Instant as WorldInstant;
use septet_host::Here;

/// What the clock of a host shows, in nanoseconds since the world began.
pub(super) fn shown(here: &Here) -> i64 {
    let now = here.now();
    match here.skewed_clock() {
        Some(clock) => clock.shown(now),
        None => i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
    }
}

/// When in the world's time the clock of a host will show `own`.
pub(super) fn when(here: &Here, own: i64) -> WorldInstant {
    match here.skewed_clock() {
        Some(clock) => clock.when(own),
        None => WorldInstant::from_nanos(u64::try_from(own).unwrap_or(0)),
    }
}

/// The civil time as the host's clock has it, since 1970-01-01T00:00:00Z: in a simulation it begins at the lab's epoch, and
/// is wrong where the clock is; outside it is the machine's.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     use septet::time::{Duration, sleep, unix_time};
///     let begun = unix_time();
///     sleep(Duration::from_secs(60)).await;
///     assert_eq!(unix_time() - begun, Duration::from_secs(60));
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn unix_time() -> Duration {
    match Here::current() {
        Some(here) => here.net().unix_time(),
        None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
    }
}

/// The same as the standard library has it: what stands for `std::time::SystemTime::now()`.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let now = septet::time::system_time();
///     assert!(now > std::time::UNIX_EPOCH);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn system_time() -> SystemTime {
    UNIX_EPOCH + unix_time()
}
