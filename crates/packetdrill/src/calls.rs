//! The functions of the table: arguments out of C's hands, a question to the bench, results and `errno` back.

use core::ffi::{c_int, c_long, c_longlong, c_uint, c_ulong, c_void};
use core::time::Duration;
use std::net::SocketAddr;

use libc::{epoll_event, iovec, msghdr, nfds_t, pollfd, size_t, sockaddr, socklen_t, ssize_t, timeval, useconds_t};
use septet_posix::{EpollEvent, Errno, Fd, PollEntry, Reply, Request};

use crate::host::{self, Host, call, perform};
use crate::memory::{self, EFAULT};

const DEAD: Errno = Errno(libc::EIO);
const EBADF: Errno = Errno(libc::EBADF);
const EINVAL: Errno = Errno(libc::EINVAL);

/// Sets `errno` and returns -1.
fn fail(errno: Errno) -> c_int {
    // SAFETY: the location is this thread's own and always there.
    unsafe { *libc::__errno_location() = errno.0 };
    -1
}

/// The result of a call that gives a small number.
fn number(result: Result<i64, Errno>) -> c_int {
    result.map_or_else(fail, |n| n as c_int)
}

/// The result of a call that gives a size.
fn size(result: Result<i64, Errno>) -> ssize_t {
    result.map_or_else(|errno| fail(errno) as ssize_t, |n| n as ssize_t)
}

/// Asks the bench for what never waits.
fn at_once<T: Send + 'static>(
    question: impl FnOnce(&mut Host) -> Result<T, Errno> + Send + 'static,
) -> Result<T, Errno> {
    call(question).unwrap_or(Err(DEAD))
}

fn counted(result: Result<Reply, Errno>) -> Result<i64, Errno> {
    match result? {
        Reply::Number(n) => Ok(n),
        _ => Err(DEAD),
    }
}

/// A descriptor that the kernel knows too: packetdrill closes what is open at its end with the C library's `close`.
fn placeholder() -> Result<Fd, Errno> {
    // SAFETY: no pointers are involved.
    let fd = unsafe { libc::eventfd(0, 0) };
    if fd < 0 { Err(Errno(libc::EMFILE)) } else { Ok(fd) }
}

fn drop_placeholder(fd: Fd) {
    host::own(fd, false);
    // SAFETY: `fd` came from `placeholder` and is closed once.
    unsafe { libc::close(fd) };
}

/// Makes a descriptor and hands its number to `make`.
fn with_placeholder(make: impl FnOnce(Fd) -> Result<(), Errno>) -> Result<i64, Errno> {
    let fd = placeholder()?;
    match make(fd) {
        Ok(()) => {
            host::own(fd, true);
            Ok(fd.into())
        }
        Err(errno) => {
            drop_placeholder(fd);
            Err(errno)
        }
    }
}

pub(crate) extern "C" fn free(_: *mut c_void) {}

pub(crate) extern "C" fn socket(_: *mut c_void, domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    number(with_placeholder(|fd| {
        at_once(move |host| {
            host.follow_sysctls();
            host.bench.with(|p| p.socket(fd, domain, kind, protocol))
        })
    }))
}

pub(crate) unsafe extern "C" fn bind(_: *mut c_void, fd: c_int, to: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller's promise, as for bind(2).
    let address = unsafe { memory::address(to, len) };
    number(address.and_then(|a| a.ok_or(EINVAL)).and_then(|a| at_once(move |host| host.bench.bind(fd, a))).map(|()| 0))
}

pub(crate) extern "C" fn listen(_: *mut c_void, fd: c_int, backlog: c_int) -> c_int {
    number(at_once(move |host| {
        host.follow_sysctls();
        host.bench.with(|p| p.listen(fd, backlog)).map(|()| 0)
    }))
}

