//! A response's body on its way to the client, in pieces that are worth a record and a segment.
//!
//! A backend's segments come one by one. Each passed on as it comes would be a TLS record of its own, which does not fit
//! the client's segment and spills a few octets into a second one. So what comes is gathered while more is on its way.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use septet_socket::{GATHERED_FOR, NetExt, NetRef, Sleep};

/// What is gathered goes on when it is this much, four full records, or when it has waited for [`GATHERED_FOR`].
const ENOUGH: usize = 64 * 1024;
/// Gathers the pieces of a body.
pub(super) struct Gather {
    net: NetRef,
    body: Incoming,
    held: BytesMut,
    /// What follows the pieces that are held.
    tail: Option<Option<Result<Frame<Bytes>, hyper::Error>>>,
    /// Runs while something is held.
    timer: Option<Sleep>,
    /// What is held waits no longer.
    ripe: bool,
}

impl Gather {
    /// Gathers what comes of `body` after its head, which is held back as well until the first piece is gathered.
    pub(super) fn new(net: &NetRef, body: Incoming) -> Self {
        Self {
            net: net.clone(),
            body,
            held: BytesMut::new(),
            tail: None,
            timer: Some(net.sleep(GATHERED_FOR)),
            ripe: false,
        }
    }

    /// Takes in what comes; ready when what is held should wait no longer.
    pub(super) fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.ripe && self.tail.is_none() && self.held.len() < ENOUGH {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.held.extend_from_slice(&data),
                    Err(trailers) => self.tail = Some(Some(Ok(trailers))),
                },
                Poll::Ready(other) => self.tail = Some(other),
                Poll::Pending => {
                    if self.held.is_empty() && self.timer.is_none() {
                        return Poll::Pending;
                    }
                    let timer = self.timer.get_or_insert_with(|| self.net.sleep(GATHERED_FOR));
                    ready!(Pin::new(timer).poll(cx));
                    break;
                }
            }
        }
        self.timer = None;
        self.ripe = true;
        Poll::Ready(())
    }
}

impl Body for Gather {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            ready!(self.poll_gather(cx));
            self.ripe = false;
            if !self.held.is_empty() {
                let bytes = core::mem::take(&mut self.held).freeze();
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            // The end is told again and again; trailers and errors once.
            match self.tail.take() {
                Some(None) => {
                    self.tail = Some(None);
                    return Poll::Ready(None);
                }
                Some(frame) => return Poll::Ready(frame),
                // The head has waited long enough, and there is nothing else yet.
                None => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && (matches!(self.tail, Some(None)) || self.tail.is_none() && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.held.len() as u64;
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}
