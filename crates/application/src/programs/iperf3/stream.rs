//! The streams that carry the load.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use septet_socket::{NetRef, TcpStream, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::protocol::Params;
use crate::http::Pattern;
use crate::programs::pace::Pace;

/// What one stream has carried.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Count {
    pub(super) bytes: u64,
    /// Datagrams sent, or the highest number that arrived.
    pub(super) packets: u64,
    pub(super) lost: i64,
    pub(super) out_of_order: u64,
    /// Seconds (RFC 1889 §6.3.1).
    pub(super) jitter: f64,
    pub(super) last_transit: Option<f64>,
}

/// A count that a stream keeps and a report reads.
#[derive(Clone, Default, Debug)]
pub(super) struct Meter(Arc<Mutex<Count>>);

impl Meter {
    pub(super) fn read(&self) -> Count {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a datagram with its header.
    pub(super) fn datagram(&self, net: &NetRef, params: &Params, datagram: &[u8]) {
        let mut count = self.lock();
        count.bytes += datagram.len() as u64;
        let Some((sent, number)) = parse_header(params, datagram) else { return };
        // As the original counts: a gap is a loss until the missing one comes late.
        if number > count.packets {
            count.lost += (number - count.packets - 1) as i64;
            count.packets = number;
        } else {
            count.out_of_order += 1;
            count.lost -= i64::from(count.lost > 0);
        }
        let transit = net.unix_time().as_secs_f64() - sent.as_secs_f64();
        if let Some(last) = count.last_transit {
            let difference = (transit - last).abs();
            count.jitter += (difference - count.jitter) / 16.0;
        }
        count.last_transit = Some(transit);
    }
}

/// How much may still be sent by all streams together.
#[derive(Clone, Debug)]
pub(super) struct Budget(Option<Arc<AtomicU64>>);

impl Budget {
    pub(super) fn new(params: &Params) -> Self {
        Self((params.bytes > 0).then(|| Arc::new(AtomicU64::new(params.bytes))))
    }

    /// Takes a block of at most `most` bytes; nothing is left where it gives zero.
    fn take(&self, most: usize) -> usize {
        let Some(left) = &self.0 else { return most };
        let take = |left: u64| Some(left.saturating_sub(most as u64));
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or_default();
        before.min(most as u64) as usize
    }
}

/// Sends blocks until the budget is spent.
pub(super) async fn send_tcp(
    net: &NetRef,
    stream: &mut TcpStream,
    params: &Params,
    budget: &Budget,
    meter: &Meter,
) -> io::Result<()> {
    let pace = Pace::new(net, Some(params.rate));
    let mut pattern = Pattern::new(0..u64::MAX);
    let mut sent = 0;
    loop {
        pace.wait(sent).await;
        let mut left = budget.take(params.block);
        if left == 0 {
            return stream.flush().await;
        }
        while left > 0 {
            let Some(mut piece) = pattern.next(left) else { return Ok(()) };
            while !piece.is_empty() {
                let n = stream.write(&piece).await?;
                if n == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                meter.lock().bytes += n as u64;
                sent += n as u64;
                left -= n;
                let _ = piece.split_to(n);
            }
        }
    }
}

/// Receives until the other end closes.
pub(super) async fn receive_tcp(stream: &mut TcpStream, params: &Params, meter: &Meter) -> io::Result<()> {
    let mut buf = vec![0; params.block];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        meter.lock().bytes += n as u64;
    }
}

/// Sends datagrams to `to` until the budget is spent.
pub(super) async fn send_udp(
    net: &NetRef,
    socket: &UdpSocket,
    to: SocketAddr,
    params: &Params,
    budget: &Budget,
    meter: &Meter,
) -> io::Result<()> {
    let pace = Pace::new(net, Some(params.rate));
    let mut datagram = vec![0; params.block];
    let mut sent = 0;
    for number in 1.. {
        pace.wait(sent).await;
        if budget.take(params.block) == 0 {
            return Ok(());
        }
        write_header(params, net.unix_time(), number, &mut datagram);
        // What an ICMP error says of an earlier datagram does not stop the stream.
        if socket.send_to(&datagram, to).await.is_ok() {
            let mut count = meter.lock();
            count.bytes += datagram.len() as u64;
            count.packets = number;
        }
        sent += datagram.len() as u64;
    }
    Ok(())
}

/// Seconds and microseconds of the sending, and the number of the datagram, counted from one.
fn write_header(params: &Params, now: Duration, number: u64, datagram: &mut [u8]) {
    datagram[..4].copy_from_slice(&(now.as_secs() as u32).to_be_bytes());
    datagram[4..8].copy_from_slice(&now.subsec_micros().to_be_bytes());
    if params.wide_counters {
        datagram[8..16].copy_from_slice(&number.to_be_bytes());
    } else {
        datagram[8..12].copy_from_slice(&(number as u32).to_be_bytes());
    }
}

fn parse_header(params: &Params, datagram: &[u8]) -> Option<(Duration, u64)> {
    let word = |at: usize| Some(u32::from_be_bytes(*datagram.get(at..at + 4)?.first_chunk()?));
    let sent = Duration::new(word(0)?.into(), word(4)?.min(999_999) * 1000);
    let number = match params.wide_counters {
        true => u64::from(word(8)?) << 32 | u64::from(word(12)?),
        false => word(8)?.into(),
    };
    Some((sent, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back() {
        for wide_counters in [true, false] {
            let params = Params { wide_counters, ..Params::default() };
            let mut datagram = [0; 32];
            let now = Duration::from_micros(1_767_225_600_123_456);
            write_header(&params, now, 77, &mut datagram);
            assert_eq!(parse_header(&params, &datagram), Some((now, 77)));
            assert_eq!(parse_header(&params, &datagram[..11]), None);
        }
    }

    #[test]
    fn a_budget_is_spent_once() {
        let budget = Budget::new(&Params { bytes: 250, ..Params::default() });
        let other = budget.clone();
        assert_eq!([budget.take(100), other.take(100), budget.take(100), other.take(100)], [100, 100, 50, 0]);
        assert_eq!(Budget::new(&Params::default()).take(7), 7);
    }
}
