//! Runs a real program in a host's place: a namespace of its own, whose `eth0` is a TAP plugged into the lab.
//!
//! Two processes stand around the program. The outer one talks to the lab, makes the namespaces and the TAP, and
//! hands signals on. The inner one ([`init`]) is the first of the process namespace: it collects orphans, and when it
//! ends the kernel ends whatever the program left behind.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::interface::Interface;
use super::namespace;
use super::tap::{Offload, Persistence, Tap};
use crate::control::{Client, Place, Reply, Request};

/// The hidden subcommand with which the outer process starts the inner one.
pub const INIT: &str = "__init";

/// `si_code` of signals that the kernel sent itself (`sigaction(2)`).
const SI_KERNEL: i32 = 0x80;

/// Runs `argv` in the place of `host` of the lab that `client` is connected to, and returns its exit code; 128 and the
/// signal's number where a signal ended it.
///
/// The process must have one thread. The current executable must answer to [`INIT`] by calling [`init`].
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
            namespace::enter()?;
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
    supervise(Command::new(init).arg(INIT).arg("--").args(argv), Some(client))
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
    supervise(Command::new(program).args(args), None)
}

/// Makes and configures `eth0`.
fn plug(place: &Place) -> io::Result<Tap> {
    let tap = Tap::open("eth0", Offload::None, Persistence::Fresh)?;
    let eth0 = Interface::open("eth0")?;
    eth0.set_mac(place.mac)?;
    eth0.set_mtu(place.mtu)?;
    eth0.set_address(place.address, place.prefix)?;
    eth0.up()?;
    Interface::open("lo")?.up()?;
    if let Some(gateway) = place.gateway {
        eth0.add_default_route(gateway)?;
    }
    Ok(tap)
}

/// Enters the namespaces of a process that has the place already.
fn join(pid: u32) -> io::Result<()> {
    for (name, kind) in
        [("user", LinkNameSpaceType::User), ("mnt", LinkNameSpaceType::Mount), ("net", LinkNameSpaceType::Network)]
    {
        let path = format!("/proc/{pid}/ns/{name}");
        let file = File::open(&path).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
        move_into_link_name_space(file.as_fd(), Some(kind))
            .map_err(|e| io::Error::other(format!("cannot join {path}: {}", io::Error::from(e))))?;
    }
    // Of its own, or it would end with the first program's.
    namespace::own_processes()
}

/// Starts `command`, hands signals on to it, collects every child that ends, and returns the command's exit code.
/// Where `lab` goes away the command is ended.
fn supervise(command: &mut Command, lab: Option<&Client>) -> io::Result<u8> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD] {
        signals.add(signal);
    }
    let name = command.get_program().to_string_lossy().into_owned();
    // A child inherits what is blocked, so this comes first; one that ends at once is found by the first `collect`.
    let child = command.spawn().map_err(|e| io::Error::new(e.kind(), format!("{name}: {e}")))?;
    signals.thread_block()?;
    let fd = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut lab = lab;
    loop {
        if let Some(code) = collect(pid)? {
            return Ok(code);
        }
        let signal = PollFd::new(&fd, PollFlags::IN);
        let mut polled = vec![signal];
        if let Some(lab) = lab {
            polled.push(PollFd::new(lab, PollFlags::IN));
        }
        poll(&mut polled, None)?;
        let lab_spoke = polled.get(1).is_some_and(|p| !p.revents().is_empty());
        if lab_spoke {
            // After the place was given the lab has nothing more to say: this is its end.
            lab = None;
            kill(pid, Signal::SIGKILL)?;
        }
        while let Some(info) = fd.read_signal()? {
            let signal = Signal::try_from(info.ssi_signo.cast_signed())?;
            // What a terminal sends, its whole process group gets, the command too.
            if signal != Signal::SIGCHLD && info.ssi_code != SI_KERNEL {
                // It may have ended a moment ago; then there is nobody to tell.
                let _ = kill(pid, signal);
            }
        }
    }
}

/// Collects children that have ended; the exit code where `pid` is among them.
fn collect(pid: Pid) -> io::Result<Option<u8>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(ended, code)) if ended == pid => return Ok(Some(code as u8)),
            Ok(WaitStatus::Signaled(ended, signal, _)) if ended == pid => return Ok(Some(128 + signal as u8)),
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(None),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
