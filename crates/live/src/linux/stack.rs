//! Our stack straight on a TAP: one host whose only neighbour is the kernel, and no lab.
//!
//! With [`Offload::Full`] both sides hand each other TCP super-segments of up to 64 KiB whose checksums nobody computes.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use septet_core::{Carrier, Checksums, DropReason, Frame, Instant, Out, Port, Power, Station, Storey, Trace, Wire};
use septet_host::{Host, HostConfig, system_randomness};
use septet_socket::NetRef;
use septet_transport::tcp::Config;
use septet_wire::ethernet::{self, EtherType, MIN_FRAME};
use septet_wire::{ipv4, protocol, pseudo_header, tcp};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use super::tap::{Offload, Tap};
use super::timer::Timer;
use super::vnet::{self, Checksum, Ecn, Header, SegmentKind, Segmentation};
use crate::clock::Clock;

/// The largest frame that a TAP gives: a super-segment of 64 KiB behind its Ethernet header.
const LARGEST: usize = 65_550;
/// Frames read before programs and timers get their turn.
const BATCH: usize = 32;
/// A smaller frame is copied, so that it does not hold a buffer of [`LARGEST`] for as long as it waits.
const SMALL: usize = 8 * 1024;

const PORT: Port = Port(0);

/// A host on a TAP; a clone is another handle on it. Everything happens on the thread that made it.
///
/// [`run`](Self::run) must be polled for anything to happen. Programs either run on the host, by its
/// [`NetRef`] (`net().spawn`, or [`Host::on_boot`] before), or beside it in tasks wrapped by [`drive`](Self::drive).
#[derive(Clone)]
pub struct Stack(Rc<Inner>);

struct Inner {
    host: RefCell<Host>,
    wire: RefCell<TapWire>,
    trace: RefCell<Trace>,
    tap: Rc<AsyncFd<Tap>>,
    clock: Clock,
    kick: Notify,
    stopped: Cell<bool>,
    net: NetRef,
}

/// What crossed the border.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StackCounters {
    /// Frames handed to the kernel, a super-segment as one.
    pub to_kernel: u64,
    /// Frames taken from the kernel.
    pub from_kernel: u64,
    /// Frames that the kernel refused: its interface was down, or its memory short.
    pub refused: u64,
}

impl Stack {
    /// A host whose first interface `tap` becomes, prepared by `boot` ([`Host::on_boot`]) and switched on. Its neighbour
    /// is real, so all its randomness is the operating system's, whatever `config` says.
    ///
    /// # Errors
    /// `InvalidInput` where addresses and routes do not go together; the kernel's: the TAP cannot be watched. Needs a
    /// tokio runtime with its reactor.
    pub fn new(tap: Tap, config: HostConfig, boot: impl FnOnce(&mut Host)) -> io::Result<Self> {
        let config = HostConfig { randomness: system_randomness(), ..config };
        let mut host = Host::new(config).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e.to_string()))?;
        boot(&mut host);
        let offload = tap.offload();
        let tap = Rc::new(tap.watch()?);
        let net = host.net();
        let stack = Self(Rc::new(Inner {
            host: RefCell::new(host),
            wire: RefCell::new(TapWire { tap: tap.clone(), offload, counters: StackCounters::default() }),
            trace: RefCell::new(Trace::off()),
            tap,
            clock: Clock::start(Instant::ZERO),
            kick: Notify::new(),
            stopped: Cell::new(false),
            net,
        }));
        stack.with(|host, now, out| {
            host.on_carrier(now, PORT, Carrier::Up, out);
            host.on_power(now, Power::On, out);
        });
        Ok(stack)
    }

    /// TCP's defaults for a host on such a TAP: Linux's, and super-segments where the other side takes them.
    pub fn tcp(offload: Offload) -> Config {
        Config {
            gso_max_size: match offload {
                Offload::Full => 65_536,
                Offload::None => 0,
            },
            ..Config::linux()
        }
    }

    /// The host's network.
    pub fn net(&self) -> NetRef {
        self.0.net.clone()
    }

    /// The host's time.
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// What crossed the border so far.
    pub fn counters(&self) -> StackCounters {
        self.0.wire.borrow().counters
    }

    /// Looks at the host, or changes it.
    pub fn with<R>(&self, act: impl FnOnce(&mut Host, Instant, &mut Out<'_>) -> R) -> R {
        let result = self.step(act);
        // Its deadline may have moved.
        self.0.kick.notify_one();
        result
    }

    fn step<R>(&self, act: impl FnOnce(&mut Host, Instant, &mut Out<'_>) -> R) -> R {
        let Inner { host, wire, trace, .. } = &*self.0;
        let now = self.now();
        let mut host = host.borrow_mut();
        let (mut wire, mut trace) = (wire.borrow_mut(), trace.borrow_mut());
        let mut out = Out::new(&mut *wire, &mut trace);
        let result = act(&mut host, now, &mut out);
        // What was done to its sockets is seen to at once.
        host.on_deadline(now, &mut out);
        result
    }

    /// Wraps a future that uses the host's sockets, so that the host sees at once what it did.
    pub fn drive<F: Future>(&self, future: F) -> Beside<F> {
        Beside { stack: self.clone(), future: Box::pin(future) }
    }

    /// Ends [`run`](Self::run).
    pub fn stop(&self) {
        self.0.stopped.set(true);
        self.0.kick.notify_one();
    }

    /// Carries frames and lets time pass, until [`stop`](Self::stop) or until the interface is gone.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn run(&self) -> io::Result<()> {
        let Inner { tap, kick, host, .. } = &*self.0;
        let mut timer = LazyTimer::new()?;
        let mut scratch = Frame::recycled(Frame::HEADROOM, LARGEST);
        while !self.0.stopped.get() {
            let deadline = host.borrow().deadline();
            if deadline.is_some_and(|at| at <= self.now()) {
                self.step(|_, _, _| ());
                continue;
            }
            tokio::select! {
                biased;
                guard = tap.readable() => {
                    if self.take_in(&mut scratch)? == Taken::All {
                        guard?.clear_ready();
                    } else {
                        tokio::task::yield_now().await;
                    }
                }
                () = kick.notified() => {}
                fired = timer.until(deadline, self.now()) => fired?,
            }
        }
        Ok(())
    }

    /// Hands the host what the kernel sent.
    fn take_in(&self, scratch: &mut Frame) -> io::Result<Taken> {
        let Inner { host, wire, trace, tap, .. } = &*self.0;
        let tap = tap.get_ref();
        let mut host = host.borrow_mut();
        let (mut wire, mut trace) = (wire.borrow_mut(), trace.borrow_mut());
        for _ in 0..BATCH {
            let frame = match receive(tap, scratch) {
                Ok(Some(frame)) => frame,
                Ok(None) => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Taken::All),
                Err(e) => return Err(e),
            };
            wire.counters.from_kernel += 1;
            let now = self.0.clock.now();
            host.receive(now, PORT, frame, &mut Out::new(&mut *wire, &mut trace));
        }
        Ok(Taken::Batch)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// All that was there.
    All,
    /// As many as one turn takes.
    Batch,
}

