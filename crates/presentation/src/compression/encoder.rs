//! Compression, whatever the coding.

use super::{Coding, brotli, deflate, gzip, zstd};

/// Compression of one coding.
pub(super) trait Encode: Send {
    /// Appends what comes of more octets, or keeps them for later.
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>);

    /// Appends all that whoever decompresses needs for what was pushed.
    fn flush(&mut self, out: &mut Vec<u8>);

    /// Appends the end.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// Turns octets into compressed data. The same octets, in the same pieces, become the same data.
pub struct Encoder {
    coding: Coding,
    encode: Box<dyn Encode>,
}

impl Encoder {
    /// One of a coding, at the level that its makers take for the usual one of servers.
    pub fn new(coding: Coding) -> Self {
        let encode: Box<dyn Encode> = match coding {
            Coding::Gzip => Box::new(gzip::Encoder::default()),
            Coding::Deflate => Box::new(deflate::Encoder::zlib()),
            Coding::Brotli => Box::new(brotli::Encoder::default()),
            Coding::Zstd => Box::new(zstd::Encoder::default()),
        };
        Self { coding, encode }
    }

    /// Appends what comes of more octets, or keeps them for later.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.encode.push(input, out);
    }

    /// Appends all that whoever decompresses needs for what was pushed. It costs a few octets, and some of the effect.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.encode.flush(out);
    }

    /// Appends the end. Nothing may be pushed behind it.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.encode.finish(out);
    }
}

impl core::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Encoder").field("coding", &self.coding).finish_non_exhaustive()
    }
}

/// All of some octets, compressed.
pub fn compress(coding: Coding, octets: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(coding);
    let mut out = Vec::new();
    encoder.push(octets, &mut out);
    encoder.finish(&mut out);
    out
}
