//! Runs a real program in a host's place: a namespace of its own, whose `eth0` is a TAP plugged into the lab.
//!
//! Two processes stand around the program. The outer one talks to the lab, makes the namespaces and the TAP, and
//! hands signals on. The inner one ([`init`]) is the first of the process namespace: it collects orphans, and when it
//! ends the kernel ends whatever the program left behind.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::ids::{MAP, Users};
use super::interface::Interface;
use super::namespace;
use super::tap::{Offload, Persistence, Tap};
use crate::control::{Client, Place, Reply, Request};

/// The hidden subcommand with which the outer process starts the inner one.
pub const INIT: &str = "__init";

/// What programs get between SIGTERM and SIGKILL when their lab ends.
pub const GRACE: Duration = Duration::from_secs(3);

/// With which the outer process tells the inner one that the lab has ended: "power failure (System V)", as of a container.
const END: Signal = Signal::SIGPWR;

/// `si_code` of signals that the kernel sent itself (`sigaction(2)`).
const SI_KERNEL: i32 = 0x80;

/// Runs `argv` in the place of `host` of the lab that `client` is connected to, and returns its exit code; 128 and the
/// signal's number where a signal ended it.
///
/// The process must have one thread. The current executable must answer to [`INIT`] by calling [`init`], and to [`MAP`] by
/// calling [`map_from_outside`](super::ids::map_from_outside).
///
/// # Errors
/// Where the lab refuses, or the system forbids namespaces or TAPs; each says what to do.
pub fn exec(client: &mut Client, host: &str, argv: &[String]) -> io::Result<u8> {
    let place = match client.ask(&Request::Plug { host: host.to_owned() })? {
        Reply::Place(place) => *place,
        other => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected a place, got {other:?}"))),
    };
    match place.join {
        Some(pid) => join(pid)?,
        None => {
            let mut outside = Command::new(std::env::current_exe()?);
            outside.arg(MAP);
            namespace::enter(Users::All(outside))?;
            let tap = plug(&place)?;
            client.hand_over(tap.as_fd())?;
            drop(tap);
            match client.receive()? {
                Reply::Ok => {}
                Reply::Error { text } => return Err(io::Error::other(text)),
                other => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected ok, got {other:?}"))),
            }
            let named = namespace::set_resolv_conf(&place.name_servers, &place.search)
                .and_then(|()| if place.hosts.is_empty() { Ok(()) } else { namespace::set_hosts(&place.hosts) });
            if let Err(e) = named {
                eprintln!("septet: names will not resolve as on {host}: {e}");
            }
        }
    }
    let init = std::env::current_exe()?;
    supervise(Command::new(init).arg(INIT).arg("--").args(argv), Role::Outer(client))
}

/// The inner process: runs `argv` and returns its exit code.
///
/// # Errors
/// Where the program cannot be started.
pub fn init(argv: &[String]) -> io::Result<u8> {
    // With the outer process gone nobody could end what runs here.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let Some((program, args)) = argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a program after `--`"));
    };
    supervise(Command::new(program).args(args), Role::Inner)
}

/// Makes and configures `eth0`.
fn plug(place: &Place) -> io::Result<Tap> {
    let tap = Tap::open("eth0", Offload::None, Persistence::Fresh)?;
    let eth0 = Interface::open("eth0")?;
    eth0.set_mac(place.mac)?;
    eth0.set_mtu(place.mtu)?;
    // The lab sees to it that nobody else has its addresses, and programs want theirs at once.
    if place.addresses.iter().any(|(address, _)| address.is_ipv6()) {
        let _ = eth0.skip_duplicate_detection();
    }
    // Linux forgets addresses of IPv6 that an interface gets before it is up.
    eth0.up()?;
    for (address, prefix) in &place.addresses {
        eth0.set_address(*address, *prefix)?;
    }
    Interface::open("lo")?.up()?;
    for gateway in &place.gateways {
        eth0.add_default_route(*gateway)?;
    }
    Ok(tap)
}

