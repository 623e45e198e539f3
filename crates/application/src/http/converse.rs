//! A connection that speaks HTTP, whichever version its ends agreed upon.

use std::net::SocketAddr;
use std::sync::Arc;

use septet_presentation::tls;
use septet_socket::{NetRef, Stream};

use super::ending::Ending;
use super::service::Service;
use super::{http1, http2};

/// Speaks HTTP with the client at the other end of `stream` until one side ends it: HTTP/2 where both agreed upon that,
/// else HTTP/1.1. Clients that are too slow are given up.
pub async fn converse(
    net: &NetRef,
    stream: impl Stream + Send + Sync + 'static,
    peer: SocketAddr,
    service: Arc<dyn Service>,
) {
    converse_until(net, stream, peer, service, &Ending::new()).await;
}

/// The same, until `ending` comes: then it answers what it was asked, and ends.
pub(super) async fn converse_until(
    net: &NetRef,
    stream: impl Stream + Send + Sync + 'static,
    peer: SocketAddr,
    service: Arc<dyn Service>,
    ending: &Ending,
) {
    if stream.alpn() == Some(tls::H2) {
        http2::serve(net, stream, peer, service, ending).await;
    } else if let Err(e) = http1::serve(net, stream, peer, &*service, ending).await {
        service.lost(peer, &e);
    }
}
