//! How a call is told to the trace.

use septet_core::{Fields, Metric, Storey};
use septet_posix::{Errno, Fd, Reply, Request};
use septet_socket::NetExt as _;

use crate::program::Task;

/// A call by its name and its arguments, as `strace(1)` shows it.
pub(crate) struct Call {
    name: &'static str,
    fd: Fd,
    text: Argument,
}

enum Argument {
    None,
    /// So many bytes at most.
    Most(usize),
    /// So many bytes.
    Bytes(usize),
}

impl Call {
    pub(crate) fn of(request: &Request) -> Self {
        use Argument::{Bytes, Most, None};
        let (name, fd, text) = match request {
            Request::Accept { listener, .. } => ("accept", *listener, None),
            Request::Connect { fd, .. } => ("connect", *fd, None),
            Request::Receive { fd, max, .. } => ("recvfrom", *fd, Most(*max)),
            Request::Send { fd, data, .. } => ("sendto", *fd, Bytes(data.len())),
            Request::Poll { entries, .. } => ("poll", entries.first().map_or(-1, |entry| entry.fd), None),
            Request::EpollWait { fd, max, .. } => ("epoll_wait", *fd, Most(*max)),
            Request::Close { fd } => ("close", *fd, None),
        };
        Self { name, fd, text }
    }

    /// Whether it copies what it is given.
    pub(crate) fn copies(&self) -> bool {
        matches!(self.text, Argument::Bytes(_))
    }

    /// `recvfrom(4, 1024)`
    fn line(&self) -> String {
        let Self { name, fd, text } = self;
        match text {
            Argument::None => format!("{name}({fd})"),
            Argument::Most(n) | Argument::Bytes(n) => format!("{name}({fd}, {n})"),
        }
    }

    pub(crate) fn tell(&self, task: &Task, kind: &'static str, more: impl FnOnce(&mut Fields)) {
        task.process.net().trace(Storey::Application, kind, |f| {
            f.set("thread", task.name.to_string()).set("call", self.line());
            more(f);
        });
    }

    pub(crate) fn tell_result(&self, task: &Task, result: &Result<Reply, Errno>, waited: bool) {
        match result {
            Err(errno) => {
                let would_block = matches!(*errno, Errno::EAGAIN | Errno::EINPROGRESS) && !waited;
                let kind = if would_block { "call.would-block" } else { "call.failed" };
                self.tell(task, kind, |f| {
                    // The same number as EAGAIN.
                    let name = if *errno == Errno::EAGAIN { "EWOULDBLOCK".to_owned() } else { errno.to_string() };
                    f.set("why", name);
                });
            }
            Ok(Reply::Data { data, from, .. }) => {
                let kind = if data.is_empty() && from.is_none() { "call.end" } else { "call.copied" };
                self.tell(task, kind, |f| {
                    f.set("bytes", data.len());
                    if let Some(from) = from {
                        f.set("from", *from);
                    }
                });
            }
            Ok(Reply::Number(bytes)) if self.copies() => {
                self.tell(task, "call.sent", |f| {
                    f.set("bytes", *bytes as u64);
                });
            }
            Ok(Reply::Accepted { fd, peer }) => self.tell(task, "call.accepted", |f| {
                f.set("fd", u64::from(fd.unsigned_abs())).set("from", *peer);
            }),
            Ok(Reply::Events(events)) => {
                self.tell(task, "call.ready", |f| {
                    f.set("sockets", events.len());
                });
            }
            Ok(Reply::Ready(entries)) => {
                let ready = entries.iter().filter(|entry| entry.revents != 0).count();
                self.tell(task, "call.ready", |f| {
                    f.set("sockets", ready);
                });
            }
            Ok(Reply::Number(_)) => self.tell(task, "call.done", |_| ()),
        }
    }
}

/// Tells a call that never waits.
pub(crate) fn at_once(task: &Task, line: impl FnOnce() -> String, failed: Option<&Errno>) {
    let kind = if failed.is_some() { "call.failed" } else { "call.done" };
    task.process.net().trace(Storey::Application, kind, |f| {
        f.set("thread", task.name.to_string()).set("call", line());
        if let Some(why) = failed {
            f.set("why", why.to_string());
        }
    });
}

/// What programs with these sockets record.
pub const METRICS: &[Metric] = &[
    Metric::counter("io.calls", "system calls of programs with blocking and non-blocking sockets"),
    Metric::counter("io.waits", "calls that had to wait: their thread slept in them"),
    Metric::counter("io.would-block", "calls that returned EWOULDBLOCK at once"),
    Metric::bytes("io.copied", "bytes copied between the kernel's buffers and those of programs"),
    Metric::numbers("io.threads", "threads of a program, each time that one begins or ends"),
    Metric::sizes("io.memory", "what those threads take of memory, with `costs`"),
];
