//! System calls: arguments in, results and what was written through pointers compared.

use core::time::Duration;
use std::net::SocketAddr;

use septet_core::Instant;
use septet_posix::{Errno, Fd, Operation, PollEntry, Reply, Request};

use super::{FIRST_REMOTE_PORT, Family, PORT, Runner, UnderTest};
use crate::error::{At, Error};
use crate::flow::{Flow, pattern, stream};
use crate::names;
use crate::syntax::{Call, Expr, When};

/// A call that has not returned yet.
pub(super) struct Pending {
    at: At,
    call: Call,
    operation: Operation,
    /// When it must return; `None` where it may not block at all.
    until: Option<Instant>,
}

impl Pending {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.operation.deadline()
    }

    pub(super) fn unfinished(&self) -> Error {
        Error::mismatch(self.at, format!("{} has not returned when the script ends", self.call.name))
    }
}

/// What a call gave back.
enum Returned {
    Number(i64),
    Fd(Fd),
}

type Result<T, E = String> = core::result::Result<T, E>;

impl Runner {
    pub(super) fn call(&mut self, at: At, call: &Call, when: When) -> Result<(), Error> {
        let syntax = |message| Error::syntax(at, message);
        if let Some(request) = self.request(call).map_err(syntax)? {
            // The end is counted from where the beginning is: the event before, or the script's begin.
            let start = match when {
                When::Relative(after) => Instant::from_nanos(self.bench.now().as_nanos() - after.as_nanos() as u64),
                _ => super::BEGIN,
            };
            let until = call.until.map(|end| start + end);
            let operation = self.bench.start(request);
            self.pending.push(Pending { at, call: call.clone(), operation, until });
            return self.poll_pending(at);
        }
        let result = self.immediate(call).map_err(syntax)?;
        self.compare(at, call, result)
    }

    /// Lets calls that wait go on, and checks those that return.
    pub(super) fn poll_pending(&mut self, at: At) -> Result<(), Error> {
        let now = self.bench.now();
        let mut waiting = Vec::new();
        for mut pending in core::mem::take(&mut self.pending) {
            match self.bench.poll(&mut pending.operation) {
                Some(result) => self.returned(&pending, result, now)?,
                None if pending.until.is_none_or(|until| until < now) => {
                    let when = pending.until.map_or("at once".to_owned(), |t| format!("at {}", Self::clock(t)));
                    let message = format!("{} must return {when}, and still waits", pending.call.name);
                    return Err(Error::mismatch(pending.at, message));
                }
                None => waiting.push(pending),
            }
        }
        let _ = at;
        self.pending = waiting;
        Ok(())
    }

    fn returned(&mut self, pending: &Pending, result: Result<Reply, Errno>, now: Instant) -> Result<(), Error> {
        let Pending { at, call, until, .. } = pending;
        if let Some(until) = *until
            && until != now
        {
            let message = format!("{} must return at {}, not at {}", call.name, Self::clock(until), Self::clock(now));
            return Err(Error::mismatch(*at, message));
        }
        let result = match result {
            Err(errno) => Err(errno),
            Ok(reply) => self.reply(call, reply).map_err(|message| Error::mismatch(*at, message))?,
        };
        self.compare(*at, call, result)
    }

    /// What a reply means for the script, its out-arguments compared.
    fn reply(&mut self, call: &Call, reply: Reply) -> Result<Result<Returned, Errno>> {
        Ok(Ok(match reply {
            Reply::Number(number) => {
                if matches!(call.name.as_str(), "write" | "send" | "sendto" | "sendmsg" | "writev") {
                    let fd = self.fd(call, 0)?;
                    *self.written.entry(fd).or_default() += number as u64;
                }
                Returned::Number(number)
            }
            Reply::Accepted { fd, .. } => {
                self.subject = Some(fd);
                Returned::Fd(fd)
            }
            Reply::Data { data, peeked, .. } => {
                let fd = self.fd(call, 0)?;
                let start = self.read.get(&fd).copied().unwrap_or(0);
                let wrong = data.iter().zip(start..).position(|(octet, offset)| *octet != pattern(offset));
                if let Some(index) = wrong {
                    return Err(format!("octet {index} of what was read is not what was sent"));
                }
                if !peeked && !self.is_datagram(fd) {
                    self.read.insert(fd, start + data.len() as u64);
                }
                Returned::Number(data.len() as i64)
            }
            Reply::Events(events) => Returned::Number(events.len() as i64),
            Reply::Ready(entries) => {
                self.compare_poll(call, &entries)?;
                Returned::Number(entries.iter().filter(|e| e.revents != 0).count() as i64)
            }
        }))
    }

