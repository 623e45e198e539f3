//! Loss by a Markov chain of four states, as netem's `loss state` (tc-netem(8)): good (1), received in a burst (2), lost in a
//! burst (3), lost alone (4). Salsano, Ludovici and Ordine, "Definition of a general and intuitive loss model for packet
//! networks and its implementation in the Netem module", 2012.

use septet_core::Rng;

use super::loss::lose;
use super::{Effect, EffectKind, Transit};
use crate::Ratio;
use crate::settings::{InvalidSetting, Kind, Parameter, Settings};

/// The table's entry.
pub(super) const EFFECT: EffectKind = EffectKind {
    name: "state",
    help: "loses frames by a chain of four states",
    parameters: &[
        Parameter { name: "p13", kind: Kind::Ratio, help: "of a burst's beginning, with a loss; required" },
        Parameter { name: "p31", kind: Kind::Ratio, help: "of its end (1 - p13)" },
        Parameter { name: "p32", kind: Kind::Ratio, help: "of going from lost to received within it (0%)" },
        Parameter { name: "p23", kind: Kind::Ratio, help: "of going from received to lost within it (100%)" },
        Parameter { name: "p14", kind: Kind::Ratio, help: "of a loss that stands alone (0%)" },
    ],
    build: |settings, rng| Ok(Box::new(FourStates::build(settings, rng)?)),
};

struct FourStates {
    rng: Rng,
    state: State,
    p13: f64,
    p31: f64,
    p32: f64,
    p23: f64,
    p14: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    ReceivedInBurst,
    LostInBurst,
    LostAlone,
}

impl FourStates {
    fn build(settings: &Settings, rng: Rng) -> Result<Self, InvalidSetting> {
        let p13 = settings.ratio("p13").ok_or_else(|| InvalidSetting::new("p13", "is required"))?.get();
        let or = |name, default: f64| settings.ratio(name).map_or(default, Ratio::get);
        let states = Self {
            rng,
            state: State::Good,
            p13,
            p31: or("p31", 1.0 - p13),
            p32: or("p32", 0.0),
            p23: or("p23", 1.0),
            p14: or("p14", 0.0),
        };
        if states.p13 + states.p14 > 1.0 {
            return Err(InvalidSetting::new("p14", "is more than `p13` leaves of 100%"));
        }
        if states.p31 + states.p32 > 1.0 {
            return Err(InvalidSetting::new("p32", "is more than `p31` leaves of 100%"));
        }
        Ok(states)
    }

    /// Steps, and tells whether the frame meets a state that loses.
    fn loses(&mut self) -> bool {
        let u = self.rng.unit_open();
        self.state = match self.state {
            State::Good if u < self.p14 => State::LostAlone,
            State::Good if u < self.p14 + self.p13 => State::LostInBurst,
            State::Good => State::Good,
            State::ReceivedInBurst if u < self.p23 => State::LostInBurst,
            State::ReceivedInBurst => State::ReceivedInBurst,
            State::LostInBurst if u < self.p32 => State::ReceivedInBurst,
            State::LostInBurst if u < self.p32 + self.p31 => State::Good,
            State::LostInBurst => State::LostInBurst,
            State::LostAlone => State::Good,
        };
        matches!(self.state, State::LostInBurst | State::LostAlone)
    }
}

impl Effect for FourStates {
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

    fn lost(settings: &[(&'static str, f64)], n: usize) -> Vec<bool> {
        let settings = settings
            .iter()
            .fold(Settings::new(), |s, (name, value)| s.with(*name, Setting::Ratio(Ratio::new(*value).unwrap())));
        let mut model = FourStates::build(&settings, Seed::new(6).stream("state")).unwrap();
        (0..n).map(|_| model.loses()).collect()
    }

    fn share(lost: &[bool]) -> f64 {
        lost.iter().filter(|&&l| l).count() as f64 / lost.len() as f64
    }

    #[test]
    fn with_two_probabilities_it_is_gilbert_s_model() {
        let lost = lost(&[("p13", 0.02), ("p31", 0.25)], 400_000);
        let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
        let length = share(&lost) * lost.len() as f64 / bursts;
        assert!((share(&lost) / (0.02 / 0.27) - 1.0).abs() < 0.05 && (length / 4.0 - 1.0).abs() < 0.05, "{length}");
    }

    #[test]
    fn four_states_lose_what_their_chain_is_in() {
        let (p13, p31, p32, p23, p14) = (0.03, 0.2, 0.3, 0.4, 0.05);
        // The balance of each state: π3 (p31 + p32) = π1 p13 + π2 p23, π2 p23 = π3 p32, π4 = π1 p14.
        let (good, in_burst) = (1.0, p13 / p31);
        let (received, alone) = (in_burst * p32 / p23, good * p14);
        let expected = (in_burst + alone) / (good + in_burst + received + alone);
        let found = share(&lost(&[("p13", p13), ("p31", p31), ("p32", p32), ("p23", p23), ("p14", p14)], 400_000));
        assert!((found / expected - 1.0).abs() < 0.03, "{found}, not {expected}");
    }

    #[test]
    fn losses_that_stand_alone_never_follow_each_other() {
        let lost = lost(&[("p13", 0.0), ("p14", 0.3)], 10_000);
        assert!(!lost.windows(2).any(|w| w[0] && w[1]));
        // π4 = p14/(1 + p14).
        assert!((share(&lost) / (0.3 / 1.3) - 1.0).abs() < 0.05);
    }

    #[test]
    fn impossible_chains_are_refused() {
        let ratio = |value| Setting::Ratio(Ratio::new(value).unwrap());
        let build = |s: Settings| FourStates::build(&s, Seed::new(1).stream("s")).is_ok();
        assert!(!build(Settings::new()));
        assert!(!build(Settings::new().with("p13", ratio(0.6)).with("p14", ratio(0.5))));
        assert!(!build(Settings::new().with("p13", ratio(0.1)).with("p32", ratio(0.2))));
    }
}
