//! How an interface takes part in IPv6, beyond the addresses that it is given.

use core::time::Duration;
use std::net::Ipv6Addr;

use crate::addr::Prefix;

/// What an interface does of IPv6 by itself. The default is silence: it speaks to neighbours that were set by hand, and
/// asks, tells and answers nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ipv6Config {
    /// Whether it takes part in neighbour discovery, and has a link-local address for that.
    pub discovery: Discovery,
    /// Whether it takes addresses and routes from what routers advertise.
    pub autoconf: Autoconf,
    /// What it advertises as a router's interface.
    pub advertise: Option<Advertise>,
    /// How often it asks for an address before it takes it for its own: `dad_transmits`; zero takes it at once.
    pub dad_transmits: u8,
    /// Whether it speaks from addresses that change.
    pub privacy: Privacy,
}

impl Ipv6Config {
    /// With neighbour discovery, and otherwise as it was given.
    pub fn with_discovery() -> Self {
        Self { discovery: Discovery::On, ..Self::default() }
    }

    /// As a host's interface is that configures itself (RFC 4862): Linux's default.
    pub fn with_autoconf() -> Self {
        Self { autoconf: Autoconf::On, ..Self::with_discovery() }
    }
}

impl Default for Ipv6Config {
    fn default() -> Self {
        Self {
            discovery: Discovery::Off,
            autoconf: Autoconf::Off,
            advertise: None,
            dad_transmits: 1,
            privacy: Privacy::Off,
        }
    }
}

/// Whether an interface takes part in neighbour discovery (RFC 4861).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Discovery {
    /// It knows only the neighbours that were set by hand.
    #[default]
    Off,
    /// It has a link-local address (of its link address, as Linux's `addr_gen_mode` 0 makes it), asks and answers.
    On,
}

/// Whether an interface configures itself from router advertisements: `accept_ra` and `autoconf`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Autoconf {
    /// It hears them and does nothing.
    #[default]
    Off,
    /// It takes addresses, default routers, the MTU and the hop limit. A router does not, whatever is said here, as Linux
    /// with `accept_ra` = 1.
    On,
}

/// Whether an interface that configures itself has temporary addresses beside its public ones (RFC 8981), and speaks from
/// them: Linux's `use_tempaddr`, 0 or 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Privacy {
    /// It has none.
    #[default]
    Off,
    /// It has.
    On {
        /// For how long one is used for what is new (TEMP_PREFERRED_LIFETIME), less a random part of up to two fifths.
        preferred: Duration,
        /// For how long it is used at all (TEMP_VALID_LIFETIME).
        valid: Duration,
    },
}

impl Privacy {
    /// With RFC 8981's lifetimes: a day, and two.
    pub const ON: Self =
        Self::On { preferred: Duration::from_secs(24 * 60 * 60), valid: Duration::from_secs(2 * 24 * 60 * 60) };
}

/// What a router advertises on an interface: the variables of RFC 4861 §6.2.1, by their defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advertise {
    /// The longest time between two advertisements that nobody asked for (MaxRtrAdvInterval), from 4 to 1800 s.
    pub max_interval: Duration,
    /// The shortest (MinRtrAdvInterval), from 3 s to three quarters of the longest.
    pub min_interval: Duration,
    /// For how long hosts may use it as a default router (AdvDefaultLifetime), in whole seconds up to 9000; zero: not at all.
    pub lifetime: Duration,
    /// The hop limit for hosts (AdvCurHopLimit); zero says nothing of it.
    pub hop_limit: u8,
    /// The MTU of the link (AdvLinkMTU), where it is told.
    pub mtu: Option<u32>,
    /// For how long a neighbour counts as reachable (AdvReachableTime); zero says nothing of it.
    pub reachable: Duration,
    /// Between two solicitations (AdvRetransTimer); zero says nothing of it.
    pub retrans: Duration,
    /// The prefixes of the link (AdvPrefixList); none stand for those of the interface's own addresses.
    pub prefixes: Vec<AdvertisedPrefix>,
    /// Whom hosts are to ask for names (RFC 8106), for three of the longest intervals.
    pub name_servers: Vec<Ipv6Addr>,
    /// Where they are to look for names, likewise.
    pub search: Vec<String>,
}

impl Default for Advertise {
    fn default() -> Self {
        let max_interval = Duration::from_secs(600);
        Self {
            max_interval,
            min_interval: max_interval * 33 / 100,
            lifetime: 3 * max_interval,
            hop_limit: 64,
            mtu: None,
            reachable: Duration::ZERO,
            retrans: Duration::ZERO,
            prefixes: Vec::new(),
            name_servers: Vec::new(),
            search: Vec::new(),
        }
    }
}

/// A prefix that a router advertises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdvertisedPrefix {
    /// The prefix, of IPv6.
    pub prefix: Prefix,
    /// For how long it is valid (AdvValidLifetime), in whole seconds; `None`: for ever.
    pub valid: Option<Duration>,
    /// For how long addresses of it are preferred (AdvPreferredLifetime); `None`: for ever.
    pub preferred: Option<Duration>,
    /// Whether hosts may make addresses of it (AdvAutonomousFlag); only those of 64 bits serve for that.
    pub autonomous: Autonomous,
}

impl AdvertisedPrefix {
    /// With RFC 4861's lifetimes: valid for 30 days, preferred for 7.
    pub const fn new(prefix: Prefix) -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            prefix,
            valid: Some(Duration::from_secs(30 * DAY)),
            preferred: Some(Duration::from_secs(7 * DAY)),
            autonomous: Autonomous::Yes,
        }
    }
}

/// Whether hosts may make addresses of a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Autonomous {
    /// They may.
    #[default]
    Yes,
    /// It only says what is on the link.
    No,
}
