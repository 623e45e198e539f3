//! The server: one test at a time.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use septet_core::Storey;
use septet_socket::{Accepted, Acceptor, ListenOptions, NetExt, NetRef, Place, Places, TcpStream, UdpSocket};
use tokio::io::AsyncReadExt;

use super::TestError;
use super::client::results;
use super::options::Options;
use super::protocol::{self, Cookie, Params, Results, Transport, state};
use super::report::{Direction, Report};
use super::stream::{Budget, Meter, receive_tcp, send_tcp, send_udp};
use crate::dns::Family;
use crate::programs::Context;

/// A client that says nothing for so long while it should is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves tests, one after the other.
pub(super) async fn run(context: &Context, options: &Options) -> Result<(), TestError> {
    let net = &context.net;
    let at = everywhere(net, options);
    let listen = ListenOptions { tcp: options.tcp.clone(), ..ListenOptions::default() };
    let listener = net.listen(at, listen).map_err(TestError::Listen)?;
    let mut acceptor = Acceptor::new(listener, &Places::default());
    for test in 1.. {
        if !options.json {
            let line = "-".repeat(59);
            let text = format!("{line}\nServer listening on {} (test #{test})\n{line}\n", options.port);
            context.console.out(text.as_bytes());
        }
        let outcome = serve(context, options, &mut acceptor).await;
        if options.one_off {
            return outcome;
        }
        if let Err(e) = outcome {
            net.trace(Storey::Application, "iperf3.failed", |f| {
                f.set("why", e.to_string());
            });
            context.console.err(format!("iperf3: error - {e}\n").as_bytes());
        }
    }
    Ok(())
}

/// Where it listens: at all addresses, or those of the one version of IP that is asked for.
fn everywhere(net: &NetRef, options: &Options) -> SocketAddr {
    match options.family {
        Family::Any => net.everywhere(options.port),
        Family::V4 => (Ipv4Addr::UNSPECIFIED, options.port).into(),
        Family::V6 => (Ipv6Addr::UNSPECIFIED, options.port).into(),
    }
}

/// The streams of a test.
enum Streams {
    Tcp(Vec<TcpStream>),
    /// One socket for all, told apart by who sends.
    Udp(UdpSocket, Vec<SocketAddr>),
}

async fn serve(context: &Context, options: &Options, acceptor: &mut Acceptor) -> Result<(), TestError> {
    let net = &context.net;
    let ((mut control, client), _place) = next(net, acceptor).await.map_err(TestError::Listen)?;
    let _ = control.set_nodelay(septet_socket::Nodelay::On);
    let cookie = patiently(net, Cookie::read(&mut control)).await?;
    patiently(net, protocol::send_state(&mut control, state::PARAM_EXCHANGE)).await?;
    let params = patiently(net, Params::receive(&mut control)).await?;
    let direction = if params.reverse { Direction::Sent } else { Direction::Received };
    let options = Options { params, ..options.clone() };
    let mut report = Report::new(context, &options, direction);
    report.cookie(&cookie);
    report.accepted(client);
    let params = &options.params;
    // The socket is there before the client may send to it.
    let udp = match params.transport {
        Transport::Tcp => None,
        Transport::Udp => Some(net.bind_udp(everywhere(net, &options)).map_err(TestError::Listen)?),
    };
    patiently(net, protocol::send_state(&mut control, state::CREATE_STREAMS)).await?;
    let mut streams = match udp {
        None => Streams::Tcp(patiently(net, accept_streams(net, acceptor, params, &cookie)).await?),
        Some(socket) => {
            let peers = patiently(net, greet(&socket, params)).await?;
            Streams::Udp(socket, peers)
        }
    };
    match &streams {
        Streams::Tcp(streams) => {
            streams.iter().for_each(|s| report.connected(s.local_addr().ok(), s.peer_addr().ok()));
        }
        Streams::Udp(socket, peers) => peers.iter().for_each(|p| report.connected(socket.local_addr().ok(), Some(*p))),
    }
    patiently(net, protocol::send_state(&mut control, state::TEST_START)).await?;
    patiently(net, protocol::send_state(&mut control, state::TEST_RUNNING)).await?;
    report.started();
    let meters: Vec<Meter> = (0..params.streams).map(|_| Meter::default()).collect();
    measure(net, params, &mut control, &mut streams, &meters, &mut report).await?;
    if params.reverse {
        // The original reads whole blocks: it hears nothing more of us until the one that it has begun is full, or ends.
        drop(streams);
    }
    patiently(net, protocol::send_state(&mut control, state::EXCHANGE_RESULTS)).await?;
    let theirs: Results = patiently(net, protocol::receive_json(&mut control)).await?;
    patiently(net, protocol::send_json(&mut control, &results(&report, &meters))).await?;
    report.theirs(theirs);
    patiently(net, protocol::send_state(&mut control, state::DISPLAY_RESULTS)).await?;
    report.finish(&meters);
    // The client says that it is done, or just goes.
    let _ = net.timeout(PATIENCE, control.read_i8()).await;
    Ok(())
}

