//! Where files arrive: what is begun, what is whole, and which connection each transfer belongs to.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::files::Files;
use super::journal::{Mark, Record, Stage};
use super::message::{Id, Offer, Told};
use super::names::plain_name;
use super::receiver::offset;
use super::{Digest, hash};

/// So many transfers that are not whole are kept; one more is refused.
const MOST_BEGUN: usize = 64;
/// So many that are whole are remembered, in case their sender did not hear of it.
const MOST_WHOLE: usize = 64;

/// Whether a file takes the place of one that has its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overwrite {
    /// It is refused.
    #[default]
    No,
    /// It does, once it is whole.
    Yes,
}

/// The receivers of one directory.
#[derive(Clone)]
pub struct Inbox {
    files: Arc<dyn Files>,
    overwrite: Overwrite,
    /// Which receiver each transfer belongs to: the last that took it up.
    owners: Arc<Mutex<Owners>>,
}

#[derive(Default)]
struct Owners {
    last: u64,
    by: BTreeMap<Id, u64>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("overwrite", &self.overwrite).finish_non_exhaustive()
    }
}

/// A transfer that was taken up.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) record: Record,
    /// The hash of what there is of it.
    pub(super) hasher: blake3::Hasher,
    pub(super) owner: u64,
}

impl Inbox {
    /// One over these files.
    pub fn new(files: Arc<dyn Files>, overwrite: Overwrite) -> Self {
        Self { files, overwrite, owners: Arc::default() }
    }

    /// The files.
    pub(super) fn files(&self) -> &dyn Files {
        &*self.files
    }

    /// Takes up what is offered, where it was left or anew. Whoever had it has it no longer.
    pub(super) fn take(&self, offer: &Offer) -> Result<Taken, Told> {
        plain_name(&offer.name).map_err(|e| Told::Never(e.to_string()))?;
        let record = match self.record(offer.id) {
            Ok(Some(record)) if record.offer == *offer => self.found(record).map_err(|e| failed(&e))?,
            // Another length or step: it is begun anew. A journal that cannot be read is worth nothing.
            _ => None,
        };
        let (record, hasher) = match record {
            Some(found) => found,
            None => (self.begin(offer)?, blake3::Hasher::new()),
        };
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.last += 1;
        let owner = owners.last;
        owners.by.insert(offer.id, owner);
        Ok(Taken { record, hasher, owner })
    }

