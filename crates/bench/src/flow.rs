//! The programs at both ends of a bulk flow: one sends synthetic bytes, the other verifies every one of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use septet_core::{Instant, synthetic};
use septet_socket::{ListenOptions, NetRef, TcpListener, TcpOptions, TcpStream};
use tokio::io::AsyncWriteExt;

use crate::Failure;
use crate::plan::{Node, Plan};

/// The port that receivers listen at.
pub(crate) const PORT: u16 = 5001;

/// What all flows of a workload have brought, counted by their receivers.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Counts>);

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    finished: AtomicU64,
    broken: AtomicU64,
}

impl Tally {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }

    /// Flows that came to their end.
    pub(crate) fn finished(&self) -> u64 {
        self.0.finished.load(Relaxed)
    }

    /// Fails where a byte was not what it should be, or a connection ended with an error.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.0.broken.load(Relaxed) {
            0 => Ok(()),
            n => Err(Failure::new(format!("{n} flows broke or brought wrong bytes"))),
        }
    }

    fn broke(&self) {
        self.0.broken.fetch_add(1, Relaxed);
    }
}

/// Lets `from` send `bytes` to `to` from `start` on.
pub(crate) fn start(
    plan: &mut Plan,
    from: Node,
    to: Node,
    start: Instant,
    bytes: u64,
    options: &TcpOptions,
    tally: &Tally,
) {
    let at = SocketAddr::new(plan.address(to), PORT);
    let options = options.clone();
    let tally = tally.clone();
    plan.boot(from, move |net| {
        let (options, tally) = (options.clone(), tally.clone());
        net.clone().spawn(Box::pin(async move {
            net.sleep_until(start).await;
            if send(&net, at, bytes, options).await.is_err() {
                tally.broke();
            }
        }));
    });
}

async fn send(net: &NetRef, to: SocketAddr, bytes: u64, options: TcpOptions) -> std::io::Result<()> {
    let mut stream = net.connect(to, options).await?;
    stream.write_synthetic(0, bytes).await?;
    stream.shutdown().await?;
    // The far end closes when it has everything.
    stream.read_frame().await?;
    Ok(())
}

/// Lets `node` take whatever flows come.
pub(crate) fn receive(plan: &mut Plan, node: Node, options: &TcpOptions, tally: &Tally) {
    let options = ListenOptions { tcp: options.clone(), ..ListenOptions::default() };
    let tally = tally.clone();
    plan.boot(node, move |net| {
        let (options, tally) = (options.clone(), tally.clone());
        let at = SocketAddr::new([0, 0, 0, 0].into(), PORT);
        net.clone().spawn(Box::pin(async move {
            match net.listen(at, options) {
                Ok(listener) => accept(net, listener, tally).await,
                Err(_) => tally.broke(),
            }
        }));
    });
}

async fn accept(net: NetRef, listener: TcpListener, tally: Tally) {
    while let Ok((stream, _)) = listener.accept().await {
        net.spawn(Box::pin(verify(stream, tally.clone())));
    }
    tally.broke();
}

async fn verify(mut stream: TcpStream, tally: Tally) {
    let mut at = 0;
    loop {
        match stream.read_frame().await {
            Ok(Some(frame)) if synthetic::matches(at, frame.bytes()) => {
                at += frame.len() as u64;
                tally.0.bytes.fetch_add(frame.len() as u64, Relaxed);
            }
            Ok(None) => {
                tally.0.finished.fetch_add(1, Relaxed);
                return;
            }
            Ok(Some(_)) | Err(_) => return tally.broke(),
        }
    }
}
