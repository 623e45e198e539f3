//! `dhclient`: tells the host's DHCP client to ask anew, or to give its address back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use septet_core::Metric;
use septet_socket::BoxFuture;

use super::args::{self, Arg, ArgError, At, Spec, flag};
use super::{Context, Misuse, Needs, Program, complain};
use crate::dhcp::CONTROL_PORT;

/// The program.
pub(super) struct Dhclient;

impl Program for Dhclient {
    fn name(&self) -> &'static str {
        "dhclient"
    }

    fn summary(&self) -> &'static str {
        "renews or releases an address that DHCP gave"
    }

    fn usage(&self) -> &'static str {
        "Usage: dhclient [-r] [<interface>]
 -r   Give the address back, and use it no longer
Without -r the server is asked anew; the interface is eth0 unless named.
The client itself runs where the lab file says `address = \"dhcp\"`.
"
    }

    fn metrics(&self) -> &'static [Metric] {
        &[]
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        Options::parse(args).map(|_| Needs::default()).map_err(|e| Misuse::by(&e, SPECS))
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&args) {
                Ok(options) => match tell(&context, &options).await {
                    Ok(()) => 0,
                    Err(e) => complain(&context, "dhclient", &e, 1),
                },
                Err(e) => complain(&context, "dhclient", &e, 2),
            }
        })
    }
}

const SPECS: &[Spec] = &[flag('r', "")];

struct Options {
    word: &'static str,
    device: String,
}

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let (mut word, mut device) = ("renew", None);
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(name) if device.is_none() => device = Some(name),
                Arg::Free(name) | Arg::Value(name, _) => return Err(ArgError::Extra(name)),
                Arg::Flag(_) => word = "release",
            }
            Ok(())
        })?;
        Ok(Self { word, device: device.unwrap_or_else(|| "eth0".to_owned()) })
    }
}

async fn tell(context: &Context, options: &Options) -> io::Result<()> {
    let net = &context.net;
    let link = net.admin()?.link(&options.device)?;
    let socket = net.bind_udp(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
    let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), CONTROL_PORT + link.iface);
    socket.send_to(options.word.as_bytes(), to).await?;
    Ok(())
}
