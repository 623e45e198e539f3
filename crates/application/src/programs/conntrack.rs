//! `conntrack`: shows the connections that a host's packet filter remembers, as conntrack-tools does.

use septet_core::Metric;
use septet_socket::BoxFuture;

use super::args::{self, Arg, ArgError, At, Spec, flag, value};
use super::{Context, Misuse, Needs, Program, complain};

/// The program.
pub(super) struct Conntrack;

impl Program for Conntrack {
    fn name(&self) -> &'static str {
        "conntrack"
    }

    fn summary(&self) -> &'static str {
        "shows the connections that the packet filter remembers"
    }

    fn usage(&self) -> &'static str {
        "Usage: conntrack -L [options]
       conntrack -C
 -C             Show how many there are
 -f <family>    Those of ipv4 or ipv6 (ipv4)
 -L             Show them
 -p <protocol>  Those of tcp, udp, icmp or icmpv6
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
            let options = match Options::parse(&args) {
                Ok(options) => options,
                Err(e) => return complain(&context, "conntrack", &e, 2),
            };
            let lines = match context.net.admin().and_then(|admin| admin.connections()) {
                Ok(lines) => lines,
                Err(why) => return complain(&context, "conntrack", &why, 1),
            };
            if options.counts {
                context.console.out(format!("{}\n", lines.len()).as_bytes());
                return 0;
            }
            let is_asked = |protocol: &str| options.protocol.as_deref().is_none_or(|asked| asked == protocol);
            let shown: Vec<_> =
                lines.iter().filter(|line| line.is_v4 == options.is_v4 && is_asked(line.protocol)).collect();
            for line in &shown {
                context.console.out(format!("{}\n", line.text).as_bytes());
            }
            let sum = format!("conntrack v1.4.7 (conntrack-tools): {} flow entries have been shown.\n", shown.len());
            context.console.err(sum.as_bytes());
            0
        })
    }
}

struct Options {
    counts: bool,
    is_v4: bool,
    protocol: Option<String>,
}

const SPECS: &[Spec] = &[flag('C', "count"), value('f', "family"), flag('L', "dump"), value('p', "proto")];

impl Options {
    fn parse(words: &[String]) -> Result<Self, At<ArgError>> {
        let mut options = Self { counts: false, is_v4: true, protocol: None };
        let mut lists = false;
        args::each(SPECS, words, |arg| {
            match arg {
                Arg::Free(word) => return Err(ArgError::Extra(word)),
                Arg::Flag(name) if name == "count" => options.counts = true,
                Arg::Flag(_) => lists = true,
                Arg::Value(name, text) if name == "family" => match text.as_str() {
                    "ipv4" => options.is_v4 = true,
                    "ipv6" => options.is_v4 = false,
                    _ => return Err(args::bad("-f", &text, "ipv4 or ipv6")),
                },
                Arg::Value(_, text) => match text.as_str() {
                    "tcp" | "udp" | "icmp" | "icmpv6" => options.protocol = Some(text),
                    _ => return Err(args::bad("-p", &text, "tcp, udp, icmp or icmpv6")),
                },
            }
            Ok(())
        })?;
        if !lists && !options.counts {
            return Err(ArgError::Missing("-L or -C").into());
        }
        Ok(options)
    }
}
