//! Answers that no connection stands behind: resets, and ACKs of half-open or past connections.

use std::net::SocketAddr;

use septet_core::checksum::Sum;
use septet_core::{EventId, Frame, Storey, Trace};

use super::Transmit;
use crate::Ecn;
use crate::tcp::Config;
use crate::tcp::connection::seal;
use crate::tcp::wire::{Flags, Header, HeaderOptions, Timestamps};

/// RFC 9293 §3.5.2: "If the incoming segment has an ACK field, the reset takes its sequence number from the ACK field of the
/// segment; otherwise, the reset has sequence number zero and the ACK field is set to the sum of the sequence number and
/// segment length".
#[expect(clippy::too_many_arguments, reason = "there is no connection to take them from")]
pub(super) fn reset(
    config: &Config,
    local: SocketAddr,
    remote: SocketAddr,
    header: &Header,
    len: usize,
    cause: EventId,
    trace: &mut Trace,
    why: &'static str,
) -> Transmit {
    let mut answer = Header { src_port: local.port(), dst_port: remote.port(), flags: Flags::RST, ..Header::default() };
    if header.flags.has(Flags::ACK) {
        answer.seq = header.ack;
    } else {
        let span = len as u32 + u32::from(header.flags.has(Flags::SYN)) + u32::from(header.flags.has(Flags::FIN));
        answer.ack = header.seq.wrapping_add(span);
        answer.flags |= Flags::ACK;
    }
    finish(config, local, remote, &answer, cause, trace, why)
}

#[expect(clippy::too_many_arguments, reason = "there is no connection to take them from")]
pub(super) fn ack(
    config: &Config,
    local: SocketAddr,
    remote: SocketAddr,
    seq: u32,
    ack: u32,
    window: u16,
    timestamps: Option<Timestamps>,
    cause: EventId,
    trace: &mut Trace,
    why: &'static str,
) -> Transmit {
    let header = Header {
        src_port: local.port(),
        dst_port: remote.port(),
        seq,
        ack,
        flags: Flags::ACK,
        window,
        urgent: 0,
        options: HeaderOptions { timestamps, ..HeaderOptions::default() },
    };
    finish(config, local, remote, &header, cause, trace, why)
}

fn finish(
    config: &Config,
    local: SocketAddr,
    remote: SocketAddr,
    header: &Header,
    cause: EventId,
    trace: &mut Trace,
    why: &'static str,
) -> Transmit {
    let mut frame = Frame::empty(Frame::HEADROOM);
    seal(&mut frame, header, local.ip(), remote.ip(), Sum::new());
    frame.cause = trace.emit(Storey::Transport, "tcp.send", cause, |f| {
        f.set("local", local).set("remote", remote).set("flags", header.flags.to_string()).set("len", 0u32);
        f.set("why", why);
    });
    Transmit {
        src: local.ip(),
        dst: remote.ip(),
        ecn: Ecn::NotEct,
        traffic_class: 0,
        dont_fragment: config.pmtu_discovery,
        frame,
    }
}
