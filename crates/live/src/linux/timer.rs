//! A timer with the kernel's resolution, for the reactor: tokio's own counts in milliseconds.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::sys::watch;

/// A `timerfd` on the monotonic clock.
#[derive(Debug)]
pub struct Timer {
    fd: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer that is not set. Needs a tokio runtime with its reactor.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new() -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { fd: watch(fd)? })
    }

    /// Completes after `duration`; a later call replaces an earlier one.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn sleep(&self, duration: Duration) -> io::Result<()> {
        self.arm(duration)?;
        self.fired().await
    }

    /// Sets it to fire once after `duration`, and forgets what it was set to before.
    ///
    /// # Errors
    /// The kernel's.
    pub fn arm(&self, duration: Duration) -> io::Result<()> {
        // A value of zero would disarm it.
        let nanos = duration.max(Duration::from_nanos(1));
        let value = Timespec {
            tv_sec: i64::try_from(nanos.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: nanos.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Completes when it fires, or at once where it has; for ever pending where it was not set.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn fired(&self) -> io::Result<()> {
        loop {
            let mut guard = self.fd.readable().await?;
            let mut expirations = [0u8; 8];
            match guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut expirations)?)) {
                Ok(result) => return result.map(|_| ()),
                Err(_would_block) => {}
            }
        }
    }
}
