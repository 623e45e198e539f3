//! A machine with its own network as the site of services: what labs describe, served as it is.

use core::cell::RefCell;
use core::time::Duration;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use septet_language::words::{Word, Wrong};
use septet_presentation::ca::{Authority, CaError, KeySource};
use septet_service::{HostId, Hosts, Service, Site};
use septet_socket::NetRef;

/// The machine, and the hosts that its services name by their addresses or as its network knows them.
pub struct Machine {
    net: NetRef,
    /// The machine itself comes first.
    hosts: RefCell<Vec<(String, Vec<IpAddr>)>>,
    authority: Option<Arc<Authority>>,
    directory: PathBuf,
}

impl Machine {
    /// The machine whose network this is.
    pub fn new(net: NetRef) -> Self {
        let own = (net.hostname(), net.addresses());
        Self { net, hosts: RefCell::new(vec![own]), authority: None, directory: PathBuf::new() }
    }

    /// Looks in this directory for the files that services name.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Has its certificates signed by this authority, which clients may trust already, and founds none.
    #[must_use]
    pub fn trusting(mut self, authority: Option<Arc<Authority>>) -> Self {
        self.authority = authority;
        self
    }

    /// Founds an authority where one of `services` speaks TLS, at `now` since 1970.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn found<'s>(
        &mut self,
        services: impl IntoIterator<Item = &'s dyn Service>,
        now: Duration,
    ) -> Result<(), CaError> {
        if self.authority.is_none() && services.into_iter().any(|service| !service.certificate_names().is_empty()) {
            self.authority = Some(Arc::new(Authority::new(KeySource::System, now)?));
        }
        Ok(())
    }
}

impl Hosts for Machine {
    fn host(&self, word: Word<'_>) -> Result<HostId, Wrong> {
        let addresses = match word.text.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.net.hosts(word.text),
        };
        if addresses.is_empty() {
            let reason = format!("this machine knows no host `{}`", word.text);
            return Err(Wrong::new("unknown-host", word.range(), reason)
                .label("unknown host")
                .help("write its address, or name it in the hosts file".to_owned()));
        }
        let mut hosts = self.hosts.borrow_mut();
        hosts.push((word.text.to_owned(), addresses));
        Ok(hosts.len() - 1)
    }

    fn directory(&self) -> Option<&Path> {
        Some(&self.directory)
    }

    fn takes_keys(&self) -> bool {
        true
    }
}

impl Site for Machine {
    fn here(&self) -> HostId {
        0
    }

    fn name(&self, host: HostId) -> String {
        self.hosts.borrow().get(host).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn addresses(&self, host: HostId) -> Vec<IpAddr> {
        self.hosts.borrow().get(host).map(|(_, addresses)| addresses.clone()).unwrap_or_default()
    }

    fn authority(&self) -> Option<&Authority> {
        self.authority.as_deref()
    }

    fn shared_authority(&self) -> Option<Arc<Authority>> {
        self.authority.clone()
    }
}
