//! How long a conversation is remembered after its last packet: Linux's `nf_conntrack_*_timeout*`.

use core::time::Duration;

/// The timeouts, by the names of their sysctls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// `nf_conntrack_tcp_timeout_syn_sent`
    pub tcp_syn_sent: Duration,
    /// `nf_conntrack_tcp_timeout_syn_recv`
    pub tcp_syn_recv: Duration,
    /// `nf_conntrack_tcp_timeout_established`
    pub tcp_established: Duration,
    /// `nf_conntrack_tcp_timeout_fin_wait`
    pub tcp_fin_wait: Duration,
    /// `nf_conntrack_tcp_timeout_close_wait`
    pub tcp_close_wait: Duration,
    /// `nf_conntrack_tcp_timeout_last_ack`
    pub tcp_last_ack: Duration,
    /// `nf_conntrack_tcp_timeout_time_wait`
    pub tcp_time_wait: Duration,
    /// `nf_conntrack_tcp_timeout_close`
    pub tcp_close: Duration,
    /// `nf_conntrack_tcp_timeout_max_retrans`
    pub tcp_max_retrans: Duration,
    /// `nf_conntrack_tcp_timeout_unacknowledged`
    pub tcp_unacknowledged: Duration,
    /// `nf_conntrack_udp_timeout`
    pub udp: Duration,
    /// `nf_conntrack_udp_timeout_stream`: where packets went both ways for more than two seconds.
    pub udp_stream: Duration,
    /// `nf_conntrack_icmp_timeout` and `nf_conntrack_icmpv6_timeout`
    pub icmp: Duration,
    /// `nf_conntrack_generic_timeout`
    pub generic: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            tcp_syn_sent: seconds(120),
            tcp_syn_recv: seconds(60),
            tcp_established: seconds(432_000),
            tcp_fin_wait: seconds(120),
            tcp_close_wait: seconds(60),
            tcp_last_ack: seconds(30),
            tcp_time_wait: seconds(120),
            tcp_close: seconds(10),
            tcp_max_retrans: seconds(300),
            tcp_unacknowledged: seconds(300),
            udp: seconds(30),
            udp_stream: seconds(120),
            icmp: seconds(30),
            generic: seconds(600),
        }
    }
}
