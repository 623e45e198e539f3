//! How a service runs on its host, and what is recorded where it cannot.

use std::io;

use septet_core::{EventId, Fields, Metric, Storey};
use septet_socket::{NetExt, NetRef, Note};

/// Called whenever a host boots, with its network.
pub type Boot = Box<dyn Fn(NetRef)>;

/// What is recorded of any service.
pub(crate) const METRICS: &[Metric] =
    &[Metric::counter("service.failed.*", "services that could not run: `service.failed.http`")];

/// A host that was on from the beginning was switched on by nobody, and yet what it says by itself has a reason.
pub fn tell_beginning(net: &NetRef) {
    if net.cause() == EventId::NONE {
        net.trace(Storey::Physical, "power.on", |f| {
            f.set("why", "the lab begins");
        });
    }
}

/// Runs a service until the host stops; that it ended is told to the trace, for it never should.
pub(crate) fn run<F>(net: &NetRef, what: &'static str, service: F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let own = net.clone();
    let _ = net.spawn(Box::pin(async move {
        if let Err(error) = service.await {
            own.count(&format!("service.failed.{what}"));
            // Told even where nothing else is: whoever keeps a server must know.
            let mut fields = Fields::default();
            fields.set("service", what).set("why", error.to_string());
            own.note(Note { storey: Storey::Application, kind: "service.failed", fields });
        }
    }));
}
