//! A personality: every default of a TCP as data. [`Config::linux`] is the one a host starts with.

use core::time::Duration;

use super::Options;

/// Whether ECN (RFC 3168) is negotiated: `net.ipv4.tcp_ecn`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EcnMode {
    /// Never.
    Off,
    /// Asked for when connecting, and granted.
    Active,
    /// Granted to a peer that asks.
    #[default]
    Passive,
}

/// Packetization-layer path MTU discovery (RFC 4821): `net.ipv4.tcp_mtu_probing`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MtuProbing {
    /// Never.
    #[default]
    Off,
    /// Once a black hole shows.
    OnBlackHole,
    /// Always.
    Always,
}

/// Whether connecting may take over a pair of addresses and ports in TIME-WAIT (RFC 6191): `net.ipv4.tcp_tw_reuse`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TwReuse {
    /// Never.
    Off,
    /// Where timestamps keep old segments apart.
    On,
    /// The same, but only where one of the addresses is a loopback address.
    #[default]
    Loopback,
}

/// The defaults of an endpoint. Names and values are those of Linux's `net.ipv4.tcp_*` where it has them.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// What sockets start with.
    pub options: Options,
    /// The congestion controller of sockets that name none: `tcp_congestion_control`.
    pub congestion_control: &'static str,
    /// The initial congestion window in segments (RFC 6928).
    pub initial_window: u32,
    /// `tcp_timestamps`
    pub timestamps: bool,
    /// `tcp_sack`
    pub sack: bool,
    /// `tcp_dsack`
    pub dsack: bool,
    /// `tcp_window_scaling`
    pub window_scaling: bool,
    /// `tcp_ecn`
    pub ecn: EcnMode,
    /// The receive buffer: least, first and greatest: `tcp_rmem`. Half of it is window, as with Linux's default scaling.
    pub rmem: [usize; 3],
    /// The send buffer: least, first and greatest: `tcp_wmem`.
    pub wmem: [usize; 3],
    /// Whether the receive buffer grows by itself: `tcp_moderate_rcvbuf`.
    pub moderate_rcvbuf: bool,
    /// The shortest retransmission timeout: `TCP_RTO_MIN`.
    pub rto_min: Duration,
    /// The longest: `TCP_RTO_MAX`.
    pub rto_max: Duration,
    /// The first, before an RTT is known: `TCP_TIMEOUT_INIT`.
    pub rto_initial: Duration,
    /// The shortest delay of an ACK: `TCP_DELACK_MIN`.
    pub delayed_ack_min: Duration,
    /// The longest: `TCP_DELACK_MAX`.
    pub delayed_ack_max: Duration,
    /// How many segments at the start are acknowledged at once: `TCP_MAX_QUICKACKS`.
    pub max_quickacks: u8,
    /// `tcp_syn_retries`
    pub syn_retries: u8,
    /// Retransmissions of the SYN before its timer backs off: `tcp_syn_linear_timeouts`.
    pub syn_linear_timeouts: u8,
    /// `tcp_synack_retries`
    pub synack_retries: u8,
    /// Time-outs after which the path is doubted: `tcp_retries1`.
    pub retries1: u8,
    /// Time-outs after which the connection is given up, as an equivalent span: `tcp_retries2`.
    pub retries2: u8,
    /// The same for a connection whose socket is closed: `tcp_orphan_retries`.
    pub orphan_retries: u8,
    /// `tcp_keepalive_time`
    pub keepalive_time: Duration,
    /// `tcp_keepalive_intvl`
    pub keepalive_interval: Duration,
    /// `tcp_keepalive_probes`
    pub keepalive_probes: u8,
    /// How long an orphan stays in FIN-WAIT-2: `tcp_fin_timeout`.
    pub fin_timeout: Duration,
    /// How long TIME-WAIT lasts: `TCP_TIMEWAIT_LEN`.
    pub time_wait: Duration,
    /// The first reordering degree, in segments: `tcp_reordering`.
    pub reordering: u32,
    /// The greatest: `tcp_max_reordering`.
    pub max_reordering: u32,
    /// F-RTO (RFC 5682): `tcp_frto`.
    pub frto: bool,
    /// Tail loss probes (RFC 8985): `tcp_early_retrans`.
    pub tail_loss_probe: bool,
    /// RACK (RFC 8985); without it SACK alone marks losses (RFC 6675): `tcp_recovery`.
    pub rack: bool,
    /// `tcp_slow_start_after_idle`
    pub slow_start_after_idle: bool,
    /// `tcp_abort_on_overflow`
    pub abort_on_overflow: bool,
    /// SYN cookies (RFC 4987) when the queue is full: `tcp_syncookies`.
    pub syncookies: bool,
    /// `tcp_max_syn_backlog`
    pub max_syn_backlog: usize,
    /// The bound on any backlog: `somaxconn`.
    pub somaxconn: usize,
    /// Challenge ACKs a second (RFC 5961 §7): `tcp_challenge_ack_limit`. `None` for no limit beyond the one per socket.
    pub challenge_ack_limit: Option<u32>,
    /// The time between ACKs in answer to unacceptable segments: `tcp_invalid_ratelimit`.
    pub invalid_ratelimit: Duration,
    /// Whether a reset ends TIME-WAIT (off) or not (on, RFC 1337): `tcp_rfc1337`.
    pub rfc1337: bool,
    /// Whether connecting may take over a TIME-WAIT pair (RFC 6191): `tcp_tw_reuse`.
    pub tw_reuse: TwReuse,
    /// How long a pair has been in TIME-WAIT before it may be taken over: `tcp_tw_reuse_delay`.
    pub tw_reuse_delay: Duration,
    /// `tcp_mtu_probing`
    pub mtu_probing: MtuProbing,
    /// The segment size from which probing starts: `tcp_base_mss`.
    pub base_mss: u32,
    /// `tcp_mtu_probe_floor`
    pub mtu_probe_floor: u32,
    /// `tcp_min_snd_mss`
    pub min_snd_mss: u32,
    /// The least MTU believed from ICMP: `ip_rt_min_pmtu`.
    pub min_pmtu: u32,
    /// How long a path MTU learned from ICMP is believed: `ip_rt_mtu_expires`.
    pub pmtu_expires: Duration,
    /// `ip_no_pmtu_disc`, inverted
    pub pmtu_discovery: bool,
    /// The least number of segments of a super-segment: `tcp_min_tso_segs`.
    pub min_tso_segs: u32,
    /// `tcp_tso_win_divisor`
    pub tso_win_divisor: u32,
    /// `tcp_tso_rtt_log`
    pub tso_rtt_log: u32,
    /// The largest super-segment; zero for none.
    pub gso_max_size: u32,
    /// Whether every controller's segments are spaced out, as under Linux's `fq`.
    pub pacing: bool,
    /// The share of the rate at which slow start is paced, in per cent: `tcp_pacing_ss_ratio`.
    pub pacing_ss_ratio: u32,
    /// The same for congestion avoidance: `tcp_pacing_ca_ratio`.
    pub pacing_ca_ratio: u32,
    /// The longest an ACK for out-of-order data is compressed: `tcp_comp_sack_delay_ns`.
    pub comp_sack_delay: Duration,
    /// How many such ACKs are compressed into one; zero for none: `tcp_comp_sack_nr`.
    pub comp_sack_nr: u8,
    /// Whether out-of-order segments are kept; a Go-Back-N receiver drops them.
    pub reassembly: bool,
    /// Replies after which a session counts as interactive: `tcp_pingpong_thresh`.
    pub pingpong_thresh: u8,
    /// Ephemeral ports: first and last: `ip_local_port_range`.
    pub port_range: (u16, u16),
    /// The bound on TIME-WAIT entries: `tcp_max_tw_buckets`.
    pub max_tw_buckets: usize,
}

