//! Pictures of a run: [`Chart`] draws curves and dots as SVG, without scripts or outside resources.

mod axis;
mod chart;

pub use axis::{Axis, Scale};
pub use chart::{Chart, Look, Panel, Series};