/// Enters the namespaces of a process that has the place already.
fn join(pid: u32) -> io::Result<()> {
    let directory = std::env::current_dir();
    for (name, kind) in
        [("user", LinkNameSpaceType::User), ("mnt", LinkNameSpaceType::Mount), ("net", LinkNameSpaceType::Network)]
    {
        let path = format!("/proc/{pid}/ns/{name}");
        let file = File::open(&path).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
        move_into_link_name_space(file.as_fd(), Some(kind))
            .map_err(|e| io::Error::other(format!("cannot join {path}: {}", io::Error::from(e))))?;
    }
    // setns(2) of a mount namespace moves us to its root; both show the same files.
    if let Err(e) = directory.and_then(std::env::set_current_dir) {
        eprintln!("septet: the program begins in /, not in this directory: {e}");
    }
    // Of its own, or it would end with the first program's.
    namespace::own_processes()
}

/// Which of the two processes supervises.
enum Role<'a> {
    /// The one that the lab talks to.
    Outer(&'a Client),
    /// The first of the process namespace.
    Inner,
}

/// Starts `command`, hands signals on to it, collects every child that ends, and returns the command's exit code.
///
/// Where the lab ends, every process of the place gets SIGTERM: the command may be a shell that started the server proper.
/// What is left after [`GRACE`], or at an interruption meanwhile, gets SIGKILL.
fn supervise(command: &mut Command, role: Role<'_>) -> io::Result<u8> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD, END] {
        signals.add(signal);
    }
    let name = command.get_program().to_string_lossy().into_owned();
    // A child inherits what is blocked, so this comes first; one that ends at once is found by the first `collect`.
    let child = command.spawn().map_err(|e| io::Error::new(e.kind(), format!("{name}: {e}")))?;
    signals.thread_block()?;
    let fd = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut lab = match role {
        Role::Outer(client) => Some(client),
        Role::Inner => None,
    };
    let is_inner = lab.is_none();
    let mut code = None;
    // When what is left is killed.
    let mut deadline: Option<Instant> = None;
    // The inner process, told of the end, waits for the others too: with it the kernel ends them.
    let mut waits_for_all = false;
    loop {
        let collected = collect(pid)?;
        code = code.or(collected.code);
        match code {
            Some(code) if !waits_for_all || collected.none_left => return Ok(code),
            _ => {}
        }
        let mut polled = vec![PollFd::new(&fd, PollFlags::IN)];
        if let Some(lab) = lab {
            polled.push(PollFd::new(lab, PollFlags::IN));
        }
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        poll(&mut polled, timeout.as_ref())?;
        let lab_spoke = polled.get(1).is_some_and(|p| !p.revents().is_empty());
        // Signals first: the interruption that ended the lab is not one of the time after it.
        while let Some(info) = fd.read_signal()? {
            match Signal::try_from(info.ssi_signo.cast_signed())? {
                Signal::SIGCHLD => {}
                END if is_inner => {
                    waits_for_all = true;
                    // All but this one; there may be nobody left.
                    let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
                }
                Signal::SIGINT if deadline.is_some() => deadline = Some(Instant::now()),
                // What a terminal sends, its whole process group gets, the command too.
                _ if info.ssi_code == SI_KERNEL => {}
                signal => {
                    // It may have ended a moment ago; then there is nobody to tell.
                    let _ = kill(pid, signal);
                }
            }
        }
        if lab_spoke {
            // After the place was given the lab has nothing more to say: this is its end.
            lab = None;
            deadline = Some(Instant::now() + GRACE);
            let _ = kill(pid, END);
        }
        if deadline.is_some_and(|at| at <= Instant::now()) {
            deadline = None;
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
}

/// What [`collect`] found.
struct Collected {
    /// The exit code of the process asked for, where that was among them.
    code: Option<u8>,
    /// Whether no child is left.
    none_left: bool,
}

/// Collects the children that have ended.
fn collect(pid: Pid) -> io::Result<Collected> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(ended, with)) if ended == pid => code = Some(with as u8),
            Ok(WaitStatus::Signaled(ended, signal, _)) if ended == pid => code = Some(128 + signal as u8),
            Ok(WaitStatus::StillAlive) => return Ok(Collected { code, none_left: false }),
            Err(nix::errno::Errno::ECHILD) => return Ok(Collected { code, none_left: true }),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
