//! A lab whose secrets are secrets.

use core::ops::{Deref, DerefMut};

use septet_lab::{BuildError, BuildOptions, Keys, Lab, Run, Segmentation};

/// A lab built for the wall clock, where strangers may take part: whatever must be a secret comes from the operating
/// system. The seed still decides what the links do to frames.
#[derive(Debug)]
pub struct LiveRun(Run);

impl LiveRun {
    /// Builds `lab`, with another seed than its own where one is given.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(lab: &Lab, seed: Option<u64>, segmentation: Segmentation) -> Result<Self, BuildError> {
        lab.build(&BuildOptions { seed, keys: Keys::System, segmentation }).map(Self)
    }

    pub(crate) fn into_inner(self) -> Run {
        self.0
    }
}

impl Deref for LiveRun {
    type Target = Run;
    fn deref(&self) -> &Run {
        &self.0
    }
}

impl DerefMut for LiveRun {
    fn deref_mut(&mut self) -> &mut Run {
        &mut self.0
    }
}
