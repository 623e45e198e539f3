//! Brotli (RFC 7932).

use std::io::Write as _;

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, CompressorWriter};

use super::decoder::{Decode, Step};
use super::encoder::Encode;

pub(super) struct Decoder {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    total: usize,
    ended: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        // Windows as RFC 7932 §9.1 has them: up to 16 MB.
        let state =
            BrotliState::new_strict(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
        Self { state: Box::new(state), total: 0, ended: false }
    }
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, &'static str> {
        if self.ended {
            return if input.is_empty() { Ok(Step::default()) } else { Err("something stands behind its end") };
        }
        let (mut left, mut read, mut room, mut written) = (input.len(), 0, out.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            out,
            &mut self.total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultFailure => return Err("this is no brotli"),
            BrotliResult::ResultSuccess => self.ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        Ok(Step { read, written })
    }

    fn is_whole(&self) -> bool {
        self.ended
    }
}

/// At this quality (of 11) servers compress what they make; the window is 256 KB.
const QUALITY: u32 = 5;
const WINDOW: u32 = 18;

pub(super) struct Encoder(Option<CompressorWriter<Vec<u8>>>);

impl Default for Encoder {
    fn default() -> Self {
        Self(Some(CompressorWriter::new(Vec::new(), 4096, QUALITY, WINDOW)))
    }
}

impl Encoder {
    /// Lets the encoder do something, and takes what came of it.
    fn run(&mut self, what: impl FnOnce(&mut CompressorWriter<Vec<u8>>) -> std::io::Result<()>, out: &mut Vec<u8>) {
        if let Some(writer) = &mut self.0 {
            // Writing to memory does not fail.
            let _ = what(writer);
            out.append(writer.get_mut());
        }
    }
}

impl Encode for Encoder {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.run(|writer| writer.write_all(input), out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        self.run(std::io::Write::flush, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(writer) = self.0.take() {
            out.append(&mut writer.into_inner());
        }
    }
}
