//! `Range`: which parts of a representation are asked for (RFC 9110 §14).

use core::ops::Range;

use http::HeaderValue;

/// More parts than this are not sent: §14.2: "A server that supports range requests MAY ignore or reject a Range header field
/// that contains an invalid ranges-specifier, a ranges-specifier with more than two overlapping ranges, or a set of many small
/// ranges that are not listed in ascending order, since these are indications of either a broken client or a deliberate
/// denial-of-service attack".
const MOST: usize = 32;

/// The parts that `field` asks for of `len` bytes, in its order; `Err` where none of them lies within, `None` where the field
/// is to be ignored: another unit, nonsense, or more than all of it.
pub(super) fn parse(field: &HeaderValue, len: u64) -> Option<Result<Vec<Range<u64>>, ()>> {
    // §14.1: "Range units … are case-insensitive".
    let (unit, set) = field.to_str().ok()?.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = Vec::new();
    let mut any = false;
    // §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list elements".
    for spec in set.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        any = true;
        let range = one(spec, len)?;
        if range.start < range.end {
            if ranges.len() == MOST {
                return None;
            }
            ranges.push(range);
        }
    }
    if !any {
        return None;
    }
    // Parts that overlap, and come to more than the whole.
    if ranges.len() > 1 && ranges.iter().map(|range| range.end - range.start).sum::<u64>() > len {
        return None;
    }
    Some(if ranges.is_empty() { Err(()) } else { Ok(ranges) })
}

/// §14.1.2: one range; an empty one where it does not lie within.
fn one(spec: &str, len: u64) -> Option<Range<u64>> {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX));
    let (first, last) = spec.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", "") => None,
        // "A suffix-range … If the selected representation is shorter than the specified suffix-length, the entire
        // representation is used."
        ("", suffix) => Some(len.saturating_sub(number(suffix)?)..len),
        (first, "") => Some(number(first)?..len),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            // "An int-range is invalid if the last-pos value is present and less than first-pos."
            (first <= last).then(|| first..last.saturating_add(1).min(len))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let parse = |s: &str| parse(&HeaderValue::from_str(s).unwrap(), 100);
        let is = |s: &str, expected: &[(u64, u64)]| {
            let expected: Vec<Range<u64>> = expected.iter().map(|(from, to)| *from..*to).collect();
            assert_eq!(parse(s), Some(Ok(expected)), "{s}");
        };
        is("bytes=0-0", &[(0, 1)]);
        is("BYTES=90-", &[(90, 100)]);
        is("bytes=-10", &[(90, 100)]);
        is("bytes=-1000", &[(0, 100)]);
        is("bytes=50-18446744073709551615", &[(50, 100)]);
        is("bytes=50-99999999999999999999999", &[(50, 100)]);
        is("bytes=0-1, 3-4,, -1", &[(0, 2), (3, 5), (99, 100)]);
        is("bytes=200-300,5-6", &[(5, 7)]);
        assert_eq!(parse("bytes=100-"), Some(Err(())));
        assert_eq!(parse("bytes=-0"), Some(Err(())));
        for ignored in
            ["bytes=5-4", "lines=0-1", "bytes=a-b", "bytes=5", "bytes=", "bytes=-", "bytes=+1-2", "bytes=0-,0-"]
        {
            assert_eq!(parse(ignored), None, "{ignored}");
        }
        let many: String = (0..40).map(|i| format!("{}-{},", 2 * i, 2 * i)).collect();
        assert_eq!(parse(&format!("bytes={many}")), None);
    }
}
