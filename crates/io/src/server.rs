//! The process of a server: it serves in one style, and tells on demand what the kernel has on its account.

use std::io::{self, BufRead as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use crate::{Protocol, Style, limits};

/// What the kernel has on the account of a process, since it began.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// CPU time, user and system.
    pub(crate) cpu: Duration,
    /// Context switches because it waited.
    pub(crate) voluntary: u64,
    /// Context switches because others were to run.
    pub(crate) involuntary: u64,
    /// Resident memory now, in octets.
    pub(crate) rss: u64,
}

impl Usage {
    fn now() -> io::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let time = |t: TimeVal| Duration::from_micros(t.tv_sec() as u64 * 1_000_000 + t.tv_usec() as u64);
        let status = std::fs::read_to_string("/proc/self/status")?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        Ok(Self {
            cpu: time(usage.user_time()) + time(usage.system_time()),
            voluntary: usage.voluntary_context_switches() as u64,
            involuntary: usage.involuntary_context_switches() as u64,
            rss: rss.unwrap_or(0) * 1024,
        })
    }
}

/// Serves on a port of its own, which it prints; then prints its [`Usage`] for each line that it reads, and ends with its input.
///
/// # Errors
/// What the kernel refuses: a listener, or threads and descriptors for the connections that came.
pub fn serve(style: &Style, protocol: Protocol) -> io::Result<()> {
    limits::raise()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // The clients may come faster than they are taken.
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(4096)?)?;
    say(&listener.local_addr()?.port().to_string())?;
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let told = line.and_then(|_| Usage::now()).and_then(|usage| say(&serde_json::to_string(&usage)?));
            if told.is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    (style.serve)(listener, protocol)
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
