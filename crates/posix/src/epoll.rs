//! `epoll(7)` over a process's descriptors.

use std::collections::BTreeMap;

use crate::socket::{Descriptor, Object, POLLERR, POLLHUP};
use crate::{Errno, Fd, Process};

const EPOLL_CTL_ADD: i32 = 1;
const EPOLL_CTL_DEL: i32 = 2;
const EPOLL_CTL_MOD: i32 = 3;
/// How deep epoll instances may watch one another: `EP_MAX_NESTS`, which counts from one to the next.
const NESTS: usize = 4;
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
    /// `EBADF`, `EEXIST`, `ENOENT`; `EINVAL` where it is no epoll instance, or is to watch itself; `ELOOP` where instances would
    /// watch one another in a circle, or more than four deep.
    pub fn epoll_control(&mut self, epoll: Fd, operation: i32, fd: Fd, event: EpollEvent) -> Result<(), Errno> {
        if !self.descriptors.contains_key(&fd) {
            return Err(Errno::EBADF);
        }
        if !matches!(self.object(epoll)?, Object::Epoll(_)) || epoll == fd {
            return Err(Errno::EINVAL);
        }
        if operation == EPOLL_CTL_ADD && matches!(self.object(fd)?, Object::Epoll(_)) {
            self.may_nest(epoll, fd)?;
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

    /// Whether an epoll instance may watch another, as `ep_loop_check()` says it. epoll_ctl(2): "ELOOP: fd refers to an epoll
    /// instance and this EPOLL_CTL_ADD operation would result in a circular loop of epoll instances monitoring one another or a
    /// nesting depth of epoll instances greater than 5."
    fn may_nest(&self, upper: Fd, lower: Fd) -> Result<(), Errno> {
        let below = self.nests_below(lower, upper, &mut BTreeMap::new()).ok_or(Errno::ELOOP)?;
        let above = self.nests_above(upper, &mut BTreeMap::new());
        if below + 1 + above > NESTS { Err(Errno::ELOOP) } else { Ok(()) }
    }

    /// How deep instances are watched below one; `None` where `end` is among them.
    fn nests_below(&self, fd: Fd, end: Fd, known: &mut BTreeMap<Fd, usize>) -> Option<usize> {
        if let Some(depth) = known.get(&fd) {
            return Some(*depth);
        }
        let mut depth = 0;
        for below in self.epoll(fd).into_iter().flat_map(Epoll::descriptors).filter(|fd| self.epoll(*fd).is_some()) {
            if below == end {
                return None;
            }
            depth = depth.max(self.nests_below(below, end, known)? + 1);
        }
        known.insert(fd, depth);
        Some(depth)
    }

    /// How many instances there are, one upon another, that watch one.
    fn nests_above(&self, fd: Fd, known: &mut BTreeMap<Fd, usize>) -> usize {
        if let Some(depth) = known.get(&fd) {
            return *depth;
        }
        let watches = |above: &Fd| self.epoll(*above).is_some_and(|epoll| epoll.watched.contains_key(&fd));
        let above: Vec<_> = self.descriptors.keys().copied().filter(watches).collect();
        let depth = above.into_iter().map(|fd| self.nests_above(fd, known) + 1).max().unwrap_or(0);
        known.insert(fd, depth);
        depth
    }

    fn epoll(&self, fd: Fd) -> Option<&Epoll> {
        match self.object(fd) {
            Ok(Object::Epoll(epoll)) => Some(epoll),
            _ => None,
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
