//! Which of many sockets are worth a call now: `epoll(7)`.

use core::time::Duration;
use std::io;

use septet_posix::{EpollEvent, Errno, Fd, Reply, Request};

use crate::call;
use crate::descriptor::Descriptor;
use crate::net::{TcpListener, TcpStream, UdpSocket};
use crate::program::Task;

const EPOLLIN: u32 = 0x1;
const EPOLLOUT: u32 = 0x4;
const EPOLLERR: u32 = 0x8;
const EPOLLHUP: u32 = 0x10;
const EPOLLRDHUP: u32 = 0x2000;
const EPOLLET: u32 = 1 << 31;
const EPOLL_CTL_ADD: i32 = 1;
const EPOLL_CTL_DEL: i32 = 2;
const EPOLL_CTL_MOD: i32 = 3;

/// What a program wants to do with a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// To read or accept.
    Read,
    /// To write.
    Write,
    /// Either.
    Both,
}

/// How often a socket that is ready is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// As long as it is ready.
    Level,
    /// When something has happened since it was reported last (`EPOLLET`): who is told must call until `WouldBlock`.
    Edge,
}

/// A socket that is worth a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// What the program called it.
    pub key: u64,
    events: u32,
}

impl Event {
    /// Whether reading or accepting returns at once, be it with an error.
    pub fn is_readable(self) -> bool {
        self.events & (EPOLLIN | EPOLLERR | EPOLLHUP) != 0
    }

    /// Whether writing returns at once, be it with an error.
    pub fn is_writable(self) -> bool {
        self.events & (EPOLLOUT | EPOLLERR | EPOLLHUP) != 0
    }

    /// Whether the peer sends no more.
    pub fn is_read_closed(self) -> bool {
        self.events & (EPOLLRDHUP | EPOLLHUP) != 0
    }

    /// Whether there is an error.
    pub fn is_error(self) -> bool {
        self.events & EPOLLERR != 0
    }
}

/// What can be polled.
pub trait Source: private::Source {}

impl<T: private::Source> Source for T {}

mod private {
    use crate::descriptor::Descriptor;

    /// A socket, wherever it is.
    #[derive(Debug)]
    pub enum Raw<'a> {
        /// A descriptor on a simulated host.
        Simulated(Simulated<'a>),
        /// One of the kernel's.
        #[cfg(target_os = "linux")]
        Kernel(std::os::fd::BorrowedFd<'a>),
        /// One of the kernel's, where there is no epoll.
        #[cfg(not(target_os = "linux"))]
        Kernel(core::marker::PhantomData<&'a ()>),
    }

    /// A descriptor on a simulated host.
    #[derive(Debug)]
    pub struct Simulated<'a>(pub(super) &'a Descriptor);

    /// What has one.
    pub trait Source {
        /// It.
        fn raw(&self) -> Raw<'_>;
    }
}

use private::{Raw, Simulated};

macro_rules! source {
    ($($kind:ident in $of:ident),*) => { $(
        impl private::Source for $kind {
            fn raw(&self) -> Raw<'_> {
                match &self.0 {
                    crate::net::$of::Simulated(socket) => Raw::Simulated(Simulated(socket)),
                    #[cfg(target_os = "linux")]
                    crate::net::$of::Kernel(socket) => Raw::Kernel(std::os::fd::AsFd::as_fd(socket)),
                    #[cfg(not(target_os = "linux"))]
                    crate::net::$of::Kernel(_) => Raw::Kernel(core::marker::PhantomData),
                }
            }
        }
    )* };
}

source!(TcpStream in StreamInner, TcpListener in ListenerInner, UdpSocket in UdpInner);

/// Watches sockets, and waits for any of them. On the kernel's sockets it is Linux's `epoll`; elsewhere it is not supported.
#[derive(Debug)]
pub struct Poll(Inner);

#[derive(Debug)]
enum Inner {
    Simulated(Descriptor),
    #[cfg(target_os = "linux")]
    Kernel(std::os::fd::OwnedFd),
}

