//! A backend's response on its way to the client: who owes it, and what becomes of the connection at its end.

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use septet_socket::{NetExt, NetRef, Sleep};

use super::backend::Attempt;
use super::gather::Gather;
use super::upstream::{Pool, Sender};

/// The body of a response.
pub(super) struct Relay {
    net: NetRef,
    body: Gather,
    bytes: u64,
    /// Until the body has ended: whose it is, and the connection that it comes over.
    owed: Option<Owed>,
    /// How long the backend may keep silent.
    patience: Duration,
    silence: Option<Sleep>,
}

/// So long a backend may keep silent once it is taken out.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

struct Owed {
    attempt: Attempt,
    taken_out: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    connection: Sender,
    pool: Arc<Pool>,
}

impl Relay {
    pub(super) fn new(
        net: &NetRef,
        body: Incoming,
        attempt: Attempt,
        connection: Sender,
        pool: Arc<Pool>,
        patience: Duration,
    ) -> Self {
        let taken_out = Box::pin(attempt.taken_out());
        let owed = Some(Owed { attempt, taken_out, connection, pool });
        Self { net: net.clone(), body: Gather::new(net, body), bytes: 0, owed, patience, silence: None }
    }

    /// Waits for the first piece, so that it leaves together with the head; not for long.
    pub(super) async fn gather(&mut self) {
        poll_fn(|cx| self.body.poll_gather(cx)).await;
        if self.body.is_end_stream() {
            self.end();
        }
    }

    /// The response has come whole.
    fn end(&mut self) {
        let Some(Owed { attempt, connection, pool, .. }) = self.owed.take() else { return };
        pool.keep(connection);
        self.record(&attempt);
    }

    /// Nothing more will come.
    fn drop_owed(&mut self) {
        if let Some(Owed { attempt, .. }) = self.owed.take() {
            self.record(&attempt);
        }
    }

    fn record(&self, attempt: &Attempt) {
        self.net.observe("balancer.bytes", self.bytes as f64);
        self.net.observe(&format!("backend.{}.bytes", attempt.name()), self.bytes as f64);
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.silence = None;
                this.bytes += frame.data_ref().map_or(0, |d| d.len() as u64);
                if this.body.is_end_stream() {
                    this.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(e))) => {
                if let Some(Owed { attempt, .. }) = this.owed.take() {
                    attempt.failed(&format!("its answer broke off: {e}"));
                    this.record(&attempt);
                }
                Poll::Ready(Some(Err(std::io::Error::other(e))))
            }
            Poll::Ready(None) => {
                this.end();
                Poll::Ready(None)
            }
            Poll::Pending => {
                if let Some(owed) = &mut this.owed {
                    while owed.taken_out.as_mut().poll(cx).is_ready() {
                        if owed.attempt.is_cut() {
                            this.drop_owed();
                            let why = "the backend was drained, and its time is over";
                            return Poll::Ready(Some(Err(std::io::Error::new(ErrorKind::ConnectionAborted, why))));
                        }
                        owed.taken_out = Box::pin(owed.attempt.taken_out());
                        (this.patience, this.silence) = (this.patience.min(LAST_PATIENCE), None);
                    }
                }
                let silence = this.silence.get_or_insert_with(|| this.net.sleep(this.patience));
                ready!(Pin::new(silence).poll(cx));
                if let Some(Owed { attempt, .. }) = this.owed.take() {
                    attempt.failed(&format!("its answer stopped for {:?}", this.patience));
                    this.record(&attempt);
                }
                Poll::Ready(Some(Err(ErrorKind::TimedOut.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
