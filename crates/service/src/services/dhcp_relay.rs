//! `[router.X.dhcp_relay]`: carries DHCP between the links of a router and servers elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use septet_application::dhcp;
use septet_application::programs::Transport;
use septet_language::document::Text;
use septet_language::schema::{Key, Phrase, Section, Table, TableOf, Texts};
use septet_network::Prefix;
use septet_wire::dhcp::SERVER_PORT;

use super::dhcp::{Named4, named};
use crate::run::{Boot, run};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::HostsAndRouters, metrics: dhcp::RELAY_METRICS, read };

static KEY: Key<TableOf> =
    Key::new("dhcp_relay", TableOf(&SECTION), "hands on what DHCP clients say on its links to servers elsewhere");

static SECTION: Section =
    Section::new("A relay for DHCP: a router hands on what clients say on its links.", &[&[&TO]]).required(&["to"]);

static TO: Key<Texts<Text>> =
    Key::new("to", Texts(Phrase::later("a DHCP server", "dhcp1")), "to which servers, by name or address");

/// A relay for DHCP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DhcpRelay {
    /// The servers.
    pub to: Vec<Named4>,
}

impl Service for DhcpRelay {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn ports(&self) -> Vec<u16> {
        vec![SERVER_PORT]
    }

    fn transports(&self) -> &'static [Transport] {
        &[Transport::Udp]
    }

    fn places(&self) -> Vec<(Transport, SocketAddr)> {
        // It listens on each link for itself.
        Vec::new()
    }

    fn gives_addresses_of(&self, _: Prefix) -> bool {
        true
    }

    fn start(&self, site: &dyn Site) -> Result<Boot, StartError> {
        let servers: Vec<_> = self.to.iter().flat_map(|server| server.addresses(site, None)).collect();
        Ok(Box::new(move |net| run(&net, KEY.name(), dhcp::relay(net.clone(), servers.clone()))))
    }
}

fn read(table: &Table, reading: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    let to = named(&table.get(&TO).unwrap_or_default(), reading);
    Some(Arc::new(DhcpRelay { to }))
}
