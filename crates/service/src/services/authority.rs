//! `[host.X.authority]`: signs the requests of servers for certificates.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_application::dns::{Family, Resolver};
use septet_core::{Metric, Storey};
use septet_language::schema::{Key, Section, Table, TableOf};
use septet_presentation::ca::{Authority, Request};
use septet_socket::{Acceptor, ListenOptions, NetExt, NetRef, Places, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certificate::AT_PORT;
use crate::run::{Boot, run};
use crate::service::{Kind, On, Reading, Service};
use crate::site::{Site, StartError};

pub(crate) const KIND: Kind = Kind { key: &KEY, on: On::Hosts, metrics: METRICS, read };

static KEY: Key<TableOf> = Key::new("authority", TableOf(&SECTION), "signs requests for certificates");

static SECTION: Section = Section::new(
    "Signs requests for certificates (PKCS #10, PEM) at TCP port 7080, where every name in them leads to whoever asks.",
    &[],
);

/// No request is longer.
const LONGEST: u64 = 64 * 1024;

/// Signs requests for certificates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signing;

impl Service for Signing {
    fn name(&self) -> &'static str {
        KEY.name()
    }

    fn certificate_names(&self) -> Vec<String> {
        // It shows none, and yet there must be an authority.
        vec![String::new()]
    }

    fn ports(&self) -> Vec<u16> {
        vec![AT_PORT]
    }

    fn start(&self, site: &dyn Site) -> Result<Boot, StartError> {
        let authority = site.shared_authority();
        Ok(Box::new(move |net| {
            if let Some(authority) = authority.clone() {
                run(&net, KEY.name(), serve(net.clone(), authority));
            }
        }))
    }
}

fn read(_: &Table, _: &mut Reading<'_>) -> Option<Arc<dyn Service>> {
    Some(Arc::new(Signing))
}

async fn serve(net: NetRef, authority: Arc<Authority>) -> io::Result<()> {
    let listener = net.listen(net.everywhere(AT_PORT), ListenOptions::default())?;
    let resolver = Resolver::new(net.clone());
    let take = |(stream, from)| {
        let (net, authority, resolver) = (net.clone(), authority.clone(), resolver.clone());
        async move {
            if answer(&net, &authority, &resolver, stream, from).await.is_err() {
                net.count("authority.refused");
            }
        }
    };
    Acceptor::new(listener, &Places::default()).serve(&net, take).await
}

async fn answer(
    net: &NetRef,
    authority: &Authority,
    resolver: &Arc<Resolver>,
    mut stream: TcpStream,
    from: SocketAddr,
) -> io::Result<()> {
    let mut text = Vec::new();
    (&mut stream).take(LONGEST).read_to_end(&mut text).await?;
    let signed = match check(&text, resolver, from).await {
        Ok(request) => authority.sign(&request).map(|chain| (chain, request)).map_err(|e| e.to_string()),
        Err(why) => Err(why),
    };
    match signed {
        Ok((chain, request)) => {
            net.count("authority.signed");
            net.trace(Storey::Presentation, "ca.signed", |f| {
                f.set("peer", from).set("names", request.names().join(", "));
                f.set("why", "the request is signed with the key that it names, and every name leads to who asks");
            });
            stream.write_all(chain.as_bytes()).await?;
        }
        Err(why) => {
            net.count("authority.refused");
            net.trace(Storey::Presentation, "ca.refused", |f| {
                f.set("peer", from).set("why", why.clone());
            });
            stream.write_all(format!("refused: {why}\n").as_bytes()).await?;
        }
    }
    stream.shutdown().await
}

/// The request, where its signature holds and every name of it is that of who asks.
async fn check(text: &[u8], resolver: &Arc<Resolver>, from: SocketAddr) -> Result<Request, String> {
    let request = Request::from_pem(text).map_err(|e| e.to_string())?;
    for name in request.names() {
        let addresses = match name.parse() {
            Ok(address) => vec![address],
            Err(_) => resolver.addresses(name, Family::Any).await.map_err(|e| format!("{name}: {e}"))?,
        };
        if !addresses.contains(&from.ip().to_canonical()) {
            return Err(format!("{name} is not at {}", from.ip().to_canonical()));
        }
    }
    Ok(request)
}

/// What it records.
const METRICS: &[Metric] = &[
    Metric::counter("authority.signed", "requests for certificates that an authority signed"),
    Metric::counter("authority.refused", "requests for certificates that an authority refused"),
];
