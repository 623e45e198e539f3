//! `nc`: opens connections and listens for them, as netcat of OpenBSD.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use futures_util::future::{Either, select};
use septet_core::Metric;
use septet_socket::{BoxFuture, ListenOptions, NetExt, TcpOptions, TcpStream, UdpSocket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::names::Names;
use super::{Context, Input, Lasts, Misuse, Needs, Program, Transport, complain};
use crate::dns::Family;

/// The program.
pub(super) struct Nc;

impl Program for Nc {
    fn name(&self) -> &'static str {
        "nc"
    }

    fn summary(&self) -> &'static str {
        "opens connections, listens for them, and looks which ports are open"
    }

    fn usage(&self) -> &'static str {
        "Usage: nc [options] <destination> <port>[-<port>]
       nc -l [options] [<address>] <port>
     --data <text>  Send this, and say that it is all
 -4, -6             Only addresses of this version of IP
 -k                 Listen again when a connection is over
 -l                 Listen
 -n                 Do not look names up
 -N                 Say that it is all at the end of the input
 -p <port>          The port to listen on
 -q <time>          Quit so many seconds after the end of the input; says that it is all, too
 -u                 UDP instead of TCP
 -v                 Say what becomes of connections
 -w <timeout>       Give up after so many seconds of silence, or without a connection
 -z                 Only look which ports are open
What it sends is its standard input: in a lab the text behind `<<<` at the end of the line.
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn reads_input(&self) -> bool {
        true
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        let transport = options.transport;
        if options.listen {
            let lasts = if options.again || options.wait.is_none() { Lasts::Forever } else { Lasts::Ends };
            return Ok(Needs { listens: Some((transport, options.ports.0)), lasts, ..Needs::default() });
        }
        Ok(Needs { hosts: options.host.into_iter().collect(), ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => {
                    let mut session =
                        Session { names: Names::new(context.net.clone()), context: &context, options: &options };
                    let ended = if options.listen { session.listen().await } else { session.connect().await };
                    match ended {
                        Ok(code) => code,
                        Err(why) => complain(&context, "nc", &why, 1),
                    }
                }
                Err(e) => complain(&context, "nc", &e, 1),
            }
        })
    }
}

struct Options {
    host: Option<String>,
    family: Family,
    ports: (u16, u16),
    transport: Transport,
    listen: bool,
    again: bool,
    scan: bool,
    verbose: bool,
    numeric: bool,
    wait: Option<Duration>,
    ending: Ending,
    data: Option<String>,
}

/// What is done at the end of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// Nothing: the other end has to close.
    Silent,
    /// `-N`: it is told.
    Told,
    /// `-q`: it is told, and after this time it is over.
    Quits(Duration),
}

const SPECS: &[Spec] = &[
    flag('4', ""),
    flag('6', ""),
    value(' ', "data"),
    flag('k', ""),
    flag('l', ""),
    flag('n', ""),
    flag('N', ""),
    value('p', ""),
    value('q', ""),
    flag('u', ""),
    flag('v', ""),
    value('w', ""),
    flag('z', ""),
];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self {
            host: None,
            family: Family::Any,
            ports: (0, 0),
            transport: Transport::Tcp,
            listen: false,
            again: false,
            scan: false,
            verbose: false,
            numeric: false,
            wait: None,
            ending: Ending::Silent,
            data: None,
        };
        let (mut free, mut port) = (Vec::new(), None);
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if free.len() < 2 => free.push(word),
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) => match name.as_str() {
                    "k" => options.again = true,
                    "l" => options.listen = true,
                    "n" => options.numeric = true,
                    "N" if options.ending == Ending::Silent => options.ending = Ending::Told,
                    "N" => {}
                    "u" => options.transport = Transport::Udp,
                    "v" => options.verbose = true,
                    "z" => options.scan = true,
                    other => options.family = args::family(other).unwrap_or(options.family),
                },
                Arg::Value(name, text) => match name.as_str() {
                    "p" => port = Some(args::port("-p", &text)?),
                    "q" => options.ending = Ending::Quits(args::duration("-q", &text)?),
                    "w" => options.wait = Some(args::span("-w", &text)?),
                    _ => options.data = Some(text),
                },
            }
            Ok(())
        })?;
        let last = if port.is_none() || free.len() == 2 { free.pop() } else { None };
        options.host = free.pop();
        options.ports = match (last, port) {
            (Some(text), _) => match text.split_once('-') {
                Some((from, to)) => (args::port("port", from)?, args::port("port", to)?),
                None => (args::port("port", &text)?, args::port("port", &text)?),
            },
            (None, Some(port)) => (port, port),
            (None, None) => return Err(ArgError::Missing("the port").into()),
        };
        if options.host.is_none() && !options.listen {
            return Err(ArgError::Missing("the port").into());
        }
        Ok(options)
    }
}

