//! How a plain id finds its host: a table of the hosts that live on the current thread.
//!
//! Handles hold no reference, so that they are `Send + Sync` and so that neither a dropped world nor another thread
//! can turn their use into anything but an error.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use std::io;
use std::rc::{Rc, Weak};

use crate::stack::{Storeys, gone};

/// Names one host of one world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HostKey {
    slot: u32,
    /// No two hosts of a process share it; nothing but identity is read from it.
    number: u64,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static HOSTS: RefCell<Table> = const { RefCell::new(Table { slots: Vec::new(), free: Vec::new() }) };
}

struct Table {
    slots: Vec<(u64, Weak<RefCell<Storeys>>)>,
    free: Vec<u32>,
}

/// Enters a host.
pub(crate) fn enter(core: &Rc<RefCell<Storeys>>) -> HostKey {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    HOSTS.with(|table| {
        let mut table = table.borrow_mut();
        let entry = (number, Rc::downgrade(core));
        let slot = match table.free.pop() {
            Some(slot) => {
                table.slots[slot as usize] = entry;
                slot
            }
            None => {
                table.slots.push(entry);
                (table.slots.len() - 1) as u32
            }
        };
        HostKey { slot, number }
    })
}

/// Strikes a host out.
pub(crate) fn leave(key: HostKey) {
    // Where the thread is ending the table is gone already.
    let _ = HOSTS.try_with(|table| {
        let mut table = table.borrow_mut();
        if let Some(entry) = table.slots.get_mut(key.slot as usize).filter(|(number, _)| *number == key.number) {
            *entry = (0, Weak::new());
            table.free.push(key.slot);
        }
    });
}

/// Calls `f` with the host. `None` where it is gone or lives on another thread.
///
/// What happens in `f` happens because of the cause of the task that calls, and what `f` hands over, or tells, is the
/// cause of what that task does next.
pub(super) fn with<R>(key: HostKey, f: impl FnOnce(&mut Storeys) -> R) -> Option<R> {
    let core = HOSTS
        .try_with(|table| {
            let table = table.try_borrow().ok()?;
            table.slots.get(key.slot as usize).filter(|(number, _)| *number == key.number)?.1.upgrade()
        })
        .ok()
        .flatten()?;
    let stack = &mut *core.try_borrow_mut().ok()?;
    let traced = stack.trace.is_on();
    if traced {
        stack.trace.set_cause(stack.tasks.cause());
    }
    let result = f(stack);
    if traced {
        stack.tasks.because(stack.trace.cause());
    }
    Some(result)
}

/// Calls `f` with the host, or says that it is gone.
pub(super) fn call<R>(key: HostKey, f: impl FnOnce(&mut Storeys) -> io::Result<R>) -> io::Result<R> {
    with(key, f).unwrap_or_else(|| Err(gone()))
}

/// The same for what may have to wait.
pub(super) fn poll<R>(key: HostKey, f: impl FnOnce(&mut Storeys) -> Poll<io::Result<R>>) -> Poll<io::Result<R>> {
    with(key, f).unwrap_or_else(|| Poll::Ready(Err(gone())))
}
