//! Deflate (RFC 1951), bare or in zlib's frame (RFC 1950).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::decoder::{Decode, Step};
use super::encoder::Encode;

/// Deflate as HTTP has it: in zlib's frame, or, as RFC 9110 §8.4.1.2 notes of some senders, "without the zlib wrapper".
#[derive(Default)]
pub(super) struct Decoder {
    /// The first two octets, which tell.
    head: Vec<u8>,
    /// How many of them `body` has been given.
    given: usize,
    body: Option<Body>,
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, &'static str> {
        if let Some(body) = &mut self.body {
            // The two first octets, which were kept until it was known what they are.
            let kept = body.step(&self.head[self.given..], out)?;
            self.given += kept.read;
            if self.given < self.head.len() {
                return Ok(Step { read: 0, ..kept });
            }
            let step = body.step(input, &mut out[kept.written..])?;
            return Ok(Step { written: kept.written + step.written, ..step });
        }
        let read = input.len().min(2 - self.head.len());
        self.head.extend_from_slice(&input[..read]);
        if let [method, flags] = self.head[..] {
            // RFC 1950 §2.2: "CM = 8", and "FCHECK … must be such that CMF and FLG … is a multiple of 31". Bare data do not
            // begin so: it would be a stored block whose padding is not nought.
            let zlib = method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31);
            self.body = Some(Body::new(Decompress::new(zlib)));
        }
        Ok(Step { read, written: 0 })
    }

    fn is_whole(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.ended)
    }
}

/// Deflated data.
pub(super) struct Body {
    inflate: Decompress,
    /// Whether the last block has ended.
    pub(super) ended: bool,
}

impl Body {
    pub(super) fn new(inflate: Decompress) -> Self {
        Self { inflate, ended: false }
    }

    pub(super) fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, &'static str> {
        if self.ended {
            return if input.is_empty() { Ok(Step::default()) } else { Err("something stands behind its end") };
        }
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, out, FlushDecompress::None)
            .map_err(|_| "this is no deflate, or its checksum is wrong")?;
        self.ended = status == Status::StreamEnd;
        let (read, written) = (self.inflate.total_in() - before.0, self.inflate.total_out() - before.1);
        Ok(Step { read: read as usize, written: written as usize })
    }
}

pub(super) struct Encoder(Compress);

impl Encoder {
    pub(super) fn zlib() -> Self {
        Self(Compress::new(Compression::default(), true))
    }

    pub(super) fn bare() -> Self {
        Self(Compress::new(Compression::default(), false))
    }

    fn run(&mut self, input: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
        let begun = self.0.total_in();
        loop {
            out.reserve(4096);
            let rest = &input[(self.0.total_in() - begun) as usize..];
            let status = self.0.compress_vec(rest, out, flush);
            // There is room left where all is written.
            let all_read = (self.0.total_in() - begun) as usize == input.len();
            let ended = !matches!(status, Ok(Status::Ok | Status::BufError));
            if ended || all_read && out.len() < out.capacity() {
                return;
            }
        }
    }
}

impl Encode for Encoder {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.run(input, FlushCompress::None, out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        self.run(&[], FlushCompress::Sync, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.run(&[], FlushCompress::Finish, out);
    }
}