/// Reads one frame; `None` where what came is none.
fn receive(tap: &Tap, scratch: &mut Frame) -> io::Result<Option<Frame>> {
    let mut header = [0; vnet::LEN];
    let header = match tap.offload() {
        Offload::Full => &mut header[..],
        Offload::None => &mut [],
    };
    let len = tap.read_split(header, scratch.bytes_mut())?;
    let known = match tap.offload() {
        Offload::Full => match Header::parse(header) {
            Ok(known) => known,
            Err(vnet::Malformed) => return Ok(None),
        },
        Offload::None => Header::default(),
    };
    let mut frame = if len < SMALL {
        Frame::new(Frame::HEADROOM, &scratch.bytes()[..len])
    } else {
        core::mem::replace(scratch, Frame::recycled(Frame::HEADROOM, LARGEST))
    };
    frame.truncate(len);
    // The kernel leaves padding to the card.
    frame.pad_to(MIN_FRAME);
    // The kernel leaves a checksum undone only where it vouches for the bytes.
    frame.checksums = match known.checksum {
        Checksum::Complete => Checksums::Unverified,
        Checksum::Valid | Checksum::Partial { .. } => Checksums::Good,
    };
    frame.segment_size = known.segmentation.map_or(0, |s| s.size);
    Ok(Some(frame))
}

/// The TAP as a host's port.
struct TapWire {
    tap: Rc<AsyncFd<Tap>>,
    offload: Offload,
    counters: StackCounters,
}

impl Wire for TapWire {
    fn send(&mut self, _: Port, mut frame: Frame, trace: &mut Trace) {
        let header = match self.offload {
            Offload::Full => Some(offload(&mut frame).build()),
            Offload::None => None,
        };
        let header = header.as_ref().map_or(&[][..], |h| h);
        match self.tap.get_ref().write(header, frame.bytes()) {
            Ok(()) => self.counters.to_kernel += 1,
            Err(e) => {
                self.counters.refused += 1;
                trace.emit(Storey::DataLink, "tap.drop", frame.cause, |f| {
                    f.set("reason", DropReason::Queue).set("why", e.to_string());
                });
            }
        }
    }

    fn backlog(&self, _: Port) -> usize {
        // The kernel takes a frame in while it is written.
        0
    }

    fn wake_below(&mut self, _: Port, _: usize) {}

    fn carries_super_segments(&self, _: Port) -> bool {
        self.offload == Offload::Full
    }
}

