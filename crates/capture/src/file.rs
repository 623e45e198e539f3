//! Files that may grow longer than the memory of the machine.

use std::fs::File;
use std::io::{self, Write};

/// A file that may become long, written from its beginning to its end.
///
/// What is written first stays in the kernel's page cache, where whoever opens the file next wants to find it. What
/// comes after [`CACHED`](Self::CACHED) bytes is written around the cache where the kernel can (`RWF_DONTCACHE`, Linux
/// 6.14): a capture of gigabytes then neither pushes out what other programs work with nor waits for fresh memory. Its
/// room on the disk is reserved in large pieces; what is left of the last is given back when the file is dropped.
#[derive(Debug)]
pub struct LongFile {
    file: File,
    written: u64,
    /// From where on the cache is avoided; [`u64::MAX`] where the kernel cannot.
    around: u64,
    /// Up to where there is room on the disk; [`u64::MAX`] where none can be reserved.
    reserved: u64,
}

impl LongFile {
    /// What stays in the cache at most.
    pub const CACHED: u64 = 32 << 20;

    /// A multiple of every page size. A page that is written in parts would be read again for each of them.
    const UNIT: usize = 64 * 1024;

    /// How much room is reserved at a time.
    const RESERVED: u64 = 16 << 20;

    /// Writes to `file`, which is empty.
    pub fn new(file: File) -> Self {
        Self { file, written: 0, around: Self::CACHED, reserved: 0 }
    }

    /// Writes whole pages around the cache; `None` where these are none, or where the kernel cannot.
    fn write_around(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        let whole = bytes.len() / Self::UNIT * Self::UNIT;
        if whole == 0 || self.written < self.around || !self.written.is_multiple_of(Self::UNIT as u64) {
            return None;
        }
        if self.written >= self.reserved {
            // Where the disk is full or the file system cannot, the write itself will tell.
            let room = reserve(&self.file, self.written, Self::RESERVED);
            self.reserved = room.map_or(u64::MAX, |()| self.written + Self::RESERVED);
        }
        match write_uncached(&self.file, &bytes[..whole]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => {
                self.around = u64::MAX;
                None
            }
            done => Some(done),
        }
    }
}

impl Write for LongFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = match self.write_around(bytes) {
            Some(done) => done?,
            None => self.file.write(bytes)?,
        };
        self.written += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for LongFile {
    fn drop(&mut self) {
        if self.reserved > self.written && self.reserved < u64::MAX {
            // The length stays as it is; what was reserved behind it goes. Failing that, nothing is lost but room.
            let _ = self.file.set_len(self.written);
        }
    }
}

/// Reserves `len` bytes from `from` on, without changing the length of the file.
#[cfg(target_os = "linux")]
fn reserve(file: &File, from: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};

    Ok(fallocate(file, FallocateFlags::KEEP_SIZE, from, len)?)
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn write_uncached(file: &File, bytes: &[u8]) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, pwritev2};

    /// `RWF_DONTCACHE` of `linux/fs.h`.
    const DONTCACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);
    /// The file's own position, which moves on.
    const HERE: u64 = u64::MAX;
    Ok(pwritev2(file, &[io::IoSlice::new(bytes)], HERE, DONTCACHE)?)
}

#[cfg(not(target_os = "linux"))]
fn write_uncached(_: &File, _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn every_byte_stands_where_it_was_written() {
        let mut file = LongFile::new(tempfile::tempfile().unwrap());
        file.around = 100_000;
        let bytes: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        let mut rest = &bytes[..];
        // Pieces shorter and longer than a page, some that leave the next in the midst of one.
        for len in [131_072, 100, 130_972, 65_536, 200_000, 1, 65_535, 300_000].into_iter().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(len.min(rest.len()));
            file.write_all(piece).unwrap();
            rest = after;
        }
        let mut read = Vec::new();
        let mut other = file.file.try_clone().unwrap();
        other.rewind().unwrap();
        other.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        drop(file);
        let room = other.metadata().unwrap().blocks() * 512;
        assert!(room < 2_000_000, "{room} bytes of the disk for a file of 1,000,000");
    }

    #[test]
    fn a_full_disk_is_an_error_whichever_way() {
        for around in [0, u64::MAX] {
            let Ok(full) = File::create("/dev/full") else { return eprintln!("SKIPPED: there is no /dev/full") };
            let mut file = LongFile::new(full);
            file.around = around;
            let error = file.write_all(&[0; 200_000]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
