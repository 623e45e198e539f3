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

    /// What `epoll_wait` would report now of a socket that is watched; zero for nothing.
    fn news(&self, fd: Fd, watch: &Watch) -> u32 {
        if watch.spent || watch.trigger == Trigger::Edge && watch.reported == Some(self.wakes(fd)) {
            return 0;
        }
        let always = (POLLERR | POLLHUP) as u16;
        (self.poll_events(fd) as u16 & (watch.event.events as u16 | always)).into()
    }

    /// The events that `epoll_wait` would report now, at most `max` of them.
    pub(crate) fn epoll_collect(&mut self, epoll: Fd, max: usize) -> Result<Vec<EpollEvent>, Errno> {
        let Object::Epoll(instance) = self.object(epoll)? else { return Err(Errno::EINVAL) };
        let news = instance.watched.iter().map(|(fd, watch)| (*fd, self.news(*fd, watch), watch.event.data));
        let news: Vec<_> = news.filter(|(_, events, _)| *events != 0).take(max).collect();
        for (fd, ..) in &news {
            let wakes = self.wakes(*fd);
            if let Ok(Object::Epoll(instance)) = self.object_mut(epoll)
                && let Some(watch) = instance.watched.get_mut(fd)
            {
                watch.reported = Some(wakes);
                watch.spent = watch.event.events & EPOLLONESHOT != 0;
            }
        }
        Ok(news.into_iter().map(|(_, events, data)| EpollEvent { events, data }).collect())
    }

    /// Whether `epoll_wait` would report anything.
    pub(crate) fn epoll_is_ready(&self, epoll: &Epoll) -> bool {
        epoll.watched.iter().any(|(fd, watch)| self.news(*fd, watch) != 0)
    }

    pub(crate) fn forget_in_epolls(&mut self, fd: Fd) {
        for descriptor in self.descriptors.values_mut() {
            if let Object::Epoll(epoll) = &mut descriptor.object {
                epoll.watched.remove(&fd);
            }
        }
    }
}
