//! Namespaces of one's own: how a real program gets a place in the lab without root.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::thread::UnshareFlags;

use super::ids::{Mapper, Users};
use super::sys::unshare;

/// Moves the current process into a fresh user, network and mount namespace, in which it is root; the first
/// process that it starts next is the first of a fresh process namespace.
///
/// The process must have one thread.
///
/// # Errors
/// Where the system forbids it, the error says so and names the setting.
pub fn enter(users: Users) -> io::Result<()> {
    let mapper = Mapper::start(users)?;
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWNS | UnshareFlags::NEWPID)
        .map_err(explain)?;
    mapper.map()?;
    // What is mounted from here on stays here.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    Ok(())
}

/// Makes the process that is started next the first of a fresh process namespace.
///
/// # Errors
/// The kernel's.
pub fn own_processes() -> io::Result<()> {
    unshare(UnshareFlags::NEWPID).map_err(explain)
}

/// Shows the programs of this mount namespace the name servers of a lab.
///
/// # Errors
/// `NotFound` where the system has no `/etc/resolv.conf` to lay ours over; else the kernel's.
pub fn set_resolv_conf(servers: &[IpAddr], search: &[String]) -> io::Result<()> {
    let mut text = String::new();
    for server in servers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !search.is_empty() {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    lay_over("/etc/resolv.conf", &text)
}

/// Shows the programs of this mount namespace the hosts of a lab, beside the loopback's name.
///
/// # Errors
/// `NotFound` where the system has no `/etc/hosts` to lay ours over; else the kernel's.
pub fn set_hosts(hosts: &[(String, Vec<IpAddr>)]) -> io::Result<()> {
    let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
    for (name, addresses) in hosts {
        for address in addresses {
            text.push_str(&format!("{address} {name}\n"));
        }
    }
    lay_over("/etc/hosts", &text)
}

/// Lets `target` show `text` in this mount namespace.
fn lay_over(target: &str, text: &str) -> io::Result<()> {
    let name = target.rsplit('/').next().unwrap_or(target);
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    let file = std::env::temp_dir().join(format!("septet-{name}-{:016x}", u64::from_ne_bytes(random)));
    let mut shown = fs::OpenOptions::new().write(true).create_new(true).open(&file)?;
    shown.write_all(text.as_bytes())?;
    // Every user of the place may read it, whatever our umask.
    shown.set_permissions(fs::Permissions::from_mode(0o644))?;
    let mounted = fs::canonicalize(target).and_then(|target| Ok(mount_bind(&file, &target)?));
    // The mount keeps the file alive; its name is no longer needed.
    let removed = fs::remove_file(&file);
    mounted.map_err(|e| io::Error::new(e.kind(), format!("{target}: {e}")))?;
    removed
}

fn explain(error: rustix::io::Errno) -> io::Error {
    let setting = [
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ]
    .into_iter()
    .find(|(path, forbids, _)| fs::read_to_string(path).is_ok_and(|value| value.trim() == *forbids));
    let error = io::Error::from(error);
    let text = match setting {
        Some((_, _, mend)) => {
            format!("this system forbids user namespaces to ordinary users; `sysctl {mend}` allows them")
        }
        None => format!("no user namespace of our own: {error}"),
    };
    io::Error::new(error.kind(), text)
}
