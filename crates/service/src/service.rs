//! A service of a host, and what is known while its table is read.

use core::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use septet_application::programs::Transport;
use septet_core::Metric;
use septet_language::document::Text;
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::schema::{Key, Table, TableOf};
use septet_language::units::Refusal;
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

    /// Whether it finds out for others what it does not know itself: where there is such a one, it is whom hosts ask.
    fn finds_names_out(&self) -> bool {
        false
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

    /// The places at which it listens, where others may open them for it beforehand; by default its ports at every address.
    fn places(&self) -> Vec<(Transport, SocketAddr)> {
        let of = |port| self.transports().iter().map(move |t| (*t, (Ipv6Addr::UNSPECIFIED, port).into()));
        self.ports().into_iter().flat_map(of).collect()
    }

    /// What the host that is [here](Site::here) does to offer it, whenever it boots.
    ///
    /// # Errors
    /// [`StartError`].
    fn start(&self, site: &dyn Site) -> Result<Boot, StartError>;
}

/// The largest file that is read whole.
const LARGEST_FILE: u64 = 16 << 20;

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

    /// What is in the file of that name, or its mistake reported. A name that is not absolute is one beside the lab or the
    /// configuration.
    pub(crate) fn file(&mut self, name: &Text) -> Option<Vec<u8>> {
        let path = self.path(name)?;
        let read = || {
            let metadata = fs::metadata(&path)?;
            if !metadata.is_file() {
                return Err(io::Error::other("it is not a file"));
            }
            if metadata.len() > LARGEST_FILE {
                return Err(io::Error::other(format!("it has {} bytes, more than {LARGEST_FILE}", metadata.len())));
            }
            fs::read(&path)
        };
        let result = read().map_err(|e| {
            let refusal = Refusal::new(format!("{} cannot be read: {e}", path.display()));
            Wrong::refused("file", 0..name.text.len(), refusal)
        });
        self.or_report(name, result)
    }

    /// Where the file of that name is, or the mistake reported that there are no files here.
    pub(crate) fn path(&mut self, name: &Text) -> Option<PathBuf> {
        let path = self.hosts.directory().map(|directory| directory.join(&name.text));
        let result = path.ok_or_else(|| Wrong::new("file", 0..name.text.len(), "no files can be named here"));
        self.or_report(name, result)
    }

    /// A key that must be there was not; the schema has reported it already where the table says so.
    pub(crate) fn missing(&mut self, what: &str) {
        self.mistakes.push(Mistake::new("missing-key", self.span.clone(), what, "missing here"));
    }
}
