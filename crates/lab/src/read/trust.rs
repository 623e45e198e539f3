//! Whom hosts trust must be somebody: the lab's authority, or one that signs for a service.

use std::collections::BTreeSet;
use std::sync::Arc;

use septet_language::mistake::{Mistake, Mistakes};
use septet_language::nearest::suggest;
use septet_service::USUAL;

use crate::model::node::Node;

/// The authorities that sign for programs of hosts, beside the lab's own.
pub(crate) fn own_authorities(nodes: &[Node]) -> impl Iterator<Item = String> {
    let hosts = nodes.iter().filter_map(|node| node.spec.host());
    hosts.flat_map(|host| &host.certificates).filter_map(|certificate| certificate.authority.clone())
}

/// Reports authorities that no certificate names.
pub(crate) fn check(nodes: &[Node], mistakes: &mut Mistakes) {
    let of_services = nodes.iter().flat_map(Node::services).flat_map(|service| service.authorities());
    let known: BTreeSet<String> = of_services.chain(own_authorities(nodes)).chain([USUAL.to_owned()]).collect();
    let mut last = None;
    for node in nodes {
        // Nodes of one range share what the file says.
        if last.replace(Arc::as_ptr(&node.spec)) == Some(Arc::as_ptr(&node.spec)) {
            continue;
        }
        let named = node.spec.host().and_then(|host| host.trust.as_ref()).into_iter().flatten();
        for text in named.filter(|text| !known.contains(&text.text)) {
            let reason = format!("no certificate is signed by an authority called `{}`", text.text);
            let known = known.iter().map(String::as_str);
            mistakes.push(Mistake::new("unknown-authority", text.inner(), reason, "unknown here").help(suggest(
                &text.text,
                "authorities",
                known,
            )));
        }
    }
}
