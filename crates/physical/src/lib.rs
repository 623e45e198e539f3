//! Storey 1: bits on a wire, channels and the queue in front of them.
//!
//! [`Medium`] says what one direction of a cable does to frames, [`Direction`] does it: a [`queue`] in front of a
//! transmitter, a [`channel`] behind it, and the frames in flight. It knows no protocol above it; what a queue
//! discipline must read of a packet (its flow, its ECN bits) comes through a [`Lens`].

pub mod channel;
mod context;
mod delivery;
mod direction;
mod egress;
mod lens;
mod line;
pub mod line_code;
mod medium;
mod meter;
pub mod phy;
pub mod queue;
pub mod settings;
mod signal;

pub use context::{Heading, LinkContext};
pub use delivery::{DeliveryTrace, InvalidTrace};
pub use direction::{Counters, Direction, Observer};
pub use lens::{Blind, Lens, Marked, Splitter};
pub use medium::{Framing, Medium, Order, Ratio};
pub use meter::{Meter, Violation};
pub use settings::InvalidSetting;
pub use signal::Signal;
