//! An axis: what it shows, where its ticks are, and which place a value has.

/// How values are laid out along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scale {
    /// Equal steps are equally far apart.
    #[default]
    Linear,
    /// Equal ratios are equally far apart; what is not above zero has no place.
    Logarithmic,
}

/// An axis.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values are laid out.
    pub scale: Scale,
    /// From where to where it reaches; `None` to let the values decide.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis over whatever the values are.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Whether the axis has a place for `value`.
    pub(crate) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// From where to where it reaches for `values`; a linear one begins at zero where nothing is below.
    pub(crate) fn reach(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        if let Some(range) = self.range {
            return range;
        }
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| self.shows(*v)) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return if self.scale == Scale::Linear { (0.0, 1.0) } else { (1.0, 10.0) };
        }
        match self.scale {
            Scale::Linear => {
                let low = low.min(0.0);
                (low, if high > low { high + (high - low) * 0.03 } else { low + 1.0 })
            }
            Scale::Logarithmic if high > low => (low / 1.1, high * 1.1),
            Scale::Logarithmic => (low / 2.0, high * 2.0),
        }
    }

    /// Where `value` lies between the ends of `reach`: 0 at the lower, 1 at the upper.
    pub(crate) fn place(&self, (low, high): (f64, f64), value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Logarithmic => (value / low).log10() / (high / low).log10(),
        }
    }

    /// Round values to mark, some `most` at the most.
    pub(crate) fn ticks(&self, (low, high): (f64, f64), most: usize) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_step((high - low) / most as f64);
                let first = (low / step - 1e-9).ceil() as i64;
                (first..).map(|i| i as f64 * step).take_while(|v| *v <= high + step * 1e-9).take(2 * most).collect()
            }
            Scale::Logarithmic => {
                let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
                let within = |v: &f64| *v >= low * 0.999 && *v <= high * 1.001;
                let all = |steps: &[f64]| -> Vec<f64> {
                    decades.clone().flat_map(|d| steps.iter().map(move |s| s * 10f64.powi(d))).filter(within).collect()
                };
                let fine = all(&[1.0, 2.0, 5.0]);
                if fine.len() <= 2 * most { fine } else { all(&[1.0]) }
            }
        }
    }
}

/// The least of 1, 2, 5, 10, … that is not below `step`.
fn round_step(step: f64) -> f64 {
    let decade = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].iter().map(|m| m * decade).find(|s| *s >= step * 0.999).unwrap_or(10.0 * decade)
}

/// A tick's value without digits that say nothing.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let axis = Axis::linear("");
        assert_eq!(axis.ticks((0.0, 103.0), 5), [0.0, 50.0, 100.0]);
        assert_eq!(
            axis.ticks((0.0, 0.35), 5).iter().map(|v| number(*v)).collect::<Vec<_>>(),
            ["0", "0.1", "0.2", "0.3"]
        );
        assert_eq!(axis.ticks((-2.0, 8.0), 5), [-2.0, 0.0, 2.0, 4.0, 6.0, 8.0]);
        let log = Axis { scale: Scale::Logarithmic, ..Axis::default() };
        assert_eq!(log.ticks((0.1, 10.0), 6), [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        assert_eq!(log.ticks((1.0, 1e9), 6).len(), 10);
    }

    #[test]
    fn a_flat_or_empty_series_has_a_reach() {
        let axis = Axis::linear("");
        assert_eq!(axis.reach(core::iter::empty()), (0.0, 1.0));
        assert_eq!(axis.reach([0.0, 0.0].into_iter()), (0.0, 1.0));
        let log = Axis { scale: Scale::Logarithmic, ..Axis::default() };
        assert_eq!(log.reach([0.0, -1.0].into_iter()), (1.0, 10.0));
        assert_eq!(log.reach([4.0, 4.0].into_iter()), (2.0, 8.0));
    }
}
