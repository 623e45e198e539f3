//! `epoll(7)` over a process's descriptors.

use std::collections::BTreeMap;
use std::sync::Arc;

use septet_socket::{Watch, Watched, Wish};

use crate::bell::{Bell, Manner, Wait};
use crate::socket::{Descriptor, Object, POLLERR, POLLHUP, POLLOUT};
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
    registered: BTreeMap<Fd, Registration>,
    /// Who waits for it.
    bell: Arc<Bell>,
    /// Where the next collection begins, after one that had no room for all.
    next: Fd,
}

#[derive(Debug)]
struct Registration {
    event: EpollEvent,
    trigger: Trigger,
    /// How many times the socket had become ready for something when it was last reported; `None` where it never was.
    reported: Option<u64>,
    /// Whether it was reported once and is not to be again (`EPOLLONESHOT`).
    spent: bool,
    /// By what the instance hears of it; of a socket that is none yet there is nothing to hear.
    hears: Option<Wait>,
}

impl Epoll {
    /// Who waits for it.
    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// How many times something may have become ready.
    pub(crate) fn rings(&self) -> u64 {
        self.bell.rings()
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
        if self.object(epoll).map(|_| self.epoll(epoll).is_none())? || epoll == fd {
            return Err(Errno::EINVAL);
        }
        if operation == EPOLL_CTL_ADD && self.epoll(fd).is_some() {
            self.may_nest(epoll, fd)?;
        }
        let Some(instance) = self.epoll(epoll) else { return Err(Errno::EINVAL) };
        match (operation, instance.registered.contains_key(&fd)) {
            (EPOLL_CTL_ADD, true) => Err(Errno::EEXIST),
            (EPOLL_CTL_ADD, false) | (EPOLL_CTL_MOD, true) => {
                self.register(epoll, fd, event);
                Ok(())
            }
            (EPOLL_CTL_DEL, true) => {
                self.unregister(epoll, fd);
                Ok(())
            }
            (EPOLL_CTL_DEL | EPOLL_CTL_MOD, false) => Err(Errno::ENOENT),
            _ => Err(Errno::EINVAL),
        }
    }

    fn register(&mut self, epoll: Fd, fd: Fd, event: EpollEvent) {
        let hears = self.hear(epoll, fd);
        let trigger = if event.events & EPOLLET != 0 { Trigger::Edge } else { Trigger::Level };
        let registration = Registration { event, trigger, reported: None, spent: false, hears };
        let is_ready = self.news(fd, &registration) != 0;
        if let Some(descriptor) = self.descriptors.get_mut(&fd)
            && !descriptor.watched_by.contains(&epoll)
        {
            descriptor.watched_by.push(epoll);
        }
        if let Ok(Object::Epoll(instance)) = self.object_mut(epoll) {
            instance.registered.insert(fd, registration);
            if is_ready {
                instance.bell.ring();
            }
        }
    }

    fn unregister(&mut self, epoll: Fd, fd: Fd) {
        if let Ok(Object::Epoll(instance)) = self.object_mut(epoll) {
            instance.registered.remove(&fd);
        }
        if let Some(descriptor) = self.descriptors.get_mut(&fd) {
            descriptor.watched_by.retain(|by| *by != epoll);
        }
    }

    /// Lets an instance hear of a descriptor from now on.
    fn hear(&self, epoll: Fd, fd: Fd) -> Option<Wait> {
        let bell = self.epoll(epoll)?.bell.clone();
        let socket = match self.object(fd).ok()? {
            Object::Tcp(socket) => Watched::Tcp(socket.id()?),
            Object::Udp(socket) => Watched::Udp(socket.id()?),
            Object::Epoll(lower) => {
                return Some(Wait::Instance(lower.bell.wait(Manner::Always, &bell.rope())));
            }
        };
        // A socket that is gone tells so at the next call.
        let watch = Watch::begin(&self.sockets, socket, Wish::Always, &bell.rope()).ok()?;
        Some(Wait::Socket { _watch: watch })
    }

