//! A frame as a person sees it on an oscilloscope: bits or code groups over the waveform.

use core::fmt::Write as _;

use super::stream::PREAMBLE_AND_SFD;
use super::{Code, Phy};
use crate::line_code::{bits_of, four_five, waveform};

impl Phy {
    /// Text art of the first `shown` octets of `octets` (FCS included) on the line, the delimiter before them included,
    /// in rows of at most `columns` columns.
    pub fn picture(&self, octets: &[u8], shown: usize, columns: usize) -> String {
        let levels = self.transmit(octets);
        let symbols_per_octet = match self.code {
            Code::Manchester => 16,
            Code::FourFiveMlt3 | Code::EightTen => 10,
        };
        // From the last octet before the frame: the start frame delimiter.
        let first = 7 * symbols_per_octet;
        let last = (8 + shown.min(octets.len())) * symbols_per_octet;
        let levels = &levels[first.min(levels.len())..last.min(levels.len())];
        let mut art = String::new();
        let _ = writeln!(art, "{} ({}): SFD and the first {} octets", self.name, self.code, shown.min(octets.len()));
        let line: Vec<u8> = PREAMBLE_AND_SFD[7..].iter().chain(octets).copied().collect();
        let caption = |symbol: usize| -> String {
            let octet = line[symbol / symbols_per_octet];
            let at = symbol % symbols_per_octet;
            match self.code {
                Code::Manchester if at.is_multiple_of(2) => {
                    u8::from(bits_of(&[octet]).nth(at / 2) == Some(true)).to_string()
                }
                Code::FourFiveMlt3 if at == 0 => group(octet & 0xf),
                Code::FourFiveMlt3 if at == 5 => group(octet >> 4),
                Code::EightTen if at == 0 => format!("D{}.{} ({octet:02x})", octet & 0x1f, octet >> 5),
                _ => String::new(),
            }
        };
        art.push_str(&waveform::draw(levels, 2, columns, caption));
        art
    }
}

fn group(nibble: u8) -> String {
    format!("{nibble:X}={:05b}", four_five::encode(four_five::Group::Data(nibble)))
}

impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Manchester => "Manchester",
            Self::FourFiveMlt3 => "4B5B, scrambled, MLT-3",
            Self::EightTen => "8b/10b, NRZ",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manchester_shows_a_transition_in_every_bit() {
        let art = Phy::find("10base-t").unwrap().picture(&[0x01], 1, 80);
        assert_eq!(
            art,
            "10base-t (Manchester): SFD and the first 1 octets\n\
             1   0   1   0   1   0   1   1   1   0   0   0   0   0   0   0\n  \
             ┌───┐   ┌───┐   ┌───┐   ┌─┐ ┌─┐ ┌───┐ ┌─┐ ┌─┐ ┌─┐ ┌─┐ ┌─┐ ┌─┐\n\
             ──┘   └───┘   └───┘   └───┘ └─┘ └─┘   └─┘ └─┘ └─┘ └─┘ └─┘ └─┘ └─\n"
        );
    }
}
