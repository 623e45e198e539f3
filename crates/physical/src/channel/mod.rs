//! What happens to a frame between the two ends of a cable: delay, jitter, loss, bit errors, and further effects.
//!
//! A new effect is one file here and one line in [`EFFECTS`].

use core::fmt;
use core::time::Duration;

use septet_core::{DropReason, Fate, Frame, Instant, Rng, Seed};

use crate::Medium;
use crate::settings::{InvalidSetting, Parameter, Settings};

mod bits;
mod chance;
mod corrupt;
mod delay;
mod distribution;
mod duplicate;
mod gemodel;
mod limit;
mod loss;
mod rate;
mod reorder;
mod state;
mod symbols;

pub use bits::BitErrors;

/// Every effect there is beside those that [`Medium`] names itself, in the order in which netem applies them; errors on
/// the line come last.
pub static EFFECTS: &[EffectKind] = &[
    duplicate::EFFECT,
    loss::EFFECT,
    gemodel::EFFECT,
    state::EFFECT,
    corrupt::EFFECT,
    delay::EFFECT,
    reorder::EFFECT,
    rate::EFFECT,
    limit::EFFECT,
    symbols::EFFECT,
];

/// A channel effect by name.
#[derive(Clone, Copy, Debug)]
pub struct EffectKind {
    /// Its name in a lab file, as netem spells it.
    pub name: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
    /// The settings it understands.
    pub parameters: &'static [Parameter],
    /// Builds one; its settings were checked against `parameters`.
    pub build: fn(&Settings, Rng) -> BuiltEffect,
}

/// An effect, or the setting that it refuses.
pub type BuiltEffect = Result<Box<dyn Effect>, InvalidSetting>;

/// A frame on its way through the channel, and what has become of it so far.
#[derive(Debug)]
pub struct Transit<'a> {
    /// When its first bit leaves.
    pub start: Instant,
    /// The frame; a change makes it `Unverified`.
    pub frame: &'a mut Frame,
    /// From the first bit out to the first bit in.
    pub delay: Duration,
    /// What becomes of it.
    pub fate: Fate,
    /// Further copies that arrive beside it.
    pub copies: u32,
    /// Whether it goes ahead of others even where the order is kept.
    pub turn: Turn,
}

/// A frame's place among others on a line that keeps the order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Turn {
    /// Behind those that were sent before it.
    #[default]
    Waits,
    /// Ahead of them.
    Overtakes,
}

/// Something that a channel does to frames, each in the order of transmission.
pub trait Effect {
    /// Does it to one frame that is not lost yet.
    fn apply(&mut self, transit: &mut Transit<'_>);

    /// The least delay that it leaves to any frame which comes to it with at least `delay`.
    fn least(&self, delay: Duration) -> Duration {
        delay
    }
}

/// Which effect a channel has.
#[derive(Clone, Debug)]
pub struct EffectSpec {
    kind: &'static EffectKind,
    settings: Settings,
}

impl EffectSpec {
    /// The effect called `name` in [`EFFECTS`].
    ///
    /// # Errors
    /// A setting that the effect does not understand or refuses; `name` itself where there is no such effect.
    pub fn new(name: &str, settings: Settings) -> Result<Self, InvalidSetting> {
        let Some(kind) = EFFECTS.iter().find(|k| k.name == name) else {
            return Err(InvalidSetting::new(name, "no such effect"));
        };
        settings.check(kind.parameters)?;
        (kind.build)(&settings, Seed::new(0).stream(""))?;
        Ok(Self { kind, settings })
    }

    /// The effect's name.
    pub fn name(&self) -> &'static str {
        self.kind.name
    }
}

impl PartialEq for EffectSpec {
    fn eq(&self, other: &Self) -> bool {
        self.kind.name == other.kind.name && self.settings == other.settings
    }
}

/// The channel of one direction.
pub(crate) struct Channel {
    /// In nanoseconds.
    delay: u64,
    /// Present where anything is left to chance or to an effect; the ordinary cable only delays.
    moody: Option<Box<Moody>>,
}

