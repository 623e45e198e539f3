//! Any bytes as a zone file: what is wrong is told in place, and a zone that is read can be asked.

use septet_application::dns::{Memory, read_zone};

use crate::pieces::pieces;

/// A zone file that includes others: the first piece is the zone, each further one a file called by its number.
pub fn zone_file(bytes: &[u8]) {
    let mut pieces = pieces(bytes).map(|piece| piece.content.to_vec());
    let zone = pieces.next().unwrap_or_default();
    let files = Memory(pieces.enumerate().map(|(number, text)| (number.to_string(), text)).collect());
    for text in [&zone[..], bytes] {
        let mut asked = 0;
        let read = read_zone("x.test", "x.zone", text, &mut |name| {
            asked += 1;
            files.read(name)
        });
        assert!(asked <= 256, "{asked} files were included");
        match read {
            Ok(zone) => {
                assert!(zone.addresses().all(|(name, _)| name.ends_with("x.test")), "a name outside of the zone")
            }
            Err(error) => {
                let lines = files.0.values().map(Vec::as_slice).chain([text]).map(|t| t.split(|b| *b == b'\n').count());
                let most = lines.max().unwrap_or(1);
                assert!((1..=most).contains(&(error.place.line as usize)) && error.place.column > 0, "{error}");
            }
        }
    }
}
