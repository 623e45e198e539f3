//! The blocks of a pcapng file, byte by byte (draft-ietf-opsawg-pcapng).
//!
//! Every block is `type, total length, body, total length`, in the byte order that the section header announces
//! (little-endian here), padded to 32 bits.

use core::time::Duration;
use std::net::IpAddr;

use crate::{LinkType, PortName};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

/// The secrets type "TLS Key Log": the letters TLSK.
const TLS_KEY_LOG: u32 = 0x544c_534b;

const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;

/// Options hold at most this much; longer texts are cut at a character.
const OPTION_MAX: usize = u16::MAX as usize;

/// A block under construction in a buffer that is used again and again.
struct Block<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Block<'a> {
    fn new(out: &'a mut Vec<u8>, kind: u32) -> Self {
        let start = out.len();
        let mut block = Self { out, start };
        block.u32(kind);
        block.u32(0);
        block
    }

    fn u16(&mut self, v: u16) {
        self.out.extend_from_slice(&v.to_le_bytes());
    }

    fn u32(&mut self, v: u32) {
        self.out.extend_from_slice(&v.to_le_bytes());
    }

    fn u64(&mut self, v: u64) {
        self.out.extend_from_slice(&v.to_le_bytes());
    }

    /// A timestamp: "two 32-bit words", the upper first.
    fn time(&mut self, nanos: u64) {
        self.u32((nanos >> 32) as u32);
        self.u32(nanos as u32);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        let missing = (self.out.len() - self.start).wrapping_neg() % 4;
        self.out.extend_from_slice(&[0; 3][..missing]);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.u32(u32::from(code) | (value.len() as u32) << 16);
        self.padded(value);
    }

    fn text(&mut self, code: u16, text: &str) {
        let mut end = text.len().min(OPTION_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.option(code, &text.as_bytes()[..end]);
    }

    fn end_of_options(&mut self) {
        self.u16(OPT_END);
        self.u16(0);
    }

    fn finish(self) {
        let len = (self.out.len() - self.start + 4) as u32;
        self.out.extend_from_slice(&len.to_le_bytes());
        self.out[self.start + 4..self.start + 8].copy_from_slice(&len.to_le_bytes());
    }
}

/// The section header. Its length is not known beforehand, and −1 says so.
pub(super) fn section_header(out: &mut Vec<u8>, application: &str, comment: Option<&str>) {
    const SHB_USERAPPL: u16 = 4;
    let mut block = Block::new(out, SECTION_HEADER);
    block.u32(BYTE_ORDER_MAGIC);
    block.u16(1);
    block.u16(0);
    block.u64(u64::MAX);
    if let Some(comment) = comment {
        block.text(OPT_COMMENT, comment);
    }
    block.text(SHB_USERAPPL, application);
    block.end_of_options();
    block.finish();
}

/// The description of one interface, its clock in nanoseconds.
pub(super) fn interface(out: &mut Vec<u8>, name: &str, description: Option<&str>, port: &PortName) {
    const IF_NAME: u16 = 2;
    const IF_DESCRIPTION: u16 = 3;
    const IF_IPV4ADDR: u16 = 4;
    const IF_IPV6ADDR: u16 = 5;
    const IF_MACADDR: u16 = 6;
    const IF_SPEED: u16 = 8;
    const IF_TSRESOL: u16 = 9;
    const IF_FCSLEN: u16 = 13;
    let mut block = Block::new(out, INTERFACE_DESCRIPTION);
    block.u16(port.link_type.0);
    block.u16(0);
    // A snapshot length of zero: no limit.
    block.u32(0);
    block.text(IF_NAME, name);
    if let Some(description) = description {
        block.text(IF_DESCRIPTION, description);
    }
    for address in &port.addresses {
        match address {
            // The mask is not known here; all ones names this one address.
            IpAddr::V4(v4) => block.option(IF_IPV4ADDR, &[v4.octets(), [255; 4]].concat()),
            IpAddr::V6(v6) => block.option(IF_IPV6ADDR, &[&v6.octets()[..], &[128]].concat()),
        }
    }
    if let Some(mac) = port.mac {
        block.option(IF_MACADDR, &mac);
    }
    if let Some(speed) = port.speed {
        block.option(IF_SPEED, &speed.to_le_bytes());
    }
    block.option(IF_TSRESOL, &[9]);
    if port.link_type == LinkType::ETHERNET {
        // No FCS, so that no reader guesses one from the padding; damaged frames say otherwise in their flags.
        block.option(IF_FCSLEN, &[0]);
    }
    block.end_of_options();
    block.finish();
}

