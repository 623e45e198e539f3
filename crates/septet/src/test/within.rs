//! What programs may let go wrong with the world that they are in, and ask of it.

use core::time::Duration;

use septet_core::Instant;
use septet_host::Here;

use super::faults::Hosts;
use super::wish::Wish;
use crate::desk::Desk;

/// Asks whoever plays the calling program's world.
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
fn wish(what: Wish) {
    let desk = Here::current().and_then(|here| here.beside::<Desk>());
    desk.expect("called by a program of a `septet::test::World`").board.wish(what);
}

/// Nothing passes between `a` and `b` any more, from within a program; see [`World::partition`](super::World::partition).
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
pub fn partition(a: impl Hosts, b: impl Hosts) {
    wish(Wish::Partition(a.names(), b.names()));
}

/// Nothing passes from `from` to `to` any more, from within a program; see [`World::partition_oneway`](super::World::partition_oneway).
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
pub fn partition_oneway(from: impl Hosts, to: impl Hosts) {
    wish(Wish::PartitionOneway(from.names(), to.names()));
}

/// Ends what was done between `a` and `b`, from within a program; see [`World::repair`](super::World::repair).
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
pub fn repair(a: impl Hosts, b: impl Hosts) {
    wish(Wish::Repair(a.names(), b.names()));
}

/// What passes between `a` and `b` waits, from within a program; see [`World::hold`](super::World::hold).
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
pub fn hold(a: impl Hosts, b: impl Hosts) {
    wish(Wish::Hold(a.names(), b.names()));
}

/// What waited goes on, from within a program; see [`World::release`](super::World::release).
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
pub fn release(a: impl Hosts, b: impl Hosts) {
    wish(Wish::Release(a.names(), b.names()));
}

/// Hosts lose their power, from within a program; see [`World::crash`](super::World::crash).
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
pub fn crash(hosts: impl Hosts) {
    wish(Wish::Crash(hosts.names()));
}

/// Hosts begin anew, from within a program; see [`World::restart`](super::World::restart).
///
/// # Panics
/// Outside of a [`World`](super::World).
#[track_caller]
pub fn restart(hosts: impl Hosts) {
    wish(Wish::Restart(hosts.names()));
}

/// The time that has passed in the calling program's world.
///
/// # Panics
/// Outside of a simulation.
#[track_caller]
pub fn elapsed() -> Duration {
    let here = Here::current().expect("called by a program of a simulation");
    here.now().saturating_since(Instant::ZERO)
}
