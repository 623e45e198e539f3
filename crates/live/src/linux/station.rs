//! A TAP in the place of a station: the kernel behind it is a station like any other.

use std::io;
use std::rc::Rc;

use septet_core::{Carrier, DropReason, Frame, Instant, Out, Port, Power, Station, StationId, Storey};
use septet_datalink::ethernet::MIN_FRAME;
use septet_host::PacketLens;
use septet_physical::Lens;
use tokio::io::unix::AsyncFd;

use super::tap::Tap;
use crate::pump::Pump;

/// Ethernet's largest frame over which the kernel and we agree, jumbo frames included, without the FCS.
const LARGEST: usize = 65_550;
/// Frames read before the other tasks get their turn.
const BATCH: usize = 64;

/// What a TAP has carried.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TapCounters {
    /// Frames handed to the kernel.
    pub to_kernel: u64,
    /// Frames taken from the kernel.
    pub from_kernel: u64,
    /// Frames that the kernel had no room for, or refused because the interface was down.
    pub refused: u64,
}

/// The station: what the lab sends to its first port goes to the kernel.
pub struct TapStation {
    tap: Rc<AsyncFd<Tap>>,
    counters: TapCounters,
}

impl TapStation {
    /// The lab's side of `tap`; [`feed`] is the other.
    pub fn new(tap: Rc<AsyncFd<Tap>>) -> Self {
        Self { tap, counters: TapCounters::default() }
    }

    /// What was carried.
    pub fn counters(&self) -> TapCounters {
        self.counters
    }
}

impl TapStation {
    fn hand_over(&mut self, frame: &Frame, out: &mut Out<'_>) {
        // The kernel's TAP takes no FCS; a frame whose own is wrong ends here as in any network card.
        let fate = if frame.fcs.is_some() {
            Err(DropReason::Fcs)
        } else {
            self.tap.get_ref().write(&[], frame.bytes()).map_err(|_| DropReason::Queue)
        };
        match fate {
            Ok(()) => self.counters.to_kernel += 1,
            Err(reason) => {
                self.counters.refused += u64::from(reason == DropReason::Queue);
                out.trace.emit(Storey::DataLink, "tap.drop", frame.cause, |f| {
                    f.set("reason", reason).set("frame", frame.id);
                });
            }
        }
    }
}

impl Station for TapStation {
    fn receive(&mut self, _: Instant, _: Port, frame: Frame, out: &mut Out<'_>) {
        match PacketLens.splitter() {
            Some(split) if frame.segment_size > 0 => split(frame, &mut |segment| self.hand_over(&segment, out)),
            _ => self.hand_over(&frame, out),
        }
    }

    fn on_deadline(&mut self, _: Instant, _: &mut Out<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn on_carrier(&mut self, _: Instant, _: Port, carrier: Carrier, _: &mut Out<'_>) {
        // Kernels before 5.0 have no such call; there the interface simply shows a carrier.
        let _ = self.tap.get_ref().set_carrier(carrier);
    }

    fn on_power(&mut self, _: Instant, power: Power, _: &mut Out<'_>) {
        let carrier = if power == Power::On { Carrier::Up } else { Carrier::Down };
        let _ = self.tap.get_ref().set_carrier(carrier);
    }
}

/// Lets what the kernel sends into the lab, until the interface is gone or another station has taken the place.
///
/// # Errors
/// The kernel's, when the interface goes away.
pub async fn feed(pump: Pump, station: StationId, tap: Rc<AsyncFd<Tap>>) -> io::Result<()> {
    let mut buf = vec![0; LARGEST];
    let mut frames = Vec::with_capacity(BATCH);
    loop {
        let mut guard = tap.readable().await?;
        let mut blocked = false;
        // They are taken up before the lab is brought to its now, so that none enters before it was sent.
        while frames.len() < BATCH {
            match tap.get_ref().read(&mut buf) {
                Ok(n) => {
                    let mut frame = Frame::new(Frame::HEADROOM, &buf[..n]);
                    // The kernel leaves padding to the card.
                    frame.pad_to(MIN_FRAME);
                    frames.push(frame);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    blocked = true;
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        let here = pump.with(|world| {
            let here = world.station::<TapStation>(station).is_some_and(|s| Rc::ptr_eq(&s.tap, &tap));
            if here {
                // Switched off: what the kernel sends meanwhile finds a dead card.
                world.with::<TapStation, _>(station, |this, _, out| {
                    this.counters.from_kernel += frames.len() as u64;
                    frames.drain(..).for_each(|frame| out.send(Port(0), frame));
                });
            }
            here
        });
        if !here {
            return Ok(());
        }
        frames.clear();
        if blocked {
            guard.clear_ready();
        } else {
            tokio::task::yield_now().await;
        }
    }
}

impl std::fmt::Debug for TapStation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapStation").field("tap", &self.tap.get_ref().name()).field("counters", &self.counters).finish()
    }
}
