//! gzip (RFC 1952): members, each deflated data between a header and a checksum.

use crc32fast::Hasher;
use flate2::Decompress;

use super::decoder::{Decode, Step};
use super::deflate::{self, Body};
use super::encoder::Encode;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const NOT_GZIP: &str = "this is no gzip";

/// §2.3.1: the flags.
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Where in a member it is.
enum State {
    /// In the ten octets of its header that are always there: so many are past.
    Fixed(usize),
    /// In the length of the extra field.
    ExtraLength(Vec<u8>),
    /// So many octets before the end of the extra field.
    Extra(usize),
    /// In a text that ends with nought.
    Text,
    /// In the checksum of the header.
    HeaderSum(Vec<u8>),
    Body(Box<Body>),
    /// In the checksum and the length.
    Trailer(Vec<u8>),
}

pub(super) struct Decoder {
    state: State,
    /// What of the header is still to come.
    flags: u8,
    header: Hasher,
    sum: Hasher,
    length: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::Fixed(0), flags: 0, header: Hasher::new(), sum: Hasher::new(), length: 0 }
    }
}

impl Decode for Decoder {
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, &'static str> {
        if let State::Body(body) = &mut self.state {
            let step = body.step(input, out)?;
            self.sum.update(&out[..step.written]);
            self.length = self.length.wrapping_add(step.written as u32);
            if body.ended {
                self.state = State::Trailer(Vec::new());
            }
            return Ok(step);
        }
        let mut read = 0;
        for octet in input {
            read += 1;
            self.put(*octet)?;
            if matches!(self.state, State::Body(_)) {
                break;
            }
        }
        Ok(Step { read, written: 0 })
    }

    fn is_whole(&self) -> bool {
        // §2.2: "A gzip file consists of a series of "members"".
        matches!(self.state, State::Fixed(0))
    }
}

impl Decoder {
    /// Takes an octet of a header or a trailer.
    fn put(&mut self, octet: u8) -> Result<(), &'static str> {
        if !matches!(self.state, State::Trailer(_) | State::HeaderSum(_)) {
            self.header.update(&[octet]);
        }
        match &mut self.state {
            State::Fixed(n) => {
                match *n {
                    0..3 if octet != MAGIC[*n] => return Err(NOT_GZIP),
                    // "Reserved FLG bits must be zero."
                    3 if octet & RESERVED != 0 => return Err("its header has flags that there are not"),
                    3 => self.flags = octet,
                    _ => {}
                }
                *n += 1;
                if *n == 10 {
                    self.next();
                }
            }
            State::ExtraLength(length) => {
                length.push(octet);
                if let [low, high] = length[..] {
                    match u16::from_le_bytes([low, high]) {
                        0 => self.next(),
                        length => self.state = State::Extra(length.into()),
                    }
                }
            }
            State::Extra(left) => {
                *left -= 1;
                if *left == 0 {
                    self.next();
                }
            }
            State::Text if octet == 0 => self.next(),
            State::Text | State::Body(_) => {}
            State::HeaderSum(sum) => {
                sum.push(octet);
                if let [low, high] = sum[..] {
                    // "The CRC16 consists of the two least significant bytes of the CRC32".
                    if u16::from_le_bytes([low, high]) != self.header.clone().finalize() as u16 {
                        return Err("the checksum of its header is wrong");
                    }
                    self.next();
                }
            }
            State::Trailer(trailer) => {
                trailer.push(octet);
                if let [a, b, c, d, e, f, g, h] = trailer[..] {
                    if u32::from_le_bytes([a, b, c, d]) != self.sum.clone().finalize() {
                        return Err("its checksum is wrong");
                    }
                    // "ISIZE: the size of the original input data modulo 2^32."
                    if u32::from_le_bytes([e, f, g, h]) != self.length {
                        return Err("its length is wrong");
                    }
                    *self = Self::default();
                }
            }
        }
        Ok(())
    }

    /// Goes to what of the header stands next, or to what is behind it.
    fn next(&mut self) {
        let flags = self.flags;
        let mut take = |flag: u8| {
            let there = flags & flag != 0;
            self.flags &= !if there { flag } else { 0 };
            there
        };
        self.state = if take(FEXTRA) {
            State::ExtraLength(Vec::new())
        } else if take(FNAME) || take(FCOMMENT) {
            State::Text
        } else if take(FHCRC) {
            State::HeaderSum(Vec::new())
        } else {
            State::Body(Box::new(Body::new(Decompress::new(false))))
        };
    }
}

pub(super) struct Encoder {
    begun: Begun,
    deflate: deflate::Encoder,
    sum: Hasher,
    length: u32,
}

/// Whether the header is written.
#[derive(PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { begun: Begun::No, deflate: deflate::Encoder::bare(), sum: Hasher::new(), length: 0 }
    }
}

impl Encoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if core::mem::replace(&mut self.begun, Begun::Yes) == Begun::No {
            // "MTIME = 0 means no time stamp is available", and 255 is an unknown system: the same on every machine.
            out.extend([MAGIC[0], MAGIC[1], MAGIC[2], 0, 0, 0, 0, 0, 0, 255]);
        }
    }
}

impl Encode for Encoder {
    fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.begin(out);
        self.sum.update(input);
        self.length = self.length.wrapping_add(input.len() as u32);
        self.deflate.push(input, out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.deflate.flush(out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.deflate.finish(out);
        out.extend(self.sum.clone().finalize().to_le_bytes());
        out.extend(self.length.to_le_bytes());
    }
}