impl Ending {
    /// The other end is told, at least.
    fn told(self) -> Self {
        if self == Self::Silent { Self::Told } else { self }
    }
}

/// How long an UDP port may take to say that nobody listens: OpenBSD's `-z` sends for some seconds.
const SCAN: Duration = Duration::from_secs(2);

struct Session<'a> {
    context: &'a Context,
    options: &'a Options,
    names: Names,
}

impl Session<'_> {
    /// A line of `-v`: standard error, as the original has it.
    fn say(&self, line: &str) {
        if self.options.verbose {
            self.context.console.err(format!("{line}\n").as_bytes());
        }
    }

    async fn connect(&mut self) -> Result<u8, String> {
        let host = self.options.host.clone().unwrap_or_default();
        let words = |e: String| format!("getaddrinfo for host \"{host}\" port {}: {e}", self.options.ports.0);
        let ip = self.names.address(&host, self.options.family).await.map_err(words)?;
        let mut code = 1;
        let (from, to) = self.options.ports;
        for port in from.min(to)..=from.max(to) {
            let done = match self.options.transport {
                Transport::Tcp => self.connect_tcp(&host, SocketAddr::new(ip, port)).await,
                Transport::Udp => self.connect_udp(&host, SocketAddr::new(ip, port)).await,
            };
            match done {
                Ok(()) => code = 0,
                Err(e) => {
                    self.context.net.count("nc.failed");
                    let shown = if host == ip.to_string() { host.clone() } else { format!("{host} ({ip})") };
                    // The original says nothing of a port of UDP.
                    if self.options.transport == Transport::Tcp {
                        let why = match e.kind() {
                            // The clock of `-w` ends it, which leaves errno as connect(2) had set it.
                            io::ErrorKind::TimedOut if self.options.wait.is_some() => {
                                "timed out: Operation now in progress".to_owned()
                            }
                            _ => format!("failed: {}", reason(&e)),
                        };
                        self.say(&format!("nc: connect to {shown} port {port} (tcp) {why}"));
                    }
                }
            }
        }
        Ok(code)
    }

    fn succeeded(&self, host: &str, to: SocketAddr) {
        self.context.net.count("nc.connections");
        let shown = if host == to.ip().to_string() { host.to_owned() } else { format!("{host} ({})", to.ip()) };
        let protocol = if self.options.transport == Transport::Udp { "udp" } else { "tcp" };
        let service = service(to.port());
        self.say(&format!("Connection to {shown} {} port [{protocol}/{service}] succeeded!", to.port()));
    }

    async fn connect_tcp(&self, host: &str, to: SocketAddr) -> io::Result<()> {
        let net = &self.context.net;
        let connecting = net.connect(to, TcpOptions::default());
        let stream = match self.options.wait {
            Some(wait) => net.timeout(wait, connecting).await??,
            None => connecting.await?,
        };
        self.succeeded(host, to);
        if self.options.scan { Ok(()) } else { self.talk(stream).await }
    }

    /// What is to be sent, and what is done at its end.
    fn input(&self) -> (Input, Ending) {
        match &self.options.data {
            Some(data) => (Input::Text(format!("{data}\n")), self.options.ending.told()),
            None => match self.context.console.input() {
                // Who has nothing to say listens, or says so at once.
                Input::Nothing if !self.options.listen => (Input::Nothing, self.options.ending.told()),
                input => (input, self.options.ending),
            },
        }
    }

    /// Sends what is to be sent, and prints what comes until the other end has no more.
    async fn talk(&self, stream: TcpStream) -> io::Result<()> {
        let net = &self.context.net;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (input, ending) = self.input();
        let is_live = matches!(input, Input::Live(_));
        let sending = pin!(async {
            match input {
                Input::Nothing => {}
                Input::Text(text) => writer.write_all(text.as_bytes()).await?,
                Input::Live(mut input) => {
                    tokio::io::copy(&mut input, &mut writer).await?;
                }
            }
            if ending == Ending::Silent {
                return io::Result::Ok(());
            }
            writer.shutdown().await
        });
        let receiving = pin!(self.print(&mut reader));
        match select(sending, receiving).await {
            Either::Left((sent, receiving)) => {
                // Whoever does not take it may have something to say all the same.
                let received = match ending {
                    Ending::Quits(after) => match select(receiving, net.sleep(after)).await {
                        Either::Left((received, _)) => received,
                        Either::Right(_) => Ok(()),
                    },
                    _ => receiving.await,
                };
                received.and(sent)
            }
            // A listener is done with whom it heard out; others are when they have said all.
            Either::Right((received, sending)) if is_live && !self.options.listen => {
                received?;
                sending.await
            }
            Either::Right((received, _)) => received,
        }
    }

    /// Prints what comes.
    async fn print(&self, reader: &mut (impl AsyncRead + Send + Unpin)) -> io::Result<()> {
        let net = &self.context.net;
        let mut buf = vec![0; 16_384];
        loop {
            let read = reader.read(&mut buf);
            let n = match self.options.wait {
                // As the original: silence for so long ends it, and is no failure.
                Some(wait) => match net.timeout(wait, read).await {
                    Ok(n) => n?,
                    Err(_) => return Ok(()),
                },
                None => read.await?,
            };
            if n == 0 {
                return Ok(());
            }
            net.observe("nc.bytes", n as f64);
            self.context.console.out(&buf[..n]);
        }
    }

    async fn connect_udp(&self, host: &str, to: SocketAddr) -> io::Result<()> {
        let net = &self.context.net;
        let socket = net.open_udp(to.ip())?;
        socket.connect(to)?;
        let text = match self.input().0 {
            Input::Text(text) if !self.options.scan => text,
            Input::Live(input) if !self.options.scan => {
                self.succeeded(host, to);
                return self.talk_udp(&socket, input).await;
            }
            _ => "X".to_owned(),
        };
        socket.send(text.as_bytes()).await?;
        let mut buf = vec![0; 65_536];
        let wait = self.options.wait.unwrap_or(SCAN);
        match net.timeout(wait, socket.receive(&mut buf)).await {
            Ok(Ok(datagram)) => {
                self.succeeded(host, to);
                if !self.options.scan {
                    net.observe("nc.bytes", datagram.len as f64);
                    self.context.console.out(&buf[..datagram.len.min(buf.len())]);
                }
            }
            Ok(Err(e)) => return Err(e),
            // Nobody says that nobody is there.
            Err(_) => self.succeeded(host, to),
        }
        Ok(())
    }

    /// Sends what somebody says, each piece as a datagram, and prints what comes.
    async fn talk_udp(&self, socket: &UdpSocket, mut input: Box<dyn AsyncRead + Send + Unpin>) -> io::Result<()> {
        let net = &self.context.net;
        let (mut said, mut heard) = (vec![0; 16_384], vec![0; 65_536]);
        let (mut open, mut over) = (true, None);
        loop {
            // Silence ends it, with `-w`; and the end of the input some time later, with `-q`.
            let end = [self.options.wait.map(|wait| net.now() + wait), over].into_iter().flatten().min();
            let silence = end.map(|end| net.sleep_until(end));
            let woken = {
                let mut reading = pin!(input.read(&mut said));
                let mut receiving = pin!(socket.receive(&mut heard));
                let mut silence = silence;
                core::future::poll_fn(|cx| {
                    if let Poll::Ready(datagram) = receiving.as_mut().poll(cx) {
                        return Poll::Ready(Some(Err(datagram)));
                    }
                    if open && let Poll::Ready(read) = reading.as_mut().poll(cx) {
                        return Poll::Ready(Some(Ok(read)));
                    }
                    let is_silent = silence.as_mut().is_some_and(|s| core::pin::Pin::new(s).poll(cx).is_ready());
                    if is_silent { Poll::Ready(None) } else { Poll::Pending }
                })
                .await
            };
            match woken {
                None => return Ok(()),
                Some(Err(datagram)) => {
                    let len = datagram?.len.min(heard.len());
                    net.observe("nc.bytes", len as f64);
                    self.context.console.out(&heard[..len]);
                }
                Some(Ok(read)) => match read? {
                    0 => match self.options.ending {
                        Ending::Quits(after) => {
                            open = false;
                            over = Some(net.now() + after);
                        }
                        Ending::Silent | Ending::Told => open = false,
                    },
                    len => {
                        socket.send(&said[..len]).await?;
                    }
                },
            }
        }
    }

    async fn listen(&mut self) -> Result<u8, String> {
        let ip = match self.options.host.clone() {
            Some(host) => self.names.address(&host, self.options.family).await.map_err(|e| format!("{host}: {e}"))?,
            None => any(self.options.family != Family::V6),
        };
        let at = SocketAddr::new(ip, self.options.ports.0);
        match self.options.transport {
            Transport::Tcp => self.listen_tcp(at).await,
            Transport::Udp => {
                let socket = self.context.net.bind_udp(at).map_err(|e| reason(&e))?;
                self.say(&format!("Bound on {} {}", at.ip(), at.port()));
                self.listen_udp(&socket).await.map_err(|e| reason(&e))
            }
        }
    }

    async fn listen_tcp(&mut self, at: SocketAddr) -> Result<u8, String> {
        let net = &self.context.net;
        let listener = net.listen(at, ListenOptions::default()).map_err(|e| reason(&e))?;
        self.say(&format!("Listening on {} {}", at.ip(), at.port()));
        loop {
            let accepting = pin!(listener.accept());
            let accepted = match self.options.wait.filter(|_| !self.options.again) {
                Some(wait) => match select(accepting, net.sleep(wait)).await {
                    Either::Left((accepted, _)) => accepted,
                    Either::Right(_) => return Ok(1),
                },
                None => accepting.await,
            };
            let (stream, peer) = accepted.map_err(|e| reason(&e))?;
            net.count("nc.connections");
            let shown = self.shown(peer.ip()).await;
            self.say(&format!("Connection received on {shown} {}", peer.port()));
            // A connection that breaks off is over.
            let ended = self.talk(stream).await;
            if !self.options.again {
                return Ok(u8::from(ended.is_err()));
            }
        }
    }

    /// As the original: the first who sends something is the one with whom it speaks from then on; with `-k` everybody is heard,
    /// and nobody answered.
    async fn listen_udp(&mut self, socket: &UdpSocket) -> io::Result<u8> {
        let net = &self.context.net;
        let mut buf = vec![0; 65_536];
        loop {
            let receiving = socket.receive(&mut buf);
            let datagram = match self.options.wait {
                Some(wait) => match net.timeout(wait, receiving).await {
                    Ok(datagram) => datagram?,
                    Err(_) => return Ok(0),
                },
                None => receiving.await?,
            };
            net.observe("nc.bytes", datagram.len as f64);
            self.context.console.out(&buf[..datagram.len.min(buf.len())]);
            if self.options.again {
                continue;
            }
            socket.connect(datagram.from)?;
            net.count("nc.connections");
            let shown = self.shown(datagram.from.ip()).await;
            self.say(&format!("Connection received on {shown} {}", datagram.from.port()));
            let input: Box<dyn AsyncRead + Send + Unpin> = match self.input().0 {
                Input::Nothing => Box::new(tokio::io::empty()),
                Input::Text(text) => Box::new(io::Cursor::new(text.into_bytes())),
                Input::Live(input) => input,
            };
            self.talk_udp(socket, input).await?;
            return Ok(0);
        }
    }

    /// How somebody is called in a line of `-v`.
    async fn shown(&mut self, ip: IpAddr) -> String {
        let name = if self.options.numeric { None } else { self.names.name(ip).await };
        name.unwrap_or_else(|| ip.to_string())
    }
}

