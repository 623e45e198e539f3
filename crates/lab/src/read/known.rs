//! What is known while the services of a node are read: the nodes, and the files beside the lab.

use std::path::Path;

use septet_language::words::{Word, Wrong};
use septet_service::{HostId, Hosts};

use crate::model::files::Files;
use crate::model::topology::Topology;

#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) files: &'a Files,
}

impl Hosts for Known<'_> {
    fn host(&self, word: Word<'_>) -> Result<HostId, Wrong> {
        self.topology.host(word)
    }

    fn hosts(&self, word: Word<'_>) -> Result<Vec<HostId>, Wrong> {
        self.topology.hosts(word)
    }

    fn domain(&self) -> Option<&str> {
        self.topology.domain()
    }

    fn directory(&self) -> Option<&Path> {
        self.topology.directory()
    }

    fn file(&self, name: &Path, within: &Path) -> Result<String, String> {
        self.files.text(name, within)
    }
}
