//! Data longer than a TSDU may be travel in segments (X.225 §7.37, §8.4).

use bytes::{Bytes, BytesMut};

use crate::spdu::{Kind, Name, Spdu};

/// The bits of the Enclosure Item: "beginning of SSDU", "end of SSDU".
const BEGINNING: u8 = 0x01;
const END: u8 = 0x02;
/// GIVE TOKENS before it, SI and LI, the Enclosure Item.
const HEAD: usize = 2 + 2 + 3;

/// The SPDUs of `data` where no TSDU may be longer than `most` octets; nought for no limit.
pub(super) fn cut(kind: Kind, data: &Bytes, most: usize) -> Vec<Spdu> {
    if most == 0 || data.len() + HEAD - 3 <= most {
        return vec![Spdu::new(kind).with_information(data.clone())];
    }
    let piece = most.saturating_sub(HEAD).max(1);
    let count = data.len().div_ceil(piece);
    let segment = |n: usize| {
        let part = data.slice(n * piece..data.len().min((n + 1) * piece));
        let item = if n == 0 { BEGINNING } else { 0 } | if n + 1 == count { END } else { 0 };
        Spdu::new(kind).with_octet(Name::Enclosure, item).with_information(part)
    };
    (0..count).map(segment).collect()
}

/// Segments that wait for their last one.
#[derive(Debug, Default)]
pub(super) struct Segments {
    open: Option<Kind>,
    bytes: BytesMut,
}

impl Segments {
    /// Takes an SPDU; whether the data are whole, and [`whole`](Self::whole) gives them.
    pub(super) fn take(&mut self, spdu: &Spdu, most: usize) -> Result<bool, String> {
        let item = spdu.octet(Name::Enclosure).unwrap_or(BEGINNING | END);
        let begins = item & BEGINNING != 0;
        if self.open != (!begins).then_some(spdu.kind()) {
            return Err("protocol error: a segment out of order".to_owned());
        }
        if self.bytes.len() + spdu.information().len() > most {
            return Err(format!("implementation restriction: data of over {most} octets"));
        }
        let ends = item & END != 0;
        if !(begins && ends) {
            self.bytes.extend_from_slice(spdu.information());
        }
        self.open = (!ends).then_some(spdu.kind());
        Ok(ends)
    }

    /// The data that end with `spdu`.
    pub(super) fn whole(&mut self, spdu: &Spdu) -> Bytes {
        if self.bytes.is_empty() { spdu.information().clone() } else { self.bytes.split().freeze() }
    }
}
