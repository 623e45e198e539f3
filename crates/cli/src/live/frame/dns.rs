//! `septet serve dns`.

use clap::Args;

use super::flags::{Flags, quoted, texts};

/// The flags of the name server.
#[derive(Debug, Args)]
pub(crate) struct Dns {
    /// Where it listens, with UDP and TCP (port 53 of every address); repeat for several
    #[arg(short, long, value_name = "ADDR[:PORT]")]
    listen: Vec<String>,
    /// A zone and the file that has its records; repeat for several
    #[arg(short, long, value_name = "ZONE=FILE", value_parser = pair)]
    zone: Vec<(String, String)>,
    /// A zone and the name server that it is fetched from; repeat for several
    #[arg(long, value_name = "ZONE=ADDR[:PORT]", value_parser = pair)]
    secondary: Vec<(String, String)>,
    /// Who may have whole zones (nobody): addresses or prefixes; repeat for several
    #[arg(long, value_name = "PREFIX")]
    transfer: Vec<String>,
    /// A name server that is told when a zone changes; repeat for several
    #[arg(long, value_name = "ADDR[:PORT]")]
    notify: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((zone, what)) if !zone.is_empty() && !what.is_empty() => Ok((zone.to_owned(), what.to_owned())),
        _ => Err("a zone, `=` and what belongs to it".to_owned()),
    }
}

impl Flags for Dns {
    fn service(&self) -> &'static str {
        "dns"
    }

    fn lines(&self) -> Vec<String> {
        let table = |key: &str, of: &[(String, String)]| {
            let pairs: Vec<String> =
                of.iter().map(|(zone, what)| format!("{} = {}", quoted(zone), quoted(what))).collect();
            (!pairs.is_empty()).then(|| format!("{key} = {{ {} }}", pairs.join(", ")))
        };
        let lines = [
            texts("listen", &self.listen),
            table("zone_files", &self.zone),
            table("secondary", &self.secondary),
            texts("transfer", &self.transfer),
            texts("notify", &self.notify),
        ];
        lines.into_iter().flatten().collect()
    }
}
