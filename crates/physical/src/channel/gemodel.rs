//! Bursts of loss by the Gilbert–Elliott model, as netem's `loss gemodel`: a good and a bad state, each with its own
//! probability of loss. With only `p` and `r` it is the Gilbert model; with `p` alone, independent loss.

use septet_core::Rng;

use super::loss::lose;
use super::{Effect, EffectKind, Transit};
use crate::Ratio;
use crate::settings::{InvalidSetting, Kind, Parameter, Settings};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "gemodel",
    help: "loses frames in bursts (Gilbert–Elliott)",
    parameters: &[
        Parameter { name: "p", kind: Kind::Ratio, help: "of going from the good to the bad state; required" },
        Parameter { name: "r", kind: Kind::Ratio, help: "of going back (1 - p)" },
        Parameter { name: "1-h", kind: Kind::Ratio, help: "of loss in the bad state (100%)" },
        Parameter { name: "1-k", kind: Kind::Ratio, help: "of loss in the good state (0%)" },
    ],
    build: |settings, rng| Ok(Box::new(GilbertElliott::build(settings, rng)?)),
};

struct GilbertElliott {
    rng: Rng,
    state: State,
    p: Ratio,
    r: Ratio,
    loss_in_bad: Ratio,
    loss_in_good: Ratio,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Bad,
}

impl GilbertElliott {
    fn build(settings: &Settings, rng: Rng) -> Result<Self, InvalidSetting> {
        let p = settings.ratio("p").ok_or_else(|| InvalidSetting::new("p", "is required"))?;
        Ok(Self {
            rng,
            state: State::Good,
            p,
            r: settings.ratio("r").or(Ratio::new(1.0 - p.get())).unwrap_or_default(),
            loss_in_bad: settings.ratio("1-h").unwrap_or(Ratio::ONE),
            loss_in_good: settings.ratio("1-k").unwrap_or_default(),
        })
    }

    /// As netem: the state changes first, but it is the old one that decides.
    fn loses(&mut self) -> bool {
        let (change, loss, next) = match self.state {
            State::Good => (self.p, self.loss_in_good, State::Bad),
            State::Bad => (self.r, self.loss_in_bad, State::Good),
        };
        if self.rng.chance(change.get()) {
            self.state = next;
        }
        self.rng.chance(loss.get())
    }
}

impl Effect for GilbertElliott {
    fn apply(&mut self, transit: &mut Transit<'_>) {
        if self.loses() {
            lose(transit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Setting;
    use septet_core::Seed;

    #[test]
    fn loss_and_burst_length_are_those_of_the_chain() {
        let ratio = |value| Setting::Ratio(Ratio::new(value).unwrap());
        let settings = Settings::new().with("p", ratio(0.02)).with("r", ratio(0.25));
        let mut model = GilbertElliott::build(&settings, Seed::new(6).stream("ge")).unwrap();
        let lost: Vec<bool> = (0..400_000).map(|_| model.loses()).collect();
        // Stationary share of the bad state p/(p + r); bursts are geometric with mean 1/r.
        let share = lost.iter().filter(|&&l| l).count() as f64 / lost.len() as f64;
        let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
        let length = share * lost.len() as f64 / bursts;
        assert!((share / (0.02 / 0.27) - 1.0).abs() < 0.05, "{share}");
        assert!((length / 4.0 - 1.0).abs() < 0.05, "{length}");
    }
}