    /// A descriptor stands for another socket: those who watch it hear of that one from now on.
    pub(crate) fn follow_in_epolls(&mut self, fd: Fd) {
        let Some(descriptor) = self.descriptors.get(&fd) else { return };
        for epoll in descriptor.watched_by.clone() {
            let hears = self.hear(epoll, fd);
            if let Ok(Object::Epoll(instance)) = self.object_mut(epoll)
                && let Some(registration) = instance.registered.get_mut(&fd)
            {
                drop(core::mem::replace(&mut registration.hears, hears));
                instance.bell.ring();
            }
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
        for below in self
            .epoll(fd)
            .into_iter()
            .flat_map(|epoll| epoll.registered.keys().copied())
            .filter(|fd| self.epoll(*fd).is_some())
        {
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
        let above = self.descriptors.get(&fd).map_or(&[][..], |descriptor| &descriptor.watched_by);
        let depth = above.iter().map(|fd| self.nests_above(*fd, known) + 1).max().unwrap_or(0);
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
    fn news(&self, fd: Fd, registration: &Registration) -> u32 {
        let Registration { event, trigger, reported, spent, hears: _ } = registration;
        if *spent || *trigger == Trigger::Edge && *reported == Some(self.wakes(fd)) {
            return 0;
        }
        let (there, always) = (self.poll_events(fd) as u16, (POLLERR | POLLHUP) as u16);
        let wants_room = event.events & POLLOUT as u32 != 0 && there & POLLOUT as u16 == 0;
        if wants_room && let Ok(Some(id)) = self.tcp_id(fd) {
            // Who is to be told of room has to have asked for it. A socket that is gone has none.
            let _ = self.sockets.ask_room(id);
        }
        (there & (event.events as u16 | always)).into()
    }

    /// The events that `epoll_wait` would report now, at most `max` of them. epoll_wait(2): "If more than maxevents file
    /// descriptors are ready when epoll_wait() is called, then successive epoll_wait() calls will round robin through the set of
    /// ready file descriptors."
    pub(crate) fn epoll_collect(&mut self, epoll: Fd, max: usize) -> Result<Vec<EpollEvent>, Errno> {
        let Object::Epoll(instance) = self.object(epoll)? else { return Err(Errno::EINVAL) };
        let (registered, next) = (&instance.registered, instance.next);
        let in_turn = registered.range(next..).chain(registered.range(..next));
        let news = in_turn.map(|(fd, of)| (*fd, self.news(*fd, of), of.event.data));
        let news: Vec<_> = news.filter(|(_, events, _)| *events != 0).take(max).collect();
        let next = news.last().filter(|_| news.len() == max).map_or(0, |(fd, ..)| fd + 1);
        for (fd, ..) in &news {
            let wakes = self.wakes(*fd);
            if let Ok(Object::Epoll(instance)) = self.object_mut(epoll)
                && let Some(registration) = instance.registered.get_mut(fd)
            {
                registration.reported = Some(wakes);
                registration.spent = registration.event.events & EPOLLONESHOT != 0;
            }
        }
        if let Ok(Object::Epoll(instance)) = self.object_mut(epoll) {
            instance.next = next;
        }
        Ok(news.into_iter().map(|(_, events, data)| EpollEvent { events, data }).collect())
    }

    /// Whether `epoll_wait` would report anything.
    pub(crate) fn epoll_is_ready(&self, epoll: &Epoll) -> bool {
        epoll.registered.iter().any(|(fd, registration)| self.news(*fd, registration) != 0)
    }

    /// A descriptor is no more: nobody watches it, and where it is an instance it watches nobody.
    pub(crate) fn forget_in_epolls(&mut self, fd: Fd, descriptor: &Descriptor) {
        descriptor.watched_by.iter().for_each(|epoll| self.unregister(*epoll, fd));
        if let Object::Epoll(instance) = &descriptor.object {
            for lower in instance.registered.keys() {
                if let Some(lower) = self.descriptors.get_mut(lower) {
                    lower.watched_by.retain(|by| *by != fd);
                }
            }
            // Who still waits for it hears that it is gone.
            while instance.bell.ring() {}
        }
    }
}