    fn is_datagram(&self, fd: Fd) -> bool {
        self.bench.process().is_datagram(fd)
    }

    fn compare(&mut self, at: At, call: &Call, result: Result<Returned, Errno>) -> Result<(), Error> {
        let expected = self.number(&call.result).map_err(|m| Error::syntax(at, m))?;
        let errno = match &call.errno {
            None => None,
            Some(name) => Some(Errno::named(name).ok_or_else(|| Error::syntax(at, format!("`{name}` is no error")))?),
        };
        let came = match &result {
            Ok(Returned::Number(n)) => n.to_string(),
            Ok(Returned::Fd(fd)) => fd.to_string(),
            Err(errno) => format!("-1 {errno}"),
        };
        let right = match result {
            Ok(Returned::Number(n)) => n == expected,
            Ok(Returned::Fd(fd)) => i64::from(fd) == expected,
            Err(actual) => expected == -1 && errno.is_none_or(|errno| errno == actual),
        };
        if right {
            return Ok(());
        }
        let wanted = call.errno.as_ref().map_or_else(|| expected.to_string(), |name| format!("{expected} {name}"));
        Err(Error::mismatch(at, format!("{} must return {wanted}, not {came}", call.name)))
    }

    /// The request that a call makes, if it is one of those that may block.
    fn request(&mut self, call: &Call) -> Result<Option<Request>> {
        let count = |args: usize| {
            let there = call.arguments.len();
            if there == args { Ok(()) } else { Err(format!("{} takes {args} arguments, not {there}", call.name)) }
        };
        Ok(Some(match call.name.as_str() {
            "accept" => {
                count(3)?;
                Request::Accept { listener: self.fd(call, 0)?, fd: Some(self.bench.process().free_fd()) }
            }
            "connect" => {
                count(3)?;
                let fd = self.fd(call, 0)?;
                if matches!(&call.arguments[1], Expr::Word(w) if w == "AF_UNSPEC") {
                    Request::Connect { fd, to: None }
                } else {
                    let to = self.remote_end();
                    self.start_flow(fd, to);
                    Request::Connect { fd, to: Some(to) }
                }
            }
            "read" | "recv" => {
                count(if call.name == "read" { 3 } else { 4 })?;
                let (max, flags) = (self.length(call, 2)?, self.optional(call, 3)?);
                Request::Receive { fd: self.fd(call, 0)?, max, flags }
            }
            "recvfrom" => {
                count(6)?;
                Request::Receive { fd: self.fd(call, 0)?, max: self.length(call, 2)?, flags: self.optional(call, 3)? }
            }
            "write" | "send" => {
                count(if call.name == "write" { 3 } else { 4 })?;
                let fd = self.fd(call, 0)?;
                let data = self.outgoing(fd, self.length(call, 2)?);
                Request::Send { fd, data, flags: self.optional(call, 3)?, to: None }
            }
            "sendto" => {
                count(6)?;
                let fd = self.fd(call, 0)?;
                let data = self.outgoing(fd, self.length(call, 2)?);
                let to = self.remote_end();
                self.start_flow(fd, to);
                Request::Send { fd, data, flags: self.optional(call, 3)?, to: Some(to) }
            }
            "sendmsg" => {
                count(3)?;
                let fd = self.fd(call, 0)?;
                let data = self.outgoing(fd, self.vector_length(&call.arguments[1])?);
                Request::Send { fd, data, flags: self.optional(call, 2)?, to: None }
            }
            "writev" => {
                count(3)?;
                let fd = self.fd(call, 0)?;
                let data = self.outgoing(fd, self.iov_length(&call.arguments[1])?);
                Request::Send { fd, data, flags: 0, to: None }
            }
            "recvmsg" => {
                count(3)?;
                let max = self.vector_length(&call.arguments[1])?;
                Request::Receive { fd: self.fd(call, 0)?, max, flags: self.optional(call, 2)? }
            }
            "poll" => {
                count(3)?;
                let entries = self.poll_entries(&call.arguments[0])?;
                let timeout = self.number(&call.arguments[2])?;
                let timeout = u64::try_from(timeout).ok().map(Duration::from_millis);
                Request::Poll { entries, timeout }
            }
            "close" => {
                count(1)?;
                Request::Close { fd: self.fd(call, 0)? }
            }
            _ => return Ok(None),
        }))
    }