/// What the kernel is told of a frame of ours. A super-segment's checksum field gets the pseudo-header's sum.
fn offload(frame: &mut Frame) -> Header {
    let checksum = match frame.checksums {
        Checksums::Good => Checksum::Valid,
        Checksums::Unverified => Checksum::Complete,
    };
    let whole = Header { checksum, segmentation: None };
    if frame.segment_size == 0 {
        return whole;
    }
    let bytes = frame.bytes();
    let Some((EtherType::IPV4, at)) = ethernet::payload(bytes) else { return whole };
    let Ok(ip) = ipv4::Header::parse(&bytes[at..]) else { return whole };
    let start = at + usize::from(ip.header_len);
    let Some(segment) = tcp::Fixed::of(&bytes[start..]).filter(|_| ip.protocol == protocol::TCP) else { return whole };
    let headers = start + segment.header_len();
    let ecn = if segment.flags().has(tcp::Flags::CWR) { Ecn::Cwr } else { Ecn::No };
    let pseudo = pseudo_header(ip.src.into(), ip.dst.into(), protocol::TCP, bytes.len() - start).finish();
    // The field holds the sum itself, not its complement, for the rest to be added.
    let field = start + tcp::CHECKSUM_AT;
    frame.header_mut(headers)[field..field + 2].copy_from_slice(&(!pseudo).to_be_bytes());
    Header {
        checksum: Checksum::Partial { start: start as u16, offset: tcp::CHECKSUM_AT as u16 },
        segmentation: Some(Segmentation {
            kind: SegmentKind::TcpV4,
            ecn,
            size: frame.segment_size,
            headers: headers as u16,
        }),
    }
}

/// A timer that is set anew only where it would fire too late: deadlines of a busy connection move later all the time.
struct LazyTimer {
    timer: Timer,
    armed: Option<Instant>,
}

impl LazyTimer {
    fn new() -> io::Result<Self> {
        Ok(Self { timer: Timer::new()?, armed: None })
    }

    /// Completes at `deadline` or, where an earlier one was asked for before, then.
    async fn until(&mut self, deadline: Option<Instant>, now: Instant) -> io::Result<()> {
        if let Some(deadline) = deadline
            && self.armed.is_none_or(|armed| deadline < armed || armed <= now)
        {
            self.timer.arm(deadline.saturating_since(now))?;
            self.armed = Some(deadline);
        }
        self.timer.fired().await?;
        self.armed = None;
        Ok(())
    }
}

/// See [`Stack::drive`].
#[derive(Debug)]
pub struct Beside<F> {
    stack: Stack,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Beside<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.stack.with(|_, _, _| ());
        let result = self.future.as_mut().poll(cx);
        self.stack.with(|_, _, _| ());
        result
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack")
            .field("tap", &self.0.tap.get_ref().name())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

/// A host with one interface, as [`Stack`] wants it; its blocking programs look names up as the others do.
pub fn host_config(name: &str, interface: septet_network::InterfaceConfig, tcp: Config) -> HostConfig {
    HostConfig {
        interfaces: vec![interface],
        tcp: Arc::new(tcp),
        lookup: Some(septet_application::dns::look_up),
        ..HostConfig::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where IPv4 begins.
    const AT: usize = ethernet::HEADER_LEN;

    /// Ethernet, IPv4 and TCP headers and 3000 bytes.
    fn segment() -> Frame {
        let mut bytes = vec![0; AT + 20 + 32 + 3000];
        bytes[12..14].copy_from_slice(&EtherType::IPV4.0.to_be_bytes());
        bytes[AT + 2..AT + 4].copy_from_slice(&3052u16.to_be_bytes());
        (bytes[AT], bytes[AT + 9]) = (0x45, protocol::TCP);
        bytes[AT + 12..AT + 20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        bytes[AT + 20 + 12] = 8 << 4;
        let mut frame = Frame::new(Frame::HEADROOM, &bytes);
        frame.checksums = Checksums::Good;
        frame
    }

    #[test]
    fn a_super_segment_is_described_and_its_checksum_begun() {
        let mut frame = segment();
        frame.segment_size = 1448;
        frame.header_mut(60)[AT + 20 + 13] = tcp::Flags::CWR.bits() | 0x10;
        let header = offload(&mut frame);
        assert_eq!(header.checksum, Checksum::Partial { start: 34, offset: 16 });
        let expected = Segmentation { kind: SegmentKind::TcpV4, ecn: Ecn::Cwr, size: 1448, headers: 66 };
        assert_eq!(header.segmentation, Some(expected));
        // 10.0.0.1 + 10.0.0.2 + protocol 6 + 3032 bytes.
        let sum = 0x0a00u32 + 1 + 0x0a00 + 2 + 6 + 3032;
        assert_eq!(frame.bytes()[50..52], (sum as u16).to_be_bytes());
    }

    #[test]
    fn what_is_no_super_segment_is_vouched_for_and_left_alone() {
        let mut frame = segment();
        assert_eq!(offload(&mut frame), Header { checksum: Checksum::Valid, segmentation: None });
        assert_eq!(frame.bytes()[50..52], [0, 0]);
        let mut short = Frame::new(0, &[0; 20]);
        short.segment_size = 5;
        assert_eq!(offload(&mut short), Header { checksum: Checksum::Complete, segmentation: None });
    }
}