pub(crate) unsafe extern "C" fn accept(
    _: *mut c_void,
    listener: c_int,
    address: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    let mut peer = None;
    let accepted = with_placeholder(|fd| match perform(Request::Accept { listener, fd: Some(fd) })? {
        Reply::Accepted { peer: from, .. } => {
            peer = Some(from);
            Ok(())
        }
        _ => Err(DEAD),
    });
    if let Some(peer) = peer {
        // SAFETY: the caller's promise, as for accept(2).
        let _ = unsafe { memory::put_address(peer, address, len) };
    }
    number(accepted)
}

pub(crate) unsafe extern "C" fn connect(_: *mut c_void, fd: c_int, to: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller's promise, as for connect(2).
    let address = unsafe { memory::address(to, len) };
    number(address.and_then(|to| counted(perform(Request::Connect { fd, to }))))
}

pub(crate) unsafe extern "C" fn read(u: *mut c_void, fd: c_int, buffer: *mut c_void, len: size_t) -> ssize_t {
    // SAFETY: the caller's promise is the same.
    unsafe { recv(u, fd, buffer, len, 0) }
}

pub(crate) unsafe extern "C" fn readv(_: *mut c_void, fd: c_int, iov: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's promise, as for readv(2).
    size(unsafe { memory::pieces(iov, count) }.and_then(|pieces| unsafe { receive_into(fd, &pieces, 0) }).map(|r| r.0))
}

pub(crate) unsafe extern "C" fn recv(
    _: *mut c_void,
    fd: c_int,
    buffer: *mut c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    let piece = iovec { iov_base: buffer, iov_len: len };
    // SAFETY: the caller's promise, as for recv(2).
    size(unsafe { receive_into(fd, &[piece], flags) }.map(|r| r.0))
}

pub(crate) unsafe extern "C" fn recvfrom(
    u: *mut c_void,
    fd: c_int,
    buffer: *mut c_void,
    len: size_t,
    flags: c_int,
    _from: *mut sockaddr,
    from_len: *mut socklen_t,
) -> ssize_t {
    if !from_len.is_null() {
        // SAFETY: not null; for a stream socket no address is given, as recvfrom(2) says.
        unsafe { *from_len = 0 };
    }
    // SAFETY: the caller's promise is the same.
    unsafe { recv(u, fd, buffer, len, flags) }
}

pub(crate) unsafe extern "C" fn recvmsg(_: *mut c_void, fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    if message.is_null() {
        return size(Err(EFAULT));
    }
    // SAFETY: not null, and so a message by the caller's promise.
    let header = unsafe { &mut *message };
    // SAFETY: the caller's promise about the vector.
    let pieces = unsafe { memory::pieces(header.msg_iov, header.msg_iovlen as c_int) };
    // SAFETY: the caller's promise about its pieces.
    let received = pieces.and_then(|pieces| unsafe { receive_into(fd, &pieces, flags) });
    if let Ok((_, inq)) = received {
        header.msg_flags = 0;
        header.msg_namelen = 0;
        // SAFETY: the header is the caller's, with room for control data as it says.
        unsafe { put_inq(header, inq) };
    }
    size(received.map(|r| r.0))
}

/// Receives into the pieces: how many octets, and how many are left where `TCP_INQ` asks for that.
///
/// # Safety
/// Each piece is as long as it says and may be written.
unsafe fn receive_into(fd: Fd, pieces: &[iovec], flags: c_int) -> Result<(i64, Option<i32>), Errno> {
    let max = pieces.iter().map(|p| p.iov_len).fold(0, usize::saturating_add);
    // The kernel finds out before it takes anything off the queue.
    if pieces.iter().any(|p| p.iov_base.is_null() && p.iov_len > 0) {
        let waiting = at_once(move |host| host.bench.with(|p| p.ioctl(fd, libc::FIONREAD)))?;
        if waiting > 0 {
            return Err(EFAULT);
        }
    }
    let reply = perform(Request::Receive { fd, max, flags })?;
    let Reply::Data { data, .. } = reply else { return Err(DEAD) };
    // SAFETY: the caller's promise.
    unsafe { memory::scatter(&data, pieces) }?;
    let inq = call(move |host| host.bench.with(|p| p.inq(fd))).flatten();
    Ok((data.len() as i64, inq))
}

