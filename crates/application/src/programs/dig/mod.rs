//! `dig`: asks a name server and shows the answer.

mod options;
mod print;

use septet_core::Metric;
use std::net::SocketAddr;

use septet_core::Storey;
use septet_socket::{BoxFuture, NetExt};

use super::{Context, Misuse, Needs, Program, complain};
use crate::dns::{Query, Reply, Resolver, ResponseCode, Transport, code_name, exchange};
use options::{Options, Question};

/// The program.
pub(super) struct Dig;

/// dig(1): "9 no reply from server".
const NO_REPLY: u8 = 9;

impl Program for Dig {
    fn name(&self) -> &'static str {
        "dig"
    }

    fn summary(&self) -> &'static str {
        "asks a name server"
    }

    fn usage(&self) -> &'static str {
        "Usage: dig [@server] [-p port] [-4|-6] [-x address | name] [type] [+option...]
 +[no]short        Show the data of the answer only
 +[no]tcp          Ask over TCP
 +[no]ignore       Take a truncated answer as it is
 +[no]recurse      Ask for recursion
 +[no]edns, +bufsize=B
 +time=T           Wait T seconds for an answer (5)
 +tries=T, +retry=T  Ask over UDP T times (3), or once more than T
 +[no]all, +[no]cmd, +[no]comments, +[no]question, +[no]answer, +[no]authority,
 +[no]additional, +[no]stats  Show or leave out this part
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::of(&e, e.error.options()))?;
        Ok(Needs { hosts: options.server.into_iter().collect(), ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => run(context, &options, &args).await,
                Err(e) => complain(&context, "dig", &e, 1),
            }
        })
    }
}

async fn run(context: Context, options: &Options, args: &[String]) -> u8 {
    let servers = match servers(&context, options).await {
        Ok(servers) => servers,
        Err(e) => return complain(&context, "dig", &e, 10),
    };
    let mut status = 0;
    for (i, question) in options.questions.iter().enumerate() {
        let banner = if i == 0 { print::banner(options, args, servers.len()) } else { String::new() };
        match ask(&context, options, question, &servers).await {
            Ok((server, reply)) => {
                let text = print::reply(&context.net, options, question, server, &reply, &banner);
                context.console.out(text.as_bytes());
            }
            Err(failures) => {
                status = NO_REPLY;
                context.net.trace(Storey::Application, "dns.failed", |f| {
                    f.set("name", question.name.to_ascii()).set("type", question.kind.to_string());
                    f.set("why", "no servers could be reached");
                });
                let text = format!("{}{banner};; no servers could be reached\n", failures.concat());
                context.console.out(text.as_bytes());
            }
        }
    }
    status
}

/// Whom to ask: the server named, or those of the host.
async fn servers(context: &Context, options: &Options) -> Result<Vec<SocketAddr>, String> {
    let port = options.port;
    let at = |mut server: SocketAddr| {
        if let Some(port) = port {
            server.set_port(port);
        }
        server
    };
    match &options.server {
        None => {
            let servers = context.net.name_servers().into_iter().filter(|server| options.family.has(server.ip()));
            let servers: Vec<_> = servers.map(at).collect();
            if servers.is_empty() { Err("this host knows no name server".to_owned()) } else { Ok(servers) }
        }
        Some(name) => {
            let addresses = Resolver::new(context.net.clone()).addresses(name, options.family).await;
            let addresses = addresses.map_err(|e| format!("couldn't get address for '{name}': {e}"))?;
            Ok(addresses.into_iter().map(|ip| at(SocketAddr::new(ip, crate::dns::PORT))).collect())
        }
    }
}

/// Asks the servers in turn until one answers; on failure what went wrong, line by line.
async fn ask(
    context: &Context,
    options: &Options,
    question: &Question,
    servers: &[SocketAddr],
) -> Result<(SocketAddr, Reply), Vec<String>> {
    let mut failures = Vec::new();
    let rounds = if options.transport == Transport::Tcp { 1 } else { options.tries };
    for _ in 0..rounds {
        for server in servers {
            let query = Query {
                recursion_desired: options.recurse,
                edns: options.edns,
                transport: options.transport_for(question),
                timeout: options.timeout,
                ..Query::new(*server, question.name.clone(), question.kind)
            };
            match exchange(&context.net, &query).await {
                Ok(reply) => {
                    let code = reply.message.metadata.response_code;
                    context.net.count("dns.ok");
                    context.net.count(&format!("dns.code.{}", code_name(code)));
                    context.net.observe("dns.time", reply.took.as_secs_f64());
                    // Another server may know better; the last one's word is taken as it is.
                    if code == ResponseCode::ServFail && Some(server) != servers.last() {
                        continue;
                    }
                    return Ok((*server, reply));
                }
                Err(e) => {
                    context.net.count("dns.error");
                    let place = format!("{}#{}", server.ip(), server.port());
                    failures.push(match (query.transport, e.kind()) {
                        (Transport::Tcp, std::io::ErrorKind::TimedOut) | (Transport::Udp | Transport::UdpOnly, _) => {
                            format!(";; communications error to {place}: {}\n", print::io_error(&e))
                        }
                        (Transport::Tcp, _) => format!(
                            ";; Connection to {place}({}) for {} failed: {}.\n",
                            server.ip(),
                            question.text,
                            print::io_error(&e)
                        ),
                    });
                }
            }
        }
    }
    Err(failures)
}

/// What it records beside what every lookup does.
const METRICS: &[Metric] = &[Metric::counter("dns.code.*", "answers with this response code: `dns.code.NXDOMAIN`")];
