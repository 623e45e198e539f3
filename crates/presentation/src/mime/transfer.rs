//! Transfer encodings (RFC 2045 §6): octets as lines of characters that any mail system lets through.

/// What is wrong, and at which octet of what was to be decoded.
pub(super) type Wrong = (usize, &'static str);

/// §6.8. White space counts for nothing; other characters outside of the alphabet are an error.
pub(super) fn base64(encoded: &[u8]) -> Result<Vec<u8>, Wrong> {
    let mut out = Vec::with_capacity(encoded.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0_u32, 0, 0);
    for (at, octet) in encoded.iter().enumerate() {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' if count >= 2 && count + padding < 4 => {
                padding += 1;
                continue;
            }
            _ => return Err((at, "this is no base64")),
        };
        // "the occurrence of any "=" characters may be taken as evidence that the end of the data has been reached"
        if padding > 0 {
            return Err((at, "something stands behind the end of the base64"));
        }
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    match (count, padding) {
        (0, 0) => {}
        (2, 2) => out.push((bits >> 4) as u8),
        (3, 1) => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => return Err((encoded.len(), "the base64 ends in the middle")),
    }
    Ok(out)
}

/// §6.8, in lines "of no more than 76 characters each".
pub(super) fn to_base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(octets.len() * 3 / 2 + 4);
    for line in octets.chunks(57) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - group.len()));
            for n in 0..4 {
                let letter = ALPHABET[(bits >> (18 - 6 * n) & 63) as usize];
                out.push(if n <= group.len() { char::from(letter) } else { '=' });
            }
        }
        out.push_str("\r\n");
    }
    out
}

/// §6.7.
pub(super) fn quoted_printable(encoded: &[u8]) -> Result<Vec<u8>, Wrong> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut at = 0;
    for line in encoded.split_inclusive(|octet| *octet == b'\n') {
        let text = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
        let end = &line[text.len()..];
        // "any trailing white space on a line must be deleted"
        let text = text.trim_ascii_end();
        let soft = text.strip_suffix(b"=");
        let mut rest = soft.unwrap_or(text);
        let mut from = at;
        while let Some(quoted) = rest.iter().position(|octet| *octet == b'=') {
            out.extend_from_slice(&rest[..quoted]);
            let digit = |n: usize| rest.get(quoted + n).and_then(|digit| char::from(*digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                return Err((from + quoted, "two hexadecimal digits should stand behind this `=`"));
            };
            out.push((high << 4 | low) as u8);
            from += quoted + 3;
            rest = &rest[quoted + 3..];
        }
        out.extend_from_slice(rest);
        if soft.is_none() {
            out.extend_from_slice(end);
        }
        at += line.len();
    }
    Ok(out)
}
