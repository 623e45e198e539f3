//! A system call of a simulated program, which waits where it must.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use std::io;

use septet_core::Instant;
use septet_posix::{Errno, Operation, Reply, Request};
use septet_socket::Sleep;

use crate::descriptor::Shared;

/// Makes a call; the program is left while it waits.
pub(crate) fn perform(process: &Shared, request: Request) -> io::Result<Reply> {
    let mut operation = Operation::start(&mut process.lock(), request);
    let mut timer: Option<(Instant, Sleep)> = None;
    let answered = poll_fn(|cx| {
        loop {
            {
                let mut process = process.lock();
                if let Some(result) = operation.poll(&mut process) {
                    return Poll::Ready(result);
                }
                process.watch(&operation, cx.waker());
            }
            let Some(deadline) = operation.deadline() else { return Poll::Pending };
            if timer.as_ref().is_none_or(|(at, _)| *at != deadline) {
                timer = Some((deadline, process.net().sleep_until(deadline)));
            }
            // Once it is time the call gives up.
            let Some((_, sleep)) = &mut timer else { return Poll::Pending };
            if Pin::new(sleep).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    });
    match septet_coroutine::wait(answered) {
        Ok(result) => result.map_err(io::Error::from),
        // Outside of a program nobody waits.
        Err(_) => Err(Errno::EAGAIN.into()),
    }
}
