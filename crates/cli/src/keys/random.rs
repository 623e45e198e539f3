//! Randomness for what is shown.

use septet_presentation::keys::system_random;

use crate::exit::Failure;

/// The operating system's randomness.
pub(super) fn random() -> Result<impl FnMut(&mut [u8]), Failure> {
    system_random(&mut [0]).map_err(|e| Failure::environment(e.to_string()))?;
    // What gave some a moment ago does not run out.
    Ok(|octets: &mut [u8]| system_random(octets).unwrap_or_else(|e| panic!("{e}")))
}
