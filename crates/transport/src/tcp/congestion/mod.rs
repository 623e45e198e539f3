//! Congestion control: the trait, the window it moves, and the table of controllers. A new one is a file and a line.

use core::fmt;
use core::time::Duration;

use septet_core::Instant;

use super::{CaState, CcInfo};

mod aimd;
mod bbr;
mod bbr_policer;
mod cubic;
mod dctcp;
mod fixed_window;
mod hystart;
mod hystart_plus_plus;
mod newreno;
mod reno;
mod slow_start;
mod tahoe;
mod window;

pub use window::Window;

/// All controllers.
static CONTROLLERS: &[Controller] = &[
    cubic::CUBIC,
    cubic::WITH_HYSTART_PLUS_PLUS,
    reno::CONTROLLER,
    newreno::CONTROLLER,
    dctcp::CONTROLLER,
    bbr::CONTROLLER,
    tahoe::CONTROLLER,
    aimd::CONTROLLER,
    slow_start::CONTROLLER,
    fixed_window::SLIDING,
    fixed_window::STOP_AND_WAIT,
];

/// A controller by name.
#[derive(Clone, Copy, Debug)]
struct Controller {
    /// Its name in a lab file and in `TCP_CONGESTION`.
    name: &'static str,
    /// What it is, in one line, with the document that it follows.
    help: &'static str,
    /// Makes one for a connection.
    build: fn() -> Box<dyn CongestionController>,
}

/// A fresh controller called `name`.
pub fn controller(name: &str) -> Option<Box<dyn CongestionController>> {
    CONTROLLERS.iter().find(|kind| kind.name == name).map(|kind| (kind.build)())
}

/// The names of all controllers.
pub fn names() -> impl Iterator<Item = &'static str> {
    CONTROLLERS.iter().map(|kind| kind.name)
}

/// All controllers: the name, and what it is in a line.
pub fn controllers() -> impl Iterator<Item = (&'static str, &'static str)> {
    CONTROLLERS.iter().map(|kind| (kind.name, kind.help))
}

/// What an ACK brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ack {
    /// When it came.
    pub now: Instant,
    /// Bytes newly delivered: acknowledged cumulatively or selectively.
    pub acked: u64,
    /// The round-trip time of the newest segment it covers, where that was not sent twice.
    pub rtt: Option<Duration>,
    /// The smoothed round-trip time.
    pub srtt: Duration,
    /// The least round-trip time of late.
    pub min_rtt: Option<Duration>,
    /// SND.UNA after it.
    pub snd_una: u64,
    /// SND.NXT.
    pub snd_nxt: u64,
    /// Bytes in flight after it.
    pub in_flight: u64,
    /// Bytes acknowledged cumulatively.
    pub una_advance: u64,
    /// Whether it carried ECN-Echo.
    pub ece: bool,
    /// Whether segments are spaced out, so that ACKs are, too.
    pub is_paced: bool,
    /// How long a burst of super-segments may hold up ACKs, in microseconds.
    pub burst_us: u64,
}

/// A measurement of the delivery rate (Linux's `struct rate_sample`).
#[derive(Clone, Copy, Debug, Default)]
pub struct RateSample {
    /// Bytes delivered over the interval.
    pub delivered: u64,
    /// The longer of the send and the ACK interval; zero for no sample.
    pub interval: Duration,
    /// Total delivered when the sampled segment was sent.
    pub prior_delivered: u64,
    /// Total delivered now.
    pub total_delivered: u64,
    /// Bytes in flight before the ACK.
    pub prior_in_flight: u64,
    /// Bytes newly delivered by this ACK.
    pub acked_sacked: u64,
    /// Bytes newly held to be lost.
    pub losses: u64,
    /// Bytes held to be lost so far.
    pub total_lost: u64,
    /// The round-trip time of the newest segment.
    pub rtt: Option<Duration>,
    /// Whether the sender was short of data while the sample was taken.
    pub is_app_limited: bool,
    /// Whether the ACK was probably delayed.
    pub is_ack_delayed: bool,
}

/// Moments that a controller may care about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaEvent {
    /// First transmission when nothing was in flight.
    TxStart {
        /// The time since data was last sent.
        idle: Duration,
        /// Whether the application had less to send than the window allowed.
        is_app_limited: bool,
    },
    /// The window restarts after idleness.
    CwndRestart,
    /// A reduction because of ECN has ended.
    CompleteCwr,
    /// The retransmission timer expired.
    Loss,
    /// A data segment came without a congestion mark.
    EcnNoCe,
    /// A data segment came marked.
    EcnIsCe,
}

/// What a loss seen by duplicate ACKs leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnLoss {
    /// Fast recovery.
    FastRecovery,
    /// The window falls to one segment and slow start begins, as after a time-out.
    SlowStart,
}

/// Decides how much may be in flight. The window is in bytes.
pub trait CongestionController: fmt::Debug {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// The connection is established; `window` holds the initial window, `srtt` what the handshake measured, or zero.
    fn init(&mut self, window: &mut Window, now: Instant, srtt: Duration) {
        let _ = (window, now, srtt);
    }

    /// New data was acknowledged while the window may grow.
    fn on_ack(&mut self, window: &mut Window, ack: &Ack);

    /// Something was acknowledged, in whichever state: the round-trip time and the count.
    fn on_sample(&mut self, window: &mut Window, ack: &Ack) {
        let _ = (window, ack);
    }

    /// The slow start threshold after a congestion signal.
    fn ssthresh(&mut self, window: &Window, now: Instant) -> u64;

    /// The window after a reduction that proved to be spurious.
    fn undo_cwnd(&mut self, window: &Window) -> u64 {
        window.cwnd.max(window.prior_cwnd)
    }

    /// One of the rarer moments.
    fn on_event(&mut self, window: &mut Window, event: CaEvent, now: Instant) {
        let _ = (window, event, now);
    }

    /// The congestion state changed.
    fn on_state(&mut self, window: &mut Window, state: CaState, now: Instant) {
        let _ = (window, state, now);
    }

    /// Takes the window into its own hands: called for each ACK instead of the common reduction and growth. Returns
    /// whether it did.
    fn control(&mut self, window: &mut Window, ack: &Ack, sample: &RateSample, state: CaState) -> bool {
        let _ = (window, ack, sample, state);
        false
    }

    /// Whether [`control`](Self::control) rules.
    fn is_in_control(&self) -> bool {
        false
    }

    /// What a loss leads to.
    fn on_loss(&self) -> OnLoss {
        OnLoss::FastRecovery
    }

    /// Whether it only works over ECN, and wants each CE echoed exactly.
    fn needs_ecn(&self) -> bool {
        false
    }

    /// Whether it holds the window down itself, so that what is sent now says nothing of the path's rate.
    fn is_probing_rtt(&self) -> bool {
        false
    }

    /// The rate it wants to send at, in bytes a second; `None` for the common rule.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// Whether segments are spaced by the pacing rate.
    fn is_paced(&self) -> bool {
        false
    }

    /// What it tells of itself.
    fn info(&self) -> CcInfo {
        CcInfo::Plain
    }

    /// The least number of segments of a super-segment.
    fn min_tso_segs(&self) -> Option<u32> {
        None
    }

    /// The send buffer as a multiple of the window.
    fn sndbuf_expand(&self) -> u32 {
        2
    }
}
