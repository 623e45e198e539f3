//! The system calls of a process on a host: descriptors, socket calls, options, `poll(2)` and `epoll(7)`, with the numbers
//! and the errors of Linux.
//!
//! A [`Process`] holds nothing but descriptors: its sockets are the host's, as those of programs on
//! [`Net`](https://docs.rs/septet) are. What a call changes shows on the wire when the host next runs; what waits is an
//! [`Operation`], which is asked again whenever something has happened.

mod bell;
mod epoll;
mod errno;
mod groups;
mod info;
mod operation;
mod option;
mod socket;
mod udp;
mod watch;

use core::cell::Cell;
use std::collections::BTreeMap;

use septet_core::Instant;
use septet_socket::SystemRef;
use septet_transport::tcp::{Info, State};

pub use epoll::{EpollEvent, Trigger};
pub use errno::Errno;
pub use info::{octets as info_octets, values as info_values};
pub use operation::{Operation, PollEntry, Reply, Request};

use socket::Descriptor;

/// A file descriptor.
pub type Fd = i32;

/// Those below are the standard streams.
const FIRST_FD: Fd = 3;

/// The descriptors of one process on one host.
#[derive(Debug)]
pub struct Process {
    sockets: SystemRef,
    descriptors: BTreeMap<Fd, Descriptor>,
    /// No descriptor below it is free.
    least_free: Cell<Fd>,
}

impl Process {
    /// A process that has nothing open, on the host of `sockets`.
    pub fn new(sockets: SystemRef) -> Self {
        Self { sockets, descriptors: BTreeMap::new(), least_free: Cell::new(FIRST_FD) }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.sockets.now()
    }

    /// Sets `net.ipv4.NAME` of the host, for sockets made from now on.
    ///
    /// # Errors
    /// A name that is not known, or a value that it does not take.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<(), String> {
        self.sockets.sysctl(name, value)
    }

    /// `TCP_INFO`.
    ///
    /// # Errors
    /// `EBADF`; `EOPNOTSUPP` where it is no TCP socket.
    pub fn info(&self, fd: Fd) -> Result<Info, Errno> {
        match self.tcp_id(fd)? {
            Some(id) => match self.sockets.info(id) {
                // A listener is asked too, and has little to tell.
                Err(_) if self.state(id) == State::Listen => Ok(Info { tcpi_state: State::Listen, ..Info::default() }),
                info => Ok(info?),
            },
            None => Ok(Info::default()),
        }
    }
}
