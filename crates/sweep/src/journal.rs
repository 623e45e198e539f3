//! Records on disk, one JSON line each, written as they come and read back to go on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use crate::{Plan, Record};

/// A file of records that grows with every finished run.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Begins a new journal at `path`; what was there is gone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(path)? })
    }

    /// Opens the journal at `path` to go on, and gives the records in it that belong to `plan`. Records of another lab,
    /// another grid or another version are left out and will be run again, as is a line that was cut off.
    ///
    /// # Errors
    /// Those of the file system; a journal that is not there yet is begun.
    pub fn resume(path: &Path, plan: &Plan) -> io::Result<(Self, Vec<Record>)> {
        let mut found: BTreeMap<u64, Record> = BTreeMap::new();
        match File::open(path) {
            Ok(file) => {
                for line in BufReader::new(file).split(b'\n') {
                    if let Ok(record) = serde_json::from_slice::<Record>(&line?)
                        && belongs(&record, plan)
                    {
                        found.insert(record.run, record);
                    }
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        // Written anew, so that nothing stale and no half a line stays in it; the old one is there until that is done.
        let fresh = path.with_extension("partial");
        let mut journal = Self::create(&fresh)?;
        for record in found.values() {
            journal.write(record)?;
        }
        std::fs::rename(&fresh, path)?;
        journal.file = OpenOptions::new().append(true).open(path)?;
        Ok((journal, found.into_values().collect()))
    }

    /// Writes a record down; when this returns, an interruption does not lose it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

fn belongs(record: &Record, plan: &Plan) -> bool {
    let Some((cell, seed)) = plan.run(record.run) else { return false };
    record.version == crate::VERSION
        && record.seed == seed
        && record.text == cell.hash
        && record.set.len() == cell.set.len()
        && cell.set.iter().all(|(path, value)| record.set.get(path) == Some(value))
}
