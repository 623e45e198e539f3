//! `septet serve http`.

use clap::Args;

use super::flags::{Flags, quoted, texts};

/// The flags of the web server.
#[derive(Debug, Args)]
pub(crate) struct Http {
    /// Where it listens (http://:80); repeat for several
    #[arg(short, long, value_name = "URL")]
    listen: Vec<String>,
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
        [texts("listen", &self.listen), certificate].into_iter().flatten().collect()
    }
}
