//! The command line.

use core::time::Duration;

use septet_socket::{Nodelay, TcpOptions};

use super::protocol::{Params, Transport};
use crate::dns::Family;
use crate::programs::args::{self, Arg, ArgError, At, Spec, flag, value};

/// Everything the command line asks for.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) side: Side,
    pub(super) port: u16,
    /// Which of the server's addresses will do.
    pub(super) family: Family,
    /// The time between two reports; zero for none.
    pub(super) interval: Duration,
    pub(super) json: bool,
    pub(super) one_off: bool,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) tcp: TcpOptions,
    pub(super) params: Params,
}

/// Which end this is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Server,
    Client(String),
}

pub(super) const SPECS: &[Spec] = &[
    flag('4', "version4"),
    flag('6', "version6"),
    flag('s', "server"),
    value('c', "client"),
    value('p', "port"),
    value('i', "interval"),
    flag('J', "json"),
    flag('1', "one-off"),
    flag('u', "udp"),
    value('b', "bitrate"),
    value(' ', "bandwidth"),
    value('t', "time"),
    value('n', "bytes"),
    value('l', "length"),
    value('P', "parallel"),
    flag('R', "reverse"),
    value('C', "congestion"),
    flag('N', "no-delay"),
    value('w', "window"),
    value(' ', "connect-timeout"),
];

/// The original's limits and defaults.
const MAX_STREAMS: u32 = 128;
const MAX_BLOCK: u64 = 1024 * 1024;
const MAX_UDP_BLOCK: u64 = 65_507;
const TCP_BLOCK: u64 = 128 * 1024;
/// What fits a segment over Ethernet with timestamps.
const UDP_BLOCK: u64 = 1448;
const UDP_RATE: u64 = 1_000_000;

impl Options {
    pub(super) fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut side = None;
        let mut options = Self {
            side: Side::Server,
            port: 5201,
            family: Family::Any,
            interval: Duration::from_secs(1),
            json: false,
            one_off: false,
            connect_timeout: None,
            tcp: TcpOptions::default(),
            params: Params::default(),
        };
        let (mut rate, mut length) = (None, None);
        let params = &mut options.params;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) => match name.as_str() {
                    "server" => side = Some(Side::Server),
                    "json" => options.json = true,
                    "one-off" => options.one_off = true,
                    "udp" => params.transport = Transport::Udp,
                    "reverse" => params.reverse = true,
                    "no-delay" => options.tcp.nodelay = Some(Nodelay::On),
                    other => options.family = args::family(other).unwrap_or(options.family),
                },
                Arg::Value(name, text) => {
                    let option = format!("--{name}");
                    match name.as_str() {
                        "client" => side = Some(Side::Client(text)),
                        "port" => options.port = args::port(&option, &text)?,
                        "interval" => options.interval = args::duration(&option, &text)?,
                        "bitrate" | "bandwidth" => rate = Some(args::amount(&option, &text, 1000)?),
                        "time" => params.time = args::duration(&option, &text)?,
                        "bytes" => params.bytes = args::some(&option, &text, 1024)?,
                        "length" => {
                            let bytes = args::amount(&option, &text, 1024)?;
                            length = Some((text, bytes));
                        }
                        "parallel" => {
                            params.streams =
                                args::within(&option, &text, 1, MAX_STREAMS, "a number of streams up to 128")?;
                        }
                        "congestion" => options.tcp.congestion = Some(text.into()),
                        "window" => {
                            let bytes = usize::try_from(args::amount(&option, &text, 1024)?).unwrap_or(usize::MAX);
                            (options.tcp.send_buffer, options.tcp.receive_buffer) = (Some(bytes), Some(bytes));
                        }
                        _ => options.connect_timeout = Some(Duration::from_millis(args::number(&option, &text)?)),
                    }
                }
            }
            Ok(())
        })?;
        options.side = side.ok_or(ArgError::Missing("-s or -c"))?;
        let (default_rate, default_block, most) = match params.transport {
            Transport::Tcp => (0, TCP_BLOCK, MAX_BLOCK),
            Transport::Udp => (UDP_RATE, UDP_BLOCK, MAX_UDP_BLOCK),
        };
        params.rate = rate.unwrap_or(default_rate);
        // A datagram carries at least the header that counts it.
        let length = match length {
            Some((text, length)) if !(16..=most).contains(&length) => {
                let wanted =
                    if params.transport == Transport::Tcp { "from 16 bytes to 1M" } else { "from 16 to 65507 bytes" };
                return Err(args::bad("--length", &text, wanted).into());
            }
            Some((_, length)) => length,
            None => default_block,
        };
        params.block = length as usize;
        if params.bytes > 0 {
            params.time = Duration::ZERO;
        }
        Ok(options)
    }
}
