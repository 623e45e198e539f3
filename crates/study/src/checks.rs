//! What each way to detect errors misses.

use septet_core::Seed;
use septet_datalink::check::missed;

/// A table: for each kind of damage, how many of `tries` words of `octets` octets each detector took for undamaged.
pub fn table(octets: usize, tries: u64, seed: u64) -> String {
    missed::table(octets, tries, &mut Seed::new(seed).stream("study checks"))
}
