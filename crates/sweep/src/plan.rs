//! What is to be run: every cell of the grid, with every seed.

use core::fmt;
use std::sync::Arc;

use septet_lab::{Lab, Mistakes, SettingError, Unfit, with_setting};

use crate::{Axis, Seeds};

/// The runs of a sweep.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The cells of the grid; the last axis varies fastest.
    pub cells: Vec<Cell>,
    /// The seeds that each cell is run with; without, that of its own lab.
    pub seeds: Option<Seeds>,
}

/// One combination of values.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The values, by path, in the order of the axes.
    pub set: Vec<(String, String)>,
    /// The lab with these values.
    pub lab: Arc<Lab>,
    /// A hash of its text.
    pub hash: String,
}

/// Why a sweep cannot be run.
#[derive(Debug)]
pub enum PlanError {
    /// A value could not be set.
    Setting(SettingError),
    /// The lab, with the values of one cell, is not valid.
    Lab(Mistakes),
    /// The lab does not take a value of an axis.
    Unfit(String, Unfit),
    /// The grid has more cells than anybody would wait for.
    TooMany(u64),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(e) => e.fmt(f),
            Self::Lab(mistakes) => mistakes.fmt(f),
            Self::Unfit(setting, Unfit { reason, help, .. }) => {
                write!(f, "{setting}: {reason}")?;
                help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
            }
            Self::TooMany(n) => write!(f, "the grid has {n} cells, more than {MOST_CELLS}"),
        }
    }
}

impl std::error::Error for PlanError {}

impl From<SettingError> for PlanError {
    fn from(e: SettingError) -> Self {
        Self::Setting(e)
    }
}

impl From<Mistakes> for PlanError {
    fn from(e: Mistakes) -> Self {
        Self::Lab(e)
    }
}

const MOST_CELLS: u64 = 1_000_000;

impl Plan {
    /// The plan for the lab file `text`, called `source` in messages: the axes of its `[sweep]`, and those of `axes`,
    /// which go before. Without `seeds` each cell is run with the lab's seed.
    ///
    /// # Errors
    /// [`PlanError`]; every cell is read before anything is run.
    pub fn new(source: &str, text: &str, axes: &[Axis], seeds: Option<Seeds>) -> Result<Self, PlanError> {
        let lab = Lab::parse(source, text)?;
        let of_lab = lab.sweep.iter().map(|(path, values)| Axis { path: path.clone(), values: values.clone() });
        let mut all: Vec<Axis> = of_lab.filter(|a| axes.iter().all(|own| own.path != a.path)).collect();
        all.extend_from_slice(axes);
        let count = all.iter().try_fold(1u64, |n, axis| n.checked_mul(axis.values.len() as u64)).unwrap_or(u64::MAX);
        if count > MOST_CELLS {
            return Err(PlanError::TooMany(count));
        }
        // One by one first: what is wrong with a value stands in no line of the file.
        for Axis { path, values } in axes {
            for value in values {
                with_setting(text, path, value)?;
                lab.takes(path, value).map_err(|unfit| PlanError::Unfit(format!("{path}={value}"), unfit))?;
            }
        }
        if all.is_empty() {
            let hash = hash(text);
            return Ok(Self { cells: vec![Cell { set: Vec::new(), lab: Arc::new(lab), hash }], seeds });
        }
        let mut cells = Vec::new();
        for index in 0..count {
            cells.push(cell(source, text, &all, index)?);
        }
        Ok(Self { cells, seeds })
    }

    /// How many runs there are.
    pub fn runs(&self) -> u64 {
        self.cells.len() as u64 * self.seeds_a_cell()
    }

    /// The cell and the seed of a run. Seeds vary fastest.
    pub fn run(&self, number: u64) -> Option<(&Cell, u64)> {
        let seeds = self.seeds_a_cell();
        let cell = self.cells.get(usize::try_from(number.checked_div(seeds)?).ok()?)?;
        let seed = match &self.seeds {
            Some(seeds) => seeds.iter().nth(usize::try_from(number % seeds.iter().len() as u64).ok()?)?,
            None => cell.lab.seed,
        };
        Some((cell, seed))
    }

    fn seeds_a_cell(&self) -> u64 {
        self.seeds.as_ref().map_or(1, |seeds| seeds.iter().len() as u64)
    }
}

/// The cell number `index`: a number written in the mixed radix of the axes.
fn cell(source: &str, text: &str, axes: &[Axis], index: u64) -> Result<Cell, PlanError> {
    let mut rest = index;
    let mut set = Vec::new();
    for axis in axes.iter().rev() {
        let n = axis.values.len() as u64;
        set.push((axis.path.clone(), axis.values[(rest % n) as usize].clone()));
        rest /= n;
    }
    set.reverse();
    let mut text = text.to_owned();
    for (path, value) in &set {
        text = with_setting(&text, path, value)?;
    }
    let lab = Arc::new(Lab::parse_changed(source, &text)?);
    let hash = hash(&text);
    Ok(Cell { set, lab, hash })
}

fn hash(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}
