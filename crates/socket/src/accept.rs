//! Takes the connections of a listener, not more at once than there are places, and outlives those that cannot be taken.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{NetExt as _, NetRef, TcpListener, TcpStream};

/// What connections come to.
pub trait Listener {
    /// What it hands out.
    type Taken;

    /// Takes the next connection.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Taken>>;
}

impl Listener for TcpListener {
    type Taken = (TcpStream, SocketAddr);

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Taken>> {
        self.poll_accept(cx)
    }
}

impl<L: Listener> Listener for &L {
    type Taken = L::Taken;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Taken>> {
        L::poll_accept(self, cx)
    }
}

/// How many connections may be open at once. A clone stands for the same places, so that listeners can share them.
#[derive(Clone, Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    full: Full,
}

/// What becomes of a connection for which there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// It waits in the backlog.
    Waits,
    /// It is closed at once.
    IsClosed,
}

impl Places {
    /// So many places.
    pub fn new(places: usize, full: Full) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), full }
    }
}

impl Default for Places {
    /// More than a server meets unless something is wrong: 16,384; a further connection waits.
    fn default() -> Self {
        Self::new(16_384, Full::Waits)
    }
}

/// The place that a connection takes until this is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// Something held back for the time when descriptors have run out.
pub trait Reserve: Send {
    /// Gives one up, if one is held.
    fn spend(&mut self) -> bool;

    /// Holds back again what was given up, as far as there is any.
    fn take_back(&mut self);
}

/// A connection that was taken.
#[derive(Debug)]
pub enum Accepted<T> {
    /// It has a place.
    Placed(T, Place),
    /// It was taken with what was held back: it should be ended soon.
    Spared(T),
}

/// The first pause after a connection that could not be taken for want of descriptors or memory; each further one is twice
/// as long, as in Go's `net/http`.
const PAUSE: Duration = Duration::from_millis(5);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The pause behind a connection that was taken with what is held back, so that a crowd that comes again and again leaves
/// time for others.
const SHORT_PAUSE: Duration = Duration::from_millis(1);

/// Takes the connections of a listener.
pub struct Acceptor<L = TcpListener> {
    listener: L,
    places: Places,
    reserve: Option<Box<dyn Reserve>>,
    pause: Duration,
}

impl<L: Listener> Acceptor<L> {
    /// Takes the connections of `listener`, as long as there are `places`.
    pub fn new(listener: L, places: &Places) -> Self {
        Self { listener, places: places.clone(), reserve: None, pause: Duration::ZERO }
    }

    /// Takes one with what is held back where descriptors have run out: refused at once it can come again, and not taken
    /// it would wait for nobody knows how long.
    #[must_use]
    pub fn with_reserve(mut self, reserve: impl Reserve + 'static) -> Self {
        self.reserve = Some(Box::new(reserve));
        self
    }

    /// The listener.
    pub fn listener(&self) -> &L {
        &self.listener
    }

    /// The next connection. One that cannot be taken is passed over, and where descriptors or memory have run out the
    /// next one is waited for a little longer each time.
    ///
    /// # Errors
    /// Those that concern the listener itself: its host was switched off, say.
    pub async fn accept(&mut self, net: &NetRef) -> io::Result<Accepted<L::Taken>> {
        loop {
            if !self.pause.is_zero() {
                net.sleep(self.pause).await;
            }
            if let Some(reserve) = &mut self.reserve {
                reserve.take_back();
            }
            let waited = match self.places.full {
                // The semaphore is never closed.
                Full::Waits => Some(self.places.free.clone().acquire_owned().await.map_err(io::Error::other)?),
                Full::IsClosed => None,
            };
            match poll_fn(|cx| self.listener.poll_accept(cx)).await {
                Ok(taken) => {
                    self.pause = Duration::ZERO;
                    let place = waited.or_else(|| self.places.free.clone().try_acquire_owned().ok());
                    if let Some(permit) = place {
                        return Ok(Accepted::Placed(taken, Place { _permit: permit }));
                    }
                }
                Err(e) => match Trouble::of(&e) {
                    Trouble::Listener => return Err(e),
                    Trouble::Connection => {}
                    Trouble::Exhausted => match self.spare() {
                        Some(taken) => {
                            self.pause = SHORT_PAUSE;
                            return Ok(Accepted::Spared(taken));
                        }
                        None => self.pause = (2 * self.pause).clamp(PAUSE, LONGEST_PAUSE),
                    },
                },
            }
        }
    }

