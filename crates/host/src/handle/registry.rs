//! How a handle finds its host: by the scope where one of the host's own programs calls, else in a table of the hosts that
//! live on the current thread.
//!
//! Handles hold no reference, so that they are `Send + Sync` and so that neither a dropped world nor another thread
//! can turn their use into anything but an error.

use core::cell::RefCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::Poll;
use std::collections::BTreeMap;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use septet_core::Trace;

use super::scope;
use crate::stack::{SocketName, Storeys};

/// Names one host of one world; as long as one is held it can tell what became of the host.
pub(crate) type HostKey = Arc<Seat>;

/// A host's place in the table of its thread.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: usize,
    /// No two hosts of a process share it; nothing but identity is read from it.
    number: u64,
    /// The thread on which the host lives.
    home: ThreadId,
    is_gone: AtomicBool,
    /// Whether sockets of its host are in [`DROPPED`].
    any_dropped: AtomicBool,
}

/// Sockets whose handles were dropped where their host could not be reached: on another thread, or in the midst of one of
/// the host's own calls. Each host, by its number, closes its own when it next has its turn. This is seldom, so that hosts
/// have no room for it of their own.
static DROPPED: Mutex<BTreeMap<u64, Vec<SocketName>>> = Mutex::new(BTreeMap::new());

fn dropped() -> MutexGuard<'static, BTreeMap<u64, Vec<SocketName>>> {
    DROPPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a handle cannot reach its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreachable {
    /// The world that the host was in is no more.
    Gone,
    /// The host lives on another thread.
    OtherThread,
    /// The host is in the midst of a call.
    Busy,
}

impl core::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Gone => "the world of this host is no more",
            Self::OtherThread => "this host lives on another thread; its network can only be used there",
            Self::Busy => "this host is in the midst of another call; its network can be used when that has returned",
        })
    }
}

impl std::error::Error for Unreachable {}

impl From<Unreachable> for io::Error {
    fn from(why: Unreachable) -> Self {
        let kind = match why {
            Unreachable::Gone => io::ErrorKind::NotFound,
            Unreachable::OtherThread => io::ErrorKind::Unsupported,
            Unreachable::Busy => io::ErrorKind::ResourceBusy,
        };
        Self::new(kind, why)
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static HOSTS: RefCell<Table> = const { RefCell::new(Table { slots: Vec::new(), free: Vec::new() }) };
}

struct Table {
    slots: Vec<(u64, Weak<RefCell<Storeys>>)>,
    free: Vec<usize>,
}

/// Enters a host.
pub(crate) fn enter(storeys: &Rc<RefCell<Storeys>>) -> HostKey {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let slot = HOSTS.with(|table| {
        let mut table = table.borrow_mut();
        let entry = (number, Rc::downgrade(storeys));
        match table.free.pop() {
            Some(slot) => {
                table.slots[slot] = entry;
                slot
            }
            None => {
                table.slots.push(entry);
                table.slots.len() - 1
            }
        }
    });
    storeys.borrow_mut().number = number;
    let home = thread::current().id();
    let (is_gone, any_dropped) = (AtomicBool::new(false), AtomicBool::new(false));
    Arc::new(Seat { slot, number, home, is_gone, any_dropped })
}

/// Strikes a host out.
pub(crate) fn leave(key: &Seat) {
    key.is_gone.store(true, Ordering::Relaxed);
    key.take_dropped();
    // Where the thread is ending the table is gone already.
    let _ = HOSTS.try_with(|table| {
        let mut table = table.borrow_mut();
        if let Some(entry) = table.slots.get_mut(key.slot).filter(|(number, _)| *number == key.number) {
            *entry = (0, Weak::new());
            table.free.push(key.slot);
        }
    });
}

impl Seat {
    /// Whether sockets wait to be closed that [`take_dropped`](Self::take_dropped) gives.
    #[inline]
    pub(crate) fn has_dropped(&self) -> bool {
        self.any_dropped.load(Ordering::Acquire)
    }

    /// The sockets whose handles were dropped out of the host's reach.
    pub(crate) fn take_dropped(&self) -> Vec<SocketName> {
        let mut dropped = dropped();
        self.any_dropped.store(false, Ordering::Release);
        dropped.remove(&self.number).unwrap_or_default()
    }

    fn drop_later(&self, socket: SocketName) {
        let mut dropped = dropped();
        // The host may have gone meanwhile, and its sockets with it.
        if !self.is_gone.load(Ordering::Relaxed) {
            dropped.entry(self.number).or_default().push(socket);
            self.any_dropped.store(true, Ordering::Release);
        }
    }

    fn find(&self) -> Result<Rc<RefCell<Storeys>>, Unreachable> {
        let found = HOSTS.try_with(|table| {
            let table = table.try_borrow().map_err(|_| Unreachable::Busy)?;
            let entry = table.slots.get(self.slot).filter(|(number, _)| *number == self.number);
            entry.and_then(|(_, storeys)| storeys.upgrade()).ok_or(Unreachable::Gone)
        });
        match found {
            Ok(Err(Unreachable::Gone))
                if !self.is_gone.load(Ordering::Relaxed) && self.home != thread::current().id() =>
            {
                Err(Unreachable::OtherThread)
            }
            Ok(found) => found,
            Err(_) => Err(Unreachable::Gone),
        }
    }
}

/// Calls `f` with the host, and with the trace that what it does is told to.
///
/// What happens in `f` happens because of the cause of the task that calls, and what `f` hands over, or tells, is the
/// cause of what that task does next.
#[inline]
pub(super) fn with<R>(key: &Seat, f: impl FnOnce(&mut Storeys, &mut Trace) -> R) -> Result<R, Unreachable> {
    let f = match scope::with(key.number, f) {
        Ok(result) => return Ok(result),
        Err(f) => f,
    };
    let storeys = key.find()?;
    let mut storeys = storeys.try_borrow_mut().map_err(|_| Unreachable::Busy)?;
    storeys.unsettle();
    // Nobody plays the world: what happens now is told to no one.
    Ok(f(&mut storeys, &mut Trace::off()))
}

/// The same for what may fail.
#[inline]
pub(super) fn call<R>(key: &Seat, f: impl FnOnce(&mut Storeys, &mut Trace) -> io::Result<R>) -> io::Result<R> {
    with(key, f).unwrap_or_else(|why| Err(why.into()))
}

/// The same for what may have to wait.
#[inline]
pub(super) fn poll<R>(
    key: &Seat,
    f: impl FnOnce(&mut Storeys, &mut Trace) -> Poll<io::Result<R>>,
) -> Poll<io::Result<R>> {
    with(key, f).unwrap_or_else(|why| Poll::Ready(Err(why.into())))
}

/// Closes a socket whose handle is dropped: now, or where the host is out of reach as soon as it has its turn.
pub(super) fn close(key: &Seat, socket: SocketName) {
    match with(key, |storeys, trace| storeys.close(socket, trace)) {
        Ok(()) | Err(Unreachable::Gone) => {}
        Err(Unreachable::OtherThread | Unreachable::Busy) => key.drop_later(socket),
    }
}
