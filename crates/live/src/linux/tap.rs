//! A TAP: an Ethernet interface of the kernel whose other end is this process.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use septet_core::Carrier;
use tokio::io::unix::AsyncFd;

use super::sys::{
    IfReq, Owns, TUNSETCARRIER, TUNSETIFF, TUNSETOFFLOAD, TUNSETPERSIST, TUNSETVNETHDRSZ, if_req, int, number, watch,
};
use super::vnet;

const IFF_TAP: i16 = 0x0002;
const IFF_NO_PI: i16 = 0x1000;
const IFF_VNET_HDR: i16 = 0x4000;
const TUN_F_CSUM: usize = 0x01;
const TUN_F_TSO4: usize = 0x02;
const TUN_F_TSO6: usize = 0x04;
const TUN_F_TSO_ECN: usize = 0x08;

/// Whether frames carry a virtio-net header, with checksums and segmentation left to the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offload {
    /// Plain frames, complete and at most one MTU long.
    None,
    /// A [`vnet::Header`] in front of each; TCP super-segments of up to 64 KiB.
    Full,
}

/// Whether the interface outlives the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// It goes with the process.
    Fresh,
    /// It stays.
    Persistent,
}

/// An open TAP, in non-blocking mode. Dropping it removes a fresh interface.
#[derive(Debug)]
pub struct Tap {
    file: File,
    name: String,
    offload: Offload,
}

/// The file is never swapped, and closed only with it.
impl Owns for Tap {}

impl Tap {
    /// Makes the interface called `name` in the current network namespace, or takes up one that stands there
    /// unused; an empty name lets the kernel choose.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_ADMIN` in the namespace, `ResourceBusy` where another process has it,
    /// `NotFound` where the kernel has no TUN driver.
    pub fn open(name: &str, offload: Offload, persistence: Persistence) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open("/dev/net/tun")
            .map_err(no_driver)?;
        let mut flags = IFF_TAP | IFF_NO_PI;
        if offload == Offload::Full {
            flags |= IFF_VNET_HDR;
        }
        let mut req = IfReq::new(name)?.set_i16(flags);
        if_req::<TUNSETIFF>(&file, &mut req).map_err(|e| explain(name, e))?;
        let tap = Self { file, name: req.name(), offload };
        if offload == Offload::Full {
            int::<TUNSETVNETHDRSZ>(&tap.file, vnet::LEN as i32)?;
            number::<TUNSETOFFLOAD>(&tap.file, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)?;
        }
        if persistence == Persistence::Persistent {
            number::<TUNSETPERSIST>(&tap.file, 1)?;
        }
        Ok(tap)
    }

    /// Takes up a TAP that another process opened and handed over.
    pub fn from_fd(fd: OwnedFd, name: &str, offload: Offload) -> Self {
        Self { file: fd.into(), name: name.to_owned(), offload }
    }

    /// Lets tokio's reactor watch it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        watch(self)
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether frames carry a [`vnet::Header`].
    pub fn offload(&self) -> Offload {
        self.offload
    }

    /// Shows the kernel a cable, or none.
    ///
    /// # Errors
    /// The kernel's, on kernels before 5.0 `InvalidInput`.
    pub fn set_carrier(&self, carrier: Carrier) -> io::Result<()> {
        int::<TUNSETCARRIER>(&self.file, i32::from(carrier == Carrier::Up))
    }

    /// Reads one frame that the kernel sent, its virtio-net header in front where there is one.
    ///
    /// # Errors
    /// `WouldBlock` where there is none; the kernel's where the interface is gone.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(buf)
    }

    /// The same, with the virtio-net header apart; `header` is empty where there is none.
    ///
    /// # Errors
    /// As [`read`](Self::read); `InvalidData` where what came is shorter than its header.
    pub fn read_split(&self, header: &mut [u8], frame: &mut [u8]) -> io::Result<usize> {
        let in_front = header.len();
        let n = (&self.file).read_vectored(&mut [IoSliceMut::new(header), IoSliceMut::new(frame)])?;
        n.checked_sub(in_front).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Hands the kernel one frame; `header` is empty where there is no virtio-net header.
    ///
    /// # Errors
    /// `WouldBlock` where the kernel's queue is full; the kernel's where the interface is down or gone.
    pub fn write(&self, header: &[u8], frame: &[u8]) -> io::Result<()> {
        let written = if header.is_empty() {
            (&self.file).write(frame)?
        } else {
            (&self.file).write_vectored(&[IoSlice::new(header), IoSlice::new(frame)])?
        };
        if written == header.len() + frame.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl std::os::fd::AsRawFd for Tap {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.file.as_raw_fd()
    }
}

fn no_driver(error: io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => {
            " (`modprobe tun` as root loads the driver; a container needs `--device /dev/net/tun`)"
        }
        io::ErrorKind::PermissionDenied => " (it must be open to this user: `chmod 666 /dev/net/tun` as root)",
        _ => "",
    };
    io::Error::new(error.kind(), format!("/dev/net/tun: {error}{hint}"))
}

fn explain(name: &str, error: io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " (a new one takes CAP_NET_ADMIN here: as root, `ip tuntap add NAME mode tap user USER` makes one for a user; \
             in `unshare -rn` everybody has it)"
        }
        io::ErrorKind::ResourceBusy => " (another process holds it)",
        _ => "",
    };
    io::Error::new(error.kind(), format!("TAP `{name}`: {error}{hint}"))
}
