//! TCP, with each mechanism in a file named after its RFC.

mod buffer;
mod config;
mod congestion;
mod connection;
mod endpoint;
mod error;
mod form;
mod gro;
mod gso;
mod info;
mod mib;
mod options;
mod readiness;
mod recovery;
mod settings;
mod state;

pub use septet_wire::tcp as wire;

pub use config::{Config, EcnMode, MtuProbing, TwReuse};
pub use congestion::{
    Ack, CaEvent, CongestionController, OnLoss, RateSample, Window, controller, controllers, names as controller_names,
};
pub use connection::{Connection, Flight};
pub use endpoint::{Endpoint, Meta, SocketId, Transmit};
pub use error::Error;
pub use form::{ControllerName, Form, Unit, Value};
pub use gro::Gro;
pub use gso::split;
pub use info::{CaState, CcInfo, Info};
pub use mib::Mib;
pub use options::{
    Chosen, Cork, Follows, Keepalive, Linger, Nodelay, OPTIONS, Options, Quickack, Row, Shutdown, SocketOption,
    option_at,
};
pub use readiness::Readiness;
pub use settings::{SETTINGS, Setting, set_sysctl, sysctls};
pub use state::State;
