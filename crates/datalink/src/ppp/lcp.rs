//! The options of the link control protocol: RFC 1661 §6, RFC 1662 §7, RFC 1570 §2.1 and RFC 1663 §4.

use super::negotiation::{Options, Verdict};
use super::packet::push;
use crate::hdlc::{Accm, Fcs};
use septet_core::Rng;

pub(super) const MRU: u8 = 1;
pub(super) const ACCM: u8 = 2;
pub(super) const MAGIC: u8 = 5;
pub(super) const PROTOCOL_COMPRESSION: u8 = 7;
pub(super) const ADDRESS_COMPRESSION: u8 = 8;
pub(super) const FCS_ALTERNATIVES: u8 = 9;
pub(super) const NUMBERED_MODE: u8 = 11;

/// The default of RFC 1661 §6.1.
pub(super) const DEFAULT_MRU: u16 = 1500;

/// Whether a header field may be shortened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    /// The field is whole.
    #[default]
    Off,
    /// It may be shortened.
    On,
}

/// RFC 1663 §4: the window in frames, and the address for commands to the one who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NumberedMode {
    /// The window: 1 to 7 mean modulo 8, 8 to 127 modulo 128.
    pub window: u8,
    /// The address.
    pub address: u8,
}

/// What holds for one direction of a link: what its receiver asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Maximum-Receive-Unit.
    pub mru: u16,
    /// Async-Control-Character-Map.
    pub accm: Accm,
    /// Magic-Number; zero where there is none.
    pub magic: u32,
    /// Protocol-Field-Compression.
    pub protocol_compression: Compression,
    /// Address-and-Control-Field-Compression.
    pub address_compression: Compression,
    /// FCS-Alternatives.
    pub fcs: Fcs,
    /// Numbered-Mode.
    pub numbered: Option<NumberedMode>,
}

impl Terms {
    /// What holds before anything is agreed.
    pub const DEFAULT: Self = Self {
        mru: DEFAULT_MRU,
        accm: Accm::ALL,
        magic: 0,
        protocol_compression: Compression::Off,
        address_compression: Compression::Off,
        fcs: Fcs::Sixteen,
        numbered: None,
    };
}

/// The link control protocol's side of a negotiation.
#[derive(Debug)]
pub(super) struct Lcp {
    /// What this end asks for: how it wants to receive.
    pub(super) wanted: Terms,
    /// What the other end was granted: how this end sends.
    pub(super) granted: Terms,
    /// Whether numbered mode is wanted here at all.
    numbered: Option<NumberedMode>,
    rng: Rng,
    /// Times that both ends had the same magic number.
    pub(super) looped: u32,
}

impl Lcp {
    pub(super) fn new(wanted: Terms, mut rng: Rng) -> Self {
        let magic = rng.next_u32().max(1);
        let numbered = wanted.numbered;
        Self { wanted: Terms { magic, ..wanted }, granted: Terms::DEFAULT, numbered, rng, looped: 0 }
    }

    /// Both ends asked for it and were granted it.
    pub(super) fn numbered_mode(&self) -> Option<(NumberedMode, NumberedMode)> {
        self.wanted.numbered.zip(self.granted.numbered)
    }
}

impl Options for Lcp {
    fn request(&self) -> Vec<u8> {
        // §6: an option whose default is wanted is left out.
        let Terms { mru, accm, magic, protocol_compression, address_compression, fcs, numbered } = self.wanted;
        let mut data = Vec::new();
        if mru != DEFAULT_MRU {
            push(&mut data, MRU, &mru.to_be_bytes());
        }
        if accm != Accm::ALL {
            push(&mut data, ACCM, &accm.0.to_be_bytes());
        }
        if magic != 0 {
            push(&mut data, MAGIC, &magic.to_be_bytes());
        }
        if protocol_compression == Compression::On {
            push(&mut data, PROTOCOL_COMPRESSION, &[]);
        }
        if address_compression == Compression::On {
            push(&mut data, ADDRESS_COMPRESSION, &[]);
        }
        if fcs == Fcs::ThirtyTwo {
            push(&mut data, FCS_ALTERNATIVES, &[FCS_32]);
        }
        if let Some(NumberedMode { window, address }) = numbered {
            push(&mut data, NUMBERED_MODE, &[window, address]);
        }
        data
    }

