//! Files that may grow longer than the memory of the machine.

use std::fs::File;
use std::io::{self, Write};

/// A file that may become long, written from its beginning to its end.
///
/// What is written first stays in the kernel's page cache, where whoever opens the file next wants to find it. What
/// comes after [`CACHED`](Self::CACHED) bytes is written around the cache where the kernel can (`RWF_DONTCACHE`, Linux
/// 6.14): a capture of gigabytes then neither pushes out what other programs work with nor waits for fresh memory.
#[derive(Debug)]
pub struct LongFile {
    file: File,
    written: u64,
    /// From where on the cache is avoided; [`u64::MAX`] where the kernel cannot.
    around: u64,
}

impl LongFile {
    /// What stays in the cache at most.
    pub const CACHED: u64 = 32 << 20;

    /// A multiple of every page size. A page that is written in parts would be read again for each of them.
    const UNIT: usize = 64 * 1024;

    /// Writes to `file`, which is empty.
    pub fn new(file: File) -> Self {
        Self { file, written: 0, around: Self::CACHED }
    }

    /// Writes whole pages around the cache; `None` where these are none, or where the kernel cannot.
    fn write_around(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        let whole = bytes.len() / Self::UNIT * Self::UNIT;
        if whole == 0 || self.written < self.around || !self.written.is_multiple_of(Self::UNIT as u64) {
            return None;
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

    use super::*;

    #[test]
    fn every_byte_stands_where_it_was_written() {
        let mut file = LongFile { around: 100_000, ..LongFile::new(tempfile::tempfile().unwrap()) };
        let bytes: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        let mut rest = &bytes[..];
        // Pieces shorter and longer than a page, some that leave the next in the midst of one.
        for len in [131_072, 100, 130_972, 65_536, 200_000, 1, 65_535, 300_000].into_iter().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(len.min(rest.len()));
            file.write_all(piece).unwrap();
            rest = after;
        }
        let mut read = Vec::new();
        file.file.rewind().unwrap();
        file.file.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn a_full_disk_is_an_error_whichever_way() {
        for around in [0, u64::MAX] {
            let Ok(full) = File::create("/dev/full") else { return eprintln!("SKIPPED: there is no /dev/full") };
            let mut file = LongFile { around, ..LongFile::new(full) };
            let error = file.write_all(&[0; 200_000]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
