//! The hooks of a packet filter in IPv6, in netfilter's order. None of this is met where there is no filter.

use septet_core::{DropReason, Frame, Instant, Out};

use super::deliver::Arrival;
use super::layer::{Cut, Way};
use super::output::Leaving;
use crate::filter::Hook;
use crate::ip::filter::Place;
use crate::ip::told::drop_frame;
use crate::ip::ways::Kind;
use crate::ip::{Cast, Ip, SendError, offload};
use crate::neighbor::Origin;
use crate::route::Iface;
use septet_wire::Trouble;
use septet_wire::extension::{Extension, Fragment, next};
use septet_wire::ipv6::{self, Header};

impl Ip {
    /// A packet that came in: it is put together where it is to be seen whole, and may be for another when it has passed.
    pub(super) fn receive_filtered_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        header: Header,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        self.v6.again = None;
        if self.filters_whole()
            && let Some((at, ident)) = fragment_header(&header, &frame)
        {
            // The router is no source that may cut, but what came in pieces goes on in pieces that are no larger.
            let arrival = Arrival::on(iface, cast);
            let Some(whole) = self.reassemble_v6(now, arrival, &header, frame, at, out) else { return };
            let mtu = self.v6.largest.max(ipv6::MIN_MTU);
            // What every router looks at stands before the pieces; a packet that has such headers goes on whole, if it fits.
            let plain = !matches!(header.next_header, next::HOP_BY_HOP | next::ROUTING);
            (frame, self.v6.again) = (whole, plain.then_some(Cut { mtu, ident }));
        }
        let place = Place::new(Hook::Prerouting, Some(iface), None);
        let Some(frame) = self.filtered(now, place, frame, out) else { return };
        match Header::parse(frame.bytes()) {
            Ok(header) => {
                self.receive_checked_v6(now, iface, cast, header, frame, out);
            }
            Err(why) => drop_frame(&frame, why, out),
        }
    }

    /// A packet of this host to itself.
    pub(super) fn looped_filtered_v6(
        &mut self,
        now: Instant,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<(Header, Frame)> {
        let frame = self.filtered(now, Place::new(Hook::Prerouting, None, None), frame, out)?;
        Some((Header::parse(frame.bytes()).ok()?, frame))
    }

    /// A packet for this host.
    pub(super) fn input_filtered_v6(
        &mut self,
        now: Instant,
        iface: Option<Iface>,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<(Header, Frame)> {
        let frame = self.filtered(now, Place::new(Hook::Input, iface, None), frame, out)?;
        Some((Header::parse(frame.bytes()).ok()?, frame))
    }

    /// A packet that is passed on, as far as its hop limit allows.
    pub(super) fn forward_filtered_v6(
        &mut self,
        now: Instant,
        iface: Iface,
        header: &Header,
        way: Way,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        let again = self.v6.again.take();
        let mtu = self.interface(way.iface).mtu_v6();
        let is_large = frame.len() > mtu as usize && offload::packet_len_v6(&frame, header) > mtu;
        if again.map_or(is_large, |cut| cut.mtu > mtu) {
            self.counters6.in_too_big_errors += 1;
            self.counters6.frag_fails += 1;
            drop_frame(&frame, DropReason::TooBig, out);
            return self.report_v6(now, Trouble::TooBig { mtu }, &frame, Cast::Unicast, out);
        }
        frame.header_mut(ipv6::HEADER_LEN)[ipv6::HOP_LIMIT_AT] = header.hop_limit - 1;
        let place = Place::new(Hook::Forward, Some(iface), Some(way.iface));
        let Some(frame) = self.filtered(now, place, frame, out) else { return };
        self.counters6.out_forw_datagrams += 1;
        let Some(frame) = self.postrouting_v6(now, Some(iface), &way, header, frame, out) else { return };
        match again {
            Some(cut) => self.transmit_fragments_v6(now, header.dst, way, cut, frame, out),
            None => self.transmit_v6(now, header.dst, way, frame, Origin::Forwarded, out),
        }
    }

    /// A packet of this host. Its destination may be another when it has passed, and so its way.
    pub(super) fn send_filtered_v6(
        &mut self,
        now: Instant,
        mut leaving: Leaving,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        let place = Place::new(Hook::Output, None, leaving.way.out_of());
        let frame = self.filtered(now, place, frame, out).ok_or(SendError::Prohibited)?;
        let header = Header::of_quote(frame.bytes()).map_err(|_| SendError::Prohibited)?;
        if header.dst != leaving.dst {
            let Header { src, dst, next_header, .. } = header;
            let way = self.way_v6(dst, None)?;
            let upper = &frame.bytes()[ipv6::HEADER_LEN..];
            leaving.way = if way.spread { self.spread_sent(way, src, dst, next_header, upper) } else { way };
            leaving.dst = dst;
        }
        let passed = self.postrouting_v6(now, None, &leaving.way, &header, frame, out);
        Ok(self.launch_v6(now, leaving, passed.ok_or(SendError::Prohibited)?, out))
    }

    /// The last hook.
    fn postrouting_v6(
        &mut self,
        now: Instant,
        input: Option<Iface>,
        way: &Way,
        header: &Header,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<Frame> {
        let source = (way.kind == Kind::Unicast).then(|| self.source_v6(way, header.dst).ok()).flatten();
        let place = Place { source: source.map(Into::into), ..Place::new(Hook::Postrouting, input, way.out_of()) };
        self.filtered(now, place, frame, out)
    }
}

/// Where the fragment header of a packet stands, and the identification in it; `None` where it has none.
fn fragment_header(header: &Header, frame: &Frame) -> Option<(usize, u32)> {
    let (mut following, mut at) = (header.next_header, ipv6::HEADER_LEN);
    while let next::HOP_BY_HOP | next::ROUTING | next::DESTINATION = following {
        let extension = frame.bytes().get(at..).and_then(Extension::parse)?;
        (following, at) = (extension.next, at + extension.bytes.len());
    }
    let fragment =
        (following == next::FRAGMENT).then(|| frame.bytes().get(at..).and_then(Fragment::parse)).flatten()?;
    Some((at, fragment.ident))
}
