//! Reading from a disk while others go on: on the kernel by threads of its own, elsewhere at once.

use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use septet_socket::Net;
use tokio::sync::oneshot;

/// Bytes of one read.
const PIECE: usize = 128 << 10;
/// Threads that read; more files than that wait for their turn.
const THREADS: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// Who reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reads {
    /// A thread of its own, so that a slow disk holds nobody up.
    Aside,
    /// Whoever asks: our own hosts have one thread, which others may not wake.
    AtOnce,
}

impl Reads {
    pub(super) fn on(net: &dyn Net) -> Self {
        if net.system().is_ok() { Self::AtOnce } else { Self::Aside }
    }
}

/// A part of a file as a body, read piece by piece as it leaves.
pub(super) struct Reading {
    file: Arc<File>,
    left: Range<u64>,
    reads: Reads,
    under_way: Option<oneshot::Receiver<io::Result<Bytes>>>,
}

impl Reading {
    pub(super) fn new(file: Arc<File>, left: Range<u64>, reads: Reads) -> Self {
        Self { file, left, reads, under_way: None }
    }

    fn begin(&mut self) -> oneshot::Receiver<io::Result<Bytes>> {
        let (done, under_way) = oneshot::channel();
        let (file, at) = (self.file.clone(), self.left.start);
        let len = (self.left.end - at).min(PIECE as u64) as usize;
        let job = move || {
            // Whoever waited may have gone.
            let _ = done.send(piece(&file, at, len));
        };
        match self.reads {
            Reads::AtOnce => job(),
            Reads::Aside => hand_over(Box::new(job)),
        }
        under_way
    }
}

impl Body for Reading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left.is_empty() {
            return Poll::Ready(None);
        }
        let mut under_way = this.under_way.take().unwrap_or_else(|| this.begin());
        let Poll::Ready(result) = Pin::new(&mut under_way).poll(cx) else {
            this.under_way = Some(under_way);
            return Poll::Pending;
        };
        let bytes = result.unwrap_or_else(|_| Err(io::Error::other("nobody reads")))?;
        this.left.start += bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}

fn piece(file: &File, at: u64, len: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; len];
    let read = read_at(file, &mut bytes, at)?;
    if read == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
    }
    bytes.truncate(read);
    Ok(bytes.into())
}

/// Reads some of the file from `at` on.
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let result = std::os::unix::fs::FileExt::read_at(file, bytes, at);
        #[cfg(windows)]
        let result = std::os::windows::fs::FileExt::seek_read(file, bytes, at);
        match result {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Lets a thread do it.
fn hand_over(job: Job) {
    static TO: OnceLock<Option<Mutex<Sender<Job>>>> = OnceLock::new();
    let to = TO.get_or_init(|| {
        let (to, from) = channel::<Job>();
        let from = Arc::new(Mutex::new(from));
        let begun = (0..THREADS).filter(|_| {
            let from = from.clone();
            thread::Builder::new().name("septet-disk".to_owned()).spawn(move || work(&from)).is_ok()
        });
        (begun.count() > 0).then(|| Mutex::new(to))
    });
    match to {
        Some(to) => {
            // They end with the process.
            let _ = to.lock().unwrap_or_else(PoisonError::into_inner).send(job);
        }
        None => job(),
    }
}

fn work(from: &Mutex<Receiver<Job>>) {
    loop {
        let next = from.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}
