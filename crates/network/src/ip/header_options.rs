//! Whether options of IPv4 headers are as RFC 791 §3.1 wants them (RFC 1122 §3.2.1.8, RFC 1812 §5.3.13).

use septet_wire::ipv4;

/// What the header's own field for its length can say.
const MAX_HEADER_LEN: usize = 60;

pub(super) const END: u8 = 0;
pub(super) const NO_OPERATION: u8 = 1;
pub(super) const RECORD_ROUTE: u8 = 7;
pub(super) const TIMESTAMP: u8 = 68;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

/// "timestamps only, stored in consecutive 32-bit words".
pub(super) const ONLY: u8 = 0;
/// "each timestamp is preceded with internet address of the registering entity".
pub(super) const WITH_ADDRESSES: u8 = 1;
/// "the internet address fields are prespecified".
pub(super) const PRESPECIFIED: u8 = 3;

/// Octets of what each node leaves in a timestamp option.
const fn entry_len(flags: u8) -> usize {
    if flags & 0xf == WITH_ADDRESSES || flags & 0xf == PRESPECIFIED { 8 } else { 4 }
}

/// Why a datagram with options goes no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// This octet of the header is wrong.
    Malformed(usize),
    /// It wants a way of its own.
    SourceRoute,
}

/// Whether a host can send datagrams with these options: they are as RFC 791 wants them, fit a header, and ask for no way of
/// their own, which nobody would take.
pub fn are_options_valid(options: &[u8]) -> bool {
    let mut header = vec![0; ipv4::HEADER_LEN];
    header.extend_from_slice(options);
    header.len() <= MAX_HEADER_LEN && check(&header).is_ok()
}

/// What is wrong with the options of a header.
pub(super) fn check(header: &[u8]) -> Result<(), Refused> {
    let mut at = ipv4::HEADER_LEN;
    while at < header.len() {
        let kind = header[at];
        if kind == END {
            return Ok(());
        }
        if kind == NO_OPERATION {
            at += 1;
            continue;
        }
        let len = header.get(at + 1).map_or(0, |&len| usize::from(len));
        if len < 2 || at + len > header.len() {
            return Err(Refused::Malformed(at));
        }
        match kind {
            LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => return Err(Refused::SourceRoute),
            RECORD_ROUTE => {
                // RFC 791: "The pointer is relative to this option, and the smallest legal value for the pointer is 4."
                let pointer = header.get(at + 2).filter(|_| len >= 3).map_or(0, |&p| usize::from(p));
                if pointer < 4 {
                    return Err(Refused::Malformed(at + 2));
                }
                // "If there is some room but not enough room for a full address to be inserted, the original datagram is
                // considered to be in error".
                if pointer <= len && pointer + 3 > len {
                    return Err(Refused::Malformed(at + 2));
                }
            }
            TIMESTAMP => check_timestamp(&header[at..at + len]).map_err(|place| Refused::Malformed(at + place))?,
            _ => {}
        }
        at += len;
    }
    Ok(())
}

/// The octet that is wrong in a timestamp option.
fn check_timestamp(option: &[u8]) -> Result<(), usize> {
    let &[_, _, pointer, flags, ..] = option else { return Err(1) };
    // RFC 791: "The smallest legal value is 5."
    if pointer < 5 {
        return Err(2);
    }
    match usize::from(pointer) - 1 {
        // "If there is some room but not enough room for a full timestamp to be inserted, or the overflow count itself
        // overflows, the original datagram is considered to be in error".
        at if at < option.len() => {
            if at + entry_len(flags) > option.len() {
                Err(2)
            } else {
                Ok(())
            }
        }
        _ => {
            if flags & 0xf != PRESPECIFIED && flags >> 4 == 15 {
                Err(3)
            } else {
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(options: &[u8]) -> Vec<u8> {
        let mut header = vec![0; ipv4::HEADER_LEN];
        header.extend_from_slice(options);
        header
    }

    #[test]
    fn what_is_right_is_let_through_and_what_is_wrong_says_where() {
        let cases: &[(&[u8], Result<(), Refused>)] = &[
            (&[], Ok(())),
            (&[148, 4, 0, 0], Ok(())),
            (&[1, 1, 1, 0], Ok(())),
            (&[7, 7, 4, 0, 0, 0, 0, 0], Ok(())),
            (&[7, 7, 8, 10, 0, 0, 9, 0], Ok(())),
            (&[7, 7, 3, 0, 0, 0, 0, 0], Err(Refused::Malformed(22))),
            (&[7, 7, 6, 0, 0, 0, 0, 0], Err(Refused::Malformed(22))),
            (&[7, 9, 4, 0, 0, 0, 0, 0], Err(Refused::Malformed(20))),
            (&[1, 1, 1, 200], Err(Refused::Malformed(23))),
            (&[130, 1, 0, 0], Err(Refused::Malformed(20))),
            (&[68, 8, 5, 0, 0, 0, 0, 0], Ok(())),
            (&[68, 8, 9, 0xe0, 0, 0, 0, 0], Ok(())),
            (&[68, 3, 5, 0], Err(Refused::Malformed(21))),
            (&[68, 8, 4, 0, 0, 0, 0, 0], Err(Refused::Malformed(22))),
            (&[68, 8, 6, 0, 0, 0, 0, 0], Err(Refused::Malformed(22))),
            (&[68, 8, 5, 1, 0, 0, 0, 0], Err(Refused::Malformed(22))),
            (&[68, 8, 9, 0xf0, 0, 0, 0, 0], Err(Refused::Malformed(23))),
            (&[68, 8, 9, 0xf3, 0, 0, 0, 0], Ok(())),
            (&[131, 7, 4, 10, 0, 0, 9, 0], Err(Refused::SourceRoute)),
            (&[1, 137, 7, 4, 10, 0, 0, 9], Err(Refused::SourceRoute)),
        ];
        for (options, expected) in cases {
            assert_eq!(check(&header(options)), *expected, "{options:?}");
        }
    }

    #[test]
    fn hosts_send_what_is_right_and_fits() {
        assert!(are_options_valid(&[7, 39, 4].iter().copied().chain([0; 37]).collect::<Vec<_>>()));
        assert!(are_options_valid(&[]) && are_options_valid(&[148, 4, 0, 0]));
        assert!(!are_options_valid(&[1; 41]) && !are_options_valid(&[131, 7, 4, 10, 0, 0, 9]));
        assert!(!are_options_valid(&[7, 3, 1]) && !are_options_valid(&[7]));
    }
}