    /// Calls that never block.
    fn immediate(&mut self, call: &Call) -> Result<Result<Returned, Errno>> {
        let done = |result: Result<(), Errno>| result.map(|()| Returned::Number(0));
        let argument =
            |index: usize| call.arguments.get(index).ok_or_else(|| format!("{} needs more arguments", call.name));
        Ok(match call.name.as_str() {
            "socket" => {
                let family = match argument(0)? {
                    Expr::Ellipsis if self.family == Family::V4 => 2,
                    Expr::Ellipsis => 10,
                    other => self.number(other)?,
                };
                let (kind, protocol) = (self.number(argument(1)?)?, self.number(argument(2)?)?);
                let fd = self.bench.process().free_fd();
                let made = self.bench.with(|p| p.socket(fd, family as i32, kind as i32, protocol as i32));
                if made.is_ok() {
                    self.subject = Some(fd);
                    self.under_test = UnderTest::Fresh;
                    self.written.remove(&fd);
                    self.read.remove(&fd);
                }
                made.map(|()| Returned::Fd(fd))
            }
            "bind" => done(self.bench.bind(self.fd(call, 0)?, SocketAddr::new(self.local, PORT))),
            "listen" => {
                let (fd, backlog) = (self.fd(call, 0)?, self.number(argument(1)?)? as i32);
                let listening = self.bench.with(|p| p.listen(fd, backlog));
                if listening.is_ok() {
                    self.under_test = UnderTest::Listening;
                }
                done(listening)
            }
            "shutdown" => {
                let (fd, how) = (self.fd(call, 0)?, self.number(argument(1)?)? as i32);
                done(self.bench.with(|p| p.shutdown(fd, how)))
            }
            "fcntl" => {
                let value = match call.arguments.get(2) {
                    Some(value) => self.number(value)?,
                    None => 0,
                };
                let command = self.number(argument(1)?)? as i32;
                let fd = self.fd(call, 0)?;
                self.bench.with(|p| p.fcntl(fd, command, value as i32)).map(|v| Returned::Number(v.into()))
            }
            "ioctl" => {
                let (fd, request) = (self.fd(call, 0)?, self.number(argument(1)?)? as u64);
                let asked = self.bench.with(|p| p.ioctl(fd, request));
                match (asked, argument(2)?) {
                    (Ok(value), Expr::List(list)) => {
                        let said = list.first().map(|e| self.number(e)).transpose()?;
                        if said != Some(i64::from(value)) {
                            return Err(format!("ioctl must give {said:?}, not {value}"));
                        }
                        Ok(Returned::Number(0))
                    }
                    (Err(errno), _) => Err(errno),
                    _ => return Err("ioctl needs `[value]`".into()),
                }
            }
            "setsockopt" => {
                let (level, name) = (self.number(argument(1)?)?, self.number(argument(2)?)?);
                let value = self.option_value(argument(3)?)?;
                let fd = self.fd(call, 0)?;
                done(self.bench.with(|p| p.set_option(fd, level as i32, name as i32, &value)))
            }
            "getsockopt" => {
                let (level, name) = (self.number(argument(1)?)?, self.number(argument(2)?)?);
                let fd = self.fd(call, 0)?;
                match self.bench.with(|p| p.get_option(fd, level as i32, name as i32)) {
                    Ok(value) => {
                        let said = self.option_value(argument(3)?)?;
                        // A name fills the rest of its octets with zeros; a structure may be compared in part.
                        if !value.starts_with(&said) {
                            return Err(format!("getsockopt must give {}, not {}", show(&said), show(&value)));
                        }
                        Ok(Returned::Number(0))
                    }
                    Err(errno) => Err(errno),
                }
            }
            other => return Err(format!("the system call `{other}` is not known here")),
        })
    }

    /// The flow that a socket starts which connects or sends to `to`.
    fn start_flow(&mut self, fd: Fd, to: SocketAddr) {
        if let UnderTest::Flow(index) = self.under_test
            && self.flows[index].remote == to
        {
            return;
        }
        let port = self.bench.with(|p| p.local_port(fd));
        self.flows.push(Flow::new(SocketAddr::new(self.local, port), to));
        self.under_test = UnderTest::Flow(self.flows.len() - 1);
    }

    fn remote_end(&self) -> SocketAddr {
        debug_assert_ne!(PORT, FIRST_REMOTE_PORT);
        SocketAddr::new(self.remote, PORT)
    }

    /// The next octets of the stream that the script writes to `fd`.
    fn outgoing(&self, fd: Fd, len: usize) -> Vec<u8> {
        let offset = if self.is_datagram(fd) { 0 } else { self.written.get(&fd).copied().unwrap_or(0) };
        stream(offset, len)
    }

