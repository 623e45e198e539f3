//! What a connection keeps: bytes to send, records of what was sent, bytes received.

mod lazy;
mod receive;
mod send;
mod sent;

pub(crate) use lazy::{Lazy, Pool, Resting, pool};
pub(crate) use receive::{Queued, ReceiveBuffer};
pub(crate) use send::SendBuffer;
pub(crate) use sent::{Mark, Record, Sent};
