//! The control protocol of iperf 3: one byte a state, and JSON with its length in front.

use core::time::Duration;
use std::io;

use septet_socket::{NetRef, TcpStream};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// States, as the original's header numbers them.
pub(super) mod state {
    pub(in super::super) const TEST_START: i8 = 1;
    pub(in super::super) const TEST_RUNNING: i8 = 2;
    pub(in super::super) const TEST_END: i8 = 4;
    pub(in super::super) const PARAM_EXCHANGE: i8 = 9;
    pub(in super::super) const CREATE_STREAMS: i8 = 10;
    pub(in super::super) const SERVER_TERMINATE: i8 = 11;
    pub(in super::super) const CLIENT_TERMINATE: i8 = 12;
    pub(in super::super) const EXCHANGE_RESULTS: i8 = 13;
    pub(in super::super) const DISPLAY_RESULTS: i8 = 14;
    pub(in super::super) const IPERF_DONE: i8 = 16;
    pub(in super::super) const ACCESS_DENIED: i8 = -1;
    pub(in super::super) const SERVER_ERROR: i8 = -2;
}

/// What a UDP client says first, and what the server answers; in the sender's byte order, which is little-endian.
pub(super) const UDP_HELLO: u32 = 0x3637_3839;
pub(super) const UDP_REPLY: u32 = 0x3938_3736;
/// The hello of iperf before 3.10.
pub(super) const OLD_UDP_HELLO: u32 = 123_456_789;
pub(super) const OLD_UDP_REPLY: u32 = 987_654_321;

/// A message of the control connection is never longer.
const MAX_JSON: usize = 256 * 1024;

/// The name of a test, by which its streams are known: 36 letters and a zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cookie(pub(super) [u8; 37]);

impl Cookie {
    pub(super) fn new(net: &NetRef) -> Self {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut bytes = [0; 37];
        net.fill_random(&mut bytes);
        bytes.iter_mut().for_each(|b| *b = LETTERS[usize::from(*b) % 32]);
        bytes[36] = 0;
        Self(bytes)
    }

    pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = [0; 37];
        stream.read_exact(&mut bytes).await?;
        Ok(Self(bytes))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0[..36]).into_owned()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// What the client asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Params {
    pub(super) transport: Transport,
    /// For how long; zero where the amount is given.
    pub(super) time: Duration,
    /// How much; zero where the time is given.
    pub(super) bytes: u64,
    pub(super) streams: u32,
    pub(super) block: usize,
    /// Whether the server sends.
    pub(super) reverse: bool,
    /// Bits a second for each stream; zero for no limit.
    pub(super) rate: u64,
    /// Whether a datagram's count has 64 bits.
    pub(super) wide_counters: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            transport: Transport::Tcp,
            time: Duration::from_secs(10),
            bytes: 0,
            streams: 1,
            block: 0,
            reverse: false,
            rate: 0,
            wide_counters: false,
        }
    }
}

/// [`Params`] as they are sent.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct WireParams {
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    tcp: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    udp: bool,
    omit: u64,
    time: u64,
    num: u64,
    blockcount: u64,
    parallel: u32,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    reverse: bool,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    bidirectional: bool,
    len: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bandwidth: u64,
    pacing_timer: u64,
    #[serde(skip_serializing_if = "is_zero")]
    udp_counters_64bit: u64,
    client_version: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Params {
    pub(super) async fn send(&self, control: &mut TcpStream) -> io::Result<()> {
        let wire = WireParams {
            tcp: self.transport == Transport::Tcp,
            udp: self.transport == Transport::Udp,
            // The original knows whole seconds; our own end does not go by it.
            time: self.time.as_secs() + u64::from(self.time.subsec_nanos() > 0),
            num: self.bytes,
            parallel: self.streams,
            reverse: self.reverse,
            len: self.block as u64,
            bandwidth: self.rate,
            pacing_timer: 1000,
            udp_counters_64bit: self.wide_counters.into(),
            client_version: "3.12".to_owned(),
            ..WireParams::default()
        };
        send_json(control, &wire).await
    }

    pub(super) async fn receive(control: &mut TcpStream) -> io::Result<Self> {
        let wire: WireParams = receive_json(control).await?;
        let refuse = |why| Err(io::Error::new(io::ErrorKind::Unsupported, why));
        if wire.bidirectional {
            return refuse("both directions at once are not implemented");
        }
        let block = wire.len.clamp(16, 1024 * 1024) as usize;
        Ok(Self {
            transport: if wire.udp { Transport::Udp } else { Transport::Tcp },
            time: Duration::from_secs(wire.time),
            bytes: if wire.num > 0 { wire.num } else { wire.blockcount.saturating_mul(block as u64) },
            streams: wire.parallel.clamp(1, 128),
            block,
            reverse: wire.reverse,
            rate: wire.bandwidth,
            wide_counters: wire.udp_counters_64bit > 0,
        })
    }
}

/// What one end measured.
#[derive(Serialize, Deserialize, Clone, Default, Debug)]
#[serde(default)]
pub(super) struct Results {
    pub(super) cpu_util_total: f64,
    pub(super) cpu_util_user: f64,
    pub(super) cpu_util_system: f64,
    #[serde(deserialize_with = "count_or_none")]
    pub(super) sender_has_retransmits: i64,
    pub(super) streams: Vec<StreamResult>,
}

/// What one end measured of one stream.
#[derive(Serialize, Deserialize, Clone, Default, Debug)]
#[serde(default)]
pub(super) struct StreamResult {
    pub(super) id: u32,
    pub(super) bytes: u64,
    #[serde(deserialize_with = "count_or_none")]
    pub(super) retransmits: i64,
    pub(super) jitter: f64,
    pub(super) errors: i64,
    pub(super) packets: u64,
    pub(super) start_time: f64,
    pub(super) end_time: f64,
}

/// The original writes -1 for "not known", in some versions as an unsigned number, in some as a float.
fn count_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let count = number.as_u64().map(|n| n as i64).or_else(|| number.as_i64());
    Ok(count.unwrap_or(-1))
}

pub(super) async fn send_state(control: &mut TcpStream, state: i8) -> io::Result<()> {
    control.write_i8(state).await
}

pub(super) async fn send_json<T: Serialize>(control: &mut TcpStream, value: &T) -> io::Result<()> {
    let text = serde_json::to_vec(value).map_err(io::Error::other)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    control.write_all(&[&length.to_be_bytes()[..], &text].concat()).await
}

pub(super) async fn receive_json<T: for<'de> Deserialize<'de>>(control: &mut TcpStream) -> io::Result<T> {
    let length = control.read_u32().await? as usize;
    if length > MAX_JSON {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut text = vec![0; length];
    control.read_exact(&mut text).await?;
    serde_json::from_slice(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// The original numbers its streams 1, 3, 4, 5, …
pub(super) fn stream_id(index: usize) -> u32 {
    if index == 0 { 1 } else { index as u32 + 2 }
}
