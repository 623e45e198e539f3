//! A frame as bits and as a waveform.

use core::fmt::Write as _;

use septet_physical::phy::{Phy, TABLE};

/// The frame `octets` (its FCS is added) on the line of each PHY, or of the one called `phy`: the first `shown` octets,
/// in rows of at most `columns` columns. `None` where there is no such PHY.
pub fn pictures(octets: &[u8], phy: Option<&str>, shown: usize, columns: usize) -> Option<String> {
    let chosen: Vec<&Phy> = match phy {
        Some(name) => vec![Phy::find(name)?],
        None => TABLE.iter().collect(),
    };
    let mut frame = octets.to_vec();
    frame.extend(crc32fast::hash(octets).to_le_bytes());
    let mut text = String::new();
    for phy in chosen {
        let bits = frame.len() * 8;
        let _ = writeln!(
            text,
            "{} octets with FCS, {} bits, {} line symbols with preamble and delimiters",
            frame.len(),
            bits,
            phy.symbols(frame.len())
        );
        text.push_str(&phy.picture(&frame, shown, columns));
        text.push('\n');
    }
    Some(text)
}

/// The names of the PHYs.
pub fn names() -> [&'static str; TABLE.len()] {
    septet_physical::phy::NAMES
}
