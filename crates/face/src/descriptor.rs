//! A descriptor of a process on a simulated host, which is closed when nobody holds it any more.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_core::Instant;
use septet_posix::{Errno, Fd, Process, Request};
use septet_socket::NetRef;

use crate::call;

/// A process, as all of its threads and sockets hold it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

struct Inner {
    net: NetRef,
    process: Mutex<Process>,
    threads: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(net: NetRef, process: Process) -> Self {
        Self(Arc::new(Inner { net, process: Mutex::new(process), threads: AtomicUsize::new(0) }))
    }

    pub(crate) fn net(&self) -> &NetRef {
        &self.0.net
    }

    /// The process. No thread of it waits while this is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Process> {
        self.0.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread begins; gives how many there are.
    pub(crate) fn begin_thread(&self) -> usize {
        self.0.threads.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A thread ends; gives how many there are.
    pub(crate) fn end_thread(&self) -> usize {
        self.0.threads.fetch_sub(1, Ordering::Relaxed) - 1
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.net.now()
    }

    /// A new socket, as `socket(2)` makes it.
    pub(crate) fn socket(&self, family: i32, kind: i32) -> io::Result<Descriptor> {
        let fd = call::at_once(
            self,
            || format!("socket({family}, {kind})"),
            |process| {
                let fd = process.free_fd();
                process.socket(fd, family, kind, 0).map(|()| fd)
            },
        )?;
        Ok(self.own(fd))
    }

    /// A new epoll instance.
    pub(crate) fn epoll(&self) -> io::Result<Descriptor> {
        let fd = call::at_once(
            self,
            || "epoll_create1()".to_owned(),
            |process| {
                let fd = process.free_fd();
                process.epoll_create(fd);
                Ok(fd)
            },
        )?;
        Ok(self.own(fd))
    }

    pub(crate) fn own(&self, fd: Fd) -> Descriptor {
        Descriptor(Arc::new(Owned { process: self.clone(), fd }))
    }
}

/// A descriptor.
pub(crate) struct Descriptor(Arc<Owned>);

struct Owned {
    process: Shared,
    fd: Fd,
}

impl Descriptor {
    pub(crate) fn fd(&self) -> Fd {
        self.0.fd
    }

    pub(crate) fn process(&self) -> &Shared {
        &self.0.process
    }

    /// A call that never waits, by its name.
    pub(crate) fn call<T>(
        &self,
        name: &'static str,
        call: impl FnOnce(&mut Process, Fd) -> Result<T, Errno>,
    ) -> io::Result<T> {
        let fd = self.0.fd;
        call::at_once(&self.0.process, || format!("{name}({fd})"), |process| call(process, fd))
    }

    /// Another handle of it, which `dup(2)` would give a number of its own.
    pub(crate) fn duplicate(&self) -> io::Result<Self> {
        self.call("dup", |_, _| Ok(Self(self.0.clone())))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // While there are others, closing this one is a call that does nothing more.
        if Arc::strong_count(&self.0) > 1 {
            let _ = self.call("close", |_, _| Ok(()));
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // As in the standard library, what goes wrong when a socket is closed is told to nobody.
        let _ = call::perform(&self.process, Request::Close { fd: self.fd });
    }
}

impl core::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Descriptor").field(&self.0.fd).finish()
    }
}
