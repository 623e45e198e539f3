//! From a lab file to a world, its faults, expectations and results.
//!
//! [`Lab::parse`] reads a lab file: TOML with three small languages inside, for links, for faults and for
//! expectations. All its mistakes come back at once as [`Mistakes`], each with its place, its reason and, where it can be
//! guessed, the mend.

mod address;
mod boot;
mod build;
mod cards;
mod choice;
mod command;
mod edit;
mod expect;
mod fault;
mod files;
mod gauges;
mod idle;
mod keys;
mod known;
mod lab;
mod link_text;
mod links;
mod listeners;
mod medium;
mod node;
mod ports;
mod readings;
mod run;
mod segments;
mod service;
mod shared_line;
mod starts;
mod sweep;
mod tcp;
mod topology;
mod vlans;

pub use boot::{Boot, Ground};
pub use build::{BuildError, BuildOptions, Keys, Segmentation};
pub use choice::{FrameChoice, Which};
pub use command::{Command, Schedule};
pub use edit::{SettingError, with_setting};
pub use expect::{
    Amount, Excess, Expectation, Found, LinkMetric, Observed, Probe, QueueProbe, Reading, Unit, Verdict, Window,
    reading,
};
pub use fault::Fault;
pub use fault::board::{FaultId, Standing};
pub use known::{KINDS, Known, Listing};
pub use lab::Lab;
pub use links::Link;
pub use medium::Cable;
pub use node::{Node, NodeKind, NodeSpec, Port, Subinterface};
pub use ports::PortReport;
pub use run::{Outcome, Output, Run, Unfinished};
pub use septet_language::mistake::{Gravity, Mistake, Mistakes, Span};
pub use septet_language::units::{parse_size, parse_time};
pub use service::{
    Balancer, Certificate, Dns, Health, Http, Listen, Outside, RecordData, RecordSpec, Scheme, Service, ZoneSpec,
};
pub use sweep::Unfit;
pub use topology::{LinkRef, Place, Ways};

/// The JSON Schema of a lab file.
pub fn json_schema() -> serde_json::Value {
    septet_language::schema::json(&keys::ROOT)
}
