//! The header of RTP (RFC 3550 §5.1), and what a receiver makes of the numbers in it (§6.4.1, appendix A).

use core::time::Duration;

/// Octets of a header without contributing sources.
pub(super) const HEADER_LEN: usize = 12;
/// RFC 3551 §6: 8,000 samples a second, as all audio of low rate has it.
pub(super) const CLOCK: u32 = 8000;

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// "The marker": here the first packet of a talk.
    pub(super) marker: bool,
    /// What the payload is (RFC 3551 §6): 0 is µ-law, 96 and above what both ends agree on.
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// The synchronization source.
    pub(super) ssrc: u32,
}

impl Header {
    pub(super) fn write(&self) -> [u8; HEADER_LEN] {
        let mut octets = [0; HEADER_LEN];
        octets[0] = 2 << 6;
        octets[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        octets[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        octets[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        octets[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        octets
    }

    /// The header at the start of `packet`; nothing where that is none of RTP's (RFC 3550, appendix A.1).
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let head = packet.first_chunk::<HEADER_LEN>()?;
        let sources = usize::from(head[0] & 0x0f);
        if head[0] >> 6 != 2 || packet.len() < HEADER_LEN + 4 * sources {
            return None;
        }
        Some(Self {
            marker: head[1] & 0x80 != 0,
            payload_type: head[1] & 0x7f,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        })
    }
}

/// What one source has sent, as far as it came.
#[derive(Debug)]
pub(super) struct Source {
    first: Header,
    begun: Duration,
    /// The largest sequence number, with its rounds.
    highest: u64,
    /// Each of the last numbers that came, from the highest downwards: a bit each.
    seen: u128,
    previous: (Duration, u32),
    jitter: f64,
    pub(super) counted: Counted,
}

/// What came of one source.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Counted {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Places where numbers were passed over.
    pub(super) gaps: u64,
    /// Packets that came after a later one.
    pub(super) reordered: u64,
    pub(super) duplicates: u64,
    /// Packets that came when they should have been played already.
    pub(super) late: u64,
}

/// What a packet is among those that came before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Heard {
    pub(super) order: Order,
    /// By how much it missed its time.
    pub(super) late: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Behind all, so many having been passed over.
    Next(u64),
    /// Before another that came already.
    Earlier,
    /// It was there already.
    Duplicate,
}

impl Source {
    /// A source whose first packet came at `at`.
    pub(super) fn new(first: Header, at: Duration) -> Self {
        let highest = u64::from(first.sequence) + (1 << 16);
        Self {
            first,
            begun: at,
            highest,
            seen: 0,
            previous: (at, first.timestamp),
            jitter: 0.0,
            counted: Counted::default(),
        }
    }

    /// Takes a packet in that came at `at`, where what comes is played `buffer` after the first packet came.
    pub(super) fn hear(&mut self, header: Header, bytes: usize, at: Duration, buffer: Duration) -> Heard {
        // Appendix A.1: a number that is a little larger than the highest goes on, one that is smaller is late.
        let ahead = header.sequence.wrapping_sub(self.highest as u16) as i16;
        let order = if self.counted.packets == 0 {
            self.seen = 1;
            Order::Next(0)
        } else if ahead > 0 {
            let ahead = ahead.unsigned_abs();
            self.highest += u64::from(ahead);
            self.seen = self.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
            Order::Next(u64::from(ahead) - 1)
        } else {
            let bit = 1_u128.checked_shl(ahead.unsigned_abs().into()).unwrap_or(0);
            if self.seen & bit != 0 || bit == 0 {
                Order::Duplicate
            } else {
                self.seen |= bit;
                Order::Earlier
            }
        };
        let counted = &mut self.counted;
        if order == Order::Duplicate {
            counted.duplicates += 1;
            return Heard { order, late: None };
        }
        counted.packets += 1;
        counted.bytes += bytes as u64;
        counted.gaps += u64::from(matches!(order, Order::Next(1..)));
        counted.reordered += u64::from(order == Order::Earlier);
        // §6.4.1: "J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16", D the difference of the spacing at both ends.
        let (before, stamp) = self.previous;
        let sent = f64::from(header.timestamp.wrapping_sub(stamp) as i32) / f64::from(CLOCK);
        let came = at.as_secs_f64() - before.as_secs_f64();
        self.jitter += ((came - sent).abs() - self.jitter) / 16.0;
        self.previous = (at, header.timestamp);
        let behind = f64::from(header.timestamp.wrapping_sub(self.first.timestamp) as i32) / f64::from(CLOCK);
        let due = self.begun.as_secs_f64() + buffer.as_secs_f64() + behind;
        let late = at.as_secs_f64() - due;
        // A nanosecond is lost to the arithmetic.
        let late = (late > 1e-8).then(|| Duration::from_secs_f64(late));
        self.counted.late += u64::from(late.is_some());
        Heard { order, late }
    }

    /// Appendix A.3: how many packets are missing of those up to the highest number.
    pub(super) fn lost(&self) -> u64 {
        let first = u64::from(self.first.sequence) + (1 << 16);
        (self.highest - first + 1).saturating_sub(self.counted.packets)
    }

    /// The interarrival jitter.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 7 }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_written_is_read() {
        let header = Header { marker: true, payload_type: 96, ..header(65_535, u32::MAX) };
        assert_eq!(Header::read(&header.write()), Some(header));
        assert_eq!(Header::read(&header.write()[..11]), None);
        let mut other = header.write();
        other[0] = 0x82;
        assert_eq!(Header::read(&other), None, "two contributing sources are told, and not there");
        other[0] = 0x40;
        assert_eq!(Header::read(&other), None, "version 1");
    }

    #[test]
    fn losses_reordering_and_duplicates_over_the_end_of_the_numbers() {
        let first = header(65_534, u32::MAX - 159);
        let mut source = Source::new(first, ms(1000));
        let mut hear = |n: u16, at: u64| {
            let header = header(65_534_u16.wrapping_add(n), first.timestamp.wrapping_add(u32::from(n) * 160));
            source.hear(header, 160, ms(at), ms(40))
        };
        let next = |lost| Heard { order: Order::Next(lost), late: None };
        assert_eq!(hear(0, 1000), next(0));
        assert_eq!(hear(1, 1020), next(0));
        assert_eq!(hear(4, 1080), next(2));
        assert_eq!(hear(3, 1081), Heard { order: Order::Earlier, late: None });
        assert_eq!(hear(3, 1082).order, Order::Duplicate);
        // Due at 1000 + 40 + 100 ms.
        assert_eq!(hear(5, 1150), Heard { order: Order::Next(0), late: Some(ms(10)) });
        let counted = Counted { packets: 5, bytes: 800, gaps: 1, reordered: 1, duplicates: 1, late: 1 };
        assert_eq!((source.counted, source.lost()), (counted, 1));
    }

    #[test]
    fn jitter_as_the_rfc_computes_it() {
        let mut source = Source::new(header(0, 0), ms(0));
        source.hear(header(0, 0), 160, ms(0), ms(40));
        source.hear(header(1, 160), 160, ms(20), ms(40));
        assert_eq!(source.jitter(), Duration::ZERO);
        // 16 ms later than the spacing says: 16 / 16 = 1 ms.
        source.hear(header(2, 320), 160, ms(56), ms(40));
        assert_eq!(source.jitter(), ms(1));
    }
}
