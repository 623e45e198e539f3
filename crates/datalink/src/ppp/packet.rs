//! The packets of LCP and the network control protocols (RFC 1661 §5) and their options (§6).

use septet_core::DropReason;

/// The codes of RFC 1661 §5; the network control protocols have the first seven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// Opens a negotiation.
    ConfigureRequest,
    /// Every option is acceptable.
    ConfigureAck,
    /// Some values are not.
    ConfigureNak,
    /// Some options are not.
    ConfigureReject,
    /// Ends.
    TerminateRequest,
    /// The end is acknowledged.
    TerminateAck,
    /// A code is not known.
    CodeReject,
    /// A protocol is not known (LCP only).
    ProtocolReject,
    /// Asks for an echo (LCP only).
    EchoRequest,
    /// The echo (LCP only).
    EchoReply,
    /// To be discarded (LCP only).
    DiscardRequest,
    /// Another.
    Unknown(u8),
}

impl Code {
    /// The code with this number.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::ConfigureRequest,
            2 => Self::ConfigureAck,
            3 => Self::ConfigureNak,
            4 => Self::ConfigureReject,
            5 => Self::TerminateRequest,
            6 => Self::TerminateAck,
            7 => Self::CodeReject,
            8 => Self::ProtocolReject,
            9 => Self::EchoRequest,
            10 => Self::EchoReply,
            11 => Self::DiscardRequest,
            other => Self::Unknown(other),
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::ConfigureRequest => 1,
            Self::ConfigureAck => 2,
            Self::ConfigureNak => 3,
            Self::ConfigureReject => 4,
            Self::TerminateRequest => 5,
            Self::TerminateAck => 6,
            Self::CodeReject => 7,
            Self::ProtocolReject => 8,
            Self::EchoRequest => 9,
            Self::EchoReply => 10,
            Self::DiscardRequest => 11,
            Self::Unknown(number) => number,
        }
    }

    /// Its name in the RFC.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigureRequest => "Configure-Request",
            Self::ConfigureAck => "Configure-Ack",
            Self::ConfigureNak => "Configure-Nak",
            Self::ConfigureReject => "Configure-Reject",
            Self::TerminateRequest => "Terminate-Request",
            Self::TerminateAck => "Terminate-Ack",
            Self::CodeReject => "Code-Reject",
            Self::ProtocolReject => "Protocol-Reject",
            Self::EchoRequest => "Echo-Request",
            Self::EchoReply => "Echo-Reply",
            Self::DiscardRequest => "Discard-Request",
            Self::Unknown(_) => "unknown code",
        }
    }
}

/// A packet of a control protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// What it says.
    pub code: Code,
    /// Matches answers to requests.
    pub identifier: u8,
    /// The rest; padding is taken off.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`DropReason::Malformed`] where the length field does not fit what is there.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DropReason> {
        let [code, identifier, high, low, ..] = *bytes else { return Err(DropReason::Malformed) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // §5: "Octets outside the range of the Length field are treated as padding and are ignored on reception."
        let data = bytes.get(4..length).ok_or(DropReason::Malformed)?;
        Ok(Self { code: Code::from_number(code), identifier, data })
    }

    /// The octets of the packet; data beyond the length field's range is cut off.
    pub fn build(&self) -> Vec<u8> {
        let data = &self.data[..self.data.len().min(usize::from(u16::MAX) - 4)];
        let [high, low] = (data.len() as u16 + 4).to_be_bytes();
        let mut bytes = vec![self.code.number(), self.identifier, high, low];
        bytes.extend_from_slice(data);
        bytes
    }
}

/// One option: its type and its value.
pub type Setting<'a> = (u8, &'a [u8]);

/// Reads the options in `data`.
///
/// # Errors
/// [`DropReason::Malformed`] where a length does not fit.
pub fn options(data: &[u8]) -> Result<Vec<Setting<'_>>, DropReason> {
    let mut rest = data;
    let mut found = Vec::new();
    while let [kind, length, ..] = *rest {
        let value = rest.get(2..usize::from(length)).ok_or(DropReason::Malformed)?;
        found.push((kind, value));
        rest = &rest[usize::from(length)..];
    }
    if rest.is_empty() { Ok(found) } else { Err(DropReason::Malformed) }
}

/// Appends an option; a value that does not fit its length field is cut off.
pub fn push(data: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let value = &value[..value.len().min(253)];
    data.extend([kind, value.len() as u8 + 2]);
    data.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_is_ignored_and_short_is_refused() {
        let bytes = [1, 7, 0, 8, 1, 4, 5, 220, 0xaa, 0xaa];
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(options(packet.data).unwrap(), [(1, &[5, 220][..])]);
        assert_eq!(Packet::parse(&[1, 7, 0, 9, 1, 4, 5, 220]), Err(DropReason::Malformed));
        assert_eq!(Packet::parse(&[1, 7, 0, 3, 1]), Err(DropReason::Malformed));
        assert_eq!(options(&[1, 1]), Err(DropReason::Malformed));
    }

    proptest! {
        #[test]
        fn what_parses_builds_again(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let built = packet.build();
                prop_assert_eq!(&bytes[..built.len()], &built[..]);
                if let Ok(found) = options(packet.data) {
                    let mut data = Vec::new();
                    for (kind, value) in found {
                        push(&mut data, kind, value);
                    }
                    prop_assert_eq!(data, packet.data);
                }
            }
        }
    }
}
