//! The counters of storey 3, by the names that `nstat` prints.

use core::ops::{Deref, DerefMut};

septet_core::counters! {
    /// What storey 3 of one host counts.
    pub struct Counters {
        ip_in_receives = "IpInReceives", "datagrams received, bad ones included";
        ip_in_hdr_errors = "IpInHdrErrors", "discarded: the header was wrong, the checksum did not match, or the time to live ran out";
        ip_in_addr_errors = "IpInAddrErrors", "discarded: an address that cannot be right";
        ip_forw_datagrams = "IpForwDatagrams", "passed on towards others";
        ip_in_unknown_protos = "IpInUnknownProtos", "discarded: nothing here speaks the protocol";
        ip_in_discards = "IpInDiscards", "discarded though nothing was wrong with them";
        ip_in_delivers = "IpInDelivers", "delivered to the storeys above";
        ip_out_requests = "IpOutRequests", "handed down by the storeys above";
        ip_out_discards = "IpOutDiscards", "own datagrams discarded though nothing was wrong with them";
        ip_out_no_routes = "IpOutNoRoutes", "own datagrams without a route";
        ip_reasm_timeout = "IpReasmTimeout", "datagrams given up before all fragments were there";
        ip_reasm_reqds = "IpReasmReqds", "fragments received";
        ip_reasm_oks = "IpReasmOKs", "datagrams put together";
        ip_reasm_fails = "IpReasmFails", "failures to put a datagram together";
        ip_frag_oks = "IpFragOKs", "datagrams cut into fragments";
        ip_frag_fails = "IpFragFails", "datagrams that ought to have been cut but must not be";
        ip_frag_creates = "IpFragCreates", "fragments made";
        icmp_in_msgs = "IcmpInMsgs", "received ICMP messages";
        icmp_in_errors = "IcmpInErrors", "received ICMP messages that are wrong";
        icmp_in_csum_errors = "IcmpInCsumErrors", "received ICMP messages with a wrong checksum";
        icmp_in_dest_unreachs = "IcmpInDestUnreachs", "received: destination unreachable";
        icmp_in_time_excds = "IcmpInTimeExcds", "received: time exceeded";
        icmp_in_parm_probs = "IcmpInParmProbs", "received: parameter problem";
        icmp_in_redirects = "IcmpInRedirects", "received: redirect";
        icmp_in_echos = "IcmpInEchos", "received: echo request";
        icmp_in_echo_reps = "IcmpInEchoReps", "received: echo reply";
        icmp_out_msgs = "IcmpOutMsgs", "sent ICMP messages";
        icmp_out_rate_limit = "IcmpOutRateLimitHost", "errors not sent because the whole host sends no more for now";
        icmp_out_dest_unreachs = "IcmpOutDestUnreachs", "sent: destination unreachable";
        icmp_out_time_excds = "IcmpOutTimeExcds", "sent: time exceeded";
        icmp_out_parm_probs = "IcmpOutParmProbs", "sent: parameter problem";
        icmp_out_redirects = "IcmpOutRedirects", "sent: redirect";
        icmp_out_echos = "IcmpOutEchos", "sent: echo request";
        icmp_out_echo_reps = "IcmpOutEchoReps", "sent: echo reply";
        ip_in_no_routes = "IpExtInNoRoutes", "datagrams that no route leads onwards";
        ip_in_mcast_pkts = "IpExtInMcastPkts", "received multicast datagrams";
        ip_out_mcast_pkts = "IpExtOutMcastPkts", "sent multicast datagrams";
        ip_in_bcast_pkts = "IpExtInBcastPkts", "received broadcast datagrams";
        ip_out_bcast_pkts = "IpExtOutBcastPkts", "sent broadcast datagrams";
        arp_out_requests = "ArpOutRequests", "ARP requests sent";
        arp_out_replies = "ArpOutReplies", "ARP replies sent";
        arp_in_requests = "ArpInRequests", "ARP requests received";
        arp_in_replies = "ArpInReplies", "ARP replies received";
        arp_conflicts = "ArpConflicts", "ARP packets of others who use an address of this host, or one that it is about to use";
        arp_res_failed = "ArpResFailed", "next hops that did not answer: `res_failed` of `/proc/net/stat/arp_cache`";
        conntrack_new = "ConntrackNew", "connections that the firewall or address translation began to track: `insert` of `conntrack -S`";
        conntrack_expired = "ConntrackExpired", "tracked connections that were forgotten in time";
        conntrack_invalid = "ConntrackInvalid", "packets that belong to no connection and begin none: `invalid` of `conntrack -S`";
        conntrack_drops = "ConntrackDrop", "packets dropped because their connection could not be tracked, as the table was full: `drop` of `conntrack -S`";
        conntrack_early_drops = "ConntrackEarlyDrop", "tracked connections forgotten early to make room: `early_drop` of `conntrack -S`";
        nat_new = "NatNew", "connections whose addresses are translated";
        nat_exhausted = "NatPortsExhausted", "packets dropped because address translation had no port left";
        nat_filtered = "NatFiltered", "packets from outside for a port of somebody inside who had not asked for them, dropped";
        firewall_drops = "FirewallDrop", "packets that the firewall dropped";
        firewall_rejects = "FirewallReject", "packets that the firewall rejected";
        firewall_logs = "FirewallLog", "packets that the firewall logged";
        arp_unresolved_discards = "ArpUnresolvedDiscards", "packets dropped while they waited for a link address: `unresolved_discards`";
    }
}

