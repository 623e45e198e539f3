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
            Err(errno @ (Errno::EAGAIN | Errno::EINPROGRESS)) => {
                let kind = if waited { "call.failed" } else { "call.would-block" };
                self.tell(task, kind, |f| {
                    f.set("why", name_of(*errno));
                });
            }
            Err(errno) => self.tell(task, "call.failed", |f| {
                f.set("why", name_of(*errno));
            }),
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

/// The name that Linux has for it.
fn name_of(errno: Errno) -> String {
    let name = match errno {
        // The same number as EAGAIN.
        Errno::EAGAIN => "EWOULDBLOCK",
        Errno::EINPROGRESS => "EINPROGRESS",
        Errno::EPIPE => "EPIPE",
        Errno::ECONNRESET => "ECONNRESET",
        Errno::ECONNREFUSED => "ECONNREFUSED",
        Errno::ETIMEDOUT => "ETIMEDOUT",
        Errno::ENOTCONN => "ENOTCONN",
        Errno::EHOSTUNREACH => "EHOSTUNREACH",
        Errno::ENETUNREACH => "ENETUNREACH",
        Errno::EADDRINUSE => "EADDRINUSE",
        Errno::EMSGSIZE => "EMSGSIZE",
        Errno::EINVAL => "EINVAL",
        Errno::EBADF => "EBADF",
        Errno(number) => return format!("errno {number}"),
    };
    name.to_owned()
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
