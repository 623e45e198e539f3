//! The PHYs that a medium may name: each fixes rate, line code, preamble, gap, shortest frame and the cable.

mod parts;
mod picture;
mod stream;

use core::fmt;
use core::time::Duration;

use septet_core::Rate;

use crate::Ratio;

pub use parts::{Part, What};
pub use stream::{PREAMBLE_AND_SFD, Reception};

/// A physical layer of IEEE 802.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Phy {
    /// The name that a lab uses.
    pub name: &'static str,
    /// The rate at which it carries the bits of a frame.
    pub rate: Rate,
    /// How bits become levels.
    pub code: Code,
    /// The gap between two frames, in bit times.
    pub gap_bits: u32,
    /// The shortest frame, FCS included, in octets.
    pub min_frame: u32,
    /// The longest cable.
    pub max_length: Length,
    /// How much weaker the signal is at the end of the longest cable, in tenths of a decibel of its voltage.
    pub attenuation_tenths: u32,
    /// How fast a signal runs in the cable, in thousandths of the speed of light.
    pub velocity_permille: u32,
    /// The cable's name.
    pub cable: &'static str,
}

/// Which line code a PHY speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// Manchester: two half bits a bit.
    Manchester,
    /// 4B5B, scrambled, over MLT-3.
    FourFiveMlt3,
    /// 8b/10b over NRZ (light on, light off).
    EightTen,
}

/// The length of a cable, in millimetres.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Length(pub u64);

impl Length {
    /// `metres` metres.
    pub const fn from_metres(metres: u64) -> Self {
        Self(metres.saturating_mul(1000))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            mm if mm >= 1_000_000 && mm.is_multiple_of(1_000_000) => write!(f, "{} km", mm / 1_000_000),
            mm if mm.is_multiple_of(1000) => write!(f, "{} m", mm / 1000),
            mm => write!(f, "{} mm", mm),
        }
    }
}

/// The speed of light in metres a second.
const LIGHT: u128 = 299_792_458;

const fn rate(bits: u64) -> Rate {
    match Rate::from_bits_per_sec(bits) {
        Some(rate) => rate,
        None => panic!("a PHY has a rate"),
    }
}

/// All PHYs; one line each.
pub const TABLE: &[Phy] = &[
    // IEEE 802.3 §14.4: 100 m of unshielded twisted pair, "minimum velocity of propagation 0.585 c".
    Phy {
        name: "10base-t",
        rate: rate(10_000_000),
        code: Code::Manchester,
        gap_bits: 96,
        min_frame: 64,
        max_length: Length::from_metres(100),
        attenuation_tenths: 115,
        velocity_permille: 585,
        cable: "twisted pair",
    },
    // §25, ISO/IEC 11801: 100 m of category 5, nominal velocity 0.64 c.
    Phy {
        name: "100base-tx",
        rate: rate(100_000_000),
        code: Code::FourFiveMlt3,
        gap_bits: 96,
        min_frame: 64,
        max_length: Length::from_metres(100),
        attenuation_tenths: 240,
        velocity_permille: 640,
        cable: "category 5 twisted pair",
    },
    // §38.4 (1000BASE-LX on single-mode fibre): 5 km, group index 1.468.
    Phy {
        name: "1000base-x",
        rate: rate(1_000_000_000),
        code: Code::EightTen,
        gap_bits: 96,
        min_frame: 64,
        max_length: Length::from_metres(5000),
        attenuation_tenths: 50,
        velocity_permille: 681,
        cable: "single-mode fibre",
    },
];

/// The names in [`TABLE`].
pub const NAMES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut i = 0;
    while i < TABLE.len() {
        names[i] = TABLE[i].name;
        i += 1;
    }
    names
};

impl Phy {
    /// The PHY called `name`.
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|phy| phy.name == name)
    }

    /// How long a signal takes through `length` of this PHY's cable, to the nearest nanosecond.
    ///
    /// ```
    /// use septet_physical::phy::{Length, Phy};
    /// let delay = Phy::find("10base-t").unwrap().delay(Length::from_metres(100));
    /// assert_eq!(delay.as_nanos(), 570);
    /// ```
    pub fn delay(&self, length: Length) -> Duration {
        // mm · 10⁻³ / (c · v/1000) seconds = mm · 10⁹ / (c · v) nanoseconds.
        let per = LIGHT * u128::from(self.velocity_permille);
        let nanos = (u128::from(length.0) * 1_000_000_000 + per / 2) / per;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The share of line symbols that noise disturbs at the end of `length` of cable.
    ///
    /// None up to the longest that the standard allows; errors within it are the medium's own. Beyond, the signal sinks
    /// into the noise: Gaussian noise that at the longest cable would disturb one symbol in ten thousand million
    /// (`Q(6.36)`), and a voltage that falls by the cable's attenuation.
    pub fn error_ratio(&self, length: Length) -> Ratio {
        if self.reaches(length) {
            return Ratio::ZERO;
        }
        let beyond = (length.0 - self.max_length.0) as f64 / self.max_length.0 as f64;
        let decibels = f64::from(self.attenuation_tenths) / 10.0 * beyond;
        let q = 6.36 * libm::pow(10.0, -decibels / 20.0);
        Ratio::new(0.5 * libm::erfc(q / core::f64::consts::SQRT_2)).unwrap_or(Ratio::ZERO)
    }

    /// Whether a cable is within what the standard promises to work.
    pub fn reaches(&self, length: Length) -> bool {
        length <= self.max_length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_follow_the_velocity_factor() {
        let delay = |name: &str, metres| Phy::find(name).unwrap().delay(Length::from_metres(metres)).as_nanos();
        assert_eq!(delay("100base-tx", 100), 521);
        assert_eq!(delay("1000base-x", 5000), 24_491);
        assert_eq!(delay("10base-t", 0), 0);
        assert!(Phy::find("100base-t4").is_none());
    }

    #[test]
    fn a_cable_can_be_too_long() {
        let phy = Phy::find("10base-t").unwrap();
        assert!(phy.reaches(Length::from_metres(100)));
        assert!(!phy.reaches(Length(100_001)));
        let errors = |metres| phy.error_ratio(Length::from_metres(metres)).get();
        assert_eq!(errors(100), 0.0);
        assert!(errors(120) < 1e-5 && (1e-4..1e-1).contains(&errors(200)) && errors(2000) > 0.4);
    }
}