impl Config {
    /// Linux's defaults.
    pub fn linux() -> Self {
        Self {
            options: Options::default(),
            congestion_control: "cubic",
            initial_window: 10,
            timestamps: true,
            sack: true,
            dsack: true,
            window_scaling: true,
            ecn: EcnMode::Passive,
            rmem: [4096, 131_072, 32 << 20],
            wmem: [4096, 16_384, 4 << 20],
            moderate_rcvbuf: true,
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            rto_initial: Duration::from_secs(1),
            delayed_ack_min: Duration::from_millis(40),
            delayed_ack_max: Duration::from_millis(200),
            max_quickacks: 16,
            syn_retries: 6,
            syn_linear_timeouts: 4,
            synack_retries: 5,
            retries1: 3,
            retries2: 15,
            orphan_retries: 8,
            keepalive_time: Duration::from_secs(7200),
            keepalive_interval: Duration::from_secs(75),
            keepalive_probes: 9,
            fin_timeout: Duration::from_secs(60),
            time_wait: Duration::from_secs(60),
            reordering: 3,
            max_reordering: 300,
            frto: true,
            tail_loss_probe: true,
            rack: true,
            slow_start_after_idle: true,
            abort_on_overflow: false,
            syncookies: true,
            max_syn_backlog: 4096,
            somaxconn: 4096,
            challenge_ack_limit: None,
            invalid_ratelimit: Duration::from_millis(500),
            rfc1337: false,
            tw_reuse: TwReuse::Loopback,
            tw_reuse_delay: Duration::from_secs(1),
            mtu_probing: MtuProbing::Off,
            base_mss: 1024,
            mtu_probe_floor: 48,
            min_snd_mss: 48,
            min_pmtu: 552,
            pmtu_expires: Duration::from_secs(600),
            pmtu_discovery: true,
            min_tso_segs: 2,
            tso_win_divisor: 3,
            tso_rtt_log: 9,
            gso_max_size: 0,
            pacing: false,
            pacing_ss_ratio: 200,
            pacing_ca_ratio: 120,
            comp_sack_delay: Duration::from_millis(1),
            comp_sack_nr: 44,
            reassembly: true,
            pingpong_thresh: 1,
            port_range: (32_768, 60_999),
            max_tw_buckets: 262_144,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::linux()
    }
}
