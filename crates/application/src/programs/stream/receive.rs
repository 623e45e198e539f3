//! The end that listens.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use septet_core::{Instant, Storey};
use septet_socket::{GroupChange, ListenOptions, NetExt, TcpStream, UdpSocket};
use tokio::io::AsyncReadExt;

use super::super::Context;
use super::super::names::Names;
use super::Options;
use super::rtp::{HEADER_LEN, Header, Order, Source};
use crate::dns::Family;

/// Sources that are told apart; what is beyond is passed over.
const SOURCES: usize = 64;

/// What has come.
struct Listener<'a> {
    context: &'a Context,
    buffer: Duration,
    begun: Instant,
    sources: BTreeMap<u32, Source>,
}

pub(super) async fn run(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let given = options.address().ok_or(io::ErrorKind::InvalidInput)?;
    // Where no address is given, at all of those of both versions.
    let at = if given.is_unspecified() { net.everywhere(options.port) } else { SocketAddr::new(given, options.port) };
    let group = Some(at.ip()).filter(IpAddr::is_multicast);
    let mut listener = Listener { context, buffer: options.buffer, begun: net.now(), sources: BTreeMap::new() };
    if options.tcp {
        let tcp = net.listen(at, ListenOptions::default())?;
        let work = async {
            loop {
                let (stream, _) = tcp.accept().await?;
                listener.read(stream).await?;
            }
        };
        match options.time {
            Some(time) => match net.timeout(time, work).await {
                Ok(ended) => return ended,
                Err(_elapsed) => {}
            },
            None => return work.await,
        }
    } else {
        let socket = net.bind_udp(at)?;
        let join = match &options.from {
            None => GroupChange::Join,
            Some(name) => GroupChange::JoinSource(source(context, name, at.ip()).await?),
        };
        listener.begun = net.now();
        if let Some(group) = group {
            socket.change_group(group, options.interface.as_deref(), join)?;
        }
        match options.time {
            Some(time) => drop(net.timeout(time, listener.hear(&socket)).await),
            None => listener.hear(&socket).await,
        }
        if let Some(group) = group {
            leave(context, options, &socket, group).await?;
        }
    }
    listener.sum_up();
    Ok(())
}

/// The source called `name`, by its address of the version of `group`.
async fn source(context: &Context, name: &str, group: IpAddr) -> io::Result<IpAddr> {
    let family = if group.is_ipv4() { Family::V4 } else { Family::V6 };
    match name.parse() {
        Ok(address) => Ok(address),
        Err(_) => Names::new(context.net.clone()).address(name, family).await.map_err(io::Error::other),
    }
}

/// Leaves the group, and looks how long its frames still come.
async fn leave(context: &Context, options: &Options, socket: &UdpSocket, group: IpAddr) -> io::Result<()> {
    socket.change_group(group, options.interface.as_deref(), GroupChange::Leave)?;
    context.net.sleep(options.linger).await;
    match socket.heard_after_leaving(group) {
        Ok(last) => context.net.observe("stream.leave", last.unwrap_or_default().as_secs_f64()),
        // The kernel does not tell.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {}
        Err(e) => return Err(e),
    }
    Ok(())
}

impl Listener<'_> {
    async fn hear(&mut self, socket: &UdpSocket) {
        let mut buf = vec![0; 65_536];
        loop {
            let Ok(datagram) = socket.receive(&mut buf).await else { continue };
            self.take(&buf[..datagram.len.min(buf.len())]);
        }
    }

    /// RFC 4571 §2: each packet behind its length.
    async fn read(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let mut buf = vec![0; 65_536];
        loop {
            let mut len = [0; 2];
            match stream.read_exact(&mut len).await {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(e) => return Err(e),
            }
            let packet = &mut buf[..usize::from(u16::from_be_bytes(len))];
            stream.read_exact(packet).await?;
            let packet = &*packet;
            self.take(packet);
        }
    }

    fn take(&mut self, packet: &[u8]) {
        let net = &self.context.net;
        let Some(header) = Header::read(packet) else { return };
        let at = Duration::from_nanos(net.now().as_nanos());
        if self.sources.is_empty() {
            net.observe("stream.join", (net.now() - self.begun).as_secs_f64());
        }
        if !self.sources.contains_key(&header.ssrc) {
            if self.sources.len() >= SOURCES {
                return;
            }
            net.trace(Storey::Application, "stream.begin", |f| {
                f.set("ssrc", format!("{:08x}", header.ssrc)).set("after", net.now() - self.begun);
            });
        }
        let source = self.sources.entry(header.ssrc).or_insert_with(|| Source::new(header, at));
        let heard = source.hear(header, packet.len() - HEADER_LEN, at, self.buffer);
        match heard.order {
            Order::Duplicate => return net.count("stream.duplicates"),
            Order::Earlier => net.count("stream.reordered"),
            Order::Next(0) => {}
            Order::Next(passed) => net.observe("stream.gap", passed as f64),
        }
        net.count("stream.received");
        net.observe("stream.jitter", source.jitter().as_secs_f64());
        if let Some(late) = heard.late {
            net.observe("stream.late", late.as_secs_f64());
        }
    }

    fn sum_up(&self) {
        let (net, console) = (&self.context.net, &self.context.console);
        let mut lost = 0;
        for (ssrc, source) in &self.sources {
            let counted = source.counted;
            lost += source.lost();
            let line = format!(
                "{ssrc:08x}: {} packets, {} bytes, {} lost in {} gaps, {} reordered, {} twice, {} late, jitter {:.3} ms\n",
                counted.packets,
                counted.bytes,
                source.lost(),
                counted.gaps,
                counted.reordered,
                counted.duplicates,
                counted.late,
                source.jitter().as_secs_f64() * 1e3,
            );
            console.out(line.as_bytes());
        }
        if self.sources.is_empty() {
            console.out(b"nothing came\n");
        }
        net.observe("stream.lost", lost as f64);
    }
}
