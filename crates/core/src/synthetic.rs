//! A payload that is generated from its offset in the stream instead of being stored, so that bulk traffic costs no
//! memory and a receiver can verify every byte of it.

use std::sync::LazyLock;

use crate::Frame;
use crate::checksum::Sum;

const PERIOD: usize = 8192;

struct Table {
    bytes: [u8; PERIOD],
    /// `sums[i]`: the sum of `bytes[..i]` as big-endian words, bytes at even places being the high ones.
    sums: [u32; PERIOD + 1],
}

static TABLE: LazyLock<Box<Table>> = LazyLock::new(|| {
    let mut table = Box::new(Table { bytes: [0; PERIOD], sums: [0; PERIOD + 1] });
    let mut x = 0x2545_f491u32;
    for i in 0..PERIOD {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        let byte = (x >> 24) as u8;
        table.bytes[i] = byte;
        table.sums[i + 1] = table.sums[i] + if i % 2 == 0 { u32::from(byte) << 8 } else { u32::from(byte) };
    }
    table
});

/// Writes the bytes of the synthetic stream from `offset` on into `out`.
///
/// ```
/// use septet_core::synthetic;
/// let mut bytes = [0; 3000];
/// synthetic::fill(10_000, &mut bytes);
/// assert!(synthetic::matches(10_000, &bytes));
/// assert!(synthetic::matches(10_100, &bytes[100..]));
/// bytes[2999] ^= 1;
/// assert!(!synthetic::matches(10_000, &bytes));
/// ```
pub fn fill(offset: u64, out: &mut [u8]) {
    let mut rest = out;
    let mut at = (offset % PERIOD as u64) as usize;
    while !rest.is_empty() {
        let n = rest.len().min(PERIOD - at);
        let (head, tail) = rest.split_at_mut(n);
        head.copy_from_slice(&TABLE.bytes[at..at + n]);
        (rest, at) = (tail, 0);
    }
}

/// Whether `bytes` are those of the synthetic stream from `offset` on.
pub fn matches(offset: u64, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut at = (offset % PERIOD as u64) as usize;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rest.len().min(PERIOD - at));
        if *head != TABLE.bytes[at..at + head.len()] {
            return false;
        }
        (rest, at) = (tail, 0);
    }
    true
}

/// Adds `len` bytes of the synthetic stream from `offset` on to the end of `frame`.
pub fn extend(frame: &mut Frame, offset: u64, len: usize) {
    let mut left = len;
    let mut at = (offset % PERIOD as u64) as usize;
    while left > 0 {
        let n = left.min(PERIOD - at);
        frame.extend(&TABLE.bytes[at..at + n]);
        left -= n;
        at = 0;
    }
}

/// Adds to `sum` the same bytes that [`extend`] writes, which start at an even offset of what is summed, in constant time.
pub fn add_sum(mut sum: Sum, offset: u64, len: usize) -> Sum {
    let mut left = len;
    let mut at = (offset % PERIOD as u64) as usize;
    let mut odd = false;
    while left > 0 {
        let n = left.min(PERIOD - at);
        let part = TABLE.sums[at + n] - TABLE.sums[at];
        let part = ((part >> 16) + (part & 0xffff)) as u64;
        let part = ((part >> 16) + (part & 0xffff)) as u16;
        // RFC 1071 §2(B): summed at the other parity, the result comes out byte-swapped.
        let swapped = (at % 2 == 1) != odd;
        sum = sum.word(if swapped { part.swap_bytes() } else { part });
        odd ^= n % 2 == 1;
        left -= n;
        at = 0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_bytes() {
        for (offset, len) in
            [(0, 0), (0, 1), (1, 1), (1, 2), (3, 1448), (8190, 1448), (8191, 3), (12345, 65535), (7, 20000)]
        {
            let mut out = vec![0; len];
            fill(offset, &mut out);
            assert_eq!(add_sum(Sum::new(), offset, len).finish(), Sum::new().bytes(&out).finish(), "{offset} {len}");
        }
    }
}
