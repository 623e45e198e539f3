//! A system call of a simulated program: it takes its time where calls cost time, waits where it must, and is told to the trace.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use std::io;

use septet_posix::{Errno, Operation, Process, Reply, Request};
use septet_socket::NetExt as _;

use crate::descriptor::Shared;
use crate::program::Task;
use crate::tell;

/// Makes a call; the program is left while it waits.
pub(crate) fn perform(process: &Shared, request: Request) -> io::Result<Reply> {
    let done = match Task::current() {
        Some(task) => septet_coroutine::wait(call(process, &task, request)).ok(),
        None => {
            let process = &mut process.lock();
            Operation::start(process, request).poll(process)
        }
    };
    // Outside of a program nobody waits, nor does a program that ends.
    done.unwrap_or(Err(Errno::EAGAIN)).map_err(io::Error::from)
}

/// Makes a call that never waits, and only takes its time; `line` is how it is told.
pub(crate) fn at_once<T>(
    process: &Shared,
    line: impl FnOnce() -> String,
    call: impl FnOnce(&mut Process) -> Result<T, Errno>,
) -> io::Result<T> {
    let Some(task) = Task::current() else { return Ok(call(&mut process.lock())?) };
    process.net().count("io.calls");
    if let Some(thread) = task.thread.get() {
        // A program that ends takes no time.
        let _ = septet_coroutine::wait(thread.work(thread.cpu().costs().call));
    }
    let result = call(&mut process.lock());
    tell::at_once(&task, line, result.as_ref().err());
    Ok(result?)
}

async fn call(process: &Shared, task: &Task, request: Request) -> Result<Reply, Errno> {
    let (net, said) = (process.net(), tell::Call::of(&request));
    net.count("io.calls");
    let thread = task.thread.get();
    if let Some(thread) = thread {
        thread.work(thread.cpu().costs().call).await;
    }
    let mut operation = Operation::start(&mut process.lock(), request);
    let mut waited = false;
    let result = loop {
        let answer = operation.poll(&mut process.lock());
        if let Some(result) = answer {
            break result;
        }
        if !waited {
            waited = true;
            net.count("io.waits");
            said.tell(task, "call.waits", |_| ());
        }
        task.sleep(something_happened(process, &mut operation)).await;
    };
    if waited {
        said.tell(task, "call.woken", |_| ());
    }
    match &result {
        Ok(Reply::Data { data, .. }) if !data.is_empty() => {
            net.observe("io.copied", data.len() as f64);
            copy(task, data.len()).await;
        }
        Ok(Reply::Number(bytes)) if said.copies() => {
            net.observe("io.copied", *bytes as f64);
            copy(task, *bytes as usize).await;
        }
        Err(Errno::EAGAIN | Errno::EINPROGRESS) if !waited => net.count("io.would-block"),
        _ => {}
    }
    said.tell_result(task, &result, waited);
    result
}

async fn copy(task: &Task, bytes: usize) {
    if let Some(thread) = task.thread.get() {
        thread.work(thread.cpu().copying(bytes)).await;
    }
}

/// Ready when it is worth to ask again.
async fn something_happened(process: &Shared, operation: &mut Operation) {
    let mut timer = operation.deadline().map(|at| process.net().sleep_until(at));
    poll_fn(|cx| {
        if timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready()) {
            return Poll::Ready(());
        }
        let process = process.lock();
        if process.is_ready(operation) {
            return Poll::Ready(());
        }
        process.watch(operation, cx.waker());
        Poll::Pending
    })
    .await;
}