    fn poll_entries(&self, expr: &Expr) -> Result<Vec<PollEntry>> {
        let Expr::List(list) = expr else { return Err("poll takes a list".into()) };
        let mut out = Vec::new();
        for entry in list {
            let Expr::Record(fields) = entry else { return Err("poll takes `{fd=…, events=…}`".into()) };
            let field = |name: &str| fields.iter().find(|(n, _)| n == name).map_or(Ok(0), |(_, e)| self.number(e));
            out.push(PollEntry { fd: field("fd")? as Fd, events: field("events")? as i16, revents: 0 });
        }
        Ok(out)
    }

    fn compare_poll(&self, call: &Call, entries: &[PollEntry]) -> Result<()> {
        let Some(Expr::List(list)) = call.arguments.first() else { return Ok(()) };
        for (entry, said) in entries.iter().zip(list) {
            let Expr::Record(fields) = said else { continue };
            let said = fields.iter().find(|(n, _)| n == "revents").map_or(Ok(0), |(_, e)| self.number(e))?;
            if said != i64::from(entry.revents) {
                return Err(format!("poll must give {said:#x} for {}, not {:#x}", entry.fd, entry.revents));
            }
        }
        Ok(())
    }

    /// The octets of an option: a number of four octets, a text, or a structure of numbers.
    fn option_value(&self, expr: &Expr) -> Result<Vec<u8>> {
        let number = |e: &Expr| self.number(e).map(|n| (n as i32).to_le_bytes().to_vec());
        match expr {
            Expr::Text(text) => Ok(text.as_bytes().to_vec()),
            Expr::List(list) => match &list[..] {
                [Expr::Text(text)] => Ok(text.as_bytes().to_vec()),
                _ => Ok(list.iter().map(number).collect::<Result<Vec<_>>>()?.concat()),
            },
            Expr::Record(fields) => Ok(fields.iter().map(|(_, e)| number(e)).collect::<Result<Vec<_>>>()?.concat()),
            other => number(other),
        }
    }

    /// `{…, msg_iov(2)=[{..., 40}, {..., 2}], …}`: the octets in all.
    fn vector_length(&self, expr: &Expr) -> Result<usize> {
        let Expr::Record(fields) = expr else { return Err("a message header is expected".into()) };
        let iov = fields.iter().find(|(name, _)| name == "msg_iov").ok_or("a message without msg_iov")?;
        self.iov_length(&iov.1)
    }

    fn iov_length(&self, expr: &Expr) -> Result<usize> {
        let Expr::List(list) = expr else { return Err("an array of buffers is expected".into()) };
        let mut total = 0;
        for buffer in list {
            let Expr::Tuple(parts) = buffer else { return Err("a buffer is `{..., length}`".into()) };
            let length = parts.get(1).ok_or("a buffer without length")?;
            total += usize::try_from(self.number(length)?).map_err(|_| "a negative length")?;
        }
        Ok(total)
    }

    fn fd(&self, call: &Call, index: usize) -> Result<Fd> {
        let expr = call.arguments.get(index).ok_or_else(|| format!("{} needs a socket", call.name))?;
        Fd::try_from(self.number(expr)?).map_err(|_| "a descriptor out of range".into())
    }

    fn length(&self, call: &Call, index: usize) -> Result<usize> {
        usize::try_from(self.number(&call.arguments[index])?).map_err(|_| "a negative length".into())
    }

    fn optional(&self, call: &Call, index: usize) -> Result<i32> {
        call.arguments.get(index).map_or(Ok(0), |e| self.number(e)).map(|n| n as i32)
    }

    fn number(&self, expr: &Expr) -> Result<i64> {
        match expr {
            Expr::Int(value) => Ok(*value),
            Expr::Word(name) => names::value(name)
                .or_else(|| Errno::named(name).map(|e| e.0.into()))
                .ok_or_else(|| format!("`{name}` is not known here")),
            Expr::Or(a, b) => Ok(self.number(a)? | self.number(b)?),
            other => Err(format!("a number is expected, not {other:?}")),
        }
    }
}

/// An option's value as text, where it looks like one, or as numbers.
fn show(value: &[u8]) -> String {
    let text = value.split(|b| *b == 0).next().unwrap_or_default();
    if !text.is_empty() && text.iter().all(u8::is_ascii_graphic) {
        return String::from_utf8_lossy(text).into_owned();
    }
    let numbers =
        value.chunks_exact(4).map(|four| i32::from_le_bytes([four[0], four[1], four[2], four[3]]).to_string());
    numbers.collect::<Vec<_>>().join(" ")
}
