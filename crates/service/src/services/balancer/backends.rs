//! The backends of a balancer or of one of its routes: `web[1..3]:80, spare:8080 weight 2`.

use std::net::SocketAddr;

use septet_application::balancer::Target;
use septet_application::balancer::policy::{self, Weights};
use septet_application::proxy_protocol::Version;
use septet_language::document::{Name, Text};
use septet_language::mistake::Mistake;
use septet_language::schema::{Key, Phrase, Texts};
use septet_language::words::{Word, Words, Wrong};

use crate::listen::port;
use crate::service::Reading;
use crate::site::{HostId, Site};

pub(super) static KEY: Key<Texts<Text>> = Key::new(
    "to",
    Texts(BACKEND),
    "the backends, by name and port, and how much of the load they get beside others: `web[1..3]:80, spare:8080 weight 2`",
);

const BACKEND: Phrase<Text> = Phrase::later("backends", "web[1..3]:80");

/// A backend of a load balancer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackendSpec {
    /// The host.
    pub host: HostId,
    /// Its port.
    pub port: u16,
    /// Its share beside the others'.
    pub weight: u32,
}

/// The backends, where their hosts have addresses at `site`.
pub(super) fn targets(specs: &[BackendSpec], told: Option<Version>, site: &dyn Site) -> Vec<Target> {
    let target = |backend: &BackendSpec| {
        let at = SocketAddr::new(*site.addresses(backend.host).first()?, backend.port);
        let target = Target::new(site.name(backend.host), at).weight(backend.weight);
        Some(match told {
            Some(version) => target.proxy_protocol(version),
            None => target,
        })
    };
    specs.iter().filter_map(target).collect()
}

/// Reads what stands under the key, and reports mistakes.
pub(super) fn read(texts: &[Text], reading: &mut Reading<'_>) -> Vec<BackendSpec> {
    let mut all = Vec::new();
    for text in texts {
        let found = backends(text, reading);
        all.extend(reading.or_report(text, found).unwrap_or_default());
    }
    all
}

/// Reports weights that a policy does not heed.
pub(super) fn check_weights(to: &[BackendSpec], policy: &str, key: Option<&Name>, reading: &mut Reading<'_>) {
    let weighs = to.iter().any(|backend| backend.weight != to[0].weight);
    if weighs
        && policy::find(policy).is_none_or(|entry| entry.weights == Weights::Ignored)
        && let Some(key) = key
    {
        let reason = format!("`{policy}` gives each backend the same, whatever it weighs");
        let mistake = Mistake::new("no-effect", key.span.clone(), reason, "weights have no effect");
        reading.mistakes.push(mistake.help("`policy = \"weighted-round-robin\"` heeds them".to_owned()));
    }
}

fn backends(text: &Text, reading: &Reading<'_>) -> Result<Vec<BackendSpec>, Wrong> {
    let mut found = Vec::new();
    for part in (Word { text: &text.text, at: 0 }).split(",") {
        let Some((names, rest)) = part.split_once(":") else {
            return Err(Wrong::new("backend", part.range(), format!("`{}` has no port", part.text))
                .label("no port")
                .help(format!("for example `{}:80`", part.text)));
        };
        let mut words = Words::new(rest);
        let port = port(words.expect("a port", "web1:80")?)?;
        let weight = weight(&mut words)?;
        if let Some(more) = words.next() {
            return Err(Wrong::new("backend", more.range(), format!("`{}` says nothing of a backend", more.text))
                .help("for example `web1:80` or `web1:80 weight 2`".to_owned()));
        }
        found.extend(reading.hosts.hosts(names)?.into_iter().map(|host| BackendSpec { host, port, weight }));
    }
    Ok(found)
}

fn weight(words: &mut Words<'_>) -> Result<u32, Wrong> {
    if !words.take("weight") {
        return Ok(1);
    }
    let word = words.expect("a weight", "web1:80 weight 2")?;
    word.text.parse().ok().filter(|weight| (1..=Target::MOST_WEIGHT).contains(weight)).ok_or_else(|| {
        Wrong::new("weight", word.range(), format!("`{}` is not a weight", word.text))
            .help(format!("a weight is a whole number from 1 to {}", Target::MOST_WEIGHT))
    })
}
