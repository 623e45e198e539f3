//! The host that has its turn: while its programs run, it and the world's trace are lent to the thread, and the programs'
//! handles find them there.

use scoped_tls_hkt::scoped_thread_local;
use septet_core::Trace;

use crate::stack::Storeys;

scoped_thread_local!(static mut STOREYS: Storeys);
scoped_thread_local!(static mut TRACE: Trace);

/// Lends a host and the trace to what `run` calls.
pub(crate) fn lend<R>(storeys: &mut Storeys, trace: &mut Trace, run: impl FnOnce() -> R) -> R {
    storeys.unsettle();
    STOREYS.set(storeys, || TRACE.set(trace, run))
}

/// Calls `f` with the host that is lent, where it is the one of this number; gives `f` back where it is not, or where the
/// call comes from inside of another.
#[inline]
pub(super) fn with<R, F>(number: u64, f: F) -> Result<R, F>
where
    F: FnOnce(&mut Storeys, &mut Trace) -> R,
{
    if !STOREYS.is_set() {
        return Err(f);
    }
    STOREYS.with(|storeys| {
        if storeys.number != number {
            return Err(f);
        }
        TRACE.with(|trace| {
            let traced = trace.is_on();
            if traced {
                trace.set_cause(storeys.tasks.cause());
            }
            let result = f(storeys, trace);
            if traced {
                storeys.tasks.because(trace.cause());
            }
            Ok(result)
        })
    })
}
