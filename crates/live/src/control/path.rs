//! Where the control socket of a lab is.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

/// The control socket of the lab called `name`.
///
/// # Errors
/// `InvalidInput` where the name cannot be a file's name; the directory's where it is not ours alone.
pub fn socket(name: &str) -> io::Result<PathBuf> {
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{name}` cannot name a control socket: at most 64 bytes, no slash, no dot in front"),
        ));
    }
    Ok(directory()?.join(format!("{name}.sock")))
}

/// The directory of control sockets, made where it is missing: `$XDG_RUNTIME_DIR/septet`, or `septet-UID` in the
/// directory for temporary files.
///
/// # Errors
/// `PermissionDenied` where it belongs to another user or is open to one.
pub fn directory() -> io::Result<PathBuf> {
    let uid = rustix::process::getuid().as_raw();
    let directory = match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) if !runtime.is_empty() => PathBuf::from(runtime).join("septet"),
        _ => std::env::temp_dir().join(format!("septet-{uid}")),
    };
    match DirBuilder::new().mode(0o700).create(&directory) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", directory.display()))),
    }
    let meta = fs::symlink_metadata(&directory)?;
    if !meta.is_dir() || meta.uid() != uid || meta.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not a directory of ours alone (mode 0700)", directory.display()),
        ));
    }
    Ok(directory)
}
