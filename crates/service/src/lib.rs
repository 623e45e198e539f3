//! The services of a host: each is one file in `services/`, from its keys to its start, and one line in the table beside it.
//!
//! A service is read from its table by [`read`], and becomes a [`Boot`] where it is to run: [`Service::start`] asks the
//! [`Site`] for names, addresses and certificates, and what it returns is called with the host's `Net` whenever the host
//! boots. A lab's stage is a site, in virtual time and live, and so is a machine with its own sockets: none of them knows
//! a service by its name.

mod believed;
mod certificate;
mod clients;
mod listen;
mod own;
mod record;
mod run;
mod service;
mod services;
mod site;
mod table;

pub use believed::Believed;
pub use certificate::{Certificate, USUAL};
pub use clients::{ClientCertificates, Need};
pub use listen::{Listen, Scheme};
pub use own::{OWN, OwnCertificate, own_certificates};
pub use record::RecordData;
pub use run::{Boot, tell_beginning};
pub use service::Service;
pub use services::{
    Allowed, BackendSpec, Balancer, Dhcp, DhcpRelay, Dns, Health, Http, Named4, Outside, Peer, RecordSpec, Recursor,
    RouteSpec, Shows, Signing, ZoneFile, ZoneSpec,
};
pub use site::{HostId, Hosts, LARGEST_FILE, Site, StartError, read_file};
pub use table::{keys, of_file, read, recorders, router_keys};
