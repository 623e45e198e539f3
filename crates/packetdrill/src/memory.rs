//! What lies behind the pointers of the caller: addresses, buffers and vectors of them.

use core::ffi::{CStr, c_char, c_int, c_void};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use libc::{iovec, sockaddr, sockaddr_in, sockaddr_in6, socklen_t};
use septet_posix::Errno;

pub(crate) const EFAULT: Errno = Errno(libc::EFAULT);
const EINVAL: Errno = Errno(libc::EINVAL);

/// A C string, empty where there is none.
///
/// # Safety
/// `text` is null or a C string.
pub(crate) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and so a C string by the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A copy of `len` octets.
///
/// # Safety
/// `from` is null or points to `len` octets.
pub(crate) unsafe fn copy_in(from: *const c_void, len: usize) -> Result<Vec<u8>, Errno> {
    if len == 0 {
        return Ok(Vec::new());
    }
    if from.is_null() {
        return Err(EFAULT);
    }
    // SAFETY: not null, and so `len` octets by the caller's promise; they are copied before it returns.
    Ok(unsafe { core::slice::from_raw_parts(from.cast::<u8>(), len) }.to_vec())
}

/// Writes as much of `data` as `len` octets hold.
///
/// # Safety
/// `to` is null or points to `len` octets that may be written.
pub(crate) unsafe fn copy_out(data: &[u8], to: *mut c_void, len: usize) -> Result<(), Errno> {
    let n = data.len().min(len);
    if n == 0 {
        return Ok(());
    }
    if to.is_null() {
        return Err(EFAULT);
    }
    // SAFETY: not null, and so room for `len` octets by the caller's promise; `data` is ours and does not overlap.
    unsafe { core::ptr::copy_nonoverlapping(data.as_ptr(), to.cast::<u8>(), n) };
    Ok(())
}

/// The pieces of a vector of buffers.
///
/// # Safety
/// `iov` is null or points to `count` elements.
pub(crate) unsafe fn pieces(iov: *const iovec, count: c_int) -> Result<Vec<iovec>, Errno> {
    let count = usize::try_from(count).map_err(|_| EINVAL)?;
    // Linux: UIO_MAXIOV
    if count > 1024 {
        return Err(Errno(libc::EMSGSIZE));
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    if iov.is_null() {
        return Err(EFAULT);
    }
    // SAFETY: not null, and so `count` elements by the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(iov, count) }.to_vec())
}

/// The octets of all pieces, one after the other.
///
/// # Safety
/// Each piece is as long as it says.
pub(crate) unsafe fn gather(pieces: &[iovec]) -> Result<Vec<u8>, Errno> {
    let mut data = Vec::new();
    for piece in pieces {
        // SAFETY: the caller's promise about this piece.
        data.extend(unsafe { copy_in(piece.iov_base, piece.iov_len) }?);
    }
    Ok(data)
}

/// Spreads `data` over the pieces.
///
/// # Safety
/// Each piece is as long as it says and may be written.
pub(crate) unsafe fn scatter(mut data: &[u8], pieces: &[iovec]) -> Result<(), Errno> {
    for piece in pieces {
        let (now, rest) = data.split_at(data.len().min(piece.iov_len));
        // SAFETY: the caller's promise about this piece.
        unsafe { copy_out(now, piece.iov_base, piece.iov_len) }?;
        data = rest;
    }
    Ok(())
}

/// An address; `None` for `AF_UNSPEC`.
///
/// # Safety
/// `address` is null or points to `len` octets.
pub(crate) unsafe fn address(address: *const sockaddr, len: socklen_t) -> Result<Option<SocketAddr>, Errno> {
    // SAFETY: the caller's promise.
    let octets = unsafe { copy_in(address.cast(), len as usize) }?;
    let family = octets.first_chunk::<2>().map(|f| i32::from(u16::from_ne_bytes(*f))).ok_or(EINVAL)?;
    let port = || octets.get(2..4).map(|p| u16::from_be_bytes([p[0], p[1]])).ok_or(EINVAL);
    match family {
        libc::AF_UNSPEC => Ok(None),
        libc::AF_INET => {
            let four: [u8; 4] = octets.get(4..8).and_then(|a| a.try_into().ok()).ok_or(EINVAL)?;
            Ok(Some((Ipv4Addr::from(four), port()?).into()))
        }
        libc::AF_INET6 => {
            let six: [u8; 16] = octets.get(8..24).and_then(|a| a.try_into().ok()).ok_or(EINVAL)?;
            Ok(Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(six), port()?, 0, 0))))
        }
        _ => Err(Errno(libc::EAFNOSUPPORT)),
    }
}

/// Writes an address where one is asked for, as far as there is room, and its whole length.
///
/// # Safety
/// `len` is null or points to the length of what `to` points to.
pub(crate) unsafe fn put_address(address: SocketAddr, to: *mut sockaddr, len: *mut socklen_t) -> Result<(), Errno> {
    if to.is_null() || len.is_null() {
        return Ok(());
    }
    let mut octets = Vec::new();
    let whole = match address {
        SocketAddr::V4(four) => {
            octets.extend((libc::AF_INET as u16).to_ne_bytes());
            octets.extend(four.port().to_be_bytes());
            octets.extend(four.ip().octets());
            size_of::<sockaddr_in>()
        }
        SocketAddr::V6(six) => {
            octets.extend((libc::AF_INET6 as u16).to_ne_bytes());
            octets.extend(six.port().to_be_bytes());
            octets.extend([0; 4]);
            octets.extend(six.ip().octets());
            size_of::<sockaddr_in6>()
        }
    };
    octets.resize(whole, 0);
    // SAFETY: neither is null, and `len` says how much room there is, by the caller's promise.
    unsafe {
        copy_out(&octets, to.cast(), *len as usize)?;
        *len = whole as socklen_t;
    }
    Ok(())
}
