//! Cyclic redundancy checks of up to 32 bits, described by the parameters of Ross Williams' model (1993).

/// The order in which the bits of an octet enter the register and leave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Most significant first; the check goes out most significant octet first.
    MostSignificantFirst,
    /// Least significant first, as serial lines send; the check goes out least significant octet first.
    LeastSignificantFirst,
}

/// A cyclic redundancy check.
#[derive(Debug)]
pub struct Crc {
    /// Its name in the catalogue of parametrised CRC algorithms, or the one in common use.
    pub name: &'static str,
    /// The degree of the generator: 16 or 32.
    pub width: u32,
    /// The generator without its highest term, most significant bit first.
    pub polynomial: u32,
    /// The register before the first bit.
    pub initial: u32,
    /// Which bit of an octet comes first.
    pub order: Order,
    /// What the register is combined with at the end.
    pub final_xor: u32,
    /// The CRC of the nine ASCII digits `123456789`.
    pub check: u32,
    table: [u32; 256],
}

/// The FCS-16 of HDLC, PPP (RFC 1662) and X.25: the CCITT generator `x¹⁶ + x¹² + x⁵ + 1`.
pub static CRC_16_X25: Crc = Crc::new("CRC-16/X.25", 16, 0x1021, 0xffff, Order::LeastSignificantFirst, 0xffff, 0x906e);
/// The same generator, most significant bit first, all ones at the start.
pub static CRC_16_CCITT_FALSE: Crc =
    Crc::new("CRC-16/CCITT-FALSE", 16, 0x1021, 0xffff, Order::MostSignificantFirst, 0, 0x29b1);
/// The same generator, most significant bit first, zero at the start.
pub static CRC_16_XMODEM: Crc = Crc::new("CRC-16/XMODEM", 16, 0x1021, 0, Order::MostSignificantFirst, 0, 0x31c3);
/// The same generator, least significant bit first, zero at the start.
pub static CRC_16_KERMIT: Crc = Crc::new("CRC-16/KERMIT", 16, 0x1021, 0, Order::LeastSignificantFirst, 0, 0x2189);
/// The generator `x¹⁶ + x¹⁵ + x² + 1` of BISYNC.
pub static CRC_16_ARC: Crc = Crc::new("CRC-16/ARC", 16, 0x8005, 0, Order::LeastSignificantFirst, 0, 0xbb3d);
/// The FCS of Ethernet and the FCS-32 of PPP.
pub static CRC_32: Crc =
    Crc::new("CRC-32", 32, 0x04c1_1db7, u32::MAX, Order::LeastSignificantFirst, u32::MAX, 0xcbf4_3926);
/// Castagnoli's generator, of iSCSI and SCTP (RFC 9260).
pub static CRC_32C: Crc =
    Crc::new("CRC-32C", 32, 0x1edc_6f41, u32::MAX, Order::LeastSignificantFirst, u32::MAX, 0xe306_9283);

/// All of the above.
pub static ALL: [&Crc; 7] =
    [&CRC_16_X25, &CRC_16_CCITT_FALSE, &CRC_16_XMODEM, &CRC_16_KERMIT, &CRC_16_ARC, &CRC_32, &CRC_32C];

impl Crc {
    const fn new(
        name: &'static str,
        width: u32,
        polynomial: u32,
        initial: u32,
        order: Order,
        final_xor: u32,
        check: u32,
    ) -> Self {
        let mut table = [0; 256];
        let mut octet = 0;
        while octet < 256 {
            table[octet as usize] = match order {
                Order::MostSignificantFirst => {
                    let mut register = octet << (width - 8);
                    let mut bit = 0;
                    while bit < 8 {
                        let out = register >> (width - 1) & 1;
                        register = (register << 1) ^ (out * polynomial);
                        bit += 1;
                    }
                    register & mask(width)
                }
                Order::LeastSignificantFirst => {
                    let reversed = polynomial.reverse_bits() >> (32 - width);
                    let mut register = octet;
                    let mut bit = 0;
                    while bit < 8 {
                        register = (register >> 1) ^ ((register & 1) * reversed);
                        bit += 1;
                    }
                    register
                }
            };
            octet += 1;
        }
        Self { name, width, polynomial, initial, order, final_xor, check, table }
    }

    /// The CRC of `data`.
    ///
    /// ```
    /// use septet_datalink::check::crc;
    /// assert_eq!(crc::CRC_32.of(b"123456789"), 0xcbf4_3926);
    /// ```
    pub fn of(&self, data: &[u8]) -> u32 {
        let mut register = self.initial;
        for &octet in data {
            register = match self.order {
                Order::MostSignificantFirst => {
                    let index = (register >> (self.width - 8) ^ u32::from(octet)) & 0xff;
                    (register << 8 ^ self.table[index as usize]) & mask(self.width)
                }
                Order::LeastSignificantFirst => {
                    let index = (register ^ u32::from(octet)) & 0xff;
                    register >> 8 ^ self.table[index as usize]
                }
            };
        }
        register ^ self.final_xor
    }

    /// Octets that the check takes.
    pub const fn octets(&self) -> usize {
        self.width as usize / 8
    }

    /// Appends the CRC of `data` to it, in the order in which it is sent.
    pub fn append(&self, data: &mut Vec<u8>) {
        let crc = self.of(data);
        match self.order {
            Order::MostSignificantFirst => data.extend_from_slice(&crc.to_be_bytes()[4 - self.octets()..]),
            Order::LeastSignificantFirst => data.extend_from_slice(&crc.to_le_bytes()[..self.octets()]),
        }
    }

    /// Whether `word` ends in the CRC of what is before it.
    pub fn accepts(&self, word: &[u8]) -> bool {
        let Some((data, check)) = word.len().checked_sub(self.octets()).map(|n| word.split_at(n)) else { return false };
        let crc = self.of(data);
        match self.order {
            Order::MostSignificantFirst => check == &crc.to_be_bytes()[4 - self.octets()..],
            Order::LeastSignificantFirst => check == &crc.to_le_bytes()[..self.octets()],
        }
    }
}

const fn mask(width: u32) -> u32 {
    u32::MAX >> (32 - width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_check_values() {
        for crc in ALL {
            assert_eq!(crc.of(b"123456789"), crc.check, "{}", crc.name);
        }
    }

    #[test]
    fn published_residues() {
        // RFC 1662 appendix C: PPPGOODFCS16 0xf0b8 and PPPGOODFCS32 0xdebb20e3 are the register, before the final
        // complement, after data and its FCS.
        for (crc, good) in [(&CRC_16_X25, 0xf0b8), (&CRC_32, 0xdebb_20e3)] {
            let mut word = b"any data".to_vec();
            crc.append(&mut word);
            assert_eq!(crc.of(&word) ^ crc.final_xor, good, "{}", crc.name);
        }
    }

    #[test]
    fn iscsi_vectors() {
        // RFC 3720 §B.4.
        assert_eq!(CRC_32C.of(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC_32C.of(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(CRC_32C.of(&rising), 0x46dd_794e);
    }

    #[test]
    fn agrees_with_the_ethernet_fcs() {
        let data: Vec<u8> = (0..1500u32).map(|i| (i * i) as u8).collect();
        assert_eq!(CRC_32.of(&data), crc32fast::hash(&data));
    }
}
