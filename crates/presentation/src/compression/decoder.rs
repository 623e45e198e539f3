//! Decompression, whatever the coding, within bounds.

use super::fault::{Fault, What};
use super::{Coding, brotli, deflate, gzip, zstd};

/// How much may come out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// At most so many octets.
    pub output: u64,
    /// At most so many times as many octets as went in …
    pub ratio: u64,
    /// … once so many have come out. A little may well be small.
    pub slack: u64,
}

impl Default for Limits {
    /// 1 GiB, and 200 times what went in beyond 16 MiB.
    fn default() -> Self {
        Self { output: 1 << 30, ratio: 200, slack: 16 << 20 }
    }
}

impl Limits {
    /// Nothing is too much.
    pub const NONE: Self = Self { output: u64::MAX, ratio: u64::MAX, slack: u64::MAX };
}

/// How far a step came.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Step {
    /// So many octets were read.
    pub read: usize,
    /// So many were written.
    pub written: usize,
}

/// Decompression of one coding.
pub(super) trait Decode: Send {
    /// Reads from `input` and writes to `out`, and comes further wherever there is something to read and room to write.
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, &'static str>;

    /// Whether the data may end here.
    fn is_whole(&self) -> bool;
}

/// Turns compressed data into what it was.
pub struct Decoder {
    coding: Coding,
    limits: Limits,
    decode: Box<dyn Decode>,
    read: u64,
    written: u64,
}

impl Decoder {
    /// One of a coding, and how much may come out.
    pub fn new(coding: Coding, limits: Limits) -> Self {
        let decode: Box<dyn Decode> = match coding {
            Coding::Gzip => Box::new(gzip::Decoder::default()),
            Coding::Deflate => Box::new(deflate::Decoder::default()),
            Coding::Brotli => Box::new(brotli::Decoder::default()),
            Coding::Zstd => Box::new(zstd::Decoder::default()),
        };
        Self { coding, limits, decode, read: 0, written: 0 }
    }

    /// Reads from `input` and writes to `out`. All that is to be had was written when there is room left and nothing was left
    /// unread; with an empty `input` what is still to come of the octets before is written.
    ///
    /// # Errors
    /// Where the data are malformed, or more comes out than may.
    pub fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
        let mut all = Step::default();
        loop {
            let step = self
                .decode
                .step(&input[all.read..], &mut out[all.written..])
                .map_err(|why| self.fault(What::Malformed(why)))?;
            all.read += step.read;
            all.written += step.written;
            self.read += step.read as u64;
            self.written += step.written as u64;
            let Limits { output, ratio, slack } = self.limits;
            if self.written > output {
                return Err(self.fault(What::TooLarge(output)));
            }
            if self.written > slack && self.written > self.read.saturating_mul(ratio) {
                return Err(self.fault(What::Bomb(ratio)));
            }
            if step == Step::default() || all.written == out.len() {
                return Ok(all);
            }
        }
    }

    /// There is no more.
    ///
    /// # Errors
    /// Where the data end in the middle. That nothing came at all is no data, and no error.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.read == 0 || self.decode.is_whole() { Ok(()) } else { Err(self.fault(What::Truncated)) }
    }

    fn fault(&self, what: What) -> Fault {
        Fault { coding: self.coding, offset: self.read, what }
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { coding, read, written, .. } = self;
        f.debug_struct("Decoder").field("coding", coding).field("read", read).field("written", written).finish()
    }
}

/// All of what compressed data were.
///
/// # Errors
/// Where they are malformed or end in the middle, or more comes out than may.
pub fn decompress(coding: Coding, data: &[u8], limits: Limits) -> Result<Vec<u8>, Fault> {
    const PIECE: usize = 16 * 1024;
    let mut decoder = Decoder::new(coding, limits);
    let (mut out, mut rest) = (Vec::new(), data);
    loop {
        let from = out.len();
        out.resize(from + PIECE, 0);
        let step = decoder.step(rest, &mut out[from..])?;
        out.truncate(from + step.written);
        rest = &rest[step.read..];
        if step.written < PIECE && rest.is_empty() {
            decoder.finish()?;
            return Ok(out);
        }
    }
}
