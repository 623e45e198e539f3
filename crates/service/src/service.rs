//! A service of a host, and what is known while its table is read.

use core::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_application::programs::Transport;
use septet_core::Metric;
use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::schema::{Key, Table, TableOf};
use septet_language::words::Wrong;
use septet_network::Prefix;

use crate::record::RecordData;
use crate::run::Boot;
use crate::site::{Hosts, Site, StartError};

/// A kind of service.
pub(crate) struct Kind {
    pub(crate) key: &'static Key<TableOf>,
    /// Who can offer it.
    pub(crate) on: On,
    /// What it records.
    pub(crate) metrics: &'static [Metric],
    /// What its table says. `None` where there are mistakes.
    pub(crate) read: fn(&Table, &mut Reading<'_>) -> Option<Arc<dyn Service>>,
}

/// Who can offer a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    /// Hosts.
    Hosts,
    /// Routers too, whose links it serves.
    HostsAndRouters,
}

/// A service of a host, as its table describes it.
pub trait Service: fmt::Debug + Send + Sync {
    /// Its key.
    fn name(&self) -> &'static str;

    /// The names that its certificate must carry; none where it speaks no TLS.
    fn certificate_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Who signs its certificates, where that is another than the usual authority.
    fn authorities(&self) -> Vec<String> {
        Vec::new()
    }

    /// The full names that it tells others, and what stands behind them.
    fn names(&self) -> Vec<(String, RecordData)> {
        Vec::new()
    }

    /// The zones in which it knows names.
    fn zones(&self) -> Vec<String> {
        Vec::new()
    }

    /// The port at which it answers questions about names, where it does: others may ask this host.
    fn answers_names_at(&self) -> Option<u16> {
        None
    }

    /// Whether DHCP clients on a link with this network get addresses by it.
    fn gives_addresses_of(&self, net: Prefix) -> bool {
        let _ = net;
        false
    }

    /// Whether it tells name servers what hosts are called, which must believe it.
    fn tells_names(&self) -> bool {
        false
    }

    /// Its ports that lead out of the lab, each with where on the machine to.
    fn doors(&self) -> &[(u16, SocketAddr)] {
        &[]
    }

    /// The ports that it listens on.
    fn ports(&self) -> Vec<u16>;

    /// Whose ports they are; TCP's, for most.
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Tcp]
    }

    /// What the host that is [here](Site::here) does to offer it, whenever it boots.
    ///
    /// # Errors
    /// [`StartError`].
    fn start(&self, site: &dyn Site) -> Result<Boot, StartError>;
}

/// What is known while services are read.
pub(crate) struct Reading<'a> {
    pub(crate) hosts: &'a dyn Hosts,
    pub(crate) mistakes: &'a mut Mistakes,
    /// Where the service's table stands.
    pub(crate) span: Span,
}

impl Reading<'_> {
    /// The value, or its mistake reported.
    pub(crate) fn or_report<T>(&mut self, text: &Text, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.mistakes.push(wrong.mistake(text))).ok()
    }

    /// A key that must be there was not; the schema has reported it already where the table says so.
    pub(crate) fn missing(&mut self, what: &str) {
        self.mistakes.push(Mistake::new("missing-key", self.span.clone(), what, "missing here"));
    }
}