/// The names of addresses.
pub(super) fn names<'n>(out: &mut Vec<u8>, addresses: impl Iterator<Item = (IpAddr, Vec<&'n str>)>) {
    const NRB_RECORD_END: u16 = 0;
    const NRB_RECORD_IPV4: u16 = 1;
    const NRB_RECORD_IPV6: u16 = 2;
    let mut block = Block::new(out, NAME_RESOLUTION);
    let mut value = Vec::new();
    for (address, names) in addresses {
        value.clear();
        let code = match address {
            IpAddr::V4(v4) => {
                value.extend(v4.octets());
                NRB_RECORD_IPV4
            }
            IpAddr::V6(v6) => {
                value.extend(v6.octets());
                NRB_RECORD_IPV6
            }
        };
        // The station's own name comes last: Wireshark keeps the last one that it reads.
        for name in names.into_iter().rev() {
            if value.len() + name.len() < OPTION_MAX {
                value.extend(name.as_bytes());
                value.push(0);
            }
        }
        block.option(code, &value);
    }
    block.option(NRB_RECORD_END, &[]);
    block.finish();
}

/// Lines of a TLS key log.
pub(super) fn secrets(out: &mut Vec<u8>, lines: &str) {
    let mut block = Block::new(out, DECRYPTION_SECRETS);
    block.u32(TLS_KEY_LOG);
    block.u32(lines.len() as u32);
    block.padded(lines.as_bytes());
    block.finish();
}

/// One packet.
pub(super) struct Packet<'a> {
    pub(super) interface: u32,
    pub(super) nanos: u64,
    pub(super) bytes: &'a [u8],
    /// How many bytes of the packet are left out at its end.
    pub(super) missing: usize,
    /// The frame check sequence as received, where it is part of the capture.
    pub(super) fcs: Option<[u8; 4]>,
    pub(super) flags: u32,
    pub(super) comments: [Option<&'a str>; 2],
}

/// `epb_flags`: the packet came in.
pub(super) const INBOUND: u32 = 0b01;
/// `epb_flags`: the packet went out.
pub(super) const OUTBOUND: u32 = 0b10;
/// `epb_flags`, bits 5–8: four bytes of FCS follow the data.
pub(super) const FCS_LENGTH_4: u32 = 4 << 5;
/// `epb_flags`, bit 24: "CRC error".
pub(super) const CRC_ERROR: u32 = 1 << 24;

/// An enhanced packet.
pub(super) fn packet(out: &mut Vec<u8>, packet: &Packet<'_>) {
    const EPB_FLAGS: u32 = 2;
    let Packet { interface, nanos, bytes, missing, fcs, flags, comments } = packet;
    let len = (bytes.len() + fcs.map_or(0, |f| f.len())) as u32;
    let words = [
        ENHANCED_PACKET,
        // The total length, which is known at the end.
        0,
        *interface,
        (nanos >> 32) as u32,
        *nanos as u32,
        len,
        len + *missing as u32,
    ];
    let mut head = [0; 28];
    for (bytes, word) in head.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let start = out.len();
    out.extend_from_slice(&head);
    out.extend_from_slice(bytes);
    if let Some(fcs) = fcs {
        out.extend_from_slice(fcs);
    }
    let mut block = Block { out, start };
    block.pad();
    for comment in comments.iter().flatten() {
        block.text(OPT_COMMENT, comment);
    }
    // The flags, which are four octets long, and the end of the options.
    for word in [4 << 16 | EPB_FLAGS, *flags, OPT_END.into()] {
        block.u32(word);
    }
    block.finish();
}

/// What an interface saw in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Statistics {
    pub(super) received: u64,
    pub(super) dropped: u64,
}

/// The statistics of one interface over the whole section.
pub(super) fn statistics(out: &mut Vec<u8>, interface: u32, epoch: Duration, end: u64, seen: Statistics) {
    const ISB_STARTTIME: u16 = 2;
    const ISB_ENDTIME: u16 = 3;
    const ISB_IFRECV: u16 = 4;
    const ISB_IFDROP: u16 = 5;
    let stamp = |nanos: u64| {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&((nanos >> 32) as u32).to_le_bytes());
        bytes[4..].copy_from_slice(&(nanos as u32).to_le_bytes());
        bytes
    };
    let mut block = Block::new(out, INTERFACE_STATISTICS);
    block.u32(interface);
    block.time(end);
    block.option(ISB_STARTTIME, &stamp(u64::try_from(epoch.as_nanos()).unwrap_or(u64::MAX)));
    block.option(ISB_ENDTIME, &stamp(end));
    block.option(ISB_IFRECV, &seen.received.to_le_bytes());
    block.option(ISB_IFDROP, &seen.dropped.to_le_bytes());
    block.end_of_options();
    block.finish();
}
