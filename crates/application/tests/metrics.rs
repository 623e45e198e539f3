//! Every name that the recorder hears is declared.

use std::path::Path;

use septet_application::dhcp;

fn sources(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The string literals that follow `opening`, up to the first brace of a format.
fn literals<'t>(text: &'t str, opening: &str) -> Vec<&'t str> {
    text.split(opening).skip(1).filter_map(|rest| rest.split(['"', '{']).next()).collect()
}

#[test]
fn every_name_is_declared() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    sources(&root.join("src"), &mut texts);
    let mut names = Vec::new();
    for text in &texts {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for opening in [".count(\"", ".observe(\"", ".count(&format!(\"", ".observe(&format!(\"", "Gauge::new(net, \""]
        {
            names.extend(literals(&text, opening).into_iter().map(str::to_owned));
        }
    }
    assert!(names.len() > 40, "the search has lost its way: {names:?}");
    let services = [septet_application::http::METRICS, septet_application::dns::SERVER_METRICS];
    let services = services.into_iter().chain([septet_application::dns::RECURSOR_METRICS]);
    let services = services.into_iter().chain([septet_application::balancer::METRICS]);
    let dhcp = [dhcp::SERVER_METRICS, dhcp::RELAY_METRICS, dhcp::CLIENT_METRICS];
    let services = services.chain(dhcp).flatten();
    let declared: Vec<_> = septet_application::recorders().flat_map(|(_, metrics)| metrics).chain(services).collect();
    for name in names {
        // What is cut at the brace of a format begins a family.
        let begins = |m: &septet_core::Metric| m.name.split_once('*').is_some_and(|(start, _)| start == name);
        let known = declared.iter().any(|m| m.is(&name) || begins(m));
        assert!(known, "`{name}` is recorded, and in no METRICS");
    }
}