impl Poll {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The process has no more descriptors; `Unsupported` where the kernel has no epoll.
    pub fn new() -> io::Result<Self> {
        if let Some(task) = Task::current() {
            return Ok(Self(Inner::Simulated(task.process.epoll()?)));
        }
        #[cfg(target_os = "linux")]
        return Ok(Self(Inner::Kernel(rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?)));
        #[cfg(not(target_os = "linux"))]
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Begins to watch a socket, which events call `key`.
    ///
    /// # Errors
    /// `AlreadyExists` where it is watched already.
    pub fn add(&self, socket: &impl Source, key: u64, interest: Interest, trigger: Trigger) -> io::Result<()> {
        self.control(EPOLL_CTL_ADD, socket.raw(), key, mask(interest, trigger))
    }

    /// Changes what is watched for. With [`Trigger::Edge`] a socket that is ready is reported again.
    ///
    /// # Errors
    /// `NotFound` where it is not watched.
    pub fn modify(&self, socket: &impl Source, key: u64, interest: Interest, trigger: Trigger) -> io::Result<()> {
        self.control(EPOLL_CTL_MOD, socket.raw(), key, mask(interest, trigger))
    }

    /// Ends watching a socket. One that is closed is not watched any more.
    ///
    /// # Errors
    /// `NotFound` where it is not watched.
    pub fn remove(&self, socket: &impl Source) -> io::Result<()> {
        self.control(EPOLL_CTL_DEL, socket.raw(), 0, 0)
    }

    fn control(&self, operation: i32, socket: Raw<'_>, key: u64, events: u32) -> io::Result<()> {
        match (&self.0, socket) {
            (Inner::Simulated(epoll), Raw::Simulated(Simulated(socket))) => {
                let event = EpollEvent { events, data: key };
                let fd: Fd = socket.fd();
                epoll.call("epoll_ctl", |process, epoll| process.epoll_control(epoll, operation, fd, event))
            }
            #[cfg(target_os = "linux")]
            (Inner::Kernel(epoll), Raw::Kernel(socket)) => {
                use rustix::event::epoll::{EventData, EventFlags, add, delete, modify};
                let (data, flags) = (EventData::new_u64(key), EventFlags::from_bits_retain(events));
                let done = match operation {
                    EPOLL_CTL_ADD => add(epoll, socket, data, flags),
                    EPOLL_CTL_MOD => modify(epoll, socket, data, flags),
                    _ => delete(epoll, socket),
                };
                Ok(done?)
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "this socket is of another system than the poll")),
        }
    }

    /// Waits until a socket is worth a call, at most for so long where that is said; gives at most `most` of them, none where
    /// the time is over.
    ///
    /// # Errors
    /// `InvalidInput` where `most` is zero.
    pub fn wait(&self, most: usize, timeout: Option<Duration>) -> io::Result<Vec<Event>> {
        match &self.0 {
            Inner::Simulated(epoll) => {
                let request = Request::EpollWait { fd: epoll.fd(), max: most, timeout };
                match call::perform(epoll.process(), request)? {
                    Reply::Events(events) => {
                        Ok(events.into_iter().map(|e| Event { key: e.data, events: e.events }).collect())
                    }
                    _ => Err(Errno::EINVAL.into()),
                }
            }
            #[cfg(target_os = "linux")]
            Inner::Kernel(epoll) => {
                if most == 0 {
                    return Err(Errno::EINVAL.into());
                }
                let timeout = timeout.map(rustix::event::Timespec::try_from).transpose();
                let timeout = timeout.map_err(|_| io::ErrorKind::InvalidInput)?;
                let mut events = Vec::with_capacity(most.min(1 << 16));
                let spare = rustix::buffer::spare_capacity(&mut events);
                rustix::event::epoll::wait(epoll, spare, timeout.as_ref())?;
                let event = |e: &rustix::event::epoll::Event| {
                    // The structure is packed: its fields are copied before they are used.
                    let (data, flags) = (e.data, e.flags);
                    Event { key: data.u64(), events: flags.bits() }
                };
                Ok(events.iter().map(event).collect())
            }
        }
    }
}

fn mask(interest: Interest, trigger: Trigger) -> u32 {
    let wanted = match interest {
        Interest::Read => EPOLLIN | EPOLLRDHUP,
        Interest::Write => EPOLLOUT,
        Interest::Both => EPOLLIN | EPOLLRDHUP | EPOLLOUT,
    };
    wanted | if trigger == Trigger::Edge { EPOLLET } else { 0 }
}
