//! The counters of storey 3, by the names that `nstat` prints.

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
