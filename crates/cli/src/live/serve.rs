//! `septet serve`: our own TCP/IP straight on a TAP interface, without a lab.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use bytes::Bytes;
use septet_application::http::{Page, Server, Site};
use septet_datalink::ethernet::MacAddr;
use septet_host::{Host, HostConfig, StaticRoute};
use septet_live::linux::interface::Interface;
use septet_live::linux::stack::{Stack, host_config};
use septet_live::linux::tap::{Offload, Persistence, Tap};
use septet_network::{InterfaceConfig, Prefix};
use septet_socket::{Acceptor, ListenOptions, NetExt, NetRef, Places, TcpOptions, TcpStream};
use septet_transport::tcp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::args::{ServeArgs, TapArgs};
use super::up::quit;
use crate::exit::{Exit, Failure, environment};
use crate::terminal::tell;

/// Bytes of one read or write.
const CHUNK: usize = 256 * 1024;
/// The interface, where none is named.
const INTERFACE: &str = "septet0";
/// What `--http` serves.
const PAGE: u64 = 1024;

pub(super) fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    let interface = args.tap.tap.as_deref().unwrap_or(INTERFACE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    runtime.block_on(async {
        let stack = stack(&args.tap, interface, |host| boot(args, host))?;
        let quit = quit().map_err(environment)?;
        let (done, sent) = tokio::sync::oneshot::channel();
        if let Some(to) = args.send {
            let (net, bytes) = (stack.net(), args.bytes.unwrap_or(u64::MAX));
            let options = TcpOptions::default();
            stack.with(|_, _, _| {
                let send = async move {
                    let result = match net.connect(to, options).await {
                        Ok(stream) => give(stream, bytes).await,
                        Err(e) => Err(e),
                    };
                    // Who listened has gone only where the command ends anyway.
                    let _ = done.send(result);
                };
                stack.net().spawn(Box::pin(send));
            });
            tokio::select! {
                result = stack.run() => result.map(|()| Exit::Ok).map_err(environment),
                result = sent => match result {
                    Ok(Ok(())) => Ok(Exit::Ok),
                    Ok(Err(e)) => Err(Failure::environment(format!("{to}: {e}"))),
                    Err(_) => Ok(Exit::Ok),
                },
                () = quit => Ok(Exit::Interrupted),
            }
        } else {
            tokio::select! {
                result = stack.run() => result.map(|()| Exit::Ok).map_err(environment),
                () = quit => Ok(Exit::Interrupted),
            }
        }
    })
}

/// Our stack on the interface, booted by `boot`. Needs a tokio runtime.
pub(super) fn stack(args: &TapArgs, interface: &str, boot: impl FnOnce(&mut Host)) -> Result<Stack, Failure> {
    let offload = if args.plain { Offload::None } else { Offload::Full };
    let config = config(args, offload)?;
    let tap = Tap::open(interface, offload, Persistence::Fresh).map_err(environment)?;
    if let Some(kernel) = args.kernel {
        configure(&tap, args, kernel).map_err(environment)?;
    }
    let name = tap.name().to_owned();
    let stack = Stack::new(tap, config, boot).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidInput => Failure::usage(e.to_string()),
        _ => environment(e),
    })?;
    println!("{} on {name}", args.address.addr());
    Ok(stack)
}

fn config(args: &TapArgs, offload: Offload) -> Result<HostConfig, Failure> {
    let mut tcp = Stack::tcp(offload);
    if let Some(wanted) = &args.congestion {
        let known = tcp::controller_names().find(|name| name == wanted);
        tcp.congestion_control = known.ok_or_else(|| {
            let all: Vec<&str> = tcp::controller_names().collect();
            Failure::usage(format!("--congestion {wanted}: known are {}", all.join(", ")))
        })?;
    }
    let interface = InterfaceConfig { mac: MacAddr::local(7), addresses: vec![args.address], mtu: args.mtu };
    let routes = args
        .gateway
        .map(|gateway| StaticRoute::new(Prefix::new(gateway, 0).expect("no bits are fixed"), gateway))
        .into_iter()
        .collect();
    let name_servers = args.name_server.iter().map(|server| (*server, 53).into()).collect();
    Ok(HostConfig { routes, name_servers, ..host_config("septet", interface, tcp) })
}

/// What the host serves each time it is switched on.
fn boot(args: &ServeArgs, host: &mut Host) {
    if let Some(port) = args.http {
        host.on_boot(move |net| {
            let server = Server::new(Site::new(Page::pattern(PAGE))).listen((Ipv6Addr::UNSPECIFIED, port).into());
            let inner = net.clone();
            net.spawn(Box::pin(async move { complain("--http", server.serve(inner).await) }));
        });
    }
    if let Some(port) = args.sink {
        host.on_boot(move |net| listen("--sink", net, port, drain));
    }
    if let Some(port) = args.source {
        let bytes = args.bytes.unwrap_or(u64::MAX);
        host.on_boot(move |net| listen("--source", net, port, move |stream| give(stream, bytes)));
    }
    if let Some(port) = args.echo {
        host.on_boot(move |net| listen("--echo", net, port, echo));
    }
}

/// The kernel's side of the interface.
fn configure(tap: &Tap, args: &TapArgs, kernel: IpAddr) -> io::Result<()> {
    let interface = Interface::open(tap.name())?;
    interface.set_mtu(args.mtu)?;
    // Linux forgets addresses of IPv6 that an interface gets before it is up.
    interface.up()?;
    interface.set_address(kernel, args.address.prefix_len())
}

/// Serves each connection by a task of its own.
fn listen<F>(what: &'static str, net: NetRef, port: u16, serve: impl Fn(TcpStream) -> F + Send + Sync + 'static)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let inner = net.clone();
    net.spawn(Box::pin(async move {
        let result = async {
            let listener = inner.listen(inner.everywhere(port), ListenOptions::default())?;
            let serve = |(stream, _)| {
                let serving = serve(stream);
                // How a peer ends its connection is its own affair.
                async move { drop(serving.await) }
            };
            Acceptor::new(listener, &Places::default()).serve(&inner, serve).await
        };
        complain(what, result.await);
    }));
}

async fn drain(mut stream: TcpStream) -> io::Result<()> {
    while stream.read_frame().await?.is_some() {}
    Ok(())
}

async fn give(mut stream: TcpStream, mut bytes: u64) -> io::Result<()> {
    let chunk = Bytes::from(vec![b'7'; CHUNK]);
    while bytes > 0 {
        let n = bytes.min(CHUNK as u64);
        stream.write_bytes(chunk.slice(..n as usize)).await?;
        bytes -= n;
    }
    stream.shutdown().await?;
    // The other side's end says that everything arrived.
    let mut rest = [0; 64];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = vec![0; CHUNK];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buf[..n]).await?;
    }
}

fn complain(what: &str, result: io::Result<()>) {
    if let Err(e) = result {
        tell!("septet: {what}: {e}");
    }
}