septet_core::counters! {
    /// What IPv6 of one host counts, by the names of `/proc/net/snmp6`.
    pub struct Counters6 {
        in_receives = "Ip6InReceives", "packets received, bad ones included";
        in_hdr_errors = "Ip6InHdrErrors", "discarded: a header was wrong, or the hop limit ran out";
        in_too_big_errors = "Ip6InTooBigErrors", "not passed on: larger than the next link takes";
        in_no_routes = "Ip6InNoRoutes", "packets that no route leads onwards";
        in_addr_errors = "Ip6InAddrErrors", "discarded: an address that cannot be right, or that is not for this host";
        in_unknown_protos = "Ip6InUnknownProtos", "discarded: nothing here speaks the protocol";
        in_truncated_pkts = "Ip6InTruncatedPkts", "discarded: shorter than their headers say";
        in_discards = "Ip6InDiscards", "discarded though nothing was wrong with them";
        in_delivers = "Ip6InDelivers", "delivered to the storeys above";
        out_forw_datagrams = "Ip6OutForwDatagrams", "passed on towards others";
        out_requests = "Ip6OutRequests", "handed down by the storeys above";
        out_discards = "Ip6OutDiscards", "own packets discarded though nothing was wrong with them";
        out_no_routes = "Ip6OutNoRoutes", "own packets without a route";
        reasm_timeout = "Ip6ReasmTimeout", "packets given up before all fragments were there";
        reasm_reqds = "Ip6ReasmReqds", "fragments received";
        reasm_oks = "Ip6ReasmOKs", "packets put together";
        reasm_fails = "Ip6ReasmFails", "failures to put a packet together";
        frag_oks = "Ip6FragOKs", "packets cut into fragments";
        frag_fails = "Ip6FragFails", "packets that ought to have been cut but must not be";
        frag_creates = "Ip6FragCreates", "fragments made";
        in_mcast_pkts = "Ip6InMcastPkts", "received multicast packets";
        out_mcast_pkts = "Ip6OutMcastPkts", "sent multicast packets";
        icmp_in_msgs = "Icmp6InMsgs", "received ICMPv6 messages";
        icmp_in_errors = "Icmp6InErrors", "received ICMPv6 messages that are wrong";
        icmp_in_csum_errors = "Icmp6InCsumErrors", "received ICMPv6 messages with a wrong checksum";
        icmp_out_msgs = "Icmp6OutMsgs", "sent ICMPv6 messages";
        icmp_out_rate_limit = "Icmp6OutRateLimitHost", "errors not sent because there were too many";
        icmp_in_dest_unreachs = "Icmp6InDestUnreachs", "received: destination unreachable";
        icmp_in_pkt_too_bigs = "Icmp6InPktTooBigs", "received: packet too big";
        icmp_in_time_excds = "Icmp6InTimeExcds", "received: time exceeded";
        icmp_in_parm_problems = "Icmp6InParmProblems", "received: parameter problem";
        icmp_in_echos = "Icmp6InEchos", "received: echo request";
        icmp_in_echo_replies = "Icmp6InEchoReplies", "received: echo reply";
        icmp_in_router_solicits = "Icmp6InRouterSolicits", "received: router solicitation";
        icmp_in_router_advertisements = "Icmp6InRouterAdvertisements", "received: router advertisement";
        icmp_in_neighbor_solicits = "Icmp6InNeighborSolicits", "received: neighbour solicitation";
        icmp_in_neighbor_advertisements = "Icmp6InNeighborAdvertisements", "received: neighbour advertisement";
        icmp_in_redirects = "Icmp6InRedirects", "received: redirect";
        icmp_out_dest_unreachs = "Icmp6OutDestUnreachs", "sent: destination unreachable";
        icmp_out_pkt_too_bigs = "Icmp6OutPktTooBigs", "sent: packet too big";
        icmp_out_time_excds = "Icmp6OutTimeExcds", "sent: time exceeded";
        icmp_out_parm_problems = "Icmp6OutParmProblems", "sent: parameter problem";
        icmp_out_echos = "Icmp6OutEchos", "sent: echo request";
        icmp_out_echo_replies = "Icmp6OutEchoReplies", "sent: echo reply";
        icmp_out_router_solicits = "Icmp6OutRouterSolicits", "sent: router solicitation";
        icmp_out_router_advertisements = "Icmp6OutRouterAdvertisements", "sent: router advertisement";
        icmp_out_neighbor_solicits = "Icmp6OutNeighborSolicits", "sent: neighbour solicitation";
        icmp_out_neighbor_advertisements = "Icmp6OutNeighborAdvertisements", "sent: neighbour advertisement";
        icmp_out_redirects = "Icmp6OutRedirects", "sent: redirect";
    }
}

/// Counters that take room only where something was counted: most hosts of a large world never do.
macro_rules! seldom {
    ($(#[$meta:meta])* $name:ident, $counters:ident) => {
        $(#[$meta])*
        #[derive(Clone, Default, Debug)]
        pub struct $name(Option<Box<$counters>>);

        impl Deref for $name {
            type Target = $counters;
            #[inline]
            fn deref(&self) -> &$counters {
                static ZERO: $counters = $counters::ZERO;
                self.0.as_deref().unwrap_or(&ZERO)
            }
        }

        impl DerefMut for $name {
            #[inline]
            fn deref_mut(&mut self) -> &mut $counters {
                self.0.get_or_insert_default()
            }
        }
    };
}

seldom! {
    /// The [`Counters`] of a host, which take no room until it receives or sends something.
    Seldom, Counters
}

seldom! {
    /// The [`Counters6`] of a host, which take no room where there is nothing of IPv6.
    Seldom6, Counters6
}