/// Writes the control message of `TCP_INQ`, or none.
///
/// # Safety
/// `header` describes room for control data truthfully.
unsafe fn put_inq(header: &mut msghdr, inq: Option<i32>) {
    let Some(inq) = inq else {
        header.msg_controllen = 0;
        return;
    };
    // SAFETY: only arithmetic.
    let (space, len) = unsafe { (libc::CMSG_SPACE(4) as usize, libc::CMSG_LEN(4) as usize) };
    if header.msg_control.is_null() || header.msg_controllen < space {
        header.msg_controllen = 0;
        return;
    }
    const TCP_CM_INQ: c_int = 36;
    header.msg_controllen = space;
    // SAFETY: there is room for one header and its data, as was just checked.
    unsafe {
        let cmsg = libc::CMSG_FIRSTHDR(header);
        (*cmsg).cmsg_len = len;
        (*cmsg).cmsg_level = libc::SOL_TCP;
        (*cmsg).cmsg_type = TCP_CM_INQ;
        libc::CMSG_DATA(cmsg).cast::<c_int>().write_unaligned(inq);
    }
}

pub(crate) unsafe extern "C" fn write(u: *mut c_void, fd: c_int, buffer: *const c_void, len: size_t) -> ssize_t {
    // SAFETY: the caller's promise is the same.
    unsafe { send(u, fd, buffer, len, 0) }
}

pub(crate) unsafe extern "C" fn writev(_: *mut c_void, fd: c_int, iov: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's promise, as for writev(2).
    let data = unsafe { memory::pieces(iov, count) }.and_then(|pieces| unsafe { memory::gather(&pieces) });
    size(data.and_then(|data| send_from(fd, data, 0, None)))
}

pub(crate) unsafe extern "C" fn send(
    _: *mut c_void,
    fd: c_int,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: the caller's promise, as for send(2).
    let data = unsafe { memory::copy_in(buffer, len) };
    size(data.and_then(|data| send_from(fd, data, flags, None)))
}

pub(crate) unsafe extern "C" fn sendto(
    _: *mut c_void,
    fd: c_int,
    buffer: *const c_void,
    len: size_t,
    flags: c_int,
    to: *const sockaddr,
    to_len: socklen_t,
) -> ssize_t {
    // SAFETY: the caller's promise, as for sendto(2).
    let data = unsafe { memory::copy_in(buffer, len) };
    // SAFETY: likewise; a null address means none.
    let to = if to.is_null() { Ok(None) } else { unsafe { memory::address(to, to_len) } };
    size(data.and_then(|data| send_from(fd, data, flags, to?)))
}

pub(crate) unsafe extern "C" fn sendmsg(_: *mut c_void, fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    if message.is_null() {
        return size(Err(EFAULT));
    }
    // SAFETY: not null, and so a message by the caller's promise.
    let header = unsafe { &*message };
    // SAFETY: the caller's promise about the vector and its pieces.
    let data = unsafe { memory::pieces(header.msg_iov, header.msg_iovlen as c_int) }
        // SAFETY: likewise.
        .and_then(|pieces| unsafe { memory::gather(&pieces) });
    let to = if header.msg_name.is_null() {
        Ok(None)
    } else {
        // SAFETY: not null, and so an address by the caller's promise.
        unsafe { memory::address(header.msg_name.cast(), header.msg_namelen) }
    };
    size(data.and_then(|data| send_from(fd, data, flags, to?)))
}

fn send_from(fd: Fd, data: Vec<u8>, flags: c_int, to: Option<SocketAddr>) -> Result<i64, Errno> {
    counted(perform(Request::Send { fd, data, flags, to }))
}

pub(crate) extern "C" fn fcntl(_: *mut c_void, fd: c_int, command: c_int, value: c_long) -> c_int {
    number(at_once(move |host| host.bench.with(|p| p.fcntl(fd, command, value as c_int)).map(i64::from)))
}

