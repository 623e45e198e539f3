//! Which users and groups exist in a namespace of one's own.
//!
//! A user namespace begins without any. As root it gets all that the machine has; as somebody else the user as its root,
//! and the range that `/etc/subuid` and `/etc/subgid` give, which the set-user-ID programs newuidmap and newgidmap of
//! shadow hand out. Only a process that stayed outside may do either (user_namespaces(7)), so [`Mapper`] is one.

use std::fs;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};

use nix::unistd::{Uid, User};
use rustix::process::{geteuid, getgid, getuid};

/// The hidden subcommand that is the process outside.
pub const MAP: &str = "__map";

/// Who exists in a namespace of one's own.
#[derive(Debug)]
pub enum Users {
    /// The user as its root, and nobody else.
    Own,
    /// All that the system gives. The command starts a process that calls [`map_from_outside`] with the number that it
    /// gets as its last argument.
    All(Command),
}

/// A process outside a user namespace to be, which maps its users and groups once it is there.
pub(super) struct Mapper {
    child: Option<Child>,
    uid: u32,
    gid: u32,
}

impl Mapper {
    /// Starts it; the namespace is then to be made by this process, and [`map`](Self::map) called.
    pub(super) fn start(users: Users) -> io::Result<Self> {
        let child = match users {
            Users::Own => None,
            Users::All(mut command) => Some(command.arg(std::process::id().to_string()).stdin(Stdio::piped()).spawn()?),
        };
        Ok(Self { child, uid: getuid().as_raw(), gid: getgid().as_raw() })
    }

    /// Maps the users and groups of the namespace in which this process now is. Where the system gives none but one's
    /// own, that becomes its root and there is nobody else.
    pub(super) fn map(self) -> io::Result<()> {
        if let Some(mut child) = self.child {
            // The end of its input tells it that the namespace is there.
            drop(child.stdin.take());
            child.wait()?;
        }
        if is_unmapped("/proc/self/uid_map")? {
            write("/proc/self/uid_map", &format!("0 {} 1", self.uid))?;
        }
        if is_unmapped("/proc/self/gid_map")? {
            // user_namespaces(7): a process without CAP_SETGID in the parent must give up setgroups before it maps a group.
            write("/proc/self/setgroups", "deny")?;
            write("/proc/self/gid_map", &format!("0 {} 1", self.gid))?;
        }
        Ok(())
    }
}

/// The process outside: waits for the end of its input, and maps what the system gives to the namespace of `pid`. What it
/// does not give stays unmapped.
pub fn map_from_outside(pid: u32) {
    // Whoever waits may have ended.
    if io::stdin().read_to_end(&mut Vec::new()).is_err() {
        return;
    }
    let root = geteuid().is_root();
    for (map, tool, own, ranges) in [
        ("uid_map", "newuidmap", getuid().as_raw(), "/etc/subuid"),
        ("gid_map", "newgidmap", getgid().as_raw(), "/etc/subgid"),
    ] {
        if root {
            // A container's root may lack the capability; then the process inside maps itself.
            let _ = fs::read_to_string(format!("/proc/self/{map}"))
                .and_then(|own| fs::write(format!("/proc/{pid}/{map}"), same(&own)));
        } else if let Some((start, count)) = range(&fs::read_to_string(ranges).unwrap_or_default(), &names()) {
            let numbers = [pid, 0, own, 1, 1, start, count].map(|n| n.to_string());
            // Where shadow's programs are missing or refuse, the process inside maps itself.
            let _ = Command::new(tool)
                .args(numbers)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// A map under which everybody of a namespace with the map `own` is who they were.
fn same(own: &str) -> String {
    let mut text = String::new();
    for extent in own.lines() {
        // user_namespaces(7): the first ID in this namespace, the first in the parent, and how many.
        if let [inside, _, count] = extent.split_whitespace().collect::<Vec<_>>()[..] {
            text += &format!("{inside} {inside} {count}\n");
        }
    }
    text
}

/// What the user may be called in `/etc/subuid`: by name, or by number.
fn names() -> Vec<String> {
    let uid = getuid();
    let name = User::from_uid(Uid::from_raw(uid.as_raw())).ok().flatten().map(|user| user.name);
    name.into_iter().chain([uid.as_raw().to_string()]).collect()
}

/// The first range of `/etc/subuid` or `/etc/subgid` that is one of `names`': its start, and how many there are.
fn range(text: &str, names: &[String]) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let [name, start, count] = line.split(':').collect::<Vec<_>>()[..] else { return None };
        let (start, count) = (start.trim().parse().ok()?, count.trim().parse().ok()?);
        (count > 0 && names.iter().any(|n| n == name)).then_some((start, count))
    })
}

fn is_unmapped(path: &str) -> io::Result<bool> {
    Ok(fs::read_to_string(path)?.trim().is_empty())
}

fn write(path: &str, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_stays_who_they_were() {
        assert_eq!(same("         0          0 4294967295\n"), "0 0 4294967295\n");
        // Root of a container whose users are a range of the machine's.
        assert_eq!(same("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
    }

    #[test]
    fn a_range_is_found_by_name_or_number() {
        let names = ["ann".to_owned(), "1000".to_owned()];
        assert_eq!(range("bob:100000:65536\nann:165536:65536\n", &names), Some((165_536, 65_536)));
        assert_eq!(range("1000:5:6", &names), Some((5, 6)));
        for nothing in ["", "anne:1:2", "ann:1", "ann:x:2", "ann:1:0", "# ann:1:2"] {
            assert_eq!(range(nothing, &names), None, "{nothing}");
        }
    }
}
