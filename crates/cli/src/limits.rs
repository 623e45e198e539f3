//! How much memory a run may take before it is ended, rather than the machine.

use core::fmt;
use core::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::exit::Exit;
use crate::terminal::tell;

/// A bound on the memory of the process, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Memory(u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const LEAST: u64 = 16 << 20;
        match septet_lab::parse_size(text)? {
            bytes if bytes < LEAST => Err("septet itself needs some 16mb".to_owned()),
            bytes => Ok(Self(bytes)),
        }
    }
}

impl fmt::Display for Memory {
    /// `750 MiB`, `11.6 GiB`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.0 as f64 / f64::from(1 << 20);
        if mib < 1024.0 { write!(f, "{mib:.0} MiB") } else { write!(f, "{:.1} GiB", mib / 1024.0) }
    }
}

static OVER: AtomicBool = AtomicBool::new(false);
static HEEDED: AtomicBool = AtomicBool::new(false);
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

/// From one look at the process to the next.
const PAUSE: Duration = Duration::from_millis(20);
/// Looks after which a run that does not heed the bound is ended from outside.
const PATIENCE: u32 = 50;

/// From now on the process is watched, where the system tells what it takes. Without a bound three quarters of what the
/// machine, or the process's share of it, has.
pub(crate) fn watch(memory: Option<Memory>) {
    let Some(Memory(limit)) = memory.or_else(most) else { return };
    LIMIT.store(limit, Ordering::Relaxed);
    std::thread::spawn(move || {
        let mut over = 0;
        while let Some(taken) = taken() {
            if taken > limit {
                OVER.store(true, Ordering::Relaxed);
                over += 1;
            }
            if over > PATIENCE && !HEEDED.load(Ordering::Relaxed) {
                tell!("septet: {}", exceeded());
                std::process::exit(Exit::Expectation.code().into());
            }
            std::thread::sleep(PAUSE);
        }
    });
}

/// Whether the bound was passed.
pub(crate) fn passed() -> bool {
    OVER.load(Ordering::Relaxed)
}

/// What is wrong, in words.
pub(crate) fn exceeded() -> String {
    format!("the run takes more memory than {} (--memory)", Memory(LIMIT.load(Ordering::Relaxed)))
}

/// The run has ended because of it.
pub(crate) fn heed() {
    HEEDED.store(true, Ordering::Relaxed);
}

/// Bytes of this process that lie in memory: the second field of `/proc/self/statm`, in pages.
fn taken() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// Linux counts by 4 KiB on x86-64 and, for most, on arm64; where pages are larger the bound is the looser for it.
const PAGE: u64 = 4096;

fn most() -> Option<Memory> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = line.split_whitespace().next()?.parse::<u64>().ok()? * 1024;
    // cgroups(7): "max" where there is no bound.
    let own = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(Memory(own.map_or(total, |own: u64| own.min(total)) / 4 * 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_sizes() {
        assert_eq!("64mb".parse(), Ok(Memory(64 << 20)));
        assert!("64".parse::<Memory>().is_err() && "much".parse::<Memory>().is_err());
        assert_eq!((Memory(750 << 20).to_string(), Memory(3 << 29).to_string()), ("750 MiB".into(), "1.5 GiB".into()));
    }
}
