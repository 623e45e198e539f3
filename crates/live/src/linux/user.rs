//! From root to a user who may less.

use std::ffi::CString;
use std::io;

use nix::unistd::{User, initgroups, setgid, setuid};

/// Makes the process that of the user `name`, with its groups. There is no way back.
///
/// # Errors
/// `NotFound` where there is no such user; `PermissionDenied` where the process may not become another.
pub fn become_user(name: &str) -> io::Result<()> {
    let Some(user) = User::from_name(name)? else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such user"));
    };
    // In this order: who is no root any more may change no groups.
    initgroups(&CString::new(name)?, user.gid)?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    if !user.uid.is_root() && setuid(nix::unistd::Uid::from_raw(0)).is_ok() {
        return Err(io::Error::other("root could be had back"));
    }
    Ok(())
}