struct Moody {
    jitter: u64,
    jitter_rng: Rng,
    loss: f64,
    loss_rng: Rng,
    bits: BitErrors,
    effects: Vec<(EffectSpec, Box<dyn Effect>)>,
}

/// What the channel made of a frame.
pub(crate) struct Outcome {
    pub(crate) delay: Duration,
    pub(crate) fate: Fate,
    pub(crate) copies: u32,
    pub(crate) turn: Turn,
}

impl Channel {
    /// `stream` gives the random numbers of each effect by its name.
    pub(crate) fn new(medium: &Medium, stream: impl Fn(&str) -> Rng) -> Self {
        let mut channel = Self { delay: 0, moody: None };
        channel.set(medium, stream);
        channel
    }

    /// Takes over the values of `medium`; streams of random numbers and effects that stay are kept.
    pub(crate) fn set(&mut self, medium: &Medium, stream: impl Fn(&str) -> Rng) {
        let Medium { rate: _, trace: _, delay, jitter, order: _, loss, bit_errors, framing, queue: _, effects } =
            medium;
        self.delay = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let moody = !jitter.is_zero() || !loss.is_zero() || !bit_errors.is_zero() || !effects.is_empty();
        if !moody && self.moody.is_none() {
            return;
        }
        let m = self.moody.get_or_insert_with(|| {
            Box::new(Moody {
                jitter: 0,
                jitter_rng: stream("jitter"),
                loss: 0.0,
                loss_rng: stream("loss"),
                bits: BitErrors::new(stream("bit errors")),
                effects: Vec::new(),
            })
        });
        m.jitter = u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX);
        m.loss = loss.get();
        m.bits.set_ratio(*bit_errors);
        m.bits.set_trailer(framing.trailer);
        let mut old = core::mem::take(&mut m.effects);
        for spec in effects {
            let kept = old.iter().position(|(s, _)| s == spec).map(|at| old.swap_remove(at));
            let built = kept.or_else(|| {
                let effect = (spec.kind.build)(&spec.settings, stream(spec.kind.name)).ok()?;
                Some((spec.clone(), effect))
            });
            m.effects.extend(built);
        }
    }

    /// The delay of the cable alone, in nanoseconds.
    pub(crate) fn delay(&self) -> u64 {
        self.delay
    }

    /// The least delay of any frame.
    pub(crate) fn least_delay(&self) -> Duration {
        let delay = Duration::from_nanos(self.delay);
        let Some(m) = &self.moody else { return delay };
        let least = delay.saturating_sub(Duration::from_nanos(m.jitter));
        m.effects.iter().fold(least, |least, (_, effect)| effect.least(least))
    }

    /// The delay of every frame in nanoseconds, where the channel does nothing else.
    #[inline]
    pub(crate) fn only_delays(&self) -> Option<u64> {
        if self.moody.is_none() { Some(self.delay) } else { None }
    }

    /// Lets `frame`, whose first bit leaves at `start`, pass.
    pub(crate) fn pass(&mut self, start: Instant, frame: &mut Frame) -> Outcome {
        let delay = Duration::from_nanos(self.delay);
        let Some(m) = &mut self.moody else {
            return Outcome { delay, fate: Fate::Passed, copies: 0, turn: Turn::Waits };
        };
        let mut transit = Transit { start, frame, delay, fate: Fate::Passed, copies: 0, turn: Turn::Waits };
        if m.jitter > 0 {
            let offset = m.jitter_rng.below(m.jitter.saturating_mul(2).saturating_add(1));
            transit.delay = (delay + Duration::from_nanos(offset)).saturating_sub(Duration::from_nanos(m.jitter));
        }
        if m.loss_rng.chance(m.loss) {
            transit.fate = Fate::Lost(DropReason::Loss);
        } else if let flipped @ 1.. = m.bits.strike(transit.frame) {
            transit.fate = Fate::Damaged(flipped);
        }
        for (_, effect) in &mut m.effects {
            if matches!(transit.fate, Fate::Lost(_)) {
                break;
            }
            effect.apply(&mut transit);
        }
        let Transit { delay, fate, copies, turn, .. } = transit;
        Outcome { delay, fate, copies, turn }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("delay", &self.delay).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "netem_tests.rs"]
mod netem_tests;