pub(crate) unsafe extern "C" fn ioctl(_: *mut c_void, fd: c_int, request: c_ulong, value: *mut c_int) -> c_int {
    number(at_once(move |host| host.bench.with(|p| p.ioctl(fd, request))).and_then(|result| {
        // SAFETY: the requests that are known write one int, for which the caller gives room.
        unsafe { memory::copy_out(&result.to_ne_bytes(), value.cast(), size_of::<c_int>()) }.map(|()| 0)
    }))
}

pub(crate) extern "C" fn close(_: *mut c_void, fd: c_int) -> c_int {
    if !host::owns(fd) {
        return number(Err(EBADF));
    }
    let result = counted(perform(Request::Close { fd }));
    drop_placeholder(fd);
    number(result)
}

pub(crate) extern "C" fn shutdown(_: *mut c_void, fd: c_int, how: c_int) -> c_int {
    number(at_once(move |host| host.bench.with(|p| p.shutdown(fd, how)).map(|()| 0)))
}

pub(crate) unsafe extern "C" fn getsockopt(
    _: *mut c_void,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    if len.is_null() {
        return number(Err(EFAULT));
    }
    // SAFETY: not null, and so a length by the caller's promise.
    let room = unsafe { *len } as usize;
    let result = at_once(move |host| host.bench.with(|p| p.get_option(fd, level, name))).and_then(|mut octets| {
        if (level, name) == (libc::SOL_TCP, libc::TCP_INFO) {
            // A caller whose structure has grown beyond ours finds zeros there.
            octets.resize(octets.len().max(room), 0);
        }
        // SAFETY: `len` says how much room there is, by the caller's promise.
        unsafe { memory::copy_out(&octets, value, room) }?;
        // SAFETY: as above.
        unsafe { *len = octets.len().min(room) as socklen_t };
        Ok(0)
    });
    number(result)
}

pub(crate) unsafe extern "C" fn setsockopt(
    _: *mut c_void,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: the caller's promise, as for setsockopt(2).
    let value = unsafe { memory::copy_in(value, len as usize) };
    number(
        value.and_then(|value| {
            at_once(move |host| host.bench.with(|p| p.set_option(fd, level, name, &value)).map(|()| 0))
        }),
    )
}

fn timeout(millis: c_int) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

pub(crate) unsafe extern "C" fn poll(_: *mut c_void, fds: *mut pollfd, count: nfds_t, millis: c_int) -> c_int {
    if fds.is_null() {
        return number(Err(EFAULT));
    }
    // SAFETY: not null, and so `count` entries by the caller's promise.
    let entries = unsafe { core::slice::from_raw_parts_mut(fds, count as usize) };
    let asked = entries.iter().map(|e| PollEntry { fd: e.fd, events: e.events, revents: 0 }).collect();
    number(match perform(Request::Poll { entries: asked, timeout: timeout(millis) }) {
        Ok(Reply::Ready(found)) => {
            let mut ready = 0;
            for (entry, found) in entries.iter_mut().zip(found) {
                entry.revents = found.revents;
                ready += i64::from(found.revents != 0);
            }
            Ok(ready)
        }
        Ok(_) => Err(DEAD),
        Err(errno) => Err(errno),
    })
}

pub(crate) unsafe extern "C" fn netdev_send(_: *mut c_void, packet: *const c_void, len: size_t) -> c_int {
    // SAFETY: the caller's promise: a packet of `len` octets.
    let packet = unsafe { memory::copy_in(packet, len) };
    number(packet.and_then(|packet| {
        at_once(move |host| {
            host.bench.inject(&packet);
            Ok(0)
        })
    }))
}

pub(crate) unsafe extern "C" fn netdev_receive(
    _: *mut c_void,
    buffer: *mut c_void,
    len: *mut size_t,
    micros: *mut c_longlong,
) -> c_int {
    if len.is_null() || micros.is_null() {
        return number(Err(EFAULT));
    }
    let (packet, at) = host::receive().unwrap_or_default();
    // SAFETY: neither is null; `len` holds the room of `buffer`, by the caller's promise.
    let copied = unsafe {
        let room = *len;
        *len = packet.len().min(room);
        *micros = at.as_micros() as c_longlong;
        memory::copy_out(&packet, buffer, room)
    };
    number(copied.map(|()| 0))
}

