//! TCP above IP.

use septet_core::{Instant, Out, Storey};
use septet_network::ip::{Cast, Datagram, Report};
use septet_network::ipv4::protocol;
use septet_transport::tcp::Meta;
use septet_transport::{Belief, Ecn, Trouble};

use crate::stack::reports::icmp_error;
use crate::stack::storeys::{Storeys, Upper};

/// RFC 1122 §3.3.3: the MTU that every way has, taken where none is known.
const MIN_MTU: u32 = 576;

/// The table's entry.
pub(super) const UPPER: Upper = Upper { number: protocol::TCP, receive: Some(receive), error };

fn receive(host: &mut Storeys, now: Instant, datagram: Datagram, out: &mut Out<'_>) {
    let Datagram { src, dst, ttl, tos, cast, mtu_back, frame, .. } = datagram;
    // RFC 9293 §3.10.7: TCP is between two; a segment to a group or to all is none.
    if cast != Cast::Unicast {
        return;
    }
    let mtu = mtu_back.unwrap_or_else(|| host.ip.mtu_to(now, src).unwrap_or(MIN_MTU));
    let meta = Meta { src, dst, ecn: Ecn::from_bits(tos), ttl, mtu };
    let (cause, len) = (frame.cause, frame.len());
    host.tcp.dirty = true;
    if let Err(why) = host.tcp.endpoint().receive(now, &meta, frame, out.trace) {
        out.trace.emit(Storey::Transport, "tcp.drop", cause, |f| {
            f.set("src", src).set("dst", dst).set("bytes", len).set("why", why);
        });
    }
}

fn error(host: &mut Storeys, now: Instant, report: &Report, out: &mut Out<'_>) {
    let Some(error) = icmp_error(report) else { return };
    host.tcp.dirty = true;
    let belief = host.tcp.endpoint().icmp_error(now, &error, out.trace);
    if let (Belief::Yes, Trouble::TooBig { mtu }) = (belief, error.trouble) {
        host.ip.learn_path_mtu(now, report.dst, mtu);
    }
}
