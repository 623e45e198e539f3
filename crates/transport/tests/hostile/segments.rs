//! Segments that are not what they were sent as, or that nobody sent: their checksums are good all the same.

use std::net::IpAddr;

use septet_core::checksum::Sum;
use septet_core::{Checksums, Frame};
use septet_transport::Ecn;
use septet_transport::tcp::Meta;
use septet_transport::tcp::wire::{Flags, Header, SackBlocks, Timestamps};

use super::input::Input;
use super::{Flying, Hostile, Lies};

/// A frame of `header` and `payload` with a valid checksum.
fn sealed(header: &Header, payload: &[u8], src: IpAddr, dst: IpAddr) -> Frame {
    let mut frame = Frame::new(Frame::HEADROOM, payload);
    let len = header.wire_len();
    header.write(frame.push(len));
    let sum = checksum(&frame, src, dst);
    frame.header_mut(20)[16..18].copy_from_slice(&sum.to_be_bytes());
    frame.checksums = Checksums::Unverified;
    frame
}

fn checksum(frame: &Frame, src: IpAddr, dst: IpAddr) -> u16 {
    let addresses: Vec<u8> = [src, dst]
        .iter()
        .flat_map(|ip| match ip {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        })
        .collect();
    Sum::new().bytes(&addresses).word(6).dword(frame.len() as u32).bytes(frame.bytes()).finish()
}

impl Hostile {
    /// Changes one thing about the next segment on the wire.
    pub(crate) fn rewrite(&mut self, input: &mut Input<'_>) {
        let Some(f) = self.wire.front_mut() else { return };
        let Ok((mut header, len)) = Header::parse(f.frame.bytes()) else { return };
        let mut payload = f.frame.bytes()[len..].to_vec();
        let is_syn = header.flags.has(Flags::SYN);
        let lie = match input.byte() % 10 {
            0 => {
                header.window = input.word();
                Lies::None
            }
            1 => {
                header.window = 0;
                Lies::None
            }
            2 => {
                header.ack = input.near(header.ack);
                Lies::OfProgress
            }
            3 => {
                header.seq = input.near(header.seq);
                Lies::OfContent
            }
            4 => {
                if let Some(ts) = &mut header.options.timestamps {
                    (ts.value, ts.echo) = (input.near(ts.value), input.near(ts.echo));
                }
                Lies::OfProgress
            }
            5 if !is_syn => {
                header.options.sack = sack(input, header.ack);
                header.options.timestamps.take_if(|_| header.options.sack.as_slice().len() > 3);
                Lies::OfProgress
            }
            6 => {
                header.flags = Flags::from_bits(header.flags.bits() ^ (1 << (input.byte() & 7)));
                header.urgent = input.word();
                Lies::OfContent
            }
            7 => {
                if let Some(i) = input.index(payload.len()) {
                    payload[i] ^= 1 | input.byte();
                }
                Lies::OfContent
            }
            8 if is_syn => {
                header.options.mss = Some(input.word());
                header.options.wscale = Some(input.byte() & 15);
                Lies::OfProgress
            }
            _ => {
                let keep = input.index(payload.len() + 1).unwrap_or(0);
                payload.truncate(keep);
                Lies::OfContent
            }
        };
        f.frame = sealed(&header, &payload, f.meta.src, f.meta.dst);
        self.lies = self.lies.max(lie);
        self.deliver(1);
    }

    /// A segment of random truthfulness: its numbers lie near those of a connection.
    pub(crate) fn forge(&mut self, to: usize, input: &mut Input<'_>) {
        let Some(i) = input.index(self.apps[to].len()) else { return };
        let app = &self.apps[to][i];
        let (src, dst) = (app.remote, app.local);
        let (snd_nxt, rcv_nxt) = self.ends[to].connection(app.id).map_or((0, 0), |c| c.sequence_numbers());
        let mut header = Header {
            src_port: src.port(),
            dst_port: dst.port(),
            seq: input.near(rcv_nxt),
            ack: input.near(snd_nxt),
            flags: Flags::from_bits(input.byte()),
            window: input.word(),
            urgent: 0,
            ..Header::default()
        };
        let extras = input.byte();
        if extras & 1 != 0 {
            header.options.timestamps = Some(Timestamps { value: input.dword(), echo: input.dword() });
        }
        if header.flags.has(Flags::SYN) {
            header.options.mss = (extras & 2 != 0).then(|| input.word());
            header.options.wscale = (extras & 4 != 0).then(|| input.byte() & 15);
            header.options.sack_permitted = extras & 8 != 0;
        } else if extras & 2 != 0 {
            header.options.sack = sack(input, snd_nxt);
            header.options.timestamps.take_if(|_| header.options.sack.as_slice().len() > 3);
        }
        if header.flags.has(Flags::URG) {
            header.urgent = input.word();
        }
        let payload = vec![0x55; usize::from(extras >> 4) * usize::from(input.byte())];
        self.lies = Lies::OfContent;
        // One, or a spray with holes between.
        for _ in 0..if extras & 8 != 0 { input.byte() } else { 1 } {
            let frame = sealed(&header, &payload, src.ip(), dst.ip());
            self.inject(to, src.ip(), dst.ip(), frame, input);
            header.seq = header.seq.wrapping_add(payload.len() as u32 + 1);
        }
    }

    /// Bytes that may be no segment at all.
    pub(crate) fn raw(&mut self, to: usize, input: &mut Input<'_>) {
        let (src, dst) = (self.addr[1 - to].ip(), self.addr[to].ip());
        let n = usize::from(input.byte() & 63);
        let mut bytes = input.some(n).to_vec();
        if let [a, b, c, d, ..] = bytes.as_mut_slice() {
            let ports = self.apps[to].last().map_or((81, 80), |app| (app.remote.port(), app.local.port()));
            ([*a, *b], [*c, *d]) = (ports.0.to_be_bytes(), ports.1.to_be_bytes());
        }
        let mut frame = Frame::new(Frame::HEADROOM, &bytes);
        if frame.len() >= 20 {
            frame.header_mut(20)[16..18].fill(0);
            let sum = checksum(&frame, src, dst);
            frame.header_mut(20)[16..18].copy_from_slice(&sum.to_be_bytes());
        }
        frame.checksums = Checksums::Unverified;
        self.lies = Lies::OfContent;
        self.inject(to, src, dst, frame, input);
    }

    fn inject(&mut self, to: usize, src: IpAddr, dst: IpAddr, frame: Frame, input: &mut Input<'_>) {
        let ecn = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce][usize::from(input.byte() & 3)];
        let meta = Meta { src, dst, ecn, ttl: 64, mtu: self.mtu };
        self.hand_over(Flying { to, meta, frame, sent_at: self.now });
    }
}

fn sack(input: &mut Input<'_>, near: u32) -> SackBlocks {
    let mut blocks = SackBlocks::default();
    for _ in 0..input.byte() % 5 {
        let start = input.near(near);
        blocks.push(start, start.wrapping_add(u32::from(input.word())));
    }
    blocks
}
