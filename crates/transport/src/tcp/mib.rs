//! The counters of `/proc/net/snmp` and `/proc/net/netstat`, by the names that `nstat` prints.

macro_rules! mib {
    ($($(#[$doc:meta])* $field:ident = $name:literal),* $(,)?) => {
        /// Counters of one endpoint since it was made.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct Mib {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl Mib {
            /// The counter that `nstat` calls `name`.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $($name => Some(self.$field),)*
                    _ => None,
                }
            }

            /// All counters with their names.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($name, self.$field)),*].into_iter()
            }
        }
    };
}

mib! {
    /// Connections opened by us.
    active_opens = "TcpActiveOpens",
    /// Connections opened by peers.
    passive_opens = "TcpPassiveOpens",
    /// Connections that failed while opening.
    attempt_fails = "TcpAttemptFails",
    /// Established connections that were reset.
    estab_resets = "TcpEstabResets",
    /// Connections now established (a gauge).
    curr_estab = "TcpCurrEstab",
    /// Segments received.
    in_segs = "TcpInSegs",
    /// Segments sent, retransmissions not counted.
    out_segs = "TcpOutSegs",
    /// Segments sent again.
    retrans_segs = "TcpRetransSegs",
    /// Segments received in error.
    in_errs = "TcpInErrs",
    /// Resets sent.
    out_rsts = "TcpOutRsts",
    /// Segments with a wrong checksum.
    in_csum_errors = "TcpInCsumErrors",
    /// Cookies sent.
    syncookies_sent = "TcpExtSyncookiesSent",
    /// Cookies received.
    syncookies_recv = "TcpExtSyncookiesRecv",
    /// Cookies that were wrong.
    syncookies_failed = "TcpExtSyncookiesFailed",
    /// Resets in SYN-RECEIVED.
    embryonic_rsts = "TcpExtEmbryonicRsts",
    /// ICMP errors whose sequence number was out of the window.
    out_of_window_icmps = "TcpExtOutOfWindowIcmps",
    /// TIME-WAIT entered.
    tw = "TcpExtTW",
    /// TIME-WAIT taken over.
    tw_recycled = "TcpExtTWRecycled",
    /// Segments dropped by PAWS when connecting.
    paws_active = "TcpExtPAWSActive",
    /// Segments dropped by PAWS.
    paws_estab = "TcpExtPAWSEstab",
    /// Delayed ACKs sent.
    delayed_acks = "TcpExtDelayedACKs",
    /// Delayed ACKs caused a retransmission.
    delayed_ack_lost = "TcpExtDelayedACKLost",
    /// Accept queue overflowed.
    listen_overflows = "TcpExtListenOverflows",
    /// SYNs dropped by listeners.
    listen_drops = "TcpExtListenDrops",
    /// ACKs without data that a listener with `TCP_DEFER_ACCEPT` let pass.
    defer_accept_drop = "TcpExtTCPDeferAcceptDrop",
    /// SYNs dropped because the SYN queue was full.
    req_q_full_drop = "TcpExtTCPReqQFullDrop",
    /// SYNs answered with a cookie because it was.
    req_q_full_cookies = "TcpExtTCPReqQFullDoCookies",
    /// Segments taken by header prediction.
    hp_hits = "TcpExtTCPHPHits",
    /// ACKs without data.
    pure_acks = "TcpExtTCPPureAcks",
    /// ACKs taken by header prediction.
    hp_acks = "TcpExtTCPHPAcks",
    /// Recoveries entered without SACK.
    reno_recovery = "TcpExtTCPRenoRecovery",
    /// Recoveries entered with SACK.
    sack_recovery = "TcpExtTCPSackRecovery",
    /// The peer forgot what it had acknowledged selectively.
    sack_reneging = "TcpExtTCPSACKReneging",
    /// Reordering seen through SACK.
    sack_reorder = "TcpExtTCPSACKReorder",
    /// Reordering seen without SACK.
    reno_reorder = "TcpExtTCPRenoReorder",
    /// Reordering seen through timestamps.
    ts_reorder = "TcpExtTCPTSReorder",
    /// Congestion state fully undone.
    full_undo = "TcpExtTCPFullUndo",
    /// Congestion state undone by a partial ACK.
    partial_undo = "TcpExtTCPPartialUndo",
    /// Congestion state undone by DSACK.
    dsack_undo = "TcpExtTCPDSACKUndo",
    /// Congestion state undone after a time-out.
    loss_undo = "TcpExtTCPLossUndo",
    /// Retransmissions that were lost.
    lost_retransmit = "TcpExtTCPLostRetransmit",
    /// Time-outs during NewReno recovery.
    reno_failures = "TcpExtTCPRenoFailures",
    /// Time-outs during SACK recovery.
    sack_failures = "TcpExtTCPSackFailures",
    /// Time-outs during loss recovery.
    loss_failures = "TcpExtTCPLossFailures",
    /// Fast retransmissions.
    fast_retrans = "TcpExtTCPFastRetrans",
    /// Retransmissions in slow start.
    slow_start_retrans = "TcpExtTCPSlowStartRetrans",
    /// Time-outs.
    timeouts = "TcpExtTCPTimeouts",
    /// Tail loss probes sent.
    loss_probes = "TcpExtTCPLossProbes",
    /// Losses that a probe repaired.
    loss_probe_recovery = "TcpExtTCPLossProbeRecovery",
    /// DSACKs sent for old segments.
    dsack_old_sent = "TcpExtTCPDSACKOldSent",
    /// DSACKs sent for out-of-order segments.
    dsack_ofo_sent = "TcpExtTCPDSACKOfoSent",
    /// DSACKs received.
    dsack_recv = "TcpExtTCPDSACKRecv",
    /// DSACKs for out-of-order segments received.
    dsack_ofo_recv = "TcpExtTCPDSACKOfoRecv",
    /// DSACKs that were ignored.
    dsack_ignored = "TcpExtTCPDSACKIgnoredOld",
    /// SACK blocks that made no sense.
    sack_discard = "TcpExtTCPSACKDiscard",
    /// Spurious time-outs detected by F-RTO.
    spurious_rtos = "TcpExtTCPSpuriousRTOs",
    /// Connections reset with unread data.
    abort_on_data = "TcpExtTCPAbortOnData",
    /// Connections reset by a close with unread data.
    abort_on_close = "TcpExtTCPAbortOnClose",
    /// Connections given up after time-outs.
    abort_on_timeout = "TcpExtTCPAbortOnTimeout",
    /// Orphans dropped in FIN-WAIT-2.
    abort_on_linger = "TcpExtTCPAbortOnLinger",
    /// Challenge ACKs sent.
    challenge_ack = "TcpExtTCPChallengeACK",
    /// SYNs in a connection answered with a challenge ACK.
    syn_challenge = "TcpExtTCPSYNChallenge",
    /// Keepalive probes sent.
    keepalive = "TcpExtTCPKeepAlive",
    /// Segments dropped for lack of window.
    rcv_q_drop = "TcpExtTCPRcvQDrop",
    /// Zero window announced.
    to_zero_window = "TcpExtTCPToZeroWindowAdv",
    /// Window reopened after zero.
    from_zero_window = "TcpExtTCPFromZeroWindowAdv",
    /// Reopening announced at once.
    want_zero_window = "TcpExtTCPWantZeroWindowAdv",
    /// Out-of-order segments queued.
    ofo_queue = "TcpExtTCPOFOQueue",
    /// Out-of-order segments dropped.
    ofo_drop = "TcpExtTCPOFODrop",
    /// Out-of-order segments let go because they cost too much memory.
    ofo_pruned = "TcpExtOfoPruned",
    /// Out-of-order segments merged.
    ofo_merge = "TcpExtTCPOFOMerge",
    /// SYN and SYN-ACK retransmissions.
    syn_retrans = "TcpExtTCPSynRetrans",
    /// Data sent for the first time.
    orig_data_sent = "TcpExtTCPOrigDataSent",
    /// Data segments delivered.
    delivered = "TcpExtTCPDelivered",
    /// The same, marked.
    delivered_ce = "TcpExtTCPDeliveredCE",
    /// HyStart left slow start by ACK trains.
    hystart_train_detect = "TcpExtTCPHystartTrainDetect",
    /// HyStart left slow start by delay.
    hystart_delay_detect = "TcpExtTCPHystartDelayDetect",
    /// Unacceptable ACKs skipped by rate limit.
    ack_skipped = "TcpExtTCPACKSkippedChallenge",
    /// Path MTU probes that were lost.
    mtup_fail = "TcpExtTCPMTUPFail",
    /// Path MTU probes that arrived.
    mtup_success = "TcpExtTCPMTUPSuccess",
    /// ACKs compressed.
    ack_compressed = "TcpExtTCPAckCompressed",
    /// Data beyond the window dropped.
    zero_window_drop = "TcpExtTCPZeroWindowDrop",
    /// Persist probes sent.
    win_probe = "TcpExtTCPWinProbe",
    /// Autocorking and Nagle held a segment.
    nagle_held = "TcpExtTCPNagleHeld",
}
