//! Ethernet as a card takes it: frames in one piece and of the right length.

use septet_core::{DropReason, Frame};
pub use septet_wire::ethernet::*;

/// What a network card checks before anyone else sees a frame: its check sequence, where bit errors touched it, and
/// its length, for a payload of up to `mtu` octets. One tag may make it longer.
///
/// # Errors
/// [`DropReason::Fcs`], [`DropReason::Runt`], [`DropReason::Giant`].
#[inline]
pub fn check(frame: &Frame, mtu: usize) -> Result<(), DropReason> {
    if let Some(received) = frame.fcs
        && received != crc32fast::hash(frame.bytes())
    {
        return Err(DropReason::Fcs);
    }
    if frame.len() < MIN_FRAME {
        return Err(DropReason::Runt);
    }
    if frame.len() > HEADER_LEN + TAG_LEN + mtu && frame.segment_size == 0 {
        return Err(DropReason::Giant);
    }
    Ok(())
}

/// Why a card refuses a frame, in words.
pub const fn why_refused(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Fcs => "the frame check sequence does not match: bits were flipped on the line",
        DropReason::Alignment => "it is no whole number of octets long and does not match its check sequence",
        DropReason::Runt => "it is shorter than the shortest Ethernet frame",
        DropReason::Giant => "it is longer than this port takes",
        DropReason::Vlan => "nobody here is in its VLAN",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_checks_fcs_and_length() {
        let mut frame = Frame::new(0, &[7; 60]);
        assert_eq!(check(&frame, MTU), Ok(()));
        frame.fcs = Some(crc32fast::hash(&[7; 60]));
        assert_eq!(check(&frame, MTU), Ok(()));
        frame.fcs = Some(1);
        assert_eq!(check(&frame, MTU), Err(DropReason::Fcs));
        assert_eq!(check(&Frame::new(0, &[0; 59]), MTU), Err(DropReason::Runt));
        assert_eq!(check(&Frame::new(0, &[0; 1518]), MTU), Ok(()));
        assert_eq!(check(&Frame::new(0, &[0; 1519]), MTU), Err(DropReason::Giant));
    }
}
