//! Loss recovery: each mechanism in the file of its RFC, and the state machine that ties them together.

mod delivery_rate;
mod rfc2018_sack;
mod rfc3042_limited_transmit;
mod rfc4015_undo;
mod rfc5482_user_timeout;
mod rfc5682_frto;
mod rfc6298_rto;
mod rfc6582_newreno;
mod rfc6675_scoreboard;
mod rfc6937_prr;
mod rfc8985_rack;
mod rfc8985_tlp;
mod state_machine;

use septet_core::Instant;

use super::buffer::{Resting, pool};

pub(crate) use delivery_rate::{Gathering, Rate, micros};
pub(crate) use rfc2018_sack::{SackState, Tagged};
pub(crate) use rfc6298_rto::Rtt;
pub(crate) use rfc8985_rack::Rack;
pub(crate) use state_machine::{AckFlags, Resend};

/// Where a connection with data in flight stands in recovery.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Recovery ends when this is acknowledged.
    pub(crate) high_seq: u64,
    /// The threshold to come back to if the reduction was spurious; zero for none.
    pub(crate) prior_ssthresh: u64,
    /// SND.UNA when the reduction began; zero where it cannot be undone.
    pub(crate) undo_marker: u64,
    /// Retransmissions not yet reported as duplicates; negative before the first.
    pub(crate) undo_retrans: i32,
    /// When the first retransmission of this episode left, in milliseconds; zero for none.
    pub(crate) retrans_stamp: u32,
    /// PRR (RFC 6937): bytes delivered and sent during recovery.
    pub(crate) prr_delivered: u64,
    pub(crate) prr_out: u64,
    /// Where the search for lost segments begins.
    pub(crate) retransmit_hint: u64,
    /// The end of the tail loss probe's episode; zero for none.
    pub(crate) tlp_high_seq: u64,
    /// Up to where a short segment was last sent (Minshall).
    pub(crate) snd_sml: u64,
    /// When the peer's window was first probed, in milliseconds; zero for not.
    pub(crate) persist_since: u32,
    /// When the pace lets the next segment go.
    pub(crate) pacing_next: Instant,
    pub(crate) tlp_is_retransmission: bool,
    /// F-RTO (RFC 5682) is looking whether the timeout was spurious.
    pub(crate) frto: bool,
    /// What is sent again was too long for the path: nothing has timed out.
    pub(crate) too_long: bool,
}

impl Recovery {
    const fn new() -> Self {
        Self {
            high_seq: 0,
            prior_ssthresh: 0,
            undo_marker: 0,
            undo_retrans: 0,
            retrans_stamp: 0,
            prr_delivered: 0,
            prr_out: 0,
            retransmit_hint: 0,
            tlp_high_seq: 0,
            snd_sml: 0,
            persist_since: 0,
            pacing_next: Instant::ZERO,
            tlp_is_retransmission: false,
            frto: false,
            too_long: false,
        }
    }
}

impl Resting for Recovery {
    const REST: &'static Self = &Self::new();

    pool!(Recovery);

    fn rest(&mut self) {
        *self = Self::new();
    }
}
