//! What a receiver keeps of a transfer: a small text beside the file, replaced at each point that it confirms.

use std::fmt::Write as _;

use super::Digest;
use super::message::{Id, Offer};
use super::names::plain_name;
use crate::spdu::Serial;

/// A point, and the digest of all before it: by that it is known again after a loss of power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Its number.
    pub serial: Serial,
    /// The digest.
    pub digest: Digest,
}

impl Default for Mark {
    /// The beginning.
    fn default() -> Self {
        Self { serial: Serial::default(), digest: *blake3::hash(b"").as_bytes() }
    }
}

impl Mark {
    fn write(&self) -> String {
        format!("{} {}", self.serial, blake3::Hash::from_bytes(self.digest).to_hex())
    }

    fn read(text: &str) -> Option<Self> {
        let (serial, digest) = text.split_once(' ')?;
        let serial = Serial::from_digits(serial.as_bytes())?;
        Some(Self { serial, digest: *blake3::Hash::from_hex(digest).ok()?.as_bytes() })
    }
}

/// How far a transfer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// All before the first mark is kept. What comes after the second may be lost with the power.
    Kept(Mark, Mark),
    /// The file is whole, and this is its digest.
    Whole(Digest),
}

/// A transfer as a journal has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What was offered.
    pub offer: Offer,
    /// How far it is.
    pub stage: Stage,
}

const FIRST: &str = "septet transfer 2";

impl Record {
    /// The name of the journal of a transfer.
    pub fn file(id: Id) -> String {
        format!(".septet-{id}.journal")
    }

    /// The name of the file while it is not whole.
    pub fn part(id: Id) -> String {
        format!(".septet-{id}.part")
    }

    /// Whether a file that is not whole has this name.
    pub fn is_part(file: &str) -> bool {
        file.starts_with(".septet-") && file.ends_with(".part")
    }

    /// Whose journal has this name.
    pub fn id_of(file: &str) -> Option<Id> {
        Id::from_hex(file.strip_prefix(".septet-")?.strip_suffix(".journal")?)
    }

    /// The text.
    pub fn write(&self) -> String {
        let Offer { id, size, step, name } = &self.offer;
        let mut text = format!("{FIRST}\nid {id}\nname {name}\nsize {size}\nstep {step}\n");
        match self.stage {
            Stage::Kept(kept, safe) => writeln!(text, "kept {}\nsafe {}", kept.write(), safe.write()),
            Stage::Whole(digest) => writeln!(text, "whole {}", blake3::Hash::from_bytes(digest).to_hex()),
        }
        .unwrap_or_default();
        text
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Which line is wrong, and what should stand there.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let mut number = 0;
        let mut line = |key: &str| {
            number += 1;
            let found = lines.next().unwrap_or_default();
            let value =
                if key.is_empty() { Some(found) } else { found.strip_prefix(key).and_then(|v| v.strip_prefix(' ')) };
            value.map(str::to_owned).ok_or_else(|| format!("line {number}: `{key} …` is missing"))
        };
        if line("")? != FIRST {
            return Err(format!("line 1: `{FIRST}` is missing"));
        }
        let id = Id::from_hex(&line("id")?).ok_or("line 2: the id is none")?;
        let name = line("name")?;
        plain_name(&name).map_err(|e| format!("line 3: {e}"))?;
        let size = line("size")?.parse().map_err(|_| "line 4: the size is no number")?;
        let step = line("step")?.parse().map_err(|_| "line 5: the step is no number")?;
        let last = line("")?;
        let stage = if let Some(kept) = last.strip_prefix("kept ") {
            let kept = Mark::read(kept).ok_or("line 6: no point and digest")?;
            Stage::Kept(kept, Mark::read(&line("safe")?).ok_or("line 7: no point and digest")?)
        } else {
            let digest = last.strip_prefix("whole ").and_then(|hex| blake3::Hash::from_hex(hex).ok());
            Stage::Whole(*digest.ok_or("line 6: neither `kept …` nor `whole …`")?.as_bytes())
        };
        let offer = Offer { id, size, step, name };
        Offer::parse(&offer.build())?;
        Ok(Self { offer, stage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let offer = Offer { id: Id([1, 2, 3, 4, 5, 255]), size: 12_345, step: 100, name: "a b.txt".to_owned() };
        let mark = |serial, digest| Mark { serial: Serial::new(serial).unwrap(), digest: [digest; 32] };
        for stage in [Stage::Kept(mark(7, 3), mark(5, 200)), Stage::Whole([9; 32])] {
            let record = Record { offer: offer.clone(), stage };
            assert_eq!(Record::read(&record.write()), Ok(record));
        }
        assert_eq!(Record::id_of(&Record::file(offer.id)), Some(offer.id));
        let text = Record { offer, stage: Stage::Kept(Mark::default(), Mark::default()) }.write();
        assert_eq!(Record::read(&text.replace("kept", "held")).unwrap_err(), "line 6: neither `kept …` nor `whole …`");
        assert_eq!(Record::read(&text.replace("safe", "sure")).unwrap_err(), "line 7: `safe …` is missing");
        assert!(Record::read(&text.replace("a b.txt", "../x")).unwrap_err().starts_with("line 3: "));
        assert_eq!(Record::read("").unwrap_err(), "line 1: `septet transfer 2` is missing");
    }
}
