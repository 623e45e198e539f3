//! `[host.X.outside]`: what hosts of a live lab may reach outside of it, by way of this host.

use std::net::SocketAddr;
use std::sync::Arc;

use septet_language::document::Text;
use septet_language::schema::{Key, Phrase, Section, Table, TableOf, Texts};
use septet_language::words::{Word, Wrong};

use crate::run::Boot;
use crate::service::{Kind, On, Reading, Service};
use crate::site::{Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::Hosts, metrics: &[], read };

static KEY: Key<TableOf> = Key::new("outside", TableOf(&SECTION), "a door out of the lab, when it is live");

static SECTION: Section = Section::new(
    "Connections to this host go on to the machine that the lab runs on. In virtual time there is no outside.",
    &[&[&ALLOW]],
)
.required(&["allow"]);

static ALLOW: Key<Texts<(u16, SocketAddr)>> =
    Key::new("allow", Texts(DOOR), "which: `127.0.0.1:8080`, or `80 = 127.0.0.1:8080`");

const DOOR: Phrase<(u16, SocketAddr)> =
    Phrase { what: "a door", example: "80 = 127.0.0.1:8080", read: |_, text| door(text) };

/// What may be reached outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outside {
    /// Each with the port of this host that leads there.
    pub doors: Vec<(u16, SocketAddr)>,
}

impl Service for Outside {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn doors(&self) -> &[(u16, SocketAddr)] {
        &self.doors
    }

    fn ports(&self) -> Vec<u16> {
        self.doors.iter().map(|(port, _)| *port).collect()
    }

    fn start(&self, _: &dyn Site) -> Result<Boot, StartError> {
        // Whoever runs the lab live opens the doors; in virtual time nobody does.
        Ok(Box::new(|_| {}))
    }
}

fn read(table: &Table, _: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    Some(Arc::new(Outside { doors: table.get(&ALLOW).unwrap_or_default() }))
}

fn door(text: &Text) -> Result<(u16, SocketAddr), Wrong> {
    let whole = Word { text: &text.text, at: 0 };
    let (port, target) = match whole.split_once("=") {
        Some((port, target)) => (Some(port.trim()), target.trim()),
        None => (None, whole.trim()),
    };
    let address: SocketAddr = target.text.parse().map_err(|_| {
        Wrong::new("address", target.range(), format!("`{}` is no address with a port", target.text))
            .help("write it as `127.0.0.1:8080`".to_owned())
    })?;
    if !address.ip().is_loopback() || address.port() == 0 {
        return Err(Wrong::new("address", target.range(), format!("`{address}` is not a port of this machine alone"))
            .help("only addresses of the loopback interface may be reached: 127.0.0.1 or [::1]".to_owned()));
    }
    let port = match port {
        None => address.port(),
        Some(port) => match port.text.parse() {
            Ok(n @ 1..) => n,
            _ => {
                return Err(Wrong::new("port", port.range(), format!("`{}` is no port", port.text))
                    .help("a port is a number from 1 to 65535".to_owned()));
            }
        },
    };
    Ok((port, address))
}