const fn any(is_v4: bool) -> IpAddr {
    if is_v4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) }
}

/// The words of strerror(3).
fn reason(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => "Connection refused".to_owned(),
        io::ErrorKind::TimedOut => "Operation timed out".to_owned(),
        io::ErrorKind::NetworkUnreachable => "Network is unreachable".to_owned(),
        io::ErrorKind::HostUnreachable => "No route to host".to_owned(),
        io::ErrorKind::AddrInUse => "Address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "Cannot assign requested address".to_owned(),
        io::ErrorKind::ConnectionReset => "Connection reset by peer".to_owned(),
        _ => e.to_string(),
    }
}

/// The name of a port in `/etc/services`, as far as a lab has servers of it.
fn service(port: u16) -> &'static str {
    match port {
        7 => "echo",
        22 => "ssh",
        25 => "smtp",
        53 => "domain",
        67 => "bootps",
        68 => "bootpc",
        80 => "http",
        123 => "ntp",
        143 => "imap2",
        179 => "bgp",
        443 => "https",
        520 => "route",
        993 => "imaps",
        _ => "*",
    }
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("nc.connections", "connections that were opened or taken, and ports found open"),
    Metric::counter("nc.failed", "connections that could not be opened"),
    Metric::bytes("nc.bytes", "bytes that came"),
];
