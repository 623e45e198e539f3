//! Octets of one character set to octets of another, with the place of what cannot be converted.

use super::decoder::{Decoder, Shadow};
use super::encoder::{Encoder, Unwritable};
use super::mistake::{Mistake, Place, What};
use super::name::Charset;
use super::{Nel, Unmappable};

/// So much is converted at a time.
const PIECE: usize = 8 * 1024;

/// Turns octets of one character set into octets of another.
pub struct Converter {
    to: Charset,
    decoder: Decoder,
    encoder: Encoder,
    /// Where what cannot be written must be found among octets of which several are a character.
    shadow: Option<Shadow>,
    place: Place,
    text: String,
}

impl Converter {
    /// One that knows what to do with what cannot be converted, and what ends lines in EBCDIC.
    pub fn new(from: Charset, to: Charset, nel: Nel, unmappable: Unmappable) -> Self {
        let may_fail = unmappable == Unmappable::Error && !to.has_all();
        Self {
            to,
            decoder: Decoder::new(from, nel, unmappable),
            encoder: Encoder::new(to, nel, unmappable),
            shadow: if may_fail { Shadow::new(from) } else { None },
            place: Place::START,
            text: String::new(),
        }
    }

    /// Appends what `octets` become; a character that is cut is kept for the next piece.
    ///
    /// # Errors
    /// Where something cannot be converted, and the policy makes an error of it. What stood before it was appended.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), Mistake> {
        octets.chunks(PIECE).try_for_each(|piece| {
            self.text.clear();
            let read = self.decoder.push(piece, &mut self.text);
            self.write(piece, out)?;
            read
        })
    }

    /// There is no more.
    ///
    /// # Errors
    /// Where the octets ended within a character, and the policy makes an error of it.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Mistake> {
        self.text.clear();
        let read = self.decoder.finish(&mut self.text);
        self.write(&[], out)?;
        read?;
        self.encoder.finish(out);
        Ok(())
    }

    /// Writes the text that a piece became.
    fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Mistake> {
        let Self { to, encoder, shadow, place, text, .. } = self;
        if let Err(Unwritable { at, character }) = encoder.write(text, out) {
            let octets = match shadow {
                Some(shadow) => shadow.find(piece, at),
                None => text[..at].chars().count() as i64,
            };
            place.pass(&text[..at]);
            place.offset = place.offset.saturating_add_signed(octets);
            return Err(place.mistake(What::Unmappable { character, to: *to }));
        }
        place.pass(text);
        place.offset += piece.len() as u64;
        if let Some(shadow) = shadow {
            shadow.follow(piece);
        }
        Ok(())
    }
}

impl core::fmt::Debug for Converter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Converter")
            .field("decoder", &self.decoder)
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}
