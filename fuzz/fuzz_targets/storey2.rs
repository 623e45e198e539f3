//! Every parser of storey 2: what it reads it writes again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use septet_core::Frame;
use septet_datalink::ethernet::{EtherType, Header};
use septet_datalink::hdlc::{self, Accm, Decoder, Fcs};
use septet_datalink::lapb::{LapbFrame, Modulo};
use septet_datalink::ppp::packet::{Packet, options};
use septet_datalink::stp::bpdu::Bpdu;
use septet_datalink::{card::pause, llc, vlan};

fuzz_target!(|bytes: &[u8]| {
    let _ = Header::parse(bytes);
    let _ = vlan::parse(bytes);
    let _ = pause::parse(&Frame::new(0, bytes));
    if let [high, low, payload @ ..] = bytes {
        let _ = llc::parse(EtherType(u16::from_be_bytes([*high, *low])), payload);
    }
    if let Ok(bpdu) = Bpdu::parse(bytes) {
        assert_eq!(Bpdu::parse(&bpdu.build()), Ok(bpdu));
    }
    for modulo in [Modulo::Eight, Modulo::OneTwentyEight] {
        if let Ok(frame) = LapbFrame::parse(bytes, modulo) {
            assert_eq!(frame.build(modulo), bytes);
        }
    }
    if let Ok(packet) = Packet::parse(bytes) {
        let _ = options(packet.data);
        assert!(bytes.starts_with(&packet.build()));
    }
    let _ = hdlc::peek(bytes);
    for fcs in [Fcs::Sixteen, Fcs::ThirtyTwo] {
        let mut decoder = Decoder::new(fcs, Accm::ALL, 1500);
        decoder.push(bytes, |_| {});
        if !bytes.is_empty() {
            let mut found = Vec::new();
            decoder.push(&[hdlc::FLAG], |_| {});
            decoder.push(&hdlc::encode(&bytes[..bytes.len().min(1500)], fcs, Accm::ALL), |f| found.push(f.is_ok()));
            assert_eq!(found, [true]);
        }
    }
});
