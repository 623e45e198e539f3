//! What each part of a frame's line symbols is: preamble, delimiters, octets.

use super::stream::{PREAMBLE_AND_SFD, four_five_bits};
use super::{Code, Phy};
use crate::line_code::Level;

/// A part of what a PHY sends for a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// What it is.
    pub what: What,
    /// The octet that it stands for, where it stands for one.
    pub octet: Option<u8>,
    /// Its first line symbol.
    pub at: usize,
    /// How many line symbols it is.
    pub symbols: usize,
    /// Its code as ones and zeros: half bits for Manchester, code groups before scrambling for 4B5B, the code group for
    /// 8b/10b.
    pub code: String,
}

/// What a part of a frame on the line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// An octet of the preamble.
    Preamble,
    /// What tells that a frame begins: a delimiter of the line code, or the start frame delimiter.
    Start,
    /// The octet of the frame with this number; the frame check sequence is the last four.
    Octet(usize),
    /// What tells that it ends.
    End,
}

impl Phy {
    /// The parts of the symbols that [`transmit`](Self::transmit) makes of `octets`, FCS included, in their order.
    pub fn parts(&self, octets: &[u8]) -> Vec<Part> {
        let levels = self.transmit(octets);
        let ones = |range: core::ops::Range<usize>| -> Vec<bool> {
            levels.get(range).unwrap_or_default().iter().map(|&level| level == Level::High).collect()
        };
        let groups = match self.code {
            Code::FourFiveMlt3 => four_five_bits(octets),
            Code::Manchester | Code::EightTen => ones(0..levels.len()),
        };
        let (symbols, in_group) = match self.code {
            Code::Manchester => (16, 2),
            Code::FourFiveMlt3 => (10, 5),
            Code::EightTen => (10, 10),
        };
        let line = PREAMBLE_AND_SFD.iter().chain(octets).copied().map(Some).chain(core::iter::repeat(None));
        let count = levels.len() / symbols;
        let of = |(number, octet): (usize, Option<u8>)| {
            let at = number * symbols;
            // The line code's own delimiter takes the place of the first octet of the preamble.
            let delimited = number == 0 && self.code != Code::Manchester;
            let what = match number {
                0 if delimited => What::Start,
                0..=6 => What::Preamble,
                7 => What::Start,
                _ if octet.is_some() => What::Octet(number - 8),
                _ => What::End,
            };
            let mut code = String::new();
            for (i, bit) in groups.get(at..at + symbols).unwrap_or_default().iter().enumerate() {
                if i > 0 && i % in_group == 0 {
                    code.push(' ');
                }
                code.push(if *bit { '1' } else { '0' });
            }
            Part { what, octet: octet.filter(|_| !delimited), at, symbols, code }
        };
        (0..count).zip(line).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symbol_belongs_to_one_part() {
        for phy in crate::phy::TABLE {
            let octets: Vec<u8> = (0..64).collect();
            let parts = phy.parts(&octets);
            assert_eq!(parts.iter().map(|part| part.symbols).sum::<usize>(), phy.symbols(octets.len()));
            let found: Vec<u8> =
                parts.iter().filter(|part| matches!(part.what, What::Octet(_))).filter_map(|part| part.octet).collect();
            assert_eq!(found, octets);
        }
    }

    #[test]
    fn codes_are_those_of_the_tables() {
        let code = |name: &str, octet: u8, at: usize| Phy::find(name).unwrap().parts(&[octet])[at].code.clone();
        assert_eq!(code("10base-t", 0x01, 8), "01 10 10 10 10 10 10 10");
        assert_eq!(code("100base-tx", 0x01, 0), "11000 10001");
        assert_eq!(code("100base-tx", 0x1e, 8), "11100 01001");
        assert_eq!(code("1000base-x", 0xd5, 8).len(), 10);
        assert_eq!(Phy::find("10base-t").unwrap().parts(&[1]).len(), 9);
        assert_eq!(Phy::find("1000base-x").unwrap().parts(&[1]).last().unwrap().what, What::End);
    }
}
