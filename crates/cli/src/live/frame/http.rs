//! `septet serve http`.

use clap::Args;

use super::flags::{Flags, quoted, texts};

/// The flags of the web server.
#[derive(Debug, Args)]
pub(crate) struct Http {
    /// The directory whose files it serves
    root: Option<String>,
    /// Where it listens (http://:80); repeat for several
    #[arg(short, long, value_name = "URL")]
    listen: Vec<String>,
    /// List directories that have no index.html
    #[arg(long, requires = "root")]
    listing: bool,
    /// Answer at /bytes/N, /delay/MILLISECONDS, /status/N and /echo, for who tests a client
    #[arg(long)]
    endpoints: bool,
    /// Write a line for each request on stderr: common, combined or json
    #[arg(long, value_name = "FORM")]
    access_log: Option<String>,
    /// The chain of certificates for https, leaf first, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<String>,
    /// The key of the first of them, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<String>,
}

impl Flags for Http {
    fn service(&self) -> &'static str {
        "http"
    }

    fn lines(&self) -> Vec<String> {
        let certificate = self
            .tls_cert
            .as_ref()
            .zip(self.tls_key.as_ref())
            .map(|(chain, key)| format!("certificate = {{ chain = {}, key = {} }}", quoted(chain), quoted(key)));
        let text = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key} = {}", quoted(value)));
        let switch = |key: &str, on: bool| on.then(|| format!("{key} = true"));
        let lines = [
            text("root", &self.root),
            texts("listen", &self.listen),
            switch("listing", self.listing),
            switch("endpoints", self.endpoints),
            text("access_log", &self.access_log),
            certificate,
        ];
        lines.into_iter().flatten().collect()
    }
}
