//! Zstandard (RFC 8878): frames, each of blocks.
//!
//! The decoder is given a block at a time, so that it holds no more than a window and a block of what comes out.

use std::io::Read as _;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::decoder::{Decode, Step};
use super::encoder::Encode;

/// §3.1.1: the magic number of a frame.
const MAGIC: u32 = 0xfd2f_b528;
/// §3.1.2: those of a skippable frame, but for their lowest four bits.
const SKIPPABLE: u32 = 0x184d_2a50;
/// §3.1.1.2.4: "Block_Maximum_Size is the smallest of: Window_Size; 128 KB".
const LARGEST_BLOCK: usize = 128 * 1024;
/// RFC 9659 §3: a decoder must support windows of 8 MB, and an encoder must not take larger ones.
const LARGEST_WINDOW: u64 = 8 << 20;

const NOT_ZSTD: &str = "this is no zstd";

pub(super) struct Decoder {
    frames: FrameDecoder,
    /// What was read of something that is not whole.
    kept: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a frame, or within its header.
    Header,
    /// Within blocks.
    Blocks { sum: Sum },
    /// The last block has been read, and what came of it is to be written.
    Last { sum: Sum },
    /// So many octets before the end of a skippable frame.
    Skip(u32),
}

/// Whether a checksum stands behind the last block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sum {
    There,
    None,
}

impl Default for Decoder {
    fn default() -> Self {
        let mut frames = FrameDecoder::new();
        frames.set_max_window_size(LARGEST_WINDOW);
        Self { frames, kept: Vec::new(), state: State::Header }
    }
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, &'static str> {
        // What is ready comes first.
        if matches!(self.state, State::Blocks { .. } | State::Last { .. }) {
            let written = self.frames.read(out).map_err(|_| NOT_ZSTD)?;
            if written > 0 {
                return Ok(Step { read: 0, written });
            }
            if self.frames.can_collect() > 0 {
                return Ok(Step::default());
            }
            if let State::Last { sum } = self.state {
                if sum == Sum::There && self.frames.get_checksum_from_data() != self.frames.get_calculated_checksum() {
                    return Err("its checksum is wrong");
                }
                self.state = State::Header;
            }
        }
        if let State::Skip(left) = self.state {
            let read = input.len().min(left as usize);
            self.state = match left - read as u32 {
                0 => State::Header,
                left => State::Skip(left),
            };
            return Ok(Step { read, written: 0 });
        }
        let mut read = 0;
        loop {
            let wanted = self.wanted()?;
            let more = wanted.saturating_sub(self.kept.len()).min(input.len() - read);
            self.kept.extend_from_slice(&input[read..read + more]);
            read += more;
            if self.kept.len() < wanted {
                return Ok(Step { read, written: 0 });
            }
            // More of it may say that it is longer.
            if self.wanted()? == wanted {
                self.take()?;
                self.kept.clear();
                return Ok(Step { read, written: 0 });
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.state == State::Header && self.kept.is_empty()
    }
}

impl Decoder {
    /// How many octets what stands next has, as far as what was kept of it tells.
    fn wanted(&self) -> Result<usize, &'static str> {
        let kept = &self.kept[..];
        match self.state {
            State::Blocks { sum } => {
                let [a, b, c, ..] = *kept else { return Ok(3) };
                // §3.1.1.2: "Last_Block, Block_Type, Block_Size", from the lowest bit on.
                let header = u32::from_le_bytes([a, b, c, 0]);
                let size = (header >> 3) as usize;
                if size > LARGEST_BLOCK {
                    return Err("it has a block that is too large");
                }
                // A block of one octet that is repeated has that one.
                let content = if header >> 1 & 3 == 1 { 1 } else { size };
                Ok(3 + content + if header & 1 == 1 && sum == Sum::There { 4 } else { 0 })
            }
            State::Header | State::Last { .. } | State::Skip(_) => {
                let Some(magic) = kept.first_chunk::<4>().map(|magic| u32::from_le_bytes(*magic)) else { return Ok(4) };
                if magic & !0xf == SKIPPABLE {
                    return Ok(8);
                }
                if magic != MAGIC {
                    return Err(NOT_ZSTD);
                }
                let Some(descriptor) = kept.get(4) else { return Ok(5) };
                // §3.1.1.1: the window, the number of a dictionary, the size of what comes out.
                let single = descriptor >> 5 & 1 == 1;
                let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
                let size = [usize::from(single), 2, 4, 8][usize::from(descriptor >> 6)];
                Ok(5 + usize::from(!single) + dictionary + size)
            }
        }
    }

    /// Reads what is whole now.
    fn take(&mut self) -> Result<(), &'static str> {
        let kept = &self.kept[..];
        self.state = match self.state {
            State::Blocks { sum } => {
                let strategy = BlockDecodingStrategy::UptoBlocks(1);
                let ended = self.frames.decode_blocks(kept, strategy).map_err(|_| "it has a block that is none")?;
                if ended { State::Last { sum } } else { State::Blocks { sum } }
            }
            State::Header | State::Last { .. } | State::Skip(_) => {
                if let [a, b, c, d, e, f, g, h] = *kept
                    && u32::from_le_bytes([a, b, c, d]) & !0xf == SKIPPABLE
                {
                    match u32::from_le_bytes([e, f, g, h]) {
                        0 => State::Header,
                        length => State::Skip(length),
                    }
                } else {
                    self.frames.init(kept).map_err(|error| match error {
                        ruzstd::decoding::errors::FrameDecoderError::WindowSizeTooBig { .. } => {
                            "it wants a window of more than 8 MB"
                        }
                        ruzstd::decoding::errors::FrameDecoderError::DictNotProvided { .. } => "it wants a dictionary",
                        _ => "it has a header that is none",
                    })?;
                    State::Blocks { sum: if kept[4] & 4 == 0 { Sum::None } else { Sum::There } }
                }
            }
        };
        Ok(())
    }
}

/// What is pushed becomes a frame for every so many octets, which is the window of the encoder too, and one where it is
/// flushed. §3: "Zstandard compressed data is made up of one or more frames. Each frame is independent".
const FRAME: usize = 128 * 1024;

#[derive(Default)]
pub(super) struct Encoder {
    kept: Vec<u8>,
    /// Whether a frame has been written.
    begun: bool,
}

impl Encoder {
    fn frame(&mut self, out: &mut Vec<u8>) {
        self.begun = true;
        out.extend(compress_to_vec(&self.kept[..], CompressionLevel::Fastest));
        self.kept.clear();
    }
}

impl Encode for Encoder {
    fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            let (now, later) = input.split_at(input.len().min(FRAME - self.kept.len()));
            self.kept.extend_from_slice(now);
            if self.kept.len() == FRAME {
                self.frame(out);
            }
            input = later;
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.kept.is_empty() {
            self.frame(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        // Nothing at all is an empty frame.
        if !self.kept.is_empty() || !self.begun {
            self.frame(out);
        }
    }
}