    /// Whether the transfer still belongs to `owner`.
    pub(super) fn owned(&self, id: Id, owner: u64) -> bool {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).by.get(&id) == Some(&owner)
    }

    /// `owner` is done with it.
    pub(super) fn leave(&self, id: Id, owner: u64) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.by.get(&id) == Some(&owner) {
            owners.by.remove(&id);
        }
    }

    /// All before the point is kept, whatever comes: in the file first, in the journal then.
    pub(super) fn keep(&self, offer: &Offer, mark: Mark) -> io::Result<()> {
        self.files.sync(&Record::part(offer.id))?;
        let record = Record { offer: offer.clone(), stage: Stage::Kept(mark, mark) };
        self.files.replace(&Record::file(offer.id), record.write().as_bytes())
    }

    /// All before the first point is kept as long as there is power, and all before the second whatever comes.
    pub(super) fn note(&self, offer: &Offer, kept: Mark, safe: Mark) -> io::Result<()> {
        let record = Record { offer: offer.clone(), stage: Stage::Kept(kept, safe) };
        self.files.note(&Record::file(offer.id), record.write().as_bytes())
    }

    /// The file is whole: that is noted, and then it gets its name.
    pub(super) fn finish(&self, offer: &Offer, digest: Digest) -> io::Result<()> {
        self.files.sync(&Record::part(offer.id))?;
        if self.overwrite == Overwrite::No && self.files.len(&offer.name)?.is_some() {
            return Err(taken(&offer.name));
        }
        let record = Record { offer: offer.clone(), stage: Stage::Whole(digest) };
        self.files.replace(&Record::file(offer.id), record.write().as_bytes())?;
        self.publish(offer)?;
        self.forget_old(offer.id)
    }

    /// Throws away what there is of it.
    pub(super) fn discard(&self, id: Id) -> io::Result<()> {
        self.files.remove(&Record::file(id))?;
        self.files.remove(&Record::part(id))
    }

    fn publish(&self, offer: &Offer) -> io::Result<()> {
        let part = Record::part(offer.id);
        let result = match self.overwrite {
            Overwrite::No => self.files.publish(&part, &offer.name),
            Overwrite::Yes => self.files.publish_over(&part, &offer.name),
        };
        result.map_err(|e| if e.kind() == io::ErrorKind::AlreadyExists { taken(&offer.name) } else { e })
    }

    fn record(&self, id: Id) -> Result<Option<Record>, String> {
        let file = Record::file(id);
        let mut buf = vec![0; 2000];
        match self.files.len(&file) {
            Ok(Some(len)) if len <= buf.len() as u64 => {}
            Ok(None) => return Ok(None),
            _ => return Err(format!("{file} is no journal")),
        }
        let n = self.files.read_at(&file, 0, &mut buf).map_err(|e| e.to_string())?;
        let text = core::str::from_utf8(&buf[..n]).map_err(|e| e.to_string())?;
        Record::read(text).map(Some)
    }

    /// What a journal says, held against the files: none where it is to be begun anew.
    fn found(&self, mut record: Record) -> io::Result<Option<(Record, blake3::Hasher)>> {
        let Offer { id, size, name, .. } = &record.offer;
        let part = self.files.len(&Record::part(*id))?;
        let whole = |record| (record, blake3::Hasher::new());
        match record.stage {
            Stage::Kept(kept, safe) => {
                for mark in [kept, safe] {
                    if let Some(hasher) = self.hash_to(&record.offer, mark, part)? {
                        record.stage = Stage::Kept(mark, safe);
                        return Ok(Some((record, hasher)));
                    }
                }
                Ok(None)
            }
            Stage::Whole(digest) => match part {
                // It ended between the note and the name; or between the name and the end of the other one.
                Some(_) => {
                    if self.digest(name)? == Some(digest) {
                        self.files.remove(&Record::part(*id))?;
                        return Ok(Some(whole(record)));
                    }
                    self.publish(&record.offer).map(|()| Some(whole(record)))
                }
                // Whoever took it away may have it again.
                None => Ok((self.files.len(name)? == Some(*size)).then(|| whole(record))),
            },
        }
    }

    /// The hash of all before a point, where a part of so many octets has it, and it is what was there.
    fn hash_to(&self, offer: &Offer, mark: Mark, part: Option<u64>) -> io::Result<Option<blake3::Hasher>> {
        let end = offset(offer, mark.serial);
        if part.is_none_or(|len| len < end) || end > offer.size {
            return Ok(None);
        }
        let name = Record::part(offer.id);
        let hasher = hash(end, |at, buf| self.files.read_at(&name, at, buf))?;
        Ok((*hasher.finalize().as_bytes() == mark.digest).then_some(hasher))
    }

    fn digest(&self, name: &str) -> io::Result<Option<Digest>> {
        let Some(len) = self.files.len(name)? else { return Ok(None) };
        hash(len, |at, buf| self.files.read_at(name, at, buf)).map(|hasher| Some(*hasher.finalize().as_bytes()))
    }

    fn begin(&self, offer: &Offer) -> Result<Record, Told> {
        let failed = |e: io::Error| failed(&e);
        if self.overwrite == Overwrite::No && self.files.len(&offer.name).map_err(failed)?.is_some() {
            return Err(Told::Never(taken(&offer.name).to_string()));
        }
        let begun = self.files.list().map_err(failed)?.iter().filter(|name| Record::is_part(name)).count();
        if begun >= MOST_BEGUN {
            let why = format!("{MOST_BEGUN} files are begun here and not whole; their parts must end or go first");
            return Err(Told::Later(why));
        }
        self.discard(offer.id).map_err(failed)?;
        self.files.truncate(&Record::part(offer.id), 0).map_err(failed)?;
        let mark = Mark::default();
        self.keep(offer, mark).map_err(failed)?;
        Ok(Record { offer: offer.clone(), stage: Stage::Kept(mark, mark) })
    }

    /// Of the journals of what is whole only so many stay, that of `newest` among them.
    fn forget_old(&self, newest: Id) -> io::Result<()> {
        let names = self.files.list()?;
        let mut whole: Vec<Id> = names
            .iter()
            .filter_map(|name| Record::id_of(name))
            .filter(|id| !names.contains(&Record::part(*id)))
            .collect();
        // None has its time: those go whose identifiers, which are hashes, come next after that of the newest.
        whole.sort_unstable();
        let next = whole.partition_point(|id| *id <= newest);
        whole.rotate_left(next);
        for id in whole.iter().take(whole.len().saturating_sub(MOST_WHOLE)) {
            self.files.remove(&Record::file(*id))?;
        }
        Ok(())
    }
}

fn taken(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("there is a {name} already, and nothing is overwritten unasked"),
    )
}

/// A failure of the file system, as it is told to the other end.
pub(super) fn failed(e: &io::Error) -> Told {
    Told::Never(format!("the file cannot be kept: {e}"))
}
