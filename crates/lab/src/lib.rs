//! From a lab file to a world, its faults, expectations and results.
//!
//! [`Lab::parse`] reads a lab file: TOML with three small languages inside, for links, for faults and for
//! expectations. All its mistakes come back at once as [`Mistakes`], each with its place, its reason and, where it can be
//! guessed, the mend.

mod build;
mod builder;
mod choice;
mod expect;
mod fault;
mod fewest;
mod firewall;
mod known;
mod lab;
mod model;
mod read;
mod run;
mod stage;

pub use build::{BuildError, BuildOptions, Keys, Segmentation};
pub use builder::{Fields, Host, L3Switch, LabBuilder, Medium, Router, Switch, Value};
pub use choice::{FrameChoice, Which};
pub use expect::eval::{Excess, Found, Observed, Unit, Verdict};
pub use expect::expr::{Expectation, Probe, QueueProbe};
pub use expect::metric::{Amount, LinkMetric, reading};
pub use expect::window::Window;
pub use fault::board::Standing;
pub use fault::damage::FaultId;
pub use fault::kind::{Fault, line as fault_line};
pub use fault::packets::PacketChoice;
pub use fewest::{earliest, fewest};
pub use known::{Counted, KINDS, Known, Listing};
pub use lab::Lab;
pub use model::cable::Cable;
pub use model::command::{Command, Schedule};
pub use model::link::Link;
pub use model::node::{Duplex, HostSpec, Node, NodeKind, NodeSpec, Port, Routing, StackSpec, Subinterface};
pub use model::switch::{Paused, SwitchSpec};
pub use model::topology::{LinkRef, PortRef, Ways};
pub use read::edit::{SettingError, with_setting};
pub use read::sweep::Unfit;
pub use run::{Outcome, Output, Run, Unfinished};
pub use septet_core::PortReport;
pub use septet_core::Reading;
pub use septet_language::mistake::{Gravity, Mistake, Mistakes, Span};
pub use septet_language::units::{parse_size, parse_time};
pub use septet_service::{
    Balancer, Boot, Certificate, Dns, Health, Http, Listen, Outside, RecordData, RecordSpec, Scheme, Service, ZoneSpec,
};

/// The JSON Schema of a lab file.
pub fn json_schema() -> serde_json::Value {
    septet_language::schema::json(&read::keys::ROOT)
}
