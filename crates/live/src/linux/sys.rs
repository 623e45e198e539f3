//! What the kernel offers only as `unsafe` calls, behind safe functions: the one place of this crate with `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::ioctl::{IntegerSetter, Opcode, Updater, ioctl};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use tokio::io::unix::AsyncFd;

/// `struct ifreq`: a name and a union whose members all fit 24 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct IfReq {
    name: [u8; 16],
    pub(super) data: [u8; 24],
}

impl IfReq {
    /// A request about the interface called `name`; an empty name lets the kernel choose.
    pub(super) fn new(name: &str) -> io::Result<Self> {
        // IFNAMSIZ is 16, the terminating zero included.
        if name.len() > 15 || name.bytes().any(|b| b == 0 || b == b'/' || b.is_ascii_whitespace()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{name}` is no interface name: at most 15 bytes, without space or slash"),
            ));
        }
        let mut req = Self { name: [0; 16], data: [0; 24] };
        req.name[..name.len()].copy_from_slice(name.as_bytes());
        Ok(req)
    }

    /// The name, as the kernel filled it in.
    pub(super) fn name(&self) -> String {
        let end = self.name.iter().position(|b| *b == 0).unwrap_or(self.name.len());
        String::from_utf8_lossy(&self.name[..end]).into_owned()
    }

    pub(super) fn set_i16(mut self, value: i16) -> Self {
        self.data[..2].copy_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn set_i32(mut self, value: i32) -> Self {
        self.data[..4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn set_bytes(mut self, bytes: &[u8]) -> Self {
        self.data[..bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(super) fn i16(&self) -> i16 {
        i16::from_ne_bytes([self.data[0], self.data[1]])
    }

    pub(super) fn i32(&self) -> i32 {
        i32::from_ne_bytes([self.data[0], self.data[1], self.data[2], self.data[3]])
    }
}

/// `struct rtentry` on 64-bit Linux.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct RtEntry {
    pub(super) pad1: u64,
    pub(super) dst: [u8; 16],
    pub(super) gateway: [u8; 16],
    pub(super) genmask: [u8; 16],
    pub(super) flags: u16,
    pub(super) pad2: i16,
    pub(super) pad3: u64,
    pub(super) pad4: u64,
    pub(super) metric: i16,
    pub(super) dev: u64,
    pub(super) mtu: u64,
    pub(super) window: u64,
    pub(super) irtt: u16,
}

/// `struct in6_ifreq`
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct In6IfReq {
    pub(super) address: [u8; 16],
    pub(super) prefix_len: u32,
    pub(super) index: i32,
}

/// `struct in6_rtmsg` on 64-bit Linux.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct In6RtMsg {
    pub(super) dst: [u8; 16],
    pub(super) src: [u8; 16],
    pub(super) gateway: [u8; 16],
    pub(super) kind: u32,
    pub(super) dst_len: u16,
    pub(super) src_len: u16,
    pub(super) metric: u32,
    pub(super) info: u64,
    pub(super) flags: u32,
    pub(super) index: i32,
}

/// An `ioctl` that takes and may fill in a `struct ifreq`.
pub(super) fn if_req<const OPCODE: Opcode>(fd: impl AsFd, req: &mut IfReq) -> io::Result<()> {
    const { assert!(is_if_req(OPCODE)) };
    // SAFETY: every opcode that `is_if_req` admits reads and writes at most one `struct ifreq` of 40 bytes, which
    // `IfReq` lays out; all bit patterns of it are valid.
    Ok(unsafe { ioctl(fd, Updater::<OPCODE, IfReq>::new(req)) }?)
}

/// An `ioctl` whose argument is a number.
pub(super) fn number<const OPCODE: Opcode>(fd: impl AsFd, value: usize) -> io::Result<()> {
    const { assert!(matches!(OPCODE, TUNSETPERSIST | TUNSETOFFLOAD)) };
    // SAFETY: these two opcodes take their argument by value and touch no memory of ours.
    Ok(unsafe { ioctl(fd, IntegerSetter::<OPCODE>::new_usize(value)) }?)
}

/// An `ioctl` whose argument points at an `int`.
pub(super) fn int<const OPCODE: Opcode>(fd: impl AsFd, mut value: i32) -> io::Result<()> {
    const { assert!(matches!(OPCODE, TUNSETVNETHDRSZ | TUNSETCARRIER)) };
    // SAFETY: these two opcodes read one `int`.
    Ok(unsafe { ioctl(fd, Updater::<OPCODE, i32>::new(&mut value)) }?)
}

/// Adds a route.
pub(super) fn add_route(fd: impl AsFd, mut route: RtEntry) -> io::Result<()> {
    // SAFETY: SIOCADDRT reads one `struct rtentry`, which `RtEntry` lays out; its device pointer stays null.
    Ok(unsafe { ioctl(fd, Updater::<SIOCADDRT, RtEntry>::new(&mut route)) }?)
}

/// Gives an interface an address of IPv6; `fd` is a socket of IPv6.
pub(super) fn add_address_v6(fd: impl AsFd, mut address: In6IfReq) -> io::Result<()> {
    // SAFETY: on a socket of IPv6, SIOCSIFADDR reads one `struct in6_ifreq`, which `In6IfReq` lays out.
    Ok(unsafe { ioctl(fd, Updater::<SIOCSIFADDR, In6IfReq>::new(&mut address)) }?)
}

/// Adds a route of IPv6; `fd` is a socket of IPv6.
pub(super) fn add_route_v6(fd: impl AsFd, mut route: In6RtMsg) -> io::Result<()> {
    // SAFETY: on a socket of IPv6, SIOCADDRT reads one `struct in6_rtmsg`, which `In6RtMsg` lays out.
    Ok(unsafe { ioctl(fd, Updater::<SIOCADDRT, In6RtMsg>::new(&mut route)) }?)
}

/// `setsockopt(2)`
pub(crate) fn set_option(fd: impl AsFd, (level, number): (i32, i32), value: &[u8]) -> io::Result<()> {
    let (fd, len) = (fd.as_fd().as_raw_fd(), value.len() as nix::libc::socklen_t);
    // SAFETY: the kernel reads `len` octets of `value` before the call returns, and keeps no pointer.
    let result = unsafe { nix::libc::setsockopt(fd, level, number, value.as_ptr().cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Owns a descriptor and never swaps or closes it before it is dropped.
pub(super) trait Owns: AsRawFd {}
impl Owns for OwnedFd {}

/// Lets tokio's reactor watch a descriptor.
pub(super) fn watch<T: Owns>(fd: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: the descriptor is open for as long as `fd` lives, which is what `Owns` stands for.
    Ok(unsafe { AsyncFd::register(fd) }?)
}

/// Leaves the namespaces that `flags` names for fresh ones.
pub(super) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    if flags.contains(UnshareFlags::FILES) {
        return Err(rustix::io::Errno::INVAL);
    }
    // SAFETY: the danger is UnshareFlags::FILES alone, which takes descriptors away from other threads; refused above.
    unsafe { unshare_unsafe(flags) }
}

pub(super) const TUNSETIFF: Opcode = 0x4004_54ca;
pub(super) const TUNSETPERSIST: Opcode = 0x4004_54cb;
pub(super) const TUNSETOFFLOAD: Opcode = 0x4004_54d0;
pub(super) const TUNSETVNETHDRSZ: Opcode = 0x4004_54d8;
pub(super) const TUNSETCARRIER: Opcode = 0x4004_54e2;
pub(super) const SIOCADDRT: Opcode = 0x890b;
pub(super) const SIOCGIFFLAGS: Opcode = 0x8913;
pub(super) const SIOCSIFFLAGS: Opcode = 0x8914;
pub(super) const SIOCSIFADDR: Opcode = 0x8916;
pub(super) const SIOCSIFNETMASK: Opcode = 0x891c;
pub(super) const SIOCGIFMTU: Opcode = 0x8921;
pub(super) const SIOCSIFMTU: Opcode = 0x8922;
pub(super) const SIOCSIFHWADDR: Opcode = 0x8924;
pub(super) const SIOCGIFINDEX: Opcode = 0x8933;

const fn is_if_req(opcode: Opcode) -> bool {
    matches!(
        opcode,
        TUNSETIFF
            | SIOCGIFFLAGS
            | SIOCSIFFLAGS
            | SIOCSIFADDR
            | SIOCSIFNETMASK
            | SIOCGIFMTU
            | SIOCSIFMTU
            | SIOCSIFHWADDR
            | SIOCGIFINDEX
    )
}
