//! How many descriptors a process may have.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Beside those of connections: standard streams, epoll, the listener, libraries.
const OTHERS: u64 = 32;

/// Lets this process have as many descriptors as it may give itself; says how many connections that leaves room for.
pub(crate) fn raise() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // Root may go beyond, as far as the kernel goes.
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok());
    let beyond = most.filter(|most| *most > hard && setrlimit(Resource::RLIMIT_NOFILE, *most, *most).is_ok());
    let now = match beyond {
        Some(most) => most,
        None if hard > soft => setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard)?,
        None => soft,
    };
    Ok(now.saturating_sub(OTHERS))
}
