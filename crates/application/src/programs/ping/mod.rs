//! `ping`: echo requests, and what comes back.

mod options;
mod record;
mod session;
mod words;

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use septet_core::Metric;
use septet_socket::{BoxFuture, Broadcast, IcmpSocket};

use super::names::Names;
use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::Family;
use options::{Options, SPECS, Source, USAGE};
use record::Record;
use session::Session;

/// The program.
pub(super) struct Ping;

impl Program for Ping {
    fn name(&self) -> &'static str {
        "ping"
    }

    fn summary(&self) -> &'static str {
        "sends echo requests"
    }

    fn usage(&self) -> &'static str {
        USAGE
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        let hosts = options.nodes.into_iter().chain([options.destination]).collect();
        Ok(Needs { hosts, ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match run(&context, &options).await {
                    Ok(code) => code,
                    Err(why) => complain(&context, "ping", &why, 2),
                },
                Err(e) => complain(&context, "ping", &e, 2),
            }
        })
    }
}

async fn run(context: &Context, options: &Options) -> Result<u8, String> {
    let names = Names::new(context.net.clone());
    let destination = names
        .address(&options.destination, options.family)
        .await
        .map_err(|e| format!("{}: {e}", options.destination))?;
    let socket = context.net.open_icmp(destination).map_err(|e| format!("socket: {e}"))?;
    prepare(&socket, options)?;
    allow(context, &socket, options, destination)?;
    if destination.is_ipv4() {
        let nodes = addresses(&names, &options.nodes).await?;
        let recorded = options.record.options(&nodes);
        socket.set_options(&recorded).map_err(|e| format!("cannot set options of the header: {e}"))?;
    }
    // A destination given as an address is shown as one.
    let numeric = options.shows.numeric || options.destination.parse::<IpAddr>().is_ok();
    let mut session = Session::new(context, options, names, destination, numeric);
    session.print(&begin(context, options, destination)?);
    session.drive(&socket).await;
    Ok(session.summary())
}

fn prepare(socket: &IcmpSocket, options: &Options) -> Result<(), String> {
    match &options.source {
        Some(Source::Address(address)) => {
            socket.bind(*address).map_err(|_| "bind: Cannot assign requested address".to_owned())?;
        }
        Some(Source::Device(device)) => {
            socket.bind_device(device).map_err(|_| format!("SO_BINDTODEVICE {device}: No such device"))?;
        }
        None => {}
    }
    if let Some(ttl) = options.ttl {
        socket.set_ttl(ttl).map_err(|e| format!("cannot set the time to live: {e}"))?;
    }
    if let Some(tos) = options.tos {
        socket.set_tos(tos).map_err(|e| format!("cannot set the class of traffic: {e}"))?;
    }
    socket.set_mtu_discovery(options.discovery).map_err(|e| format!("cannot set path MTU discovery: {e}"))
}

/// Asks whether requests may go there at all: to everybody on a link only with `-b`.
fn allow(context: &Context, socket: &IcmpSocket, options: &Options, destination: IpAddr) -> Result<(), String> {
    let is_broadcast = socket.check(destination).is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied);
    if !is_broadcast {
        return Ok(());
    }
    if options.broadcast == Broadcast::Denied {
        return Err("Do you want to ping broadcast? Then -b. If not, check your local firewall rules".to_owned());
    }
    context.console.err(b"WARNING: pinging broadcast address\n");
    socket.set_broadcast(Broadcast::Allowed).map_err(|e| format!("cannot set broadcasting: {e}"))
}

async fn addresses(names: &Names, nodes: &[String]) -> Result<Vec<Ipv4Addr>, String> {
    let mut addresses = Vec::new();
    for node in nodes {
        if let IpAddr::V4(address) = names.address(node, Family::V4).await.map_err(|e| format!("{node}: {e}"))? {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// What is printed before all else.
fn begin(context: &Context, options: &Options, destination: IpAddr) -> Result<String, String> {
    let (name, size) = (&options.destination, options.size);
    let from = match &options.source {
        Some(Source::Address(address)) => format!("from {address} : "),
        Some(Source::Device(device)) => {
            let source = context.net.source_for(destination);
            let source = source.ok_or_else(|| "connect: Network is unreachable".to_owned())?;
            format!("from {source} {device}: ")
        }
        None => String::new(),
    };
    let pattern: String = options.pattern.iter().map(|byte| format!("{byte:02x}")).collect();
    let pattern = if pattern.is_empty() { String::new() } else { format!("PATTERN: 0x{pattern}\n") };
    Ok(match destination {
        IpAddr::V4(_) => {
            // As iputils, which counts the most that the options of a header can be.
            let headers = if options.record == Record::Nothing { 28 } else { 68 };
            format!("{pattern}PING {name} ({destination}) {from}{size}({}) bytes of data.\n", size + headers)
        }
        IpAddr::V6(_) => format!("{pattern}PING {name}({destination}) {from}{size} data bytes\n"),
    })
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("ping.sent", "echo requests sent"),
    Metric::counter("ping.ok", "echo replies received"),
    Metric::counter("ping.lost", "once at the end: requests without a reply"),
    Metric::counter("ping.error", "ICMP errors that came instead of a reply"),
    Metric::times("ping.time", "round-trip times"),
];
