//! Compression: gzip, deflate, brotli and zstd, as they come, both ways.
//!
//! [`Encoder`] and [`Decoder`] do no input and no output. What is decoded has bounds: memory by construction, and by [`Limits`]
//! how much may come out and how much more than went in, so that a few bytes do not become more than anybody wants.
//!
//! ```
//! use septet_presentation::compression::{self, Coding, Limits};
//! let text = b"to be or not to be, that is the question whether to be".repeat(9);
//! let packed = compression::compress(Coding::Gzip, &text);
//! assert!(packed.len() < text.len());
//! assert_eq!(compression::decompress(Coding::Gzip, &packed, Limits::default()).unwrap(), text);
//! // Text is no gzip.
//! let fault = compression::decompress(Coding::Gzip, &text, Limits::default()).unwrap_err();
//! assert_eq!(fault.to_string(), "byte 0 of the gzip data: this is no gzip");
//! ```

mod brotli;
mod decoder;
mod deflate;
mod encoder;
mod fault;
mod gzip;
mod zstd;

pub use decoder::{Decoder, Limits, Step, decompress};
pub use encoder::{Encoder, compress};
pub use fault::{Fault, What};

/// A content coding (RFC 9110 §8.4.1), by IANA's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Coding {
    /// gzip (RFC 1952).
    Gzip,
    /// Deflate (RFC 1951) in zlib's frame (RFC 1950); read without one too, as browsers do.
    Deflate,
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878), with windows up to 8 MB (RFC 9659).
    Zstd,
}

impl Coding {
    /// All that there are.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// IANA's name of it: `gzip`, `deflate`, `br`, `zstd`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of this name. RFC 9110 §8.4.1: "All content codings are case-insensitive", and §8.4.1.3: "A recipient
    /// SHOULD consider \"x-gzip\" to be equivalent to \"gzip\"."
    pub fn find(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("x-gzip") { "gzip" } else { name };
        Self::ALL.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests;
