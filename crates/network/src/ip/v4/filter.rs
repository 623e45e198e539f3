//! The hooks of a packet filter in IPv4, in netfilter's order. None of this is met where there is no filter.

use septet_core::{DropReason, Frame, Instant, Out};

use super::Way;
use super::output::Leaving;
use crate::filter::Hook;
use crate::ip::filter::Place;
use crate::ip::told::drop_frame;
use crate::ip::{Cast, Ip, SendError, offload};
use crate::neighbor::Origin;
use crate::route::Iface;
use septet_wire::Trouble;
use septet_wire::ipv4::{self, Header};

impl Ip {
    /// A datagram that came in: it is put together where it is to be seen whole, and may be for another when it has passed.
    pub(super) fn receive_filtered(
        &mut self,
        now: Instant,
        iface: Iface,
        cast: Cast,
        mut header: Header,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        if header.is_fragment() && self.filters_whole() {
            let Some(whole) = self.reassemble(now, header, frame, out) else { return };
            frame = whole.1;
        }
        let place = Place::new(Hook::Prerouting, Some(iface), None);
        let Some(passed) = self.filtered(now, place, frame, out) else { return };
        frame = passed;
        match Header::parse(frame.bytes()) {
            Ok(changed) => header = changed,
            Err(why) => return drop_frame(&frame, why, out),
        }
        let _ = self.receive_checked(now, iface, cast, header, frame, out);
    }

    /// A datagram of this host to itself.
    pub(super) fn looped_filtered(&mut self, now: Instant, frame: Frame, out: &mut Out<'_>) -> Option<(Header, Frame)> {
        let frame = self.filtered(now, Place::new(Hook::Prerouting, None, None), frame, out)?;
        Some((Header::parse(frame.bytes()).ok()?, frame))
    }

    /// A datagram for this host.
    pub(super) fn input_filtered(
        &mut self,
        now: Instant,
        iface: Option<Iface>,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<(Header, Frame)> {
        let frame = self.filtered(now, Place::new(Hook::Input, iface, None), frame, out)?;
        Some((Header::parse(frame.bytes()).ok()?, frame))
    }

    /// A datagram that is passed on, as far as its time to live allows.
    pub(super) fn forward_filtered(
        &mut self,
        now: Instant,
        iface: Iface,
        header: Header,
        way: Way,
        mut frame: Frame,
        out: &mut Out<'_>,
    ) {
        let mtu = self.fit_forwarded(self.interfaces[usize::from(way.iface)].mtu, header.dst.into()).bytes;
        let is_large = u32::from(header.total_len) > mtu && offload::packet_len(&frame, &header) > mtu;
        if is_large && header.dont_fragment {
            self.counters.ip_frag_fails += 1;
            drop_frame(&frame, DropReason::TooBig, out);
            return self.report(now, Trouble::TooBig { mtu }, &header, &frame, out);
        }
        ipv4::decrement_ttl(frame.header_mut(ipv4::HEADER_LEN));
        let place = Place::new(Hook::Forward, Some(iface), Some(way.iface));
        let Some(frame) = self.filtered(now, place, frame, out) else { return };
        self.counters.ip_forw_datagrams += 1;
        let Some((header, frame)) = self.postrouting(now, Some(iface), way, header, frame, out) else { return };
        if is_large {
            self.transmit_fragments(now, header, way, mtu, frame, Origin::Forwarded, out);
        } else {
            self.transmit(now, header.dst, way, frame, Origin::Forwarded, out);
        }
    }

    /// A datagram of this host. Its destination may be another when it has passed, and so its way.
    pub(super) fn send_filtered(
        &mut self,
        now: Instant,
        mut leaving: Leaving,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Result<Option<Iface>, SendError> {
        let place = Place::new(Hook::Output, None, leaving.way.out_of());
        let frame = self.filtered(now, place, frame, out).ok_or(SendError::Prohibited)?;
        let Leaving { header, way, .. } = &mut leaving;
        let dst = Header::parse(frame.bytes()).map_or(header.dst, |header| header.dst);
        if dst != header.dst {
            let (src, upper) = (header.src, usize::from(header.header_len));
            *way = self.way_out(dst)?;
            if way.spread {
                *way = self.spread_sent(*way, src, dst, header.protocol, &frame.bytes()[upper..]);
            }
        }
        let passed = self.postrouting(now, None, *way, *header, frame, out);
        let (changed, frame) = passed.ok_or(SendError::Prohibited)?;
        *header = changed;
        Ok(self.launch(now, leaving, frame, out))
    }

    /// The last hook.
    fn postrouting(
        &mut self,
        now: Instant,
        input: Option<Iface>,
        way: Way,
        header: Header,
        frame: Frame,
        out: &mut Out<'_>,
    ) -> Option<(Header, Frame)> {
        let source = self.source(&way, header.dst).ok().map(Into::into);
        let place = Place { source, ..Place::new(Hook::Postrouting, input, way.out_of()) };
        let frame = self.filtered(now, place, frame, out)?;
        Some((Header::parse(frame.bytes()).ok()?, frame))
    }
}