    /// Takes a connection that waits, with what is held back.
    fn spare(&mut self) -> Option<L::Taken> {
        if !self.reserve.as_mut()?.spend() {
            return None;
        }
        // One look: the connection may have gone meanwhile.
        match self.listener.poll_accept(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(taken)) => Some(taken),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    /// Runs `take` of each connection beside the others, as a task of its own that holds a place until it ends. Tasks that
    /// run go on when this ends.
    ///
    /// # Errors
    /// Those that concern the listener itself; nothing that a client does ends it.
    pub async fn serve<F>(mut self, net: &NetRef, mut take: impl FnMut(L::Taken) -> F) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            // What was taken with the reserve is dropped, and so closed.
            let Accepted::Placed(taken, place) = self.accept(net).await? else { continue };
            let task = take(taken);
            let _ = net.spawn(Box::pin(async move {
                task.await;
                drop(place);
            }));
        }
    }
}

impl<L> fmt::Debug for Acceptor<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("places", &self.places).finish_non_exhaustive()
    }
}

/// Why a connection could not be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    /// That one has failed; the next one may be fine.
    Connection,
    /// Descriptors or memory have run out.
    Exhausted,
    /// The listener is broken, or gone.
    Listener,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, OutOfMemory, TimedOut};
        /// Of every Unix: `EBADF`, `EFAULT`, `EINVAL`, `ENFILE`, `EMFILE`; `ENOTSOCK` of Linux and of the BSDs, and
        /// `ENOBUFS` of the same.
        const BROKEN: [i32; 5] = [9, 14, 22, 88, 38];
        const EXHAUSTED: [i32; 4] = [23, 24, 105, 55];
        match (error.kind(), error.raw_os_error()) {
            (OutOfMemory, _) => Self::Exhausted,
            (_, Some(code)) if EXHAUSTED.contains(&code) => Self::Exhausted,
            (_, Some(code)) if BROKEN.contains(&code) => Self::Listener,
            // accept(2): "Linux accept() […] passes already-pending network errors on the new socket as an error code
            // from accept()"; they concern that connection alone.
            (_, Some(_)) | (ConnectionAborted | ConnectionReset | Interrupted | TimedOut, None) => Self::Connection,
            // A network of ours says so of a listener that was closed with its host.
            (_, None) => Self::Listener,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::net::IpAddr;

    use septet_core::{Instant, Recorder};

    use super::*;
    use crate::{BoxFuture, IcmpSocket, ListenOptions, Net, Sleep, Spawned, TcpOptions, UdpSocket};

    #[test]
    fn only_a_broken_listener_ends_a_server() {
        for (code, trouble) in [
            (24, Trouble::Exhausted),
            (23, Trouble::Exhausted),
            (12, Trouble::Exhausted),
            (103, Trouble::Connection),
            (113, Trouble::Connection),
            (1, Trouble::Connection),
            (9, Trouble::Listener),
        ] {
            assert_eq!(Trouble::of(&io::Error::from_raw_os_error(code)), trouble, "{code}");
        }
        assert_eq!(Trouble::of(&io::ErrorKind::ConnectionAborted.into()), Trouble::Connection);
        assert_eq!(Trouble::of(&io::ErrorKind::NotConnected.into()), Trouble::Listener);
    }

    /// Hands out what was put there; then nothing comes.
    struct Scripted(RefCell<VecDeque<io::Result<u8>>>);

    impl Listener for Scripted {
        type Taken = u8;

        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<u8>> {
            self.0.borrow_mut().pop_front().map_or(Poll::Pending, Poll::Ready)
        }
    }

    fn script(results: impl IntoIterator<Item = Result<u8, i32>>) -> Scripted {
        let results = results.into_iter().map(|r| r.map_err(io::Error::from_raw_os_error));
        Scripted(RefCell::new(results.collect()))
    }

    struct Spare(usize);

    impl Reserve for Spare {
        fn spend(&mut self) -> bool {
            self.0.checked_sub(1).map(|left| self.0 = left).is_some()
        }

        fn take_back(&mut self) {}
    }

    /// A network on which a moment passes at once, and is counted.
    #[derive(Default)]
    struct Hasty(std::sync::Mutex<Instant>);

    impl Net for Hasty {
        fn hostname(&self) -> String {
            String::new()
        }
        fn addresses(&self) -> Vec<IpAddr> {
            Vec::new()
        }
        fn name_servers(&self) -> Vec<SocketAddr> {
            Vec::new()
        }
        fn now(&self) -> Instant {
            *self.0.lock().unwrap()
        }
        fn unix_time(&self) -> Duration {
            Duration::ZERO
        }
        fn sleep_until(&self, at: Instant) -> Sleep {
            *self.0.lock().unwrap() = at;
            Sleep::new(core::future::ready(()))
        }
        fn spawn(&self, _: BoxFuture<'static, ()>) -> Spawned {
            unreachable!()
        }
        fn fill_random(&self, _: &mut [u8]) {}
        fn connect(&self, _: SocketAddr, _: TcpOptions) -> BoxFuture<'static, io::Result<TcpStream>> {
            unreachable!()
        }
        fn listen(&self, _: SocketAddr, _: ListenOptions) -> io::Result<TcpListener> {
            unreachable!()
        }
        fn bind_udp(&self, _: SocketAddr) -> io::Result<UdpSocket> {
            unreachable!()
        }
        fn open_icmp(&self, _: IpAddr) -> io::Result<IcmpSocket> {
            unreachable!()
        }
        fn recorder(&self) -> &Recorder {
            unreachable!()
        }
    }

    fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
        core::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn pauses_grow_until_a_connection_is_taken() {
        let net: NetRef = Arc::new(Hasty::default());
        let troubled = [Err(24), Err(24), Err(103), Err(24), Ok(7), Err(24), Ok(8)];
        let mut acceptor = Acceptor::new(script(troubled), &Places::default());
        let Poll::Ready(Ok(Accepted::Placed(7, _))) = once(acceptor.accept(&net)) else { panic!() };
        // 5 ms, 10 ms, and after the connection that failed by itself once more 10 ms, 20 ms.
        assert_eq!(net.now(), Instant::ZERO + Duration::from_millis(5 + 10 + 10 + 20));
        let Poll::Ready(Ok(Accepted::Placed(8, _))) = once(acceptor.accept(&net)) else { panic!() };
        assert_eq!(net.now(), Instant::ZERO + Duration::from_millis(45 + 5), "it begins anew");
        assert!(once(acceptor.accept(&net)).is_pending());
    }

    #[test]
    fn what_has_no_place_waits_or_is_closed() {
        let net: NetRef = Arc::new(Hasty::default());
        let mut waits = Acceptor::new(script([Ok(1), Ok(2)]), &Places::new(1, Full::Waits));
        let Poll::Ready(Ok(first)) = once(waits.accept(&net)) else { panic!() };
        assert!(once(waits.accept(&net)).is_pending());
        assert_eq!(waits.listener().0.borrow().len(), 1, "it was left in the backlog");
        drop(first);
        assert!(matches!(once(waits.accept(&net)), Poll::Ready(Ok(Accepted::Placed(2, _)))));

        let mut closes = Acceptor::new(script([Ok(1), Ok(2)]), &Places::new(1, Full::IsClosed));
        let Poll::Ready(Ok(_first)) = once(closes.accept(&net)) else { panic!() };
        assert!(once(closes.accept(&net)).is_pending());
        assert!(closes.listener().0.borrow().is_empty(), "it was taken and dropped");
    }

    #[test]
    fn what_is_held_back_takes_one_that_would_wait() {
        let net: NetRef = Arc::new(Hasty::default());
        let troubled = [Err(24), Ok(1), Err(24), Ok(2)];
        let mut acceptor = Acceptor::new(script(troubled), &Places::default()).with_reserve(Spare(1));
        assert!(matches!(once(acceptor.accept(&net)), Poll::Ready(Ok(Accepted::Spared(1)))));
        assert!(
            matches!(once(acceptor.accept(&net)), Poll::Ready(Ok(Accepted::Placed(2, _)))),
            "none is held any more"
        );
    }

    #[test]
    fn a_broken_listener_is_told() {
        let net: NetRef = Arc::new(Hasty::default());
        let mut acceptor = Acceptor::new(script([Err(103), Err(9)]), &Places::default());
        let Poll::Ready(Err(e)) = once(acceptor.accept(&net)) else { panic!() };
        assert_eq!(e.raw_os_error(), Some(9));
    }
}
