//! Many runs of one lab: a seed each, over a grid of parameters, on all cores.
//!
//! [`Plan`] is what is to be run: each [`Cell`] of the grid with each seed. [`execute`](fn@execute) runs it on as many threads as
//! one likes and hands every [`Record`] out as soon as it is there; a [`Journal`] writes them down as JSON lines, so that
//! an interrupted sweep loses no finished run and goes on where it stopped. [`hunt`](fn@hunt) goes on from the first run that fails to
//! the fewest faults and the shortest run that still do. [`statistics`](fn@statistics) sums the records up,
//! [`Table`] turns them into CSV or Parquet with one row a run.

mod axis;
mod cells;
mod execute;
mod hunt;
mod journal;
mod plan;
mod progress;
mod record;
mod statistics;
mod table;

pub use axis::{Axis, AxisError, Seeds};
pub use cells::{Cells, UnknownColumn, Value};
pub use execute::execute;
pub use hunt::{Hunted, Prey, hunt};
pub use journal::Journal;
pub use plan::{Cell, Plan, PlanError};
pub use progress::Bar;
pub use record::{Expected, Record, VERSION};
pub use statistics::{Fared, Spread, Statistics, statistics};
pub use table::Table;
