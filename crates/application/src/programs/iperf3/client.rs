//! The client: it says what is measured and for how long.

use core::time::Duration;
use std::net::SocketAddr;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use septet_core::Storey;
use septet_socket::{NetExt, NetRef, TcpStream, UdpSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::TestError;
use super::options::Options;
use super::protocol::{self, Cookie, Params, Results, StreamResult, Transport, state, stream_id};
use super::report::{Direction, Report};
use super::stream::{Budget, Meter, receive_tcp, send_tcp, send_udp};
use crate::programs::Context;
use crate::programs::names::{Names, Unconnected};

/// How long a UDP stream waits for the server's word.
const HELLO_WAIT: Duration = Duration::from_secs(30);
/// After this time the hello is sent again: the original would wait for ever for one that was lost.
const HELLO_AGAIN: Duration = Duration::from_secs(1);

/// One stream of the load.
enum Stream {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

/// Runs one test.
pub(super) async fn run(context: &Context, options: &Options, host: &str) -> Result<(), TestError> {
    let net = &context.net;
    let params = &options.params;
    let names = Names::new(net.clone());
    let connect = names.connect(host, options.port, options.family, &options.tcp);
    let connected = match options.connect_timeout {
        None => connect.await,
        Some(limit) => net.timeout(limit, connect).await.unwrap_or_else(|e| Err(Unconnected::Way(e.into()))),
    };
    let (mut control, server) = connected.map_err(|e| match e {
        Unconnected::Name(why) => TestError::Resolve(format!("{host}: {why}")),
        Unconnected::Way(e) => TestError::Connect(e),
    })?;
    let _ = control.set_nodelay(septet_socket::Nodelay::On);
    let direction = if params.reverse { Direction::Received } else { Direction::Sent };
    let mut report = Report::new(context, options, direction);
    report.connecting(host, options.port);
    let cookie = Cookie::new(net);
    report.cookie(&cookie);
    control.write_all(&cookie.0).await.map_err(TestError::control)?;
    let mut streams = Vec::new();
    let meters: Vec<Meter> = (0..params.streams).map(|_| Meter::default()).collect();
    loop {
        match control.read_i8().await.map_err(TestError::control)? {
            state::PARAM_EXCHANGE => params.send(&mut control).await.map_err(TestError::control)?,
            state::CREATE_STREAMS => {
                for _ in 0..params.streams {
                    let stream = open(net, options, server, &cookie).await.map_err(TestError::Stream)?;
                    let (local, remote) = match &stream {
                        Stream::Tcp(s) => (s.local_addr(), s.peer_addr()),
                        Stream::Udp(s) => (s.local_addr(), Ok(server)),
                    };
                    report.connected(local.ok(), remote.ok());
                    streams.push(stream);
                }
            }
            state::TEST_START => report.started(),
            state::TEST_RUNNING => {
                measure(net, params, server, &mut control, &mut streams, &meters, &mut report).await?;
                protocol::send_state(&mut control, state::TEST_END).await.map_err(TestError::control)?;
            }
            state::EXCHANGE_RESULTS => {
                let ours = results(&report, &meters);
                protocol::send_json(&mut control, &ours).await.map_err(TestError::control)?;
                let theirs: Results = protocol::receive_json(&mut control).await.map_err(TestError::control)?;
                report.theirs(theirs);
            }
            state::DISPLAY_RESULTS => {
                protocol::send_state(&mut control, state::IPERF_DONE).await.map_err(TestError::control)?;
                report.finish(&meters);
                return Ok(());
            }
            state::ACCESS_DENIED => return Err(TestError::Busy),
            state::SERVER_TERMINATE => return Err(TestError::ServerEnded),
            state::SERVER_ERROR => {
                let code = control.read_i32().await.map_err(TestError::control)?;
                return Err(TestError::Server(code));
            }
            other => return Err(TestError::Nonsense(other.to_string())),
        }
    }
}

async fn open(net: &NetRef, options: &Options, server: SocketAddr, cookie: &Cookie) -> std::io::Result<Stream> {
    if options.params.transport == Transport::Tcp {
        let mut stream = net.connect(server, options.tcp.clone()).await?;
        stream.write_all(&cookie.0).await?;
        return Ok(Stream::Tcp(stream));
    }
    let socket = net.open_udp(server.ip())?;
    socket.connect(server)?;
    let deadline = net.now() + HELLO_WAIT;
    let mut buf = [0; 16];
    while net.now() < deadline {
        socket.send(&protocol::UDP_HELLO.to_le_bytes()).await?;
        if let Ok(reply) = net.timeout(HELLO_AGAIN, socket.receive(&mut buf)).await {
            reply?;
            return Ok(Stream::Udp(socket));
        }
    }
    Err(std::io::ErrorKind::TimedOut.into())
}

/// Carries the load until the time is over or the amount is through.
async fn measure(
    net: &NetRef,
    params: &Params,
    server: SocketAddr,
    control: &mut TcpStream,
    streams: &mut [Stream],
    meters: &[Meter],
    report: &mut Report<'_>,
) -> Result<(), TestError> {
    let budget = Budget::new(params);
    let carriers: FuturesUnordered<_> = streams
        .iter_mut()
        .zip(meters)
        .map(|(stream, meter)| carry(net, params, server, stream, meter, &budget))
        .collect();
    let mut carried = core::pin::pin!(carriers.for_each(|outcome| {
        if let Err(e) = outcome {
            net.count("iperf3.error");
            net.trace(Storey::Application, "iperf3.failed", |f| {
                f.set("to", server).set("why", format!("a stream broke off: {e}"));
            });
        }
        core::future::ready(())
    }));
    // A word from the server now can only be bad news; it also tells that the server is gone.
    let mut word = core::pin::pin!(control.read_i8());
    // iperf3(1) of `--time`: 0 is for ever.
    let endless = params.bytes > 0 || params.time.is_zero();
    let end = if endless { None } else { Some(net.now() + params.time) };
    loop {
        let next = match (report.next_tick(), end) {
            (Some(tick), Some(end)) => Some(tick.min(end)),
            (tick, end) => tick.or(end),
        };
        let timer = async {
            match next {
                Some(at) => net.sleep_until(at).await,
                None => core::future::pending().await,
            }
        };
        let timer = core::pin::pin!(timer);
        match select(select(timer, &mut carried), &mut word).await {
            Either::Left((Either::Left(_), _)) => {}
            // Everything is through, or every stream has failed.
            Either::Left((Either::Right(_), _)) => break,
            Either::Right((Ok(state::SERVER_TERMINATE), _)) => return Err(TestError::ServerEnded),
            Either::Right((Ok(other), _)) => return Err(TestError::Nonsense(other.to_string())),
            Either::Right((Err(e), _)) => return Err(TestError::control(e)),
        }
        let received: u64 = meters.iter().map(|m| m.read().bytes).sum();
        if end.is_some_and(|end| net.now() >= end) || (params.reverse && params.bytes > 0 && received >= params.bytes) {
            break;
        }
        report.tick(meters);
    }
    report.stopped(meters);
    Ok(())
}

async fn carry(
    net: &NetRef,
    params: &Params,
    server: SocketAddr,
    stream: &mut Stream,
    meter: &Meter,
    budget: &Budget,
) -> std::io::Result<()> {
    match stream {
        Stream::Tcp(stream) if params.reverse => receive_tcp(stream, params, meter).await,
        Stream::Tcp(stream) => send_tcp(net, stream, params, budget, meter).await,
        Stream::Udp(socket) if params.reverse => {
            let mut buf = vec![0; params.block.max(64)];
            loop {
                let datagram = socket.receive(&mut buf).await?;
                meter.datagram(net, params, &buf[..datagram.len.min(buf.len())]);
            }
        }
        Stream::Udp(socket) => send_udp(net, socket, server, params, budget, meter).await,
    }
}

/// What this end measured, as it is told to the other.
pub(super) fn results(report: &Report<'_>, meters: &[Meter]) -> Results {
    let end_time = report.seconds();
    let result = |(i, meter): (usize, &Meter)| {
        let count = meter.read();
        StreamResult {
            id: stream_id(i),
            bytes: count.bytes,
            retransmits: -1,
            jitter: count.jitter,
            errors: count.lost,
            packets: count.packets,
            start_time: 0.0,
            end_time,
        }
    };
    Results { streams: meters.iter().enumerate().map(result).collect(), ..Results::default() }
}
