//! The files that a lab file names: where they are looked for, and what was read.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use septet_physical::DeliveryTrace;

/// Files beside a lab file, each read once.
#[derive(Debug)]
pub(crate) struct Files {
    /// The lab file's directory.
    beside: PathBuf,
    read: RefCell<BTreeMap<String, Arc<str>>>,
    traces: RefCell<BTreeMap<String, Arc<DeliveryTrace>>>,
}

/// The largest file that is read; recordings of an hour have a few megabytes.
const LARGEST: u64 = 64 << 20;

impl Files {
    /// Those that a lab file called `source` names.
    pub(crate) fn beside(source: &str) -> Self {
        let directory = Path::new(source).parent().map(Path::to_path_buf).unwrap_or_default();
        Self { beside: directory, read: RefCell::default(), traces: RefCell::default() }
    }

    /// The directory that they are named from.
    pub(crate) fn directory(&self) -> &Path {
        &self.beside
    }

    /// The trace in the file `name`, or why there is none, in words.
    pub(crate) fn trace(&self, name: &str) -> Result<Arc<DeliveryTrace>, String> {
        if let Some(known) = self.traces.borrow().get(name) {
            return Ok(known.clone());
        }
        let path = self.beside.join(name);
        let shown = path.display();
        let unreadable = |e: std::io::Error| format!("{shown} cannot be read: {e}");
        let metadata = std::fs::metadata(&path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(format!("{shown} is not a file"));
        }
        if metadata.len() > LARGEST {
            return Err(format!("{shown} has {} bytes, more than {LARGEST}", metadata.len()));
        }
        let text: Arc<str> = std::fs::read_to_string(&path).map_err(unreadable)?.into();
        let trace = DeliveryTrace::parse(&text).map_err(|invalid| format!("{shown}, {invalid}"))?;
        let trace = Arc::new(trace);
        self.read.borrow_mut().insert(name.to_owned(), text);
        self.traces.borrow_mut().insert(name.to_owned(), trace.clone());
        Ok(trace)
    }

    /// The text of the file `name`, which must not lie outside of the directory `within`, or why there is none, in words.
    pub(crate) fn text(&self, name: &Path, within: &Path) -> Result<String, String> {
        let text = septet_service::read_file(&self.beside, name, within, LARGEST)?;
        self.read.borrow_mut().insert(name.display().to_string(), text.as_str().into());
        Ok(text)
    }

    /// What was read, by the names that the lab file uses.
    pub(crate) fn contents(&self) -> BTreeMap<String, Arc<str>> {
        self.read.borrow().clone()
    }
}
