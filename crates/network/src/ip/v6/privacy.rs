//! Temporary addresses (RFC 8981): a host speaks from addresses that it makes at random and changes, so that nobody can follow
//! it by them; under the one that its link address makes it can be found.

use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr};

use septet_core::{EventId, Instant, Out, Storey};

use super::autoconf::end;
use super::config::Privacy;
use super::link::{Followed, Lease, Link, Temporary};
use crate::addr::{Cidr, Prefix};
use crate::ip::state::Ip;
use crate::route::Iface;
use septet_wire::nd::PrefixInformation;

/// RFC 8981 §3.8: REGEN_ADVANCE is "2 + (TEMP_IDGEN_RETRIES * DupAddrDetectTransmits * RetransTimer / 1000)" seconds.
const ADVANCE: Duration = Duration::from_secs(5);
/// §3.8: TEMP_IDGEN_RETRIES.
const RETRIES: u8 = 3;

impl Temporary {
    /// §3.4 (2): what an advertisement says counts "subject to the limitation that the lifetimes … are lower than"
    /// TEMP_VALID_LIFETIME and TEMP_PREFERRED_LIFETIME minus DESYNC_FACTOR from its making on.
    pub(super) fn bound(&self, lease: &mut Lease) {
        let sooner = |until: Option<Instant>, most: Instant| Some(until.map_or(most, |until| until.min(most)));
        lease.valid_until = sooner(lease.valid_until, self.created + self.valid);
        lease.preferred_until = sooner(lease.preferred_until, self.created + self.preferred);
    }
}

impl Ip {
    /// A prefix is advertised: there is to be a temporary address of it.
    pub(super) fn keep_temporary(
        &mut self,
        now: Instant,
        iface: Iface,
        prefix: Prefix,
        info: &PrefixInformation,
        cause: EventId,
        out: &mut Out<'_>,
    ) {
        let Some(link) = self.link_mut(iface) else { return };
        if !matches!(link.config.privacy, Privacy::On { .. }) || link.temporaries().any(|lease| lease.is_of(prefix)) {
            return;
        }
        let ends = (end(now, info.preferred), end(now, info.valid));
        self.make_temporary(now, iface, prefix, ends, 0, cause, out);
    }

    /// §3.4 (5): a new one is made "by appending a newly generated IID to the prefix", unless it would not last.
    #[allow(clippy::too_many_arguments)]
    fn make_temporary(
        &mut self,
        now: Instant,
        iface: Iface,
        prefix: Prefix,
        (preferred_until, valid_until): (Option<Instant>, Option<Instant>),
        tries: u8,
        cause: EventId,
        out: &mut Out<'_>,
    ) {
        let IpAddr::V6(base) = prefix.addr() else { return };
        let Some(Privacy::On { preferred, valid }) = self.link_mut(iface).map(|link| link.config.privacy) else {
            return;
        };
        // §3.8: DESYNC_FACTOR is "a random value within the range 0 - MAX_DESYNC_FACTOR", which is 0.4 of the preferred time.
        let desync = Duration::from_nanos(self.rng.below(((preferred * 2 / 5).as_nanos() as u64).max(1)));
        let addr = Ipv6Addr::from_bits(base.to_bits() | u128::from(self.identifier()));
        let preferred = preferred.saturating_sub(desync);
        let temporary = Temporary { created: now, preferred, valid, tries, followed: Followed::NotYet };
        let mut lease = Lease::temporary(addr, preferred_until, valid_until, temporary);
        temporary.bound(&mut lease);
        // §3.4 (4): "A temporary address is created only if this calculated preferred lifetime is greater than REGEN_ADVANCE
        // time units."
        let lasts = lease.preferred_until.is_some_and(|until| until > now + ADVANCE);
        if !lasts || !self.link_mut(iface).is_some_and(|link| link.has_room()) || self.interface(iface).has_v6(addr) {
            return;
        }
        let cidr = Cidr::new(addr.into(), prefix.prefix_len()).expect("the length was that of a prefix");
        out.trace.emit(Storey::Network, "slaac.address", cause, |f| {
            f.set("ip", addr).set("iface", iface).set("why", "nobody is to follow it by its address");
        });
        self.ask_for_address(iface, cidr, Some(lease));
    }

    /// §3.3.1: a random interface identifier, but none that is reserved (RFC 5453).
    fn identifier(&mut self) -> u64 {
        loop {
            let id = u64::from(self.rng.next_u32()) << 32 | u64::from(self.rng.next_u32());
            let anycast = 0xfdff_ffff_ffff_ff80..=0xfdff_ffff_ffff_ffff;
            let ethernet = 0x0200_5eff_fe00_0000..=0x0200_5eff_feff_ffff;
            if id != 0 && !anycast.contains(&id) && !ethernet.contains(&id) {
                return id;
            }
        }
    }

    /// Makes successors of what will soon be used for nothing new: §3.5, "REGEN_ADVANCE time units before a temporary address
    /// becomes deprecated".
    pub(super) fn run_privacy(&mut self, now: Instant, iface: Iface, out: &mut Out<'_>) {
        while let Some(link) = self.link_mut(iface) {
            let ages = |lease: &&mut Lease| lease.successor_at().is_some_and(|at| at <= now);
            let Some(lease) = link.leases.iter_mut().find(ages) else { return };
            lease.follow();
            let prefix = Prefix::new(lease.addr(), 64).expect("64 bits fit");
            // What is left of the prefix stands in the lease of its public address.
            let public = link.leases.iter().find(|lease| lease.is_of(prefix) && !lease.is_temporary());
            if let Some(ends) = public.map(|lease| (lease.preferred_until, lease.valid_until)) {
                self.make_temporary(now, iface, prefix, ends, 0, EventId::NONE, out);
            }
        }
    }

    /// §3.4 (6): "If DAD indicates the address is already in use, the node must generate a new IID", and after some tries "must
    /// abort".
    pub(super) fn replace_temporary(&mut self, iface: Iface, lease: &Lease, cause: EventId, out: &mut Out<'_>) {
        let Some(Temporary { created, tries, .. }) = lease.temporary.filter(|t| t.tries + 1 < RETRIES) else { return };
        let prefix = Prefix::new(lease.addr(), 64).expect("64 bits fit");
        self.make_temporary(created, iface, prefix, (lease.preferred_until, lease.valid_until), tries + 1, cause, out);
    }
}

impl Lease {
    fn is_of(&self, prefix: Prefix) -> bool {
        prefix.contains(self.addr())
    }

    pub(super) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// When its successor is to be made.
    pub(super) fn successor_at(&self) -> Option<Instant> {
        let temporary = self.temporary.filter(|t| t.followed == Followed::NotYet)?;
        let until = self.preferred_until?.saturating_since(temporary.created);
        Some(temporary.created + until.saturating_sub(ADVANCE))
    }

    fn follow(&mut self) {
        if let Some(temporary) = &mut self.temporary {
            temporary.followed = Followed::Already;
        }
    }
}

impl Link {
    /// The temporary addresses that are used for what is new, or will be.
    fn temporaries(&self) -> impl Iterator<Item = &Lease> {
        let tentative = self.tentative.iter().filter_map(|t| t.lease());
        self.leases.iter().chain(tentative).filter(|lease| lease.is_temporary() && !lease.is_deprecated())
    }
}
