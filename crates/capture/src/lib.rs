//! What a run leaves behind: the pcapng capture, the event log, the story, the metrics and the summary.
//!
//! Everything that watches a run is a [`septet_core::Monitor`] over a table of [`Names`]. [`Pcapng`] writes a capture
//! that Wireshark reads, [`EventLog`] one JSON object a line, [`Story`] what a person reads on the terminal, and
//! [`Flows`] counts who talked to whom. [`metrics`] and [`summary`] write what is left at the end. A [`Shared`] monitor
//! can be given to a world and asked for its findings afterwards, and a [`LongFile`] takes captures of any length.

pub mod events;
mod file;
mod flows;
mod memory;
pub mod metrics;
mod names;
mod packet;
pub mod pcapng;
pub mod sentence;
mod serial;
mod shared;
pub mod story;
pub mod summary;

pub use events::EventLog;
pub use file::LongFile;
pub use flows::{Flow, Flows};
pub use names::{LinkType, Names, PortName};
pub use pcapng::Pcapng;
pub use shared::Shared;
pub use story::Story;
