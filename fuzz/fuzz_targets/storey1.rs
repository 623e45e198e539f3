//! Whatever is on the line, a PHY makes octets of it or says what is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use septet_physical::line_code::Level;
use septet_physical::phy::TABLE;

fuzz_target!(|line: &[u8]| {
    let level = |octet: &u8| [Level::Low, Level::Zero, Level::High][usize::from(octet % 3)];
    let levels: Vec<_> = line.iter().map(level).collect();
    for phy in TABLE {
        let _ = phy.receive(&levels);
        let errors = line.iter().map(|octet| usize::from(*octet) * 3);
        let _ = phy.receive_disturbed(line, errors);
    }
});
