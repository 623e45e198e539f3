//! The virtio-net header in front of each frame of a TAP that offloads checksums and segmentation
//! (virtio 1.2 §5.1.6, `linux/virtio_net.h`).

/// Bytes of the header without the field for merged buffers.
pub const LEN: usize = 10;

const F_NEEDS_CSUM: u8 = 1;
const F_DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// What the frame behind the header still lacks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Header {
    /// What is known or owed of the checksum.
    pub checksum: Checksum,
    /// How the frame is to be segmented.
    pub segmentation: Option<Segmentation>,
}

/// What is known or owed of the checksum of storey 4.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Checksum {
    /// Complete and unverified.
    #[default]
    Complete,
    /// Known to be right.
    Valid,
    /// To be computed from `start` to the end, and stored at `start + offset`; the pseudo-header's sum stands there.
    Partial {
        /// Bytes from the beginning of the frame.
        start: u16,
        /// Bytes from `start`.
        offset: u16,
    },
}

/// A super-segment's protocol and cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segmentation {
    /// Which protocol's headers are repeated.
    pub kind: SegmentKind,
    /// Whether the first segment carries CWR, so that the others must not.
    pub ecn: Ecn,
    /// Payload bytes of each segment.
    pub size: u16,
    /// Bytes of all headers.
    pub headers: u16,
}

/// Which protocol a super-segment is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentKind {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP over either.
    Udp,
}

/// Whether a super-segment's CWR flag stands for its first segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ecn {
    /// No such flag.
    No,
    /// The first segment only.
    Cwr,
}

/// A header that the kernel does not write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl Header {
    /// Reads a header in the machine's byte order.
    ///
    /// # Errors
    /// [`Malformed`] where it is short, or of a segmentation type that was not asked for.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let [flags, gso, rest @ ..] = bytes else { return Err(Malformed) };
        let field = |i: usize| rest.get(2 * i..2 * i + 2).map(|b| u16::from_ne_bytes([b[0], b[1]])).ok_or(Malformed);
        let (headers, size, start, offset) = (field(0)?, field(1)?, field(2)?, field(3)?);
        let checksum = if flags & F_NEEDS_CSUM != 0 {
            Checksum::Partial { start, offset }
        } else if flags & F_DATA_VALID != 0 {
            Checksum::Valid
        } else {
            Checksum::Complete
        };
        let kind = match gso & !GSO_ECN {
            GSO_NONE => None,
            GSO_TCPV4 => Some(SegmentKind::TcpV4),
            GSO_TCPV6 => Some(SegmentKind::TcpV6),
            GSO_UDP_L4 => Some(SegmentKind::Udp),
            _ => return Err(Malformed),
        };
        let segmentation = match kind {
            Some(_) if size == 0 => return Err(Malformed),
            Some(kind) => {
                Some(Segmentation { kind, ecn: if gso & GSO_ECN != 0 { Ecn::Cwr } else { Ecn::No }, size, headers })
            }
            None => None,
        };
        Ok(Self { checksum, segmentation })
    }

    /// Writes the header in the machine's byte order.
    pub fn build(self) -> [u8; LEN] {
        let Self { checksum, segmentation } = self;
        let (flags, start, offset) = match checksum {
            Checksum::Complete => (0, 0, 0),
            Checksum::Valid => (F_DATA_VALID, 0, 0),
            Checksum::Partial { start, offset } => (F_NEEDS_CSUM, start, offset),
        };
        let (gso, headers, size) = match segmentation {
            None => (GSO_NONE, 0, 0),
            Some(Segmentation { kind, ecn, size, headers }) => {
                let kind = match kind {
                    SegmentKind::TcpV4 => GSO_TCPV4,
                    SegmentKind::TcpV6 => GSO_TCPV6,
                    SegmentKind::Udp => GSO_UDP_L4,
                };
                (kind | if ecn == Ecn::Cwr { GSO_ECN } else { 0 }, headers, size)
            }
        };
        let mut bytes = [flags, gso, 0, 0, 0, 0, 0, 0, 0, 0];
        for (slot, field) in bytes[2..].chunks_exact_mut(2).zip([headers, size, start, offset]) {
            slot.copy_from_slice(&field.to_ne_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_is_the_inverse_of_build() {
        let segmentations = [SegmentKind::TcpV4, SegmentKind::TcpV6, SegmentKind::Udp]
            .into_iter()
            .flat_map(|kind| [Ecn::No, Ecn::Cwr].map(|ecn| Some(Segmentation { kind, ecn, size: 1448, headers: 66 })))
            .chain([None]);
        for segmentation in segmentations {
            for checksum in [Checksum::Complete, Checksum::Valid, Checksum::Partial { start: 34, offset: 16 }] {
                let header = Header { checksum, segmentation };
                assert_eq!(Header::parse(&header.build()), Ok(header));
            }
        }
    }

    #[test]
    fn refuses_what_the_kernel_does_not_write() {
        assert_eq!(Header::parse(&[0; 9]), Err(Malformed));
        assert_eq!(Header::parse(&[]), Err(Malformed));
        let mut unknown = [0; LEN];
        unknown[1] = 9;
        assert_eq!(Header::parse(&unknown), Err(Malformed));
        let mut no_size = [0; LEN];
        no_size[1] = GSO_TCPV4;
        assert_eq!(Header::parse(&no_size), Err(Malformed));
    }
}
