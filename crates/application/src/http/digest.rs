//! The digest that travels beside a body, so that the far end can tell whether it arrived whole (RFC 9530).

use sha2::{Digest as _, Sha256};

/// Computes the value of a `Repr-Digest` field while a body passes.
#[derive(Clone, Default, Debug)]
pub struct Digester(Sha256);

impl Digester {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The value of the field: `sha-256=:BASE64:`.
    pub fn finish(self) -> String {
        format!("sha-256=:{}:", base64(&self.0.finalize()))
    }

    /// Whether the value `field` of a `Repr-Digest` names the digest `ours`; `None` where it has no SHA-256.
    pub fn matches(field: &str, ours: &str) -> Option<bool> {
        field.split(',').map(str::trim).find(|d| d.starts_with("sha-256=")).map(|d| d == ours)
    }
}

/// RFC 4648 §4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i > group.len() { '=' } else { digit.into() });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn the_example_of_rfc_9530() {
        // Appendix B.1: the representation is this JSON with a line feed.
        let mut d = Digester::default();
        d.update(b"{\"hello\": \"world\"}\n");
        let ours = d.finish();
        assert_eq!(ours, "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
        assert_eq!(Digester::matches(&format!("sha-512=:x:, {ours}"), &ours), Some(true));
        assert_eq!(Digester::matches("sha-512=:x:", &ours), None);
        assert_eq!(Digester::matches("sha-256=:x:", &ours), Some(false));
    }
}