pub(crate) extern "C" fn usleep(_: *mut c_void, micros: useconds_t) -> c_int {
    host::sleep(Duration::from_micros(micros.into()));
    0
}

pub(crate) unsafe extern "C" fn gettimeofday(_: *mut c_void, time: *mut timeval, _zone: *mut c_void) -> c_int {
    if time.is_null() {
        return number(Err(EFAULT));
    }
    let now = host::time().as_micros();
    let value = timeval { tv_sec: (now / 1_000_000) as libc::time_t, tv_usec: (now % 1_000_000) as libc::suseconds_t };
    // SAFETY: not null, and so room for a time by the caller's promise.
    unsafe { time.write(value) };
    0
}

pub(crate) extern "C" fn epoll_create(_: *mut c_void, _size: c_int) -> c_int {
    number(with_placeholder(|fd| {
        at_once(move |host| {
            host.bench.with(|p| p.epoll_create(fd));
            Ok(())
        })
    }))
}

pub(crate) unsafe extern "C" fn epoll_ctl(
    _: *mut c_void,
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    let event = if event.is_null() {
        EpollEvent { events: 0, data: 0 }
    } else {
        // SAFETY: not null, and so an event by the caller's promise; the structure is packed, hence the copy.
        let event = unsafe { event.read_unaligned() };
        EpollEvent { events: event.events, data: event.u64 }
    };
    number(at_once(move |host| host.bench.with(|p| p.epoll_control(epoll, operation, fd, event)).map(|()| 0)))
}

pub(crate) unsafe extern "C" fn epoll_wait(
    _: *mut c_void,
    fd: c_int,
    events: *mut epoll_event,
    max: c_int,
    millis: c_int,
) -> c_int {
    let Some(max) = usize::try_from(max).ok().filter(|max| *max > 0) else { return number(Err(EINVAL)) };
    if events.is_null() {
        return number(Err(EFAULT));
    }
    number(match perform(Request::EpollWait { fd, max, timeout: timeout(millis) }) {
        Ok(Reply::Events(found)) => {
            for (index, event) in found.iter().enumerate() {
                // SAFETY: at most `max` are found, for which the caller gives room.
                unsafe {
                    events.add(index).write_unaligned(epoll_event { events: event.events, u64: event.data });
                }
            }
            Ok(found.len() as i64)
        }
        Ok(_) => Err(DEAD),
        Err(errno) => Err(errno),
    })
}

pub(crate) unsafe extern "C" fn pipe(_: *mut c_void, fds: *mut c_int) -> c_int {
    if fds.is_null() {
        return number(Err(EFAULT));
    }
    // SAFETY: not null, and so room for two by the caller's promise. The pipe is the kernel's own.
    unsafe { libc::pipe(fds) }
}

pub(crate) unsafe extern "C" fn splice(
    _: *mut c_void,
    from: c_int,
    _from_offset: *mut c_longlong,
    to: c_int,
    _to_offset: *mut c_longlong,
    len: size_t,
    _flags: c_uint,
) -> ssize_t {
    size(match (host::owns(from), host::owns(to)) {
        (true, false) => match perform(Request::Receive { fd: from, max: len, flags: 0 }) {
            // SAFETY: the octets are ours, and as many as we say.
            Ok(Reply::Data { data, .. }) => Ok(unsafe { libc::write(to, data.as_ptr().cast(), data.len()) } as i64),
            Ok(_) => Err(DEAD),
            Err(errno) => Err(errno),
        },
        (false, true) => {
            // A pipe holds 64 KiB.
            let mut data = vec![0u8; len.min(1 << 16)];
            // SAFETY: the room is ours, and as much as we say.
            let read = unsafe { libc::read(from, data.as_mut_ptr().cast(), data.len()) };
            match usize::try_from(read) {
                Ok(read) => {
                    data.truncate(read);
                    send_from(to, data, 0, None)
                }
                Err(_) => Err(EINVAL),
            }
        }
        _ => Err(EINVAL),
    })
}
