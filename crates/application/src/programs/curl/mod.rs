//! `curl`: fetches what a URL names, over HTTP/1.1 and HTTP/2, plain or with TLS.

mod cookies;
mod error;
mod options;
mod output;
mod repeat;
mod transfer;
mod url;
mod write_out;

use septet_core::Metric;
use septet_presentation::ca::TrustStore;
use septet_socket::BoxFuture;

use super::{Captured, Context, Misuse, Needs, Program, args};
use error::CurlError;
use options::{Options, SPECS};

/// The program.
pub(super) struct Curl;

impl Program for Curl {
    fn name(&self) -> &'static str {
        "curl"
    }

    fn summary(&self) -> &'static str {
        "fetches what a URL names"
    }

    fn usage(&self) -> &'static str {
        "Usage: curl [options...] <url>...
 -4, --ipv4                Use IPv4 addresses only
 -6, --ipv6                Use IPv6 addresses only
 -A, --user-agent <name>   Send this User-Agent
 -b, --cookie <data>       Send these cookies: NAME=VALUE; '' keeps those that servers set
     --cacert <file>       Trust the certificates in this file
 -E, --cert <file>         Show the certificate in this file to who asks for one
     --compressed          Ask for a compressed response, and decompress it
     --connect-timeout <s> Maximum time for the connection
 -d, --data <data>         Send this in a POST; @file sends a file
     --data-binary <data>  The same, line ends and all
     --data-raw <data>     The same, where @ means nothing
 -f, --fail                Fail on HTTP errors
     --fail-with-body      Fail on HTTP errors, but show the body
 -H, --header <line>       Send this header line
 -I, --head                Ask for the headers only
     --http1.1             Use HTTP/1.1
     --http2               Use HTTP/2 where the server offers it over TLS
 -i, --include             Show the response's headers
 -k, --insecure            Do not check the server's certificate
 -L, --location            Follow redirects
     --key <file>          Its key, where that stands in another file
     --max-redirs <n>      How many (50)
 -m, --max-time <s>        Maximum time for the whole transfer
 -o, --output <file>       Write to a file
 -O, --remote-name         Write to a file named as in the URL
     --resolve <h:p:addr>  Take this address for the host and port
     --retry <n>           Try again after a passing failure
     --retry-all-errors    Try again after any failure
     --retry-connrefused   Try again after a refused connection too
     --retry-delay <s>     Wait so long between tries, instead of 1, 2, 4, ... s
     --retry-max-time <s>  Begin no try after this time
 -S, --show-error          Show errors even with -s
 -s, --silent              Show no errors
     --tls-max <version>   Use at most this version of TLS
     --tlsv1.2             Use TLS 1.2 or better
     --tlsv1.3             Use TLS 1.3 or better
 -u, --user <name:pass>    Send this as Basic authorization, to the hosts of the command line
     --url <url>           Fetch this
 -v, --verbose             Say what happens
 -w, --write-out <format>  Print this after the transfer
 -X, --request <method>    Use this method

Not in the original:
     --repeat <n>          Do it n times, over one connection where it lasts, and check every body
     --interval <time>     Begin one each so often (with --repeat)
     --parallel            Do not wait for the one before (with --repeat)
     --parallel-max <n>    How many at a time at most (50)
     --happy-eyeballs-timeout-ms <ms>  How long to wait for one version of IP before
                           an address of the other is tried beside it (250)
     --fresh               Open a new connection for each (with --repeat)
     --tls-resume          Resume TLS sessions with servers that were met before (with --repeat)
"
    }

    fn metrics(&self) -> &'static [Metric] {
        repeat::METRICS
    }

    fn check(&self, args: &[String]) -> Result<Needs, Misuse> {
        // A host of a lab has no files to read.
        match Options::parse(&Captured::default(), &TrustStore::empty(), args) {
            Ok(options) => {
                let resolved = |host: &String| !options.resolve.iter().any(|(name, ..)| name == host);
                let hosts = options.jobs.iter().map(|job| job.url.host.clone()).filter(resolved).collect();
                let certificates = options.certificate.into_iter().chain(options.key).collect();
                Ok(Needs { hosts, certificates, ..Needs::default() })
            }
            Err(wrong) => {
                let unknown = matches!(&wrong.error, CurlError::Usage(e) if e.unknown().is_some());
                Err(Misuse::of(&wrong, if unknown { args::written(SPECS) } else { Vec::new() }))
            }
        }
    }

    fn run(&self, context: Context, args: Vec<String>) -> BoxFuture<'static, u8> {
        Box::pin(async move {
            match Options::parse(&*context.console, &context.trust, &args) {
                Ok(mut options) => match options.read_identity(&*context.console) {
                    Ok(()) => repeat::run(context, options).await,
                    Err(e) => {
                        context.console.err(format!("curl: ({}) {e}\n", e.exit_code()).as_bytes());
                        e.exit_code()
                    }
                },
                Err(e) => {
                    context
                        .console
                        .err(format!("curl: {e}\ncurl: try 'curl --help' for more information\n").as_bytes());
                    e.error.exit_code()
                }
            }
        })
    }
}
