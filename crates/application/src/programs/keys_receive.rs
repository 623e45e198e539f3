//! `keys-receive`: reads what `keys-send` keeps from others.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_core::{Metric, Storey};
use septet_presentation::keys::{LongTerm, Receiver};
use septet_socket::{Acceptor, BoxFuture, ListenOptions, NetExt, Places, TcpStream};
use tokio::io::AsyncWriteExt;

use super::args::{self, Arg, ArgError, At, Spec, value};
use super::keys_send::{PORT, Wire, broken};
use super::{Context, Lasts, Misuse, Needs, Program, Transport, complain};

/// The program.
pub(super) struct KeysReceive;

impl Program for KeysReceive {
    fn name(&self) -> &'static str {
        "keys-receive"
    }

    fn summary(&self) -> &'static str {
        "reads what `keys-send` keeps from others by keys"
    }

    fn usage(&self) -> &'static str {
        "Usage: keys-receive [options] [<port>]
 --leak <port>  Give the private keys to whoever comes to this port: somebody broke in
The port is 7070 unless said otherwise.
"
    }

    fn metrics(&self) -> &'static [Metric] {
        METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        let options = Options::parse(args).map_err(|e| Misuse::by(&e, SPECS))?;
        Ok(Needs { listens: Some((Transport::Tcp, options.port)), lasts: Lasts::Forever, ..Needs::default() })
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match serve(&context, &options).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "keys-receive", &e, 1),
                },
                Err(e) => complain(&context, "keys-receive", &e, 2),
            }
        })
    }
}

struct Options {
    port: u16,
    leak: Option<u16>,
}

const SPECS: &[Spec] = &[value(' ', "leak")];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self { port: 0, leak: None };
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) if options.port == 0 => options.port = args::port("port", &word)?,
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(_) => {}
                Arg::Value(_, text) => options.leak = Some(args::port("--leak", &text)?),
            }
            Ok(())
        })?;
        if options.port == 0 {
            options.port = PORT;
        }
        Ok(options)
    }
}

async fn serve(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let keys = Arc::new(LongTerm::generate(&mut |octets| net.fill_random(octets)));
    let leak = options.leak.map(|port| net.listen(net.everywhere(port), ListenOptions::default())).transpose()?;
    let listener = net.listen(net.everywhere(options.port), ListenOptions::default())?;
    let leaking = async {
        let Some(listener) = leak else { return core::future::pending().await };
        let give = |(mut stream, to): (TcpStream, SocketAddr)| {
            let (net, keys) = (net.clone(), keys.clone());
            async move {
                net.trace(Storey::Presentation, "keys.stolen", |f| {
                    f.set("to", to);
                });
                let _ = stream.write_all(&keys.to_octets()).await;
                let _ = stream.shutdown().await;
            }
        };
        Acceptor::new(listener, &Places::default()).serve(net, give).await
    };
    let take = |(stream, from)| {
        let (context, keys) = (context.clone(), keys.clone());
        async move {
            if let Err(e) = receive(&context, &keys, stream, from).await {
                context.net.count("keys.error");
                complain(&context, "keys-receive", &e, 1);
            }
        }
    };
    let receiving = Acceptor::new(listener, &Places::default());
    let receiving = receiving.serve(net, take);
    let (receiving, leaking) = (core::pin::pin!(receiving), core::pin::pin!(leaking));
    futures_util::future::select(receiving, leaking).await.factor_first().0
}

async fn receive(context: &Context, keys: &LongTerm, mut stream: TcpStream, from: SocketAddr) -> io::Result<()> {
    let net = &context.net;
    let mut random = |octets: &mut [u8]| net.fill_random(octets);
    let (mut receiver, mut wire) = (Receiver::new(keys), Wire::default());
    while let Some(message) = wire.hear(net, &mut stream).await? {
        let answers = receiver.hear(&message, &mut random).map_err(broken)?;
        wire.say(net, &mut stream, &answers).await?;
    }
    let text = receiver.text().ok_or(io::ErrorKind::UnexpectedEof)?;
    net.count("keys.received");
    context.console.out(format!("{from}: {}\n", String::from_utf8_lossy(text)).as_bytes());
    stream.shutdown().await
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("keys.received", "texts that `keys-receive` could read"),
    Metric::counter("keys.error", "texts of `keys-send` and conversations of `keys-receive` that came to nothing"),
];
