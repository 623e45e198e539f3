//! The counters of storey 3, by the names that `nstat` prints.

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident => $name:literal,)*) => {
        /// What storey 3 of one host counts.
        #[derive(Clone, Default, Debug)]
        pub struct Counters {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl Counters {
            /// Name and reading of each, in the order of `nstat`.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($name, self.$field),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams received, bad ones included.
    ip_in_receives => "IpInReceives",
    /// Discarded: the header was wrong, the checksum did not match, or the time to live ran out.
    ip_in_hdr_errors => "IpInHdrErrors",
    /// Discarded: an address that cannot be right.
    ip_in_addr_errors => "IpInAddrErrors",
    /// Passed on towards others.
    ip_forw_datagrams => "IpForwDatagrams",
    /// Discarded: nothing here speaks the protocol.
    ip_in_unknown_protos => "IpInUnknownProtos",
    /// Discarded though nothing was wrong with them.
    ip_in_discards => "IpInDiscards",
    /// Delivered to the storeys above.
    ip_in_delivers => "IpInDelivers",
    /// Handed down by the storeys above.
    ip_out_requests => "IpOutRequests",
    /// Own datagrams discarded though nothing was wrong with them.
    ip_out_discards => "IpOutDiscards",
    /// Own datagrams without a route.
    ip_out_no_routes => "IpOutNoRoutes",
    /// Datagrams given up before all fragments were there.
    ip_reasm_timeout => "IpReasmTimeout",
    /// Fragments received.
    ip_reasm_reqds => "IpReasmReqds",
    /// Datagrams put together.
    ip_reasm_oks => "IpReasmOKs",
    /// Failures to put a datagram together.
    ip_reasm_fails => "IpReasmFails",
    /// Datagrams cut into fragments.
    ip_frag_oks => "IpFragOKs",
    /// Datagrams that ought to have been cut but must not be.
    ip_frag_fails => "IpFragFails",
    /// Fragments made.
    ip_frag_creates => "IpFragCreates",
    /// Received ICMP messages.
    icmp_in_msgs => "IcmpInMsgs",
    /// Received ICMP messages that are wrong.
    icmp_in_errors => "IcmpInErrors",
    /// Received ICMP messages with a wrong checksum.
    icmp_in_csum_errors => "IcmpInCsumErrors",
    /// Received: destination unreachable.
    icmp_in_dest_unreachs => "IcmpInDestUnreachs",
    /// Received: time exceeded.
    icmp_in_time_excds => "IcmpInTimeExcds",
    /// Received: parameter problem.
    icmp_in_parm_probs => "IcmpInParmProbs",
    /// Received: redirect.
    icmp_in_redirects => "IcmpInRedirects",
    /// Received: echo request.
    icmp_in_echos => "IcmpInEchos",
    /// Received: echo reply.
    icmp_in_echo_reps => "IcmpInEchoReps",
    /// Sent ICMP messages.
    icmp_out_msgs => "IcmpOutMsgs",
    /// Errors not sent because the whole host sends no more for now.
    icmp_out_rate_limit => "IcmpOutRateLimitHost",
    /// Sent: destination unreachable.
    icmp_out_dest_unreachs => "IcmpOutDestUnreachs",
    /// Sent: time exceeded.
    icmp_out_time_excds => "IcmpOutTimeExcds",
    /// Sent: parameter problem.
    icmp_out_parm_probs => "IcmpOutParmProbs",
    /// Sent: echo request.
    icmp_out_echos => "IcmpOutEchos",
    /// Sent: echo reply.
    icmp_out_echo_reps => "IcmpOutEchoReps",
    /// Datagrams that no route leads onwards.
    ip_in_no_routes => "IpExtInNoRoutes",
    /// Received multicast datagrams.
    ip_in_mcast_pkts => "IpExtInMcastPkts",
    /// Sent multicast datagrams.
    ip_out_mcast_pkts => "IpExtOutMcastPkts",
    /// Received broadcast datagrams.
    ip_in_bcast_pkts => "IpExtInBcastPkts",
    /// Sent broadcast datagrams.
    ip_out_bcast_pkts => "IpExtOutBcastPkts",
    /// ARP requests sent.
    arp_out_requests => "ArpOutRequests",
    /// ARP replies sent.
    arp_out_replies => "ArpOutReplies",
    /// ARP requests received.
    arp_in_requests => "ArpInRequests",
    /// ARP replies received.
    arp_in_replies => "ArpInReplies",
    /// Next hops that did not answer: `res_failed` of `/proc/net/stat/arp_cache`.
    arp_res_failed => "ArpResFailed",
    /// Packets dropped while they waited for a link address: `unresolved_discards`.
    arp_unresolved_discards => "ArpUnresolvedDiscards",
}
