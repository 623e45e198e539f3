//! `epoll(7)` over a process's descriptors.

use std::collections::BTreeMap;

use crate::socket::{Descriptor, Object, POLLERR, POLLHUP};
use crate::{Errno, Fd, Process};

const EPOLL_CTL_ADD: i32 = 1;
const EPOLL_CTL_DEL: i32 = 2;
const EPOLL_CTL_MOD: i32 = 3;
const EPOLLONESHOT: u32 = 1 << 30;
const EPOLLET: u32 = 1 << 31;

/// `struct epoll_event`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpollEvent {
    /// `EPOLL…`
    pub events: u32,
    /// What the caller gave with the registration.
    pub data: u64,
}

/// How a registration reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// While it is so.
    Level,
    /// When it becomes so.
    Edge,
}

/// An epoll instance.
#[derive(Debug, Default)]
pub(crate) struct Epoll {
    watched: BTreeMap<Fd, Watch>,
}

#[derive(Debug)]
struct Watch {
    event: EpollEvent,
    trigger: Trigger,
    /// How many times the socket had become ready for something when it was last reported; `None` where it never was.
    reported: Option<u64>,
    /// Whether it was reported once and is not to be again (`EPOLLONESHOT`).
    spent: bool,
}

impl Epoll {
    /// What it watches.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = Fd> {
        self.watched.keys().copied()
    }
}

impl Process {
    /// `epoll_create(2)`, which gives the new descriptor the number `fd`.
    pub fn epoll_create(&mut self, fd: Fd) {
        self.descriptors.insert(fd, Descriptor::new(Object::Epoll(Epoll::default())));
    }

    /// `epoll_ctl(2)`
    ///
    /// # Errors
    /// `EBADF`, `EEXIST`, `ENOENT`, `EINVAL`.
    pub fn epoll_control(&mut self, epoll: Fd, operation: i32, fd: Fd, event: EpollEvent) -> Result<(), Errno> {
        if !self.descriptors.contains_key(&fd) {
            return Err(Errno::EBADF);
        }
        let Object::Epoll(epoll) = self.object_mut(epoll)? else { return Err(Errno::EINVAL) };
        let trigger = if event.events & EPOLLET != 0 { Trigger::Edge } else { Trigger::Level };
        let watch = Watch { event, trigger, reported: None, spent: false };
        match (operation, epoll.watched.contains_key(&fd)) {
            (EPOLL_CTL_ADD, true) => Err(Errno::EEXIST),
            (EPOLL_CTL_ADD, false) | (EPOLL_CTL_MOD, true) => {
                epoll.watched.insert(fd, watch);
                Ok(())
            }
            (EPOLL_CTL_DEL, true) => {
                epoll.watched.remove(&fd);
                Ok(())
            }
            (EPOLL_CTL_DEL | EPOLL_CTL_MOD, false) => Err(Errno::ENOENT),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The events that `epoll_wait` would report now, at most `max` of them.
    pub(crate) fn epoll_collect(&mut self, epoll: Fd, max: usize) -> Result<Vec<EpollEvent>, Errno> {
        let Object::Epoll(instance) = self.object_mut(epoll)? else { return Err(Errno::EINVAL) };
        let watched: Vec<(Fd, EpollEvent, Trigger, Option<u64>, bool)> =
            instance.watched.iter().map(|(fd, w)| (*fd, w.event, w.trigger, w.reported, w.spent)).collect();
        let mut out = Vec::new();
        for (fd, event, trigger, reported, spent) in watched {
            let wakes = self.wakes(fd);
            let always = (POLLERR | POLLHUP) as u16;
            let ready = u32::from(self.poll_events(fd) as u16 & (event.events as u16 | always));
            let news = trigger == Trigger::Level || reported != Some(wakes);
            if out.len() == max || spent || ready == 0 || !news {
                continue;
            }
            out.push(EpollEvent { events: ready, data: event.data });
            if let Ok(Object::Epoll(instance)) = self.object_mut(epoll)
                && let Some(watch) = instance.watched.get_mut(&fd)
            {
                watch.reported = Some(wakes);
                watch.spent = event.events & EPOLLONESHOT != 0;
            }
        }
        Ok(out)
    }

    /// Whether `epoll_wait` would report anything; or fail.
    pub(crate) fn epoll_has_news(&self, fd: Fd) -> bool {
        let Some(Object::Epoll(epoll)) = self.descriptors.get(&fd).map(|d| &d.object) else { return true };
        epoll.watched.iter().any(|(fd, watch)| {
            let always = (POLLERR | POLLHUP) as u16;
            let ready = self.poll_events(*fd) as u16 & (watch.event.events as u16 | always) != 0;
            ready && !watch.spent && (watch.trigger == Trigger::Level || watch.reported != Some(self.wakes(*fd)))
        })
    }

    pub(crate) fn epoll_is_ready(&self, epoll: &Epoll) -> bool {
        epoll.watched.iter().any(|(fd, watch)| {
            let always = (POLLERR | POLLHUP) as u16;
            !watch.spent && self.poll_events(*fd) as u16 & (watch.event.events as u16 | always) != 0
        })
    }

    pub(crate) fn forget_in_epolls(&mut self, fd: Fd) {
        for descriptor in self.descriptors.values_mut() {
            if let Object::Epoll(epoll) = &mut descriptor.object {
                epoll.watched.remove(&fd);
            }
        }
    }
}