    fn judge(&mut self, kind: u8, value: &[u8]) -> Verdict {
        match (kind, value) {
            (MRU, &[high, low]) if u16::from_be_bytes([high, low]) >= 128 => Verdict::Acceptable,
            (MRU, [_, _]) => Verdict::Rather(DEFAULT_MRU.to_be_bytes().to_vec()),
            (ACCM, [_, _, _, _]) | (PROTOCOL_COMPRESSION, []) => Verdict::Acceptable,
            // RFC 1663: the address field is needed in numbered mode.
            (ADDRESS_COMPRESSION, []) if self.numbered.is_some() => Verdict::Unacceptable,
            (ADDRESS_COMPRESSION, []) => Verdict::Acceptable,
            (MAGIC, &[a, b, c, d]) => {
                let theirs = u32::from_be_bytes([a, b, c, d]);
                // §6.4: equal numbers mean a loop, or a coincidence that the next number ends.
                if theirs == 0 || theirs == self.wanted.magic {
                    self.looped += 1;
                    Verdict::Rather(self.rng.next_u32().max(1).to_be_bytes().to_vec())
                } else {
                    Verdict::Acceptable
                }
            }
            (FCS_ALTERNATIVES, [FCS_16 | FCS_32]) => Verdict::Acceptable,
            (FCS_ALTERNATIVES, [_]) => Verdict::Rather(vec![FCS_16]),
            (NUMBERED_MODE, &[window, address]) => match self.numbered {
                None => Verdict::Unacceptable,
                Some(ours) => {
                    let other = if ours.address == 1 { 3 } else { 1 };
                    // A Configure-Nak "may reduce the window, but may not increase it", and one modulo must serve both ends:
                    // who wants more than seven follows one who wants less.
                    let fits = match window {
                        0 | 128.. => ours.window,
                        8.. if ours.window < 8 => ours.window,
                        _ => window,
                    };
                    if window < 8 && ours.window >= 8 {
                        self.wanted.numbered = Some(NumberedMode { window: MODULO_8_WINDOW, ..ours });
                    }
                    // The two addresses must differ.
                    match fits == window && address == other {
                        true => Verdict::Acceptable,
                        false => Verdict::Rather(vec![fits, other]),
                    }
                }
            },
            _ => Verdict::Unacceptable,
        }
    }

    fn granted(&mut self, asked: &[(u8, &[u8])]) {
        let mut terms = Terms::DEFAULT;
        for &(kind, value) in asked {
            match (kind, value) {
                (MRU, &[high, low]) => terms.mru = u16::from_be_bytes([high, low]),
                (ACCM, &[a, b, c, d]) => terms.accm = Accm(u32::from_be_bytes([a, b, c, d])),
                (MAGIC, &[a, b, c, d]) => terms.magic = u32::from_be_bytes([a, b, c, d]),
                (PROTOCOL_COMPRESSION, []) => terms.protocol_compression = Compression::On,
                (ADDRESS_COMPRESSION, []) => terms.address_compression = Compression::On,
                (FCS_ALTERNATIVES, [FCS_32]) => terms.fcs = Fcs::ThirtyTwo,
                (NUMBERED_MODE, &[window, address]) => terms.numbered = Some(NumberedMode { window, address }),
                _ => {}
            }
        }
        self.granted = terms;
    }

    fn suggested(&mut self, kind: u8, value: &[u8]) {
        match (kind, value) {
            (MRU, &[high, low]) => self.wanted.mru = u16::from_be_bytes([high, low]).clamp(128, self.wanted.mru),
            // What the other end must escape is added to the map.
            (ACCM, &[a, b, c, d]) => self.wanted.accm.0 |= u32::from_be_bytes([a, b, c, d]),
            (MAGIC, _) => self.wanted.magic = self.rng.next_u32().max(1),
            (FCS_ALTERNATIVES, _) => self.wanted.fcs = Fcs::Sixteen,
            (NUMBERED_MODE, &[window, address]) => {
                if let Some(ours) = &mut self.wanted.numbered {
                    // A window is only ever reduced.
                    *ours = NumberedMode { window: window.clamp(1, ours.window), address };
                }
            }
            _ => {}
        }
    }

    fn refused(&mut self, kind: u8) {
        match kind {
            MRU => self.wanted.mru = DEFAULT_MRU,
            ACCM => self.wanted.accm = Accm::ALL,
            MAGIC => self.wanted.magic = 0,
            PROTOCOL_COMPRESSION => self.wanted.protocol_compression = Compression::Off,
            ADDRESS_COMPRESSION => self.wanted.address_compression = Compression::Off,
            FCS_ALTERNATIVES => self.wanted.fcs = Fcs::Sixteen,
            NUMBERED_MODE => self.wanted.numbered = None,
            _ => {}
        }
    }
}

/// The largest window of modulo 8.
const MODULO_8_WINDOW: u8 = 7;

/// RFC 1570 §2.1: "2 CCITT 16-bit FCS", "4 CCITT 32-bit FCS".
const FCS_16: u8 = 2;
const FCS_32: u8 = 4;
