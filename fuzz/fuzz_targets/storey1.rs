//! Whatever is on the line, a PHY and each line code make bits of it or say what is wrong; what they accept they write
//! again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use septet_physical::line_code::eight_ten::{self, Disparity};
use septet_physical::line_code::{Level, four_five, manchester, mlt3, nrz, nrzi};
use septet_physical::phy::TABLE;

fuzz_target!(|line: &[u8]| {
    let level = |octet: &u8| [Level::Low, Level::Zero, Level::High][usize::from(octet % 3)];
    let levels: Vec<_> = line.iter().map(level).collect();
    for phy in TABLE {
        let _ = phy.receive(&levels);
        let errors = line.iter().map(|octet| usize::from(*octet) * 3);
        let _ = phy.receive_disturbed(line, errors);
        let parts = phy.parts(line);
        assert_eq!(parts.iter().map(|part| part.symbols).sum::<usize>(), phy.symbols(line.len()));
    }
    if let Ok(bits) = manchester::decode(&levels) {
        assert_eq!(manchester::encode(&bits), levels);
    }
    if let Ok(bits) = nrz::decode(&levels) {
        assert_eq!(nrz::encode(&bits), levels);
    }
    if let Ok(bits) = nrzi::decode(&levels, Level::Low) {
        assert_eq!(nrzi::encode(&bits, Level::Low), levels);
    }
    if let Ok(bits) = mlt3::decode(&levels, mlt3::Phase::default()) {
        assert_eq!(mlt3::encode(&bits, mlt3::Phase::default()), levels);
    }
    let mut rd = Disparity::Negative;
    for pair in line.chunks_exact(2) {
        let code = u16::from_be_bytes([pair[0], pair[1]]);
        let _ = four_five::decode(pair[0]);
        let (group, after) = eight_ten::decode(code, rd);
        if let Ok(group) = group {
            let (mut bits, mut again) = (Vec::new(), rd);
            eight_ten::push(&mut bits, group, &mut again);
            assert_eq!(bits.iter().fold(0, |acc, bit| acc << 1 | u16::from(*bit)), code & 0x3ff);
            assert_eq!(again, after);
        }
        rd = after;
    }
});
