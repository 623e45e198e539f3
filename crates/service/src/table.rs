//! The tables of services, as they stand in a host's table or in a file of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use septet_core::Metric;
use septet_language::document;
use septet_language::mistake::{Mistake, Mistakes, Span};
use septet_language::schema::{self, AnyKey, Entry, Section, Table};

use crate::run;
use crate::service::{On, Reading, Service};
use crate::services::KINDS;
use crate::site::Hosts;

/// The keys of all services.
pub fn keys() -> Vec<&'static dyn AnyKey> {
    KINDS.iter().map(|kind| kind.key as &dyn AnyKey).collect()
}

/// The keys of the services that routers can offer.
pub fn router_keys() -> Vec<&'static dyn AnyKey> {
    let on_routers = KINDS.iter().filter(|kind| kind.on == On::HostsAndRouters);
    on_routers.map(|kind| kind.key as &dyn AnyKey).collect()
}

/// Who records something, by the key of the service, and what.
pub fn recorders() -> impl Iterator<Item = (&'static str, &'static [Metric])> {
    KINDS.iter().map(|kind| (kind.key.name(), kind.metrics)).chain([("every service", run::METRICS)])
}

/// Reads the services in a table that has their keys.
pub fn read(host: &Table, hosts: &dyn Hosts, mistakes: &mut Mistakes) -> Vec<Arc<dyn Service>> {
    let mut services: Vec<Arc<dyn Service>> = Vec::new();
    let mut taken: BTreeMap<u16, (&'static str, Span)> = BTreeMap::new();
    for kind in KINDS {
        let Some(Entry { name, value: table, .. }) = host.entry(kind.key) else { continue };
        let mut reading = Reading { hosts, mistakes, span: name.span.clone() };
        let Some(service) = (kind.read)(table, &mut reading) else { continue };
        for port in service.ports() {
            if let Some((other, first)) = taken.insert(port, (service.name(), name.span.clone())) {
                let reason = format!("{other} and {} both listen on port {port}", service.name());
                let mut mistake = Mistake::new("listen-in-use", name.span.clone(), reason, "this one");
                if first != name.span {
                    mistake = mistake.also(first, "this one has it");
                }
                mistakes.push(mistake);
            }
        }
        services.push(service);
    }
    services
}

static FILE: Section = Section::new("The services of a host.", &[]).more(keys);

/// Reads a file that holds the tables of services alone: `[http]`, `[dns]`. `source` names it in messages. What is only to
/// be warned of comes beside the services.
///
/// # Errors
/// All mistakes at once.
pub fn of_file(source: &str, text: &str, hosts: &dyn Hosts) -> Result<(Vec<Arc<dyn Service>>, Mistakes), Mistakes> {
    let mut mistakes = Mistakes::new(source, text);
    let root = document::parse(text, &mut mistakes);
    // After a syntax error the rest may have been read as something else.
    if mistakes.has_errors() {
        return Err(mistakes.sorted());
    }
    let table = schema::read(&root, &FILE, &mut mistakes);
    let services = read(&table, hosts, &mut mistakes);
    if mistakes.has_errors() { Err(mistakes.sorted()) } else { Ok((services, mistakes.sorted())) }
}
