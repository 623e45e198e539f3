//! The ground floor of Septet: what every storey stands on.
//!
//! Nothing here knows a protocol. [`Instant`] is virtual time, [`Frame`] the buffer that climbs the stairs,
//! [`Station`] anything with ports, [`Seed`] the source of every random stream, [`Trace`] the record of what
//! happened and why, and [`Recorder`] the counters and series that expectations are asked about.

pub mod checksum;
mod drop;
mod frame;
mod hash;
mod metric;
mod port;
mod recorder;
mod rng;
mod shown;
mod station;
pub mod synthetic;
mod tally;
mod time;
mod trace;
mod units;

pub use drop::DropReason;
pub use frame::{Checksums, Frame, FrameId, Label};
pub use hash::{FixedHasher, FixedState};
pub use metric::{Metric, Reading, Star, Unit};
pub use port::{LinkCounters, PortReport};
pub use recorder::{Recorder, Sample, Series};
pub use rng::{Randomness, Rng, Seed};
pub use shown::printable;
pub use station::{Carrier, Out, Port, Power, Station, StationId, Wire};
pub use tally::Tally;
pub use time::Instant;
pub use trace::{Event, EventId, Fate, Fields, Interest, Monitor, Observation, Record, Storey, Trace, Value, Way};
pub use units::{Bytes, Rate};
