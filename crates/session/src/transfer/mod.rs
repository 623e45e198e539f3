//! Files that arrive whole and once, however often their transport breaks: an activity for each file, a minor
//! synchronization point every so many octets, each confirmed when what is before it is kept; after a break the activity
//! goes on at the last point that was confirmed.
//!
//! [`Sender`] and [`Receiver`] are sans-IO, one at each end of a TCP connection at a time. What is kept lies in [`Files`]: in
//! [`Memory`], or in a [`Directory`] that outlives the process.

mod directory;
mod files;
mod inbox;
mod journal;
mod message;
mod names;
mod receiver;
mod sender;

pub use directory::{Directory, Outgoing};
pub use files::{Files, Memory};
pub use inbox::{Inbox, Overwrite};
pub use journal::{Mark, Record, Stage};
pub use message::{Answer, Id, Offer, Told};
pub use names::{BadName, plain_name};
pub use receiver::{Arrival, Receiver};
pub use sender::{Failure, Progress, Sender, Source, Stamp};

use std::io;

use crate::spdu::Units;

/// The functional units of a transfer: data, synchronization points, an activity a file, and typed data by which a receiver
/// tells that it goes on between two points.
pub(crate) const UNITS: Units = Units(Units::DUPLEX.0 | Units::MINOR.0 | Units::ACTIVITY.0 | Units::TYPED.0);

/// The digest of a whole file.
pub type Digest = [u8; 32];

/// The hash of the first `len` octets of what `read` reads at an offset; `UnexpectedEof` where it is shorter.
fn hash(len: u64, mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>) -> io::Result<blake3::Hasher> {
    let mut hasher = blake3::Hasher::new();
    let mut buf = vec![0; 256 * 1024];
    let mut at = 0;
    while at < len {
        let most = buf.len().min(usize::try_from(len - at).unwrap_or(usize::MAX));
        match read(at, &mut buf[..most])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                hasher.update(&buf[..n]);
                at += n as u64;
            }
        }
    }
    Ok(hasher)
}
