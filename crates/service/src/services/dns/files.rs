//! The zone files that a name server's table names.

use std::path::{Component, Path};
use std::sync::Arc;

use septet_application::dns;
use septet_language::document::Text;
use septet_language::mistake::Mistake;

use crate::record::RecordData;
use crate::service::Reading;

/// A zone that was read from a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneFile {
    /// What its names end with.
    pub origin: String,
    /// The file, as it was named.
    pub file: String,
    /// The zone.
    pub zone: Arc<dns::Zone>,
}

impl ZoneFile {
    /// The names of the zone, and the addresses behind them.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, RecordData)> {
        self.zone.addresses().map(|(name, address)| (name, RecordData::Address(address)))
    }
}

/// Reads the zone `origin` from the file that `text` names.
pub(super) fn read(origin: &str, text: &Text, reading: &mut Reading<'_>) -> Option<ZoneFile> {
    let path = Path::new(&text.text);
    // What a zone includes lies beside it, or below.
    let beside = path.parent().unwrap_or(Path::new(""));
    let hosts = reading.hosts;
    let content = match hosts.file(path, beside) {
        Ok(content) => content,
        Err(why) => {
            let help = "a zone file (RFC 1035 §5), relative to this file".to_owned();
            reading.mistakes.push(Mistake::new("zone-file", text.span.clone(), why, "this file").help(help));
            return None;
        }
    };
    let mut include = |name: &str| {
        let within = Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if within { hosts.file(&beside.join(name), beside).map(String::into_bytes) } else { Err(OUTSIDE.to_owned()) }
    };
    match dns::read_zone(origin, &text.text, content.as_bytes(), &mut include) {
        Ok(zone) => Some(ZoneFile { origin: origin.to_owned(), file: text.text.clone(), zone: Arc::new(zone) }),
        Err(error) => {
            let reason = format!("{}: {}", error.place, error.reason);
            reading.mistakes.push(Mistake::new("zone-file", text.span.clone(), reason, "this file").help(error.mend));
            None
        }
    }
}

const OUTSIDE: &str = "a zone file includes files of its own directory";