async fn patiently<T>(net: &NetRef, work: impl Future<Output = std::io::Result<T>> + Send) -> Result<T, TestError> {
    net.timeout(PATIENCE, work).await.unwrap_or_else(|e| Err(e.into())).map_err(TestError::control)
}

/// The next connection.
async fn next(net: &NetRef, acceptor: &mut Acceptor) -> std::io::Result<((TcpStream, SocketAddr), Place)> {
    loop {
        if let Accepted::Placed(taken, place) = acceptor.accept(net).await? {
            return Ok((taken, place));
        }
    }
}

/// Takes the streams of the test that `cookie` names; another client is turned away.
async fn accept_streams(
    net: &NetRef,
    acceptor: &mut Acceptor,
    params: &Params,
    cookie: &Cookie,
) -> std::io::Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    while streams.len() < params.streams as usize {
        let ((mut stream, _), _place) = next(net, acceptor).await?;
        match net.timeout(PATIENCE, Cookie::read(&mut stream)).await {
            Ok(Ok(read)) if read == *cookie => streams.push(stream),
            Ok(Ok(_)) => drop(protocol::send_state(&mut stream, state::ACCESS_DENIED).await),
            _ => {}
        }
    }
    Ok(streams)
}

async fn greet(socket: &UdpSocket, params: &Params) -> std::io::Result<Vec<SocketAddr>> {
    let mut peers = Vec::new();
    let mut buf = [0; 64];
    while peers.len() < params.streams as usize {
        let hello = socket.receive(&mut buf).await?;
        let reply = match buf.first_chunk().filter(|_| hello.len == 4).map(|b| u32::from_le_bytes(*b)) {
            Some(protocol::UDP_HELLO) => protocol::UDP_REPLY,
            Some(protocol::OLD_UDP_HELLO) => protocol::OLD_UDP_REPLY,
            _ => continue,
        };
        if !peers.contains(&hello.from) {
            peers.push(hello.from);
        }
        socket.send_to(&reply.to_le_bytes(), hello.from).await?;
    }
    Ok(peers)
}

/// Carries the load until the client says that the test is over.
async fn measure(
    net: &NetRef,
    params: &Params,
    control: &mut TcpStream,
    streams: &mut Streams,
    meters: &[Meter],
    report: &mut Report<'_>,
) -> Result<(), TestError> {
    // The client keeps the count, of bytes as well as of time.
    let budget = Budget::new(&Params { bytes: if params.reverse { params.bytes } else { 0 }, ..params.clone() });
    let work = async {
        match streams {
            Streams::Tcp(streams) => {
                let mut carriers: FuturesUnordered<_> = streams
                    .iter_mut()
                    .zip(meters)
                    .map(async |(stream, meter)| match params.reverse {
                        true => send_tcp(net, stream, params, &budget, meter).await,
                        false => receive_tcp(stream, params, meter).await,
                    })
                    .collect();
                while carriers.next().await.is_some() {}
            }
            Streams::Udp(socket, peers) if params.reverse => {
                let socket = &*socket;
                let mut carriers: FuturesUnordered<_> = peers
                    .iter()
                    .zip(meters)
                    .map(|(peer, meter)| send_udp(net, socket, *peer, params, &budget, meter))
                    .collect();
                while carriers.next().await.is_some() {}
            }
            Streams::Udp(socket, peers) => receive_udp(net, socket, peers, params, meters).await,
        }
        core::future::pending::<()>().await;
    };
    let mut work = core::pin::pin!(work);
    let mut word = core::pin::pin!(control.read_i8());
    loop {
        let tick = report.next_tick();
        let timer = async {
            match tick {
                Some(at) => net.sleep_until(at).await,
                None => core::future::pending().await,
            }
        };
        let timer = core::pin::pin!(timer);
        match select(select(timer, &mut work), &mut word).await {
            Either::Left(_) => report.tick(meters),
            Either::Right((Ok(state::TEST_END), _)) => break,
            Either::Right((Ok(state::CLIENT_TERMINATE), _)) => return Err(TestError::Closed),
            Either::Right((Ok(other), _)) => return Err(TestError::Nonsense(other.to_string())),
            Either::Right((Err(e), _)) => return Err(TestError::control(e)),
        }
    }
    report.stopped(meters);
    Ok(())
}

async fn receive_udp(net: &NetRef, socket: &UdpSocket, peers: &[SocketAddr], params: &Params, meters: &[Meter]) {
    let streams: BTreeMap<_, _> = peers.iter().zip(meters).collect();
    let mut buf = vec![0; 65_536];
    loop {
        let Ok(datagram) = socket.receive(&mut buf).await else { continue };
        let Some(meter) = streams.get(&datagram.from) else { continue };
        let bytes = &buf[..datagram.len.min(buf.len())];
        // The hello of a client that has not heard our reply.
        if bytes == protocol::UDP_HELLO.to_le_bytes() {
            let _ = socket.send_to(&protocol::UDP_REPLY.to_le_bytes(), datagram.from).await;
            continue;
        }
        meter.datagram(net, params, bytes);
    }
}
